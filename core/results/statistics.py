"""The statistics of a run: Backtesting.py's numbers to the last bit, without its data frames.

Equality with `backtesting._stats.compute_stats` (0.6.6) decides how things are added up: a mean is numpy's
pairwise sum over its count, variances and logarithms are numpy's (compiled ones differ in the last bit), and
the covariance is the one BLAS call that numpy.cov makes. Its peculiarities are kept:

- the average drawdown is a sum over all bars, most of them zero, which fixes the order of additions;
- a drawdown of one bar that recovers counts, one of the last bar alone does not, but if there is no other,
  its depth stands where the durations belong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.domain import FloatArray, IntArray
from core.fills import ENTRY_BAR, EXIT_BAR, FEES, PNL, RETURN
from core.kernel.compiler import compile_copy
from core.kernel.disk_cache import keep
from core.results.calendar import MarketCalendar
from core.results.runs import STATISTICS

NAN = np.float64(np.nan)

_TIMES = ("Start", "End")
_DURATIONS = ("Duration", "Max. Trade Duration", "Avg. Trade Duration")
_DRAWDOWN_DURATIONS = ("Max. Drawdown Duration", "Avg. Drawdown Duration")


class Scratch(NamedTuple):
    """Memory to compute in, for one thread at a time; the next run reuses it."""

    returns: FloatArray
    """Shape (2, bars - 1): a run's logarithmic returns and the market's."""
    depths: FloatArray
    """Per bar: the depth of the drawdown that ends here, else 0."""


def make_scratch(market: MarketCalendar) -> Scratch:
    """Return memory for `compute` on this market; each thread needs its own."""
    returns = np.empty((2, market.returns.size))
    returns[1] = market.returns
    return Scratch(returns, np.empty(market.close.size))


def compute(
    market: MarketCalendar, trades: FloatArray, curve: FloatArray, first: int, scratch: Scratch | None = None
) -> FloatArray:
    """Return the values of core.results.runs.STATISTICS for one run, as numbers.

    Times are ms UTC, durations ms, `Commissions [$]` is 0 when none was paid (Backtesting.py then leaves it
    out), and what cannot be computed is NaN.

    `trades` are laid out as in core.fills, in the order they were closed; `curve` is equity at each close,
    positive at the start; `first` is the first bar on which all columns have a value.
    """
    memory = scratch or make_scratch(market)
    with np.errstate(all="ignore"):
        drawdowns = _drawdowns(market, curve, memory.depths)
        final, start = curve[-1], curve[0]
        total = (final - start) / start * 100
        hold = (market.close[-1] - market.close[first]) / market.close[first] * 100
        beta = _beta(curve, memory.returns)
        span = int(market.stamps[-1] - market.stamps[0])
        values = (
            *(market.stamps[0], market.stamps[-1], span, _exposure(trades, curve.size) * 100),
            *(final, drawdowns.peak, sum(trades[:, FEES].tolist()), total, hold),
            *_annual(market, curve, drawdowns.deepest),
            *(total - beta * hold, beta),
            *(-drawdowns.deepest * 100, -drawdowns.mean * 100, drawdowns.longest, drawdowns.mean_length),
            *_of_trades(market, trades),
        )
    return np.array(values, np.float64)


def as_series(values: FloatArray) -> pd.Series:
    """Return the values of STATISTICS as Backtesting.py presents them."""
    named: dict[str, Any] = dict(zip(STATISTICS, values.tolist(), strict=True))
    for name in _TIMES:
        named[name] = pd.Timestamp(np.datetime64(int(named[name]), "ms"))
    for name in _DURATIONS:
        named[name] = _timedelta(named[name])
    for name in _DRAWDOWN_DURATIONS:
        # Two bars are two milliseconds apart at least; anything less is no duration (see above), nor is NaN.
        if named[name] >= 2:
            named[name] = _timedelta(named[name])
    named["# Trades"] = int(named["# Trades"])
    if not named["Commissions [$]"]:
        del named["Commissions [$]"]
    return pd.Series(named, dtype=object)


def _timedelta(ms: float) -> Any:
    return pd.NaT if np.isnan(ms) else pd.Timedelta(np.timedelta64(int(ms), "ms"))


class _Drawdowns(NamedTuple):
    peak: float
    deepest: np.float64
    mean: np.float64
    longest: float
    mean_length: float


def _drawdowns(market: MarketCalendar, curve: FloatArray, depths: FloatArray) -> _Drawdowns:
    peak, deepest, count, total, longest = _compiled_scan()(curve, market.stamps, depths)
    if count:
        mean = depths.sum() / count
        length = float(_rounded_up(total / count, market.resolution))
        return _Drawdowns(peak, np.float64(deepest), mean, _rounded_up(longest, market.resolution), length)
    alone = np.float64(deepest) if deepest else NAN
    return _Drawdowns(peak, np.float64(deepest), alone, alone, alone)


def scan_drawdowns(
    curve: FloatArray, stamps: IntArray, depths: FloatArray
) -> tuple[float, float, int, int, int]:
    """Return highest equity, deepest drawdown (fraction), number of drawdowns, ms of all and of the longest.

    Writes the depth of each into `depths` at its last bar and 0 elsewhere. A drawdown is the way from one
    peak to the next with at least one bar between, or to the end. Plain Python or compiled.
    """
    last = curve.size - 1
    peak, low, at = curve[0], curve[0], 0
    deepest, count, total, longest = 0.0, 0, 0, 0
    depths[0] = 0.0
    for i in range(1, curve.size):
        worth = curve[i]
        depths[i] = 0.0
        low = min(low, worth)
        if worth >= peak or i == last:
            # Division keeps the order of its numerators: the lowest equity is the deepest drawdown.
            depth = 1 - low / peak
            deepest = max(deepest, depth)
            if i > at + 1:
                depths[i] = depth
                count += 1
                length = stamps[i] - stamps[at]
                total += length
                longest = max(longest, length)
            peak = max(worth, peak)
            low, at = worth, i
    return peak, deepest, count, total, longest


@cache
def _compiled_scan() -> Callable[..., tuple[float, float, int, int, int]]:
    scan: Callable[..., tuple[float, float, int, int, int]] = keep(
        compile_copy(scan_drawdowns, {}), scan_drawdowns.__name__
    )
    return scan


def _exposure(trades: FloatArray, length: int) -> float:
    """Return the part of the bars on which any trade was open, entry and exit bars included."""
    # From the last exit backwards: what a trade adds ends before the earliest entry seen so far.
    entries, exits = trades[::-1, ENTRY_BAR], trades[::-1, EXIT_BAR]
    covered = np.append(float(length), np.minimum.accumulate(entries))[: len(trades)]
    added = np.minimum(exits + 1, covered) - entries
    return float(np.maximum(added, 0.0).sum()) / length


def _annual(market: MarketCalendar, curve: FloatArray, deepest: np.float64) -> tuple[float, ...]:
    """Return annual return, volatility, CAGR (percent), and Sharpe, Sortino and Calmar ratio."""
    at_ends = curve[market.period_ends]
    returns = at_ends[1:] / at_ends[:-1] - 1
    returns = returns[~np.isnan(returns)]
    count, year = returns.size, market.periods_per_year
    growth = 1 + _geometric_mean(returns)
    annual = growth**year - 1
    mean = returns.sum() / np.float64(count)
    variance = ((mean - returns) ** 2).sum() / np.float64(count - 1) if count > 1 else NAN
    volatility = np.sqrt((variance + growth**2) ** year - growth ** (2 * year)) * 100
    downside = np.sqrt((np.minimum(returns, 0) ** 2).sum() / np.float64(count))
    cagr = ((curve[-1] / curve[0]) ** (1 / market.years) - 1) * 100 if market.years else NAN
    return (
        annual * 100,
        volatility,
        cagr,
        annual * 100 / (volatility or NAN),
        annual / (downside * np.sqrt(year)),
        annual / (deepest or NAN),
    )


def _beta(curve: FloatArray, returns: FloatArray) -> np.float64:
    """Return the covariance with the market over the market's variance, as numpy.cov computes both."""
    own = returns[0]
    if own.size < 2:
        return NAN
    np.divide(curve[1:], curve[:-1], out=own)
    np.log(own, out=own)
    own -= own.sum() / own.size
    # A product of the matrix with itself: BLAS adds up in another order than for two vectors.
    products = np.dot(returns, returns.T) * np.true_divide(1, own.size - 1)
    beta: np.float64 = products[0, 1] / products[1, 1]
    return beta


def _of_trades(market: MarketCalendar, trades: FloatArray) -> tuple[float, ...]:
    """Return what comes after the drawdowns' durations in STATISTICS."""
    count = np.float64(len(trades))
    if not count:
        return (0.0, *[np.nan] * 10)
    pnl, returns = trades[:, PNL].copy(), trades[:, RETURN].copy()
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    win_rate = wins.size / count
    mean = pnl.sum() / count
    deviation = np.sqrt(((mean - pnl) ** 2).sum() / (count - 1)) if count > 1 else NAN
    odds = _mean(wins) / -_mean(losses)
    lengths = market.stamps[trades[:, EXIT_BAR].astype(np.int64)]
    lengths -= market.stamps[trades[:, ENTRY_BAR].astype(np.int64)]
    return (
        count,
        win_rate * 100,
        returns.max() * 100,
        returns.min() * 100,
        _geometric_mean(returns) * 100,
        _rounded_up(lengths.max(), market.resolution),
        _rounded_up(lengths.sum() / count, market.resolution),
        returns[returns > 0].sum() / (abs(returns[returns < 0].sum()) or NAN),
        returns.sum() / count * 100,
        np.sqrt(count) * mean / (deviation or NAN),
        win_rate - (1 - win_rate) / odds,
    )


def _geometric_mean(returns: FloatArray) -> np.float64:
    factors = returns + 1
    if (factors <= 0).any():
        return np.float64(0)
    mean: np.float64 = np.exp(np.log(factors).sum() / (factors.size or NAN)) - 1
    return mean


def _mean(values: FloatArray) -> np.float64:
    # Nothing over nothing is NaN.
    mean: np.float64 = values.sum() / np.float64(values.size)
    return mean


def _rounded_up(ms: float, resolution: int) -> float:
    # Whole milliseconds first, as pandas keeps them.
    return -(-int(ms) // resolution) * resolution
