"""What holds for all tests: property tests are repeatable, not timed; a kernel is compiled once for all."""

from __future__ import annotations

import gc
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# A shell that runs the tests in the background has Ctrl-C ignored, for all programs that they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tables are as wide as for everyone.
os.environ.pop("COLUMNS", None)

# The test processes share it, and later runs do: everything that changes the fill model puts it to the test.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "kernels"))
# The key of these kernels: not in the home of whoever runs the tests.
os.environ.setdefault("XDG_STATE_HOME", os.environ["NUMBA_CACHE_DIR"])

UNMEASURED = ("test_three_ways", "test_judges", "test_sweep", "test_replay")
HAS_READER = find_spec("pyarrow") is not None
if not HAS_READER:
    collect_ignore_glob = ["unit/test_candles_*.py", "property/test_candles_files.py"]


def pytest_report_header() -> list[str]:
    """Say which tests are left out, and why."""
    return [] if HAS_READER else ["left out: tests of candle files; pyarrow is not installed (make parquet)"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process works on alone at the end.

    Proofs by whole runs are not measured for coverage: it doubles their time, and does not see compiled code.
    """
    items.sort(key=lambda item: "[ENSEMBLE]" not in item.nodeid)
    for item in items:
        if item.path.stem in UNMEASURED and item.path.parent.name == "parity":
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    """Look for no garbage among modules and tests, which stay: half a second each time it is looked for."""
    gc.freeze()
