"""One thing at a time that can happen to an order, and what the path makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import Execution, OrderNews, OrderReport, OrderRequest, Terms
from core.account.orders import Approved, Fill, Purpose
from core.errors import (
    DatabaseError,
    ExchangeUnreachableError,
    HotCryptoError,
    OrderUnknownError,
    RefusedError,
    UnsupportedError,
    UsageError,
)
from core.order_path import barrier, journal_view
from core.order_path.alerts import Alert, nobody
from core.order_path.audit import check_books
from core.order_path.client_ids import account_name, checked_name, client_order_id
from core.order_path.ledger import Books, Posting, adjustment_postings
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.order_path.states import State, after_report, check_move
from db.journal import Journal, memory_journal
from tests.order_model import PRICES, Line, Market, Placed
from tests.order_schedules import ACCOUNT, INSTANCE, intent

D = Decimal
BTC = "BTC/USDT"
FAR = Terms("limit", PRICES[BTC] - 1)
NEAR = Terms("limit", PRICES[BTC])


class Bench:
    """A path on a market that stands still."""

    def __init__(self, **policy: Any) -> None:
        self.market = Market(random.Random(1))
        self.market.rng.random = lambda: 0.5  # type: ignore[method-assign]
        self.market.totals.update({"USDT": D(100_000), "BTC": D(1)})
        self.line = Line(self.market, random.Random(2))
        self.journal = memory_journal(ACCOUNT)
        self.events: list[Alert] = []
        self.policy = policy
        self.path = self.restarted()

    def restarted(self) -> OrderPath:
        """Return the path of a new process."""
        self.path = OrderPath(
            self.journal, self.line, INSTANCE, notify=self.events.append, policy=Policy(**self.policy)
        )
        return self.path

    def ready(self) -> OrderPath:
        """Return the path once it may trade."""
        while not self.path.reconcile([BTC]).done:
            self.wait(6000)
        return self.path

    def wait(self, ms: int) -> None:
        """Let time pass without the market moving."""
        self.market.frozen = True
        self.market.advance(ms)

    def want(self, number: int = 0, terms: Terms | None = None, **kwargs: Any) -> Approved:
        """Submit an intent."""
        approved = intent(number, at=self.market.now, **{"ttl": 600_000, **kwargs})
        self.path.submit(approved, terms or Terms())
        return approved

    def state(self, number: int = 0, purpose: Purpose = Purpose.ENTRY) -> str:
        """Return what the order of an intent is."""
        order = self.path.order(intent(number, purpose=purpose).intent.key)
        return "none" if order is None else order.state


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.ready()
    return bench


def test_nothing_is_sent_before_the_books_agree() -> None:
    bench = Bench()
    for act in (bench.path.step, bench.want):
        with pytest.raises(RefusedError, match="call reconcile until it is done"):
            act()
    assert not bench.path.ready
    assert bench.path.reconcile().waiting == ("the exchange differs from the books by BTC +1, USDT +100000",)


def test_an_intent_is_one_order_however_often_it_is_submitted(bench: Bench) -> None:
    approved = bench.want()
    [fill] = bench.path.step()
    assert bench.path.submit(approved).state == "filled"
    assert bench.path.step() == []
    assert [one.request.client_order_id for one in bench.market.orders] == [fill.client_order_id]
    assert bench.path.position(BTC) == bench.path.position(BTC, "trend") == D("0.00999")
    assert bench.path.positions() == {("trend", BTC): D("0.00999")}
    assert bench.path.balances() == {"BTC": D("1.00999"), "USDT": D("99599.9999")}
    [(row, wanted)] = bench.path.history()
    assert wanted is not None
    assert (row.id, wanted.key) == (fill.id, approved.intent.key)


def test_an_account_without_anything_is_opened_too() -> None:
    bench = Bench()
    bench.market.totals.clear()
    assert "differs from the books by nothing" in bench.path.reconcile().waiting[0]
    bench.ready()
    assert bench.path.balances() == {}


def test_what_is_reserved_shrinks_as_it_is_filled(bench: Bench) -> None:
    approved = bench.want(terms=NEAR)
    assert bench.path.reserved() == {approved.intent.key: D("400.0001")}
    bench.path.step()
    bench.market.execute(bench.market.orders[0], D("0.0025"))
    bench.path.step()
    assert bench.path.reserved() == {approved.intent.key: D("300.000075")}
    bench.path.cancel(approved.intent.key)
    assert bench.path.reserved() == {}
    bench.want(1, FAR, purpose=Purpose.EXIT, side="sell", amount=D("0.001"))
    assert bench.path.reserved() == {}
    assert bench.state() == "canceled"
    assert bench.path.cancel(approved.intent.key) == bench.path.order(approved.intent.key)


def test_an_exit_is_cut_to_what_is_left_and_denied_when_nothing_is(bench: Bench) -> None:
    bench.want()
    bench.path.step()
    bench.want(1, FAR, purpose=Purpose.EXIT, side="sell", amount=D("0.004"))
    bench.want(2, FAR, purpose=Purpose.EXIT, side="sell", amount=D("0.5"))
    bench.want(3, FAR, purpose=Purpose.EXIT, side="sell")
    bench.want(4, FAR, purpose=Purpose.EXIT, side="buy")
    amounts = {order.intent_key.split("|")[3]: order.amount for order in bench.path.orders()}
    assert sorted(amounts.values()) == [D("0.004"), D("0.00599")]
    assert bench.state(3, Purpose.EXIT) == bench.state(4, Purpose.EXIT) == "denied"
    assert check_books(bench.journal) == []


def test_an_exit_is_not_tried_again_when_the_first_attempt_exists_after_all(bench: Bench) -> None:
    bench.want()
    bench.path.step()
    bench.want(1, purpose=Purpose.EXIT, side="sell", amount=D("0.004"))
    bench.line.next_fault = "unsent"
    bench.path.step()
    first = next(one for one in bench.journal.orders() if one.state == "not_placed")
    order = bench.market.place(
        OrderRequest(first.client_order_id, BTC, "sell", D("0.004"), NEAR), bench.market.now
    )
    bench.market.execute(order, D("0.004"))
    bench.path.reconcile()
    bench.wait(5000)
    bench.path.step()
    assert bench.state(1, Purpose.EXIT) == "denied"
    assert bench.path.position(BTC) == D("0.00599")


def test_a_stale_list_of_open_orders_and_a_silent_amount_change_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.want()
    bench.path.step()
    [order] = bench.journal.orders()
    stale = OrderReport("1", order.client_order_id, BTC, "buy", OrderNews.OPEN, D(0), D(0))
    monkeypatch.setattr(bench.line, "open_orders", lambda: [stale])
    bench.path.reconcile()
    assert bench.journal.orders() == [order]
    bench.want(1, FAR)
    bench.path.step()
    [order] = bench.path.orders()
    monkeypatch.setattr(
        bench.line, "open_orders", lambda: [replace(stale, id="2", client_order_id=order.client_order_id)]
    )
    bench.path.reconcile()
    assert bench.path.orders() == [order]


def test_an_exit_is_sent_as_it_is_where_that_is_wanted() -> None:
    bench = Bench(reduce_only=False)
    bench.ready()
    bench.want(1, purpose=Purpose.EXIT, side="sell")
    assert len(bench.path.step()) == 1


def test_what_was_not_sent_is_cancelled_at_once_and_an_unknown_key_is_nothing(bench: Bench) -> None:
    approved = bench.want()
    bench.path.cancel(approved.intent.key)
    assert bench.path.cancel("nothing") is None
    assert bench.path.step() == []
    assert (bench.state(), bench.state(7)) == ("denied", "none")


def test_an_order_that_is_too_late_is_not_sent(bench: Bench) -> None:
    bench.want(ttl=10)
    bench.want(1, ttl=10)
    bench.wait(11)
    assert bench.path.reconcile().done
    assert bench.path.step() == []
    assert bench.state() == bench.state(1) == "denied"
    assert bench.market.orders == []


def test_a_request_that_never_left_is_made_again_after_a_pause_as_long_as_it_is_valid(bench: Bench) -> None:
    for fault in ("unsent", "busy", "unsent"):
        bench.line.next_fault = fault
        bench.want() if not bench.journal.orders() else None
        bench.path.step()
        bench.wait(5000)
    bench.path.step()
    assert [order.state for order in bench.journal.orders()] == ["not_placed"] * 3 + ["filled"]
    assert [one.kind for one in bench.events] == ["retried"] * 3


def test_a_refused_order_is_not_made_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_: OrderRequest) -> OrderReport:
        raise UnsupportedError("no such symbol")

    bench.want(amount=D(50))
    monkeypatch.setattr(bench.line, "place", unsupported)
    bench.want(1)
    bench.path.step()
    assert bench.state() == bench.state(1) == "rejected"
    assert [one.kind for one in bench.events] == ["refused"] * 2


def test_a_cancel_that_is_wanted_keeps_an_order_from_being_tried_again(bench: Bench) -> None:
    approved = bench.want()
    bench.line.next_fault = "drop"
    bench.path.step()
    bench.path.cancel(approved.intent.key)
    for _ in range(3):
        bench.wait(12_000)
        bench.path.step()
    assert bench.state() == "not_placed"
    assert len(bench.journal.orders()) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["drop", "lost", "unsent", "foreign"])
def test_a_cancel_goes_on_until_the_order_is_dead(bench: Bench, fault: str) -> None:
    approved = bench.want(terms=FAR)
    bench.path.step()
    bench.line.next_fault = fault
    bench.path.cancel(approved.intent.key)
    assert bench.state() == "cancel_unknown"
    bench.path.step()
    assert bench.state() == "canceled"


def test_a_refused_cancel_is_no_proof(bench: Bench) -> None:
    approved = bench.want(terms=NEAR)
    bench.path.step()
    bench.market.execute(bench.market.orders[0], D("0.01"))
    bench.path.cancel(approved.intent.key)
    assert bench.state() == "filled"
    assert len(bench.path.take_fills()) == 1


def test_a_fill_after_the_cancel_is_booked(bench: Bench) -> None:
    approved = bench.want(terms=NEAR)
    bench.path.step()
    bench.path.cancel(approved.intent.key)
    bench.market.execute(bench.market.orders[0], D("0.004"))
    assert bench.path.reconcile().done
    assert (bench.state(), bench.path.position(BTC)) == ("partial", D("0.003996"))
    bench.path.step()
    assert bench.state() == "canceled"


def test_more_than_was_ordered_is_booked_and_stops_entries(bench: Bench) -> None:
    bench.want(terms=NEAR)
    bench.path.step()
    bench.market.execute(bench.market.orders[0], D("0.02"))
    assert len(bench.path.step()) == 1
    assert "more than the 0.01 that were ordered" in bench.path.in_the_way(BTC)
    bench.want(1)
    assert bench.state(1) == "denied"
    assert check_books(bench.journal) == []
    bench.path.release()
    bench.want(2)
    assert bench.state(2) == "sending"


def test_a_halt_keeps_back_entries_that_wait_already(bench: Bench) -> None:
    bench.want()
    bench.path._barrier.halt("", "by hand")
    bench.path._barrier.halt("", "by hand")
    bench.path.step()
    assert bench.state() == "denied"


def dead_and_executed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Approved:
    """Bring an order that counts as never placed to the exchange, with its next attempt waiting."""
    approved = bench.want()
    bench.line.next_fault = "drop"
    bench.path.step()
    for _ in range(2):
        bench.wait(12_000)
        bench.path._looking.look_at_all()
    first = bench.journal.orders()[0]
    assert first.state == "not_placed"
    order = bench.market.place(
        OrderRequest(first.client_order_id, BTC, "buy", D("0.01"), NEAR), bench.market.now
    )
    bench.market.execute(order, D("0.01"))
    return approved


def test_a_fill_of_an_order_thought_dead_is_booked_and_stops_entries(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved = dead_and_executed(bench, monkeypatch)
    bench.path.reconcile()
    states = [order.state for order in bench.journal.orders()]
    # Its successor was still waiting, and entries stop.
    assert states == ["not_placed", "denied"]
    assert bench.journal.orders()[0].filled == D("0.01")
    assert "thought never to exist" in bench.path.in_the_way(BTC)
    assert bench.path.position(BTC, approved.intent.strategy) == D("0.00999")


def test_an_order_thought_dead_that_is_open_is_followed_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved = bench.want()
    bench.line.next_fault = "drop"
    bench.path.step()
    bench.path.cancel(approved.intent.key)
    for _ in range(3):
        bench.wait(12_000)
        bench.path.step()
    assert bench.state() == "not_placed"
    [order] = bench.journal.orders()
    bench.market.place(OrderRequest(order.client_order_id, BTC, "buy", D("0.01"), FAR), bench.market.now)
    bench.path.reconcile()
    assert bench.state() == "canceled"
    assert "thought impossible" in bench.path.in_the_way(BTC)


def test_an_order_thought_dead_whose_successor_lives_is_only_told(bench: Bench) -> None:
    bench.want(terms=FAR)
    bench.line.next_fault = "unsent"
    bench.path.step()
    bench.wait(5000)
    bench.path.step()
    first = bench.journal.orders()[0]
    bench.market.place(OrderRequest(first.client_order_id, BTC, "buy", D("0.01"), FAR), bench.market.now)
    bench.path.reconcile()
    assert [order.state for order in bench.journal.orders()] == ["not_placed", "open"]
    assert bench.path.in_the_way(BTC)


def test_an_order_thought_cancelled_that_is_open_is_followed_again(bench: Bench) -> None:
    bench.want(terms=FAR)
    bench.path.step()
    [order] = bench.path.orders()
    bench.path._store.keep(order, state="canceled")
    bench.path.reconcile()
    assert bench.state() == "open"
    assert [one.critical for one in bench.events] == [True]


def test_an_accepted_order_that_the_exchange_forgets_is_a_persons_business(bench: Bench) -> None:
    bench.want(terms=FAR)
    bench.path.step()
    forgotten = bench.market.orders.pop()
    for _ in range(12):
        bench.path.step()
    assert bench.state() == "needs_operator"
    assert "no longer knows" in bench.path.in_the_way(BTC)
    bench.market.orders.append(forgotten)
    bench.path.step()
    assert bench.state() == "open"
    bench.path.release(BTC)
    assert bench.path.in_the_way(BTC) == ""


def test_what_changes_without_a_fill_is_adjusted_once_it_lasts(bench: Bench) -> None:
    bench.market.totals["USDT"] += 5
    assert not bench.path.reconcile().done
    assert not bench.path.reconcile().done
    bench.wait(6000)
    assert bench.path.reconcile().adjusted == ("USDT +5",)
    assert "USDT" in bench.path.in_the_way(BTC)
    assert bench.path.reconcile() == (True, (), (), ())
    assert check_books(bench.journal) == []


def test_dust_is_adjusted_without_holding_anything() -> None:
    bench = Bench(dust={"BTC": D("0.001")})
    bench.ready()
    bench.market.totals["BTC"] -= D("0.001")
    bench.path.reconcile()
    bench.wait(6000)
    assert bench.path.reconcile().adjusted == ("BTC -0.001",)
    assert bench.path.in_the_way(BTC) == ""


def test_a_difference_that_goes_away_is_forgotten(bench: Bench) -> None:
    bench.market.totals["USDT"] += 5
    bench.path.reconcile()
    bench.market.totals["USDT"] -= 5
    assert bench.path.reconcile().done


def test_the_same_difference_after_another_fill_is_another_one(bench: Bench) -> None:
    bench.market.totals["USDT"] += 5
    assert not bench.path.reconcile().done
    bench.market.totals["USDT"] -= 5
    bench.market.by_hand(BTC, "buy", D("0.1"))
    bench.wait(6000)
    bench.market.totals["USDT"] += 5
    found = bench.path.reconcile()
    assert (found.done, found.adjusted) == (False, ())
    bench.wait(6000)
    assert bench.path.reconcile().adjusted == ("USDT +5",)


def test_others_orders_and_trades_are_told_and_left_alone(bench: Bench) -> None:
    bench.market.place(OrderRequest("web_x", BTC, "buy", D("0.2"), FAR), bench.market.now)
    bench.market.by_hand(BTC, "buy", D("0.1"))
    found = bench.path.reconcile()
    assert found.foreign == ("buy 0.2 BTC/USDT, order 1",)
    assert bench.path.position(BTC) == 0
    [(row, wanted)] = bench.path.history()
    assert (row.client_order_id, wanted) == (None, None)
    assert [one.kind for one in bench.events] == ["foreign", "foreign"]
    assert bench.restarted().reconcile().done
    assert check_books(bench.journal) == []


def test_an_open_order_of_others_is_told_once(bench: Bench) -> None:
    bench.market.place(OrderRequest("web_x", BTC, "buy", D("0.2"), FAR), bench.market.now)
    for _ in range(3):
        bench.path.reconcile()
    assert [one.text for one in bench.events] == ["open order of somebody else: buy 0.2 BTC/USDT, order 1"]
    assert bench.path.foreign_orders() == ("buy 0.2 BTC/USDT, order 1",)
    bench.market.cancel(BTC, "web_x")
    bench.path.reconcile()
    assert bench.path.foreign_orders() == ()


def test_a_cancel_by_hand_is_told_once_and_nothing_is_entered_until_the_books_agree(bench: Bench) -> None:
    bench.want(terms=FAR)
    bench.path.step()
    bench.market.cancel(BTC, bench.market.orders[0].request.client_order_id)
    for _ in range(2):
        bench.path.step()
    [order] = bench.journal.orders()
    assert (order.state, order.reason) == (
        "canceled",
        "cancelled at the exchange, and not by this program",
    )
    [event] = bench.events
    assert (event.kind, event.ref) == ("canceled", BTC)
    assert bench.path.did_others()
    assert event.text in bench.path.in_the_way(BTC)
    bench.want(1)
    assert bench.state(1) == "denied"
    assert bench.path.reconcile().done
    assert (bench.path.in_the_way(BTC), bench.path.did_others()) == ("", False)
    bench.want(2)
    bench.path.step()
    assert bench.state(2) == "filled"
    assert len(bench.market.orders) == 2


def test_a_cancel_of_our_own_is_nobody_elses(bench: Bench) -> None:
    approved = bench.want(terms=FAR)
    bench.path.step()
    bench.path.cancel(approved.intent.key)
    assert (bench.state(), bench.events, bench.path.did_others()) == ("canceled", [], False)


@pytest.mark.parametrize(
    ("sold", "state", "left"), [("1.004", "new", "0.00599"), ("1.00999", "denied", "0.009")]
)
def test_an_exit_that_waits_here_is_cut_to_what_others_left(
    bench: Bench, sold: str, state: str, left: str
) -> None:
    bench.want()
    bench.path.step()
    # Due only later: the exchange keeps nothing for it.
    approved = intent(1, "sell", D("0.009"), purpose=Purpose.EXIT, at=bench.market.now + 60_000, ttl=600_000)
    bench.path.submit(approved)
    bench.market.by_hand(BTC, "sell", D(sold))
    bench.ready()
    [order] = [one for one in bench.journal.orders() if one.side == "sell"]
    assert (order.state, order.amount) == (state, D(left))
    assert check_books(bench.journal) == []
    bench.wait(60_000)
    bench.path.step()
    assert bench.path.position(BTC) == 0


def test_an_account_becomes_ready_though_others_sold_what_an_exit_that_was_not_sent_is_for(
    bench: Bench,
) -> None:
    bench.want()
    bench.path.step()
    bench.path.submit(intent(1, "sell", purpose=Purpose.EXIT, at=bench.market.now + 60_000, ttl=600_000))
    bench.restarted()
    bench.market.by_hand(BTC, "sell", D("1.00999"))
    for _ in range(3):
        bench.path.reconcile()
        bench.wait(6000)
    assert bench.path.ready
    assert bench.path.positions() == {}


def test_what_others_took_and_is_dust_holds_nothing_up() -> None:
    bench = Bench(dust={"BTC": D("0.001")})
    bench.ready()
    bench.want()
    bench.path.step()
    bench.market.by_hand(BTC, "sell", D("1.0005"))
    bench.ready()
    bench.wait(6000)
    assert bench.path.reconcile().done
    assert bench.path.position(BTC) == D("0.00949")
    assert [(one.kind, one.critical) for one in bench.events] == [("foreign", False), ("taken", False)]
    assert bench.path.holds() == {}


def test_coins_that_an_order_of_ours_sells_are_nobody_elses_to_take(bench: Bench) -> None:
    bench.want()
    bench.path.step()
    bench.want(1, Terms("limit", PRICES[BTC] + 1), purpose=Purpose.EXIT, side="sell", amount=D("0.00999"))
    bench.path.step()
    # Sold beyond what is free, which an exchange does not let happen by itself.
    theirs = Placed("9", OrderRequest("web_9", BTC, "sell", D("1.005")), bench.market.now)
    bench.market.orders.append(theirs)
    bench.market.execute(theirs, D("1.005"))
    for _ in range(2):
        bench.wait(6000)
        found = bench.path.reconcile()
    assert found.waiting == ("0.005 BTC of what strategies hold is not there; orders that sell it are out",)
    assert bench.path.taken() == []


def test_of_what_others_did_the_newest_is_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barrier, "TOLD", 1)
    for _ in range(3):
        bench.market.by_hand(BTC, "buy", D("0.1"))
    bench.path.reconcile()
    assert len(bench.events) == 3
    assert len(bench.path._barrier._told) == 1


def test_an_account_that_moves_is_looked_at_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    balances = bench.line.balances

    def moving() -> Any:
        bench.market.by_hand(BTC, "buy", D("0.1"))
        return balances()

    monkeypatch.setattr(bench.line, "balances", moving)
    assert bench.path.reconcile().waiting == ("the account is moving",)


def test_a_fill_that_appears_after_newer_ones_is_found() -> None:
    bench = Bench(overlap=0)
    bench.ready()
    bench.want(terms=NEAR)
    bench.path.step()
    first = bench.market.orders[0]
    for _ in range(3):
        bench.market.execute(first, D("0.002"))
    hidden = bench.market.trades[1]
    bench.market.trades[1] = (bench.market.now + 1000, hidden[1])
    assert [fill.id for fill in bench.path.step()] == ["101", "103"]
    bench.market.execute(first, D("0.001"))
    assert [fill.id for fill in bench.path.step()] == ["104"]
    bench.wait(2000)
    assert [fill.id for fill in bench.path.step()] == ["102"]
    assert check_books(bench.journal) == []


def test_that_an_order_exists_is_stored_before_its_fills_are_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> Any:
        raise ExchangeUnreachableError("no route")

    bench.want()
    monkeypatch.setattr(bench.line, "fills", away)
    assert bench.path.step() == []
    [order] = bench.journal.orders()
    assert (order.state, order.exchange_id) == ("open", "1")
    monkeypatch.undo()
    assert len(bench.path.step()) == 1
    assert bench.state() == "filled"


def test_fills_that_an_answer_tells_are_booked_with_it_and_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = bench.line.find

    def telling(symbol: str, name: str) -> OrderReport | None:
        report = find(symbol, name)
        return report and replace(report, executions=tuple(bench.line.fills(symbol, None)))

    bench.want(terms=NEAR)
    bench.path.step()
    bench.market.execute(bench.market.orders[0], D("0.004"))
    assert len(bench.path.step()) == 1
    bench.market.execute(bench.market.orders[0], D("0.006"))
    monkeypatch.setattr(bench.line, "find", telling)
    before = bench.journal.length()
    assert [fill.amount for fill in bench.path.step()] == [D("0.006")]
    assert bench.journal.length() == before + 1
    assert bench.state() == "filled"
    assert check_books(bench.journal) == []


def test_looking_one_order_up_does_not_undo_the_fill_of_another_that_it_booked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = bench.line.find
    bench.want(1, NEAR)
    bench.want(2, NEAR)
    bench.path.step()
    first, second = bench.market.orders
    for order in (first, second):
        bench.market.execute(order, D("0.002"))
    hidden = second.request.client_order_id
    monkeypatch.setattr(bench.line, "find", lambda *which: None if which[1] == hidden else find(*which))
    assert len(bench.path.step()) == 2
    monkeypatch.undo()
    bench.market.execute(second, D("0.003"))
    assert len(bench.path.step()) == 1
    assert [order.filled for order in bench.path.orders()] == [D("0.002"), D("0.005")]
    assert check_books(bench.journal) == []


def test_what_is_no_longer_remembered_is_known_by_the_journal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_view, "KEPT", 1)
    monkeypatch.setattr(journal_view, "KEPT_FILLS", 1)
    for number in range(4):
        bench.want(number)
        assert len(bench.path.step()) == 1
    assert len(bench.path.mirror.newest_fills(BTC)) == len(bench.path.mirror.ended) == 1
    assert bench.path.reconcile().done
    assert bench.path.take_fills() == []
    assert len(bench.journal.fills()) == 4
    assert check_books(bench.journal) == []
    name = bench.journal.orders()[0].client_order_id
    assert bench.path.mirror.order(name) == bench.journal.order(name)


def test_a_venue_that_names_the_order_of_a_fill_is_believed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.want(terms=NEAR)
    bench.path.step()
    [order] = bench.path.orders()
    fill = Fill("model", BTC, "900", order.client_order_id, "buy", D("0.01"), D(1), D(0), "BTC", 1, "end")
    monkeypatch.setattr(bench.line, "fills", lambda *_: [Execution("1", fill)])
    bench.path.reconcile()
    assert (bench.state(), bench.path.take_fills()) == ("filled", [fill])


def test_while_the_exchange_is_away_everything_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> Any:
        raise ExchangeUnreachableError("no route")

    approved = bench.want(terms=FAR)
    bench.path.step()
    for name in ("now", "find", "cancel", "balances", "ask_time", "place", "open_orders"):
        monkeypatch.setattr(bench.line, name, away)
    bench.want(1)
    bench.path.cancel(approved.intent.key)
    assert bench.path.step() == []
    assert bench.path.reconcile() == (False, ("no route",), (), ())
    assert (bench.state(), bench.state(1)) == ("cancel_unknown", "sending")
    monkeypatch.undo()
    bench.path.step()
    assert (bench.state(), bench.state(1)) == ("canceled", "filled")


def test_after_a_write_that_failed_the_journal_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.want()
    run: Callable[..., Any] = bench.journal._run

    def full(statement: str, *given: object) -> Any:
        if statement == "COMMIT" and bench.market.orders:
            raise DatabaseError("the disk is full")
        return run(statement, *given)

    monkeypatch.setattr(bench.journal, "_run", full)
    with pytest.raises(DatabaseError, match="full"):
        bench.path.step()
    assert (bench.state(), len(bench.market.orders)) == ("sending", 1)
    monkeypatch.undo()
    assert len(bench.path.step()) == 1
    assert (bench.state(), len(bench.market.orders)) == ("filled", 1)


def test_only_the_newest_process_writes(bench: Bench) -> None:
    older = bench.path
    newer = Journal(bench.journal._connection, ":memory:", ACCOUNT)
    assert OrderPath(newer, bench.line, INSTANCE).reconcile().done
    with pytest.raises(DatabaseError, match="another process has taken over the account"):
        older.submit(intent(5))


def test_what_a_process_did_not_live_to_send_is_looked_up_and_sent_under_another_name(bench: Bench) -> None:
    bench.want()
    assert (bench.state(), bench.market.orders) == ("sending", [])
    path = bench.restarted()
    bench.ready()
    assert [order.state for order in bench.journal.orders()] == ["not_placed", "new"]
    [fill] = path.step()
    assert (bench.state(), fill.client_order_id) == ("filled", bench.journal.orders()[1].client_order_id)


def test_an_order_that_is_not_due_yet_is_not_said_to_leave(bench: Bench) -> None:
    approved = intent(0, at=bench.market.now + 1000, ttl=600_000)
    assert bench.path.submit(approved).state == "new"
    assert bench.path.step() == []
    bench.wait(1000)
    assert len(bench.path.step()) == 1


def test_a_damaged_journal_is_not_traded_on(bench: Bench) -> None:
    bench.want()
    bench.journal._connection.execute(
        "UPDATE journal SET body = replace(body, '0.01', '0.02') WHERE kind = 'intent'"
    )
    with pytest.raises(DatabaseError, match=r"is damaged: journal: entry .* was changed"):
        bench.restarted().reconcile()


def test_an_answer_about_another_order_is_unknown(bench: Bench) -> None:
    bench.want()
    bench.line.next_fault = "foreign"
    bench.path.step()
    assert bench.state() == "unknown"
    bench.path.step()
    assert bench.state() == "filled"
    assert not isinstance(OrderUnknownError("x"), RefusedError)


def test_an_order_that_is_refused_after_it_was_sent_is_rejected(bench: Bench) -> None:
    assert after_report(OrderNews.REJECTED, D(0), D(0)) is State.REJECTED
    assert after_report(OrderNews.REJECTED, D(1), D(1)) is State.CANCELED
    with pytest.raises(HotCryptoError, match="cannot go from filled to open"):
        check_move(State.FILLED, State.OPEN)


def test_names_of_orders_are_functions_of_what_they_are_for() -> None:
    name = client_order_id("a", "b", "c", 0)
    assert name == client_order_id("a", "b", "c", 0)
    assert len({name, *(client_order_id(*x) for x in (("b", "b", "c", 0), ("a", "b", "c", 1)))}) == 3
    assert len(name) == 32
    assert "secret" not in account_name("binanceus", "secret")
    assert checked_name("account", account_name("binanceus", "secret")).startswith("binanceus-")
    with pytest.raises(UsageError, match=r"account 'a\|b'"):
        checked_name("account", "a|b")
    nobody(Alert("halt", "", ""))


def test_a_difference_moves_what_belongs_to_no_position() -> None:
    lines = adjustment_postings("BTC", D(-5))
    assert lines == [Posting("adjust:BTC", "BTC", D(5)), Posting("cash:BTC", "BTC", D(-5))]
    books = Books()
    books.add(lines)
    assert books.totals() == {"BTC": D(-5)}


def test_several_intents_are_stored_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    path = bench.ready()
    both = [intent(number, at=bench.market.now, ttl=600_000) for number in (1, 2)]
    put_new = Journal.put_new

    def fails(self: Journal, kind: Any, values: Any) -> bool:
        if values[0] == both[1].intent.key:
            raise DatabaseError("the disk is full")
        return put_new(self, kind, values)

    with monkeypatch.context() as broken:
        broken.setattr(Journal, "put_new", fails)
        with pytest.raises(DatabaseError):
            path.submit_all(both)
    assert bench.journal.intents() == []
    assert path.orders() == []
    before = bench.journal.length()
    orders = path.submit_all(both)
    assert [order.intent_key for order in orders] == [one.intent.key for one in both]
    assert bench.journal.length() == before + 1
    assert path.submit_all(both) == orders
    assert path.submit_all([]) == []


def test_what_is_stored_together_closes_no_more_than_is_held() -> None:
    bench = Bench()
    path = bench.ready()
    bench.want(1, amount=D("0.01"))
    path.step()
    path.step()
    closing = [
        intent(number, "sell", D("0.008"), purpose=Purpose.EXIT, at=bench.market.now, ttl=600_000)
        for number in (2, 3, 4)
    ]
    first, second, third = path.submit_all(closing)
    held = path.position(BTC)
    assert (first.amount, second.amount) == (D("0.008"), held - D("0.008"))
    assert (third.state, third.reason) == ("denied", f"nothing is left to close of {BTC}")
