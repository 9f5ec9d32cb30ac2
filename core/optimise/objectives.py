"""What a search may strive for, and what it makes of the figures of several series."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from core.domain import FloatArray
from core.errors import UsageError, unknown_name
from core.optimise.search import by_set

OBJECTIVES = {
    "sharpe": "sharpe_ratio",
    "sortino": "sortino_ratio",
    "calmar": "calmar_ratio",
    "sqn": "SQN",
    "profit_factor": "profit_factor",
    "return_drawdown": "",
}
"""As they are typed, each with the figure of a sweep that it is; the last one is a quotient of two. More is
better in all of them."""
TRADES = "trades"
KEPT = (*OBJECTIVES, TRADES)
"""What is kept of each set on each series."""
OVER: dict[str, Callable[..., FloatArray]] = {"mean": np.mean, "worst": np.min}
"""How one number is made of the figure on several series."""


def parse_objectives(text: str) -> tuple[str, ...]:
    """Return the objectives named in `sharpe` or `sharpe,calmar`, each once. Raises UsageError."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in OBJECTIVES:
            raise UsageError(f"--objective: {unknown_name('objective', name, OBJECTIVES)}")
    return names


def kept_figures(table: pd.DataFrame, series: int) -> FloatArray:
    """Return what is kept of a sweep's rows, shape (series, sets, KEPT)."""
    # Nothing over nothing is none, something over nothing is infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = by_set(table, "return_pct", series) / by_set(table, "max_drawdown_pct", series)
    figures = [by_set(table, figure, series) if figure else quotient for figure in OBJECTIVES.values()]
    return np.stack([*figures, by_set(table, "trades_count", series)], axis=2)


def scores_of(kept: FloatArray, objectives: Sequence[str], fewest_trades: int, over: str) -> FloatArray:
    """Return what each set reached, shape (sets, objectives); NaN throughout where it is not to be ranked.

    It is not where a series has no such figure, or all have fewer closed trades together.
    """
    chosen = kept[:, :, [KEPT.index(name) for name in objectives]]
    with np.errstate(invalid="ignore"):
        # Infinity less infinity is no figure.
        scores = np.asarray(OVER[over](chosen, axis=0), np.float64)
    few = kept[:, :, KEPT.index(TRADES)].sum(axis=0) < fewest_trades
    scores[few | np.isnan(scores).any(axis=1)] = np.nan
    return scores


def ranked(scores: FloatArray) -> list[int]:
    """Return the sets by rank: the best first for one objective, the Pareto front for several.

    On the front no set is at least as good in everything and better in something; it is ordered by the first
    objective. Of equal ones that which was tried first is first, and alone.
    """
    known = np.flatnonzero(~np.isnan(scores).any(axis=1))
    order = [int(place) for place in known[np.lexsort((known, *-scores[known].T[::-1]))]]
    if scores.shape[1] == 1:
        return order
    front: list[int] = []
    for place in order:
        # Sorted so, none that comes later can beat one that came before.
        if not front or not bool((scores[front] >= scores[place]).all(axis=1).any()):
            front.append(place)
    return front
