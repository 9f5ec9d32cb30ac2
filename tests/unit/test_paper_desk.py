"""The paper exchange behind the order path: whatever the process did not live to see is found again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import Balance, OrderNews, OrderRequest
from core.account.orders import Approved, Executed, Purpose, Refused
from core.domain import Bar, Costs
from core.engine import LiveDecider, Step
from core.errors import HotCryptoError, OrderRefusedError
from core.execution import Plan
from core.order_path.audit import check_books
from core.paper.fills import PaperFills
from core.paper.venue import PaperVenue
from db.journal import memory_journal
from tests.account_help import SYMBOL, exit_of, intent
from tests.desk_help import Account
from tests.markets import HOUR, START
from tests.scripted import SCRIPTED

D = Decimal
LONG, SHORT, FLAT = 1.0, 2.0, 3.0


class World:
    """A paper account, one process after the other."""

    def __init__(self) -> None:
        self.journal = memory_journal("test")
        self.number = 0
        self.begin()

    def begin(self, kept: dict[str, Any] | None = None) -> None:
        self.account = Account(self.journal)
        live = SCRIPTED.live({"params": {"stop_away": 5.0, "take_away": 9.0}})
        plan = Plan("1h", SCRIPTED.rule.sizing(live.params))
        self.account.session.add("SCRIPTED", SYMBOL, plan, LiveDecider(SYMBOL, live))
        self.account.session.portfolio.mark(SYMBOL, 100.0)
        self.account.open(kept, START + self.number * HOUR)

    def bar(self, order: float = 0.0, low: float = 99.0, high: float = 101.0, *, send: bool = True) -> Step:
        self.number += 1
        ts = START + self.number * HOUR
        self.account.desk.at(ts + HOUR)
        step = self.account.session.on_bars(
            [Bar(SYMBOL, "1h", ts, ts + HOUR, 100.0, high, low, 100.0, order)]
        )
        if send:
            self.account.desk.send()
        return step

    def states(self) -> list[tuple[str, str]]:
        return [(order.intent_key.rpartition("|")[2], order.state) for order in self.journal.orders()]


def test_nothing_is_in_the_journal_before_the_step_is_kept() -> None:
    world = World()
    world.bar()
    world.bar(LONG, send=False)
    assert world.states() == []
    world.account.desk.send()
    assert world.states() == [("entry", "open")]
    world.bar()
    assert world.states() == [("entry", "filled")]


def test_what_the_model_closes_by_itself_is_an_order_with_its_fill() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    step = world.bar(low=90.0)
    assert [event.fill.reason for event in step.fills] == ["entry", "stop"]
    assert sorted(world.states()) == [("entry", "filled"), ("stop", "filled")]
    assert check_books(world.journal) == []
    assert world.account.desk.disagreements() == []


def test_an_entry_that_cash_cannot_pay_at_the_open_is_refused_and_rejected() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    world.account.model.cash = 1.0
    step = world.bar()
    (refused,) = step.outcomes
    assert isinstance(refused, Refused)
    assert refused.reason.value == "cash"
    assert world.states() == [("entry", "rejected")]
    assert world.account.desk.waiting == {}


def test_a_fill_that_was_booked_and_not_kept_is_told_with_the_bar_it_happened_in() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    kept = world.account.snapshot()
    expected = world.bar(low=90.0)
    world.number -= 1
    world.begin(kept)
    assert world.account.desk.disagreements() == []
    again = world.bar(low=90.0)
    assert [event.fill for event in again.fills] == [event.fill for event in expected.fills]
    assert again.trades == expected.trades
    assert again.equity == expected.equity
    assert world.account.desk.disagreements() == []
    assert len(world.journal.fills()) == 2


def test_a_fill_of_a_price_is_told_though_no_price_ever_comes_there_again() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    world.bar()
    kept = world.account.snapshot()
    (event,) = world.account.desk.on_price(SYMBOL, 94.0)
    assert isinstance(event, Executed)
    assert event.intent.purpose is Purpose.STOP
    world.begin(kept)
    (again,) = world.account.desk.news()
    assert isinstance(event, Executed)
    assert isinstance(again, Executed)
    assert again.fill == event.fill
    assert world.account.desk.news() == []
    assert world.account.desk.on_price(SYMBOL, 90.0) == []


def test_a_stop_stored_by_a_process_that_died_is_sent_when_its_lot_does_not_close_by_itself() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    world.bar()
    kept = world.account.snapshot()
    lot = world.account.session.portfolio.lots("SCRIPTED", SYMBOL)[0]
    stop = intent(
        strategy="SCRIPTED",
        bar=START + (world.number + 1) * HOUR,
        purpose=Purpose.STOP,
        leg=f"lot-{lot.id}",
        side="sell",
        amount=lot.amount,
        reason="stop",
        valid_until=START + 1000 * HOUR,
    )
    world.account.desk.path.submit(Approved(stop))
    world.begin(kept)
    world.account.desk.send()
    assert world.bar().fills == ()
    (event,) = world.bar().fills
    assert (event.intent.key, event.fill.price) == (stop.key, D("100.0"))
    assert world.account.positions() == {}
    assert check_books(world.journal) == []


def test_an_order_about_to_be_sent_by_a_process_that_died_is_sent_under_another_name() -> None:
    world = World()
    world.bar()
    world.bar(LONG, send=False)
    kept = world.account.snapshot()
    desk = world.account.desk

    def killed(request: OrderRequest) -> None:
        raise KeyboardInterrupt

    desk.market.place = killed  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        desk.send()
    assert world.states() == [("entry", "sending")]
    world.begin(kept)
    world.account.desk.send()
    assert world.states() == [("entry", "not_placed"), ("entry", "open")]
    assert [event.fill.reason for event in world.bar().fills] == ["entry"]


def test_an_order_that_came_too_late_is_refused_and_its_cash_free() -> None:
    world = World()
    world.bar()
    world.bar(LONG, send=False)
    kept = world.account.snapshot()
    world.number += 5
    world.begin(kept)
    world.account.desk.send()
    (refused,) = world.account.desk.news()
    assert isinstance(refused, Refused)
    assert (refused.reason.value, refused.detail) == ("expired", "it was not sent before it expired")


def test_a_fill_that_the_journal_does_not_take_ends_everything() -> None:
    world = World()
    world.bar()
    world.bar(LONG)
    world.account.desk.market.publish = lambda fact: True  # type: ignore[method-assign]
    with pytest.raises(HotCryptoError, match="the journal did not take the fill"):
        world.bar()


def exchange() -> tuple[PaperVenue, dict[str, Any]]:
    known: dict[str, Any] = {}
    model = PaperFills(10_000.0, Costs(0.001))
    found = PaperVenue(model, lambda name: known[name])
    found.begin({"USDT": D(10_000)}, [])
    return found, known


def test_the_exchange_takes_a_name_once_and_cancels_what_has_not_had_its_turn() -> None:
    paper, known = exchange()
    known["a"] = intent(amount=D(2))
    report = paper.place(OrderRequest("a", SYMBOL, "buy", D(1)))
    assert (report.standing, report.amount, report.filled) == (OrderNews.OPEN, D(1), D(0))
    with pytest.raises(OrderRefusedError, match="use another name"):
        paper.place(OrderRequest("a", SYMBOL, "buy", D(1)))
    assert [one.client_order_id for one in paper.open_orders()] == ["a"]
    assert paper.cancel(SYMBOL, "a").standing is OrderNews.CANCELED
    assert paper.open_orders() == []
    with pytest.raises(OrderRefusedError, match="is not open"):
        paper.cancel(SYMBOL, "a")
    assert paper.find("ETH/USDT", "a") is None
    assert paper.find(SYMBOL, "b") is None


def test_executions_are_read_on_from_the_newest_known_one() -> None:
    paper, known = exchange()
    for number in range(3):
        known[str(number)] = intent(bar=START + number * HOUR)
        paper.place(OrderRequest(str(number), SYMBOL, "buy", D(1)))
    opened = START + 3 * HOUR
    for event in paper.on_bars([Bar(SYMBOL, "1h", opened, opened + HOUR, 100.0, 101.0, 99.0, 100.0, 1.0)]):
        assert isinstance(event, Executed)
        assert paper.publish(event)
    every = paper.fills(SYMBOL, None)
    assert [one.order_id for one in every] == ["0", "1", "2"]
    assert paper.fills(SYMBOL, every[0].fill.id) == every[1:]
    assert paper.fills(SYMBOL, "long ago") == every
    assert paper.balances()["BTC"].total == 3
    assert paper.balances()["USDT"].total == D(10_000) - 300 - D("0.3")


def test_what_the_model_refuses_is_rejected() -> None:
    paper, known = exchange()
    known["a"] = exit_of(intent())
    paper.place(OrderRequest("a", SYMBOL, "sell", D(1)))
    (event,) = paper.on_price(SYMBOL, 100.0)
    assert isinstance(event, Refused)
    report = paper.find(SYMBOL, "a")
    assert report is not None
    assert report.standing is OrderNews.REJECTED
    assert (paper.now(), paper.ask_time(), paper.absence_is_final_at(5)) == (0, 0, 0)


def test_a_bar_s_volume_fills_a_part_and_the_rest_is_cancelled_in_the_journal_too() -> None:
    world = World()
    world.account.model.volume_share = 0.5
    world.bar()
    world.bar(LONG)
    step = world.bar(7.5)
    assert [(event.fill.amount, event.is_done) for event in step.fills] == [(D("3.75"), True)]
    assert world.states() == [("entry", "canceled")]
    assert world.account.session.portfolio.amount(SYMBOL) == D("3.75")
    assert world.account.session.portfolio.pending == {}
    assert world.account.desk.disagreements() == check_books(world.journal) == []
    world.begin(world.account.snapshot())
    assert world.account.session.portfolio.amount(SYMBOL) == D("3.75")
    assert world.account.desk.disagreements() == []


def test_a_paper_exchange_that_never_agrees_with_its_journal_is_not_traded_on() -> None:
    world = World()
    again = Account(world.journal, settle_ms=1)
    cash = iter(range(1, 100))
    again.desk.market.balances = lambda: {"USDT": Balance(D(next(cash)), D(0))}  # type: ignore[method-assign]
    with pytest.raises(
        HotCryptoError, match="the paper exchange and its journal differ: the exchange differ"
    ):
        again.open(None, START)
    assert not again.desk.path.ready


def test_on_paper_no_exit_is_ever_waited_for_and_a_reload_reaches_the_fill_model() -> None:
    world = World()
    desk, model = world.account.desk, world.account.desk.market.model
    assert not desk.backs_off(("SCRIPTED", SYMBOL))
    desk.fill_at_most(0.25)
    assert model.volume_share == 0.25
    desk.follow("ANOTHER", SYMBOL, "1h")
    desk.fill_at_most(None)
    assert model.volume_share is None
