"""What holds for all tests: property tests are repeatable, not timed; a kernel is compiled once for all."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, settings

from core import secrecy
from tests.tiers import statistics, tries

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=tries(100, 25))
settings.load_profile("repeatable")

# A shell that runs the tests in the background has Ctrl-C ignored, for all programs that they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# As in the scripts: importing and compiling make millions of objects that stay.
gc.set_threshold(100_000, 20, 20)


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave coverage out of what a function runs."""

    @wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*args, **named)
        finally:
            sys.settrace(tracer)

    return run


# The compiler is not ours, and being watched makes it twice as slow.
COMPILER: Any = import_module("numba.core.dispatcher")._FunctionCompiler
COMPILER.compile = untraced(COMPILER.compile)

# Tables are as wide as for everyone.
os.environ.pop("COLUMNS", None)

# The test processes share it, and later runs do: everything that changes the fill model puts it to the test.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "kernels"))
# The key of these kernels: not in the home of whoever runs the tests.
os.environ.setdefault("XDG_STATE_HOME", os.environ["NUMBA_CACHE_DIR"])

# Strategies of whoever runs the tests are no business of theirs.
os.environ["HOT_CRYPTO_STRATEGIES"] = str(Path(__file__).parents[1] / ".pytest_cache" / "no_strategies")
Path(os.environ["HOT_CRYPTO_STRATEGIES"]).mkdir(parents=True, exist_ok=True)

HERE = Path(__file__).parent
PACKAGES = ("core", "strategies", "db", "llm", "scripts")
OTHERS = ("ccxt", "sqlalchemy.orm", "pydantic")
"""What takes long to import and is not ours: coverage need not look on."""
HAS_READER = find_spec("pyarrow") is not None
if not HAS_READER:
    collect_ignore_glob = ["unit/test_candles_*.py", "property/test_candles_files.py"]


def pytest_report_header() -> list[str]:
    """Say which tests are left out, and why."""
    return [] if HAS_READER else ["left out: tests of candle files; pyarrow is not installed (make parquet)"]


@contextmanager
def unmeasured() -> Iterator[None]:
    """Stop coverage for a while, where it runs; a program's own requirements do not bring it.

    In a process of xdist pytest-cov starts it twice, and who stops one of them starts the other again.
    """
    running: list[Any] = []
    while "coverage" in sys.modules and (one := sys.modules["coverage"].Coverage.current()) is not None:
        one.stop()
        running.append(one)
    try:
        yield
    finally:
        for one in reversed(running):
            one.start()


def only_hands_out(config: pytest.Config) -> bool:
    """Tell whether other processes run the tests: xdist's own needs none of our modules, and no coverage."""
    return config.pluginmanager.has_plugin("dsession")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Iterator[Any]:
    """Measure what importing our modules runs, once for all; the tests are imported without coverage.

    Every second process begins with the last tests: what one has translated, the others find.
    """
    if only_hands_out(session.config):
        return (yield)
    with unmeasured():
        for name in OTHERS:
            import_module(name)
    for package in map(import_module, PACKAGES):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    with unmeasured():
        if int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 2:
            for path in sorted(HERE.glob("*/test_*.py"), reverse=True):
                # What cannot be imported is said when its turn comes.
                with suppress(Exception):
                    import_module(".".join(path.relative_to(HERE.parent).with_suffix("").parts))
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a property's other examples where `make test-statistics` does.

    Begin with what takes longest, so that no process works on alone at the end.
    """
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker(statistics)
    items.sort(key=lambda item: "[ENSEMBLE]" not in item.nodeid)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[Any]:
    """Look at no report that comes in from the processes that run the tests."""
    with unmeasured() if only_hands_out(session.config) else nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Run what is marked `unmeasured` without coverage, its fixtures too.

    Compiled code cannot be measured at all: of `core/kernel` only what runs as plain Python counts.
    """
    with unmeasured() if item.get_closest_marker("unmeasured") else nullcontext():
        return (yield)


def pytest_collection_finish() -> None:
    """Look for no garbage among modules and tests, which stay: half a second each time it is looked for."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _hides_nothing_of_the_test_before() -> Iterator[None]:
    """Hide no secret of another test: its token may be a word here."""
    yield
    secrecy.hide(())
