"""Indicator results kept for a while, so that parameter sets that need the same one compute it once.

Nothing is kept unless somebody asks for it: outside `keeping` an indicator is a plain pure function.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


class Memo:
    """The results used last, up to so many bytes; any number of threads may share one.

    An array is known by its identity, so it must not change while the memo lives.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._lock = Lock()
        # The arguments are kept with the result: an array that is gone could lend its identity to another.
        self._kept: OrderedDict[tuple[Any, ...], tuple[Any, Any, int]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes of the results that are kept."""
        return self._bytes

    def recall(self, function: Callable[..., R], args: tuple[Any, ...]) -> R:
        """Return the kept result of this call, or make it and keep it."""
        key = (function, *(id(arg) if isinstance(arg, np.ndarray) else arg for arg in args))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: R = self._kept[key][1]
                return found
        made = function(*args)
        self._keep(key, args, made)
        return made

    def _keep(self, key: tuple[Any, ...], args: tuple[Any, ...], made: Any) -> None:
        size = sum(array.nbytes for array in (made if isinstance(made, tuple) else (made,)))
        with self._lock:
            if key in self._kept or size > self._most:
                return
            self._kept[key] = (args, made, size)
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1][2]


_CURRENT: ContextVar[Memo | None] = ContextVar("memo", default=None)


@contextmanager
def keeping(memo: Memo) -> Iterator[None]:
    """Keep the results of remembered functions in this memo, in this thread, meanwhile."""
    token = _CURRENT.set(memo)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """Let a pure function of arrays and numbers find its earlier result inside `keeping`."""

    @wraps(function)
    def recalled(*args: P.args, **kwargs: P.kwargs) -> R:
        memo = _CURRENT.get()
        if memo is None or kwargs:
            return function(*args, **kwargs)
        return memo.recall(function, args)

    return recalled
