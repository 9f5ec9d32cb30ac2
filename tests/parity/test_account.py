"""The compiled account is the replay step by step, to the last bit and digit, under every rule and limit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.account.orders import RefusalReason
from core.backtest.account import FEW_BARS, AccountRun, not_compiled, run_account
from core.backtest.compiled_account import WHY_NOT, CompiledAccount
from core.backtest.finish import finished
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, replay
from core.cli.replay_command import in_regimes, risk_terms
from core.domain import NAN, Bars, Costs, Decision, Reason, Refusal
from core.kernel import account_pauses, account_state
from core.risk.endings import ClosingScope
from core.risk.limits import BREAKERS, Limits
from core.risk.pauses import PauseTerms
from core.risk_manager import RiskManager
from core.settings import load_settings
from strategies.base import BaseStrategy, StrategySignal
from strategies.registry import REGISTRY, Strategy, load_strategy
from strategies.rule_check import SAMPLED
from tests.account_markets import facts, four_hours, random_account
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.scripted import RULE, SCRIPTED
from tests.tiers import statistics, tries

ROOT = Path(__file__).parents[2]
SYMBOL, OTHER = "BTC/USDT", "ETH/USDT"
COSTS = Costs(0.001, 0.0)


def compiled(feeds: list[ReplayFeed], account: ReplayAccount) -> tuple[Replay | None, str]:
    """Return what a compiled account finds, or why it finds nothing."""
    run = CompiledAccount(feeds, account)
    why = run.run()
    return (None if why else finished(run)), why


def assert_same(fast: Replay, slow: Replay) -> None:
    found, wanted = facts(fast), facts(slow)
    for name, value in wanted.items():
        assert found[name] == value, name


@pytest.mark.unmeasured
@statistics
def test_any_account_is_the_same_compiled_and_step_by_step() -> None:
    met: Counter[str] = Counter()
    for seed in range(tries(600, 24)):
        feeds, make = random_account(seed)
        if not feeds:
            continue
        slow, (fast, why) = replay(feeds, make()), compiled(feeds, make())
        met[why] += 1
        if fast is not None:
            assert_same(fast, slow)
        met.update(
            {f"refused {reason}": n for counts in slow.refusals.values() for reason, n in counts.items()}
        )
        met.update({f"cut {limit}": n for counts in slow.cuts.values() for limit, n in counts.items()})
        met["trades"] += sum(map(len, slow.trades.values()))
    # Hardly any needs the slow way.
    assert met[""] > 0.9 * sum(met[why] for why in ("", *WHY_NOT.values()))
    assert met["trades"] > 500
    limits = ("exposure", "symbol_exposure", "strategy_exposure", "reserve", "order_size")
    reasons = ["positions", "cool_down", "order_rate", "daily_loss", "short", "min_notional", "expired"]
    reasons += ["stop_guard", "low_profit", "recent_drawdown"]
    assert {f"cut {limit}" for limit in limits} <= set(met)
    assert {f"refused {reason}" for reason in reasons} <= set(met)


@pytest.mark.unmeasured
@statistics
def test_every_strategy_is_the_same_compiled_with_the_shipped_settings() -> None:
    settings = load_settings(ROOT / "config", {})
    for name in list(REGISTRY)[:: tries(1, 5)]:
        series = {SYMBOL: random_bars(1, 260, volatility=0.02), OTHER: random_bars(2, 260, volatility=0.02)}
        feeds = [
            ReplayFeed(name, strategy_for(name, bars), LIVELY.get(name, {}), symbol, "1h", bars)
            for symbol, bars in series.items()
        ]
        for make in (lambda: None, lambda: risk_terms(settings).manager(COSTS)):
            slow = replay(feeds, ReplayAccount(10_000.0, COSTS, make()))
            fast, why = compiled(feeds, ReplayAccount(10_000.0, COSTS, make()))
            assert why == ""
            assert fast is not None
            assert_same(fast, slow)
            assert sum(map(len, fast.trades.values())) > 0


def feed_of(bars: Bars, strategy: Strategy | type[BaseStrategy] = SCRIPTED, **params: float) -> ReplayFeed:
    return ReplayFeed("ONE", strategy, params, SYMBOL, "1h", bars)


def ordered(seed: int, orders: list[float], length: int = 400) -> Bars:
    bars = random_bars(seed, length, volatility=0.02, price=100.0)
    return bars._replace(volume=np.random.default_rng(seed).choice(orders, bars.close.size))


def test_logs_that_are_full_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.backtest.compiled_account.FIRST_ROOM", 0)
    feeds = [feed_of(ordered(3, [1.0, 3.0], 1500), risk_per_trade=0.01)]
    account = ReplayAccount(10_000.0, COSTS)
    fast, _ = compiled(feeds, account)
    assert fast is not None
    assert len(fast.trades["ONE"]) > 130
    assert_same(fast, replay(feeds, account))


@pytest.mark.unmeasured
def test_an_account_s_parts_in_each_regime_are_the_same_compiled_and_step_by_step() -> None:
    bars, parts = ordered(3, [1.0, 3.0], 1500), {"regime_range": 0.5, "regime_high_vol": 0.3}
    account = ReplayAccount(10_000.0, COSTS)
    found, counts = [], []
    ones = dict.fromkeys(("regime_trend", *parts), 1.0)
    for given in ({}, ones, parts, {"regime_range": 0.0, "regime_high_vol": 0.0}):
        feeds = [feed_of(bars, SCRIPTED, **in_regimes({"risk_per_trade": 0.01}, given))]
        fast, why = compiled(feeds, account)
        assert why == ""
        assert fast is not None
        assert_same(fast, replay(feeds, account))
        found.append(facts(fast))
        counts.append(dict(fast.refusals["ONE"]))
    plain, whole, smaller, _ = found
    assert plain == whole
    assert plain != smaller
    # Of an entry that a regime makes nothing of the regime is the reason, not the size.
    assert [count.get("regime", 0) > 0 for count in counts] == [False, False, False, True]
    # While it is not known yet nothing says why, with either parts.
    assert counts[2]["lot"] == counts[3]["lot"] > 0


@statistics
def test_what_makes_an_entry_nothing_is_the_same_compiled_and_step_by_step() -> None:
    met: Counter[str] = Counter()
    for seed in range(tries(60, 3)):
        bars = [ordered(2 * seed + n, [1.0, 2.0, 3.0], 600) for n in range(2)]
        given = in_regimes({"risk_per_trade": 0.01}, {"regime_range": 0.0, "regime_high_vol": 0.0})
        feeds = [
            feed_of(one, SCRIPTED, **given)._replace(symbol=symbol)
            for one, symbol in zip(bars, (SYMBOL, "ETH/USDT"), strict=True)
        ]
        limits = Limits(
            allow_short=True,
            correlation_cut=1.0 if seed % 2 else None,
            correlation_bars=40,
            recovery_cut=1.0 if seed % 3 else None,
        )
        made = [
            ReplayAccount(10_000.0, COSTS, RiskManager(0.01, 0.5 if seed % 3 else None, limits, COSTS))
            for _ in range(2)
        ]
        slow = replay(feeds, made[0])
        fast, _ = compiled(feeds, made[1])
        if fast is not None:
            assert_same(fast, slow)
        met.update(slow.refusals["ONE"])
    assert min(met["regime"], met["lot"]) > 0


def test_an_account_without_equity_is_replayed_step_by_step() -> None:
    rows = np.array([[100.0, 101.0, 99.0, 100.0]] * 5 + [[100.0, 400.0, 100.0, 400.0]] * 3)
    orders = np.array([0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 1.0, 0.0])
    stamps = 1_700_006_400_000 + 3_600_000 * np.arange(8)
    bars = Bars(stamps, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], orders)
    fast, why = compiled([feed_of(bars)], ReplayAccount(10_000.0, COSTS))
    assert fast is None
    assert why == "equity is gone"


def test_a_number_too_near_to_a_limit_is_left_to_decimals() -> None:
    # At the first bar equity is the peak, and no fall at all is allowed.
    risk = RiskManager(0.01, None, Limits(max_drawdown_pct=0.0, allow_short=True), COSTS)
    _, why = compiled([feed_of(ordered(3, [1.0, 3.0]))], ReplayAccount(10_000.0, COSTS, risk))
    assert why == "a number is too near to a limit for floats to tell"


@pytest.mark.unmeasured
def test_a_decision_that_is_none_is_left_to_the_replay() -> None:
    def decide(now: Any, prev: Any, held: Any, p: Any) -> Decision:
        return Decision(2.0 if now.order == 1.0 else 0.0, NAN, NAN, Reason.NONE, 0)

    bad = SCRIPTED._replace(rule=type(RULE)(**{**_fields(RULE), "decide": decide, "name": "BAD"}))
    bars = ordered(3, [0.0], 1000)
    sampled = np.linspace(1, bars.ts.size - 1, SAMPLED).astype(int)
    bars.volume[next(i for i in range(500, 1000) if i not in sampled)] = 1.0
    _, why = compiled([feed_of(bars, bad)], ReplayAccount(10_000.0, COSTS))
    assert why == "a rule wants what no rule may want"


def _fields(rule: Any) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in type(rule).__slots__}


class Own(BaseStrategy):
    """A class of one's own."""

    def on_bar(self, symbol: str, candle: Any) -> StrategySignal:
        return StrategySignal(symbol, "HOLD")


def test_what_cannot_be_compiled_is_said_by_name() -> None:
    bars = ordered(3, [1.0, 3.0])
    feed, account = feed_of(bars), ReplayAccount(10_000.0, COSTS)
    known = RiskManager(0.01, 3.0, Limits(), COSTS)
    known.mark(1, 10_000.0)
    assert not_compiled([feed], account) == ""
    assert not_compiled([feed], account, lambda _: None) == "every step is to be shown"
    assert not_compiled([feed_of(bars, Own)], account) == "ONE has an on_bar of its own"
    assert not_compiled([feed], account._replace(volume_share=0.1)).startswith("paper.volume_pct")
    assert not_compiled([feed], account._replace(risk=known)) == "risk goes on where it was"
    assert not_compiled([feed_of(bars.until(0))], account) == "a series has no bars"
    assert not_compiled([], account) == "a series has no bars"


def test_few_bars_are_replayed_and_many_run_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    feeds, account = [feed_of(ordered(3, [1.0, 3.0]))], ReplayAccount(10_000.0, COSTS)
    few = run_account(feeds, account)
    assert few.slow == FEW_BARS
    monkeypatch.setattr("core.backtest.account.FEW", 0)
    many = run_account(feeds, account)
    assert isinstance(many, AccountRun)
    assert many.slow == ""
    assert_same(many.replay, few.replay)


def test_reasons_and_refusals_have_the_numbers_that_the_kernel_knows() -> None:
    names = {
        "NO_BRACKET": "BRACKET",
        "NO_LOT": "LOT",
        "NO_CASH": "CASH",
        "NO_LOTS": "LOTS",
        "BAND": "PRICE_BAND",
        "SHORT": "SHORT",
        "POSITIONS": "POSITIONS",
        "COOL": "COOL_DOWN",
        "RATE": "ORDER_RATE",
        "PAUSED": "EXIT_PAUSE",
        "JUMPED": "FLASH_CRASH",
        "NO_REGIME": "REGIME",
    }
    reasons = list(RefusalReason)
    for ours, theirs in names.items():
        assert reasons[getattr(account_state, ours)].name == theirs
    pauses = [row for row in BREAKERS if row.pause is not None]
    assert [row.reason for row in pauses] == reasons[account_state.PAUSED :][: len(pauses)]
    assert sum(row.loss is not None for row in BREAKERS) == account_state.LOSSES
    closes = [account_state.NOTHING, account_state.DIRECTIONAL, account_state.ALL]
    assert [list(ClosingScope)[number].name for number in closes] == ["NOTHING", "DIRECTIONAL", "ALL"]
    assert len(pauses) == account_pauses.ROWS
    assert len(PauseTerms._fields) == account_pauses.COLUMNS - 1
    assert (int(Refusal.LOT), int(Refusal.LOTS)) == (account_state.TOO_SMALL, account_state.TOO_MANY)
    assert int(Refusal.REGIME) == account_state.NOT_ALLOWED


@pytest.mark.unmeasured
def test_two_timeframes_of_one_symbol_share_its_account() -> None:
    bars = random_bars(8, 600, volatility=0.02)
    feeds = [
        ReplayFeed("FAST", load_strategy("SMA_CROSS"), LIVELY["SMA_CROSS"], SYMBOL, "1h", bars),
        ReplayFeed("SLOW", load_strategy("MR_BB"), {}, SYMBOL, "4h", four_hours(bars)),
    ]
    fast, _ = compiled(feeds, ReplayAccount(10_000.0, COSTS))
    assert fast is not None
    assert_same(fast, replay(feeds, ReplayAccount(10_000.0, COSTS)))
    assert all(fast.trades.values())
