"""Causal measures of what kind of market it is: persistence, rank of a value, which way it leans.

As in `strategies.indicators`: float64 arrays of one length, NaN while warming up; each value is made of its
own window alone.
"""

from __future__ import annotations

from functools import cache
from math import exp, lgamma, log, pi, sqrt

import numpy as np

from core.domain import FloatArray
from strategies.indicators import std
from strategies.indicators_more import before
from strategies.memo import remembered

SMALLEST_CHUNK = 8
"""Returns: a range over its deviation says nothing about fewer."""


@remembered
def log_returns(close: FloatArray) -> FloatArray:
    """Return log(close / close before); the first is NaN."""
    out = np.full(close.size, np.nan)
    out[1:] = np.log(close[1:] / close[:-1])
    return out


@remembered
def volatility(close: FloatArray, period: int) -> FloatArray:
    """Return the population standard deviation of the last `period` log returns, per bar, as a fraction.

    First value at index period.
    """
    out = np.full(close.size, np.nan)
    out[1:] = std(log_returns(close)[1:], period)
    return out


@remembered
def hurst(close: FloatArray, period: int) -> FloatArray:
    """Return the Hurst exponent of the last `period` log returns: 0.5 for noise, above if moves persist.

    Rescaled range over the whole window, its halves, quarters and so on down to `SMALLEST_CHUNK` returns; the
    slope of its logarithm over that of the size, less what noise has in so small a sample. First value at
    index period. Source: H. E. Hurst (1951); A. Anis, E. Lloyd (1976) for the correction.
    """
    sizes = chunk_sizes(period)
    weights = _slope_weights(sizes)
    means = rescaled_ranges(close, period)
    out = np.full(close.size, 0.5)
    for size, weight, mean in zip(sizes, weights, means, strict=True):
        out += weight * (np.log(mean) - log(expected_range(size)))
    return out


def rescaled_ranges(close: FloatArray, period: int) -> list[FloatArray]:
    """Return, for each of the chunk sizes, the mean rescaled range of the window's chunks.

    Chunks are counted back from the newest return; one that does not move counts as noise.
    """
    returns = log_returns(close)
    found = []
    for size in chunk_sizes(period):
        ratio, count = _rescaled_range(returns, size), period // size
        total = np.zeros(close.size)
        for k in range(count):
            total += before(ratio, k * size)
        found.append(total / count)
    return found


def _rescaled_range(x: FloatArray, size: int) -> FloatArray:
    """Return the range of the sums of deviations over the deviation, of the `size` values up to each one."""
    out = np.full(x.size, np.nan)
    kept = x.size - size + 1
    if kept < 1:
        return out
    oldest, total = x[:kept], np.zeros(kept)
    for lag in range(1, size):
        total += x[lag : lag + kept] - oldest
    mean = oldest + total / size
    height, top, bottom, square = (np.zeros(kept) for _ in range(4))
    for lag in range(size):
        away = x[lag : lag + kept] - mean
        height += away
        # The sums begin and end at 0, so that 0 is always among them.
        np.maximum(top, height, out=top)
        np.minimum(bottom, height, out=bottom)
        square += away * away
    moves = square > 0
    ratio = (top - bottom) / np.sqrt(np.where(moves, square, 1.0) / size)
    out[size - 1 :] = np.where(moves | np.isnan(square), ratio, expected_range(size))
    return out


def chunk_sizes(period: int) -> list[int]:
    """Return the sizes of the chunks that a window is cut into: itself, its half, its quarter …"""
    return [period >> k for k in range(period.bit_length()) if period >> k >= SMALLEST_CHUNK]


@cache
def expected_range(size: int) -> float:
    """Return the rescaled range that `size` independent normal values have on average (Anis and Lloyd)."""
    total = 0.0
    for i in range(1, size):
        total += sqrt((size - i) / i)
    return exp(lgamma((size - 1) / 2) - lgamma(size / 2)) / sqrt(pi) * total


def _slope_weights(sizes: list[int]) -> list[float]:
    """Return the factors that add values at these sizes up to their slope over the size's logarithm."""
    logs = [log(size) for size in sizes]
    middle = sum(logs) / len(logs)
    spread = sum((x - middle) ** 2 for x in logs)
    return [(x - middle) / spread for x in logs]


@remembered
def rank(x: FloatArray, period: int) -> FloatArray:
    """Return the share of the `period` - 1 values before that are smaller, 0 to 1; equal ones count half.

    First value at index period - 1 after x's own first.
    """
    out = np.full(x.size, np.nan)
    kept = x.size - period + 1
    if kept < 1:
        return out
    now, halves = x[period - 1 :], np.zeros(kept, np.int32)
    for lag in range(period - 1):
        then = x[lag : lag + kept]
        halves += then < now
        halves += then <= now
    missing = np.concatenate([[0], np.isnan(x).cumsum()])
    is_whole = missing[period:] == missing[:kept]
    out[period - 1 :] = np.where(is_whole, halves / (2.0 * (period - 1)), np.nan)
    return out
