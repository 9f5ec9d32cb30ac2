"""Orders that algorithms execute, over real ccxt at the local exchange of both venues."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from core.account.messages import OrderRequest, Terms
from core.account.money import to_step
from core.account.orders import PART, Approved, Executed, Intent, Purpose
from core.domain import Bar
from core.engine import LiveDecider
from core.errors import OrderRefusedError, UnsupportedError
from core.exchange_sim.server import BINANCEUS, KRAKEN
from core.execution import Plan
from core.execution_algos.machines import AlgoTerms, machine_of
from core.execution_algos.values import LocalBook, OrderGrid
from core.order_path.audit import check_books
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.path import OrderPath
from core.order_path.working import Working, WorkTerms
from core.risk.present import Present
from db.journal import memory_journal
from tests.desk_help import CASH, Account
from tests.exchange_help import NOON
from tests.integration.test_resting_stops import NAME, Place, place_of
from tests.scripted import SCRIPTED

D = Decimal
TERMS = AlgoTerms(3_000, 9_000, split_pause_ms=2_000, split_until_ms=9_000)


@pytest.fixture(params=[BINANCEUS, KRAKEN])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from place_of(request.param)


class Trader:
    """One account that trades by an algorithm, as a process has it."""

    def __init__(self, place: Place, algorithm: str) -> None:
        self.place, self.algorithm = place, algorithm
        self.journal = memory_journal("test")
        rules = place.client.rules(place.symbol)
        self.grid = OrderGrid(rules.tick, rules.lot, rules.amount.least, rules.cost.least)
        self.begin()

    def begin(self) -> None:
        """Be a new process."""
        self.path = OrderPath(self.journal, ExchangeVenue(self.place.client), "test-1")
        while not self.path.reconcile([self.place.symbol]).done:
            self.place.time.now += 6000
        terms = WorkTerms(
            lambda _: machine_of(self.algorithm, TERMS), lambda _: self.grid, self.place.client.books.read
        )
        self.working = Working(self.path, terms)

    def wish(self, purpose: Purpose, side: str, amount: str) -> Intent:
        """Hand something over; return it."""
        now = self.place.time.now
        named = "trend", self.place.symbol, "1m", now // 60_000 * 60_000, purpose, "main"
        buys = side == "buy"
        intent = Intent(*named, "buy" if buys else "sell", D(amount), D(100), "a test", now, now + 600_000)
        self.working.begin(Approved(intent))
        return intent

    def go(self, seconds: int) -> None:
        """Let time pass as the loop does."""
        for _ in range(seconds):
            self.working.step(is_told=True)
            self.place.time.now += 1000
            self.path.step()
        self.working.step(is_told=True)

    def parts(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """Return kind, state, amount and what was executed of each order."""
        orders = [one for one in self.journal.orders() if PART in one.intent_key]
        return [(one.kind, one.state, one.amount, one.filled) for one in orders]


def test_the_book_of_a_venue_is_read_and_is_none_of_a_symbol_that_it_has_not(place: Place) -> None:
    book = place.client.books.read(place.symbol)
    assert isinstance(book, LocalBook)
    assert len(book.bids) == len(book.asks) == 100
    assert [one.price for one in book.asks] == sorted(one.price for one in book.asks)
    assert [one.price for one in book.bids] == sorted((one.price for one in book.bids), reverse=True)
    assert book.is_usable(place.time.now)
    assert D(99) < book.bids[0].price < book.asks[0].price < D(101)
    with pytest.raises(UnsupportedError):
        place.client.books.read("NO/SUCH")


FIELDS = {
    BINANCEUS: {"type": "LIMIT_MAKER", "price": "99", "quantity": "0.5"},
    KRAKEN: {"ordertype": "limit", "price": "99", "volume": "0.5"},
}


def test_a_maker_is_sent_as_each_venue_has_it_and_is_refused_where_it_would_take(place: Place) -> None:
    def maker(name: str, price: str) -> OrderRequest:
        return OrderRequest(name, place.symbol, "buy", D("0.5"), Terms("maker", D(price)))

    place.orders.place(maker(NAME, "99"))
    sent = place.sent()
    assert {name: sent[name] for name in FIELDS[place.venue]} == FIELDS[place.venue]
    if place.venue == KRAKEN:
        assert "post" in sent["oflags"].split(",")
    assert place.sim.kraken.unknown == {}
    with pytest.raises(OrderRefusedError):
        place.orders.place(maker("another", "101"))
    assert len(place.placed()) == 1


STEPS = {
    # A tick nearer is where it trades; at Kraken, whose tick is larger, there is no price between the sides.
    BINANCEUS: [("maker", "canceled"), ("maker", "filled")],
    KRAKEN: [("maker", "canceled"), ("maker", "canceled"), ("maker", "canceled"), ("market", "filled")],
}


@pytest.mark.unmeasured
def test_a_chase_rests_goes_nearer_and_takes(place: Place) -> None:
    one = Trader(place, "market")
    one.wish(Purpose.ENTRY, "buy", "0.5")
    one.go(1)
    one.algorithm = "limit_chase"
    lot = place.client.rules(place.symbol).lot
    intent = one.wish(Purpose.EXIT, "sell", f"{to_step(one.path.position(place.symbol, 'trend'), lot):f}")
    one.go(14)
    assert [(kind, state) for kind, state, *_ in one.parts()[1:]] == STEPS[place.venue]
    assert one.working.is_whole(intent)
    assert one.path.position(place.symbol, "trend") < D("0.001")
    assert check_books(one.journal) == []
    assert not [order for order in place.placed() if order.open]


@pytest.mark.unmeasured
def test_a_maker_that_the_market_reaches_fills_as_maker_through_a_restart(place: Place) -> None:
    one = Trader(place, "limit_chase")
    # The minute at 90 is about to begin.
    place.time.now = NOON + 58_000
    intent = one.wish(Purpose.ENTRY, "buy", "0.5")
    one.go(1)
    assert [kind for kind, *_ in one.parts()] == ["maker"]
    place.time.now += 4_000
    one.begin()
    one.working.begin(Approved(intent))
    one.go(1)
    assert one.working.is_whole(intent)
    trades = place.sim.books(place.venue).trades[place.symbol]
    assert trades
    assert all(trade.maker for trade in trades)
    assert check_books(one.journal) == []


@pytest.mark.unmeasured
def test_slices_take_what_is_offered_and_an_exit_sells_the_rest(place: Place) -> None:
    one = Trader(place, "market")
    entry = one.wish(Purpose.ENTRY, "buy", "20")
    one.go(1)
    assert one.working.is_whole(entry)
    one.algorithm = "split"
    held = one.path.position(place.symbol, "trend")
    intent = one.wish(Purpose.EXIT, "sell", f"{held:f}")
    one.go(14)
    kinds = [kind for kind, *_ in one.parts()[1:]]
    assert kinds[0] == "limit"
    assert one.working.is_whole(intent)
    assert one.path.position(place.symbol, "trend") < D("0.001")
    assert check_books(one.journal) == []


@pytest.mark.parametrize("algorithm", ["limit_chase", "split", "twap"])
def test_on_paper_the_venue_s_book_fills_what_is_never_sent(place: Place, algorithm: str) -> None:
    rules = place.client.rules(place.symbol)
    grid = OrderGrid(rules.tick, rules.lot, rules.amount.least, rules.cost.least)
    terms = WorkTerms(
        lambda _: machine_of(algorithm, TERMS),
        lambda _: grid,
        place.client.books.read,
        {"SCRIPTED": algorithm},
    )
    account = Account(works=terms)
    live = SCRIPTED.live({"params": {}})
    plan = Plan("1m", SCRIPTED.rule.sizing(live.params))
    account.session.add("SCRIPTED", place.symbol, plan, LiveDecider(place.symbol, live))
    account.session.portfolio.mark(place.symbol, 100.0)
    account.desk.at(place.time.now)
    account.desk.open(account.session, [place.symbol], {place.symbol.partition("/")[2]: CASH}, None)
    for number, order in enumerate((0.0, 1.0)):
        ts = NOON - (2 - number) * 60_000
        account.session.on_bars(
            [Bar(place.symbol, "1m", ts, ts + 60_000, 100.0, 101.0, 99.0, 100.0, order)],
            Present(place.time.now),
        )
        account.desk.send()
    prices = []
    for _ in range(30):
        account.desk.at(place.time.now)
        events = account.desk.news()
        prices += [one.fill.price for one in events if isinstance(one, Executed)]
        if events:
            account.session.on_events(events, place.time.now)
            account.desk.send()
        place.time.now += 1_000
    assert account.session.portfolio.amount(place.symbol) > 1
    assert all(D(80) < price < D(101) for price in prices)
    assert (place.placed(), account.desk.waiting, account.desk.disagreements()) == ([], {}, [])
    assert check_books(account.journal) == []


LISTS = ("/api/v3/exchangeInfo", "/0/public/AssetPairs")


def test_no_order_waits_for_a_list_of_markets(place: Place) -> None:
    venue = ExchangeVenue(place.client)
    place.client.check_series(place.symbol, "1m")
    place.time.now += 7_200_000
    place.sim.requests.clear()
    rest = OrderRequest(NAME, place.symbol, "buy", D("0.5"), Terms("maker", D("60")))
    venue.place(rest)
    assert venue.find(place.symbol, NAME) is not None
    assert [one.client_order_id for one in venue.open_orders()] == [NAME]
    assert place.client.books.read(place.symbol).bids
    assert place.client.orders.stop_rules(place.symbol) is not None
    venue.cancel(place.symbol, NAME)
    venue.fills(place.symbol, None)
    venue.balances()
    place.client.create_order(place.symbol, "buy", "limit", "0.5", "60")
    asked = [one.path for one in place.sim.requests]
    assert len(asked) > 7
    assert not set(LISTS) & set(asked)
    # Who reads candles has it loaded anew: rules change and symbols are halted while a program runs.
    place.client.check_series(place.symbol, "1m")
    assert sum(one.path in LISTS for one in place.sim.requests) == 1
