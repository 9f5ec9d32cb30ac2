"""The one way in which source that plain Python can run is compiled."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from numba import __version__ as numba_version
from numba import njit

COMPILER = f"numba {numba_version}"


@contextmanager
def compiling() -> Iterator[None]:
    """Look for no garbage meanwhile: the compiler makes millions of objects that stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def with_names(function: Callable[..., Any], scope: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a copy of a function that finds what is in `scope` first, then what the original finds."""
    plain: Any = function
    names = {**plain.__globals__, **scope}
    return FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__)


def compile_copy(
    function: Callable[..., Any],
    scope: Mapping[str, Any],
    *,
    inline: bool = True,
    from_python: bool = True,
    counts: bool = True,
) -> Callable[..., Any]:
    """Compile a copy of a function that finds what is in `scope` where the original finds plain functions.

    Forced inlining makes the bar loop four times faster; numpy's error model leaves out checks for division
    by zero, which no price can cause. The GIL is released while it runs. What only compiled code calls
    compiles a quarter sooner without the way in `from_python`.
    """
    fast: Callable[..., Any] = njit(
        with_names(function, scope),
        nogil=True,
        error_model="numpy",
        forceinline=inline,
        no_cpython_wrapper=not from_python,
        no_cfunc_wrapper=True,
        _nrt=counts,
    )
    return fast
