"""Waiting for another program's write to end, longer than SQLite itself does, and saying so.

Whoever waits holds what it was about to store, and nothing follows from it before it is stored: no order
leaves, and none is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine

from core.errors import DatabaseLockedError

T = TypeVar("T")
OPTION = "patience"


class Waiting(Protocol):
    """Tries to begin a transaction that writes."""

    def __call__(self, attempt: Callable[[], T], /) -> T:
        """Return what the attempt returns. Raises DatabaseLockedError when it is given up."""
        ...


def at_once(attempt: Callable[[], T], /) -> T:
    """Try once; SQLite waits as long as the database URL says."""
    return attempt()


class Patience:
    """Tries again and again for so many seconds; once that was in vain only once, until it works again."""

    def __init__(self, seconds: float, tell: Callable[[str], object], clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds; `tell` takes lines that a person should read."""
        self._seconds, self._tell, self._clock = seconds, tell, clock
        self._is_spent = False

    def __call__(self, attempt: Callable[[], T], /) -> T:
        """Return what the attempt returns. Raises DatabaseLockedError when the lock outlasts the patience."""
        began = self._clock()
        waits = False
        while True:
            try:
                done = attempt()
            except DatabaseLockedError as error:
                if self._is_spent or self._clock() - began >= self._seconds:
                    self._is_spent = True
                    raise DatabaseLockedError(f"{error}; it was waited for {self._seconds:.0f} s") from error
                if not waits:
                    self._tell(
                        f"{error}; what was decided is held for {self._seconds:.0f} s, nothing is sent"
                    )
                waits = True
            else:
                self._is_spent = False
                if waits:
                    self._tell(f"the database is free again after {self._clock() - began:.0f} s; going on")
                return done


def patient(engine: Engine, patience: Waiting) -> Engine:
    """Return the engine with what begins its transactions that write."""
    return engine.execution_options(**{OPTION: patience})


def patience_of(options: Mapping[str, Any]) -> Waiting:
    """Return what begins transactions that write, by the options of an engine or a connection."""
    waiting: Waiting = options.get(OPTION, at_once)
    return waiting
