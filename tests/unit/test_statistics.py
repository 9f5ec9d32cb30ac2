"""Statistics of runs small enough to work out by hand, and how they are presented."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from core.domain import Bars, FloatArray
from core.fills import ENTRY_BAR, EXIT_BAR, FEES, PNL, RETURN, TRADE_COLUMNS
from core.kernel.pairwise import make_halves
from core.results.calendar import describe_market
from core.results.runs import STATISTICS, presented
from core.results.statistics import compute, make_scratch, named
from core.results.sums import SUMS, Spare, add_up, compiled_sums
from tests.markets import HOUR, START
from tests.reference import random_curve, random_trades

DAY = 24 * HOUR
MONDAY = 1_704_067_200_000
"""2024-01-01."""


def bars_of(*closes: float, step: int = HOUR, start: int = START) -> Bars:
    close = np.array(closes)
    return Bars(start + step * np.arange(close.size), *[close] * 5)


def trades_of(*rows: tuple[int, int, float, float, float]) -> FloatArray:
    """Return trades from (entry bar, exit bar, pnl, return, fees)."""
    trades = np.zeros((len(rows), TRADE_COLUMNS))
    if rows:
        trades[:, [ENTRY_BAR, EXIT_BAR, PNL, RETURN, FEES]] = rows
    return trades


def stats_of(bars: Bars, curve: list[float], *trades: tuple[int, int, float, float, float]) -> pd.Series:
    return presented(named(compute(describe_market(bars), trades_of(*trades), np.array(curve), 0)))


FLAT_BARS = bars_of(*[100.0] * 6)


def test_a_run_without_a_trade_knows_its_times_and_nothing_about_trades() -> None:
    stats = stats_of(FLAT_BARS, [1000.0] * 6)
    assert stats["Start"] == pd.Timestamp(START, unit="ms")
    assert stats["Duration"] == pd.Timedelta(hours=5)
    assert (stats["# Trades"], stats["Exposure Time [%]"], stats["Return [%]"]) == (0, 0.0, 0.0)
    assert stats["Max. Trade Duration"] is pd.NaT
    assert math.isnan(stats["Win Rate [%]"])
    assert math.isnan(stats["Max. Drawdown Duration"])
    assert "Commissions [$]" not in stats
    assert list(stats.index) == [name for name in STATISTICS if name != "Commissions [$]"]


def test_lots_open_at_the_same_time_are_counted_once_in_exposure() -> None:
    overlapping = [(0, 2, 1.0, 0.1, 0.0), (1, 3, 1.0, 0.1, 0.0), (1, 3, 1.0, 0.1, 0.0)]
    assert stats_of(FLAT_BARS, [1000.0] * 6, *overlapping)["Exposure Time [%]"] == 4 / 6 * 100
    enclosed = [(2, 2, 1.0, 0.1, 0.0), (1, 4, 1.0, 0.1, 0.0)]
    assert stats_of(FLAT_BARS, [1000.0] * 6, *enclosed)["Exposure Time [%]"] == 4 / 6 * 100


def test_the_figures_of_a_few_trades() -> None:
    stats = stats_of(
        FLAT_BARS,
        [1000.0] * 6,
        *[(0, 1, 30.0, 0.5, 1.0), (1, 1, 10.0, 0.5, 2.0), (2, 4, -20.0, -0.25, 4.0)],
    )
    assert stats["# Trades"] == 3
    assert stats["Commissions [$]"] == 7.0
    assert stats["Win Rate [%]"] == 2 / 3 * 100
    assert (stats["Best Trade [%]"], stats["Worst Trade [%]"]) == (50.0, -25.0)
    assert stats["Profit Factor"] == 4.0
    assert stats["Expectancy [%]"] == 25.0
    assert stats["Kelly Criterion"] == pytest.approx(2 / 3 - 1 / 3 / (20 / 20))
    assert stats["Max. Trade Duration"] == pd.Timedelta(hours=2)
    assert stats["Avg. Trade Duration"] == pd.Timedelta(hours=1)


def test_average_durations_are_rounded_up_to_the_bars_unit() -> None:
    stats = stats_of(FLAT_BARS, [1000.0] * 6, (0, 0, 1.0, 0.1, 0.0), (0, 1, 1.0, 0.1, 0.0))
    assert stats["Avg. Trade Duration"] == pd.Timedelta(hours=1)


def test_drawdowns_last_from_peak_to_peak() -> None:
    stats = stats_of(FLAT_BARS, [100.0, 90.0, 100.0, 80.0, 95.0, 120.0])
    assert (stats["Equity Peak [$]"], stats["Equity Final [$]"]) == (120.0, 120.0)
    assert stats["Max. Drawdown [%]"] == pytest.approx(-20.0)
    assert stats["Avg. Drawdown [%]"] == pytest.approx(-15.0)
    assert stats["Max. Drawdown Duration"] == pd.Timedelta(hours=3)
    assert stats["Avg. Drawdown Duration"] == pd.Timedelta(hours=3)  # 2.5, rounded up


def test_a_fall_on_the_last_bar_alone_has_a_depth_where_its_duration_belongs() -> None:
    stats = stats_of(FLAT_BARS, [100.0, 100.0, 110.0, 120.0, 120.0, 90.0])
    assert (stats["Max. Drawdown [%]"], stats["Avg. Drawdown [%]"]) == (-25.0, -25.0)
    assert (stats["Max. Drawdown Duration"], stats["Avg. Drawdown Duration"]) == (0.25, 0.25)


def test_a_run_within_one_day_has_no_annual_figures() -> None:
    stats = stats_of(bars_of(1.0, 2.0, 3.0, start=MONDAY), [100.0, 101.0, 102.0])
    assert math.isnan(stats["Sharpe Ratio"])
    assert math.isnan(stats["Return (Ann.) [%]"])


def test_two_bars_have_no_beta() -> None:
    assert math.isnan(stats_of(bars_of(1.0, 2.0), [100.0, 101.0])["Beta"])


def test_a_run_shorter_than_a_second_has_no_annual_growth() -> None:
    bars = bars_of(1.0, 2.0, 3.0, step=100, start=MONDAY)
    assert math.isnan(stats_of(bars, [100.0, 101.0, 102.0])["CAGR [%]"])


def test_a_ruined_run_lost_everything_and_grows_by_nothing() -> None:
    bars = bars_of(*range(1, 7), step=DAY, start=MONDAY)
    stats = stats_of(bars, [100.0, 50.0, 0.0, 0.0, 0.0, 0.0])
    assert (stats["Return [%]"], stats["Max. Drawdown [%]"], stats["Return (Ann.) [%]"]) == (
        -100.0,
        -100.0,
        0,
    )
    assert math.isnan(stats["Beta"])


def test_buy_and_hold_starts_where_the_columns_do() -> None:
    bars = bars_of(50.0, 100.0, 150.0)
    facts = describe_market(bars)
    values = compute(facts, trades_of(), np.full(3, 10.0), 1, make_scratch(facts))
    assert named(values)["Buy & Hold Return [%]"] == 50.0


@pytest.mark.parametrize(
    ("step", "count", "start", "year", "ends"),
    [
        (12 * HOUR, 5, MONDAY, 252, [1, 3, 4]),
        (DAY, 7, MONDAY, 365, [0, 1, 2, 3, 4, 5, 6]),
        (DAY, 5, MONDAY, 252, [0, 1, 2, 3, 4]),
        (7 * DAY, 3, MONDAY, 52, [0, 1, 2]),
        (31 * DAY, 3, MONDAY, 12, [0, 1, 2]),
        (365 * DAY, 3, MONDAY, 1, [1, 2]),  # 2024 is longer
    ],
)
def test_a_series_is_cut_into_the_periods_that_returns_are_counted_in(
    step: int, count: int, start: int, year: int, ends: list[int]
) -> None:
    facts = describe_market(bars_of(*range(1, count + 1), step=step, start=start))
    assert (facts.periods_per_year, facts.period_ends.tolist()) == (year, ends)


def test_days_without_bars_are_no_periods() -> None:
    bars = bars_of(1.0, 2.0, 3.0, 4.0, start=MONDAY)
    bars.ts[2:] += 5 * DAY
    assert describe_market(bars).period_ends.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("step", "unit"),
    [(DAY, DAY), (4 * HOUR, HOUR), (900_000, 60_000), (90_000, 1000), (1500, 1)],
)
def test_durations_are_rounded_to_the_largest_unit_that_divides_a_bar(step: int, unit: int) -> None:
    assert describe_market(bars_of(1.0, 2.0, 3.0, step=step)).resolution == unit


@pytest.mark.parametrize("kind", range(7))
def test_the_sums_made_in_plain_python_are_those_of_the_compiled_ones(kind: int) -> None:
    rng = np.random.default_rng(kind)
    curves = np.array([random_curve(rng, 300, kind) for _ in range(3)])
    each = [random_trades(rng, 300) for _ in range(3)]
    trades, ends = np.concatenate(each), np.cumsum([len(one) for one in each])
    stamps = HOUR * np.arange(300)
    found = []
    for add in (add_up, compiled_sums()):
        depths, sums, factors = np.full(300, 7.0), np.full((3, SUMS), 7.0), np.full(len(trades), 7.0)
        spare = Spare(np.empty((2, len(trades))), make_halves())
        add(curves, trades, ends, stamps, depths, sums, factors, spare)
        found.append((depths, sums, factors))
    for plain, fast in zip(*found, strict=True):
        assert np.array_equal(plain, fast)
