"""A session that trades at an exchange: what is sent when, what comes back, and what a restart finds."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import OrderNews, OrderReport, OrderRequest
from core.account.orders import Executed, Purpose, RefusalReason, Refused
from core.domain import Bar, Costs, PositionView, enter
from core.engine import LiveDecider, Session, Step
from core.errors import DatabaseError, ExchangeUnreachableError, HotCryptoError
from core.execution import Executor, Plan
from core.intents import Moment
from core.live.agreement import AGAIN
from core.live.closing import dust_words
from core.live.exchange_desk import NOT_YET, ExchangeDesk
from core.live.refusals import MOST
from core.live.snapshot import restore, snapshot
from core.live.status_of import status_of
from core.order_path.alerts import Alert
from core.order_path.audit import changed_rows, check_books
from core.order_path.intents import intent_of
from core.order_path.journal_view import txn_of
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.order_path.protecting import StopTerms
from core.order_path.storage import Storage
from core.order_path.venue import Venue
from core.portfolio import DUST, Portfolio
from core.risk.limits import Limits, MarketDemands
from core.risk_manager import RiskManager
from db.journal import memory_journal
from db.journal_rows import money_text
from tests.markets import HOUR
from tests.order_model import PRICES, START, Placed
from tests.order_model import Line as Wire
from tests.order_model import Market as Exchange
from tests.scripted import SCRIPTED

D = Decimal
BTC = "BTC/USDT"
PRICE = float(PRICES[BTC])
FIRST = START // HOUR * HOUR
LONG, FLAT = 1.0, 3.0


class World:
    """An exchange that stands still unless it is told to, and one process on it."""

    kind: type[Exchange] = Exchange
    demands = MarketDemands(D("0.00001"), D("0.00001"), D(10))
    stops: StopTerms | None = None
    policy = Policy()
    limits = Limits(allow_short=True)
    params: Mapping[str, float] = {"stop_away": 400.0, "take_away": 800.0, "max_exposure": 0.5}

    def __init__(self, **coins: Decimal) -> None:
        self.exchange = self.kind(random.Random(1))
        self.exchange.rng.random = lambda: 0.5  # type: ignore[method-assign]
        self.exchange.totals.update({"USDT": D(100_000), **coins})
        self.exchange.frozen = True
        self.journal = memory_journal("test")
        self.number = 0
        self.begin(self.journal)

    def begin(self, journal: Storage, kept: dict[str, Any] | None = None) -> None:
        """Be a new process."""
        self.events: list[Alert] = []
        self.path = OrderPath(journal, self.venue(), "test-1", notify=self.events.append, policy=self.policy)
        while not self.path.reconcile([BTC]).done:
            self.exchange.advance(6000)
        markets = {BTC: self.demands}
        risk = RiskManager(0.01, None, self.limits, Costs(0.001), markets)
        self.desk = self.desk_of()
        self.session = Session(
            Executor(Portfolio(D(100_000), {BTC: D("0.00001")}), risk, self.desk, Costs(0.001))
        )
        live = SCRIPTED.live({"params": dict(self.params)})
        plan = Plan("1h", SCRIPTED.rule.sizing(live.params))
        self.session.add("SCRIPTED", BTC, plan, LiveDecider(BTC, live))
        self.session.portfolio.mark(BTC, PRICE)
        self.desk.at(self.exchange.now)
        self.desk.open(self.session, None if kept is None else restore(self.session, kept, "exchange"))

    def desk_of(self) -> ExchangeDesk:
        """Return the desk of a new process."""
        return ExchangeDesk(self.path, {"DOGE/USDT": 0.25}.get, self.stops)

    def venue(self) -> Venue:
        """Return a new way to the exchange."""
        self.wire = Wire(self.exchange, random.Random(2))
        return self.wire

    def bar(
        self,
        order: float = 0.0,
        low: float = PRICE,
        high: float = PRICE,
        *,
        close: float = PRICE,
        send: bool = True,
    ) -> Step:
        """Let an hour close."""
        self.number += 1
        ts = FIRST + self.number * HOUR
        self.exchange.now = max(self.exchange.now, ts + HOUR)
        self.desk.at(self.exchange.now)
        step = self.session.on_bars([Bar(BTC, "1h", ts, ts + HOUR, PRICE, high, low, close, order)])
        if send:
            self.desk.send()
        return step

    def look(self, ms: int = 1000) -> Step:
        """Take what came meanwhile."""
        self.exchange.advance(ms)
        self.desk.at(self.exchange.now)
        return self.session.on_events(self.desk.news(), self.exchange.now)

    def kept(self) -> dict[str, Any]:
        return snapshot(self.session, self.desk.applied, "exchange", self.desk.claims)

    def entered(self) -> Step:
        self.bar()
        self.bar(LONG)
        return self.look()


def outside(world: World) -> list[tuple[str, str, float | None]]:
    return [(one.asset, f"{one.amount:f}", one.value) for one in world.desk.status().outside or ()]


def sent(world: World) -> list[tuple[str, Decimal]]:
    return [(one.request.side, one.request.amount) for one in world.exchange.orders]


def test_what_the_account_does_not_trade_with_is_named_with_its_value() -> None:
    world = World()
    assert outside(world) == []
    world.exchange.totals.update({"USDT": D(100_500), "BTC": D("0.5"), "DOGE": D(3), "XYZ": D(7)})
    world.begin(memory_journal("other"))
    expected = [("BTC", "0.5", 0.5 * PRICE), ("DOGE", "3", 0.75), ("USDT", "500", 500.0), ("XYZ", "7", None)]
    assert outside(world) == expected
    # What strategies buy and pay is the account's own, before and after a restart.
    world.entered()
    assert world.session.portfolio.amount(BTC) > 0
    assert outside(world) == expected
    kept = world.kept()
    world.begin(world.path.journal, kept)
    assert outside(world) == expected
    assert world.desk.disagreements() == []


def test_a_deposit_is_outside_the_account_once_the_books_follow_it() -> None:
    world = World()
    world.entered()
    world.exchange.totals["DOGE"] += D(100)
    for _ in range(3):
        world.look(AGAIN)
    assert outside(world) == [("DOGE", "100", 25.0)]


def test_nothing_leaves_before_the_step_is_kept() -> None:
    world = World()
    world.bar()
    world.bar(LONG, send=False)
    assert world.journal.intents() == []
    assert sent(world) == []
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy"]
    world.desk.send()
    assert len(sent(world)) == 1


def test_a_fill_is_told_once_less_its_fee_and_the_books_agree() -> None:
    world = World()
    step = world.entered()
    ((event,), portfolio) = step.fills, world.session.portfolio
    assert event.is_done
    assert event.fill.fee_asset == "BTC"
    assert portfolio.amount(BTC) == event.fill.amount - event.fill.fee == world.path.position(BTC)
    assert portfolio.pending == {}
    assert world.look().fills == ()
    assert world.desk.disagreements() == []
    assert world.desk.status().disagreements == ()


@pytest.mark.parametrize(
    ("low", "high", "reason"), [(PRICE - 500, PRICE, "stop"), (PRICE, PRICE + 900, "take")]
)
def test_a_bar_that_reaches_stop_or_take_is_answered_by_a_market_order(
    low: float, high: float, reason: str
) -> None:
    world = World()
    world.entered()
    # Opened before the entry was filled: nobody knows which part of it came later.
    world.bar(low=low, high=high)
    assert [side for side, _ in sent(world)] == ["buy"]
    world.bar(low=low, high=high)
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
    step = world.look()
    assert [trade.reason for trade in step.trades] == [reason]
    assert world.session.portfolio.lots("SCRIPTED", BTC) == ()
    assert world.session.portfolio.amount(BTC, DUST) == world.path.position(BTC)
    assert world.desk.disagreements() == []
    (dust,) = status_of(world.session, world.desk.status(), (), {}, world.exchange.now).positions
    assert (dust.strategy, dust.stop, dust.take) == (DUST, None, None)
    left = f"{dust.amount:f} BTC/USDT"
    assert dust_words(world.session.portfolio) == f"; dust stays, too little for an order: {left}"
    assert dust_words(Portfolio(1)) == ""


def test_a_price_between_bars_closes_at_once_and_once() -> None:
    world = World()
    world.entered()
    assert world.desk.on_price(BTC, PRICE - 100) == []
    (event,) = world.desk.on_price(BTC, PRICE - 500)
    assert isinstance(event, Executed)
    assert event.intent.reason == "stop"
    assert world.desk.on_price(BTC, PRICE - 500) == []
    assert [side for side, _ in sent(world)] == ["buy", "sell"]


def test_a_stop_whose_answer_is_lost_is_looked_up_and_not_sent_again() -> None:
    world = World()
    world.entered()
    world.wire.next_fault = "lost"
    (event,) = world.desk.on_price(BTC, PRICE - 500)
    assert isinstance(event, Executed)
    assert event.intent.reason == "stop"
    assert world.desk.on_price(BTC, PRICE - 600) == []
    assert [side for side, _ in sent(world)] == ["buy", "sell"]


def test_what_the_exchange_refuses_frees_the_cash_and_says_why() -> None:
    world = World()
    world.exchange.rng.random = lambda: 0.01  # type: ignore[method-assign]
    world.bar()
    world.bar(LONG)
    step = world.look()
    (refused,) = step.outcomes
    assert isinstance(refused, Refused)
    assert (refused.reason.value, refused.detail) == ("exchange", "a filter says no")
    assert world.session.portfolio.pending == {}


def test_of_an_order_that_filled_in_part_the_rest_is_refused_once_it_is_over() -> None:
    world = World()
    chances = iter((0.5, 0.05, 0.7, 0.3))
    world.exchange.rng.random = lambda: next(chances, 0.5)  # type: ignore[method-assign]
    world.bar()
    world.bar(LONG)
    step = world.look()
    (event,) = step.fills
    assert event.fill.amount < event.intent.amount
    assert event.is_done
    assert world.session.portfolio.pending == {}
    assert world.desk.waiting == {}


def test_what_is_worth_less_than_an_order_may_be_is_left_alone() -> None:
    world = World()
    world.entered()
    portfolio = world.session.portfolio
    (lot,) = portfolio.lots("SCRIPTED", BTC)
    world.session.risk.markets[BTC] = MarketDemands(D("0.00001"), None, D(10**9))
    assert world.desk.on_price(BTC, PRICE - 500) == []
    assert portfolio.lots("SCRIPTED", BTC) == (lot,)


def test_a_restart_tells_what_its_predecessor_did_not_live_to_tell() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    kept = world.kept()
    assert kept["fills"] == 0
    world.begin(world.journal, kept)
    assert len(world.session.portfolio.pending) == 1
    assert len(world.look().fills) == 1
    assert world.desk.applied == 1
    assert world.desk.disagreements() == []
    world.begin(world.journal, world.kept())
    assert world.look().fills == ()
    assert [side for side, _ in sent(world)] == ["buy"]


def test_an_order_that_was_approved_and_not_stored_is_sent_after_a_restart() -> None:
    world = World()
    world.bar()
    world.bar(LONG, send=False)
    world.begin(world.journal, world.kept())
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy"]
    assert len(world.look().fills) == 1


def test_a_stop_that_no_snapshot_knows_is_waited_for_and_not_doubled() -> None:
    world = World()
    world.entered()
    kept = world.kept()
    world.wire.next_fault = "lost"
    world.desk.on_price(BTC, PRICE - 500)
    world.begin(world.journal, kept)
    world.session.on_events(world.desk.on_price(BTC, PRICE - 500), world.exchange.now)
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
    assert world.session.portfolio.lots("SCRIPTED", BTC) == ()


def test_books_are_compared_again_and_a_difference_is_told() -> None:
    world = World()
    world.entered()
    world.look(AGAIN + 1)
    assert world.desk.disagreements() == []
    world.exchange.totals["USDT"] -= D(7)
    world.look(AGAIN + 1)
    assert world.desk.disagreements() == ["the exchange differs from the books by USDT -7"]
    world.look(AGAIN + 1)
    assert world.desk.disagreements() == []
    (hold,) = world.desk.standing()
    assert (hold.kind, hold.ref, hold.ends) == ("hold", BTC, f"--account test --accept {BTC}")
    assert "USDT: the exchange had -7" in hold.why


def test_a_trade_of_somebody_else_is_no_fill_of_ours() -> None:
    world = World()
    world.entered()
    world.exchange.by_hand(BTC, "buy", D("0.1"))
    step = world.look(AGAIN + 1)
    assert step.fills == ()
    assert world.desk.has_foreign
    assert world.desk.applied == 2
    world.begin(world.journal, world.kept())
    assert world.desk.has_foreign
    assert world.look().fills == ()


def test_a_desk_is_opened_after_its_books_agreed() -> None:
    world = World()
    path = OrderPath(memory_journal("other"), world.wire, "x")
    desk = ExchangeDesk(path)
    with pytest.raises(HotCryptoError, match="reconcile first"):
        desk.open(world.session, None)
    with pytest.raises(HotCryptoError, match="belongs to no session"):
        _ = desk.session


def filled_in_part(world: World, standing: OrderNews) -> Placed:
    """Order an entry of which the exchange fills a half at once; return the order."""

    def half(request: OrderRequest, stamp: int) -> Placed:
        order = Placed("1", request, stamp)
        world.exchange.orders.append(order)
        world.exchange.execute(order, D("0.5"))
        order.standing = standing
        return order

    world.exchange.place = half  # type: ignore[method-assign]
    world.bar()
    world.bar(LONG)
    del world.exchange.place
    (order,) = world.exchange.orders
    assert order.filled < order.request.amount
    return order


def test_an_order_that_fills_in_two_parts_is_told_twice_and_done_once() -> None:
    world = World()
    order = filled_in_part(world, OrderNews.OPEN)
    (first,) = world.look().fills
    assert not first.is_done
    assert list(world.desk.waiting) == list(world.session.portfolio.pending) == [first.intent.key]
    world.exchange.execute(order, order.request.amount - order.filled)
    (second,) = world.look().fills
    assert second.is_done
    assert second.intent == first.intent
    assert first.fill.amount + second.fill.amount == order.request.amount
    assert (world.desk.waiting, world.session.portfolio.pending) == ({}, {})
    assert world.desk.disagreements() == []


def test_an_order_that_ends_after_a_part_was_told_is_refused_for_the_rest() -> None:
    world = World()
    order = filled_in_part(world, OrderNews.OPEN)
    assert len(world.look().fills) == 1
    order.standing = OrderNews.EXPIRED
    step = world.look()
    (refused,) = step.outcomes
    assert step.fills == ()
    assert isinstance(refused, Refused)
    assert refused.reason.value == "expired"
    assert refused.detail == f"0.5 of {order.request.amount:f} filled, then expired"
    assert (world.desk.waiting, world.session.portfolio.pending) == ({}, {})


def test_a_fill_of_an_order_that_was_over_is_told_with_what_it_was_for() -> None:
    world = World()
    order = filled_in_part(world, OrderNews.EXPIRED)
    (first,) = world.look().fills
    assert first.is_done
    world.exchange.execute(order, D("0.25"))
    (second,) = world.look(AGAIN + 1).fills
    assert second.intent.key == first.intent.key
    assert second.intent.strategy == "SCRIPTED"
    assert second.fill.amount == D("0.25")
    assert not world.desk.has_foreign
    assert world.desk.applied == 2
    assert world.session.portfolio.amount(BTC) == world.path.position(BTC)


def test_an_order_that_could_not_be_stored_is_neither_sent_nor_said_to_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.bar()
    world.bar(LONG, send=False)

    def full(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(world.journal, "put", full)
    with pytest.raises(DatabaseError, match="full"):
        world.desk.send()
    monkeypatch.undo()
    assert sent(world) == []
    step = world.look()
    assert (step.fills, step.outcomes) == ((), ())
    assert len(world.desk.waiting) == len(world.session.portfolio.pending) == 1


def test_a_stop_that_was_stored_and_not_sent_is_taken_over_and_not_doubled() -> None:
    world = World()
    world.entered()
    kept = world.kept()
    place = world.wire.place

    def killed(request: OrderRequest) -> OrderReport:
        raise KeyboardInterrupt(request.side)

    world.wire.place = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.desk.on_price(BTC, PRICE - 500)
    world.wire.place = place  # type: ignore[method-assign]
    world.begin(world.journal, kept)
    ((key, approved),) = world.desk.waiting.items()
    assert approved.intent.purpose is Purpose.STOP
    assert list(world.session.portfolio.pending) == [key]
    (event,) = world.desk.on_price(BTC, PRICE - 600)
    assert isinstance(event, Executed)
    assert event.intent.key == key
    assert [side for side, _ in sent(world)] == ["buy", "sell"]


def test_cash_that_the_account_has_and_the_journal_has_not_is_told() -> None:
    world = World()
    world.entered()
    world.session.portfolio.cash += D(5)
    (line,) = world.desk.disagreements()
    assert line.startswith("USDT: the account spent ")


def test_an_open_order_that_the_snapshot_knows_binds_its_cash_once_after_a_restart() -> None:
    world = World()
    order = filled_in_part(world, OrderNews.OPEN)
    assert len(world.look().fills) == 1
    reserved, kept = world.session.portfolio.reserved, world.kept()
    assert 0 < reserved < D(50_000)
    world.begin(world.journal, kept)
    assert world.session.portfolio.reserved == reserved
    (approved,) = world.desk.waiting.values()
    assert approved.reserve == reserved
    world.exchange.execute(order, order.request.amount - order.filled)
    (event,) = world.look().fills
    assert event.is_done
    assert world.session.portfolio.reserved == 0
    assert world.desk.disagreements() == []


def refuse(world: World, times: int) -> list[str]:
    """Let the exit of a position be refused so many times in a row; return what a person was told of it."""
    fair, world.exchange.rng.random = world.exchange.rng.random, lambda: 0.01  # type: ignore[method-assign]
    for _ in range(times):
        stop_reached(world)
    world.exchange.rng.random = fair  # type: ignore[method-assign]
    return [alert.text for alert in world.events if alert.kind == "exits"]


def stop_reached(world: World) -> None:
    """After the longest pause see a price below the stop."""
    world.exchange.advance(MOST)
    world.desk.at(world.exchange.now)
    world.session.on_events(world.desk.on_price(BTC, PRICE - 500), world.exchange.now)


def in_a_row(world: World) -> list[int]:
    return [
        int(one.why.split("was refused ")[1].split()[0])
        for one in world.desk.standing()
        if one.kind == "exits"
    ]


def restart(world: World, kept: dict[str, Any] | None = None) -> None:
    world.begin(world.path.journal, kept or world.kept())


def test_a_restart_counts_an_exit_s_refusals_on() -> None:
    world = World()
    world.entered()
    assert refuse(world, 7) == []
    assert in_a_row(world) == [7]
    before = world.desk.standing()
    restart(world)
    assert world.desk.standing() == before
    # Until the pause is over nothing is sent, as before the restart.
    orders = len(world.exchange.orders)
    assert world.desk.on_price(BTC, PRICE - 500) == []
    assert len(world.exchange.orders) == orders
    (asked,) = refuse(world, 1)
    assert "its exit was refused 8 times in a row (a filter says no), not tried again" in asked
    restart(world)
    assert in_a_row(world) == [8]
    assert refuse(world, 3) == []


def test_a_refusal_that_is_told_again_after_a_restart_counts_once() -> None:
    world = World()
    world.entered()
    kept = world.kept()
    refuse(world, 1)
    (key,) = (one.intent_key for one in world.path.journal.orders() if one.state == "rejected")
    kept["waiting"] = [
        {"intent": waiting_of(world, key), "reserve": "0", "left": "0"},
    ]
    restart(world, kept)
    assert in_a_row(world) == [1]
    (refused,) = world.look(0).outcomes
    assert isinstance(refused, Refused)
    assert in_a_row(world) == [1]


def waiting_of(world: World, key: str) -> dict[str, Any]:
    """Return what was wanted under a key as a snapshot keeps it."""
    intent = intent_of(world.path.journal.intent(key))
    plain = {name: getattr(intent, name) for name in intent.__dataclass_fields__ if name != "key"}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in plain.items()}


def test_a_row_of_refusals_ends_with_a_fill_a_taking_or_a_person_over_restarts_too() -> None:
    world = World()
    world.entered()
    refuse(world, 3)
    assert world.desk.accept(BTC).endswith("is accepted as it is: entries and exits go on")
    assert in_a_row(world) == []
    restart(world)
    assert in_a_row(world) == []
    refuse(world, 2)
    assert in_a_row(world) == [2]
    world.exchange.totals["BTC"] -= D("0.2")
    held = world.path.position(BTC)
    while world.path.position(BTC) == held:
        world.look(AGAIN)
    assert in_a_row(world) == []
    restart(world)
    assert in_a_row(world) == []
    world.desk.accept(BTC)
    refuse(world, 1)
    assert in_a_row(world) == [1]
    stop_reached(world)
    assert world.session.portfolio.lots("SCRIPTED", BTC) == ()
    assert in_a_row(world) == []
    restart(world)
    assert in_a_row(world) == []


def test_an_account_that_holds_other_lots_than_the_journal_is_told_by_symbol_and_strategy() -> None:
    world = World()
    world.entered()
    assert world.desk.disagreements() == []
    portfolio = world.session.portfolio
    held = portfolio.amount(BTC)
    portfolio.adopt("SCRIPTED", BTC, [])
    said = world.desk.disagreements()
    assert f"{BTC}: the account holds 0, the journal {held}" in said
    assert f"{BTC}: account and journal differ on what SCRIPTED holds" in said


def test_a_glance_at_an_exchange_that_does_not_answer_finds_no_agreement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise ExchangeUnreachableError("it does not answer")

    world = World()
    assert world.path.balances_agree()
    monkeypatch.setattr(world.wire, "balances", away)
    assert not world.path.balances_agree()
    assert [event.text for event in world.events] == ["it does not answer"]


def test_without_anybody_to_ask_coins_outside_have_no_value() -> None:
    world = World(DOGE=D(3))
    desk = ExchangeDesk(world.path)
    desk.at(world.exchange.now)
    desk.open(world.session, None)
    assert [(one.asset, one.value) for one in desk.status().outside or ()] == [("DOGE", None)]


def test_what_an_entry_tells_that_cannot_be_compared_is_said_with_the_entry_that_was_changed() -> None:
    world = World()
    world.entered()
    seq = world.journal.length()
    world.journal._run("UPDATE journal SET body = ? WHERE seq = ?", '[["order", ["x"], {}]]', seq)
    first, last = changed_rows(world.journal)
    assert f"entry {seq}" in first
    assert last == "what the journal tells cannot be compared any further: unhashable type: 'list'"


def test_a_trade_of_others_as_it_was_booked_before_their_lines_had_a_name_is_sound() -> None:
    world = World()
    world.entered()
    world.exchange.by_hand(BTC, "buy", D("0.1"))
    world.look(AGAIN + 1)
    (row,) = (one for one in world.journal.fills() if one.client_order_id is None)
    # Then it was booked as ours are, but that the coins belonged to no position.
    cost, fee, txn = row.amount * row.price, row.fee, txn_of(row)
    assert row.fee_asset == "BTC"
    lines = {
        ("cash:BTC", "BTC"): row.amount - fee,
        ("market:BTC", "BTC"): -row.amount,
        ("cash:USDT", "USDT"): -cost,
        ("market:USDT", "USDT"): cost,
        ("fee:BTC", "BTC"): fee,
    }
    world.journal._run("DELETE FROM postings WHERE txn = ?", txn)
    for (name, asset), amount in lines.items():
        world.journal._run(
            "INSERT INTO postings (account, txn, name, asset, amount) VALUES (?, ?, ?, ?, ?)",
            *("test", txn, name, asset, money_text(amount)),
        )
    assert check_books(world.journal) == []


def test_an_entry_at_a_price_is_refused_by_name() -> None:
    world = World()
    moment = Moment(0, PRICE, world.exchange.now)
    want = enter(0.5, 0.9 * PRICE, limit=0.99 * PRICE)
    (outcome,) = world.session.executor.execute("SCRIPTED", BTC, want, PositionView(), moment)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.detail) == (RefusalReason.EXCHANGE, NOT_YET)
    assert world.session.portfolio.reserved == 0


@pytest.mark.parametrize(("low", "sides"), [(PRICE - 300, ["buy"]), (PRICE - 401, ["buy", "sell"])])
def test_a_bar_reaches_the_stop_of_before_its_decision_and_not_the_one_that_it_moves(
    low: float, sides: list[str]
) -> None:
    # The stop lies 400 below, and 100 below once this bar's decision has moved it.
    world = World()
    world.entered()
    world.bar()
    world.bar(8.0, low=low)
    world.look()
    assert [side for side, _ in sent(world)] == sides
    world.bar(low=PRICE - 50)
    world.bar(low=PRICE - 101)
    world.look()
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
