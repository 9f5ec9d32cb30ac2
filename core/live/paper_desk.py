"""The desk of a paper account: the fill model's fills, booked through the journal before anybody is told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from core.account.messages import Terms
from core.account.orders import KINDS, Approved, Executed, Fill, Intent, Protection, Purpose, whole_key
from core.account.values import Held
from core.engine import Session
from core.errors import HotCryptoError
from core.figures import exact
from core.live.desk import DeskEvent, JournalledDesk
from core.live.snapshot import Restored
from core.order_path.intents import intent_of
from core.order_path.ledger import ZERO
from core.order_path.path import OrderPath
from core.order_path.states import State
from core.order_path.working import WorkTerms
from core.paper.fills import PaperFills
from core.paper.orders import AcceptedOrder
from core.paper.public_books import PublicBooks
from core.paper.venue import PaperVenue, is_protective
from core.portfolio import Portfolio

DAY = 86_400_000
_ACCEPTED = (State.OPEN, State.PARTIAL, State.CANCELING, State.CANCEL_UNKNOWN)


class PaperDesk(JournalledDesk):
    """A session's desk on paper.

    Orders that an algorithm executes are placed and filled between bars (`news`), as others' offers allow.
    The fill model is told what they make of the account, and does the rest: stops, takes, what a bar fills.
    """

    def __init__(self, path: OrderPath, exchange: PaperVenue, works: WorkTerms | None = None) -> None:
        """Take an order path on this paper exchange, and how orders are executed: None at the market."""
        super().__init__(path, works)
        self._is_worked = works is not None and bool(works.names)
        self._untuned: set[Held] = set()
        """Positions of which the fill model does not know yet what algorithms made of them."""
        self._brought: list[DeskEvent] = []
        self.market = exchange
        """The paper exchange, where bars fill orders."""
        exchange.turn = self.waiting.keys()

    def at(self, now: int) -> None:
        """Be told the time, ms UTC; it never goes back. Raises DatabaseError when the database is gone."""
        super().at(now)
        self.market.time = self.time

    def protect(self, move: Protection) -> None:
        """Move the stops and takes of the lots that a strategy holds of a symbol."""
        self.market.model.protect(move)

    def follow(self, strategy: str, symbol: str, timeframe: str) -> None:
        """Be told that a strategy trades a symbol from now on: its turn is after those of the others."""
        self.market.model.follow(strategy, symbol, timeframe)

    def waited(self, intent: Intent) -> int:
        """Return for how many bars an entry has waited for its price."""
        return self.market.model.waited(intent)

    def fill_at_most(self, volume_share: float | None) -> None:
        """Be told how much of a bar's volume an order gets, None for all."""
        self.market.model.volume_share = volume_share

    def on_price(self, symbol: str, price: float) -> list[DeskEvent]:
        """Return what a price between two bars brings, booked."""
        return self.booked(self.market.on_price(symbol, price))

    def news(self) -> list[DeskEvent]:
        """Return what came since the last step without a bar or price: what algorithms did among it."""
        brought, self._brought = self._brought, []
        events = self.booked(brought) if brought else self._told_late()
        if not self._is_worked:
            return [*events, *self._ended()]
        return [*events, *self._worked(), *self._ended(), *self._given_up()]

    def send(self) -> None:
        """Store and send what was approved; the account knows all that was booked, and so does the model."""
        self._tune()
        if self._is_worked:
            for held in self.session.to_close:
                self._end_works(held)
            for key, one in list(self._unsent.items()):
                if self._is_due(one.intent) and self._works.takes(one.intent):
                    del self._unsent[key]
                    self._works.begin(self._timely(one))
        super().send()

    def _is_due(self, intent: Intent) -> bool:
        """Let an entry wait for the exits of its position that an algorithm executes."""
        held = intent.strategy, intent.symbol
        is_leaving = intent.purpose is Purpose.ENTRY and bool(self._works.of(held, Purpose.EXIT))
        return not is_leaving

    def _worked(self) -> list[Executed]:
        """Let others' offers fill what waits for them, and the algorithms look; return what was executed."""
        for symbol in self.market.match():
            self._fresh += self.path.book(symbol)
        self._works.step(is_told=not (self._fresh or self._owed))
        self._fresh += self.path.take_fills()
        if self.path.mirror.live:
            self._step()
        events = self._booked()
        self._untuned |= {(one.intent.strategy, one.intent.symbol) for one in events}
        return events

    def _tune(self) -> None:
        """Let the fill model hold what algorithms made of positions, once the account knows."""
        if self._untuned:
            portfolio = self.session.portfolio
            frames = {(one.strategy, one.symbol): one.timeframe for one in self.session.slots}
            held = {one: (frames[one], portfolio.lots(*one)) for one in self._untuned if one in frames}
            self._untuned.clear()
            self._brought += self.market.tune(portfolio.settled, held)

    def _overtake(self, event: DeskEvent) -> None:
        """End what algorithms do in a position of which the model closed a lot by itself."""
        if not isinstance(event, Executed) or not is_protective(event.intent):
            return
        held, leg = (event.intent.strategy, event.intent.symbol), event.intent.leg
        for intent, _ in self._works.works():
            is_same = (intent.strategy, intent.symbol) == held
            if is_same and (intent.purpose is Purpose.ENTRY or intent.leg == leg):
                self._works.take_back(intent.key, f"its {event.intent.purpose.value} was reached meanwhile")

    def open(
        self, session: Session, symbols: Iterable[str], opening: Mapping[str, Decimal], kept: Restored | None
    ) -> None:
        """Take an account up: the exchange as the journal knows it, the fill model as the account stands.

        `opening`: what a new account has, by asset; `kept`: what a former process left. Raises DatabaseError
        when the journal is damaged or cannot be written.
        """
        waiting = [] if kept is None else kept.waiting
        totals = self.path.mirror.books.totals() or opening
        self.market.begin(totals, _accepted(self.path, [one.intent.key for one in waiting]))
        traded = tuple(symbols)
        # An order that was about to be sent has to be missed as often as the path wants; no more is to come.
        tries = 2 + self.path.policy.absences
        found = [self.path.reconcile(traded) for _ in range(tries)][-1]
        if not found.done:
            raise HotCryptoError(
                f"the paper exchange and its journal differ: {found.waiting[0]}; report this"
            )
        owed = self.resume(session, kept)
        self._is_worked |= any(self._works.has_begun(one.intent) for one in waiting)
        ahead = copy.deepcopy(session.portfolio)
        # Fills alone: nobody else is on the paper exchange who could take anything.
        for event in (one for one in owed if isinstance(one, Executed)):
            ahead.book(event.intent, event.fill)
        for slot in session.slots:
            self.market.model.follow(slot.strategy, slot.symbol, slot.timeframe)
        for approved in waiting:
            if approved.intent.is_priced and kept is not None:
                self.market.model.go_on_waiting(approved.intent, kept.waited[approved.intent.key])
        self._cancel_withdrawn({approved.intent.key for approved in waiting})
        self._end_orphans()
        hold(self.market.model, ahead, {(one.strategy, one.symbol): one.timeframe for one in session.slots})

    def _cancel_withdrawn(self, waiting: Collection[str]) -> None:
        """Cancel what a former process withdrew and did not live to cancel."""
        for order in self.path.orders():
            is_priced = intent_of(self.path.mirror.intent(order.intent_key)).is_priced
            if is_priced and order.intent_key not in waiting:
                self.path.cancel(order.intent_key)

    def _end_orphans(self) -> None:
        """Cancel the orders of algorithms that have ended, or that nothing can fill any more."""
        for order in self.path.orders():
            whole = whole_key(order.intent_key)
            is_over = whole not in self.waiting or self.path.order(whole) or not self.market.has_books
            if whole != order.intent_key and is_over:
                self.path.cancel(order.intent_key)

    def _differences(self) -> list[str]:
        here = self.path.balances()
        there = {asset: one.total for asset, one in self.market.balances().items()}
        return [
            f"{asset}: {exact(here.get(asset, ZERO))} in the books, "
            f"{exact(there.get(asset, ZERO))} at the exchange"
            for asset in sorted(here.keys() | there.keys())
            if here.get(asset) != there.get(asset)
        ]

    def _patience(self, intent: Intent) -> int:  # noqa: ARG002 - here no exit ever comes too late
        """Return ten years: an exit that the model made in a life that was cut short is made again."""
        return 10 * 365 * DAY

    def booked(self, brought: Sequence[DeskEvent]) -> list[DeskEvent]:
        """Book what the paper exchange brought; return it as it is in the journal, after what was owed."""
        owed = self._told_late()
        if not (brought or owed or self.waiting):
            return []
        for event in brought:
            if self._is_worked:
                self._overtake(event)
            if isinstance(event, Executed):
                self._book(event)
        if brought:
            self._step()
        booked = {fill.id: fill for fill in self._take_fresh()}
        events = [_confirmed(event, booked) for event in brought]
        for event in events:
            self._done(event)
        return [*owed, *events, *self._ended()]

    def _book(self, event: Executed) -> None:
        """Have one fill booked, so that the journal has them in the order in which they happened."""
        if self.market.publish(event):
            self._fresh += self.path.book(event.intent.symbol)
            return
        # What closed by itself is wanted now that it is known; what it closes may just have been entered.
        self.path.submit(self._timely(Approved(event.intent)))
        self._step()


def _confirmed(event: DeskEvent, booked: dict[str, Fill]) -> DeskEvent:
    """Return an event whose fill is in the journal. Raises HotCryptoError for one that is not."""
    if not isinstance(event, Executed):
        return event
    if event.fill.id not in booked:
        raise _not_booked(event.fill.id)
    return Executed(event.intent, booked[event.fill.id], event.is_done)


def _not_booked(key: str) -> HotCryptoError:
    return HotCryptoError(f"the journal did not take the fill {key}: nothing more is traded; report this")


def paper_desk(
    make_path: Callable[[PaperVenue], OrderPath],
    model: PaperFills,
    works: WorkTerms | None = None,
) -> PaperDesk:
    """Return a desk on a fill model; `make_path` makes the order path to its exchange.

    `works`: how orders are executed where an exchange says what others offer, None: all at the market.
    """
    paths: list[OrderPath] = []

    def whose(name: str) -> Intent:
        mirror = paths[0].mirror
        return intent_of(mirror.intent(mirror.live[name].intent_key))

    books = None if works is None else PublicBooks(works.book)
    exchange = PaperVenue(model, whose, books)
    paths.append(make_path(exchange))
    if works is None or books is None:
        return PaperDesk(paths[0], exchange)
    left = works._replace(book=lambda symbol: books.read(symbol, exchange.time))
    return PaperDesk(paths[0], exchange, left)


def hold(model: PaperFills, portfolio: Portfolio, frames: Mapping[tuple[str, str], str]) -> None:
    """Let a fill model hold what an account holds; `frames`: the timeframe of each strategy and symbol."""
    model.cash = portfolio.settled
    for symbol, price in portfolio.marks.items():
        model.mark(symbol, price)
    for held in portfolio.held():
        if held in frames and (lots := portfolio.lots(*held)):
            model.restore(frames[held], held, lots)


def _accepted(path: OrderPath, turn: Iterable[str]) -> list[AcceptedOrder]:
    """Return the orders that a paper exchange had accepted, in their turn."""
    rank = {key: number for number, key in enumerate(turn)}
    orders = [order for order in path.orders() if order.state in _ACCEPTED]
    orders.sort(key=lambda order: rank.get(order.intent_key, len(rank)))
    return [
        AcceptedOrder(
            order.client_order_id,
            replace(intent_of(path.mirror.intent(order.intent_key)), amount=order.amount),
            Terms(KINDS[order.kind], order.price, order.stop),
            order.filled,
        )
        for order in orders
    ]
