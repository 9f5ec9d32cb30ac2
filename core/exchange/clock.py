"""The exchange's time: the local clock plus an offset that is measured now and then."""

from __future__ import annotations

from collections.abc import Callable

from core.utils import Clock

MEASURE_EVERY_MS = 300_000


class ExchangeClock:
    """Tells the exchange's time, never ahead of it.

    What is measured is when the answer arrived, not when it left: the estimate lags by the travel time,
    so that no bar counts as closed too early.
    """

    def __init__(self, local: Clock, measure: Callable[[], int | None]) -> None:
        self._local = local
        self._measure = measure
        self._measured_at: int | None = None
        self.offset_ms = 0
        """Added to the local clock; 0 until measured."""

    def peek(self) -> int:
        """Return the exchange's time as last measured, ms UTC, without asking."""
        return self._local() + self.offset_ms

    def now(self) -> int:
        """Return the exchange's time, ms UTC; ask when the last measurement is old or the clock went back."""
        age = None if self._measured_at is None else self._local() - self._measured_at
        if age is None or not 0 <= age < MEASURE_EVERY_MS:
            self.measure()
        return self.peek()

    def measure(self) -> None:
        """Ask the exchange for its time. One that does not tell is taken to agree with the local clock."""
        theirs = self._measure()
        self._measured_at = self._local()
        self.offset_ms = 0 if theirs is None else theirs - self._measured_at

    def forget(self) -> None:
        """Distrust the last measurement: the next `now` asks again."""
        self._measured_at = None
