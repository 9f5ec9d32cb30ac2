"""Protections in a backtest: the judge, replay, live and compiled account make the same trades."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from core.backtest.alone import simulate_alone
from core.backtest.compiled_account import CompiledAccount
from core.backtest.fast_backtester import simulate_fast
from core.backtest.finish import finished
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.domain import LOT, Bars
from core.results.runs import BacktestResult, RunSpec
from core.risk_manager import protected
from tests.judge import Market, Terms, Trade, differences
from tests.judge_pauses import PausedJudge, Protection
from tests.judging import LADDERS, OWN, RULES, candles_for, spec_of
from tests.lively import strategy_for
from tests.tiers import some, statistics

HOUR = 60.0
"""Minutes."""
CASES: dict[str, tuple[dict[str, Any], Protection]] = {
    "exit_pause": ({"exit_pause_minutes": 8 * HOUR}, Protection("exit_pause", 8)),
    "stop_guard": (
        {"stop_guard_stops": 2, "stop_guard_minutes": 30 * HOUR, "stop_guard_pause_minutes": 20 * HOUR},
        Protection("stop_guard", 20, 30, 2),
    ),
    "low_profit": (
        {"low_profit_pct": 1.0, "low_profit_minutes": 30 * HOUR, "low_profit_pause_minutes": 12 * HOUR},
        Protection("low_profit", 12, 30, 2, 0.01),
    ),
    "recent_drawdown": (
        {"recent_drawdown_pct": 2.0, "recent_drawdown_minutes": 40 * HOUR},
        Protection("recent_drawdown", 4, 40, 2, 0.02),
    ),
    "trades_a_day": ({"max_trades_per_symbol_day": 1}, Protection("trades_a_day", 0, trades=1)),
    "loss_streak": (
        {"loss_streak_losses": 2, "loss_streak_minutes": 60 * HOUR, "loss_streak_pause_minutes": 10 * HOUR},
        Protection("loss_streak", 10, 60, 2),
    ),
    "symbol_loss": ({"max_symbol_loss_pct": 0.6}, Protection("symbol_loss", 0, most=0.006)),
}
NAMES = ("SCRIPTED", "TREND_EMA", "RSI_REVERSION", "GRID_LR")
SERIES = ("made up, 1", "made up, 2")


def judged(bars: Bars, spec: RunSpec, protections: tuple[Protection, ...]) -> PausedJudge:
    """Return the judge once it ran."""
    market, params = Market(*(column.tolist() for column in bars[1:])), dict(spec.params)
    exposure = params.get("max_exposure", 0.95)
    terms = Terms(spec.cash, *spec.costs, risk=params.get("risk_per_trade"), exposure=exposure, lot=LOT)
    hours = (bars.ts // 3_600_000 + 1).tolist()
    judge = PausedJudge(
        market,
        terms,
        spec.strategy in LADDERS,
        protections=protections,
        hours=hours,
    )
    rule = RULES[spec.strategy](market, params)
    judge.run(rule.decide, rule.first)
    return judge


def trades_of(bars: Bars, result: BacktestResult) -> list[Trade]:
    number = {ts: i for i, ts in enumerate(bars.ts.tolist())}
    return [
        Trade(
            *(number[one.entry_ts], number[one.exit_ts], one.side, one.size),
            *(one.entry_price, one.exit_price, one.reason),
        )
        for one in result.records
    ]


def run(name: str, series: str, settings: dict[str, Any]) -> tuple[Bars, RunSpec, BacktestResult]:
    bars = candles_for(name, series)
    strategy = OWN.get(name) or strategy_for(name, bars)
    spec = replace(spec_of(name, series, strategy), protections=settings)
    return bars, spec, simulate_alone(bars, spec, strategy)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", some(CASES, 3))
def test_the_judge_makes_the_same_trades_with_a_protection(kind: str) -> None:
    settings, protection = CASES[kind]
    refused = 0
    for name in NAMES:
        for series in SERIES:
            bars, spec, result = run(name, series, settings)
            judge = judged(bars, spec, (protection,))
            assert differences(judge.trades, trades_of(bars, result), LOT) == 0
            assert result.equity[-1] == pytest.approx(judge.money, rel=1e-8)
            assert result.refusals.get(kind, 0) == Counter(judge.refused)[kind]
            refused += result.refusals.get(kind, 0)
    assert refused > 20


@pytest.mark.unmeasured
def test_the_judge_makes_the_same_trades_with_all_of_them() -> None:
    settings = {name: value for some, _ in CASES.values() for name, value in some.items()}
    reasons: Counter[str] = Counter()
    for name in NAMES:
        bars, spec, result = run(name, SERIES[0], settings)
        judge = judged(bars, spec, tuple(one for _, one in CASES.values()))
        assert differences(judge.trades, trades_of(bars, result), LOT) == 0
        reasons.update(result.refusals)
    # A drawdown is always behind another one here, and what was lost in a day.
    assert set(CASES) - {"recent_drawdown", "loss_streak", "symbol_loss"} <= set(reasons)


@pytest.mark.parametrize("name", NAMES)
def test_replay_live_and_compiled_account_pause_alike(name: str) -> None:
    settings = {name: value for some, _ in CASES.values() for name, value in some.items()}
    bars = candles_for(name, SERIES[0]).until(300)
    strategy = OWN.get(name) or strategy_for(name, bars)
    spec = spec_of(name, SERIES[0], strategy)
    feed = ReplayFeed(name, strategy, spec.params, spec.series.symbol, "1h", bars)

    def account() -> ReplayAccount:
        return ReplayAccount(spec.cash, spec.costs, protected(settings, spec.costs))

    slow, live = replay([feed], account()), replay([feed], account(), as_live=True)
    compiled = CompiledAccount([feed], account())
    assert compiled.run() == ""
    fast = finished(compiled)
    assert slow.trades == live.trades == fast.trades
    assert slow.refusals == live.refusals == fast.refusals
    assert slow.session.risk.state == live.session.risk.state == fast.session.risk.state
    assert slow.session.risk.state.closed


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", NAMES)
def test_protections_that_never_bind_leave_the_backtest_as_it_is(name: str) -> None:
    bars = candles_for(name, SERIES[0])
    strategy = OWN.get(name) or strategy_for(name, bars)
    spec = spec_of(name, SERIES[0], strategy)
    wide = replace(spec, protections={"max_trades_per_symbol_day": 1_000_000})
    plain, alone = simulate_fast(bars, spec, strategy), simulate_alone(bars, wide, strategy)
    assert plain.records == alone.records
    assert plain.equity.tolist() == alone.equity.tolist()
    assert plain.summary == alone.summary
    assert plain.bounds == alone.bounds
    assert (alone.engine, dict(alone.spec.protections)) == ("account of one", dict(wide.protections))
