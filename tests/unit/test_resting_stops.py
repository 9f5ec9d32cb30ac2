"""Stops of an account that rest at the exchange: placed, followed, cancelled before anything else is sold."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import OrderNews, StopRules, Terms
from core.account.orders import Approved, Executed, RefusalReason, Refused
from core.domain import Bar
from core.engine import LiveDecider
from core.errors import OrderRefusedError, OrderUnknownError
from core.execution import Plan
from core.intents import Moment
from core.live.agreement import AGAIN
from core.live.loop import Loop
from core.live.resting import SWITCHED_OFF
from core.live.status import StopStatus
from core.order_path.audit import check_books
from core.order_path.policy import Policy
from core.order_path.protecting import FIRST, MOST, ROUNDS, StopTerms
from core.order_path.protection import Cover, NewStop, Stop
from core.order_path.storage import Storage
from core.risk.limits import MarketDemands
from core.streams.hints import OrderHint
from db.journal_rows import IntentRow
from tests.markets import HOUR
from tests.order_model import Placed
from tests.scripted import SCRIPTED
from tests.stop_model import KrakenStopMarket, StopMarket
from tests.unit.test_exchange_desk import BTC, FLAT, LONG, PRICE, World
from tests.unit.test_exchange_desk import FIRST as BEGIN

D = Decimal
NEARER, HALF, QUARTER, BELOW_NOTHING = 8.0, 5.0, 6.0, 12.0
RULES = StopRules("stop_limit", D("0.01"), D("0.00001"), D("0.00001"), D(10), 5)
TRIGGER, LIMIT = D("39600.01"), D("39204.00")
AWAY = 400.0
HELD = ("SCRIPTED", BTC)


class Stops(World):
    """An exchange with stops that stands still unless it is told to."""

    kind = StopMarket
    demands = MarketDemands(D("0.00001"), D("0.00001"), D(10), is_spot=True, stops=RULES)
    stops = StopTerms(lambda _: RULES, D("0.01"), 10_000)

    @property
    def there(self) -> StopMarket:
        """The exchange."""
        assert isinstance(self.exchange, StopMarket)
        return self.exchange

    def resting(self) -> list[tuple[Decimal, Decimal | None, Decimal | None]]:
        """Return what the stops that rest sell, their triggers and limits."""
        return [
            (one.request.amount - one.filled, one.request.terms.stop, one.request.terms.price)
            for one in self.there.stops()
        ]

    def status(self) -> StopStatus:
        """Return where the only stop is."""
        (one,) = self.desk.status().stops or ()
        return one

    def held(self) -> Decimal:
        """Return what the strategy holds; what is too little for an order is nobody's."""
        return self.session.portfolio.amount(BTC, "SCRIPTED")

    def reach(self, amount: Decimal | None = None) -> Placed:
        """Let the price fall to the stop; some of it is sold, or all."""
        (order,) = self.there.stops()
        self.there.reached.add(order.id)
        left = order.request.amount - order.filled
        self.there.execute(order, left if amount is None else amount)
        return order

    def price(self, price: float, ms: int = 1000) -> Any:
        """See a price between two bars."""
        self.exchange.advance(ms)
        self.desk.at(self.exchange.now)
        events = self.desk.on_price(BTC, price)
        return self.session.on_events(events, self.exchange.now)

    def settle(self) -> None:
        """Take what came, and send what follows from it, as the loop does."""
        for _ in range(3):
            self.look()
            self.desk.send()

    def sold(self) -> list[str]:
        """Return why each execution that sold did, by the account."""
        sells = [row for row, intent in self.path.history() if row.side == "sell"]
        intents: list[IntentRow | None] = [
            intent for row, intent in self.path.history() if row.side == "sell"
        ]
        assert len(sells) == len(intents)
        return [one.purpose for one in intents if one is not None]


class KrakenStops(Stops):
    """Stops sell at the market there, and can be changed."""

    kind = KrakenStopMarket
    stops = StopTerms(lambda _: RULES._replace(kind="stop", most=None, can_change=True), D("0.01"), 10_000)


@pytest.fixture(params=[Stops, KrakenStops])
def world(request: pytest.FixtureRequest) -> Stops:
    world: Stops = request.param()
    world.entered()
    world.desk.send()
    return world


def limit_of(world: Stops) -> Decimal | None:
    return None if isinstance(world, KrakenStops) else LIMIT


@pytest.mark.unmeasured
def test_from_the_first_fill_on_a_stop_rests_for_what_is_held_after_fees(world: Stops) -> None:
    (stop,) = world.resting()
    assert stop == (world.held().quantize(D("0.00001"), "ROUND_DOWN"), TRIGGER, limit_of(world))
    status = world.status()
    assert (status.where, status.why, status.trigger, status.limit) == (
        "exchange",
        "",
        TRIGGER,
        limit_of(world),
    )
    assert status.order == world.there.stops()[0].id
    assert status.amount == stop[0]
    told = [event.text for event in world.events if event.kind == "stop"]
    assert len(told) == 1
    assert told[0].startswith("BTC/USDT, SCRIPTED: a stop rests at the exchange, sell ")


@pytest.mark.unmeasured
def test_what_a_stop_sells_is_the_strategys_stop_exit_at_the_real_price(world: Stops) -> None:
    amount = world.held()
    world.reach()
    for _ in range(4):
        step = world.look()
        if step.trades:
            break
    (trade,) = step.trades
    assert trade.reason == "stop"
    price = PRICE if isinstance(world, KrakenStops) else float(LIMIT)
    assert trade.exit_price == price
    assert amount - trade.amount < D("0.00001")
    world.settle()
    assert (world.resting(), world.desk.disagreements()) == ([], [])
    assert check_books(world.path.journal) == []


@pytest.mark.unmeasured
def test_an_exit_cancels_the_stop_and_then_sells_all(world: Stops) -> None:
    world.bar(FLAT)
    world.settle()
    assert world.resting() == []
    assert world.held() == 0
    assert world.sold() == ["exit"]
    assert world.desk.disagreements() == []


@pytest.mark.unmeasured
def test_p3_a_stop_partly_filled_is_cancelled_for_an_exit_that_sells_the_rest(world: Stops) -> None:
    world.reach(D("0.1"))
    world.bar(FLAT)
    world.settle()
    assert world.held() == 0
    assert world.sold() == ["stop", "exit"]
    assert world.desk.disagreements() == []
    assert check_books(world.path.journal) == []


@pytest.mark.unmeasured
def test_an_exit_of_what_the_stop_sold_meanwhile_is_taken_back(world: Stops) -> None:
    world.bar(FLAT, send=False)
    world.reach()
    world.desk.send()
    events = [*world.desk.news(), *world.desk.news()]
    refused = [one for one in events if isinstance(one, Refused)]
    assert [(one.reason, one.detail) for one in refused] == [
        (RefusalReason.WITHDRAWN, "nothing is left: its stop at the exchange sold it")
    ]
    assert [one.intent.purpose for one in events if isinstance(one, Executed)] == ["stop"]
    world.session.on_events(events, world.exchange.now)
    assert world.held() == 0
    assert not world.session.portfolio.pending
    assert world.desk.standing() == []


def test_a_stop_that_is_moved_is_replaced_and_the_unprotected_time_is_told() -> None:
    world = Stops()
    world.entered()
    world.desk.send()
    world.bar(NEARER)
    world.settle()
    ((amount, trigger, _),) = world.resting()
    assert trigger is not None
    assert trigger > TRIGGER
    assert amount == world.held().quantize(D("0.00001"), "ROUND_DOWN")
    told = [event.text for event in world.events if event.kind == "stop"]
    assert len(told) == 2
    # Cancelled and placed: 30 ms each.
    assert told[1].endswith("unprotected for 60 ms")
    orders = [one for one in world.path.journal.orders() if one.kind == "stop_limit"]
    assert [one.state for one in orders] == ["canceled", "open"]
    (gone, new) = orders
    assert gone.cancel_at is not None
    assert new.sent_at is not None
    assert new.sent_at - gone.cancel_at == 30


def test_a_stop_below_nothing_rests_nowhere_and_is_never_sent(world: Stops) -> None:
    world.bar(BELOW_NOTHING)
    world.settle()
    assert world.resting() == []
    status = world.status()
    assert (status.where, status.why) == ("program", "its price is below the venue's smallest")
    assert world.held() > 0
    assert [one.stop for one in world.path.journal.orders() if one.stop is not None and one.stop <= 0] == []


def test_where_a_stop_can_be_changed_the_same_order_is_moved() -> None:
    world = KrakenStops()
    world.entered()
    world.desk.send()
    (before,) = world.there.stops()
    world.bar(NEARER)
    world.settle()
    (after,) = world.there.stops()
    assert (after.id, world.there.changes) == (before.id, 1)
    assert after.request.terms.stop is not None
    assert after.request.terms.stop > TRIGGER
    assert world.status().trigger == after.request.terms.stop


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["drop", "lost", "unsent"])
def test_a_change_without_an_answer_is_made_until_it_shows(fault: str) -> None:
    world = KrakenStops()
    world.entered()
    world.desk.send()
    world.bar(NEARER, send=False)
    world.wire.next_fault = fault
    world.desk.send()
    for _ in range(8):
        world.look(2000)
        world.desk.send()
    (after,) = world.there.stops()
    assert after.request.terms.stop is not None
    assert after.request.terms.stop > TRIGGER
    assert world.status().trigger == after.request.terms.stop


@pytest.mark.unmeasured
def test_p2_entries_that_grow_are_followed_by_one_stop_never_larger_than_what_is_held(world: Stops) -> None:
    world.bar(FLAT)
    world.settle()
    sizes = []
    for order in (QUARTER, HALF, LONG):
        world.bar(order)
        world.settle()
        ((amount, _, _),) = world.resting()
        assert amount == world.held().quantize(D("0.00001"), "ROUND_DOWN")
        sizes.append(amount)
    assert sizes == sorted(set(sizes))
    assert world.there.changes == (2 if isinstance(world, KrakenStops) else 0)
    assert world.desk.disagreements() == []


def test_a_stop_that_is_larger_than_was_seen_may_be_filled_before_the_answer_to_its_change() -> None:
    world = KrakenStops()
    world.bar()
    world.bar(QUARTER)
    world.settle()
    world.bar(HALF, send=False)
    world.desk.send()
    change = world.there.change

    def filled(*given: Any) -> Placed:
        order = change(*given)
        world.there.execute(order, order.request.amount)
        raise OrderUnknownError("no answer")

    world.there.change = filled  # type: ignore[method-assign,assignment]
    world.settle()
    assert (world.resting(), world.held()) == ([], D(0))
    assert world.path.halt() == ""
    assert world.desk.disagreements() == []


def test_what_does_not_rest_is_not_changed(world: Stops) -> None:
    terms = Terms("stop", None, D(39_000))
    assert world.path.change("nobody|wanted|it", D(1), terms) is None
    (order,) = [one for one in world.path.orders() if one.kind in ("stop", "stop_limit")]
    world.wire.next_fault = "drop"
    world.path.cancel(order.intent_key)
    assert world.path.change(order.intent_key, D(1), terms) is None


@pytest.mark.unmeasured
def test_a_stop_is_never_for_what_an_exit_that_is_out_sells(world: Stops) -> None:
    (amount, _, _) = world.resting()[0]
    world.bar(FLAT, send=False)
    protecting = world.desk._stops._protecting
    (order,) = protecting.resting()
    world.path.cancel(order.intent_key)
    world.path.submit_all([world.desk._unsent[key] for key in list(world.desk._unsent)])
    assert protecting._still_held(Cover(*HELD, "1h", amount, D(39_000))).amount < D("0.00001")


def test_two_stops_of_one_moment_have_two_names(world: Stops) -> None:
    protecting = world.desk._stops._protecting
    (order,) = protecting.resting()
    new = NewStop(Cover(*HELD, "1h", D("0.1"), D(39_000)), Stop(D("0.1"), D(39_000), D(38_000)), RULES)
    intent = protecting._intent(new)
    world.path.submit(Approved(intent))
    assert intent.key != order.intent_key
    assert protecting._intent(new).leg == "rest-1"


def test_a_step_ends_though_what_is_wanted_changes_all_the_time() -> None:
    world = KrakenStops()
    world.entered()
    world.desk.send()
    triggers = iter(range(39_000, 39_999))

    def covers() -> list[Cover]:
        return [Cover(*HELD, "1h", D("0.1"), D(next(triggers)))]

    assert world.desk._stops._protecting.step(covers, (), world.exchange.now) == []
    assert world.there.changes == ROUNDS


def test_a_stop_that_sells_as_soon_as_it_is_placed_is_no_news_of_one_that_rests() -> None:
    world = KrakenStops()
    world.entered()
    place: Callable[..., Any] = world.there.place

    def reached(request: Any, stamp: int) -> Placed:
        order: Placed = place(request, stamp)
        world.there.execute(order, request.amount)
        return order

    world.there.place = reached  # type: ignore[method-assign]
    world.desk.send()
    world.settle()
    assert (world.resting(), world.held()) == ([], D(0))
    assert [event.text for event in world.events if event.kind == "stop"] == []


@pytest.mark.unmeasured
@pytest.mark.parametrize("how", [OrderNews.EXPIRED, OrderNews.CANCELED])
def test_p5_p9_a_stop_that_others_end_is_placed_again_and_told(world: Stops, how: OrderNews) -> None:
    """The venue in maintenance, its dead-man's switch, or a person by hand."""
    before = world.resting()
    for order in world.there.stops():
        order.standing = how
    began = world.exchange.now
    while not world.resting():
        world.look(500)
    assert world.exchange.now - began <= 5000
    world.settle()
    assert world.resting() == before
    kind = "stop" if how is OrderNews.EXPIRED else "canceled"
    ended = [event.text for event in world.events if event.kind == kind and "exchange" in event.text]
    assert len([text for text in ended if "expired at" in text or "cancelled at" in text]) == 1


@pytest.mark.unmeasured
def test_p4_a_stop_that_is_jumped_over_is_cancelled_and_the_rest_sold_at_the_market(world: Stops) -> None:
    world.price(39_000.0)
    assert len(world.there.stops()) == 1
    for _ in range(9):
        world.price(39_000.0)
    assert world.sold() == []
    world.price(39_000.0)
    world.settle()
    assert world.resting() == []
    assert world.sold() == ["stop"]
    assert world.held() == 0
    assert world.desk.disagreements() == []


@pytest.mark.unmeasured
def test_a_jumped_stop_is_sold_though_the_price_came_back(world: Stops) -> None:
    world.price(39_000.0)
    for _ in range(12):
        world.price(PRICE)
        world.desk.send()
    world.settle()
    assert (world.resting(), world.held()) == ([], D(0))


@pytest.mark.unmeasured
def test_a_take_is_reached_and_the_stop_is_cancelled_before_it_sells(world: Stops) -> None:
    world.price(PRICE + 900.0)
    world.settle()
    assert world.sold() == ["take"]
    assert (world.resting(), world.held()) == ([], D(0))


@pytest.mark.unmeasured
def test_a_person_s_flatten_cancels_the_stop_first(world: Stops) -> None:
    now = world.exchange.now
    assert world.session.executor.flatten(*HELD, Moment(now, PRICE, now))
    world.desk.send()
    world.settle()
    assert world.sold() == ["flatten"]
    assert (world.resting(), world.held()) == ([], D(0))


def test_a_stop_whose_price_is_reached_when_it_is_moved_is_sold_at_the_market() -> None:
    world = Stops()
    world.entered()
    world.desk.send()
    # The venue's price is below the stop that is wanted now, and the program does not know it yet.
    world.bar(NEARER, send=False)
    refuse: Callable[..., Any] = world.there.place

    def below(request: Any, stamp: int) -> Placed:

        if request.terms.kind == "stop_limit":
            raise OrderRefusedError("Stop price would trigger immediately.")
        return refuse(request, stamp)  # type: ignore[no-any-return]

    world.there.place = below  # type: ignore[method-assign]
    world.desk.send()
    world.settle()
    assert (world.resting(), world.held()) == ([], D(0))
    assert world.sold() == ["stop"]
    assert world.desk.disagreements() == []


def test_p8_a_stop_that_a_filter_refuses_is_watched_by_the_program_and_tried_again() -> None:
    world = Stops()
    world.exchange.refuses = 0.0
    world.entered()
    world.exchange.refuses = 1.0
    world.desk.send()
    status = world.status()
    assert (status.where, status.order, status.trigger) == ("program", "", D("39600.01"))
    assert status.why == "it was not placed: a filter says no"
    assert len([event for event in world.events if event.critical and event.kind == "stop"]) == 1
    # Refused again it is told no second time, and tried after twice as long.
    world.look(FIRST)
    world.exchange.refuses = 0.0
    world.look(2 * FIRST - 2000)
    assert world.resting() == []
    world.look(3000)
    assert len([event for event in world.events if event.critical and event.kind == "stop"]) == 1
    assert len(world.resting()) == 1
    assert world.status().where == "exchange"


def locked() -> Stops:
    """Return a world whose position's coins a person's order far away keeps, so that no stop rests."""
    world = Stops()
    world.entered()
    world.exchange.by_hand(BTC, "sell", world.exchange.free("BTC"), Terms("limit", D(90_000)))
    world.desk.send()
    assert world.resting() == []
    assert world.status().why == "it was not placed: insufficient balance"
    for _ in range(5):
        # Refused again and again, each time later, and the comparisons of books see the person's order.
        world.look(AGAIN)
        world.look()
    assert world.resting() == []
    return world


def let_go(world: Stops) -> None:
    """Cancel the person's order."""
    (order,) = [one for one in world.there.orders if one.request.client_order_id.startswith("web_")]
    world.there.cancel(BTC, order.request.client_order_id)


def test_a_refused_stop_is_tried_again_as_soon_as_others_leave_the_coins_free() -> None:
    world = locked()
    let_go(world)
    world.desk.look_again()
    world.look()
    world.look()
    assert len(world.resting()) == 1


def test_a_refused_stop_is_tried_again_within_a_minute_though_nobody_says_that_it_may() -> None:
    world = locked()
    let_go(world)
    world.look(MOST)
    world.look()
    assert len(world.resting()) == 1


def test_what_was_refused_of_a_position_that_ended_says_nothing_of_the_next() -> None:
    world = locked()
    let_go(world)
    now = world.exchange.now
    assert world.session.executor.flatten(*HELD, Moment(now, PRICE, now))
    world.desk.send()
    world.settle()
    assert world.held() == 0
    world.bar(LONG)
    world.look()
    world.desk.send()
    assert len(world.resting()) == 1
    assert world.status()[2:4] == ("exchange", "")


class Two(Stops):
    """A second strategy trades the same symbol, with a nearer stop."""

    def begin(self, journal: Storage, kept: dict[str, Any] | None = None) -> None:
        """Be a new process."""
        super().begin(journal, kept)
        live = SCRIPTED.live({"params": {"stop_away": 100.0, "take_away": 8000.0, "max_exposure": 0.3}})
        plan = Plan("4h", SCRIPTED.rule.sizing(live.params))
        self.session.add("OTHER", BTC, plan, LiveDecider(BTC, live))

    def long_bar(self, order: float = 0.0) -> None:
        """Let four hours close for the other one."""
        self.exchange.now = (self.exchange.now // (4 * HOUR) + 1) * 4 * HOUR
        self.desk.at(self.exchange.now)
        ts = self.exchange.now - 4 * HOUR
        self.session.on_bars([Bar(BTC, "4h", ts, ts + 4 * HOUR, PRICE, PRICE, PRICE, PRICE, order)])
        self.desk.send()
        self.look()
        self.desk.send()


def test_a_stop_that_is_overdue_closes_no_other_strategy_s_position() -> None:
    world = Two()
    world.long_bar()
    world.number = (world.exchange.now - BEGIN) // HOUR - 1
    world.entered()
    world.desk.send()
    # The price was at the first one's stop for a moment, and the other one entered afterwards.
    world.exchange.now = (world.exchange.now // (4 * HOUR) + 1) * 4 * HOUR - 2_000
    world.price(39_000.0, 1)
    assert len(world.resting()) == 1
    world.long_bar(LONG)
    (other,) = world.session.portfolio.lots("OTHER", BTC)
    assert other.stop == 39_900.01
    for _ in range(15):
        world.price(PRICE)
        world.desk.send()
    world.settle()
    assert world.held() == 0
    assert world.session.portfolio.lots("OTHER", BTC) == (other,)
    assert [one[0] for one in world.resting()] == [world.there.stops()[0].request.amount]


def test_p8_what_is_less_than_the_smallest_order_is_watched_and_says_so() -> None:
    world = Stops()
    world.demands = world.demands._replace(stops=RULES._replace(min_notional=D(10**9)))
    world.stops = StopTerms(lambda _: RULES._replace(min_notional=D(10**9)))
    world.begin(world.journal)
    world.entered()
    world.desk.send()
    assert world.resting() == []
    assert world.status()[2:4] == ("program", "it is less than the venue's smallest order")
    world.price(39_000.0)
    world.settle()
    assert (world.sold(), world.held()) == (["stop"], D(0))


def test_switched_off_nothing_rests_and_the_status_says_so() -> None:
    world = World()
    world.entered()
    world.desk.send()
    (status,) = world.desk.status().stops or ()
    assert (status.where, status.why) == ("program", SWITCHED_OFF)


def test_a_short_position_has_no_stop_that_rests() -> None:
    world = World(BTC=D(5))
    world.stops = StopTerms(lambda _: RULES)
    world.begin(world.journal)
    world.bar()
    world.bar(2.0)
    world.look()
    world.desk.send()
    (status,) = world.desk.status().stops or ()
    assert (status.where, status.why) == ("program", "a short position: stops that rest sell")


def test_k6_a_stop_that_the_venue_has_no_room_for_now_is_tried_again() -> None:
    world = Stops()
    world.entered()
    world.wire.next_fault = "busy"
    world.desk.send()
    assert world.resting() == []
    assert world.status()[2:4] == ("program", "its stop is on the way")
    world.look(1500)
    world.look(500)
    assert len(world.resting()) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["lost", "drop", "late", "blank"])
def test_a_stop_without_an_answer_is_looked_up_and_never_doubled(world: Stops, fault: str) -> None:
    world.bar(NEARER, send=False)
    world.wire.next_fault = fault
    world.desk.send()
    for _ in range(30):
        world.look(1000)
        assert len(world.there.stops()) <= 1
    assert len(world.resting()) == 1
    assert world.status().where == "exchange"


@pytest.mark.parametrize("when", ["before the stop", "after the stop", "stop sold", "stop moved"])
def test_p1_after_a_kill_one_stop_rests_for_what_is_held_within_seconds(when: str) -> None:
    world = Stops()
    world.entered()
    kept = world.kept()
    if when != "before the stop":
        world.desk.send()
    if when == "stop moved":
        kept = world.kept()
        world.bar(NEARER)
    if when == "stop sold":
        world.reach(D("0.1"))
    journal: Storage = world.path.journal
    began = world.exchange.now
    world.begin(journal, kept)
    world.desk.send()
    world.look()
    world.desk.send()
    world.settle()
    assert world.exchange.now - began < 20_000
    ((amount, _, _),) = world.resting()
    assert amount == world.held().quantize(D("0.00001"), "ROUND_DOWN")
    assert world.desk.disagreements() == []
    assert world.path.foreign_orders() == ()


@pytest.mark.unmeasured
def test_reconciliation_takes_our_stops_for_ours(world: Stops) -> None:
    for _ in range(3):
        world.look(AGAIN)
    assert world.path.foreign_orders() == ()
    assert world.desk.standing() == []
    assert len(world.resting()) == 1
    assert world.desk.disagreements() == []


@pytest.mark.unmeasured
def test_with_a_stop_at_rest_a_glance_at_balances_is_enough(world: Stops) -> None:
    world.settle()
    assert world.path.is_quiet()


@pytest.mark.unmeasured
def test_a_stop_that_rests_is_not_looked_up_in_every_step(world: Stops) -> None:
    world.look(10_000)
    asked: list[str] = []
    world.wire.point = asked.append
    world.look(100)
    world.look(100)
    assert [what for what in asked if what == "find"] == []
    world.look(4000)
    assert [what for what in asked if what == "find"] == ["find"]


@pytest.mark.parametrize("hears", [True, False])
def test_a_stop_that_a_stream_tells_of_is_looked_up_at_once_and_not_when_it_is_its_turn(hears: bool) -> None:
    world = Stops()
    world.entered()
    world.desk.send()
    world.look()
    order = world.reach()
    nothing: Any = None
    loop = Loop("x", world.session, nothing, nothing, lambda _: None, world.desk)
    name = order.request.client_order_id
    if hears:
        loop.hearing.inbox.put([OrderHint(order.id, name, BTC, "101")])
    loop._listen()
    world.look(100)
    assert (world.held() == 0) is hears


@pytest.mark.unmeasured
def test_many_stops_are_looked_up_by_one_list_of_open_orders(world: Stops) -> None:
    world.policy = Policy(list_from=1)
    world.begin(world.journal, world.kept())
    world.settle()
    asked: list[str] = []
    world.wire.point = asked.append
    for _ in range(4):
        world.look(4000)
    assert asked.count("open orders") >= 4
    assert "find" not in asked
    # What is not in the list is looked up by itself.
    for order in world.there.stops():
        order.standing = OrderNews.EXPIRED
    world.look(4000)
    world.settle()
    assert "find" in asked
    assert len(world.resting()) == 1


@pytest.mark.unmeasured
def test_a_list_that_cannot_be_had_leaves_a_look_at_each(world: Stops) -> None:
    world.policy = Policy(list_from=1)
    world.begin(world.journal, world.kept())
    world.settle()
    asked: list[str] = []
    world.wire.point = asked.append
    world.wire.next_fault = "fail"
    world.look(4000)
    assert asked.count("find") == 1
    assert world.status().where == "exchange"
