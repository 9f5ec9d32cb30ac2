"""What is odd about a series of bars, in words: holes, and prices that no market makes.

A backtest on such bars may trade at prices that nobody could have had; it says so and leaves the bars as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.candles.frames import count_gaps
from core.domain import Bars
from core.utils import format_time

JUMP = 10.0
"""A price that is multiplied or divided by this in one bar is a wrong candle, a redenomination or a crash in
which nothing could be sold."""
MOST = 5
"""Jumps that are named one by one."""


def odd_bars(bars: Bars, timeframe_ms: int) -> tuple[str, ...]:
    """Return one line per oddity: all holes together, then the largest jumps of price."""
    return (*_holes(bars, timeframe_ms), *_jumps(bars, timeframe_ms))


def _holes(bars: Bars, timeframe_ms: int) -> Iterator[str]:
    gaps = count_gaps(bars, timeframe_ms)
    if not gaps.holes:
        return
    steps = np.diff(bars.ts)
    longest = int(steps.argmax())
    missing = int(steps[longest]) // timeframe_ms - 1
    where = f"after {format_time(int(bars.ts[longest]))} UTC"
    if gaps.holes == 1:
        yield f"1 hole: {_bars(missing)} missing {where}"
    else:
        yield (f"{gaps.holes:,} holes: {_bars(gaps.missing)} missing; the longest: {_bars(missing)} {where}")


def _jumps(bars: Bars, timeframe_ms: int) -> Iterator[str]:
    """Yield the largest jumps, in the order of time."""
    before = np.concatenate([bars.open[:1], bars.close[:-1]])
    low, high = np.minimum(bars.low, before), np.maximum(bars.high, before)
    factors = high / low
    at = np.flatnonzero(factors >= JUMP)
    largest = at[np.argsort(-factors[at], kind="stable")][:MOST]
    for i in np.sort(largest).tolist():
        falls = bars.close[i] < before[i]
        prices = (high[i], low[i]) if falls else (low[i], high[i])
        factor = f"{factors[i]:,.0f}" if factors[i] >= 100 else f"{factors[i]:.3g}"
        change = f"{'÷' if falls else '×'} {factor}, from {prices[0]:,.4g} to {prices[1]:,.4g}"
        missing = int(bars.ts[i] - bars.ts[i - 1]) // timeframe_ms - 1 if i else 0
        when = f"{format_time(int(bars.ts[i]))} UTC"
        if missing:
            yield f"{when}, after {_bars(missing)} missing: price {change}; another coin by this name?"
        else:
            yield f"{when}: price {change} in one bar"
    if at.size > MOST:
        yield f"in {_bars(at.size - MOST)} more the price is × or ÷ {JUMP:g} or more"


def _bars(count: int) -> str:
    return f"{count:,} bar" + "s" * (count != 1)
