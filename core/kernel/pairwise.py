"""Sums as numpy makes them, to the last bit, in source that plain Python and the compiler can run."""

from __future__ import annotations

import numpy as np

from core.domain import FloatArray
from core.kernel.pieces import pieces_of

BLOCK = 128
"""Numbers that are added up without halving."""
DEEP = 64
"""Halvings that no array exceeds."""


def block_sum(x: FloatArray, start: int, count: int) -> float:
    """Return the sum of at most BLOCK numbers from `start` on: eight sums side by side, then what is left."""
    if count < 8:
        total = 0.0
        for k in range(start, start + count):
            total += x[k]
        return total
    a, b, c, d = x[start], x[start + 1], x[start + 2], x[start + 3]
    e, f, g, h = x[start + 4], x[start + 5], x[start + 6], x[start + 7]
    whole = start + count - count % 8
    for k in range(start + 8, whole, 8):
        a, b, c, d = a + x[k], b + x[k + 1], c + x[k + 2], d + x[k + 3]
        e, f, g, h = e + x[k + 4], f + x[k + 5], g + x[k + 6], h + x[k + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for k in range(whole, start + count):
        total += x[k]
    return float(total)


def make_halves() -> FloatArray:
    """Return memory for `pairwise_sum`; each thread needs its own."""
    return np.empty((3, DEEP))


def pairwise_sum(x: FloatArray, start: int, count: int, halves: FloatArray) -> float:
    """Return the sum of `count` numbers of a contiguous array from `start` on, as its `sum()`."""
    # A half is waiting for the other in `sums`, or with nothing yet, where `is_half` says so.
    later, sums, is_half = halves[0], halves[1], halves[2]
    deep, at, size = 0, start, count
    while True:
        while size > BLOCK:
            half = size // 2
            half -= half % 8
            later[deep], is_half[deep] = size - half, 0.0
            deep, size = deep + 1, half
        total = block_sum(x, at, size)
        at += size
        while deep > 0 and is_half[deep - 1] == 1.0:
            deep -= 1
            total = sums[deep] + total
        if deep == 0:
            return float(total)
        sums[deep - 1], is_half[deep - 1] = total, 1.0
        size = int(later[deep - 1])


PARTS = pieces_of((block_sum, pairwise_sum), {}, (block_sum, pairwise_sum))
"""Both for what is compiled and adds up."""
