"""The same search on candles in another order, in which nothing can be foreseen."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from core.domain import Bars, Series
from core.optimise.judging import JudgedSearch
from core.optimise.sweep import sweep
from core.verdict.shuffling import chance_of_shuffled, shuffled_together
from strategies.pairing import PartnerBars, Partners


def shuffled_chance(case: JudgedSearch, times: int, seed: int = 1, threads: int | None = None) -> float:
    """Return the probability, 0 … 1, that the same search finds as good a Sharpe ratio on shuffled bars.

    All sets run on the bars that were chosen on, shuffled so many times (core.verdict.shuffling), those of
    all symbols and of what the strategy looks at together; below 5 % it takes 19 or more.
    """
    markets, partners = seen_of(case)
    real = _best_sharpe(case, markets, partners, threads)
    others = [_best_sharpe(case, *shuffled_world(markets, partners, seed + k), threads) for k in range(times)]
    return chance_of_shuffled(np.array(others), real)


def seen_of(case: JudgedSearch) -> tuple[dict[Series, Bars], dict[Series, Partners]]:
    """Return all candles that were chosen on: those that opened before the cut, others' that closed by it."""
    markets = {one: bars.until(int(np.searchsorted(bars.ts, case.cut))) for one, bars in case.markets.items()}

    def cut(other: PartnerBars) -> Bars:
        closed = np.searchsorted(other.bars.ts + other.step, case.cut, side="right")
        return other.bars.until(int(closed))

    given = (case.partners or {}).items()
    return markets, {one: looked.with_bars([cut(other) for other in looked.each]) for one, looked in given}


def shuffled_world(
    markets: Mapping[Series, Bars], partners: Mapping[Series, Partners], seed: int
) -> tuple[dict[Series, Bars], dict[Series, Partners]]:
    """Return the same with candles in another order, one for all; each reaches as far as it did."""
    whole = dict(markets)
    for one, looked in partners.items():
        for other in looked.each:
            series = _series_of(one, other)
            whole[series] = _union(whole[series], other.bars) if series in whole else other.bars
    bars = shuffled_together(whole, seed)
    made = {one: _as_far(bars[one], old) for one, old in markets.items()}
    others = {
        one: looked.with_bars([_as_far(bars[_series_of(one, other)], other.bars) for other in looked.each])
        for one, looked in partners.items()
    }
    return made, others


def _series_of(one: Series, other: PartnerBars) -> Series:
    return one._replace(symbol=other.symbol, timeframe=other.timeframe)


def _union(one: Bars, other: Bars) -> Bars:
    """Return the bars that are in one of two parts of a series."""
    times = np.concatenate([one.ts, other.ts])
    places = np.unique(times, return_index=True)[1]
    columns = zip(one[1:], other[1:], strict=True)
    return Bars(times[places], *(np.concatenate(both)[places] for both in columns))


def _as_far(bars: Bars, old: Bars) -> Bars:
    """Return the bars that open at the times of others, which are among theirs."""
    places = np.searchsorted(bars.ts, old.ts)
    return Bars(bars.ts[places], *(column[places] for column in bars[1:]))


def _best_sharpe(
    case: JudgedSearch,
    markets: Mapping[Series, Bars],
    partners: Mapping[Series, Partners],
    threads: int | None,
) -> float:
    table = sweep(markets, case.strategy, case.sets, case.costs, case.cash, threads, partners)
    values = table["sharpe_ratio"].to_numpy(np.float64).reshape(len(markets), -1)
    means = values.mean(axis=0)
    return float(np.nanmax(means)) if np.isfinite(means).any() else math.nan
