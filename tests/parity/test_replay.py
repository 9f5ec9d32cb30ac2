"""The portfolio backtest is the backtest: one strategy on one account, limits opened wide, `==`."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.account.lots import Trade, price_or_none
from core.account.money import total
from core.account.orders import Executed
from core.backtest.fast_backtester import simulate_fast
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, replay
from core.backtester import simulate
from core.cli.replay_command import risk_terms
from core.domain import Bars, Costs, Series
from core.engine import Step
from core.errors import UsageError
from core.results.runs import BacktestResult, RunSpec
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from core.settings import load_settings
from strategies.registry import REGISTRY, Strategy, load_strategy
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.scripted import SCRIPTED
from tests.tiers import some, statistics, tries

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
FOUR = ("TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR")
SYMBOL, OTHER, TIMEFRAME = "BTC/USDT", "ETH/USDT", "1h"
COSTS = (Costs(0.0, 0.0), Costs(0.001, 0.0), Costs(0.0007, 0.0004))
WILD = {"stop_away": 3.0, "take_away": 4.0, "risk_per_trade": 0.2}


def spec_of(name: str, seed: int, **params: float) -> RunSpec:
    return RunSpec(Series("binanceus", SYMBOL, TIMEFRAME), name, params, COSTS[seed % 3], 10_000.0)


def wild_bars(seed: int, length: int = 500) -> Bars:
    volatility, price = [0.002, 0.01, 0.03][seed % 3], [1.5e-6, 100.0, 60_000.0][seed % 3]
    return random_bars(seed, length, volatility=volatility, price=price)


def scripted_bars(seed: int) -> Bars:
    bars = random_bars(seed, 250, volatility=0.02, price=100.0)
    likely = [0.4, 0.1, 0.08, 0.08, 0.03, 0.1, 0.08, 0.05, 0.05, 0.03]
    return bars._replace(
        volume=np.random.default_rng(seed).choice(10, bars.close.size, p=likely).astype(float)
    )


def replay_one(bars: Bars, spec: RunSpec, strategy: Strategy, **how: Any) -> Replay:
    feed = ReplayFeed(spec.strategy, strategy, spec.params, SYMBOL, TIMEFRAME, bars)
    return replay([feed], ReplayAccount(spec.cash, spec.costs), **how)


def backtested(result: BacktestResult) -> list[tuple[Any, ...]]:
    brackets = zip(*(map(price_or_none, result.trades[name].tolist()) for name in ("SL", "TP")), strict=True)
    return [
        (one.side, one.size, one.entry_ts, one.exit_ts, one.entry_price, one.exit_price, one.reason, *bracket)
        for one, bracket in zip(result.records, brackets, strict=True)
    ]


def replayed(trades: tuple[Trade, ...], bars: Bars) -> list[tuple[Any, ...]]:
    return [
        (
            *("LONG" if one.side > 0 else "SHORT", float(one.amount)),
            *(int(bars.ts[one.entry_bar]), int(bars.ts[one.exit_bar])),
            *(one.entry_price, one.exit_price, one.reason, one.stop, one.take),
        )
        for one in trades
    ]


def assert_equal(run: Replay, result: BacktestResult, bars: Bars) -> None:
    assert replayed(run.trades[result.spec.strategy], bars) == backtested(result)
    assert np.array_equal(run.equity, result.equity)
    counted = run.refusals.get(result.spec.strategy, Counter())
    assert {reason: n for reason, n in counted.items() if reason != "expired"} == result.refusals
    assert run.bounds.get(result.spec.strategy, {}) == result.bounds


@statistics
@pytest.mark.parametrize("name", some(REGISTRY, 7))
def test_one_strategy_replayed_is_its_backtest_trade_for_trade_on_many_markets(name: str) -> None:
    trades, markets = 0, tries(40, len(COSTS))
    for seed in range(markets):
        bars, spec = (
            wild_bars(seed, 500 if name in FOUR else 300),
            spec_of(name, seed, **LIVELY.get(name, {})),
        )
        strategy = strategy_for(name, bars)
        result = simulate(bars, spec, strategy)
        assert_equal(replay_one(bars, spec, strategy), result, bars)
        trades += len(result.records)
    assert trades > 7 * markets


@statistics
def test_arbitrary_orders_replayed_are_their_backtest_and_every_reason_occurs() -> None:
    reasons: set[str] = set()
    for seed in range(tries(60, 12)):
        bars, spec = scripted_bars(seed), spec_of("SCRIPTED", seed, **WILD)
        result = simulate(bars, spec, SCRIPTED)
        assert_equal(replay_one(bars, spec, SCRIPTED), result, bars)
        reasons |= {trade.reason for trade in result.records}
    assert reasons == {"stop", "trail", "take", "rule", "time", "reduce", "reverse", "end"}


@statistics
@pytest.mark.parametrize("name", some(REGISTRY, 7))
def test_columns_computed_once_decide_as_the_live_class_does(name: str) -> None:
    bars, spec = wild_bars(7), spec_of(name, 7, **LIVELY.get(name, {}))
    strategy = strategy_for(name, bars)
    fast, live = (replay_one(bars, spec, strategy, as_live=how) for how in (False, True))
    assert fast.trades == live.trades
    assert np.array_equal(fast.equity, live.equity)
    assert sum(map(len, fast.trades.values())) > 0


def test_a_ruined_account_ends_as_its_backtest_does() -> None:
    rows = np.array([[100.0, 101.0, 99.0, 100.0]] * 5 + [[100.0, 400.0, 100.0, 400.0]] * 3)
    orders = np.array([0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 1.0, 0.0])
    stamps = wild_bars(1).ts[0] + 3_600_000 * np.arange(8)
    bars = Bars(stamps, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], orders)
    spec = spec_of("SCRIPTED", 0)
    run, result = replay_one(bars, spec, SCRIPTED), simulate(bars, spec, SCRIPTED)
    assert replayed(run.trades["SCRIPTED"], bars) == backtested(result)
    assert np.array_equal(run.equity, result.equity)
    assert [trade.reason for trade in run.trades["SCRIPTED"]] == ["ruin"] * 3
    # Where a backtest stops, an account is still asked; nothing can be bought with nothing.
    assert run.refusals == {"SCRIPTED": {"lot": 1}}


def portfolio_feeds(seed: int) -> list[ReplayFeed]:
    """Return four strategies on two symbols, and one that trades one of them on another timeframe."""
    series = {SYMBOL: wild_bars(3 * seed + 2), OTHER: wild_bars(3 * seed + 1)}
    feeds = [
        ReplayFeed(name, load_strategy(name), {}, symbol, TIMEFRAME, bars)
        for name in FOUR
        for symbol, bars in series.items()
    ]
    slow = series[OTHER]
    return [*feeds, ReplayFeed("SLOW", load_strategy("MR_BB"), {}, OTHER, "4h", four_hours(slow))]


def four_hours(bars: Bars) -> Bars:
    kept = np.flatnonzero(bars.ts % 14_400_000 == 0)
    return Bars(bars.ts[kept], *(column[kept] for column in bars[1:]))


def test_strategies_on_one_account_add_up_to_it_to_the_last_digit() -> None:
    for seed in range(6):
        steps: list[Step] = []
        run = replay(portfolio_feeds(seed), ReplayAccount(10_000.0, COSTS[seed % 3]), steps.append)
        portfolio = run.session.portfolio
        assert not portfolio.positions
        profits = portfolio.profits({})
        by_trades = {name: total(trade.pnl for trade in trades) for name, trades in run.trades.items()}
        assert {name: profits.get(name, Decimal(0)) for name in by_trades} == by_trades
        assert portfolio.cash == total((portfolio.deposits, *profits.values()))
        assert portfolio.settled == run.desk.cash == run.equity[-1]
        assert portfolio.settled == pytest.approx(float(portfolio.cash), rel=1e-12)
        assert portfolio.reserved == 0
        assert sum(map(len, run.trades.values())) > 100
        fills: Counter[str] = Counter()
        for event in (event for step in steps for event in step.fills):
            assert isinstance(event, Executed)
            fills[event.fill.id] += 1
        assert set(fills.values()) == {1}


def test_the_same_bars_give_the_same_steps() -> None:
    runs: list[list[Step]] = [[], []]
    for steps in runs:
        replay(portfolio_feeds(1), ReplayAccount(10_000.0, COSTS[1]), steps.append)
    assert repr(runs[0]) == repr(runs[1])


def test_every_bar_is_stepped_once_in_order_of_its_close() -> None:
    steps: list[Step] = []
    feeds = portfolio_feeds(2)
    replay(feeds, ReplayAccount(10_000.0, COSTS[0]), steps.append)
    times = [step.time for step in steps[:-1]]
    assert times == sorted(set(times))
    seen = Counter((bar.symbol, bar.timeframe) for step in steps for bar in step.bars)
    assert seen == {(feed.symbol, feed.timeframe): feed.bars.ts.size for feed in feeds}


def test_one_series_has_the_same_bars_for_all() -> None:
    one = ReplayFeed("ONE", SCRIPTED, {}, SYMBOL, TIMEFRAME, scripted_bars(1))
    other = one._replace(name="OTHER", bars=scripted_bars(2))
    with pytest.raises(UsageError, match="other bars"):
        replay([one, other], ReplayAccount(10_000.0, COSTS[0]))
    assert replay([], ReplayAccount(10_000.0, COSTS[0])).trades == {}


def test_limits_refuse_and_breakers_trip_in_a_replay() -> None:
    risk = RiskManager(0.01, 0.5, Limits(max_drawdown_pct=3, max_positions=2), COSTS[1])
    run = replay(portfolio_feeds(1), ReplayAccount(10_000.0, COSTS[1], risk))
    reasons = set().union(*run.refusals.values())
    assert {"short", "positions", "daily_loss", "drawdown"} <= reasons
    assert [name for name, _ in run.trips].count("drawdown") == 1
    assert [name for name, _ in run.trips].count("daily_loss") >= 1
    assert run.equity[-1] > 9_500


def test_a_replay_fills_no_more_than_a_share_of_each_bar_s_volume() -> None:
    bars, share = random_bars(1, 900, volatility=0.01), 1e-4
    feeds = [ReplayFeed("ONE", load_strategy("TREND_EMA"), {}, SYMBOL, TIMEFRAME, bars)]
    run = replay(feeds, ReplayAccount(10_000.0, COSTS[1], None, share))
    most = dict(zip(bars.ts.tolist(), (share * bars.volume).tolist(), strict=True))
    trades = run.trades["ONE"]
    assert len(trades) > 5
    assert all(float(trade.amount) <= most[trade.entry_time] for trade in trades)
    assert any(float(trade.amount) == most[trade.entry_time] for trade in trades)


@statistics
@pytest.mark.parametrize("name", some(REGISTRY, 7))
def test_with_shipped_settings_each_strategy_makes_its_backtest_until_a_breaker_trips(name: str) -> None:
    settings, compared = load_settings(ROOT / "config", {}), 0
    for seed in (0, 2, 4):
        bars, spec = wild_bars(seed, 500), spec_of(name, seed, **LIVELY.get(name, {}))
        strategy = strategy_for(name, bars)
        result = simulate_fast(bars, spec, strategy)
        feed = ReplayFeed(name, strategy, spec.params, SYMBOL, TIMEFRAME, bars)
        run = replay([feed], ReplayAccount(spec.cash, spec.costs, risk_terms(settings).manager(spec.costs)))
        trip = run.trips[0][1].time if run.trips else int(bars.ts[-1]) + 1
        made = [one for one in replayed(run.trades[name], bars) if one[3] < trip]
        assert made == [one for one in backtested(result) if one[3] < trip]
        assert name not in run.cuts
        assert set(run.refusals.get(name, {})) <= set(result.refusals) | {"expired", "daily_loss", "drawdown"}
        compared += len(made)
    assert compared > 10


def test_a_limit_cuts_what_a_backtest_enters_and_says_so() -> None:
    bars, spec = wild_bars(2, 500), spec_of("TREND_EMA", 2, atr_stop_mult=0.3)
    risk = RiskManager(0.01, None, Limits(max_symbol_exposure_pct=50, allow_short=True), spec.costs)
    feed = ReplayFeed("ONE", load_strategy("TREND_EMA"), spec.params, SYMBOL, TIMEFRAME, bars)
    run = replay([feed], ReplayAccount(spec.cash, spec.costs, risk))
    expected = simulate_fast(bars, spec, load_strategy("TREND_EMA"))
    assert len(run.trades["ONE"]) == len(expected.records) > 5
    assert run.cuts["ONE"]["symbol_exposure"] == run.bounds["ONE"]["symbol_exposure"] > 5
    for trade in run.trades["ONE"]:
        decided = trade.entry_bar - 1
        assert float(trade.amount) * float(bars.close[decided]) <= 0.5 * run.equity[decided]
