"""A paper account whose orders algorithms execute: filled by a public book, held on by the fill model."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from core.account.orders import Executed, Purpose, Refused
from core.domain import Bar
from core.engine import LiveDecider, Step
from core.execution import Plan
from core.execution_algos.machines import AlgoTerms, machine_of
from core.execution_algos.values import BookOffer, LocalBook, OrderGrid
from core.order_path.audit import check_books
from core.order_path.working import WorkTerms
from core.paper.public_books import PublicBooks
from db.journal import Journal, memory_journal
from tests.account_help import SYMBOL
from tests.desk_help import Account
from tests.markets import HOUR, START
from tests.scripted import SCRIPTED
from tests.tiers import some, statistics

D = Decimal
LONG, SHORT, FLAT = 1.0, 2.0, 3.0
GRID = OrderGrid(D("0.01"), D("0.001"), D("0.001"), D(10))
FEE = D("0.001")
TERMS = AlgoTerms(3_000, 9_000, split_pause_ms=2_000, split_until_ms=8_000, twap_slices=3, twap_over_ms=6_000)


def book(time: int, bid: str, ask: str, amount: str) -> LocalBook:
    """Return a book with one price on each side."""
    return LocalBook((BookOffer(D(bid), D(amount)),), (BookOffer(D(ask), D(amount)),), time)


Offers = tuple[str, str, str]
"""Best bid, best ask, and how much at each price."""


class World:
    """One account on paper at a venue with a book, one process after the other."""

    def __init__(self, algorithm: str = "twap") -> None:
        self.algorithm: str | None = algorithm
        self.journal: Journal = memory_journal("test")
        self.number, self.time = 0, START
        self.offers: Offers | None = ("99.99", "100.01", "1000")
        self.asked = 0
        self.begin()

    def read(self, symbol: str) -> LocalBook | None:
        """Return what the venue's book is now."""
        self.asked += 1
        return None if self.offers is None else book(self.time, *self.offers)

    def begin(self, kept: dict[str, Any] | None = None) -> None:
        """Be a new process."""
        name = self.algorithm
        works = name and WorkTerms(
            lambda _: machine_of(name, TERMS), lambda _: GRID, self.read, {"SCRIPTED": name}
        )
        self.account = Account(self.journal, works=works or None)
        live = SCRIPTED.live({"params": {"stop_away": 5.0, "take_away": 9.0}})
        plan = Plan("1h", SCRIPTED.rule.sizing(live.params))
        self.account.session.add("SCRIPTED", SYMBOL, plan, LiveDecider(SYMBOL, live))
        self.account.session.portfolio.mark(SYMBOL, 100.0)
        self.account.open(kept, self.time)
        # As a loop does at its first look.
        self.account.desk.send()

    def again(self) -> None:
        """Be killed and begin as it was kept."""
        self.begin(self.account.snapshot())

    def bar(self, order: float = 0.0, low: float = 99.0, high: float = 101.0) -> Step:
        """Let a bar close."""
        self.number += 1
        ts = START + self.number * HOUR
        self.at(ts + HOUR)
        step = self.account.session.on_bars(
            [Bar(SYMBOL, "1h", ts, ts + HOUR, 100.0, high, low, 100.0, order)]
        )
        self.account.desk.send()
        return step

    def at(self, time: int) -> None:
        """Be told the time."""
        self.time = max(self.time, time)
        self.account.desk.at(self.time)

    def go(self, seconds: int = 1) -> list[Any]:
        """Let so many looks pass, a second apart, as the loop has them; return what they brought."""
        found: list[Any] = []
        for _ in range(seconds):
            self.at(self.time + 1000)
            events = self.account.desk.news()
            if events:
                self.account.session.on_events(events, self.time)
                self.account.desk.send()
            found += events
            self.check()
        return found

    def price(self, price: float) -> list[Any]:
        """Let a price be seen between bars."""
        events = self.account.desk.on_price(SYMBOL, price)
        self.account.session.on_events(events, self.time)
        self.account.desk.send()
        self.check()
        return events

    def parts(self) -> list[tuple[str, str, Decimal]]:
        """Return kind, state and what was executed of each order of an algorithm."""
        return [(one.kind, one.state, one.filled) for one in self.journal.orders() if "~" in one.intent_key]

    @property
    def held(self) -> Decimal:
        """Return what is held by the account."""
        return self.account.session.portfolio.amount(SYMBOL)

    @property
    def modelled(self) -> Decimal:
        """Return what the fill model holds."""
        lots = self.account.model._book("SCRIPTED", SYMBOL, "1h").lots.values()
        return sum((lot.amount for lot in lots), D(0))

    def check(self) -> None:
        """Books, account, exchange and fill model say the same; nothing is sold that is not held."""
        assert self.account.desk.disagreements() == []
        assert self.modelled == abs(self.held)
        assert self.account.model.cash == self.account.session.portfolio.settled
        assert check_books(self.journal) == []


def fills(events: list[Any]) -> list[tuple[Decimal, Decimal]]:
    return [(one.fill.amount, one.fill.price) for one in events if isinstance(one, Executed)]


def entered(world: World) -> Decimal:
    """Let the account be long by an entry at the market's offer; return how much."""
    world.bar()
    world.bar(LONG)
    world.go(10)
    assert world.held > 0
    return world.held


def test_slices_fill_between_bars_at_what_is_offered_and_make_one_lot() -> None:
    world = World("twap")
    world.bar()
    step = world.bar(LONG)
    assert step.fills == ()
    wanted = next(iter(world.account.desk.waiting.values())).intent.amount
    events = world.go(8)
    prices = {price for _, price in fills(events)}
    assert (len(fills(events)), prices) == (3, {D("100.01")})
    assert [one.is_done for one in events] == [False, False, True]
    assert world.held == wanted
    assert all(kind == "market" and state == "filled" for kind, state, _ in world.parts())
    portfolio = world.account.session.portfolio
    assert portfolio.cash == D(10_000) - wanted * D("100.01") * (1 + FEE)
    assert world.account.desk.waiting == {}
    (lot,) = portfolio.lots("SCRIPTED", SYMBOL)
    assert (lot.stop, lot.take) == (95.0, 109.0)


def test_the_fill_model_closes_at_its_stop_what_an_algorithm_entered() -> None:
    world = World("twap")
    entered(world)
    step = world.bar(low=94.0)
    # It was entered within this bar: nobody knows whether its low came before.
    assert step.fills == ()
    step = world.bar(low=94.0)
    assert [(one.fill.price, one.fill.reason) for one in step.fills] == [(D(95), "stop")]
    assert world.held == 0
    world.go()


def test_a_maker_rests_and_is_filled_at_its_own_price_once_others_offer_it() -> None:
    world = World("limit_chase")
    world.bar()
    world.bar(LONG)
    assert world.go(1) == []
    assert world.parts() == [("maker", "open", D(0))]
    world.offers = ("99.97", "99.98", "3")
    (one, rest) = (world.go(1), world.go(1))
    assert (fills(one), fills(rest)) == ([(D(3), D("99.99"))], [])
    assert world.held == 3
    (work,) = world.account.desk.status().works or ()
    assert work.resting.endswith("at 99.99")
    # Those three are taken; the next price has its own.
    world.offers = ("99.96", "99.97", "1000")
    assert [price for _, price in fills(world.go(1))] == [D("99.99")]
    assert world.parts()[0][:2] == ("maker", "filled")
    assert world.account.session.portfolio.pending == {}


def test_a_maker_that_nobody_meets_goes_nearer_and_then_to_the_market() -> None:
    world = World("limit_chase")
    world.bar()
    world.bar(LONG)
    events = world.go(12)
    assert [(kind, state) for kind, state, _ in world.parts()] == [
        *[("maker", "canceled")] * 3,
        ("market", "filled"),
    ]
    assert [price for _, price in fills(events)] == [D("100.01")]


def test_split_takes_no_more_than_is_offered_and_an_exit_sells_the_rest() -> None:
    world = World("split")
    world.offers = ("99.99", "100.01", "4")
    world.bar()
    world.bar(LONG)
    assert fills(world.go(1)) == [(D(4), D("100.01"))]
    # Nothing new is offered there: what was taken is gone.
    assert fills(world.go(3)) == []
    world.offers = ("100.00", "100.02", "5")
    assert fills(world.go(2)) == [(D(5), D("100.02"))]
    events = world.go(5)
    assert [type(one) for one in events] == [Refused]
    assert "offered too little" in events[0].detail
    assert world.held == 9
    world.offers = ("99.99", "100.01", "2")
    world.bar(FLAT)
    assert fills(world.go(3)) == [(D(2), D("99.99"))]
    world.offers = ("99.50", "99.60", "1000")
    assert fills(world.go(8)) == [(D(7), D("99.50"))]
    assert world.held == 0


def test_what_was_taken_of_a_book_is_missing_until_its_price_is_gone() -> None:
    offers = {"now": book(0, "99", "100", "5")}
    books = PublicBooks(lambda _: offers["now"])
    assert books.take("X", "buy", D(3), None, 0) == [(D(100), D(3))]
    assert books.take("X", "buy", D(3), None, 500) == [(D(100), D(2))]
    left = books.read("X", 700)
    assert left is not None
    assert (left.asks, left.bids) == ((), ((D(99), D(5)),))
    offers["now"] = book(2000, "99", "101", "5")
    assert books.take("X", "buy", D(9), D(100), 2000) == []
    offers["now"] = book(4000, "99", "100", "5")
    assert books.take("X", "buy", D(9), D(100), 4000) == [(D(100), D(5))]
    assert books.take("X", "sell", D(1), D(100), 4000) == []


def test_a_book_is_asked_for_once_a_second_and_only_while_something_is_executed() -> None:
    world = World("limit_chase")
    world.bar()
    world.go(5)
    assert world.asked == 0
    world.bar(LONG)
    for _ in range(4):
        world.account.desk.news()
    assert world.asked == 1


def test_an_order_at_the_market_waits_for_a_book() -> None:
    world = World("twap")
    world.offers = None
    world.bar()
    world.bar(LONG)
    world.go(3)
    assert [(kind, state) for kind, state, _ in world.parts()] == [("market", "open")]
    world.offers = ("99.99", "100.01", "1000")
    assert len(fills(world.go(8))) > 1
    assert world.account.desk.waiting == {}


def test_an_entry_that_cash_cannot_pay_at_the_offers_is_refused() -> None:
    world = World("twap")
    world.bar()
    world.bar(LONG)
    world.offers = ("10000", "20000", "1000")
    (event,) = world.go(1)
    assert isinstance(event, Refused)
    assert "is more than the 10,000" in event.detail or "is more than the 10000" in event.detail
    assert world.account.session.portfolio.pending == {}


def test_a_reversal_enters_once_its_exit_is_executed() -> None:
    world = World("twap")
    bought = entered(world)
    world.bar(SHORT)
    first = world.go(1)
    assert {one.intent.purpose for one in first} == {Purpose.EXIT}
    events = [*first, *world.go(20)]
    purposes = [one.intent.purpose for one in events]
    assert purposes == sorted(purposes, key=lambda one: one is Purpose.ENTRY)
    assert sum(amount for amount, _ in fills(first + events[len(first) :])[:3]) == bought
    assert world.held < 0


def test_a_stop_that_is_reached_ends_the_exit_and_the_entry_under_way() -> None:
    world = World("twap")
    bought = entered(world)
    world.bar()
    world.bar(FLAT)
    sold = sum((amount for amount, _ in fills(world.go(1))), D(0))
    assert 0 < sold < bought
    (event, gone) = world.price(94.0)
    assert (event.intent.purpose, event.fill.amount) == (Purpose.STOP, bought - sold)
    assert isinstance(gone, Refused)
    assert "stop was reached meanwhile" in gone.detail
    assert world.held == 0
    assert world.go(10) == []
    world.bar(LONG)
    world.go(1)
    assert world.held > 0
    world.price(94.0)
    assert world.held == 0
    assert fills(world.go(10)) == []
    assert world.account.session.portfolio.pending == {}


def test_whoever_closes_a_position_by_hand_ends_the_entry_and_hurries_the_exit() -> None:
    world = World("twap")
    entered(world)
    world.bar(FLAT)
    world.go(1)
    assert world.held > 0
    world.account.session.to_close["SCRIPTED", SYMBOL] = "flatten"
    world.account.desk.send()
    world.go(2)
    assert world.held == 0


def test_an_entry_under_way_is_taken_back_with_the_others() -> None:
    world = World("twap")
    world.bar()
    world.bar(LONG)
    world.go(1)
    part = world.held
    events = world.account.desk.take_back("paused")
    assert ["taken back: paused" in one.detail for one in events if isinstance(one, Refused)] == [True]
    world.account.session.on_events(events, world.time)
    world.account.desk.send()
    assert world.go(10) == []
    assert world.held == part


@pytest.mark.parametrize("algorithm", ["limit_chase", "split", "twap"])
def test_a_process_that_was_killed_goes_on_where_it_was(algorithm: str) -> None:
    world = World(algorithm)
    world.offers = ("99.99", "100.01", "4")
    world.bar()
    world.bar(LONG)
    wanted = next(iter(world.account.desk.waiting.values())).intent.amount
    for number in range(12):
        world.again()
        # The market falls a little with each look, so that makers are met.
        bid = D("99.99") - D(number) / 50
        world.offers = (str(bid), str(bid + D("0.02")), "4")
        world.go(1)
    world.offers = ("99.50", "99.52", "1000")
    world.again()
    world.go(3)
    assert world.account.desk.waiting == {}
    assert 0 < world.held <= wanted
    assert world.held == wanted or algorithm != "limit_chase"


def test_a_part_of_an_entry_that_was_given_up_is_cancelled_at_the_start() -> None:
    world = World("limit_chase")
    world.bar()
    world.bar(LONG)
    world.go(1)
    kept = world.account.snapshot()
    (intent,) = [one.intent for one in world.account.desk.waiting.values()]
    # What a process does that is killed between the two.
    world.account.desk.path.conclude(intent, "given up")
    world.begin(kept)
    (event,) = world.go(1)
    assert isinstance(event, Refused)
    assert world.parts() == [("maker", "canceled", D(0))]


def test_without_an_exchange_to_ask_what_was_begun_ends_and_bars_fill_again() -> None:
    world = World("limit_chase")
    world.bar()
    world.bar(LONG)
    world.go(1)
    world.algorithm = None
    world.again()
    events = world.go(2)
    assert [type(one) for one in events] == [Refused]
    assert world.parts()[0][:2] == ("maker", "canceled")
    world.bar()
    world.bar(LONG)
    assert world.bar().fills[0].fill.price == 100
    world.go()


@statistics
@pytest.mark.parametrize("seed", some(range(6), 2))
def test_whatever_happens_books_account_and_fill_model_agree(seed: int) -> None:
    rng = random.Random(seed)
    world = World(rng.choice(["limit_chase", "split", "twap"]))
    for _ in range(40):
        world.bar(
            rng.choice([0.0, LONG, SHORT, FLAT, 5.0, 8.0]), 100 - rng.random() * 6, 100 + rng.random() * 9
        )
        for _ in range(rng.randrange(6)):
            bid = D(rng.randrange(9700, 10300)) / 100
            world.offers = rng.choice([None, (str(bid), str(bid + D("0.02")), str(rng.choice([1, 5, 1000])))])
            if rng.random() < 0.2:
                world.again()
            if rng.random() < 0.2:
                world.price(float(bid))
            world.go(rng.choice([1, 1, 4]))
    assert any("~" in one.intent_key for one in world.journal.orders())
