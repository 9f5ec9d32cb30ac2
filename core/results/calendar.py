"""What the statistics of a run need to know about the series alone, as Backtesting.py sees it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.domain import Bars, FloatArray, IntArray

DAY = 86_400_000
"""Milliseconds."""


class MarketCalendar(NamedTuple):
    """What the statistics need to know about a series; made once, for any number of runs and threads."""

    stamps: IntArray
    """Open times, ms UTC."""
    close: FloatArray
    returns: FloatArray
    """Logarithmic returns from close to close, less their mean; one fewer than bars."""
    period_ends: IntArray
    """Last bar of each day, or of each longer period that a bar stands for."""
    periods_per_year: int
    years: float
    """From the first bar to the last, in whole seconds."""
    resolution: int
    """To a multiple of this, in ms, durations are rounded up."""


def describe_market(bars: Bars) -> MarketCalendar:
    """Return what depends on the bars alone; there must be two at least."""
    # Backtesting.py's idea of a bar's length: pandas' median, which cuts off half a millisecond.
    step = int(np.median(np.diff(bars.ts[-100:])))
    with np.errstate(all="ignore"):
        returns = np.log(bars.close[1:] / bars.close[:-1])
        returns -= returns.mean()
    seconds = int(bars.ts[-1] - bars.ts[0]) // 1000
    days, day_ends = _day_ends(bars.ts)
    return MarketCalendar(
        # Rows that were cut out of others by a step do not follow each other, as compiled code wants them.
        stamps=np.ascontiguousarray(bars.ts),
        close=bars.close,
        returns=returns,
        period_ends=_period_ends(bars.ts, day_ends, step // DAY),
        periods_per_year=_periods_per_year(days, day_ends, step // DAY),
        years=(seconds // 86_400 + seconds % 86_400 / 86_400) / 365.25,
        resolution=next((unit for unit in (DAY, 3_600_000, 60_000, 1000) if step % unit == 0), 1),
    )


def _day_ends(stamps: IntArray) -> tuple[IntArray, IntArray]:
    """Return the days on which there are bars, counted from the epoch, and the last bar of each."""
    # Stamps ascend: a search per day instead of a division per bar.
    days = np.arange(stamps[0] // DAY, stamps[-1] // DAY + 1)
    ends = np.searchsorted(stamps, (days + 1) * DAY) - 1
    filled = np.diff(ends, prepend=-1) > 0
    return days[filled], ends[filled]


def _period_ends(stamps: IntArray, day_ends: IntArray, bar_days: int) -> IntArray:
    """Return the last bar of each day, or of each week, month or year when bars are as long."""
    frequency = {7: "W", 31: "ME", 365: "YE"}.get(bar_days)
    if frequency is None:
        return day_ends
    import pandas as pd

    index = pd.DatetimeIndex(stamps.astype("datetime64[ms]"))
    last = pd.Series(np.arange(stamps.size), index).resample(frequency).last()
    return last.dropna().to_numpy().astype(np.int64)


def _periods_per_year(days: IntArray, day_ends: IntArray, bar_days: int) -> int:
    # The epoch was a Thursday.
    weekend = np.diff(day_ends, prepend=-1)[(days + 3) % 7 >= 5].sum()
    has_weekends = weekend / (day_ends[-1] + 1) > 2 / 7 * 0.6
    return {7: 52, 31: 12, 365: 1}.get(bar_days, 365 if has_weekends else 252)
