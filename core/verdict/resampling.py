"""Days drawn again in blocks, so that what follows each other stays together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray, IntArray
from core.verdict.sharpe import sharpes_of_all

ROWS = 250
"""Resamples that are drawn at one time: some 10 MB for five years of days."""


class Band(NamedTuple):
    """Where a figure would lie if the same days had come in another order and number."""

    low: float
    middle: float
    high: float


def block_length(count: int) -> float:
    """Return the mean length of blocks for so many returns, in returns: the cube root, at least 2.

    The rate that Hall, Horowitz and Jing, "On Blocking Rules for the Bootstrap with Dependent Data",
    Biometrika, 1995, derive for a variance.
    """
    return max(2.0, math.cbrt(count))


def drawn_days(count: int, draws: int, block: float, random: np.random.Generator) -> IntArray:
    """Return places 0 … count - 1 for each resample, shape (draws, count).

    The stationary bootstrap: blocks of geometric length, `block` in the mean, that begin anywhere and go on
    round the end (Politis and Romano, "The Stationary Bootstrap", JASA, 1994).
    """
    begins = random.random((draws, count)) < 1 / block
    begins[:, 0] = True
    starts = random.integers(count, size=(draws, count))
    places = np.arange(count)
    newest = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    found: IntArray = (np.take_along_axis(starts, newest, axis=1) + places - newest) % count
    return found


def drawn_means(returns: FloatArray, draws: int, block: float, random: np.random.Generator) -> FloatArray:
    """Return the mean of each row's resampled returns, shape (rows, n) to (draws, rows).

    All rows are resampled alike, which keeps how they hang together.
    """
    count = returns.shape[1]
    found = np.empty((draws, returns.shape[0]))
    for start in range(0, draws, ROWS):
        days = drawn_days(count, min(ROWS, draws - start), block, random)
        rows = np.arange(len(days))[:, None] * count
        times = np.bincount((days + rows).ravel(), minlength=days.size).reshape(days.shape)
        found[start : start + len(days)] = times.astype(np.float64) @ returns.T
    found /= count
    return found


def bands(returns: FloatArray, sure: float = 0.9, draws: int = 1000, seed: int = 1) -> dict[str, Band]:
    """Return bands of `sharpe` (of one return), `total` (a fraction) and `drawdown` (a positive fraction).

    So large a share of the resamples (stationary bootstrap) lies in each. `returns` has the shape (n,), two
    or more.
    """
    random = np.random.default_rng(seed)
    found: list[FloatArray] = []
    for start in range(0, draws, ROWS):
        days = drawn_days(returns.size, min(ROWS, draws - start), block_length(returns.size), random)
        found.append(_figures(returns[days]))
    edges = (1 - sure) / 2, 0.5, (1 + sure) / 2
    rows = np.quantile(np.concatenate(found), edges, axis=0).T.tolist()
    return {name: Band(*row) for name, row in zip(("sharpe", "total", "drawdown"), rows, strict=True)}


def _figures(drawn: FloatArray) -> FloatArray:
    """Return Sharpe ratio, total return and drawdown of each row, shape (rows, 3)."""
    curves: FloatArray = np.multiply.accumulate(1 + drawn, axis=1)
    found = np.empty((len(drawn), 3))
    found[:, 0] = np.nan_to_num(sharpes_of_all(drawn))
    found[:, 1] = curves[:, -1] - 1
    found[:, 2] = drawdowns(curves)
    return found


def drawdowns(curves: FloatArray) -> FloatArray:
    """Return the deepest fall of each row below an earlier peak or its beginning at 1, a positive
    fraction."""
    peaks = np.maximum(np.maximum.accumulate(curves, axis=1), 1.0)
    found: FloatArray = (1 - curves / peaks).max(axis=1)
    return found


def share_as_good(drawn: FloatArray, seen: float) -> float:
    """Return the share of draws that are as good as what was seen, which counts as one of them.

    So it is never 0 (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2).
    1 where nothing was seen (NaN).
    """
    if math.isnan(seen):
        return 1.0
    return (1 + int(np.count_nonzero(drawn >= seen))) / (1 + drawn.size)
