"""What is added up of a run: its drawdowns and its trades, as numpy adds up, in compiled loops.

The order of every addition decides its last bit; core.results.statistics says whose order it is.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray, IntArray
from core.fills import ENTRY_BAR, EXIT_BAR, PNL, RETURN
from core.kernel.entries import Kernel
from core.kernel.pairwise import PARTS, pairwise_sum
from core.kernel.pieces import Piece, pieces_of

# What is added up of each run, by place: first of its drawdowns, then of its trades.
PEAK, DEEPEST, DEPTHS, FALLS, FALLING, LONGEST_FALL = range(6)
COUNT, WINS, LOSSES, PNL_SUM, SQUARES, WON, LOST, BEST, WORST = range(6, 15)
RETURNS, RETURNS_WON, RETURNS_LOST, LONGEST, LENGTHS, EXPOSED = range(15, 21)
SUMS = 21


class Spare(NamedTuple):
    """Memory that adding up needs."""

    values: FloatArray
    """Shape (2, trades)."""
    halves: FloatArray


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


def add_up(
    curves: FloatArray,
    trades: FloatArray,
    ends: IntArray,
    stamps: IntArray,
    depths: FloatArray,
    sums: FloatArray,
    factors: FloatArray,
    spare: Spare,
) -> None:
    """Fill in the sums of each run, and 1 plus the return of each trade. Plain Python or compiled."""
    begin = 0
    for run in range(curves.shape[0]):
        peak, deepest, falls, falling, longest = scan_drawdowns(curves[run], stamps, depths)
        sums[run, PEAK] = peak
        sums[run, DEEPEST] = deepest
        sums[run, DEPTHS] = pairwise_sum(depths, 0, depths.size, spare.halves) if falls else 0.0
        sums[run, FALLS] = falls
        sums[run, FALLING] = falling
        sums[run, LONGEST_FALL] = longest
        add_up_trades(trades, begin, ends[run], stamps, sums[run], factors, spare)
        begin = ends[run]


def add_up_trades(
    trades: FloatArray,
    begin: int,
    end: int,
    stamps: IntArray,
    sums: FloatArray,
    factors: FloatArray,
    spare: Spare,
) -> None:
    """Fill in the sums of one run's trades, as numpy adds up, and 1 plus the return of each."""
    some, others, halves = spare.values[0], spare.values[1], spare.halves
    for k in range(begin, end):
        some[k - begin] = trades[k, PNL]
    count, pnl = end - begin, pairwise_sum(some, 0, end - begin, halves)
    mean = pnl / count if count else 0.0
    for k in range(count):
        others[k] = (mean - some[k]) * (mean - some[k])
    sums[COUNT] = count
    sums[PNL_SUM] = pnl
    sums[SQUARES] = pairwise_sum(others, 0, count, halves)
    wins, losses, sums[WON], sums[LOST] = parted(trades, PNL, begin, end, spare)
    sums[WINS] = wins
    sums[LOSSES] = losses
    _, _, sums[RETURNS_WON], sums[RETURNS_LOST] = parted(trades, RETURN, begin, end, spare)
    best, worst, longest, lengths, exposed, earliest = -np.inf, np.inf, 0, 0, 0.0, float(stamps.size)
    # From the last exit backwards: what a trade adds to the bars on which any was open, those of its entry
    # and exit included, ends before the earliest entry seen so far.
    for k in range(end - 1, begin - 1, -1):
        entry, leave, result = trades[k, ENTRY_BAR], trades[k, EXIT_BAR], trades[k, RETURN]
        exposed += max(min(leave + 1, earliest) - entry, 0.0)
        earliest = min(earliest, entry)
        length = stamps[int(leave)] - stamps[int(entry)]
        lengths += length
        longest = max(longest, length)
        best, worst = max(best, result), min(worst, result)
        factors[k] = result + 1
        some[k - begin] = result
    sums[RETURNS] = pairwise_sum(some, 0, count, halves)
    sums[BEST] = best
    sums[WORST] = worst
    sums[LONGEST] = longest
    sums[LENGTHS] = lengths
    sums[EXPOSED] = exposed


def parted(
    trades: FloatArray, column: int, begin: int, end: int, spare: Spare
) -> tuple[int, int, float, float]:
    """Return how many values of a column are positive, how many negative, and the sums of both."""
    some, others, more, less = spare.values[0], spare.values[1], 0, 0
    for k in range(begin, end):
        value = trades[k, column]
        if value > 0:
            some[more] = value
            more += 1
        elif value < 0:
            others[less] = value
            less += 1
    return more, less, pairwise_sum(some, 0, more, spare.halves), pairwise_sum(others, 0, less, spare.halves)


@cache
def compiled_sums() -> Kernel:
    """Return `add_up` compiled."""
    functions = scan_drawdowns, parted, add_up_trades
    return Kernel(add_up.__name__, Piece(add_up, pieces_of(functions, PARTS, functions)))
