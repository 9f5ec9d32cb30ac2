"""Ends a process whose loop hangs: a loop that does not trade must not look as if it did."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

SELDOM = 4
"""Between two looks a longer part of its patience passes only while the watchdog stands still too."""


class Watchdog:
    """Calls `give_up` when the loop has not said that it is alive for so many seconds."""

    def __init__(self, seconds: float, give_up: Callable[[], object], clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._seconds, self._give_up, self._clock = seconds, give_up, clock
        self._looked_at, self._silent = clock(), 0.0
        self._ended = Event()

    def alive(self) -> None:
        """Be told by the loop itself that it goes on."""
        self._silent = 0.0

    def check(self) -> bool:
        """Give up if the loop hangs; return whether it did.

        A process that was stopped as a whole hangs not: the watchdog itself was not looking then.
        """
        now = self._clock()
        self._silent += min(now - self._looked_at, self._seconds / SELDOM)
        self._looked_at = now
        hangs = self._silent > self._seconds
        if hangs:
            self._give_up()
        return hangs

    def watch(self, every: float) -> None:
        """Check in a thread of its own until `end`."""

        def work() -> None:
            while not self._ended.wait(every) and not self.check():
                pass

        Thread(target=work, name="watchdog", daemon=True).start()

    def end(self) -> None:
        """Watch no longer."""
        self._ended.set()
