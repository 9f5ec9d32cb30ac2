"""Backtesting.py without what only a backtest on it, or a chart of one, needs.

Importing it imports pandas and, for charts, Bokeh: three times as long as a compiled run over a year of
minutes takes with all else. A strategy needs its class `Strategy` alone. So pandas is handed to it as a name
that imports when something is asked of it, and its modules of charts and statistics, which others take
functions from, as such names too. Everything works as always, a moment later. Where Backtesting.py was
imported before, it stays as it is.

It draws a progress bar on stderr in every run if the package tqdm is there, as it is where a search by Optuna
is installed: it is not shown that package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["VERSION", "FractionalBacktest", "Strategy"]


class _Later(ModuleType):
    """A module that is imported when something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(import_module(self.__name__), name)
        setattr(self, name, found)
        return found


class _FunctionsLater(ModuleType):
    """A module whose functions import it when they are called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*args, **kwargs)

        return call


STAND_INS = {
    "pandas": _Later,
    "backtesting._plotting": _FunctionsLater,
    "backtesting._stats": _FunctionsLater,
}


HIDDEN = "tqdm.auto"


@contextmanager
def _standing_in() -> Iterator[None]:
    """Let imports find stand-ins meanwhile; afterwards everybody else finds the modules themselves."""
    absent = {name: kind(name) for name, kind in STAND_INS.items() if name not in sys.modules}
    sys.modules.update(absent)
    bars = sys.modules.get(HIDDEN)
    # Importing a name that stands for nothing fails as if it were not installed.
    sys.modules[HIDDEN] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
        del sys.modules[HIDDEN]
        if bars is not None:
            sys.modules[HIDDEN] = bars


if "backtesting" in sys.modules:
    import backtesting
else:
    with _standing_in():
        import backtesting

VERSION: str = backtesting.__version__
Strategy, FractionalBacktest = backtesting.Strategy, backtesting.lib.FractionalBacktest
