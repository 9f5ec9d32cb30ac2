"""Which moment's moves come at which moment, when several series are put in another order together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.domain import IntArray
from core.utils import on_grid


class Moves(NamedTuple):
    """When the bars of a series moved."""

    ts: IntArray
    """Open times, ms UTC, increasing."""
    step: int
    """Length of a bar, ms."""


class _Level(NamedTuple):
    """Blocks of one length."""

    starts: IntArray
    kinds: IntArray
    """Blocks of equal kind hold the same series at the same places, and may change theirs."""


def orders(series: Sequence[Moves], seed: int) -> list[IntArray]:
    """Return of each series whose move comes where: the move at place k is that of place `order[k]` before.

    What moved at one moment moves at one moment again. Only moments at which the same series move change
    places, so that none has to move where it has no bar: a series that begins later, or lacks some bars, does
    so afterwards. Of bars of different lengths the longest move with all that is inside them, and in each the
    shorter ones are put in another order too.
    """
    random = np.random.default_rng(seed)
    steps = sorted({one.step for one in series}, reverse=True)
    found: list[IntArray] = [np.empty(0, np.int64)] * len(series)
    above: tuple[_Level, IntArray] | None = None
    levels = _levels(series, steps)
    for step, level in zip(steps, levels, strict=True):
        order = _order(level, above, random)
        for place, one in enumerate(series):
            if one.step == step:
                own = np.searchsorted(level.starts, on_grid_of(one.ts, step))
                found[place] = np.searchsorted(own, order[own])
        above = level, order
    return found


def on_grid_of(ts: IntArray, step: int) -> IntArray:
    """Return the open time of the bar of `step` ms that each moment is in."""
    start = on_grid(0, step)
    found: IntArray = (ts - start) // step * step + start
    return found


def _levels(series: Sequence[Moves], steps: Sequence[int]) -> list[_Level]:
    """Return the blocks of each length, the longest first."""
    found: list[_Level] = []
    for step in reversed(steps):
        times = [on_grid_of(one.ts, step) for one in series if one.step <= step]
        starts = np.unique(np.concatenate(times))
        kinds = np.zeros(starts.size, np.int64) if not found else _contents(starts, found[-1])
        for one in series:
            if one.step == step:
                pairs = 2 * kinds + np.isin(starts, on_grid_of(one.ts, step))
                kinds = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
        found.append(_Level(starts, kinds))
    return found[::-1]


def _contents(starts: IntArray, inside: _Level) -> IntArray:
    """Return a number for each block that tells which shorter ones it holds, and where."""
    edges = np.append(np.searchsorted(inside.starts, starts), inside.starts.size)
    numbers: dict[bytes, int] = {}
    found = np.empty(starts.size, np.int64)
    for block, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        offsets = inside.starts[first:last] - starts[block]
        key = offsets.tobytes() + inside.kinds[first:last].tobytes()
        found[block] = numbers.setdefault(key, len(numbers))
    return found


def _order(level: _Level, above: tuple[_Level, IntArray] | None, random: np.random.Generator) -> IntArray:
    """Return which block comes where: as the longer ones do, and in each in random order."""
    count = level.starts.size
    ranks = np.argsort(random.permutation(count))
    if above is None:
        return _within(ranks, (level.kinds,))
    longer, order = above
    parent = np.searchsorted(longer.starts, level.starts, side="right") - 1
    first = np.searchsorted(parent, np.arange(longer.starts.size))
    # Blocks that change places hold as many shorter ones, so that the first comes where the first was.
    base = first[order[parent]] + np.arange(count) - first[parent]
    found: IntArray = _within(ranks, (level.kinds, parent))[base]
    return found


def _within(ranks: IntArray, groups: tuple[IntArray, ...]) -> IntArray:
    """Return an order in which each changes places only with others of its groups."""
    found = np.empty(ranks.size, np.int64)
    found[np.lexsort(groups)] = np.lexsort((ranks, *groups))
    return found
