"""From signals to orders: sized, named, approved, reserved and handed over once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from core.account.desk import MarketSide
from core.account.orders import Approved, Executed, News, Protection, Purpose, RefusalReason, Refused, Taken
from core.domain import FLAT, Costs, Decision, PositionView, Reason, changes, enter, flat, hold
from core.errors import UsageError
from core.execution import Executor, Plan
from core.intents import Moment
from core.live.stops import PriceRange
from core.multi_backtester import runner
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import Limits, MarketDemands
from core.risk.percents import PercentWarning
from core.risk_manager import RiskManager, wide_open
from core.sizing import Sizing
from strategies.base import StrategySignal
from tests.account_help import SYMBOL, D, bar, fill_of
from tests.markets import HOUR, START

FREE = Costs(0.0, 0.0)
MOMENT = Moment(START, 100.0, START + HOUR)
PLANS = {"A": Plan("1h", Sizing(lot=1.0)), "LADDER": Plan("1h", Sizing(lot=1.0), True)}


def executor(cash: float = 10_000.0, risk: RiskManager | None = None, **given: Any) -> Executor:
    made = Executor(Portfolio(cash), risk or wide_open(FREE), costs=FREE, plans=PLANS, **given)
    made.portfolio.mark(SYMBOL, 100.0)
    return made


def order(made: Executor, want: Decision, strategy: str = "A", moment: Moment = MOMENT) -> list[Any]:
    return made.execute(strategy, SYMBOL, want, made.portfolio.view(strategy, SYMBOL), moment)


def filled(made: Executor, number: int) -> None:
    """Let the quiet bar after this one fill what was ordered, and book it."""
    for event in made.desk.market.on_bars([bar(number + 1)]):
        if isinstance(event, Executed):
            made.portfolio.book(event.intent, event.fill, number)
        assert not isinstance(event, Taken)
        made.portfolio.release(event.intent.key)


def test_an_entry_is_sized_named_and_paid_for() -> None:
    made = executor()
    (approved,) = order(made, enter(1.0, 90.0, 120.0))
    assert isinstance(approved, Approved)
    wanted = approved.intent
    assert wanted.key == f"A|{SYMBOL}|1h|{START}|main|entry"
    assert (wanted.amount, wanted.side, wanted.share) == (D(10), "buy", 1.0)
    assert (wanted.stop, wanted.take, wanted.price) == (D("90.0"), D("120.0"), D("100.0"))
    assert (wanted.created_at, wanted.valid_until) == (START + HOUR, START + 2 * HOUR)
    assert made.portfolio.reserved == 1_000


def test_the_accounts_default_risk_caps_nobody_and_its_greatest_risk_does() -> None:
    for limits, amount in ((Limits(), 10), (Limits(max_risk_per_trade=0.005), 5)):
        made = executor(risk=RiskManager(0.001, None, limits, costs=FREE))
        (approved,) = order(made, enter(1.0, 90.0))
        assert (approved.intent.amount, approved.intent.bound) == (amount, "risk")


def test_an_entry_says_what_bound_its_size() -> None:
    (exposed,) = order(executor(), enter(1.0))
    assert (exposed.intent.bound, exposed.cut) == ("exposure", None)
    made = executor(risk=RiskManager(1.0, None, Limits(max_symbol_exposure_pct=50), FREE))
    (cut,) = order(made, enter(1.0))
    assert (cut.intent.amount, cut.intent.bound, cut.cut) == (50, "symbol_exposure", ("symbol_exposure", 95))
    assert made.portfolio.reserved == 5_000


def test_what_moves_with_what_is_held_binds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for kept, fit, bound in ((0.5, 1.0, "correlation"), (0.5, 0.4, "regime"), (1.0, 1.0, "exposure")):
        made = executor()
        monkeypatch.setattr(made.risk, "part_kept", lambda *_, kept=kept: kept)
        (approved,) = order(made, enter(1.0), moment=MOMENT._replace(fit=fit))
        assert approved.intent.bound == bound


def test_the_same_decision_seen_twice_is_one_order() -> None:
    made = executor()
    assert len(order(made, enter(1.0))) == 1
    assert order(made, enter(1.0)) == []
    filled(made, 0)
    assert len(made.portfolio.lots("A", SYMBOL)) == 1


def test_what_is_held_already_orders_nothing() -> None:
    made = executor()
    assert order(made, flat()) == []
    assert order(made, hold(FLAT)) == []
    order(made, enter(1.0, 90.0))
    filled(made, 0)
    assert order(made, hold(made.portfolio.view("A", SYMBOL))) == []


def test_moved_stops_reach_portfolio_and_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    made = executor()
    order(made, enter(1.0, 90.0))
    filled(made, 0)
    moves: list[Protection] = []
    monkeypatch.setattr(made.desk, "protect", moves.append)
    assert order(made, Decision(1.0, 95.0)) == []
    assert moves == [Protection("A", SYMBOL, D("95.0"), None)]
    assert made.portfolio.view("A", SYMBOL).stop == 95.0


def test_a_number_that_a_rule_remembers_moves_no_stop_at_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    made = executor()
    order(made, enter(1.0, 90.0))
    filled(made, 0)
    moves: list[Protection] = []
    monkeypatch.setattr(made.desk, "protect", moves.append)
    assert order(made, hold(made.portfolio.view("A", SYMBOL))._replace(note=7.0)) == []
    assert moves == []
    assert made.portfolio.view("A", SYMBOL).note == 7.0


def test_the_other_side_closes_first_and_then_opens() -> None:
    made = executor()
    order(made, enter(0.5))
    filled(made, 0)
    later = Moment(START + HOUR, 100.0, START + 2 * HOUR)
    leaving, entry = order(made, enter(-0.5), moment=later)
    assert (leaving.intent.purpose, leaving.intent.side, leaving.intent.reason) == (
        Purpose.EXIT,
        "sell",
        "reverse",
    )
    assert leaving.intent.leg == f"lot-{START}-0"
    assert (entry.intent.purpose, entry.intent.side) == (Purpose.ENTRY, "sell")
    filled(made, 1)
    assert made.portfolio.view("A", SYMBOL).side == -1


def test_less_of_the_same_side_closes_a_part() -> None:
    made = executor()
    order(made, enter(1.0))
    filled(made, 0)
    (leaving,) = order(made, enter(0.6), moment=Moment(START + HOUR, 100.0, START + 2 * HOUR))
    assert (leaving.intent.amount, leaving.intent.share, leaving.intent.reason) == (D(38), 0.6, "reduce")
    filled(made, 1)
    assert made.portfolio.view("A", SYMBOL).target == 0.6


def test_no_more_of_a_lot_is_sold_than_is_not_for_sale_yet() -> None:
    made = executor()
    order(made, enter(1.0))
    filled(made, 0)
    for hour, amount in ((1, D(95)), (2, None)):
        outcomes = order(made, flat(Reason.RULE), moment=Moment(START + hour * HOUR, 100.0, START + 9 * HOUR))
        assert [outcome.intent.amount for outcome in outcomes] == ([amount] if amount else [])
    assert made.flatten("A", SYMBOL, MOMENT) == []


def test_a_person_flattens_whatever_is_tripped() -> None:
    made = executor()
    order(made, enter(1.0))
    filled(made, 0)
    made.risk.pause("lunch")
    (approved,) = made.flatten("A", SYMBOL, MOMENT)
    assert (approved.intent.purpose, approved.intent.amount) == (Purpose.FLATTEN, D(95))
    filled(made, 1)
    assert made.portfolio.positions == {}


def test_a_ladder_orders_rung_by_rung() -> None:
    made = executor()
    want = Decision(0.4, take=110.0, rungs=0b110)
    outcomes = order(made, want, "LADDER")
    assert [outcome.intent.leg for outcome in outcomes] == ["rung-1", "rung-2"]
    filled(made, 0)
    assert made.portfolio.view("LADDER", SYMBOL).rungs == 0b110
    (leaving,) = order(
        made, Decision(0.2, rungs=0b100), "LADDER", Moment(START + HOUR, 100.0, START + 2 * HOUR)
    )
    assert leaving.intent.leg == f"lot-{START}-1"


def test_what_risk_refuses_is_not_handed_over() -> None:
    with pytest.warns(PercentWarning):
        risk = RiskManager(1.0, None, Limits(max_exposure_pct=1e-9), FREE)
    made = executor(risk=risk)
    (refused,) = order(made, enter(1.0))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.EXPOSURE
    assert made.portfolio.pending == {}


def test_what_the_desk_refuses_frees_its_cash() -> None:
    portfolio = Portfolio(10_000)
    strict = PaperFills(10_000.0, FREE, {SYMBOL: MarketDemands(min_notional=D(10**9))})
    made = Executor(portfolio, wide_open(FREE), strict, FREE, PLANS)
    portfolio.mark(SYMBOL, 100.0)
    (refused,) = order(made, enter(1.0))
    assert isinstance(refused, Refused)
    assert portfolio.reserved == 0


def test_sizing_s_refusals_are_told_with_their_reason() -> None:
    made = executor()
    (refused,) = order(made, enter(1.0, 110.0))
    assert (refused.reason, refused.intent.side) == (RefusalReason.BRACKET, "buy")
    (refused,) = order(made, enter(-1.0, 90.0))
    assert (refused.reason, refused.intent.side) == (RefusalReason.BRACKET, "sell")


def test_a_signal_of_the_specification_is_executed_at_its_candle() -> None:
    made = executor()
    for time in (START, datetime.fromtimestamp(START / 1000, UTC)):
        signal = StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"target": 1.0, "stop": 90.0, "reason": "entry"})
        outcomes = made.execute_signal(SYMBOL, signal, {"time": time, "close": 101.0}, "A")
        assert [outcome.intent.bar for outcome in outcomes] == ([START] if time == START else [])
    with pytest.raises(UsageError, match="candle time"):
        made.execute_signal(SYMBOL, signal, {"time": "noon", "close": 101.0}, "A")
    with pytest.raises(UsageError, match="unknown strategy"):
        made.execute_signal(SYMBOL, signal, {"time": START, "close": 101.0}, "Z")
    with pytest.raises(UsageError, match="unknown strategy"):
        made.flatten("Z", SYMBOL, MOMENT)


@pytest.mark.parametrize("desk", [None, PaperFills(1.0, FREE)])
def test_what_is_to_be_live_is_not_filled_on_paper(desk: PaperFills | None) -> None:
    with pytest.raises(UsageError, match="hand over a desk"):
        executor(live=True, desk=desk)


def test_a_live_executor_sends_its_orders_to_its_desk() -> None:
    sent: list[Approved] = []
    desk = SimpleNamespace(submit=sent.append)
    made = executor(live=True, desk=desk)
    signal = StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"target": 1.0, "stop": 90.0, "reason": "entry"})
    outcomes = made.execute_signal(SYMBOL, signal, {"time": START, "close": 101.0}, "A")
    assert sent == outcomes != []


def test_a_change_is_what_the_fill_model_would_act_on() -> None:
    held = PositionView(1, 100.0, 90.0, float("nan"), 2, 0, 0.5)
    assert not changes(hold(held), held, False)
    for want in (Decision(0.6, 90.0), Decision(0.5, 91.0), Decision(0.5, 90.0, 120.0), Decision(0.0)):
        assert changes(want, held, False)
    assert not changes(Decision(0.9), held, True)
    assert changes(Decision(0.9, rungs=2), held, True)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean fast"):
        runner("fats")


def test_a_partly_filled_exit_can_be_asked_for_again() -> None:
    made = executor()
    order(made, enter(1.0))
    filled(made, 0)
    (leaving,) = order(made, flat(), moment=Moment(START + HOUR, 100.0, START + 2 * HOUR))
    part = replace(leaving.intent, amount=D(5))
    made.portfolio.book(leaving.intent, fill_of(part))
    made.portfolio.release(leaving.intent.key)
    (again,) = order(made, flat(), moment=Moment(START + 2 * HOUR, 100.0, START + 3 * HOUR))
    assert again.intent.amount == 90
    assert made.portfolio.view("A", SYMBOL).target == 1.0


def candle(number: int, price: float = 100.0) -> dict[str, Any]:
    """A quiet candle, as a person's own loop shows it."""
    prices = {"open": price, "high": price + 1, "low": price - 1, "close": price}
    return {"time": START + number * HOUR, **prices, "volume": 1.0}


def told(made: Executor, number: int, *signals: tuple[str, dict[str, Any]], strategy: str = "A") -> list[Any]:
    """Show one candle and give its signals, in this order; return what the last one led to."""
    made.on_candle(SYMBOL, candle(number))
    outcomes: list[Any] = []
    for action, extra in signals:
        signal = StrategySignal(SYMBOL, action, 1.0, extra)
        outcomes = made.execute_signal(SYMBOL, signal, candle(number), strategy)
    return outcomes


OPEN_LONG = "OPEN_LONG", {"stop": 90.0}
OPEN_SHORT = "OPEN_SHORT", {"stop": 110.0}
CLOSE_LONG: tuple[str, dict[str, Any]] = "CLOSE_LONG", {}
CLOSE_SHORT: tuple[str, dict[str, Any]] = "CLOSE_SHORT", {}


def test_a_close_takes_back_the_entry_that_waits_for_the_next_open() -> None:
    for opening, closing in ((OPEN_LONG, CLOSE_LONG), (OPEN_SHORT, CLOSE_SHORT)):
        made = executor()
        (refused,) = told(made, 0, opening, closing)
        assert (refused.reason, refused.intent.purpose) == (RefusalReason.WITHDRAWN, Purpose.ENTRY)
        assert made.portfolio.reserved == 0
        assert made.on_candle(SYMBOL, candle(1)).fills == ()
        assert (made.portfolio.amount(SYMBOL), made.portfolio.cash) == (D(0), D(10_000))


def test_a_close_of_the_other_side_and_a_hold_leave_a_waiting_entry_alone() -> None:
    made = executor()
    assert told(made, 0, OPEN_LONG, CLOSE_SHORT, ("HOLD", {})) == []
    made.on_candle(SYMBOL, candle(1))
    assert made.portfolio.amount(SYMBOL) == 10


def test_the_newest_signal_of_a_candle_counts() -> None:
    made = executor()
    taken_back, approved = told(made, 0, OPEN_LONG, OPEN_SHORT)
    assert (taken_back.reason, taken_back.intent.side) == (RefusalReason.WITHDRAWN, "buy")
    assert (approved.intent.side, approved.intent.amount) == ("sell", 10)
    assert told(made, 1) == []
    assert made.portfolio.amount(SYMBOL) == -10
    told(made, 1, CLOSE_SHORT, OPEN_LONG, OPEN_LONG, CLOSE_LONG, OPEN_SHORT)
    made.on_candle(SYMBOL, candle(2))
    assert made.portfolio.amount(SYMBOL) == -10


def test_an_exit_of_a_part_that_is_taken_back_leaves_the_whole() -> None:
    made = executor()
    told(made, 0, OPEN_LONG)
    (asked,) = told(made, 1, ("CLOSE_LONG", {"portion": 0.3}))
    assert asked.intent.amount == 3
    (taken_back,) = told(made, 1, OPEN_LONG)
    assert taken_back.reason is RefusalReason.WITHDRAWN
    made.on_candle(SYMBOL, candle(2))
    assert made.position("A", SYMBOL).target == 1.0
    assert made.portfolio.amount(SYMBOL) == 10


def test_a_close_takes_back_its_own_rung_alone() -> None:
    made = executor()
    rungs = [("OPEN_LONG", {"level": level, "target": level / 4, "add": 0.25}) for level in (1, 2)]
    (taken_back,) = told(made, 0, *rungs, ("CLOSE_LONG", {"level": 1}), strategy="LADDER")
    assert taken_back.intent.leg == "rung-1"
    made.on_candle(SYMBOL, candle(1))
    assert made.position("LADDER", SYMBOL).rungs == 0b100
    # The exit of one rung and the entry of another are no contradiction.
    told(
        made, 1, ("CLOSE_LONG", {"level": 2}), ("OPEN_LONG", {"level": 3, "target": 0.25}), strategy="LADDER"
    )
    made.on_candle(SYMBOL, candle(2))
    assert made.position("LADDER", SYMBOL).rungs == 0b1000


def test_a_part_of_what_only_waits_cannot_be_closed() -> None:
    with pytest.raises(UsageError, match="no part can be closed: close it whole"):
        told(executor(), 0, OPEN_LONG, ("CLOSE_LONG", {"portion": 0.5}))


def test_an_order_on_its_way_to_another_desk_is_not_taken_back() -> None:
    made = executor(desk=Elsewhere())
    with pytest.raises(UsageError, match="an order of A is on its way there"):
        told(made, 0, OPEN_LONG, CLOSE_LONG)


class Elsewhere:
    """A desk that takes orders and says nothing of them."""

    def submit(self, approved: Approved) -> Refused | None:
        return None

    def protect(self, move: Protection) -> None:
        return None

    @property
    def market(self) -> MarketSide:
        return PriceRange()

    def booked(self, brought: Sequence[News]) -> Sequence[News]:
        return brought
