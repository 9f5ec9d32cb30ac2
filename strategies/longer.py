"""Bars of a longer timeframe, made of the rule's own and known at each of their closes.

    day = longer(bars, "1d")
    trend = day.at(ema(day.bars.close, 20))

Only closed bars count. Days begin at midnight UTC, weeks on Monday, all else at multiples of its length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.domain import Bars, FloatArray, IntArray
from core.errors import UsageError
from strategies.indicators_more import steps

UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
MONDAY = 4 * UNITS["d"]
"""The first one after 1970-01-01, on which weeks are counted from."""


class Longer(NamedTuple):
    """Bars of a longer timeframe, and which of them is the newest closed one at each bar."""

    bars: Bars
    known: IntArray
    """Index of that bar; -1 while none is closed."""

    def at(self, column: FloatArray) -> FloatArray:
        """Return a column of the longer bars as it was known at each close; NaN before the first."""
        return known_at(self.known, column)


def known_at(known: IntArray, column: FloatArray) -> FloatArray:
    """Return a column of other bars by the index of the newest that is known; NaN where it is -1."""
    if not column.size:
        return np.full(known.size, np.nan)
    return np.where(known >= 0, column[np.maximum(known, 0)], np.nan)


def longer(bars: Bars, timeframe: str) -> Longer:
    """Return the bars of a longer timeframe, such as "4h", "1d" or "1w", that these bars make up.

    A first one that does not begin at its time is left out, since nobody knows what was before. Raises
    UsageError for a timeframe that these bars do not make up.
    """
    length, offset = _length(timeframe), MONDAY if timeframe.endswith("w") else 0
    step = steps(bars.ts)
    if step.size > 1 and (length % int(step[-1]) or length <= step[-1]):
        raise UsageError(
            f"longer(bars, {timeframe!r}): bars of {step[-1] / 60_000:g} minutes do not make it up"
        )
    number = (bars.ts - offset) // length
    starts = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]])) if number.size else number
    if starts.size and (bars.ts[0] - offset) % length:
        starts = starts[1:]
    if not starts.size:
        return Longer(Bars(bars.ts[:0], *(column[:0] for column in bars[1:])), np.full(bars.ts.size, -1))
    begun = np.searchsorted(starts, np.arange(bars.ts.size), side="right") - 1
    # The last bar of one closes with it; where that is missing, the next one tells.
    is_closed = (number + 1) * length + offset <= bars.ts + step
    known = np.where(begun < 0, -1, np.where(is_closed, begun, begun - 1))
    ends = np.concatenate([starts[1:], [bars.ts.size]]) - 1
    made = Bars(
        number[starts] * length + offset,
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends],
        _sums(bars.volume, starts),
    )
    return Longer(made, known)


def hour(bars: Bars) -> FloatArray:
    """Return the hour of the day, UTC, in which each bar opens: 0 to 23."""
    return (bars.ts // UNITS["h"] % 24).astype(np.float64)


def weekday(bars: Bars) -> FloatArray:
    """Return the day of the week, UTC, on which each bar opens: Monday is 0, Sunday 6."""
    return ((bars.ts - MONDAY) // UNITS["d"] % 7).astype(np.float64)


def _sums(x: FloatArray, starts: IntArray) -> FloatArray:
    # One after the other: each sum has its own bars alone, added up in their order.
    parts = np.split(x, starts[1:])
    parts[0] = x[starts[0] : starts[1] if starts.size > 1 else x.size]
    return np.array([part.cumsum()[-1] for part in parts])


def _length(timeframe: str) -> int:
    """Return a timeframe in ms. Raises UsageError for what is none."""
    count, unit = timeframe[:-1], timeframe[-1:]
    if not count.isdigit() or int(count) == 0 or unit not in UNITS:
        raise UsageError(f"longer(bars, {timeframe!r}): wanted a timeframe such as 4h, 1d or 1w")
    return int(count) * UNITS[unit]
