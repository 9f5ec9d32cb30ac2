"""Causal indicators that look at sessions, longer bars, pivots or bands; the library has none of them.

As in `strategies.indicators`: float64 arrays of one length, NaN while warming up, and a value that depends on
a bounded stretch of the past, so that a live window gives the last bit of a backtest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.domain import FloatArray, IntArray
from strategies.indicators import atr, ema, highest, lowest, sma
from strategies.memo import remembered

DAY = 86_400_000
DAY_BARS = 1441
"""A UTC day of the shortest bars, and the bar before it: what a session's columns need at most."""

RESTART = 20
"""A SuperTrend is followed for this many ATR periods at least, and for at most twice as many."""


def steps(ts: IntArray) -> IntArray:
    """Return each bar's length in ms as known at that bar: the shortest distance between bars so far."""
    if ts.size < 2:
        return np.ones(ts.size, np.int64)
    shortest = np.minimum.accumulate(np.diff(ts))
    return np.concatenate([shortest[:1], shortest])


def _starts(groups: IntArray) -> IntArray:
    """Return the index of the first bar of each run of equal numbers."""
    return np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]])) if groups.size else groups


def _ends(starts: IntArray, size: int) -> IntArray:
    """Return the index of the last bar of each group."""
    return np.concatenate([starts[1:], [size]]).astype(np.int64) - 1 if size else starts


def _number(starts: IntArray, size: int) -> IntArray:
    """Return the number of the group that each bar is in."""
    return np.repeat(np.arange(starts.size), _ends(starts, size) + 1 - starts)


def stretches(ts: IntArray, bars: int, first: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return (begins, firsts, stops) of stretches of so many bars, counted from 1970 on, from bar `first` on.

    What is followed from `begins`, where the stretch before begins, and used from `firsts` to before `stops`,
    depends on at most twice as many bars, wherever the series starts.
    """
    starts = np.unique(np.maximum(_starts(ts // (bars * steps(ts))), min(first, ts.size)))
    starts = starts[starts < ts.size]
    begins = np.concatenate([starts[:1], starts[:-1]])
    return begins, starts, np.concatenate([starts[1:], [ts.size]]).astype(np.int64)[: starts.size]


def sessions(ts: IntArray, bars: int) -> IntArray:
    """Return the number of the session that each bar is in, rising; `thrust` says what a session is."""
    day, time = ts // DAY, ts % DAY
    # Of the shortest bars a session may be one each.
    return day * DAY + time // (bars * steps(ts))


def before(x: FloatArray, bars: int) -> FloatArray:
    """Return the values of so many bars ago."""
    return np.concatenate([np.full(min(bars, x.size), np.nan), x[: max(0, x.size - bars)]])


@remembered
def donchian(high: FloatArray, low: FloatArray, period: int) -> tuple[FloatArray, FloatArray]:
    """Return (upper, lower): the highest high and lowest low of the `period` bars before this one.

    First value at index period. Source: R. Donchian's channel; C. Faith, Way of the Turtle (2007).
    """
    return before(highest(high, period), 1), before(lowest(low, period), 1)


@remembered
def ichimoku(
    high: FloatArray, low: FloatArray, conversion: int, base: int, span: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return (conversion, base, leading A, leading B) in price units, each as it stands over this bar.

    The leading spans were computed `base` bars ago and drawn forward to this bar, so nothing looks ahead.
    First values at index conversion - 1, base - 1, 2 * base - 1 and span + base - 1.
    Source: G. Hosoda's Ichimoku Kinko Hyo (1969); displacement counted as Stock.Indicators does.
    """
    fast, slow, wide = (
        (highest(high, period) + lowest(low, period)) / 2 for period in (conversion, base, span)
    )
    return fast, slow, before((fast + slow) / 2, base), before(wide, base)


@remembered
def supertrend(
    ts: IntArray, high: FloatArray, low: FloatArray, close: FloatArray, period: int, width: float
) -> tuple[FloatArray, FloatArray]:
    """Return (line, side): the band the close stays beyond, and +1 above it or -1 below it.

    Bands are `width` ATRs from the bar's middle and only ever move towards the price until a close crosses
    them, so an old band may stand for ever. Here the bands are followed from the last-but-one start of
    `RESTART` * period bars, counted from 1970 on: nothing older matters. First value at index period.
    Source: O. Seban's SuperTrend, as Stock.Indicators computes it.
    """
    reach = width * atr(high, low, close, period)
    mid = (high + low) / 2
    bands = [x.tolist() for x in (mid + reach, mid - reach, mid, close)]
    line, side = np.full(ts.size, np.nan), np.full(ts.size, np.nan)
    pieces = stretches(ts, RESTART * period, period)
    for begin, first, stop in zip(*(x.tolist() for x in pieces), strict=True):
        found = _follow_bands(*(values[begin:stop] for values in bands))[first - begin :]
        if found:
            line[first:stop], side[first:stop] = np.array(found).T
    return line, side


def _follow_bands(
    uppers: list[float], lowers: list[float], mids: list[float], closes: list[float]
) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    upper, lower, is_above, before = np.inf, -np.inf, True, np.nan
    for i, (new_upper, new_lower, close) in enumerate(zip(uppers, lowers, closes, strict=True)):
        if new_upper < upper or before > upper:
            upper = new_upper
        if new_lower > lower or before < lower:
            lower = new_lower
        is_above = is_above if i else close >= mids[0]
        is_above = close > (lower if is_above else upper)
        found.append((lower, 1.0) if is_above else (upper, -1.0))
        before = close
    return found


@remembered
def session_vwap(
    ts: IntArray, high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
) -> FloatArray:
    """Return the volume-weighted mean of (high + low + close) / 3 since the UTC day began.

    The bar's own third where nothing was traded yet. A first day that does not begin at midnight has none.
    Source: J. Berkowitz, D. Logue, E. Noser (1988), anchored by day.
    """
    typical = (high + low + close) / 3
    paid, traded = typical * volume, volume.copy()
    starts = _starts(ts // DAY).tolist()
    for first, stop in zip(starts, [*starts[1:], ts.size], strict=False):
        # Day by day: one running sum over all days would depend on where the series starts.
        paid[first:stop], traded[first:stop] = paid[first:stop].cumsum(), traded[first:stop].cumsum()
    out = np.where(traded > 0, paid / np.where(traded > 0, traded, 1.0), typical)
    if ts.size and ts[0] % DAY:
        out[: starts[1] if len(starts) > 1 else ts.size] = np.nan
    return out


@remembered
def rolling_vwap(
    high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray, period: int
) -> FloatArray:
    """Return the volume-weighted mean of (high + low + close) / 3 of the last `period` bars.

    The bar's own third where nothing was traded. First value at index period - 1.
    """
    typical = (high + low + close) / 3
    out = np.full(close.size, np.nan)
    if close.size < period:
        return out
    kept = close.size - period + 1
    paid, traded = np.zeros(kept), np.zeros(kept)
    for lag in range(period):
        paid += typical[lag : lag + kept] * volume[lag : lag + kept]
        traded += volume[lag : lag + kept]
    out[period - 1 :] = np.where(traded > 0, paid / np.where(traded > 0, traded, 1.0), typical[period - 1 :])
    return out


@remembered
def divergence(high: FloatArray, low: FloatArray, gauge: FloatArray, wing: int, reach: int) -> FloatArray:
    """Return +1 where a lower low of price met a higher one of the gauge, -1 for highs the other way, else 0.

    Compared are a pivot and the one before it, at most `reach` bars earlier. A pivot is the extreme of the
    `wing` bars on both sides, so it is known, and told, `wing` bars after it. NaN while the gauge warms up.
    Source: Wilder (1978), failure swings and divergence.
    """
    told = _diverging(low, gauge, wing, reach) - _diverging(-high, -gauge, wing, reach)
    return np.where(np.isnan(gauge), np.nan, told)


def _diverging(price: FloatArray, gauge: FloatArray, wing: int, reach: int) -> FloatArray:
    out = np.zeros(price.size)
    least = lowest(price, 2 * wing + 1)[2 * wing :]
    pivots = np.flatnonzero(price[wing : wing + least.size] == least) + wing
    old, new = pivots[:-1], pivots[1:]
    found = (new - old <= reach) & (price[new] < price[old]) & (gauge[new] > gauge[old])
    out[new[found] + wing] = 1.0
    return out


@remembered
def crossed(gap: FloatArray, within: int) -> FloatArray:
    """Return +1 while a gap is above 0 and rose above it within so many bars, -1 the other way, else 0."""
    up = highest(((gap > 0) & (before(gap, 1) <= 0)).astype(float), within) * (gap > 0)
    down = highest(((gap < 0) & (before(gap, 1) >= 0)).astype(float), within) * (gap < 0)
    return np.where(np.isnan(before(gap, within)), np.nan, up - down)


def hull(*lines: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (top, bottom): the highest and lowest of these lines at each bar; NaN where one is missing."""
    return np.max(lines, axis=0), np.min(lines, axis=0)


def agreed(*measures: FloatArray) -> FloatArray:
    """Return +1 where all measures are above 0, -1 where all are below, else 0; NaN where one is missing."""
    all_up, all_down = np.min(measures, axis=0) > 0, np.max(measures, axis=0) < 0
    return np.where(np.isnan(np.sum(measures, axis=0)), np.nan, all_up * 1.0 - all_down)


@remembered
def longer_trend(ts: IntArray, close: FloatArray, bars: int, fast: int, slow: int) -> FloatArray:
    """Return fast EMA less slow EMA of bars `bars` times as long, as known at each close; in price units.

    Longer bars begin at multiples of their length from 1970 on, as an exchange's do; only those closed by
    then count, the last of them at its own close. First value once `slow` of them are closed.
    """
    length = bars * steps(ts)
    starts = _starts(ts // length)
    gap = ema(close[_ends(starts, ts.size)], fast) - ema(close[_ends(starts, ts.size)], slow)
    of_bar = _number(starts, ts.size)
    is_closed = (ts // length + 1) * length <= ts + steps(ts)
    known = np.where(is_closed, of_bar, of_bar - 1)
    return np.where(known >= 0, gap[np.maximum(known, 0)], np.nan) if ts.size else close


@remembered
def thrust(
    ts: IntArray,
    opens: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    bars: int,
    days: int,
) -> tuple[FloatArray, FloatArray]:
    """Return (start, reach): the open of this session, and the range of the `days` sessions before it.

    A session is `bars` bars, counted from midnight UTC, where one begins in any case (24 bars of 1h: a day;
    16 of 1h: from 00:00 and from 16:00). The range is the larger of highest high less lowest close and
    highest close less lowest low. The first two sessions, which may be cut, are not looked at.
    Source: M. Chalek's Dual Thrust.
    """
    starts = _starts(sessions(ts, bars))
    begin, reach = np.full(ts.size, np.nan), np.full(ts.size, np.nan)
    if starts.size < days + 3:
        return begin, reach
    closes = close[_ends(starts, ts.size)]
    tops, bottoms = np.maximum.reduceat(high, starts), np.minimum.reduceat(low, starts)
    up = highest(tops, days) - lowest(closes, days)
    down = highest(closes, days) - lowest(bottoms, days)
    of_session = before(np.maximum(up, down), 1)
    of_session[: days + 2] = np.nan
    of_bar = _number(starts, ts.size)
    return np.where(np.isnan(of_session[of_bar]), np.nan, opens[starts][of_bar]), of_session[of_bar]


@remembered
def residual(x: FloatArray, y: FloatArray, period: int, least: float) -> FloatArray:
    """Return how far log y is from its line on log x, in deviations of the residuals.

    The line is fitted by least squares to the last `period` bars. 0 where it explains less than the part
    `least` of the variance of log y, and where nothing is left to explain. First value at index period - 1.
    Source: ordinary least squares.
    """
    out = np.full(y.size, np.nan)
    kept = y.size - period + 1
    if kept < 1:
        return out
    logs = np.log(x), np.log(y)
    means = [sma(values, period)[period - 1 :] for values in logs]
    of_x, of_both, of_y = np.zeros(kept), np.zeros(kept), np.zeros(kept)
    for lag in range(period):
        dx, dy = (values[lag : lag + kept] - mean for values, mean in zip(logs, means, strict=True))
        of_x, of_both, of_y = of_x + dx * dx, of_both + dx * dy, of_y + dy * dy
    slope = of_both / np.where(of_x > 0, of_x, 1.0)
    left = of_y - slope * of_both
    away = logs[1][period - 1 :] - means[1] - slope * (logs[0][period - 1 :] - means[0])
    is_line = (left > 1e-12 * of_y) & (left <= (1 - least) * of_y)
    z = np.where(is_line, away / np.sqrt(np.where(is_line, left, 1.0) / period), 0.0)
    out[period - 1 :] = np.where(np.isnan(of_both), np.nan, z)
    return out


def signal(condition: NDArray[np.bool_], *read: FloatArray) -> FloatArray:
    """Return 1 where a condition holds and 0 where it does not; NaN until all that it reads has values.

    What has none later on, such as a division by 0, is as a comparison takes it: it does not hold.
    """
    known = np.ones(condition.size, bool)
    for column in read:
        known &= ~np.isnan(column)
    return np.where(np.logical_or.accumulate(known), condition.astype(float), np.nan)
