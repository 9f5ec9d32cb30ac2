"""What a rule is measured against: holding at the same risk, entries at random, its own neighbours."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray, IntArray
from core.errors import UsageError
from core.verdict.resampling import share_as_good

RANDOM_DRAWS = 500
"""Times that all trades are put somewhere else."""


class Spans(NamedTuple):
    """Trades as they lie on the bars; four arrays of one length."""

    entries: IntArray
    """Bar at whose open it began."""
    exits: IntArray
    """Bar in which it ended, the same or a later one."""
    exposures: FloatArray
    """Notional as a share of equity at the entry, negative for short."""
    costs: FloatArray
    """Commission and spread of both sides, as a share of the notional."""


class AgainstRandom(NamedTuple):
    """The rule's entries against others of the same length, side and size."""

    own: float
    """What its own earned, by the same prices: the logarithm of growth."""
    random: FloatArray
    """What each draw of random ones earned."""
    chance: float
    """Probability, 0 … 1, that random ones earn as much."""


def hold_at_equal_risk(returns: FloatArray, hold: FloatArray) -> FloatArray:
    """Return the returns of holding as much of the market as varies like the rule, shape (n,).

    Modigliani and Modigliani, "Risk-Adjusted Performance", Journal of Portfolio Management, 1997, without
    interest. Zeros where the market does not vary.
    """
    risk = float(hold.std())
    found: FloatArray = hold * (float(returns.std()) / risk if risk > 0 else 0.0)
    return found


def random_entries(
    opens: FloatArray, closes: FloatArray, spans: Spans, draws: int = RANDOM_DRAWS, seed: int = 1
) -> AgainstRandom:
    """Return how the trades compare with the same ones entered at random, as many, as long, on the same side.

    Each enters at an open and leaves at a close, its own too, so that only when it was entered differs: what
    stops and takes made is in neither. Where trades do not overlap, random ones do not either: the pauses
    between them are drawn anew, and their order. Raises UsageError for a trade outside of the bars.
    """
    count = int(opens.size)
    if spans.entries.size == 0:
        return AgainstRandom(0.0, np.zeros(draws), 1.0)
    if spans.entries.min() < 0 or spans.exits.max() >= count or (spans.exits < spans.entries).any():
        raise UsageError(f"random entries: wanted trades within {count} bars, each ending after it begins")
    lengths = spans.exits - spans.entries + 1
    random = np.random.default_rng(seed)
    own = _earned(opens, closes, (spans.exposures, spans.costs), spans.entries, lengths)
    found = np.empty(draws)
    for draw in range(draws):
        order = random.permutation(lengths.size)
        starts = _starts(lengths[order], count, random)
        moved = spans.exposures[order], spans.costs[order]
        found[draw] = _earned(opens, closes, moved, starts, lengths[order])
    return AgainstRandom(own, found, share_as_good(found, own))


def _starts(lengths: IntArray, count: int, random: np.random.Generator) -> IntArray:
    free = count - int(lengths.sum())
    if free < 0:
        # Lots that were held together: each is put somewhere by itself.
        return random.integers(0, count - lengths + 1)
    # Free bars and trades in a row: every choice of which are the trades is as probable as any other.
    number = lengths.size
    places = np.sort(random.choice(free + number, number, replace=False, shuffle=False))
    found: IntArray = places - np.arange(number) + np.concatenate([[0], np.cumsum(lengths[:-1])])
    return found


def _earned(
    opens: FloatArray,
    closes: FloatArray,
    stakes: tuple[FloatArray, FloatArray],
    starts: IntArray,
    lengths: IntArray,
) -> float:
    exposures, costs = stakes
    moves = closes[starts + lengths - 1] / opens[starts] - 1
    each = 1 + exposures * moves - np.abs(exposures) * costs
    # Nobody loses more than all.
    return float(np.log(np.maximum(each, 1e-9)).sum())


def plateau(neighbours: FloatArray, best: float) -> float:
    """Return the middle figure of a set's neighbours over its own: near 1 on a plateau, near 0 on a peak.

    Neighbours differ in one parameter by one step. At most 1; NaN without neighbours or for a figure that is
    not above 0.
    """
    known = neighbours[np.isfinite(neighbours)]
    if known.size == 0 or not best > 0:
        return math.nan
    return min(1.0, float(np.median(known)) / best)
