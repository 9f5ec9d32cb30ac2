"""What holds for all tests: property tests are repeatable, not timed; a kernel is compiled once for all."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile

import pytest
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# A shell that runs the tests in the background has Ctrl-C ignored, for all programs that they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)

if "NUMBA_CACHE_DIR" not in os.environ:
    # The test processes share it, and so it is put to the test by everything that changes the fill model.
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="hot-crypto-kernels-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process works on alone at the end."""
    items.sort(key=lambda item: "[ENSEMBLE]" not in item.nodeid)
