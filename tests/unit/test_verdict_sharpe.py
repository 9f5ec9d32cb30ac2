"""Sharpe ratios are as sure as the papers' published numbers say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.verdict.sharpe import (
    SharpeSample,
    best_by_luck,
    deflated_sharpe,
    luckiest,
    luckiest_of,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_deviation,
    sharpe_sample,
    sharpes_of_all,
    shortest_track_record,
)

# Bailey and López de Prado, 2014, section "A numerical example": 5 years of 250 days, an annual Sharpe ratio
# of 2.5 with skew -3 and kurtosis 10, the tries' annual ratios with a variance of a half.
PAPER = SharpeSample(1250, 2.5 / math.sqrt(250), -3.0, 10.0)
SPREAD = math.sqrt(0.5 / 250)
# López de Prado, Lipton and Zoonekynd, 2026, its numerical example: 24 months of a hedge fund.
FUND = SharpeSample(24, 0.036 / 0.079, -2.448, 10.164)


@pytest.mark.parametrize(
    ("tries", "sample", "published"),
    [(100, PAPER, 0.9004), (46, PAPER, 0.9505), (88, PAPER._replace(skew=0.0, kurtosis=3.0), 0.9505)],
)
def test_the_deflated_sharpe_ratio_of_the_paper_comes_out(
    tries: int, sample: SharpeSample, published: float
) -> None:
    assert deflated_sharpe(sample, tries, SPREAD) == pytest.approx(published, abs=0.0003)


@pytest.mark.parametrize(("tries", "exact"), [(10, 1.53875), (100, 2.50759), (1000, 3.24144)])
def test_the_best_by_luck_is_near_the_mean_maximum_of_normal_draws(tries: int, exact: float) -> None:
    # Expected maxima of standard normal samples are tabulated (Harter, Biometrika 1961).
    assert luckiest_of(tries, 365.0) == pytest.approx(exact, rel=0.03)
    # In four years a Sharpe ratio of nothing varies half as much.
    assert luckiest_of(tries, 1460.0) == pytest.approx(exact / 2, rel=0.03)


def test_the_luckiest_of_a_hundred_is_the_papers() -> None:
    assert luckiest(100) * SPREAD == pytest.approx(0.1132, abs=0.00005)
    assert luckiest(1) == 0.0


@pytest.mark.parametrize(
    ("a_year", "skew", "kurtosis", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_track_records_of_2012_come_out(a_year: int, skew: float, kurtosis: float, years: float) -> None:
    # An annual Sharpe ratio of 2 that is to be above 1, from daily, weekly and monthly returns.
    sample = SharpeSample(24, 2 / math.sqrt(a_year), skew, kurtosis)
    assert minimum_track_record(sample, 1 / math.sqrt(a_year)) / a_year == pytest.approx(years, abs=0.005)


@pytest.mark.parametrize(
    ("sample", "published"),
    [(FUND, 0.329), (FUND._replace(skew=0.0, kurtosis=3.0), 0.214), (FUND._replace(rho=0.2), 0.379)],
)
def test_the_standard_errors_of_2026_come_out(sample: SharpeSample, published: float) -> None:
    assert sharpe_deviation(sample) == pytest.approx(published, abs=0.0005)


@pytest.mark.parametrize(("benchmark", "published"), [(0.0, 0.987), (0.1, 0.939)])
def test_the_probabilities_of_2026_come_out(benchmark: float, published: float) -> None:
    assert probabilistic_sharpe(FUND, benchmark, at=benchmark) == pytest.approx(published, abs=0.0005)


def test_a_track_record_of_that_length_is_just_as_sure_as_asked() -> None:
    length = minimum_track_record(FUND, 0.1, 0.9)
    assert probabilistic_sharpe(FUND._replace(length=length), 0.1) == pytest.approx(0.9, abs=1e-9)  # type: ignore[arg-type]
    assert minimum_track_record(FUND, 0.5) == math.inf


@pytest.mark.unmeasured
def test_the_standard_error_is_that_of_many_autocorrelated_samples() -> None:
    random, count, rho = np.random.default_rng(1), 500, 0.3
    noise = random.standard_normal((4000, count + 50))
    for day in range(1, count + 50):
        noise[:, day] += rho * noise[:, day - 1]
    seen = sharpes_of_all(noise[:, 50:]).std()
    assert sharpe_deviation(SharpeSample(count, 0.0, 0.0, 3.0, rho)) == pytest.approx(seen, rel=0.03)


def test_moments_are_numpys_own() -> None:
    returns = np.random.default_rng(2).standard_t(5, 300) + 0.1
    sample, apart = sharpe_sample(returns), (returns - returns.mean()) / returns.std()
    assert sample.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert (sample.skew, sample.kurtosis) == pytest.approx(((apart**3).mean(), (apart**4).mean()))
    assert sample.rho == pytest.approx(np.corrcoef(returns[1:], returns[:-1])[0, 1], abs=0.01)
    assert sharpes_of_all(returns[None, :])[0] == pytest.approx(sample.sharpe)


@pytest.mark.parametrize("returns", [np.full(50, 0.1), np.zeros(50), np.array([0.1])])
def test_returns_that_do_not_vary_have_no_sharpe_ratio(returns: np.ndarray) -> None:
    sample = sharpe_sample(returns)
    assert math.isnan(sample.sharpe)
    assert math.isnan(probabilistic_sharpe(sample))
    assert math.isnan(deflated_sharpe(sample, 10, 0.1))
    assert math.isnan(minimum_track_record(sample))


def test_a_skew_that_no_returns_can_have_is_no_number() -> None:
    assert math.isnan(probabilistic_sharpe(SharpeSample(10, 2.0, 9.0, 3.0)))


def test_days_that_find_an_edge_do_find_it_four_times_in_five() -> None:
    days = math.ceil(shortest_track_record(0.15))
    drawn = np.random.default_rng(3).standard_normal((4000, days)) + 0.15
    assert (sharpes_of_all(drawn) * math.sqrt(days) > 1.645).mean() == pytest.approx(0.8, abs=0.02)


def test_the_best_by_luck_is_distributed_as_the_best_of_many() -> None:
    random = np.random.default_rng(4)
    direct = random.standard_normal((4000, 50)).max(axis=1)
    quantiles = (0.1, 0.5, 0.9)
    found = best_by_luck(50, random.random(4000))
    assert np.quantile(found, quantiles) == pytest.approx(np.quantile(direct, quantiles), abs=0.06)
