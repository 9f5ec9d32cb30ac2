"""The same bars or trades in another order, in which nothing can be foreseen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.domain import Bars, FloatArray, IntArray, Series
from core.utils import timeframe_ms
from core.verdict.moments import Moves, orders
from core.verdict.resampling import drawdowns, share_as_good

CLUSTER = 25
"""Bars, before and after, that a bar's volatility is measured on."""
ROWS = 250
"""Orders that are tried at one time."""


def shuffled_bars(bars: Bars, seed: int, cluster: int = CLUSTER) -> Bars:
    """Return bars of the same beginning, end, times and volumes, whose moves come in random order.

    Each bar's moves (from the close before to the open, and from there to high, low and close, logarithms)
    are taken in units of the volatility around it, put in random order and given the volatility of their new
    place: quiet and wild times stay where they were, and what was to be foreseen is gone. After Masters,
    "Permutation and Randomization Tests for Trading System Development", 2020, who shuffles without units.
    The first bar stays. `bars` has two or more, with prices above 0.
    """
    return _moved(bars, orders([Moves(bars.ts[1:], 1)], seed)[0], cluster)


def shuffled_together(
    markets: Mapping[Series, Bars], seed: int, cluster: int = CLUSTER
) -> dict[Series, Bars]:
    """Return the bars of several series, each as `shuffled_bars` does it, in one order for all of them.

    What moved together moves together, what came before or after another is gone (core.verdict.moments).
    Longer bars of a symbol whose shorter ones are there are made of those. A series of one bar stays.
    """
    finer = {one: _finer(one, markets) for one in markets}
    free = [one for one in markets if finer[one] is None and markets[one].ts.size > 1]
    moves = [Moves(markets[one].ts[1:], timeframe_ms(one.timeframe)) for one in free]
    found = dict(markets)
    for one, order in zip(free, orders(moves, seed), strict=True):
        found[one] = _moved(markets[one], order, cluster)
    for one, other in finer.items():
        if other is not None:
            found[one] = _made_of(markets[one], found[other], timeframe_ms(one.timeframe))
    return found


def _finer(series: Series, markets: Mapping[Series, Bars]) -> Series | None:
    """Return the shortest bars of the same symbol, if each bar of this series has some in it."""
    step, ts = timeframe_ms(series.timeframe), markets[series].ts
    same = [one for one in markets if one[:2] == series[:2] and timeframe_ms(one.timeframe) < step]
    for one in sorted(same, key=lambda other: timeframe_ms(other.timeframe)):
        first, last = np.searchsorted(markets[one].ts, [ts, ts + step])
        if ts.size and (first < last).all():
            return one
    return None


def _made_of(bars: Bars, finer: Bars, step: int) -> Bars:
    """Return bars of `step` ms with the prices of the shorter ones inside them, of which each has some."""
    edges = np.searchsorted(finer.ts, np.stack([bars.ts, bars.ts + step], axis=1))
    first, last = edges.T
    # reduceat takes stretches that follow each other: ours, and what lies between them.
    tops = np.maximum.reduceat(np.append(finer.high, 0.0), edges.ravel())[::2]
    bottoms = np.minimum.reduceat(np.append(finer.low, np.inf), edges.ravel())[::2]
    return Bars(bars.ts, finer.open[first], tops, bottoms, finer.close[last - 1], bars.volume)


def _moved(bars: Bars, order: IntArray, cluster: int) -> Bars:
    """Return bars whose moves, but the first bar's, come in this order."""
    closes = np.log(bars.close)
    level = _volatility(np.diff(closes), cluster)
    gaps = np.log(bars.open[1:]) - closes[:-1]
    inside = np.log(np.stack([bars.high, bars.low, bars.close])[:, 1:] / bars.open[1:])
    drift = float(closes[-1] - closes[0]) / level.size
    scale = level / level[order]
    # What a bar moves less the mean of all is shuffled; the mean stays where it is.
    steps = (gaps + inside[2] - drift)[order] * scale
    steps += drift - float(steps.mean())
    new_gaps, new_inside = gaps[order] * scale, inside[:, order] * scale
    ends = closes[0] + np.cumsum(steps)
    ends[-1] = closes[-1]
    starts = np.concatenate([closes[:1], ends[:-1]]) + new_gaps
    # The drift is left out of the wicks: a bar reaches as far beyond its body as it did.
    above = new_inside[0] - np.maximum(new_inside[2], 0.0)
    below = np.minimum(new_inside[2], 0.0) - new_inside[1]
    highs, lows = np.maximum(starts, ends) + above, np.minimum(starts, ends) - below
    found = [np.exp(column) for column in (starts, highs, lows, ends)]
    opens, tops, bottoms, lasts = (
        np.concatenate([first[:1], column]) for first, column in zip(bars[1:5], found, strict=True)
    )
    # Rounding must not put a high below an open.
    tops = np.maximum(tops, np.maximum(opens, lasts))
    bottoms = np.minimum(bottoms, np.minimum(opens, lasts))
    return Bars(bars.ts, opens, tops, bottoms, lasts, bars.volume)


def _volatility(moves: FloatArray, cluster: int) -> FloatArray:
    """Return the root of the mean square of the moves around each, and of all where nothing moves."""
    squares = moves**2
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    places = np.arange(moves.size)
    first, last = np.maximum(places - cluster, 0), np.minimum(places + cluster + 1, moves.size)
    around = (sums[last] - sums[first]) / (last - first)
    whole = float(squares.mean())
    # A still market has no volatility to be put in units of: a thousandth of the whole one's is the least.
    found: FloatArray = np.sqrt(np.maximum(around, 1e-6 * whole if whole > 0 else 1.0))
    return found


def shuffled_trades(returns: FloatArray, draws: int = 1000, seed: int = 1) -> FloatArray:
    """Return the drawdown of the same trades in other orders, positive fractions, shape (draws,).

    `returns` of each trade as a fraction of equity, in any order. What is earned stays the same, so it says
    how lucky the order was, nothing else.
    """
    random = np.random.default_rng(seed)
    found = []
    for start in range(0, draws, ROWS):
        rows = np.tile(returns, (min(ROWS, draws - start), 1))
        found.append(drawdowns(np.cumprod(1 + random.permuted(rows, axis=1), axis=1)))
    return np.concatenate(found)


def chance_of_shuffled(best: FloatArray, seen: float) -> float:
    """Return the probability, 0 … 1, that a search on bars without foresight finds something as good.

    `best` is the figure of the best set of a whole search on each of several `shuffled_bars`, `seen` that on
    the real ones. NaNs of searches that found nothing count as worse.
    """
    return share_as_good(np.nan_to_num(best, nan=-np.inf), seen)
