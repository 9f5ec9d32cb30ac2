"""Orders of a session that algorithms execute at an exchange: what is sent when, and what a restart finds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from core.account.messages import OrderNews, OrderRequest, StopRules, Terms
from core.account.orders import Executed, Purpose, RefusalReason, Refused
from core.engine import Step
from core.errors import ExchangeUnreachableError, OrderRefusedError
from core.execution_algos.machines import AlgoTerms, machine_of
from core.execution_algos.values import BookOffer, LocalBook, Machine, OrderGrid
from core.intents import Moment
from core.live.exchange_desk import ExchangeDesk
from core.order_path.audit import check_books
from core.order_path.protecting import StopTerms
from core.order_path.working import WorkTerms
from core.risk.limits import MarketDemands
from tests.order_model import PRICES, Placed
from tests.stop_model import StopMarket
from tests.unit.test_exchange_desk import BTC, FLAT, LONG, PRICE, World

D = Decimal
BID, ASK = PRICES[BTC] - D("0.50"), PRICES[BTC] + D("0.50")
TICK, STEP = D("0.01"), D("0.00001")
RULES = StopRules("stop_limit", TICK, STEP, STEP, D(10), 5)


@dataclass
class BookMarket(StopMarket):
    """It has a book, refuses a maker that would take, and executes a limit that reaches the other side."""

    bids: tuple[BookOffer, ...] = (BookOffer(BID, D(1)),)
    asks: tuple[BookOffer, ...] = (BookOffer(ASK, D(1)),)
    is_silent: bool = False
    is_dry: bool = False
    """Nobody takes what goes at the market."""
    read: int = 0

    def book(self, _: str) -> LocalBook | None:
        """Return what is offered."""
        self.read += 1
        return None if self.is_silent else LocalBook(self.bids, self.asks, self.now)

    def execute(self, order: Placed, amount: Decimal) -> None:
        """Execute an order in part, or nothing of it."""
        if not (self.is_dry and order.request.terms.kind == "market"):
            super().execute(order, amount)

    def place(self, request: OrderRequest, stamp: int) -> Placed:
        """Take an order, or refuse it."""
        price, buys = request.terms.price, request.side == "buy"
        takes = price is not None and (price >= self.asks[0].price if buys else price <= self.bids[0].price)
        if request.terms.kind == "maker" and takes:
            raise OrderRefusedError("Order would immediately match and take.")
        order = super().place(request, stamp)
        if request.terms.kind == "limit" and takes:
            self.execute(order, min(request.amount, (self.asks if buys else self.bids)[0].amount))
        return order


class Algos(World):
    """An exchange with a book, and one strategy whose orders an algorithm executes."""

    kind = BookMarket
    demands = MarketDemands(STEP, STEP, D(10), is_spot=True, stops=RULES, tick=TICK)
    stops = StopTerms(lambda _: RULES, D("0.01"), 10_000)
    algorithm = "limit_chase"
    terms = AlgoTerms(split_pause_ms=2_000)

    @property
    def there(self) -> BookMarket:
        """The exchange."""
        assert isinstance(self.exchange, BookMarket)
        return self.exchange

    def machine(self, _: str) -> Machine:
        """Return what executes."""
        return machine_of(self.algorithm, self.terms)

    def desk_of(self) -> ExchangeDesk:
        grid = OrderGrid(TICK, STEP, STEP, D(10))
        names = {"SCRIPTED": self.algorithm}
        works = WorkTerms(self.machine, lambda _: grid, lambda one: self.there.book(one), names)
        return ExchangeDesk(self.path, {"DOGE/USDT": 0.25}.get, self.stops, works)

    def go(self, seconds: int, every: int = 1) -> list[Step]:
        """Let time pass as the loop does."""
        steps = []
        for _ in range(seconds // every):
            steps.append(self.look(1000 * every))
            self.desk.send()
        return steps

    def asked(self, kind: str | None = None) -> list[tuple[str, str, Decimal, Decimal | None]]:
        """Return kind, side, amount and price of what was sent, but of stops."""
        return [
            (one.request.terms.kind, one.request.side, one.request.amount, one.request.terms.price)
            for one in self.exchange.orders
            if one.request.terms.kind not in ("stop", "stop_limit") and kind in (None, one.request.terms.kind)
        ]

    def open_parts(self) -> list[Placed]:
        """Return the orders that rest and are no stops."""
        return [
            one
            for one in self.exchange.orders
            if one.standing is OrderNews.OPEN and one.request.terms.kind not in ("stop", "stop_limit")
        ]

    def held(self) -> Decimal:
        """Return what the strategy holds."""
        return self.session.portfolio.amount(BTC, "SCRIPTED")

    def enter(self) -> Decimal:
        """Decide to enter; return how much is wanted."""
        self.bar()
        self.bar(LONG)
        ((_, _, amount, _),) = self.asked() or (("", "", D(0), None),)
        return amount

    def kill(self) -> None:
        """Be another process that knows what the former kept."""
        kept = self.kept()
        self.begin(self.path.journal, kept)
        self.desk.send()

    def sound(self) -> None:
        """Look whether all agree, and nothing waits."""
        self.look()
        assert self.desk.disagreements() == []
        assert check_books(self.path.journal) == []
        assert not self.desk.waiting
        assert not self.session.portfolio.pending
        assert [one for one in self.events if one.critical] == []


class Splits(Algos):
    algorithm = "split"


class Timed(Algos):
    algorithm = "twap"


def refused(steps: list[Step]) -> list[Refused]:
    return [one for step in steps for one in step.outcomes if isinstance(one, Refused)]


def fills(steps: list[Step]) -> list[Executed]:
    return [one for step in steps for one in step.fills]


def test_an_entry_rests_at_the_touch_goes_nearer_and_takes_what_is_left() -> None:
    world = Algos()
    amount = world.enter()
    assert world.asked() == [("maker", "buy", amount, BID)]
    assert world.desk.status().algorithms == {"SCRIPTED": "limit_chase"}
    (work,) = world.desk.status().works or ()
    assert (work.algorithm, work.filled, work.amount, work.orders) == ("limit_chase", D(0), amount, 1)
    assert work.resting == f"maker {amount} at {BID}"
    world.go(12)
    assert world.asked()[1:] == [("maker", "buy", amount, BID + TICK)]
    assert [one.standing for one in world.exchange.orders] == [OrderNews.CANCELED, OrderNews.OPEN]
    (part,) = world.open_parts()
    world.exchange.execute(part, D("0.2"))
    steps = world.go(4)
    assert [one.fill.amount for one in fills(steps)] == [D("0.2")]
    assert not any(one.is_done for one in fills(steps))
    # What is held is protected from the first fill on, and the stop follows.
    assert [one.request.amount for one in world.there.stops()] == [D("0.1998")]
    steps = world.go(20)
    assert world.asked()[2:] == [
        ("maker", "buy", amount - D("0.2"), BID + TICK),
        ("market", "buy", amount - D("0.2"), None),
    ]
    assert [one.is_done for one in fills(steps)] == [True]
    assert world.desk.status().works == ()
    assert [one.request.amount for one in world.there.stops()] == [
        (amount * D("0.999")).quantize(STEP, "ROUND_DOWN")
    ]
    world.sound()


def test_a_maker_that_fills_is_all_there_is() -> None:
    world = Algos()
    amount = world.enter()
    (part,) = world.open_parts()
    world.exchange.execute(part, amount)
    steps = world.go(40)
    assert [one.is_done for one in fills(steps)] == [True]
    assert world.asked() == [("maker", "buy", amount, BID)]
    lots = world.session.portfolio.lots("SCRIPTED", BTC)
    assert [(one.id, one.amount) for one in lots] == [(lots[0].id, amount * D("0.999"))]
    assert world.path.exits("SCRIPTED", BTC, 0) == []
    world.sound()


def test_an_exit_waits_for_its_stop_then_chases_and_what_protects_goes_at_the_market() -> None:
    world = Algos()
    world.enter()
    world.exchange.execute(world.open_parts()[0], world.open_parts()[0].request.amount)
    world.go(4)
    world.bar(FLAT)
    world.go(2)
    assert world.there.stops() == []
    (part,) = world.open_parts()
    assert (part.request.terms.kind, part.request.side, part.request.terms.price) == ("maker", "sell", ASK)
    world.exchange.execute(part, D("0.1"))
    world.go(2)
    # Its stop is reached while it chases: no stop rests there, and the program does not wait.
    world.exchange.advance(1000)
    world.desk.at(world.exchange.now)
    world.session.on_events(world.desk.on_price(BTC, PRICE - 500), world.exchange.now)
    world.go(3)
    assert world.asked()[-1][:2] == ("market", "sell")
    assert world.held() < STEP
    world.sound()


@pytest.mark.unmeasured
@pytest.mark.parametrize("at", ["resting", "partial", "cancelled"])
def test_a_killed_process_goes_on_where_it_was(at: str) -> None:
    world = Algos()
    amount = world.enter()
    if at == "partial":
        world.exchange.execute(world.open_parts()[0], D("0.3"))
    if at == "cancelled":
        world.exchange.advance(11_000)
        world.path.cancel(world.path.orders()[0].intent_key)
    world.kill()
    steps = world.go(45)
    bought = sum((one.filled for one in world.exchange.orders if one.request.side == "buy"), D(0))
    assert bought == amount
    assert [one.is_done for one in fills(steps)][-1:] == [True]
    assert world.asked("maker")[0] == ("maker", "buy", amount, BID)
    world.sound()


def test_a_killed_process_whose_settings_changed_sends_the_rest_at_the_market() -> None:
    world = Algos()
    amount = world.enter()
    world.exchange.execute(world.open_parts()[0], D("0.3"))
    world.algorithm = "market"
    world.kill()
    steps = world.go(5)
    assert world.asked()[1:] == [("market", "buy", amount - D("0.3"), None)]
    assert sum(one.fill.amount for one in fills(steps)) == amount
    world.sound()


def test_a_part_whose_step_was_not_kept_is_cancelled_and_its_fill_is_booked() -> None:
    world = Algos()
    world.bar()
    kept = world.kept()
    world.bar(LONG)
    world.exchange.execute(world.open_parts()[0], D("0.3"))
    world.begin(world.path.journal, kept)
    world.desk.send()
    steps = world.go(3)
    assert world.open_parts() == []
    assert world.held() == D("0.3") * D("0.999")
    assert [one.detail for one in refused(steps)] == ["the step that wanted it was not kept"]
    world.sound()


def test_what_was_taken_back_stays_so_after_a_kill() -> None:
    world = Algos()
    world.enter()
    (part,) = world.open_parts()

    def fails(*_: object) -> Placed:
        raise ExchangeUnreachableError("no route")

    world.exchange.cancel = fails  # type: ignore[method-assign, assignment]
    world.desk.take_back("paused by command")
    assert world.open_parts() == [part]
    del world.exchange.cancel
    world.kill()
    steps = world.go(40)
    assert part.standing is OrderNews.CANCELED
    assert len(world.exchange.orders) == 1
    ((reason, why),) = {(one.reason, one.detail) for one in refused(steps)}
    assert (reason, why) == (RefusalReason.WITHDRAWN, "taken back: paused by command")
    world.sound()


@pytest.mark.parametrize("sent", [True, False])
def test_a_pause_or_a_breaker_ends_an_entry_that_is_half_done(sent: bool) -> None:
    world = Algos()
    world.enter()
    (part,) = world.open_parts()
    world.exchange.execute(part, D("0.1"))
    world.session.on_events(world.desk.take_back("a breaker tripped", sent=sent), world.exchange.now)
    steps = world.go(40)
    assert len(world.asked()) == 1
    assert part.standing is OrderNews.CANCELED
    assert world.held() == D("0.1") * D("0.999")
    assert all(one.reason is RefusalReason.WITHDRAWN for one in refused(steps))
    world.sound()


def test_a_stop_that_fills_while_an_entry_goes_on_ends_it() -> None:
    world = Algos()
    world.enter()
    world.exchange.execute(world.open_parts()[0], D("0.3"))
    world.go(4)
    (stop,) = world.there.stops()
    world.there.reached.add(stop.id)
    world.exchange.execute(stop, stop.request.amount)
    world.go(40)
    assert [one.request.side for one in world.exchange.orders if one.filled] == ["buy", "sell"]
    assert world.open_parts() == []
    world.sound()


def test_flattening_makes_an_exit_hurry_and_an_entry_end() -> None:
    world = Algos()
    world.enter()
    world.exchange.execute(world.open_parts()[0], world.open_parts()[0].request.amount)
    world.go(4)
    world.bar(FLAT)
    world.go(2)
    assert [one.request.terms.kind for one in world.open_parts()] == ["maker"]
    world.session.to_close["SCRIPTED", BTC] = "flatten"
    world.go(3)
    assert world.asked()[-1][:2] == ("market", "sell")
    world.sound()


def test_a_maker_refused_for_it_would_take_is_placed_again_and_counts_as_no_refused_exit() -> None:
    world = Algos()
    world.bar()
    book = world.there.book
    stale = LocalBook((BookOffer(ASK, D(1)),), (BookOffer(ASK + TICK, D(1)),), 0)
    world.there.book = lambda _: stale._replace(time=world.exchange.now)  # type: ignore[method-assign]
    world.bar(LONG)
    assert world.asked() == []
    assert [one.state for one in world.path.journal.orders()] == ["rejected"]
    world.there.book = book  # type: ignore[method-assign]
    world.go(3)
    assert [one[0] for one in world.asked()] == ["maker"]
    assert world.desk.standing() == []


def test_an_unknown_outcome_is_looked_up_before_anything_else_is_placed() -> None:
    world = Algos()
    world.bar()
    world.wire.next_fault = "lost"
    world.bar(LONG)
    assert [one.state for one in world.path.orders()] == ["unknown"]
    world.desk.send()
    assert len(world.exchange.orders) == 1
    world.go(2)
    assert [one.state for one in world.path.orders()] == ["open"]
    world.go(40)
    bought = sum((one.filled for one in world.exchange.orders), D(0))
    assert bought == world.exchange.orders[0].request.amount
    world.sound()


def test_a_cancel_that_finds_the_order_filled_places_nothing_more() -> None:
    world = Algos()
    amount = world.enter()
    (part,) = world.open_parts()
    cancel = world.exchange.cancel

    def filled_first(symbol: str, name: str) -> Placed:
        world.exchange.execute(part, amount)
        return cancel(symbol, name)

    world.exchange.cancel = filled_first  # type: ignore[method-assign]
    world.go(20)
    assert len(world.asked()) == 1
    assert world.held() == amount * D("0.999")
    world.sound()


def test_a_hand_that_cancels_it_ends_it() -> None:
    world = Algos()
    world.enter()
    (part,) = world.open_parts()
    part.standing = OrderNews.CANCELED
    steps = world.go(40)
    assert len(world.asked()) == 1
    assert [one.detail for one in refused(steps)] == ["cancelled at the exchange, and not by this program"]
    world.sound()


def test_no_book_means_no_maker_and_the_market_when_time_is_over() -> None:
    world = Algos()
    world.there.is_silent = True
    assert world.enter() == 0
    world.go(20)
    assert world.asked() == []
    # One question a second at most.
    assert world.there.read <= 22
    world.go(12)
    assert [one[0] for one in world.asked()] == ["market"]
    world.sound()


@pytest.mark.unmeasured
def test_slices_take_what_the_book_offers_and_an_entry_is_content_with_it() -> None:
    world = Splits()
    world.there.asks = (BookOffer(ASK, D("0.05")), BookOffer(ASK + 100, D(9)))
    world.enter()
    assert world.asked() == [("limit", "buy", D("0.05"), (ASK * D("1.001")).quantize(TICK, "ROUND_DOWN"))]
    world.go(6)
    assert [one[2] for one in world.asked()] == [D("0.05")] * 4
    world.there.asks = (BookOffer(ASK + 100, D("0.00001")),)
    steps = world.go(130, 2)
    ((reason, why),) = {(one.reason, one.detail) for one in refused(steps)}
    assert reason is RefusalReason.EXCHANGE
    assert "executed: the book offered too little for the rest within its impact" in why
    assert world.held() == sum(
        (one.filled for one in world.exchange.orders if one.request.side == "buy"), D(0)
    ) * D("0.999")
    world.sound()


@pytest.mark.unmeasured
def test_timed_slices_leave_one_after_the_other_and_a_late_process_sends_what_is_due() -> None:
    world = Timed()
    amount = world.enter()
    whole = amount * 5
    assert world.asked() == [("market", "buy", amount, None)]
    world.go(58)
    assert len(world.asked()) == 1
    world.go(4)
    assert len(world.asked()) == 2
    world.exchange.advance(125_000)
    world.kill()
    assert [one[2] for one in world.asked()][2:] == [2 * amount]
    steps = world.go(80, 2)
    bought = sum((one.filled for one in world.exchange.orders if one.request.side == "buy"), D(0))
    assert abs(bought - whole) < 5 * STEP
    assert [one.is_done for one in fills(steps)][-1] is True
    world.sound()


@pytest.mark.unmeasured
def test_an_exit_takes_a_minute_at_most_and_one_that_nobody_takes_is_told_and_protected_again() -> None:
    world = Timed()
    world.enter()
    world.go(300, 2)
    held = world.held()
    world.there.is_dry = True
    world.bar(FLAT)
    steps = world.go(46)
    assert world.there.stops() == []
    steps += world.go(6)
    asked = [one[2] for one in world.asked() if one[1] == "sell"]
    assert [round(5 * one / held) for one in asked] == [1, 2, 3, 4, 5]
    (told,) = refused(steps)
    assert (told.intent.purpose, told.reason) == (Purpose.EXIT, RefusalReason.EXPIRED)
    warned = [one.text for one in world.events if one.kind == "refused"]
    assert len(warned) == 5
    assert all("the market took 0 of it, the rest expired at the exchange" in text for text in warned)
    (stop,) = world.there.stops()
    assert 0 <= held - stop.request.amount < STEP
    world.there.is_dry = False
    world.bar(FLAT)
    world.go(60)
    assert world.held() < STEP
    world.sound()


def test_an_entry_that_a_late_process_finds_expired_places_nothing_more() -> None:
    world = Timed()
    amount = world.enter()
    world.exchange.advance(3 * 3_600_000)
    world.kill()
    steps = world.go(10)
    assert [one[2] for one in world.asked()] == [amount]
    assert [one.reason for one in refused(steps)] == [RefusalReason.EXPIRED]
    world.sound()


def test_a_certain_refusal_is_tried_again_three_times_and_no_more() -> None:
    world = Algos()
    world.bar()

    def busy(*_: object) -> Placed:
        raise ExchangeUnreachableError("no route")

    world.wire.place = busy  # type: ignore[method-assign, assignment]
    world.bar(LONG)
    world.go(60)
    per_part: dict[str, int] = {}
    for one in world.path.journal.orders():
        per_part[one.intent_key] = per_part.get(one.intent_key, 0) + (one.sent_at is not None)
    assert max(per_part.values()) == 4
    assert {one.kind for one in world.events if one.critical} == {"failed"}
    assert world.exchange.orders == []
    assert not world.desk.waiting


def test_an_exit_whose_coins_others_keep_goes_at_the_market_as_it_fits() -> None:
    world = Algos()
    world.enter()
    world.exchange.execute(world.open_parts()[0], world.open_parts()[0].request.amount)
    world.go(4)
    stop = world.there.stops()[0]
    stop.standing = OrderNews.CANCELED
    world.exchange.by_hand(BTC, "sell", D("0.1"), Terms("limit", ASK + 5))
    world.go(8)
    world.bar(FLAT)
    world.go(3)
    assert world.asked()[-1][0] == "market"


def test_what_is_flattened_goes_at_the_market_whatever_the_settings_are() -> None:
    world = Algos()
    world.enter()
    world.exchange.execute(world.open_parts()[0], world.open_parts()[0].request.amount)
    world.go(4)
    moment = Moment(world.exchange.now, PRICE, world.exchange.now)
    world.session.executor.flatten("SCRIPTED", BTC, moment)
    world.go(3)
    assert world.asked()[-1][:2] == ("market", "sell")
    purposes = [row.purpose for row in world.path.journal.intents() if "~" not in row.leg]
    assert Purpose.FLATTEN in purposes
    world.sound()
