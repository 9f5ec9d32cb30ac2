"""Try parameter sets on the older bars, rank them, and run the best on bars that they were not chosen on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.domain import Bars, Costs, FloatArray, Series
from core.optimise.held_out import Split, split
from core.optimise.sweep import ignore, sweep
from core.results.measures import Summary, as_summary
from strategies.pairing import Partners

LOWER_IS_BETTER = frozenset({"max_drawdown_pct", "volatility_pct"})


class Question(NamedTuple):
    """What is asked of a search."""

    strategy: str
    sets: Sequence[Mapping[str, float]]
    costs: Costs
    cash: float
    figure: str = "sharpe_ratio"
    """A field of Summary by which sets are ranked, its mean where there are several series."""
    fewest_trades: int = 30
    """Closed trades, of all series together, below which a set is not ranked."""
    unseen_share: float = 0.0
    """Newest part of the bars, a fraction; 0 keeps none."""
    best: int = 10
    """Sets, the first ones by rank, that run on the unseen bars."""


class Found(NamedTuple):
    """What came of it; a set is known by its place in `Question.sets`."""

    splits: Mapping[Series, Split]
    seen: pd.DataFrame
    """As `sweep` gives it, of all sets on the older bars."""
    scores: FloatArray
    """The figure of each set, NaN where it has none."""
    ranked: list[int]
    """Sets, the best first."""
    unseen: pd.DataFrame
    """As `sweep` gives it, of the first by rank on the unseen bars, flat at their first and on columns that
    the older ones have warmed, as a verdict takes them (core.optimise.judging.gather); no rows if none are
    kept."""


def search(
    markets: Mapping[Series, Bars],
    asked: Question,
    partners: Mapping[Series, Partners] | None = None,
    threads: int | None = None,
    advance: Callable[[int], object] = ignore,
) -> Found:
    """Run all sets on the older bars and the best of them on the newest; `advance` gets the runs made.

    Raises UsageError for a wrong parameter, NoDataError for too few bars.
    """
    splits = split(markets, asked.unseen_share)

    def run(
        bars: Mapping[Series, Bars],
        sets: Sequence[Mapping[str, float]],
        starts: Mapping[Series, int] | None = None,
    ) -> pd.DataFrame:
        money = asked.costs, asked.cash
        return sweep(bars, asked.strategy, sets, *money, threads, partners, advance=advance, starts=starts)

    seen = run({series: part.chosen_on for series, part in splits.items()}, asked.sets)
    scores = figure_of(seen, asked.figure, len(splits))
    ranked = _ranked(asked, scores, by_set(seen, "trades_count", len(splits)).sum(axis=0))
    best = [asked.sets[place] for place in ranked[: asked.best]]
    unseen = seen.iloc[:0]
    if best and asked.unseen_share:
        starts = {series: part.chosen_on.ts.size for series, part in splits.items()}
        unseen = run({series: part.whole for series, part in splits.items()}, best, starts)
    return Found(splits, seen, scores, ranked, unseen)


def figure_of(table: pd.DataFrame, figure: str, series: int) -> FloatArray:
    """Return each set's figure, the mean over the series; NaN where one of them has none."""
    with np.errstate(invalid="ignore"):
        # Infinity less infinity is no figure.
        return np.asarray(by_set(table, figure, series).mean(axis=0), np.float64)


def by_set(table: pd.DataFrame, figure: str, series: int) -> FloatArray:
    """Return a figure as an array of (series, sets)."""
    return table[figure].to_numpy(np.float64).reshape(series, -1)


def summary_at(table: pd.DataFrame, row: int) -> Summary:
    """Return the figures of one row."""
    return as_summary(table[list(Summary._fields)].iloc[row].to_numpy(np.float64))


def _ranked(asked: Question, scores: FloatArray, trades: FloatArray) -> list[int]:
    # Of equal scores the set that was given first is first.
    order = np.argsort(scores if asked.figure in LOWER_IS_BETTER else -scores, kind="stable")
    fits = ~np.isnan(scores) & (trades >= asked.fewest_trades)
    return [int(place) for place in order if fits[place]]
