"""The figures that people read, against published numbers, pandas' calendar and runs worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.fast_backtester import run_fast
from core.backtest.replay import ReplayAccount, ReplayFeed, account_summary, replay
from core.domain import Costs, FloatArray, Series
from core.results.measures import (
    FEWEST,
    Summary,
    as_summary,
    buy_and_hold,
    hold_curve,
    max_drawdown,
    measure,
    profit_factor,
    ratios,
    reasons,
    risk_of_equity,
    span_of,
    summary_from_json,
    summary_json,
    win_rate,
)
from core.results.runs import RunSpec
from strategies.registry import load_strategy
from tests.markets import HOUR, START, make_bars, random_bars

DAY = 24 * HOUR
INF = math.inf

# From empyrical-reloaded's tests (test_stats.py and conftest.py at efe60664, Apache-2.0), whose year
# has 252 days: its ratios and volatility are here times the root of 365/252.
MIXED = (0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1)
NEGATIVE = (0.0, -0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05)
POSITIVE = (0.01, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01)
BENCHMARK = (0.0, 0.01, 0.0, 0.01, 0.0, 0.01, 0.0, 0.01, 0.0)
UP_DOWN_UP = (0.1, -0.1, 0.1)
YEAR = math.sqrt(365 / 252)


def equity_of(returns: tuple[float, ...] | FloatArray) -> FloatArray:
    return 100.0 * np.cumprod(np.array([1.0, *(1 + np.array(returns))]))


def daily(equity: FloatArray, first: int = START) -> tuple[float, ...]:
    """Return the annual figures of equity at the close of daily bars."""
    span = span_of(first + DAY * np.arange(1, equity.size + 1))
    return risk_of_equity(span, equity, max_drawdown(equity))


def summary_of(equity: FloatArray, pnl: list[float], step: int = DAY) -> Summary:
    span = span_of(START // DAY * DAY + step * np.arange(1, equity.size + 1))
    drawdown = 100 * max_drawdown(equity)
    return as_summary(measure(span, equity, np.array(pnl), 0.1, drawdown, 50.0))


@pytest.mark.parametrize(
    ("returns", "sharpe", "sortino"),
    [
        (MIXED, 1.7238613961706866, 2.605531251673693),
        (NEGATIVE, -24.406808633910085, -13.5327430750434),
        (POSITIVE, 52.915026221291804, INF),
        ((0.01,) * 9, INF, INF),
    ],
)
def test_ratios_are_the_published_ones(returns: tuple[float, ...], sharpe: float, sortino: float) -> None:
    _, *found = ratios(np.array(returns))
    assert found == pytest.approx([sharpe * YEAR, sortino * YEAR], rel=1e-12)


def test_volatility_is_the_published_one() -> None:
    assert ratios(np.array(MIXED))[0] == pytest.approx(0.9136465399704637 * YEAR, rel=1e-12)


@pytest.mark.parametrize(
    ("returns", "drawdown"),
    [(MIXED, 0.1), (NEGATIVE, 0.3659073), (POSITIVE, 0.0), (BENCHMARK, 0.0), (UP_DOWN_UP, 0.1)],
)
def test_the_drawdown_is_the_published_one(returns: tuple[float, ...], drawdown: float) -> None:
    assert max_drawdown(equity_of(returns)) == pytest.approx(drawdown, abs=5e-9)


def test_two_years_of_days_have_the_figures_that_empyrical_computes() -> None:
    # empyrical-reloaded 0.7.1, annualization=365.
    i = np.arange(730)
    returns = 0.01 * np.sin(0.7 * i) + 0.004 * np.cos(0.13 * i * i) + 0.0006
    found = daily(equity_of(returns))
    expected = [0.355232124533158, 0.14751323171260272, 2.1351101158098187, 3.327866932378381]
    assert found == pytest.approx([*expected, 8.054278496896702, 730], rel=1e-9)


@pytest.mark.unmeasured
@given(
    minutes=st.sampled_from([15, 60, 240, 1440]),
    first=st.integers(0, 95),
    holes=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 400)), max_size=4),
    seed=st.integers(0, 1000),
)
def test_daily_returns_are_those_of_pandas_calendar_with_missing_days_carried_over(
    minutes: int, first: int, holes: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    steps = np.ones(900 if minutes == 1440 else 7000, np.int64)
    for at, length in holes:
        steps[at % steps.size] += length
    opens = START // DAY * DAY + minutes * 60_000 * (first + np.cumsum(steps))
    equity = 1000 * np.exp(np.cumsum(rng.normal(0, 1e-3, steps.size)))
    days = pd.Series(equity, pd.DatetimeIndex(opens.astype("datetime64[ms]"))).resample("1D").last().ffill()
    changes = days.pct_change().dropna()
    found = risk_of_equity(span_of(opens + minutes * 60_000), equity, 0.1)
    assert found.daily_returns == len(changes)
    if len(changes) >= FEWEST:
        deviation = changes.std() * math.sqrt(365)
        assert found.volatility == pytest.approx(deviation, rel=1e-9)
        assert found.sharpe == pytest.approx(changes.mean() * 365 / deviation, rel=1e-7)


def test_a_hole_counts_as_the_time_that_it_lasts() -> None:
    # 400 daily bars with 180 missing: 12.12 % in 579 days are 7.48 % a year, and not 11.03 %.
    stamps = np.concatenate([np.arange(200), np.arange(380, 580)])
    rng = np.random.default_rng(1)
    equity = 10_000 * np.exp(np.cumsum(np.append(0, rng.normal(0, 0.01, 399))))
    equity[-1] = 11_212.04
    found = risk_of_equity(span_of(START // DAY * DAY + DAY * (stamps + 1)), equity, 0.1)
    assert found.daily_returns == 579
    assert 100 * found.annual_return == pytest.approx(7.478, abs=0.001)
    carried = np.concatenate([equity[:200], np.full(180, equity[199]), equity[200:]])
    assert found[1:4] == pytest.approx(daily(carried)[1:4], rel=1e-12)


def test_part_of_a_first_and_of_a_last_day_lengthen_a_year_by_what_they_are() -> None:
    # From 12:00 on the first day to 06:00 on the hundredth: 98.75 days between first and last close.
    closes = START // DAY * DAY + 12 * HOUR + HOUR * np.arange(1, 98 * 24 + 18 + 2)
    equity = np.linspace(1000.0, 1100.0, closes.size)
    found = risk_of_equity(span_of(closes), equity, 0.1)
    assert found.daily_returns == 99
    assert found.annual_return == pytest.approx(1.1 ** (365 / (98 + 18 / 24)) - 1, rel=1e-12)


def test_a_week_without_a_weekend_is_too_short_and_not_a_market_of_252_days() -> None:
    equity = np.linspace(1000.0, 1220.0, 120)
    summary = summary_of(equity, [220.0], HOUR)
    assert summary.sharpe_ratio is None
    assert summary.daily_returns == 4
    assert summary.return_pct == pytest.approx(22.0)
    names = ("annual_return_pct", "volatility_pct", "sharpe_ratio", "sortino_ratio", "calmar_ratio")
    assert reasons(summary) == dict.fromkeys(names, "needs 60 daily returns, there are 4")


def test_sixty_daily_returns_are_enough_and_fifty_nine_are_not() -> None:
    returns = 0.01 * np.sin(np.arange(60))
    assert math.isfinite(daily(equity_of(returns))[2])
    assert math.isnan(daily(equity_of(returns[:59]))[2])


def test_a_ruined_account_lost_everything_a_year_and_has_no_ratios() -> None:
    equity = np.append(np.linspace(1000.0, 10.0, 70), np.zeros(30))
    summary = summary_of(equity, [-1000.0])
    assert (summary.annual_return_pct, summary.max_drawdown_pct) == (-100.0, 100.0)
    assert summary.profit_factor == 0.0
    ratio_names = ("volatility_pct", "sharpe_ratio", "sortino_ratio", "calmar_ratio")
    assert reasons(summary) == dict.fromkeys(ratio_names, "the account was ruined")


def test_a_run_without_a_trade_says_so() -> None:
    summary = summary_of(np.full(100, 1000.0), [])
    assert (summary.annual_return_pct, summary.volatility_pct, summary.trades_count) == (0.0, 0.0, 0)
    names = ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "win_rate_pct", "profit_factor")
    assert reasons(summary) == dict.fromkeys(names, "no trades")


def test_trades_that_change_no_day_and_win_and_lose_nothing_say_so() -> None:
    summary = summary_of(np.full(100, 1000.0), [0.0])
    assert summary.win_rate_pct == 0.0
    why = reasons(summary)
    assert why["sharpe_ratio"] == "equity never changed from one day to the next"
    assert why["profit_factor"] == "nothing was won or lost"


def test_the_profit_factor_counts_money_and_not_percent() -> None:
    # One lot of 2,000 wins 10 %, ten of 10 lose 5 % each: money was made, though the percents sum below 0.
    pnl = np.array([200.0, *[-0.5] * 10])
    assert profit_factor(pnl) == 40.0
    assert win_rate(pnl) == 1 / 11


def test_only_winners_make_an_infinite_profit_factor() -> None:
    assert profit_factor(np.array([1.0, 2.0])) == INF
    assert profit_factor(np.array([-1.0])) == 0.0
    assert math.isnan(profit_factor(np.array([])))


def test_buy_and_hold_pays_its_costs_from_the_first_open_to_the_last_close() -> None:
    bars = make_bars((100.0, 101.0, 99.0, 100.0), (100.0, 130.0, 100.0, 120.0))
    # 1000 buy 1000 / (100 * 1.01 * 1.002) coins, which bring 120 * 0.998 each.
    coins = 1000 / (100 * 1.01 * 1.002)
    expected = coins * 120 * 0.998 / 1000 - 1
    assert buy_and_hold(bars, Costs(0.002, 0.01)) == pytest.approx(expected, rel=1e-12)
    assert hold_curve(bars, Costs(0.002, 0.01))[-1] == pytest.approx(coins * 120 / 1000, rel=1e-12)


def test_buy_and_hold_is_the_same_whatever_a_strategy_s_warm_up() -> None:
    bars, series = random_bars(3, 700), Series("binanceus", "BTC/USDT", "1h")
    specs = [RunSpec(series, "TREND_EMA", {"ema_slow": slow}, Costs(0.001), 1000.0) for slow in (25, 50, 300)]
    held = {run_fast(bars, spec).summary.buy_hold_return_pct for spec in specs}
    assert held == {100 * buy_and_hold(bars, Costs(0.001))}


def test_figures_survive_json_infinite_ones_too() -> None:
    summary = summary_of(equity_of((0.01,) * 70), [5.0])
    assert summary.profit_factor == summary.sharpe_ratio == INF
    assert summary_json(summary)["profit_factor"] == "Infinity"
    assert summary_from_json(summary_json(summary)) == summary
    losing = summary._replace(sharpe_ratio=-INF)
    assert summary_from_json(summary_json(losing)) == losing


def test_one_bar_has_no_daily_return() -> None:
    found = risk_of_equity(span_of(np.array([START + HOUR])), np.array([1000.0]), 0.0)
    assert found.daily_returns == 0
    assert math.isnan(found.annual_return)


def test_a_bar_that_closes_at_midnight_ends_the_day_before() -> None:
    midnight = START // DAY * DAY
    assert span_of(np.array([midnight - HOUR, midnight, midnight + HOUR])).day_ends.tolist() == [1, 2]


def test_a_weekly_bar_is_the_last_of_seven_days() -> None:
    span = span_of(START // DAY * DAY + 7 * DAY * np.arange(1, 4))
    assert span.day_ends.tolist() == [0] * 7 + [1] * 7 + [2]


def test_what_needs_the_candles_of_one_series_says_so() -> None:
    summary = summary_of(np.full(100, 1000.0), [1.0])._replace(buy_hold_return_pct=None, exposure_pct=None)
    reason = "not known without the candles of one series"
    assert reasons(summary)["buy_hold_return_pct"] == reasons(summary)["exposure_pct"] == reason


@pytest.mark.unmeasured
def test_a_replay_of_one_strategy_has_the_figures_of_its_backtest() -> None:
    bars, series = random_bars(4, 2000), Series("binanceus", "BTC/USDT", "1h")
    spec = RunSpec(series, "MACD_CROSS", {}, Costs(0.001), 10_000.0)
    feed = ReplayFeed("MACD_CROSS", load_strategy("MACD_CROSS"), {}, series.symbol, series.timeframe, bars)
    expected = run_fast(bars, spec).summary
    found = account_summary(replay([feed], ReplayAccount(spec.cash, spec.costs)))
    assert found.sharpe_ratio is not None
    assert found[:1] + found[3:5] + found[6:10] == expected[:1] + expected[3:5] + expected[6:10]
    assert found.profit_factor == pytest.approx(expected.profit_factor, rel=1e-9)
    assert found.max_drawdown_pct == pytest.approx(expected.max_drawdown_pct, rel=1e-12)
    assert found.trades_count == expected.trades_count
