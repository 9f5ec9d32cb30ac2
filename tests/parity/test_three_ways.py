"""P0 to P3: every registered strategy gives the same trades on Backtesting.py, compiled, and live."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from core import backtester, engine, execution, fills, sizing
from core.backtest import fast_backtester
from core.domain import Bars, Costs, Decision, PositionView, Series
from core.kernel.machine import compiler_name
from core.kernel.sets import compiled_code_of, plain_code_of, simulate
from core.proof import inherited
from core.proof.inherited import parted
from core.proof.verify import STEPS, DriverRun, check_columns, compare_runs, run_live, verify
from core.regime.conditions import gauges
from core.results.runs import RunSpec
from core.sizing import Choices, Gauges
from strategies import signal_meaning
from strategies.registry import REGISTRY, Strategy, load_strategy
from tests.lively import ENDS, LIVELY, paired, partner, strategy_for
from tests.markets import HOUR, START, random_bars
from tests.scripted import SCRIPTED, TURNING
from tests.tiers import some, statistics, tries

pytestmark = pytest.mark.unmeasured

SERIES = Series("binanceus", "BTC/USDT", "1h")
FIRST_FOUR = {"TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR"}
RARE_ENDS = {"RSI_REVERSION": 14}
"""Markets of a sample within which every way to end a trade occurs, where one of each kind is too few."""
COSTS = (Costs(0.0, 0.0), Costs(0.001, 0.0), Costs(0.0007, 0.0004))
"""One for each kind of market that `wild_bars` makes."""


def spec_of(name: str, seed: int, **params: float) -> RunSpec:
    return RunSpec(SERIES, name, params, COSTS[seed % 3], 10_000.0)


def wild_bars(seed: int, length: int = 500) -> Bars:
    """Return bars whose stops are jumped, whose bars touch both stop and take, and that stand still."""
    return random_bars(
        seed, length, volatility=[0.002, 0.01, 0.03][seed % 3], price=[0.5, 100.0, 60_000.0][seed % 3]
    )


def scripted_bars(seed: int) -> Bars:
    bars = random_bars(seed, 250, volatility=0.02, price=100.0)
    likely = [0.4, 0.1, 0.08, 0.08, 0.03, 0.1, 0.08, 0.05, 0.05, 0.03]
    orders = np.random.default_rng(seed).choice(10, bars.close.size, p=likely)
    return bars._replace(volume=orders.astype(float))


@statistics
@pytest.mark.parametrize("name", some(REGISTRY, 7))
def test_three_ways_agree_to_the_last_bit_on_many_markets(name: str) -> None:
    # Most of the time goes into the live way, bar by bar.
    length = 500 if name in FIRST_FOUR else 300
    trades, reasons, markets = 0, set(), tries(40, RARE_ENDS.get(name, len(COSTS)))
    for seed in range(markets):
        bars, spec = wild_bars(seed, length), spec_of(name, seed, **LIVELY.get(name, {}))
        verdict = verify(bars, spec, strategy_for(name, bars), sampled=10)
        assert verdict.differences == ()
        trades += len(verdict.runs[0].trades)
        reasons |= {trade.reason for trade in verdict.runs[0].trades}
    assert trades > 7 * markets
    assert reasons == ENDS.get(name, {"stop", "take", "end"})


def turning_bars(seed: int) -> Bars:
    """Return bars whose volume says which rungs to hold, long ones or short ones."""
    draw = np.random.default_rng(seed)
    bars = random_bars(seed, 250, volatility=0.02, price=100.0)
    orders = draw.choice((1, 2, 6, 14, 16, 48, 112), bars.ts.size) * (draw.random(bars.ts.size) < 0.4)
    return bars._replace(volume=orders.astype(float))


def test_three_ways_agree_on_a_ladder_that_turns_at_one_open() -> None:
    turns = 0
    for seed in range(5):
        verdict = verify(turning_bars(seed), spec_of("TURNING", seed), TURNING, sampled=2)
        assert verdict.differences == ()
        trades = verdict.runs[0].trades
        ends = {trade.exit_ts: trade.side for trade in trades}
        turns += sum(ends.get(trade.entry_ts, trade.side) != trade.side for trade in trades)
    assert turns > 100


@statistics
def test_three_ways_agree_when_orders_are_arbitrary_and_every_reason_occurs() -> None:
    reasons, refusals = set(), set()
    for seed in range(tries(60, 12)):
        spec = spec_of("SCRIPTED", seed, stop_away=3.0, take_away=4.0, risk_per_trade=0.2)
        verdict = verify(scripted_bars(seed), spec, SCRIPTED, sampled=5)
        assert verdict.differences == ()
        result = fast_backtester.simulate_fast(scripted_bars(seed), spec, SCRIPTED)
        assert result.refusals == backtester.simulate(scripted_bars(seed), spec, SCRIPTED).refusals
        reasons |= {trade.reason for trade in verdict.runs[0].trades}
        refusals |= set(result.refusals)
    assert reasons == {"stop", "trail", "take", "rule", "time", "reduce", "reverse", "end"}
    assert "cash" in refusals


@statistics
@pytest.mark.parametrize(
    "choices",
    some(
        [
            {"vol_target": 0.15, "vol_period": 20},
            {"kelly_cap": 0.05, "kelly_trades": 5},
            {"regime_cut": 0.8},
            {"regime_trend": 0.8, "regime_range": 0.5, "regime_high_vol": 0.3},
            {"stake": 0.3},
            {"stake_money": 500.0, "vol_target": 0.5, "vol_period": 20},
            {"vol_target": 0.5, "kelly_cap": 0.1, "kelly_trades": 3, "regime_cut": 0.5},
        ],
        2,
    ),
)
@pytest.mark.parametrize("name", some(["GRID_LR", "TREND_EMA"], 1))
def test_three_ways_agree_however_entries_are_sized(name: str, choices: dict[str, float]) -> None:
    changed, markets = 0, tries(4, 1)
    for seed in range(markets):
        bars, own = wild_bars(seed, 900), LIVELY.get(name, {})
        verdict = verify(bars, spec_of(name, seed, **own, **choices), sampled=20)
        plain = fast_backtester.run_fast(bars, spec_of(name, seed, **own))
        assert verdict.differences == ()
        changed += not np.array_equal(plain.equity, verdict.runs[0].equity)
    # A ladder has no stops for Kelly's fraction to count by.
    assert changed == (0 if name == "GRID_LR" and set(choices) == {"kelly_cap", "kelly_trades"} else markets)


@statistics
def test_three_ways_agree_on_half_kelly_when_orders_are_arbitrary() -> None:
    for seed in range(tries(20, 6)):
        sized = {"kelly_cap": 0.05, "kelly_trades": 4, "vol_target": 5.0}
        spec = spec_of("SCRIPTED", seed, stop_away=3.0, take_away=4.0, risk_per_trade=0.02, **sized)
        assert verify(scripted_bars(seed), spec, SCRIPTED, sampled=2).differences == ()


def test_three_ways_agree_when_equity_runs_out() -> None:
    rows = np.array([[100.0, 101.0, 99.0, 100.0]] * 3 + [[100.0, 400.0, 100.0, 400.0]] * 3)
    orders = np.array([0.0, 4.0, 0.0, 0.0, 1.0, 0.0])
    ruin = Bars(START + HOUR * np.arange(6), rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], orders)
    verdict = verify(ruin, spec_of("SCRIPTED", 0), SCRIPTED)
    assert verdict.differences == ()
    assert [trade.reason for trade in verdict.runs[0].trades] == ["ruin"]


def test_three_ways_agree_when_equity_runs_out_with_several_lots_open() -> None:
    rows = np.array([[100.0, 101.0, 99.0, 100.0]] * 5 + [[100.0, 400.0, 100.0, 400.0]] * 3)
    orders = np.array([0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 1.0, 0.0])
    ruin = Bars(START + HOUR * np.arange(8), rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], orders)
    verdict = verify(ruin, spec_of("SCRIPTED", 0), SCRIPTED)
    assert verdict.differences == ()
    assert [trade.reason for trade in verdict.runs[0].trades] == ["ruin"] * 3
    assert [trade.entry_ts for trade in verdict.runs[0].trades] == ruin.ts[2:5].tolist()


def test_three_ways_agree_when_an_account_has_all_the_lots_it_keeps() -> None:
    bars = random_bars(3, 200, volatility=0.001, price=100.0)
    bars = bars._replace(volume=np.where(np.arange(bars.close.size) % 80 == 79, 6.0, 11.0))
    spec = spec_of("SCRIPTED", 0, stop_away=50.0, take_away=50.0)
    verdict = verify(bars, spec, SCRIPTED)
    assert verdict.differences == ()
    result = fast_backtester.simulate_fast(bars, spec, SCRIPTED)
    assert result.refusals == backtester.simulate(bars, spec, SCRIPTED).refusals
    assert result.refusals["lots"] > 5
    assert "reduce" in {trade.reason for trade in verdict.runs[0].trades}


@statistics
@pytest.mark.parametrize("name", some(REGISTRY, 7))
def test_statistics_of_the_fast_engine_are_backtesting_py_s(name: str) -> None:
    for seed in (1, 2):
        spec = spec_of(name, seed, **LIVELY.get(name, {}))
        bars, other = wild_bars(seed), paired(partner(wild_bars(seed)))
        plain, fast = (
            run(bars, spec, partners=other) for run in (backtester.run_backtest, fast_backtester.run_fast)
        )
        assert plain.stats.index.symmetric_difference(fast.stats.index).empty
        for key in plain.stats.index:
            one, other = plain.stats[key], fast.stats[key]
            assert one == other or (one != one and other != other), key


@statistics
@pytest.mark.parametrize("name", some(REGISTRY, 6))
def test_decide_compiled_equals_decide_plain_on_random_rows_nan_and_signed_zero_included(name: str) -> None:
    rule = strategy_for(name, random_bars(1, 60)).rule
    kind = type(rule.columns(random_bars(1, 60), rule.params()))
    assert parted(rule, rule.params(), kind) is None


def test_a_decision_that_is_another_one_compiled_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = SCRIPTED.rule
    kind = type(rule.columns(random_bars(1, 60), rule.params()))
    monkeypatch.setattr(
        inherited, "compiled", lambda _: lambda *given: rule.decide(*given)._replace(stop=1.5)
    )
    assert "plain and" in str(parted(rule, rule.params(), kind))


# Each mutation changes one line of the source that kernel and paper account share, in plain Python; the live
# way must then differ from Backtesting.py on some market.
MUTATIONS: list[tuple[Any, Callable[..., Any], str, str]] = [
    (fills, fills.protect, "min(bar.open, stop)", "stop"),
    (fills, fills.protect, "max(bar.open, stop)", "stop"),
    (fills, fills.protect, "max(bar.open, take)", "take"),
    (fills, fills.protect, "bar.low <= stop", "bar.close <= stop"),
    (fills, fills.protect, "bar.high >= take", "bar.high > 1.001 * take"),
    (fills, fills.fill, "if book[0, LOTS] > before:", "if False:"),
    (fills, fills.open_lot, "bar.open * (1 + side * costs.spread)", "bar.open"),
    (fills, fills.open_lot, "bar.open * (1 + side * costs.spread)", "bar.close * (1 + side * costs.spread)"),
    (fills, fills.open_lot, "book[0, CASH] -= abs(size) * price * costs.commission", "pass"),
    (fills, fills.open_lot, "book[lot, ENTRY_BAR] = i", "book[lot, ENTRY_BAR] = i - 1"),
    (fills, fills.open_lot, "max(0.0, free_cash(book, bar.close))", "1e18"),
    (fills, fills.close_lot, "gross - exit_fee", "gross"),
    (fills, fills.close_lot, "price * costs.commission", "price * (1 - costs.spread) * costs.commission"),
    (
        fills,
        fills.close_all,
        "range(HELD, HELD + int(book[0, LOTS]))",
        "range(HELD + int(book[0, LOTS]) - 1, 0, -1)",
    ),
    (fills, fills.exit_asked, "bar.open", "bar.close"),
    (fills, fills.close_part, "size - part if", "size if"),
    (
        fills,
        fills.ask_less,
        "round_down(abs(book[k, SIZE]) * (left / book[k, SHARE]), sizing.lot)",
        "abs(book[k, SIZE]) / 2",
    ),
    (
        fills,
        fills.ask_less,
        "range(HELD, HELD + int(book[0, LOTS]))",
        "range(HELD + int(book[0, LOTS]) - 1, 0, -1)",
    ),
    (fills, fills.ask_less, "book[k, SHARE] -= left", "pass"),
    (fills, fills.view, "book[k, SIZE] * book[k, ENTRY_PRICE]", "book[k, SIZE] * book[HELD, ENTRY_PRICE]"),
    (fills, fills.stop_reason, "book[k, FIRST_STOP]", "book[k, ENTRY_PRICE]"),
    (fills, fills.exit_reason, "code(otherwise)", "code(Reason.RULE)"),
    (fills, fills.after_exits, "free += notional - notional * costs.commission", "pass"),
    (fills, fills.after_exits, "worth -= notional * costs.commission", "pass"),
    (fills, fills.after_exits, "book[k, EXIT_SIZE]", "abs(book[k, SIZE]) / 2"),
    (sizing, sizing.size_entry, "abs(close - want.stop)", "abs(fill - want.stop) * 1.01"),
]


def mutated(function: Callable[..., Any], old: str, new: str) -> FunctionType:
    source = inspect.getsource(function)
    assert old in source
    scope: dict[str, Any] = {}
    exec("from __future__ import annotations\n" + source.replace(old, new), function.__globals__, scope)
    changed: FunctionType = scope[function.__name__]
    return changed


def differs(name: str, seeds: range) -> bool:
    strategy: Strategy = SCRIPTED if name == "SCRIPTED" else load_strategy(name)
    for seed in seeds:
        bars = scripted_bars(seed) if name == "SCRIPTED" else wild_bars(seed)
        extra = {"stop_away": 3.0, "take_away": 4.0, "risk_per_trade": 0.2} if name == "SCRIPTED" else {}
        spec = spec_of(name, seed, **extra)
        plain = backtester.simulate(bars, spec, strategy)
        try:
            trades, curve = run_live(bars, spec, strategy)
        except KeyError:  # A lot that the paper exchange does not know.
            return True
        if trades != plain.records or not np.array_equal(curve, plain.equity):
            return True
    return False


@statistics
@pytest.mark.parametrize("number", some(range(len(MUTATIONS)), 8))
def test_a_planted_fault_in_the_fill_model_is_noticed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, old, new = MUTATIONS[number]
    changed = mutated(function, old, new)
    for holder in (module, fills, execution):
        if getattr(holder, function.__name__, None) is function:
            monkeypatch.setattr(holder, function.__name__, changed)
    assert any(differs(name, range(12)) for name in ("SCRIPTED", "GRID_LR"))


def test_a_decision_carried_out_a_bar_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real, waiting = execution.Executor.execute, [Decision(0.0)]

    def late(self: execution.Executor, strategy: str, symbol: str, want: Decision, *rest: Any) -> Any:
        waiting.append(want)
        return real(self, strategy, symbol, waiting.pop(0), *rest)

    monkeypatch.setattr(execution.Executor, "execute", late)
    assert differs("SCRIPTED", range(4))


def test_a_stop_lost_between_signal_and_account_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signal_meaning.decision_of
    monkeypatch.setattr(engine, "decision_of", lambda *given: real(*given)._replace(stop=float("nan")))
    assert differs("SCRIPTED", range(4))


def test_a_column_that_looks_ahead_is_noticed() -> None:
    from dataclasses import replace

    rule = SCRIPTED.rule

    def peeking(bars: Bars, p: Any) -> Any:
        return rule.columns(bars, p)._replace(close=np.append(bars.close[1:], bars.close[-1]))

    cheat = SCRIPTED._replace(rule=replace(rule, columns=peeking))
    cheat = cheat._replace(
        backtest=type("CheatBacktest", (SCRIPTED.backtest,), {"rule": cheat.rule}),
        live=type("CheatLive", (SCRIPTED.live,), {"rule": cheat.rule}),
    )
    parts: list[float] = []
    verdict = verify(scripted_bars(1), spec_of("SCRIPTED", 1), cheat, advance=parts.append)
    assert any("looks ahead" in line for line in verdict.differences)
    # A check that ends early leaves nothing out.
    assert sum(parts) == 1.0


def test_a_verification_says_how_far_it_is_and_adds_up_to_one() -> None:
    parts: list[float] = []
    verdict = verify(scripted_bars(1), spec_of("SCRIPTED", 1), SCRIPTED, sampled=40, advance=parts.append)
    assert verdict.differences == ()
    assert sum(parts) == 1.0
    assert len(parts) == STEPS


def test_too_short_a_live_window_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from strategies import rule as rules

    monkeypatch.setattr(rules, "MEMORY", 3)
    monkeypatch.setattr(rules, "WILDER", 3)
    verdict = verify(wild_bars(1), spec_of("TREND_EMA", 1))
    assert any("needs more history" in line for line in verdict.differences)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_loop_run_as_plain_python_gives_what_the_compiled_one_gives(name: str) -> None:
    bars = wild_bars(4)
    rule = strategy_for(name, bars).rule
    params, costs = rule.make_params(LIVELY.get(name, {})), COSTS[1]
    run = simulate(bars, rule, params, 10_000.0, costs)
    plain = simulate(bars, rule, params, 10_000.0, costs, code_of=plain_code_of)
    for one, other in ((run.book, plain.book), (run.trades, plain.trades), (run.curve, plain.curve)):
        assert np.array_equal(one, other, equal_nan=True)
    assert (run.by, plain.by) == (compiler_name(), f"plain Python {platform.python_version()}")
    assert len(run.trades) > 3


def test_the_plain_loop_ends_where_equity_ends() -> None:
    flat_then_up = np.array([[100.0, 101.0, 99.0, 100.0]] * 3 + [[100.0, 400.0, 100.0, 400.0]] * 3)
    stamps, orders = START + HOUR * np.arange(6), np.array([0.0, 4.0, 0.0, 0.0, 0.0, 0.0])
    bars = Bars(stamps, *(flat_then_up[:, k] for k in range(4)), orders)  # type: ignore[call-arg]
    rule, params = SCRIPTED.rule, SCRIPTED.rule.params()
    for code_of in (plain_code_of, compiled_code_of):
        curve = simulate(bars, rule, params, 10_000.0, COSTS[0], code_of=code_of).curve
        assert curve.tolist() == [10_000.0] * 3 + [0.0] * 3


def test_runs_of_different_length_and_curves_that_part_are_described() -> None:
    record = run_live(wild_bars(1), spec_of("TREND_EMA", 1), load_strategy("TREND_EMA"))[0][0]
    one = DriverRun("one", (record, record), np.array([1.0, 2.0]), 0.1)
    other = DriverRun("other", (record,), np.array([1.0, 3.0]), 0.1)
    assert list(compare_runs(one, other)) == [
        "one and other differ in the number of trades: 2 against 1",
        "one and other differ in equity at bar 1: 2.0 against 3.0",
    ]
    assert list(compare_runs(one, one)) == []


def test_a_decision_that_changes_with_later_bars_is_noticed() -> None:
    from dataclasses import replace

    rule, calls = SCRIPTED.rule, [0]

    def moody(now: Any, prev: Any, held: PositionView, p: Any) -> Decision:
        calls[0] += 1
        return Decision(float(calls[0] % 3))

    lines = check_columns(scripted_bars(1), replace(rule, decide=moody), rule.params(), [20, 21, 22])
    assert any("its decision at bar" in line for line in lines)


def test_a_size_that_looks_ahead_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.proof import verify as verifying

    def peeking(bars: Bars, choices: Choices) -> Gauges:
        found = gauges(bars, choices)
        return found._replace(fit=found.fit * bars.close[-1])

    monkeypatch.setattr(verifying, "gauges", peeking)
    bars, rule = wild_bars(1), SCRIPTED.rule
    lines = list(check_columns(bars, rule, rule.params(), [100], Choices(vol_target=0.1)))
    assert "looks ahead" in lines[0]
    assert "what its size looks at differs at bar 100" in lines[0]


def test_what_binds_is_counted_for_the_entries_that_were_made() -> None:
    asked_last = 0
    for seed in range(12):
        bars = scripted_bars(seed)
        # An entry that is asked for at the last close is never made.
        bars.volume[-1] = 1.0
        spec = spec_of("SCRIPTED", seed, stop_away=3.0, take_away=4.0)
        fast = fast_backtester.simulate_fast(bars, spec, SCRIPTED)
        plain = backtester.simulate(bars, spec, SCRIPTED)
        entries = len({trade.entry_ts for trade in fast.records})
        assert sum(fast.bounds.values()) == entries
        assert fast.bounds == plain.bounds
        asked_last += fast.records[-1].exit_ts < bars.ts[-1]
    assert asked_last > 0


def test_a_reversal_is_not_bound_by_cash_that_is_all_free() -> None:
    # All of equity is free once the other side is closed: it is one amount, added up in two ways.
    trades = 0
    for seed in range(3):
        bars = random_bars(seed, 1500, volatility=0.0005, price=60_000.0)
        result = fast_backtester.run_fast(bars, RunSpec(SERIES, "MACD_CROSS", {}, Costs(0.001), 10_000.0))
        assert result.bounds == {"exposure": len(result.records)}
        trades += len(result.records)
    assert trades > 200
