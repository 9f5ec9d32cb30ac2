"""The statistics of a run: Backtesting.py's numbers to the last bit, without its data frames.

Equality with `backtesting._stats.compute_stats` (0.6.6) decides how things are added up: a mean is numpy's
pairwise sum over its count, variances and logarithms are numpy's (compiled ones differ in the last bit), and
the covariance is the one BLAS call that numpy.cov makes. Its peculiarities are kept:

- the average drawdown is a sum over all bars, most of them zero, which fixes the order of additions;
- a drawdown of one bar that recovers counts, one of the last bar alone does not, but if there is no other,
  its depth stands where the durations belong.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import local
from typing import Any, NamedTuple

import numpy as np

from core.domain import Bars, FloatArray, IntArray
from core.fills import FEES
from core.kernel.pairwise import make_halves
from core.results.calendar import MarketCalendar, describe_market
from core.results.runs import STATISTICS
from core.results.sums import (
    BEST,
    COUNT,
    DEEPEST,
    DEPTHS,
    EXPOSED,
    FALLING,
    FALLS,
    LENGTHS,
    LONGEST,
    LONGEST_FALL,
    LOSSES,
    LOST,
    PEAK,
    PNL_SUM,
    RETURNS,
    RETURNS_LOST,
    RETURNS_WON,
    SQUARES,
    SUMS,
    WINS,
    WON,
    WORST,
    Spare,
    add_up,
    compiled_sums,
)

NAN = np.float64(np.nan)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as Backtesting.py's index, which has no zone

_TIMES = ("Start", "End")
_DURATIONS = ("Duration", "Max. Trade Duration", "Avg. Trade Duration")
_DRAWDOWN_DURATIONS = ("Max. Drawdown Duration", "Avg. Drawdown Duration")


class Scratch(NamedTuple):
    """Memory to compute in, for one thread at a time; the next run reuses it."""

    returns: FloatArray
    """Shape (2, bars - 1): a run's logarithmic returns and the market's."""
    depths: FloatArray
    """Per bar: the depth of the drawdown that ends here, else 0."""


class Computed(NamedTuple):
    """What several runs come to, a row for each."""

    stats: FloatArray
    """The values of STATISTICS."""
    sums: FloatArray
    """What was added up: core.results.sums."""


def make_scratch(market: MarketCalendar) -> Scratch:
    """Return memory for `compute` on this market; each thread needs its own."""
    returns = np.empty((2, market.returns.size))
    returns[1] = market.returns
    return Scratch(returns, np.empty(market.close.size))


class Prepared(NamedTuple):
    """What the statistics of any run on a series start from."""

    market: MarketCalendar
    scratch: Scratch


_last = local()
"""What each thread prepared last."""


def prepared(bars: Bars) -> Prepared:
    """Return what statistics on these bars start from, made once for the same arrays if none can change."""
    kept: tuple[Bars, Prepared] | None = getattr(_last, "kept", None)
    if kept and kept[0].ts is bars.ts and kept[0].close is bars.close:
        return kept[1]
    market = describe_market(bars)
    made = Prepared(market, make_scratch(market))
    if not (bars.ts.flags.writeable or bars.close.flags.writeable):
        _last.kept = bars, made
    return made


def compute(
    market: MarketCalendar,
    trades: FloatArray,
    curve: FloatArray,
    first: int,
    scratch: Scratch | None = None,
    *,
    is_soon: bool = False,
) -> FloatArray:
    """Return the values of core.results.runs.STATISTICS for one run, as `compute_all` does.

    `is_soon`: in plain Python rather than to compile first.
    """
    ends, firsts = np.array([len(trades)]), np.array([first])
    some = scratch or make_scratch(market)
    found = compute_all(market, trades, ends, curve[None, :], firsts, some, is_soon=is_soon)
    one: FloatArray = found.stats[0]
    return one


def compute_all(
    market: MarketCalendar,
    trades: FloatArray,
    ends: IntArray,
    curves: FloatArray,
    firsts: IntArray,
    scratch: Scratch,
    *,
    is_soon: bool = False,
) -> Computed:
    """Return the values of core.results.runs.STATISTICS for several runs, as numbers, a row for each.

    Times are ms UTC, durations ms, `Commissions [$]` is 0 when none was paid (Backtesting.py then leaves it
    out), and what cannot be computed is NaN.

    `trades` are laid out as in core.fills, in the order they were closed, those of a run before its entry in
    `ends`; `curves` are equity at each close, shape (runs, bars), positive at the start; `firsts` the first
    bars on which all columns have a value. `is_soon`: as `compute` says.
    """
    count, length = curves.shape
    sums, factors = np.empty((count, SUMS)), np.empty(ends[-1])
    spare = Spare(np.empty((2, ends[-1])), make_halves())
    given = curves, trades, ends, market.stamps, scratch.depths, sums, factors, spare
    compiled = compiled_sums()
    (add_up if is_soon and not compiled.is_at_hand(*given) else compiled)(*given)
    with np.errstate(all="ignore"):
        final, start = curves[:, -1], curves[:, 0]
        total = (final - start) / start * 100
        at_first = market.close[np.minimum(firsts, length - 1)]
        hold = (market.close[-1] - at_first) / at_first * 100
        beta = _betas(curves, scratch.returns)
        span = market.stamps[-1] - market.stamps[0]
        values = (
            *(market.stamps[0], market.stamps[-1], span, sums[:, EXPOSED] / length * 100),
            *(final, sums[:, PEAK], _fees(trades, ends), total, hold),
            *_annual(market, curves, sums[:, DEEPEST]),
            *(total - beta * hold, beta),
            *_of_drawdowns(market, sums),
            *_of_trades(market, sums, ends, factors),
        )
        stats = np.empty((count, len(STATISTICS)))
        for column, value in enumerate(values):
            stats[:, column] = value
    return Computed(stats, sums)


def named(values: FloatArray) -> dict[str, Any]:
    """Return the values of STATISTICS by name, as Backtesting.py presents them: BacktestResult.figures."""
    found: dict[str, Any] = dict(zip(STATISTICS, values.tolist(), strict=True))
    for name in _TIMES:
        found[name] = EPOCH + timedelta(milliseconds=int(found[name]))
    for name in _DURATIONS:
        found[name] = _duration(found[name])
    for name in _DRAWDOWN_DURATIONS:
        # Two bars are two milliseconds apart at least; anything less is no duration (see above), nor is NaN.
        if found[name] >= 2:
            found[name] = _duration(found[name])
    found["# Trades"] = int(found["# Trades"])
    if not found["Commissions [$]"]:
        del found["Commissions [$]"]
    return found


def _duration(ms: float) -> timedelta | None:
    return None if np.isnan(ms) else timedelta(milliseconds=int(ms))


def _of_drawdowns(market: MarketCalendar, sums: FloatArray) -> tuple[FloatArray, ...]:
    """Return deepest and mean drawdown in percent, longest and mean duration in ms."""
    deepest, falls = sums[:, DEEPEST], sums[:, FALLS]
    # A fall of the last bar alone is no drawdown, but its depth stands where theirs belong.
    alone = np.where(deepest > 0, deepest, np.nan)
    mean = np.where(falls > 0, sums[:, DEPTHS] / falls, alone)
    longest = np.where(falls > 0, _rounded_up(sums[:, LONGEST_FALL], market.resolution), alone)
    length = np.where(falls > 0, _rounded_up(sums[:, FALLING] / falls, market.resolution), alone)
    return -deepest * 100, -mean * 100, longest, length


def _fees(trades: FloatArray, ends: IntArray) -> list[float]:
    """Return the commission of each run, added up as Python does it, which is Backtesting.py's way."""
    fees, begins = trades[: ends[-1], FEES].tolist(), [0, *ends[:-1].tolist()]
    return [sum(fees[begin:end]) for begin, end in zip(begins, ends.tolist(), strict=True)]


def _annual(market: MarketCalendar, curves: FloatArray, deepest: FloatArray) -> tuple[Any, ...]:
    """Return annual return, volatility, CAGR (percent), and Sharpe, Sortino and Calmar ratio."""
    # Row by row in memory, or sums would add up in another order.
    at_ends = np.take(curves, market.period_ends, axis=1)
    returns = at_ends[:, 1:] / at_ends[:, :-1] - 1
    year, years = market.periods_per_year, market.years
    known = ~np.isnan(returns)
    if known.all():
        growth, variance, downside = _periods(returns)
    else:
        # Nothing over nothing after a ruin is no return: such a run has fewer of them than others.
        each = [_periods(row[some][None, :]) for row, some in zip(returns, known, strict=True)]
        growth, variance, downside = (np.concatenate(parts) for parts in zip(*each, strict=True))
    # Powers one by one: numpy's of whole arrays differ in the last bit.
    annual = _powers(growth, year) - 1
    volatility = np.sqrt(_powers(variance + _powers(growth, 2), year) - _powers(growth, 2 * year)) * 100
    cagr = (_powers(curves[:, -1] / curves[:, 0], 1 / years) - 1) * 100 if years else NAN
    return (
        annual * 100,
        volatility,
        cagr,
        annual * 100 / _or_nan(volatility),
        annual / (downside * np.sqrt(year)),
        annual / _or_nan(deepest),
    )


def _periods(returns: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return growth per period, variance and downside deviation of each row of returns."""
    count = returns.shape[1]
    factors = returns + 1
    growth = 1 + _geometric_mean(np.log(factors).sum(axis=1), count, (factors <= 0).any(axis=1))
    mean = returns.sum(axis=1) / np.float64(count)
    squares = ((mean[:, None] - returns) ** 2).sum(axis=1)
    variance = squares / np.float64(count - 1) if count > 1 else np.full(mean.size, np.nan)
    downside = np.sqrt((np.minimum(returns, 0) ** 2).sum(axis=1) / np.float64(count))
    return growth, variance, downside


def _powers(bases: FloatArray, exponent: float) -> FloatArray:
    return np.array([base**exponent for base in bases])


def _or_nan(values: FloatArray) -> FloatArray:
    return np.where(values == 0, np.nan, values)


def _betas(curves: FloatArray, returns: FloatArray) -> FloatArray:
    """Return the covariance with the market over the market's variance, as numpy.cov computes both."""
    count, size = curves.shape[0], returns.shape[1]
    if size < 2:
        return np.full(count, np.nan)
    own = np.empty((count, size)) if count > 1 else returns[:1]
    np.divide(curves[:, 1:], curves[:, :-1], out=own)
    np.log(own, out=own)
    means, scale = own.sum(axis=1) / size, np.true_divide(1, size - 1)
    products = np.empty((count, 2))
    for row in range(count):
        np.subtract(own[row], means[row], out=returns[0])
        # A product of the matrix with itself: BLAS adds up in another order than for two vectors.
        products[row] = np.dot(returns, returns.T)[:, 1]
    products *= scale
    beta: FloatArray = products[:, 0] / products[:, 1]
    return beta


def _of_trades(
    market: MarketCalendar, sums: FloatArray, ends: IntArray, factors: FloatArray
) -> tuple[FloatArray, ...]:
    """Return what comes after the drawdowns' durations in STATISTICS."""
    count = sums[:, COUNT]
    logs, begins = np.log(factors), [0, *ends[:-1].tolist()]
    products = np.array([logs[begin:end].sum() for begin, end in zip(begins, ends.tolist(), strict=True)])
    mean_return = _geometric_mean(products, count, sums[:, WORST] + 1 <= 0)
    win_rate, mean = sums[:, WINS] / count, sums[:, PNL_SUM] / count
    deviation = np.where(count > 1, np.sqrt(sums[:, SQUARES] / (count - 1)), np.nan)
    odds = sums[:, WON] / sums[:, WINS] / -(sums[:, LOST] / sums[:, LOSSES])
    found = (
        win_rate * 100,
        sums[:, BEST] * 100,
        sums[:, WORST] * 100,
        mean_return * 100,
        _rounded_up(sums[:, LONGEST], market.resolution),
        _rounded_up(sums[:, LENGTHS] / count, market.resolution),
        sums[:, RETURNS_WON] / _or_nan(abs(sums[:, RETURNS_LOST])),
        sums[:, RETURNS] / count * 100,
        np.sqrt(count) * mean / _or_nan(deviation),
        win_rate - (1 - win_rate) / odds,
    )
    return (count, *(np.where(count > 0, values, np.nan) for values in found))


def _geometric_mean(logs: FloatArray, count: Any, is_lost: Any) -> FloatArray:
    """Return the mean that compounds to the same, from the sum of logarithms; 0 where all was lost."""
    return np.where(is_lost, 0.0, np.exp(logs / np.where(count == 0, np.nan, count)) - 1)


def _rounded_up(ms: FloatArray, resolution: int) -> FloatArray:
    # Whole milliseconds first, as pandas keeps them.
    whole = np.trunc(ms)
    return -(-whole // resolution) * resolution
