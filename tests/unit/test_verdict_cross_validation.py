"""Folds never leak, and the probability of overfitting is that of the paper."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from core.domain import FloatArray, IntArray
from core.errors import UsageError
from core.verdict.cross_validation import overfitting, paths, purged_folds


def one_ahead(count: int) -> IntArray:
    """Each observation looks at the next one too."""
    return np.minimum(np.arange(count) + 1, count - 1)


def test_every_observation_is_tested_once_and_never_trained_on_there() -> None:
    folds = list(purged_folds(one_ahead(20), 5))
    assert np.concatenate([fold.test for fold in folds]).tolist() == list(range(20))
    assert all(not set(fold.train) & set(fold.test) for fold in folds)


def test_one_period_labels_lose_exactly_the_two_neighbours_of_each_block() -> None:
    # Two test blocks, {2} and {9} of 12: 1, 3, 8 and 10 share a bar with them, and no other.
    fold = list(purged_folds(one_ahead(12), 12, tested=2))[list(combinations(range(12), 2)).index((2, 9))]
    assert fold.test.tolist() == [2, 9]
    assert fold.train.tolist() == [0, 4, 5, 6, 7, 11]


def test_a_label_that_ends_inside_the_test_is_purged_however_early_it_began() -> None:
    ends = np.arange(12)
    ends[1] = 7
    fold = list(purged_folds(ends, 4))[2]
    assert fold.test.tolist() == [6, 7, 8]
    assert fold.train.tolist() == [0, 2, 3, 4, 5, 9, 10, 11]


def test_a_label_that_ends_after_the_test_is_purged_too() -> None:
    ends = np.arange(12)
    ends[1] = 11
    assert 1 not in list(purged_folds(ends, 4))[2].train


def test_the_embargo_counts_from_where_the_purge_ends() -> None:
    fold = list(purged_folds(np.minimum(np.arange(20) + 2, 19), 5, embargo=3))[1]
    assert fold.test.tolist() == [4, 5, 6, 7]
    # 8 and 9 are looked at by 7, then three more.
    assert fold.train.tolist() == [0, 1, 13, 14, 15, 16, 17, 18, 19]


@pytest.mark.parametrize(("groups", "tested"), [(1, 1), (5, 5), (5, 0), (21, 1)])
def test_groups_that_do_not_fit_are_said(groups: int, tested: int) -> None:
    with pytest.raises(UsageError, match=f"got {tested} of {groups}"):
        list(purged_folds(np.arange(20), groups, tested))


def test_paths_are_as_many_as_each_day_is_tested_and_whole() -> None:
    returns = np.random.default_rng(1).standard_normal((4, 60))
    found = paths(returns, groups=6, tested=2)
    assert found.shape == (5, 60)
    # Each value is one of that day's.
    assert all((found[:, day, None] == returns[:, day]).any(axis=1).all() for day in range(60))


def test_a_path_knows_nothing_of_its_own_days() -> None:
    # One try is best on all days but the last group's, another there alone.
    returns = np.random.default_rng(2).standard_normal((2, 60)) * 0.1
    returns[0, :50] += 1
    returns[1, 50:] += 9
    assert (paths(returns, groups=6, tested=1)[0, 50:] == returns[0, 50:]).all()


def test_too_few_days_for_paths_are_said() -> None:
    with pytest.raises(UsageError, match="6 days are too few for 3 groups"):
        paths(np.random.default_rng(3).standard_normal((2, 6)), groups=3, tested=1, held=5)


def slow_overfitting(returns: FloatArray, blocks: int) -> list[float]:
    """Return the logits of the paper, step by step."""
    tries, days = returns.shape
    length, logits = days // blocks, []
    cut = returns[:, days - blocks * length :]
    parts = [list(range(k * length, (k + 1) * length)) for k in range(blocks)]

    def sharpe(k: int, places: list[int]) -> float:
        own = cut[k, places]
        return float(own.mean() / own.std())

    for chosen in combinations(range(blocks), blocks // 2):
        inside = [day for k in chosen for day in parts[k]]
        outside = [day for k in range(blocks) if k not in chosen for day in parts[k]]
        best = max(range(tries), key=lambda k: sharpe(k, inside))
        rank = 1 + sum(sharpe(k, outside) < sharpe(best, outside) for k in range(tries))
        share = rank / (tries + 1)
        logits.append(math.log(share / (1 - share)))
    return logits


def test_the_probability_of_overfitting_agrees_with_a_slow_version() -> None:
    returns = np.random.default_rng(4).standard_normal((7, 67)) + 0.1
    slow = slow_overfitting(returns, 6)
    found = overfitting(returns, 6)
    assert found.logits == pytest.approx(slow)
    assert found.probability == np.mean(np.array(slow) <= 0)


def test_one_that_is_always_best_is_never_overfitted() -> None:
    returns = np.random.default_rng(5).standard_normal((9, 160))
    returns[3] += 5
    found = overfitting(returns)
    assert (found.probability, found.loss) == (0.0, 0.0)


def test_what_is_best_on_one_half_and_worst_on_the_other_is_always_overfitted() -> None:
    # Each try is good on one block and bad on all others: the best inside are among the worst outside.
    returns = np.random.default_rng(6).standard_normal((8, 80)) * 0.01
    for k in range(8):
        returns[k] -= 0.1
        returns[k, k * 10 : (k + 1) * 10] += 1.0
    found = overfitting(returns, 8)
    assert found.probability == 1.0
    assert found.loss == 1.0


def test_on_noise_choosing_is_as_good_as_not_choosing() -> None:
    found = [
        overfitting(np.random.default_rng(k).standard_normal((20, 240)), 8).probability for k in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    # And so it is small on some random walk: alone it must never say "an edge".
    assert min(found) < 0.15


def test_tries_that_never_traded_share_a_rank() -> None:
    returns = np.zeros((3, 40))
    returns[0] = np.random.default_rng(7).standard_normal(40)
    assert np.isfinite(overfitting(returns, 4).logits).all()


@pytest.mark.parametrize(("tries", "days", "blocks"), [(1, 100, 4), (3, 100, 5), (3, 7, 4)])
def test_what_cannot_be_cut_is_said(tries: int, days: int, blocks: int) -> None:
    with pytest.raises(UsageError, match=f"got {tries} tries, {days} days, {blocks} blocks"):
        overfitting(np.ones((tries, days)), blocks)
