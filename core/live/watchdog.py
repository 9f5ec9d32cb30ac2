"""Ends a process whose loop hangs: a loop that does not trade must not look as if it did."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread


class Watchdog:
    """Calls `give_up` when the loop has not said that it is alive for so many seconds."""

    def __init__(self, seconds: float, give_up: Callable[[], object], clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._seconds, self._give_up, self._clock = seconds, give_up, clock
        self._alive_at = clock()
        self._ended = Event()

    def alive(self) -> None:
        """Be told by the loop itself that it goes on."""
        self._alive_at = self._clock()

    def check(self) -> bool:
        """Give up if the loop hangs; return whether it did."""
        hangs = self._clock() - self._alive_at > self._seconds
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
