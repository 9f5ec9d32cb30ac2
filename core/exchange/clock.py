"""The exchange's time: what it said last, and what a clock that nobody sets has counted since.

The local clock is not believed, only watched: it moves against the steady one when it is set and when the
machine slept. Then, and when nobody looked for long, the exchange is asked before any time is told. Every
doubt makes the time told an early one: a bar that counts as closed too late does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from core.utils import Clock

MEASURE_EVERY_MS = 300_000
"""Milliseconds that a measurement holds."""
DOUBTFUL_MS = 5_000
"""The same for one during which the machine stood still, or the answer travelled for long."""
SLOW_MS = 2_000
"""Milliseconds from the question to the answer that are long."""
STEP_MS = 500
"""Milliseconds by which the local clock may move against the steady one between two measurements."""
UNSEEN_MS = 30_000
"""Milliseconds without a look after which the process may have stood still."""
DRIFT_PPM = 500
"""So fast may the steady clock run against the exchange's, in millionths: crystals, smeared leap seconds."""
LEAP_MS = 2_000
"""A month is told to begin so much later: at its end the exchange's clock may repeat a second."""


class Measured(NamedTuple):
    """What the exchange said, and when."""

    theirs: int
    """The exchange's time, ms UTC."""
    ticks: int
    """The steady clock when the answer was there."""
    ahead: int
    """The local clock less the steady one at that moment."""
    lasts: int
    """Milliseconds for which this holds."""


class ExchangeClock:
    """Tells the exchange's time, never ahead of it."""

    def __init__(
        self,
        local: Clock,
        ticks: Clock,
        measure: Callable[[], int | None],
        moved: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Take the local clock and the steady one, both ms, and what asks the exchange for its time.

        `ticks` counts from anywhere, is never set, and may stand still while the machine sleeps. `moved` is
        told by how much the local clock moved against it. An exchange that tells no time (None) is taken to
        agree with the local clock as it was before anybody set it forward.
        """
        self._local, self._ticks, self._ask, self._moved = local, ticks, measure, moved
        self._measured: Measured | None = None
        self._looked_at = 0
        self._is_trusted = False

    def peek(self) -> int:
        """Return the exchange's time as last measured, ms UTC, without asking; before that the local time."""
        measured = self._measured
        if measured is None:
            return self._local()
        counted = self._ticks() - measured.ticks
        # Rounded down: a steady clock that runs fast must not be ahead.
        return measured.theirs + counted - -(-counted * DRIFT_PPM // 1_000_000)

    def now(self) -> int:
        """Return the exchange's time, ms UTC, asked for when there is any doubt about the last measurement.

        Raises what asking raises; then the next call asks again.
        """
        if self._is_doubtful():
            self.measure()
        self._looked_at = self._ticks()
        return _leap_safe(self.peek())

    def measure(self) -> None:
        """Ask the exchange for its time.

        What is kept is when the answer arrived, not when it left: the time told lags by the way back.
        """
        before, ahead_before = self._ticks(), self._local() - self._ticks()
        theirs = self._ask()
        ticks, local = self._ticks(), self._local()
        ahead = local - ticks
        if theirs is None:
            stepped = self._measured is not None and abs(ahead - self._measured.ahead) > STEP_MS
            theirs = min(local, self.peek()) if stepped else local
        is_quiet = ticks - before <= SLOW_MS and abs(ahead - ahead_before) <= STEP_MS
        self._measured = Measured(theirs, ticks, ahead, MEASURE_EVERY_MS if is_quiet else DOUBTFUL_MS)
        self._is_trusted = True

    def forget(self) -> None:
        """Distrust the last measurement: the next `now` asks again."""
        self._is_trusted = False

    def _is_doubtful(self) -> bool:
        measured = self._measured
        if measured is None or not self._is_trusted:
            return True
        ticks = self._ticks()
        step = self._local() - ticks - measured.ahead
        if abs(step) > STEP_MS:
            self._moved(step)
            return True
        is_old = not 0 <= ticks - measured.ticks < measured.lasts
        was_away = ticks - self._looked_at > UNSEEN_MS
        return is_old or was_away or _month(measured.theirs) != _month(self.peek())


def _leap_safe(now: int) -> int:
    """Return a time, but the end of the last month in the first moments of a new one."""
    month = _month(now)
    return now if now - month >= LEAP_MS else month - 1


def _month(now: int) -> int:
    """Return when the month of a time began, ms UTC."""
    start = datetime.fromtimestamp(now // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(start.timestamp()) * 1000
