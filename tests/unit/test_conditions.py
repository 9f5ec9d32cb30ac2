"""What sizing looks at in the market."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.regime.conditions import annual_volatility, gauges, history
from core.regime.regime_detector import Regime, detect
from core.regime.regime_detector import history as regime_history
from core.sizing import PLAIN, Choices
from tests.markets import HOUR, random_bars

YEAR_HOURS = 365.25 * 24


def test_volatility_is_the_root_of_the_mean_square_return_made_annual() -> None:
    bars = random_bars(1, 50)
    returns = np.diff(np.log(bars.close))
    found = annual_volatility(bars, 10)
    assert np.isnan(found[:10]).all()
    assert found[30] == pytest.approx(math.sqrt((returns[20:30] ** 2).mean() * YEAR_HOURS), rel=1e-12)


def test_a_gap_counts_as_the_time_it_is() -> None:
    bars = random_bars(1, 12)
    late = bars._replace(ts=np.where(np.arange(12) == 11, bars.ts + 10 * HOUR, bars.ts))
    assert annual_volatility(late, 10)[11] == pytest.approx(annual_volatility(bars, 10)[11] / math.sqrt(2))


def test_volatility_is_unknown_where_there_are_too_few_bars() -> None:
    assert np.isnan(annual_volatility(random_bars(1, 5), 10)).all()


def test_what_is_not_asked_for_is_one_everywhere_and_needs_no_history() -> None:
    bars = random_bars(1, 20)
    assert [column.tolist() for column in gauges(bars, PLAIN)] == [[1.0] * bars.ts.size] * 2
    assert history(PLAIN) == 0


def test_the_fit_is_cut_by_the_regime() -> None:
    bars = random_bars(3, 1500, volatility=0.01)
    labels, fit = detect(bars).label, gauges(bars, Choices(regime_cut=0.5)).fit
    expected = {Regime.RANGE: 0.75, Regime.TREND_UP: 1.0, Regime.TREND_DOWN: 1.0, Regime.HIGH_VOL: 0.5}
    assert {int(one) for one in labels[~np.isnan(labels)]} >= {0, 3}
    for regime, part in expected.items():
        assert set(fit[labels == regime]) <= {part}
    assert np.isnan(fit[np.isnan(labels)]).all()


def test_each_regime_keeps_a_part_of_its_own_besides_the_cut() -> None:
    bars = random_bars(3, 1500, volatility=0.01)
    parts = Choices(regime_trend=0.9, regime_range=0.67, regime_high_vol=0.4)
    labels, fit = detect(bars).label, gauges(bars, parts).fit
    both = gauges(bars, parts._replace(regime_cut=0.5)).fit
    expected = {Regime.RANGE: 0.67, Regime.TREND_UP: 0.9, Regime.TREND_DOWN: 0.9, Regime.HIGH_VOL: 0.4}
    cut = {Regime.RANGE: 0.75, Regime.TREND_UP: 1.0, Regime.TREND_DOWN: 1.0, Regime.HIGH_VOL: 0.5}
    for regime, part in expected.items():
        assert set(fit[labels == regime]) <= {part}
        assert set(both[labels == regime]) <= {part * cut[regime]}
    assert np.isnan(fit[np.isnan(labels)]).all()


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "choices",
    [Choices(vol_target=0.2, vol_period=40), Choices(regime_cut=0.5), Choices(regime_high_vol=0.3)],
)
def test_both_are_causal_and_the_same_in_a_live_window(choices: Choices) -> None:
    bars = random_bars(5, 2500)
    whole, length = gauges(bars, choices), history(choices)
    for i in range(length, bars.ts.size, 97):
        cut = gauges(bars.until(i + 1).since(i + 1 - length), choices)
        for one, other in zip(whole, cut, strict=True):
            assert np.array_equal(one[i], other[-1], equal_nan=True)


def test_the_history_is_the_longer_of_both() -> None:
    assert history(Choices(vol_target=0.1, vol_period=50)) == 51
    assert history(Choices(vol_target=0.1, vol_period=50, regime_cut=0.5)) == regime_history()
    assert history(Choices(regime_range=0.5)) == regime_history()
