"""Choosing on some days and looking at others, in every way that there is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray, IntArray
from core.errors import UsageError
from core.verdict.sharpe import sharpes_of_all

BLOCKS = 16
"""Parts that days are cut into for the probability of overfitting, as in the paper."""
CELLS = 2**22
"""Numbers that are computed at one time: 32 MB."""


class Fold(NamedTuple):
    """Places of observations, ascending, none in both."""

    train: IntArray
    test: IntArray


class Overfitting(NamedTuple):
    """What comes of choosing the best on one half of the days and looking at it on the other."""

    probability: float
    """Share of the ways in which the chosen one is below the middle there, 0 … 1."""
    loss: float
    """Share of the ways in which it loses there."""
    logits: FloatArray
    """Of its rank there, one for each way: below 0 is below the middle."""


def purged_folds(ends: IntArray, groups: int, tested: int = 1, embargo: int = 0) -> Iterator[Fold]:
    """Yield every way to test `tested` of so many groups of consecutive observations and train on the others.

    Observation i looks at all from i to `ends[i]`, both included, as a trade that was open so long does. One
    that shares any of them with a test observation is purged from training, and so are the next `embargo`
    after those that a test block looks at (López de Prado, "Advances in Financial Machine Learning", 2018,
    chapters 7 and 12: purged k-fold for `tested` 1, combinatorial for more). Raises UsageError for groups
    that do not fit.
    """
    count = int(ends.size)
    if not 1 <= tested < groups <= count:
        raise UsageError(
            f"cross-validation: wanted fewer tested than all groups, and no more groups than the {count} "
            f"observations, got {tested} of {groups}"
        )
    edges = np.linspace(0, count, groups + 1).astype(np.int64)
    for chosen in combinations(range(groups), tested):
        test = np.concatenate([np.arange(edges[k], edges[k + 1]) for k in chosen])
        free = np.ones(count, bool)
        for k in chosen:
            first, last = int(edges[k]), int(ends[edges[k] : edges[k + 1]].max())
            free[first : last + 1 + embargo] = False
            free[: first + 1] &= ends[: first + 1] < first
        yield Fold(np.flatnonzero(free), test)


def paths(
    returns: FloatArray, groups: int = 10, tested: int = 2, held: int = 0, embargo: int = 0
) -> FloatArray:
    """Return what choosing the best Sharpe ratio on the training days earns on the tested ones, path by path.

    Combinatorial purged cross-validation (López de Prado, 2018, chapter 12): each day is tested in
    C(groups - 1, tested - 1) ways, which make as many whole paths. `returns` has the shape (tries, days),
    `held` is how many days further a position of a day may look. Shape (paths, days).
    """
    count = returns.shape[1]
    ends = np.minimum(np.arange(count) + held, count - 1)
    edges = np.linspace(0, count, groups + 1).astype(np.int64)
    found = np.empty((math.comb(groups - 1, tested - 1), count))
    filled = [0] * groups
    ways = combinations(range(groups), tested)
    for fold, chosen in zip(purged_folds(ends, groups, tested, embargo), ways, strict=True):
        if fold.train.size < 2:
            raise UsageError(f"cross-validation: {count} days are too few for {groups} groups: use fewer")
        sharpes = sharpes_of_all(returns[:, fold.train])
        best = int(np.argmax(np.nan_to_num(sharpes, nan=-np.inf)))
        for k in chosen:
            days = slice(edges[k], edges[k + 1])
            found[filled[k], days] = returns[best, days]
            filled[k] += 1
    return found


def overfitting(returns: FloatArray, blocks: int = BLOCKS) -> Overfitting:
    """Return how probable it is that the best of all tries is overfitted, by their Sharpe ratios.

    Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu, "The Probability of
    Backtest Overfitting", Journal of Computational Finance, 2017). `returns` has the shape (tries, days); the
    oldest days that make no full block are left out. Tries that do not vary are the same as none (0); equals
    share their rank. Raises UsageError for fewer than two tries, odd blocks or blocks of fewer than two days.
    It says how well choosing works, not whether what was chosen has an edge.
    """
    tries, days = returns.shape
    if tries < 2 or blocks % 2 or blocks < 2 or days < 2 * blocks:
        raise UsageError(
            "overfitting: wanted two tries or more and an even number of blocks of two days or more, "
            f"got {tries} tries, {days} days, {blocks} blocks"
        )
    length = days // blocks
    cut = returns[:, days - length * blocks :].reshape(tries, blocks, length)
    # Sums of a half are sums of its blocks: one product makes them for all ways and tries.
    sums, squares = cut.sum(axis=2).T, (cut**2).sum(axis=2).T
    ways = np.array(list(combinations(range(blocks), blocks // 2)))
    halves = np.zeros((len(ways), blocks))
    np.put_along_axis(halves, ways, 1.0, axis=1)
    half, step = length * blocks // 2, max(1, CELLS // tries)
    ranks, levels = [], []
    for start in range(0, len(halves), step):
        inside = halves[start : start + step]
        best = _sharpes(inside @ sums, inside @ squares, half).argmax(axis=1)[:, None]
        outside = _sharpes((1 - inside) @ sums, (1 - inside) @ squares, half)
        own = np.take_along_axis(outside, best, axis=1)
        ranks.append((outside < own).sum(axis=1) + ((outside == own).sum(axis=1) + 1) / 2)
        levels.append(own[:, 0])
    share = np.concatenate(ranks) / (tries + 1)
    logits = np.log(share / (1 - share))
    return Overfitting(float((logits <= 0).mean()), float((np.concatenate(levels) < 0).mean()), logits)


def _sharpes(sums: FloatArray, squares: FloatArray, count: int) -> FloatArray:
    mean = sums / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    # What is left of rounding is no variance.
    flat = variance <= 1e-12 * squares / count
    with np.errstate(all="ignore"):
        found: FloatArray = np.where(flat, 0.0, mean / np.sqrt(variance))
    return found
