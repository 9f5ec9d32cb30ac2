"""What a strategy closes at an open pays for what it opens there: sized, approved and filled so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.account.orders import Approved, Executed, Purpose, Refused, Taken
from core.backtest.fast_backtester import simulate_fast
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.backtester import simulate
from core.domain import LOT, Bars, Costs, Series, enter
from core.execution import Executor, Plan
from core.intents import Moment
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.results.runs import RunSpec
from core.risk.limits import Limits
from core.risk_manager import RiskManager, wide_open
from core.sizing import Sizing
from strategies.registry import Strategy
from tests.account_help import SYMBOL, bar
from tests.markets import HOUR, START
from tests.scripted import SCRIPTED, TURNING

D = Decimal
COSTS = Costs(0.001, 0.0)


def still(orders: list[float], price: float = 100.0) -> Bars:
    """Return bars at one price whose volume is what to do."""
    flat = np.full(len(orders), price)
    return Bars(START + HOUR * np.arange(len(orders)), flat, flat, flat, flat, np.array(orders, float))


def sides_and_sizes(bars: Bars, strategy: Strategy, **params: float) -> list[tuple[str, float]]:
    """Return the trades' sides and sizes, the same on Backtesting.py, compiled and bar by bar."""
    name = strategy.rule.name
    spec = RunSpec(Series("t", SYMBOL, "1h"), name, params, COSTS, 10_000.0)
    results = simulate(bars, spec, strategy), simulate_fast(bars, spec, strategy)
    found = [[(one.side, one.size) for one in result.records] for result in results]
    feed = ReplayFeed(name, strategy, params, SYMBOL, "1h", bars)
    run = replay([feed], ReplayAccount(10_000.0, COSTS), as_live=True)
    found.append([("LONG" if one.side > 0 else "SHORT", float(one.amount)) for one in run.trades[name]])
    assert found[0] == found[1] == found[2]
    assert not run.refusals.get(name)
    return found[0]


def down(units: float) -> float:
    return units // LOT * LOT


@pytest.mark.unmeasured
def test_a_reversal_is_sized_like_an_entry_from_flat_less_the_costs_of_the_exit() -> None:
    wide = {"stop_away": 10.0, "risk_per_trade": 0.2}
    (first, second) = sides_and_sizes(still([0, 1, 0, 2, 0, 0]), SCRIPTED, **wide)
    entered = down(0.95 * 10_000 / 100.1)
    equity = 10_000 - 2 * entered * 100 * 0.001
    assert first == ("LONG", entered)
    assert second[0] == "SHORT"
    assert second[1] == pytest.approx(0.95 * equity / 100.1, abs=2 * LOT)


@pytest.mark.unmeasured
def test_a_reversal_risks_a_part_of_what_the_exit_leaves() -> None:
    risky = {"stop_away": 20.0, "risk_per_trade": 0.1}
    (first, second) = sides_and_sizes(still([0, 1, 0, 2, 0, 0]), SCRIPTED, **risky)
    assert first == ("LONG", 50.0)
    assert second[0] == "SHORT"
    assert second[1] == pytest.approx(0.1 * (10_000 - 10) / 20, abs=2 * LOT)


@pytest.mark.unmeasured
def test_a_ladder_that_turns_pays_its_new_rungs_with_the_old_ones() -> None:
    # Rungs 1, 2 and 3 long, then 4, 5 and 6 short.
    trades = sides_and_sizes(still([0, 14, 0, 112, 0, 0]), TURNING)
    assert [side for side, _ in trades] == ["LONG"] * 3 + ["SHORT"] * 3
    entered = sum(size for side, size in trades if side == "LONG")
    assert entered == pytest.approx(0.95 * 10_000 / 100.1, rel=1e-3)
    equity = 10_000 - 2 * entered * 100 * 0.001
    third = 0.95 / 3 * equity / 100.1
    # The last rung gets what 95 % of the cash left by the others buys.
    assert [size for side, size in trades if side == "SHORT"][:2] == [pytest.approx(third, abs=1e-5)] * 2
    assert trades[-1][1] == pytest.approx(trades[2][1], rel=0.01)


@pytest.mark.unmeasured
def test_a_ladder_that_turns_in_part_keeps_the_capital_of_the_rungs_it_keeps() -> None:
    trades = sides_and_sizes(still([0, 14, 0, 6, 14, 0, 0]), TURNING)
    sizes = [size for _, size in trades]
    # Rung 3 was closed and bought again, at the price of its costs.
    assert len(trades) == 4
    assert sizes[-1] == pytest.approx(sizes[0], rel=0.05)


def test_limits_count_what_a_reversal_closes_as_closed() -> None:
    orders = still([0, 1, 0, 2, 0, 1, 0, 0])
    limits = Limits(
        max_exposure_pct=100, max_symbol_exposure_pct=100, max_strategy_exposure_pct=100,
        max_positions=1, cash_reserve_pct=4, allow_short=True,
    )  # fmt: skip
    risk = RiskManager(1.0, None, limits, COSTS)
    feed = ReplayFeed("SCRIPTED", SCRIPTED, {"risk_per_trade": 0.2}, SYMBOL, "1h", orders)
    run = replay([feed], ReplayAccount(10_000.0, COSTS, risk))
    assert not run.refusals.get("SCRIPTED")
    assert [one.side for one in run.trades["SCRIPTED"]] == [1, -1, 1]


PLANS = {name: Plan("1h", Sizing(lot=1.0, max_exposure=0.9)) for name in ("A", "B")}


class Two:
    """Two strategies on one account with 10,000."""

    def __init__(self) -> None:
        self.made = Executor(Portfolio(10_000, commission=0.001), wide_open(COSTS), costs=COSTS, plans=PLANS)
        self.made.portfolio.mark(SYMBOL, 100.0)
        self.number = 0

    def want(self, strategy: str, target: float) -> list[Any]:
        held = self.made.portfolio.view(strategy, SYMBOL)
        moment = Moment(START + self.number * HOUR, 100.0, START + (self.number + 1) * HOUR)
        return self.made.execute(strategy, SYMBOL, enter(target), held, moment)

    def next(self) -> list[Any]:
        """Let a bar fill what was ordered, and book it."""
        self.number += 1
        events = list(self.made.desk.market.on_bars([bar(self.number)]))
        for event in events:
            if isinstance(event, Executed):
                self.made.portfolio.book(event.intent, event.fill, self.number)
            assert not isinstance(event, Taken)
            self.made.portfolio.release(event.intent.key)
        return events

    def held(self) -> dict[str, float]:
        return {name: float(self.made.portfolio.amount(SYMBOL, name)) for name in PLANS}


def amounts(outcomes: list[Any]) -> list[Decimal]:
    return [one.intent.amount for one in outcomes if isinstance(one, Approved)]


def test_of_two_strategies_on_one_account_each_turns_with_its_own_capital() -> None:
    two = Two()
    assert amounts(two.want("A", 0.5)) == [44]
    assert amounts(two.want("B", 0.5)) == [44]
    two.next()
    # Half of 90 % of what costs left, 44 again; both exits first.
    assert amounts(two.want("A", -0.5)) == [44, 44]
    assert amounts(two.want("B", -0.5)) == [44, 44]
    events = two.next()
    assert [event.intent.purpose for event in events] == [Purpose.EXIT, Purpose.ENTRY] * 2
    assert two.held() == {"A": -44.0, "B": -44.0}


def test_a_reversal_takes_no_more_from_the_others_than_a_position() -> None:
    two = Two()
    two.want("A", 0.5)
    two.next()
    before = two.made.portfolio.snapshot(("B", SYMBOL))
    two.want("A", -0.5)
    after = two.made.portfolio.snapshot(("B", SYMBOL))
    assert before.by_symbol == after.by_symbol == {SYMBOL: D(4400)}
    # What the exit will bring is kept for the entry, all but the difference in costs.
    assert 0 <= before.free_cash - after.free_cash <= 10
    own = two.made.portfolio.snapshot(("A", SYMBOL))
    assert own.by_symbol == {SYMBOL: D(4400)}
    assert amounts(two.want("B", 0.5)) == [44]


def test_what_one_strategy_closes_is_not_another_s_before_it_is_closed() -> None:
    two = Two()
    two.want("A", 1.0)
    two.next()
    two.want("A", 0.0)
    (approved,) = two.want("B", 1.0)
    assert approved.intent.amount == 9
    two.next()
    assert two.held() == {"A": 0.0, "B": 9.0}


def test_an_open_that_makes_a_reversal_dearer_than_the_cash_refuses_its_entry_alone() -> None:
    two = Two()
    two.want("A", -1.0)
    two.next()
    two.want("A", 1.0)
    two.number += 1
    events = list(two.made.desk.market.on_bars([bar(two.number, (115.0, 116.0, 114.0, 115.0))]))
    closed, refused = events
    assert isinstance(closed, Executed)
    assert isinstance(refused, Refused)
    assert refused.reason.value == "cash"


def test_where_volume_closes_a_part_only_nothing_is_opened_the_other_way() -> None:
    two = Two()
    desk = two.made.desk
    assert isinstance(desk, PaperFills)
    two.want("A", 0.5)
    two.next()
    two.want("A", -0.5)
    desk.volume_share = 0.01
    two.number += 1
    events = list(desk.on_bars([bar(two.number, volume=1_000.0)]))
    (refused, closed) = events
    assert isinstance(closed, Executed)
    assert closed.fill.amount == 10
    assert isinstance(refused, Refused)
    assert "to close first" in refused.detail
