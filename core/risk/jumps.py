"""Prices that jump: against what is usual for the symbol, and against what the other symbols do."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.account.values import SeriesKey
from core.domain import Bar, Bars, FloatArray
from core.risk.pauses import Paused
from core.utils import format_time

FLASH_CRASH = "flash_crash"
USUAL = 24
"""Bars whose ranges say what is usual."""
MINUTE = 60_000
Flags = NDArray[np.bool_]


class JumpTerms(NamedTuple):
    """What counts as a jump, as the settings say it; both None: nothing does."""

    ranges: float | None
    """A bar that goes further from the close before it than so many times the usual range."""
    apart: float | None
    """A fraction: a bar whose return is so far from the median of the other symbols'."""
    length: int
    """Milliseconds for which nobody enters the symbol."""

    @property
    def are_on(self) -> bool:
        """Whether anything counts."""
        return self.ranges is not None or self.apart is not None


def jump_terms(settings: Mapping[str, Any]) -> JumpTerms:
    """Return what `flash_crash_…` says."""
    apart = settings["flash_crash_apart_pct"]
    length = round(settings["flash_crash_pause_minutes"] * MINUTE)
    return JumpTerms(settings["flash_crash_ranges"], None if apart is None else apart / 100, length)


def paused_by(symbol: str, end: int, terms: JumpTerms) -> Paused:
    """Return the pause that a jump begins, in the bar that closed then."""
    until = end + terms.length
    when, free = format_time(end), format_time(until)
    why = f"{symbol} jumped in the bar that closed {when} UTC: no entry before {free} UTC"
    return Paused(until, why)


class JumpWatch:
    """Looks at bars as they come; those that close at one time are judged together."""

    def __init__(self) -> None:
        self._before: dict[SeriesKey, float] = {}
        self._ranges: dict[SeriesKey, deque[float]] = {}
        self._returns: dict[str, tuple[int, dict[str, float]]] = {}
        """By timeframe: the newest close time, and each symbol's return then."""
        self._jumped: dict[str, int] = {}
        self._fresh: set[str] = set()
        """Timeframes whose newest returns were not judged yet."""

    def add(self, bar: Bar, terms: JumpTerms) -> None:
        """Take a closed bar, to be judged."""
        series = bar.symbol, bar.timeframe
        before, ranges = self._before.get(series), self._ranges.get(series, ())
        if before is not None and terms.ranges is not None and len(ranges) == USUAL:
            away = max(before - bar.low, bar.high - before) / before
            if away > terms.ranges * middle(ranges):
                self._jumped[bar.symbol] = bar.end
        if self.remember(bar):
            self._fresh.add(bar.timeframe)

    def remember(self, bar: Bar) -> bool:
        """Take a closed bar that others are compared with; tell whether its return is among the newest.

        By itself it gives no reason to judge: it was there before, and was judged then if anything was.
        """
        series = bar.symbol, bar.timeframe
        before, (end, returns) = self._before.get(series), self._returns.get(bar.timeframe, (0, {}))
        self._ranges.setdefault(series, deque(maxlen=USUAL)).append((bar.high - bar.low) / bar.close)
        self._before[series] = bar.close
        if before is None or bar.end < end:
            return False
        same = returns if bar.end == end else {}
        self._returns[bar.timeframe] = bar.end, {**same, bar.symbol: bar.close / before - 1}
        return True

    def judged(self, terms: JumpTerms) -> dict[str, int]:
        """Return the symbols that jumped since the last time, with the close times of the bars."""
        for timeframe in self._fresh if terms.apart is not None else ():
            end, returns = self._returns[timeframe]
            for symbol, own in returns.items():
                others = [other for name, other in returns.items() if name != symbol]
                if others and abs(own - middle(others)) >= (terms.apart or 0.0):
                    self._jumped[symbol] = end
        found, self._jumped, self._fresh = self._jumped, {}, set()
        return found


def middle(numbers: Collection[float]) -> float:
    """Return the median."""
    some, half = sorted(numbers), len(numbers) // 2
    return some[half] if len(some) % 2 else (some[half - 1] + some[half]) / 2


def jumps_of(series: Mapping[SeriesKey, Bars], terms: JumpTerms) -> list[Flags]:
    """Return for each bar of each series whether it jumps, all seen at once: as JumpWatch finds."""
    found = [_own_jumps(bars, terms) for bars in series.values()]
    if terms.apart is None:
        return found
    for timeframe in dict.fromkeys(frame for _, frame in series):
        places = [n for n, (_, frame) in enumerate(series) if frame == timeframe]
        some = [list(series.values())[n] for n in places]
        times = np.unique(np.concatenate([bars.ts for bars in some]))
        returns = np.full((len(some), times.size), np.nan)
        for row, bars in enumerate(some):
            returns[row, np.searchsorted(times, bars.ts[1:])] = bars.close[1:] / bars.close[:-1] - 1
        for row, (n, bars) in enumerate(zip(places, some, strict=True)):
            away = np.abs(returns[row] - _middle_of(np.delete(returns, row, 0)))
            found[n] |= (away >= terms.apart)[np.searchsorted(times, bars.ts)]
    return found


def _own_jumps(bars: Bars, terms: JumpTerms) -> Flags:
    found = np.zeros(bars.ts.size, bool)
    if terms.ranges is None or bars.ts.size <= USUAL:
        return found
    ranges, before = (bars.high - bars.low) / bars.close, bars.close[USUAL - 1 : -1]
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(ranges[:-1], USUAL), axis=1)
    usual = (windows[:, USUAL // 2 - 1] + windows[:, USUAL // 2]) / 2
    away = np.maximum(before - bars.low[USUAL:], bars.high[USUAL:] - before) / before
    found[USUAL:] = away > terms.ranges * usual
    return found


def _middle_of(rows: FloatArray) -> FloatArray:
    """Return the median of each column's numbers; NaN where it has none."""
    counts, columns = (~np.isnan(rows)).sum(axis=0), np.arange(rows.shape[1])
    if not rows.shape[0]:
        return np.full(rows.shape[1], math.nan)
    # NaN comes last.
    ordered, half = np.sort(rows, axis=0), counts // 2
    upper, lower = (
        ordered[np.minimum(half, rows.shape[0] - 1), columns],
        ordered[np.maximum(half - 1, 0), columns],
    )
    middle_one = np.where(counts % 2 == 1, upper, (lower + upper) / 2)
    return np.where(counts > 0, middle_one, math.nan)
