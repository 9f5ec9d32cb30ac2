"""Resampled days keep their neighbours, and tests made of them are wrong as seldom as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.domain import FloatArray
from core.verdict.reality_check import luck, reality_check, superior_ability
from core.verdict.resampling import (
    bands,
    block_length,
    drawdowns,
    drawn_days,
    drawn_means,
    share_as_good,
)
from tests.tiers import some, statistics, tries


def noise(seed: int, tries: int, days: int) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((tries, days)) * 0.01


def test_blocks_are_as_long_in_the_mean_as_asked_and_go_on_day_by_day() -> None:
    days = drawn_days(1000, 200, 8.0, np.random.default_rng(1))
    follows = (days[:, 1:] - days[:, :-1]) % 1000 == 1
    assert 1 / (1 - follows.mean()) == pytest.approx(8.0, rel=0.03)
    assert np.bincount(days.ravel(), minlength=1000).min() > 0
    assert [block_length(1000), block_length(3)] == pytest.approx([10.0, 2.0])


def test_means_of_all_rows_are_those_of_the_same_drawn_days() -> None:
    returns = noise(2, 3, 40)
    days = drawn_days(40, 300, 4.0, np.random.default_rng(5))
    means = drawn_means(returns, 300, 4.0, np.random.default_rng(5))
    # The first 250 are drawn at one time, so only these come from the same numbers.
    first = drawn_days(40, 250, 4.0, np.random.default_rng(5))
    assert means[:250] == pytest.approx(returns[:, first].mean(axis=2).T)
    assert days.shape == (300, 40)


def test_a_band_holds_what_many_other_samples_show() -> None:
    returns = np.random.default_rng(3).normal(0.001, 0.01, 700)
    found = bands(returns, sure=0.9, draws=2000)
    # The standard error of a mean, of normal returns: 1.645 of them to either side.
    width = 2 * 1.645 / math.sqrt(700)
    assert found["sharpe"].high - found["sharpe"].low == pytest.approx(width, rel=0.1)
    assert found["total"].low < np.prod(1 + returns) - 1 < found["total"].high
    assert 0 < found["drawdown"].low < found["drawdown"].middle < found["drawdown"].high < 1


def test_what_follows_a_day_widens_a_band() -> None:
    steady = noise(4, 1, 900)[0]
    trending = np.convolve(steady, np.ones(5), "valid")
    widths = [band.high - band.low for band in (bands(steady)["sharpe"], bands(trending)["sharpe"])]
    assert widths[1] > 1.5 * widths[0]


def test_a_drawdown_is_measured_from_the_beginning_too() -> None:
    curves = np.array([[0.9, 1.2, 0.6], [1.1, 1.2, 1.3]])
    assert drawdowns(curves).tolist() == [0.5, 0.0]


def test_no_share_is_none_and_nothing_seen_is_no_surprise() -> None:
    assert share_as_good(np.array([1.0, 2.0, 3.0]), 9.0) == 0.25
    assert share_as_good(np.array([1.0, 2.0, 3.0]), math.nan) == 1.0


def slow_superior(returns: FloatArray, draws: int, seed: int) -> tuple[float, float]:
    """Return White's and Hansen's (consistent) p-values, day by day in plain Python."""
    random, (tries, days) = np.random.default_rng(seed), returns.shape
    block = max(2.0, days ** (1 / 3))
    mean = [sum(row) / days for row in returns.tolist()]
    drawn: list[list[float]] = []
    for _ in range(draws):
        day, sums = int(random.integers(days)), [0.0] * tries
        for _ in range(days):
            for k in range(tries):
                sums[k] += returns[k, day]
            day = int(random.integers(days)) if random.random() < 1 / block else (day + 1) % days
        drawn.append([total / days for total in sums])
    wide = [math.sqrt(sum((row[k] - mean[k]) ** 2 for row in drawn) / draws) for k in range(tries)]
    edge = math.sqrt(2 * math.log(math.log(days)))
    kept = [mean[k] if mean[k] >= -wide[k] * edge else 0.0 for k in range(tries)]
    white = sum(max(row[k] - mean[k] for k in range(tries)) >= max(mean) for row in drawn)
    best = max(0.0, *(mean[k] / wide[k] for k in range(tries)))
    hansen = sum(max(0.0, *((row[k] - kept[k]) / wide[k] for k in range(tries))) >= best for row in drawn)
    return (1 + white) / (1 + draws), (1 + hansen) / (1 + draws)


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_tests_agree_with_a_slow_version(seed: int) -> None:
    returns = noise(seed, 6, 120) * np.array([[1.0], [1.0], [2.0], [0.5], [1.0], [3.0]])
    returns[1] += 0.0012
    returns[3] -= 0.002
    white, hansen = slow_superior(returns, 400, seed)
    assert reality_check(returns) == pytest.approx(white, abs=0.08)
    assert superior_ability(returns).consistent == pytest.approx(hansen, abs=0.08)


@pytest.mark.unmeasured
def test_bad_tries_hide_a_good_one_from_white_and_not_from_hansen() -> None:
    good = noise(5, 1, 500) + 0.0011
    bad = noise(6, 60, 500) * 5 - 0.01
    both = np.concatenate([good, bad])
    alone = superior_ability(good).consistent
    assert alone < 0.05
    assert superior_ability(both).consistent < 0.05
    assert reality_check(both) > 0.5


def test_the_three_probabilities_of_hansen_are_in_order() -> None:
    found = superior_ability(noise(7, 20, 300))
    assert found.low <= found.consistent <= found.high
    assert found.white == reality_check(noise(7, 20, 300))


def test_tries_that_never_vary_are_no_evidence() -> None:
    still = np.zeros((3, 100))
    assert (reality_check(still), superior_ability(still).high) == (1.0, 1.0)
    assert luck(still, 0, noise(1, 1, 100)[0], 3) == 1.0
    assert luck(noise(1, 3, 100), 0, np.zeros(100), 3) == 1.0


@pytest.mark.unmeasured
@statistics
@pytest.mark.parametrize("alike", some([0.9, 0.0], 1))
def test_luck_is_wrong_as_seldom_as_it_says(alike: float) -> None:
    # The best of 30 tries that know nothing, on 300 days and 200 more: p-values are spread evenly.
    found = []
    for seed in range(tries(150, 60)):
        random = np.random.default_rng(seed)
        common = random.standard_normal(500) * math.sqrt(alike)
        returns = random.standard_normal((30, 500)) * math.sqrt(1 - alike) + common
        best = int(returns[:, :300].mean(axis=1).argmax())
        found.append(luck(returns[:, :300], best, returns[best, 300:], 30, draws=300))
    assert np.mean(found) == pytest.approx(0.5, abs=0.09)
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.07)


@pytest.mark.unmeasured
def test_tries_that_are_only_counted_make_luck_more_probable() -> None:
    returns = noise(8, 5, 400)
    returns[0] += 0.0015
    chances = [luck(returns, 0, returns[0, :200], tries) for tries in (5, 100, 10_000)]
    assert chances[0] < chances[1] < chances[2]


def test_the_same_seed_gives_the_same_probability() -> None:
    returns = noise(9, 5, 200)
    assert luck(returns, 0, returns[0], 5, seed=3) == luck(returns, 0, returns[0], 5, seed=3)
