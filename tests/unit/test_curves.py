from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from core.domain import FloatArray, IntArray
from core.results.curves import drawdowns, monthly_returns, rolling
from core.results.measures import Summary, definitions, max_drawdown, ratios
from core.utils import parse_time
from tests.markets import random_bars

DAY = 86_400_000


def days(count: int, start: str = "2024-01-01") -> IntArray:
    """Closes at the end of each day."""
    return parse_time(start) + DAY * np.arange(1, count + 1, dtype=np.int64)


def test_drawdowns_are_named_by_peak_bottom_and_return_the_deepest_first() -> None:
    equity = np.array([100.0, 90, 95, 100, 120, 60, 110, 120, 130, 117])
    times = days(equity.size)
    first, second, third = drawdowns(times, equity, 5)
    assert first == (times[4], times[5], times[7], 0.5)
    assert second[:3] == (times[0], times[1], times[3])
    assert second.depth == pytest.approx(0.1)
    assert third[:3] == (times[8], times[9], None)
    assert third.depth == pytest.approx(0.1)
    assert drawdowns(times, equity, 1) == [first]


def test_what_only_rises_has_no_drawdown() -> None:
    assert drawdowns(days(3), np.array([1.0, 1.0, 2.0]), 5) == []


def test_the_deepest_drawdown_is_the_figure_s_to_the_last_bit() -> None:
    bars = random_bars(4, 3000)
    assert drawdowns(bars.ts, bars.close, 1)[0].depth == max_drawdown(bars.close)


def test_months_compound_to_the_whole_and_midnight_ends_the_month_before() -> None:
    equity = np.linspace(100.0, 150.0, 91)
    months = monthly_returns(days(91), equity)
    assert list(months) == ["2024-01", "2024-02", "2024-03"]
    assert months["2024-01"] == equity[30] / equity[0] - 1
    assert months["2024-02"] == equity[59] / equity[30] - 1
    assert math.prod(1 + one for one in months.values()) == pytest.approx(1.5)


def test_a_month_without_a_bar_has_no_return_and_a_ruined_account_neither() -> None:
    times = np.array([parse_time("2024-01-10"), parse_time("2024-03-05"), parse_time("2024-04-05")])
    assert monthly_returns(times, np.array([100.0, 0.0, 0.0])) == {
        "2024-01": 0.0,
        "2024-02": 0.0,
        "2024-03": -1.0,
        "2024-04": 0.0,
    }


def test_rolling_figures_are_the_definitions_of_each_window() -> None:
    rng = np.random.default_rng(5)
    equity: FloatArray = 1000 * np.cumprod(1 + rng.normal(0.001, 0.02, 120)).astype(np.float64)
    found = rolling(days(120), equity)
    returns = equity[1:] / equity[:-1] - 1
    assert found.times.size == 119 - 90 + 1
    assert found.times[0] == parse_time("2024-01-01") + DAY * 91
    assert (found.volatility[0], found.sharpe[0]) == ratios(returns[:90])[:2]
    own = statistics.fmean(returns[-90:]) / statistics.stdev(returns[-90:]) * math.sqrt(365)
    assert found.sharpe[-1] == pytest.approx(own)


def test_too_few_days_have_no_rolling_figures() -> None:
    assert rolling(days(90), np.full(90, 1.0)).times.size == 0


def test_every_figure_of_a_summary_has_its_definition() -> None:
    texts = definitions()
    assert texts.keys() == set(Summary._fields)
    assert texts["win_rate_pct"] == "share of closed trades that made money after fees."
    assert texts["sharpe_ratio"].startswith("mean over sample deviation of daily returns, times √365")
