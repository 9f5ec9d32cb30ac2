"""What breakers close: a judge that shares no code looks at the trades of random accounts."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from core.account.orders import Refused
from core.backtest.compiled_account import CompiledAccount
from core.backtest.finish import finished
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, replay
from core.domain import Costs
from core.engine import Step
from core.risk.endings import ClosingScope
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from core.utils import timeframe_ms
from tests.account_markets import facts, random_account
from tests.judge_layers import USUAL, Lot, wrong_endings
from tests.markets import random_bars
from tests.tiers import statistics, tries
from tests.waiting import PATIENT

pytestmark = pytest.mark.unmeasured


def lots_of(run: Replay, feeds: list[ReplayFeed]) -> list[Lot]:
    by_held = {(feed.name, feed.symbol): feed for feed in feeds}
    lots = []
    for trade in (trade for trades in run.trades.values() for trade in trades):
        feed = by_held[trade.strategy, trade.symbol]
        is_ladder = not isinstance(feed.strategy, type) and feed.strategy.rule.is_ladder
        series = feed.bars.ts.tolist(), timeframe_ms(feed.timeframe)
        bars = trade.entry_bar, trade.exit_bar
        lots.append(Lot(trade.strategy, trade.symbol, is_ladder, *series, *bars, trade.reason))
    return lots


@statistics
def test_breakers_close_what_their_ending_says_and_nothing_else() -> None:
    met: Counter[str] = Counter()
    # In the last one a symbol has no bar at the close at which the breaker trips.
    for seed in sorted({*range(tries(200, 6)), 154}):
        feeds, make = random_account(seed)
        if not feeds:
            continue
        account = make()
        limits = Limits(
            max_weekly_loss_pct=2.0 if seed % 3 else None,
            max_monthly_loss_pct=3.0 if seed % 2 else None,
            allow_short=True,
        )
        run = replay(feeds, ReplayAccount(account.cash, account.costs, RiskManager(0.01, None, limits)))
        lots = lots_of(run, feeds)
        assert wrong_endings(lots, [(name, trip.time) for name, trip in run.trips]) == []
        # An exit is ordered at the first own close that is not before the trip, and filled at the open after:
        # what has no such open any more, and that alone, is left to the end.
        for strategy, symbol in run.session.to_close:
            (feed,) = (one for one in feeds if (one.name, one.symbol) == (strategy, symbol))
            closes = feed.bars.ts + timeframe_ms(feed.timeframe)
            assert (closes >= run.trips[-1][1].time).sum() <= 1
        met.update(f"{lot.reason}{' of a ladder' * lot.is_ladder}" for lot in lots)
        met.update(name for name, _ in run.trips)
    assert min(met["breaker"], met["breaker of a ladder"], met["weekly_loss"], met["monthly_loss"]) > 0


@statistics
def test_breakers_close_what_settings_say_and_stay_as_long_as_these_say() -> None:
    met: Counter[str] = Counter()
    for seed in range(tries(200, 20)):
        feeds, make = random_account(seed)
        if not feeds:
            continue
        account, rng = make(), np.random.default_rng(seed)
        closes = {name: rng.choice(list(ClosingScope)).item() for name in USUAL}
        ends = {name: rng.choice(["24h", "command", "settings"]).item() for name in USUAL}
        limits = Limits(
            max_weekly_loss_pct=2.0,
            max_monthly_loss_pct=3.0,
            max_drawdown_pct=4.0,
            allow_short=True,
            **{f"{name}_closes": word for name, word in closes.items()},
            **{f"{name}_ends": word for name, word in ends.items()},
        )
        run = replay(feeds, ReplayAccount(account.cash, account.costs, RiskManager(0.01, 1.0, limits)))
        trips = [(name, trip.time) for name, trip in run.trips]
        assert wrong_endings(lots_of(run, feeds), trips, closes) == []
        for name, word in ends.items():
            times = [time for which, time in trips if which == name]
            # What only a name ends trips once; a day passes before the others trip again.
            assert all(later - one >= 86_400_000 for one, later in pairwise(times))
            assert len(times) <= 1 or word == "24h"
        met.update(f"{name} {closes[name]}" for name, _ in trips)
        met["again"] += len(trips) - len({name for name, _ in trips})
    assert {f"daily_loss {word}" for word in ClosingScope} <= set(met)
    assert met["again"] > 0


def layers(seed: int) -> tuple[float | None, Limits]:
    """Return a day's loss, and limits that trip often and stop nothing for good."""
    rng = np.random.default_rng(seed)
    return 0.5 if seed % 2 else None, Limits(
        allow_short=True,
        max_weekly_loss_pct=2.0 if seed % 3 else None,
        max_monthly_loss_pct=3.0 if seed % 5 == 0 else None,
        recovery_cut=rng.choice([0.25, 0.5]).item() if seed % 4 else None,
        recovery_minutes=rng.choice([600.0, 6_000.0]).item(),
        loss_streak_losses=int(rng.integers(1, 5)) if seed % 3 == 0 else None,
        loss_streak_minutes=rng.choice([600.0, 10_080.0]).item(),
        loss_streak_pause_minutes=rng.choice([60.0, 600.0]).item(),
        loss_streak_each_symbol=seed % 2 == 0,
        max_symbol_loss_pct=0.5 if seed % 4 == 1 else None,
        correlation_cut=0.5 if seed % 7 == 0 else None,
        correlation_bars=40,
        max_position_pct=20.0 if seed % 3 == 1 else None,
        max_correlated_exposure_pct=40.0 if seed % 2 else None,
        correlated_above=rng.choice([0.05, 0.6]).item(),
        flash_crash_ranges=rng.choice([1.5, 2.5]).item() if seed % 2 else None,
        flash_crash_apart_pct=rng.choice([0.5, 4.0]).item() if seed % 3 == 2 else None,
        flash_crash_pause_minutes=rng.choice([60.0, 900.0]).item(),
        # From numbers of their own, so that the others stay as they were.
        **(endings(rng.spawn(1)[0]) if seed % 2 else {}),
    )


def endings(rng: np.random.Generator) -> dict[str, Any]:
    """Return endings that the compiled account has."""
    words = {"closes": [None, *ClosingScope], "ends": [None, "command", "settings"]}
    return {
        f"{name}_{part}": None if (word := rng.choice(np.array(some, dtype=object))) is None else str(word)
        for name in USUAL
        for part, some in words.items()
    }


@statistics
def test_layers_are_the_same_compiled_and_step_by_step() -> None:
    met: Counter[str] = Counter()
    for seed in range(tries(300, 16)):
        feeds, make = random_account(seed)
        if not feeds:
            continue
        account = make()
        daily, limits = layers(seed)
        slow, fast = (
            way(
                feeds,
                account._replace(risk=RiskManager(0.01, daily, limits, account.costs)),
            )
            for way in (replay, run_compiled)
        )
        if slow is None or fast is None:
            met["not compiled"] += 1
            continue
        wanted, found = facts(slow), facts(fast)
        for name, value in wanted.items():
            assert found[name] == value, (seed, name)
        met.update(f"refused {reason}" for counts in slow.refusals.values() for reason in counts)
        met.update(f"bound by {what}" for counts in slow.bounds.values() for what in counts)
        met.update(f"cut by {limit}" for counts in slow.cuts.values() for limit in counts)
        met.update(trade.reason for trades in slow.trades.values() for trade in trades)
    refused = {"daily_loss", "weekly_loss", "monthly_loss", "loss_streak", "symbol_loss", "flash_crash"}
    assert {f"refused {reason}" for reason in refused} <= set(met)
    assert {"breaker", "bound by recovery"} <= set(met)
    assert {"cut by position_size", "cut by correlated_exposure"} <= set(met)
    assert met["not compiled"] < 3


def run_compiled(feeds: list[ReplayFeed], account: ReplayAccount) -> Replay | None:
    """Return what the compiled account finds; None where it cannot go on."""
    run = CompiledAccount(feeds, account)
    return None if run.run() else finished(run)


@pytest.mark.parametrize("ranges", [None, 1000.0])
def test_flags_of_jumps_are_made_only_where_jumps_are_looked_at(ranges: float | None) -> None:
    bars = random_bars(1, 300)
    feed = ReplayFeed("PATIENT", PATIENT, {}, "BTC/USDT", "1h", bars)
    risk = RiskManager(0.01, None, Limits(flash_crash_ranges=ranges))
    flags = CompiledAccount([feed], ReplayAccount(10_000.0, Costs(0.0, 0.0), risk)).state.bars.jumps
    assert flags.size == (0 if ranges is None else bars.ts.size)


def test_the_judge_sees_what_was_not_closed_and_what_was_for_nothing() -> None:
    hour = 3_600_000
    lot = Lot("A", "BTC/USDT", False, [n * hour for n in range(10)], hour, 1, 5, "breaker")
    assert wrong_endings([lot], [("weekly_loss", 5 * hour)]) == []
    assert wrong_endings([lot], []) != []
    assert wrong_endings([lot], [("weekly_loss", 4 * hour)]) != []
    assert wrong_endings([lot._replace(reason="stop")], [("monthly_loss", 5 * hour)]) != []
    ladder = lot._replace(is_ladder=True, reason="take")
    assert wrong_endings([ladder], [("weekly_loss", 5 * hour)]) == []
    assert wrong_endings([ladder._replace(reason="breaker")], [("weekly_loss", 5 * hour)]) != []


@pytest.mark.parametrize("waiting", ["withdraw", "keep"])
def test_what_waits_for_a_price_is_withdrawn_or_kept_when_a_breaker_trips(waiting: str) -> None:
    tripped, days = 0, 0
    risk = RiskManager(0.01, 0.5, Limits(allow_short=True, daily_loss_waiting=waiting))

    def look(step: Step) -> None:
        nonlocal tripped, days
        if step.tripped and step.bars:
            days += 1
            tripped += any(
                isinstance(one, Refused) and "the breaker daily_loss tripped" in one.detail
                for one in step.outcomes
            )

    feeds = [
        ReplayFeed("PATIENT", PATIENT, {}, f"{base}/USDT", "1h", random_bars(seed, 600, volatility=0.02))
        for seed, base in enumerate(("BTC", "ETH", "SOL"))
    ]
    run = replay(feeds, ReplayAccount(10_000.0, Costs(0.0, 0.0), risk), look)
    assert days > 3
    assert tripped == 0 if waiting == "keep" else tripped > 3
    assert run.refusals["PATIENT"]["withdrawn"] >= tripped
