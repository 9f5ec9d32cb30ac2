"""How often the best of many tries without an edge looks as good as the best that was seen.

Three tests on daily returns, shape (tries, days): White's reality check, Hansen's test for superior
predictive ability, and the same question asked of a set that was chosen on some days and measured on others
too. Each resamples all tries alike (the stationary bootstrap), so that tries that resemble each other count
as few.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray
from core.verdict.resampling import block_length, drawn_means, share_as_good
from core.verdict.sharpe import best_by_luck

DRAWS = 1000
"""Resamples."""


class Superior(NamedTuple):
    """Hansen's p-values, 0 … 1: small ones say that the best is better than luck."""

    low: float
    """Tries that are bad are left out: too small if they are not."""
    consistent: float
    high: float
    """All tries count as if they were just without an edge."""
    white: float
    """White's, as `reality_check` gives it."""


class _Drawn(NamedTuple):
    """Tries whose mean varies, and what they came to when days were drawn again."""

    means: FloatArray
    """Times √n, in units of their deviation, shape (tries,)."""
    apart: FloatArray
    """The resamples' less those, shape (draws, tries)."""
    deviations: FloatArray
    """Of √n times the mean, shape (tries,)."""


def reality_check(returns: FloatArray, draws: int = DRAWS, seed: int = 1) -> float:
    """Return the probability, 0 … 1, that the best mean of all tries is luck.

    White, "A Reality Check for Data Snooping", Econometrica, 2000, against no trade. 1 where no try varies.
    """
    drawn = _drawn(returns, draws, seed)
    return _white(drawn) if drawn.means.size else 1.0


def superior_ability(returns: FloatArray, draws: int = DRAWS, seed: int = 1) -> Superior:
    """Return the probabilities, 0 … 1, that the best of all tries is luck, each in units of its deviation.

    Hansen, "A Test for Superior Predictive Ability", Journal of Business and Economic Statistics, 2005,
    against no trade. 1 where no try varies.
    """
    drawn = _drawn(returns, draws, seed)
    if drawn.means.size == 0:
        return Superior(1.0, 1.0, 1.0, 1.0)
    best = max(0.0, float(drawn.means.max()))
    count = max(returns.shape[1], 3)
    bad = -math.sqrt(2 * math.log(math.log(count)))
    centres = (
        np.minimum(drawn.means, 0.0),
        np.where(drawn.means < bad, drawn.means, 0.0),
        np.zeros(drawn.means.size),
    )
    low, consistent, high = (
        share_as_good(np.maximum((drawn.apart + centre).max(axis=1), 0.0), best) for centre in centres
    )
    return Superior(low, consistent, high, _white(drawn))


def luck(
    seen: FloatArray, chosen: int, unseen: FloatArray, tries: int, draws: int = DRAWS, seed: int = 1
) -> float:
    """Return the probability, 0 … 1, that tries without an edge look as good over all days as the chosen one.

    `seen` are the tries' returns on the days on which one was chosen, shape (tries, days); `unseen` are the
    chosen one's afterwards. What was seen is its mean in units of its deviation on either, joined by the
    days' share. Each draw takes the best of all tries on the seen days, as whoever chooses does, and one on
    the unseen days, where nothing was chosen: White's reality check with a second, honest part. Tries beyond
    those whose returns are known count as independent, which is the most that they can be. 1 where the chosen
    one does not vary on either part.
    """
    first, second = _drawn(seen, draws, seed), _drawn(unseen[None, :], draws, seed + 1)
    own = _drawn(seen[chosen : chosen + 1], draws, seed)
    if own.means.size == 0 or second.means.size == 0:
        return 1.0
    best = first.apart.max(axis=1)
    if (missing := tries - seen.shape[0]) > 0:
        random = np.random.default_rng(seed + 2)
        best = np.maximum(best, best_by_luck(missing, random.random(draws)))
    share = seen.shape[1] / (seen.shape[1] + unseen.size)
    old, new = math.sqrt(share), math.sqrt(1 - share)
    found = old * float(own.means[0]) + new * float(second.means[0])
    return share_as_good(old * best + new * second.apart[:, 0], found)


def _white(drawn: _Drawn) -> float:
    # White's statistic is not in units of deviation.
    best = float((drawn.means * drawn.deviations).max())
    return share_as_good((drawn.apart * drawn.deviations).max(axis=1), best)


def _drawn(returns: FloatArray, draws: int, seed: int) -> _Drawn:
    count, random = returns.shape[1], np.random.default_rng(seed)
    root = math.sqrt(count)
    drawn = drawn_means(returns, draws, block_length(count), random)
    drawn -= returns.mean(axis=1)
    drawn *= root
    deviations = np.sqrt((drawn**2).mean(axis=0))
    moves = deviations > 1e-12
    kept = deviations[moves]
    return _Drawn(root * returns.mean(axis=1)[moves] / kept, drawn[:, moves] / kept, kept)
