"""Persistence, rank and direction: against published numbers, their definitions and hand-made series."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from core.domain import FloatArray
from strategies import indicators_regime as found
from strategies.indicators import directional
from tests.markets import random_bars

# The first closes of Stock.Indicators' default quotes (Apache-2.0): two windows of its Hurst exponent.
# fmt: off
CLOSES = np.array([
    212.8, 214.06, 213.89, 214.66, 213.95, 213.95, 214.55, 214.02, 214.51, 213.75, 214.22, 213.43,
    214.21, 213.66, 215.03, 216.89, 216.66, 216.32, 214.98, 214.96, 215.05, 215.19, 216.67, 216.28,
    216.29, 216.58, 217.86, 218.72, 219.91, 220.79, 221.94, 221.75, 222.1, 223.43, 223.23, 223.38,
    223.66, 224.01, 223.41, 226.53, 225.11, 225.25, 224.58, 223.91, 223.49, 223.78, 224.56, 224.67,
    223.81, 225.75, 225.31, 224.91, 224.66, 221.78, 222.3, 222.06, 221.9, 221.67, 223.29, 223.5,
    224.21, 223.69, 223.3, 223.44, 222.78, 223.4, 223.17, 223.31, 223.04, 222.06, 220.62, 222.58,
    221.91, 221.5, 223.31, 222.6, 225.04, 226.35, 226.21, 226.4, 225.91, 226.48, 226.56, 226.29,
    226.55, 227.44, 227.41, 227.2, 227.61, 227.14, 226.76, 228.01, 227.8, 223.76, 224.66, 226.12,
    227.27, 227.78, 228.31, 229.4, 229.35, 229.15,
])
# fmt: on


def test_the_rescaled_ranges_slope_is_the_published_hurst_exponent() -> None:
    logs = np.log([found.chunk_sizes(100)] + [[float(x) for x in column] for column in ranges().T])
    slopes = [np.polyfit(logs[0], row, 1)[0] for row in logs[1:]]
    assert slopes == pytest.approx([0.6055156386781132, 0.5885273471517276], abs=1e-12)


def ranges() -> FloatArray:
    return np.array([mean[100:] for mean in found.rescaled_ranges(CLOSES, 100)])


def test_the_exponent_is_the_slope_less_that_of_noise() -> None:
    sizes = found.chunk_sizes(100)
    excess = np.log(ranges()[:, 0]) - np.log([found.expected_range(size) for size in sizes])
    wanted = 0.5 + np.polyfit(np.log(sizes), excess, 1)[0]
    assert found.hurst(CLOSES, 100)[100] == pytest.approx(wanted, abs=1e-12)
    assert np.isnan(found.hurst(CLOSES, 100)[:100]).all()


def test_noise_is_a_half_persistence_more_and_reversal_less() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, 6000)
    kept, turned = noise.copy(), noise.copy()
    for i in range(1, 6000):
        kept[i] += 0.4 * kept[i - 1]
        turned[i] -= 0.4 * turned[i - 1]
    means = [float(np.nanmean(found.hurst(100 * np.exp(np.cumsum(x)), 128))) for x in (turned, noise, kept)]
    assert means[0] < 0.44
    assert means[1] == pytest.approx(0.49, abs=0.02)
    assert means[2] > 0.55


def test_a_price_that_stands_still_counts_as_noise() -> None:
    values = found.hurst(np.full(40, 60_000.37), 32)
    assert values[32:] == pytest.approx(0.5, abs=1e-12)


def test_the_expected_range_is_that_of_noise() -> None:
    draws = np.random.default_rng(2).normal(0, 1, (20_000, 16))
    sums = np.cumsum(draws - draws.mean(axis=1, keepdims=True), axis=1)
    seen = ((sums.max(axis=1) - sums.min(axis=1)) / draws.std(axis=1)).mean()
    assert found.expected_range(16) == pytest.approx(seen, rel=0.01)


def test_chunks_are_halves_of_halves() -> None:
    assert found.chunk_sizes(100) == [100, 50, 25, 12]
    assert found.chunk_sizes(16) == [16, 8]


def test_volatility_is_the_deviation_of_the_last_log_returns() -> None:
    close = np.array([100.0, 110.0, 99.0, 108.9])
    values = found.volatility(close, 2)
    up, down = np.log(1.1), np.log(0.9)
    assert np.isnan(values[:2]).all()
    assert values[2:] == pytest.approx([abs(up - down) / 2] * 2)
    assert sqrt(((up - (up + down) / 2) ** 2 + (down - (up + down) / 2) ** 2) / 2) == pytest.approx(values[2])


def test_a_rank_is_the_share_of_smaller_values_before_and_ties_count_half() -> None:
    values = found.rank(np.array([np.nan, 3.0, 1.0, 2.0, 2.0, 9.0, 0.0]), 3)
    assert np.isnan(values[:3]).all()
    assert values[3:].tolist() == [0.5, 0.75, 1.0, 0.0]


def test_short_series_have_no_values() -> None:
    for size in (0, 1, 5):
        close = np.full(size, 100.0)
        assert np.isnan(found.hurst(close, 16)).all()
        assert np.isnan(found.rank(close, 8)).all()
        assert np.isnan(found.volatility(close, 8)).all()
        assert found.hurst(close, 16).size == size


def test_a_rise_has_no_minus_direction_and_mirrored_prices_swap_the_two() -> None:
    bars = random_bars(3, 120, price=1000.0)
    plus, minus = directional(*bars[2:5], 14)
    swapped = directional(5000 - bars.low, 5000 - bars.high, 5000 - bars.close, 14)
    assert np.array_equal(np.isnan(plus), np.arange(plus.size) < 14)
    assert swapped[0][14:] == pytest.approx(minus[14:])
    assert swapped[1][14:] == pytest.approx(plus[14:])
    rise = np.arange(100.0, 160.0)
    assert directional(rise + 1, rise - 1, rise, 14)[1][14:] == pytest.approx(0.0)
