"""The desk of an account at an exchange: orders go out when they are due, fills come in their own time.

An entry waits until what its strategy closes of the symbol is closed: the exit of a reversal pays for its
entry, and the two must not become two positions. When the exit does not fill the entry is refused.

Stops rest at the exchange where it takes them (core.live.resting). Takes do not, nor the stops that it does
not take: this desk watches prices, between bars and at their closes, and sends a market order when one is
reached. It watches the others too, and sells what a stop that rests does not sell in time; before anything is
sold otherwise the stop that would sell it is cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from core.account.lots import Lot
from core.account.money import NOTHING, times, to_step
from core.account.orders import (
    RESTING_STOPS,
    Approved,
    Executed,
    Intent,
    Protection,
    Purpose,
    RefusalReason,
    Refused,
    Taken,
    whole_key,
)
from core.account.values import Held
from core.engine import Session
from core.errors import HotCryptoError
from core.figures import exact
from core.live.agreement import Agreement
from core.live.desk import DeskEvent, JournalledDesk
from core.live.fitting import fitted, still_held
from core.live.outside import OutsideCoins, Price
from core.live.refusals import Refusals, Streak
from core.live.resting import RestingStops
from core.live.snapshot import Restored
from core.live.status import DeskStatus, Outside, Standing
from core.live.stops import LotName, PriceRange, Reached, at, lots_of, protective, reached
from core.order_path.intents import intent_of
from core.order_path.ledger import assets_of
from core.order_path.path import OrderPath
from core.order_path.protecting import StopTerms
from core.order_path.working import WorkTerms
from core.risk.limits import ANY_MARKET
from core.utils import timeframe_ms
from db.journal_rows import OrderRow

NOT_YET = "an entry at a price cannot rest at an exchange yet: enter at the open, or trade on paper"
LOCKING = "coins are kept for orders of somebody else"
PATIENCE = 60_000
"""Milliseconds for which an exit is worth sending at least."""


class ExchangeDesk(JournalledDesk):
    """A session's desk at an exchange."""

    def __init__(
        self,
        path: OrderPath,
        price: Price | None = None,
        stops: StopTerms | None = None,
        works: WorkTerms | None = None,
    ) -> None:
        """Take an order path to the exchange, and what knows the price of coins that are not traded.

        `stops`: how stops rest there, None: not. `works`: how orders are executed, None: at the market.
        """
        super().__init__(path, works)
        self._stops = RestingStops(path, stops)
        self._before: dict[LotName, Lot] = {}
        """Lots as they were when the newest bars were reached, until their step is kept."""
        self._overtaken: list[Refused] = []
        """Exits of what a stop at the exchange had sold before them."""
        self._outside = OutsideCoins(path, price)
        self.market = PriceRange()
        """What bars are shown to: only prices come of them, for the exchange fills in its own time."""
        self._agreement = Agreement(path)
        self._refusals = Refusals(path)

    def open(self, session: Session, kept: Restored | None) -> None:
        """Take an account up whose path agreed with the exchange; `kept`: what a former process left."""
        if not self.path.ready:
            raise HotCryptoError("the books have not agreed with the exchange yet: reconcile first")
        self._agreement.open(self.time)
        self._refusals.open()
        self.resume(session, kept)
        self._ask_prices()
        for order in self.path.orders():
            if order.kind not in RESTING_STOPS:
                self._take_up(order)

    def _take_up(self, order: OrderRow) -> None:
        """Know what an order of a former process is for, though the step it belongs to was not kept."""
        key = whole_key(order.intent_key)
        if key not in self.waiting:
            # Of a stop that was stored before the step it belonged to, or a part of what nobody knows.
            intent = intent_of(self.path.mirror.intent(key))
            self.waiting[key] = Approved(intent)
            self.session.portfolio.reserve(self.waiting[key])
            if key != order.intent_key:
                self.path.conclude(intent, "the step that wanted it was not kept")
        if key != order.intent_key and self.path.order(key) is not None:
            self.path.cancel(order.intent_key)

    def protect(self, move: Protection) -> None:
        """Do nothing: stops and takes are read from the account each time, for those that rest too."""

    def follow(self, strategy: str, symbol: str, timeframe: str) -> None:
        """Do nothing: the exchange fills whatever was ordered."""

    def fill_at_most(self, volume_share: float | None) -> None:
        """Do nothing: the exchange's own book says how much of an order fills."""

    def booked(self, brought: Sequence[DeskEvent]) -> list[DeskEvent]:  # noqa: ARG002 - bars fill nothing here
        """Return what came since the last look; what the bars close is ordered once they are decided on.

        They reached the stops of before that decision, not those that it moves.
        """
        self._before = lots_of(self.session.portfolio, self.session.slots)
        return self.news()

    def on_price(self, symbol: str, price: float) -> list[DeskEvent]:
        """Return what a price between two bars brings: it may close what is held."""
        self._watch(symbol, at(price))
        self._dispatch()
        return self.news()

    def news(self) -> list[DeskEvent]:
        """Return what came since the last look."""
        portfolio = self.session.portfolio
        cash = self._agreement.cash_taken(portfolio.cash, self._quote, is_told=self._is_told)
        if self._agreement.is_due(self.time):
            self._agreement.compare(self.time)
            self._fresh += self.path.take_fills()
            self._ask_prices()
        elif self.path.mirror.live:
            self._step()
            if self.path.did_others():
                self.look_again()
        told = [*self._told_late(), *self._booked(), *self._claims_taken(), *cash]
        for event in (events := [*told, *self._ended(), *self._given_up()]):
            self._note(event)
        if not events:
            # Nothing is to be stored first: what rests is made what it should be.
            self._protect()
            if any(one.intent.purpose is not Purpose.ENTRY for one in self._unsent.values()):
                self._dispatch()
            else:
                self._work()
        return events

    def submit(self, approved: Approved) -> Refused | None:
        """Take an order, or refuse it: at a price, or while the exits of its position are refused."""
        if approved.intent.is_priced:
            return Refused(approved.intent, RefusalReason.EXCHANGE, NOT_YET)
        why = self._refusals.stands_in_the_way(approved.intent, self.time)
        return Refused(approved.intent, RefusalReason.EXCHANGE, why) if why else super().submit(approved)

    def waited(self, intent: Intent) -> int:  # noqa: ARG002 - none waits here
        """Return 0: an entry at a price is refused."""
        return 0

    def look_now(self) -> None:
        """Compare with the exchange at the next look, but for what others do not every time."""
        self._agreement.look_now(self.time)

    def look_again(self) -> None:
        """Compare the books with the exchange at the next look."""
        self._agreement.look_again(self.time)

    def accept(self, symbol: str) -> str:
        """Let entries in a symbol go on, and its exits be tried again; return what came of it."""
        outcome = super().accept(symbol)
        self._refusals.forget(symbol, self.time)
        return outcome

    def standing(self) -> list[Standing]:
        """Return all that keeps orders back until a person says otherwise, and what is not clear yet."""
        exits = [
            Standing("exits", held[1], f"{held[0]}: {self._words(held, row)}", self._accepting(held[1]))
            for held, row in self._refusals.rows().items()
        ]
        doubts = [Standing("hold", symbol, why, "") for symbol, why in self.path.doubts().items()]
        differing = [Standing("difference", "", line, "") for line in self._differences()]
        return [*super().standing(), *exits, *doubts, *differing]

    def backs_off(self, held: Held) -> bool:
        """Return whether exits of a position have to wait, for they were refused."""
        return self._refusals.backs_off(held, self.time)

    def _words(self, held: Held, row: Streak) -> str:
        _, orders = self.path.kept_by_others(assets_of(held[1])[0])
        kept = f"; {LOCKING}: {'; '.join(orders)}" if orders else ""
        return row.words(is_wanted=held in self.session.to_close) + kept

    def _note(self, event: DeskEvent) -> None:
        if isinstance(event, Executed) and event.intent.purpose not in (Purpose.ENTRY, Purpose.EXIT):
            self._end_works((event.intent.strategy, event.intent.symbol))
        row = self._refusals.note(event)
        if isinstance(event, Refused) and event.intent.purpose is not Purpose.ENTRY:
            # What it was to sell may not be there any more.
            self.look_again()
        if row is not None and isinstance(event, Refused):
            symbol = event.intent.symbol
            words = self._words((event.intent.strategy, symbol), row)
            text = f"{symbol}, {event.intent.strategy}: {words}; {self.start} {self._accepting(symbol)}"
            self.path.alert("exits", symbol, text)

    def _claims_taken(self) -> list[Taken]:
        """Return what others took of positions, once."""
        gone = self.path.take_claims()
        self.claims += len(gone)
        return gone

    def send(self) -> None:
        """Store and send what was approved, and what the newest bars close."""
        before, self._before = self._before, {}
        for symbol, prices in self.market.taken().items():
            self._watch(symbol, prices, before)
        self._dispatch()

    def _dispatch(self) -> None:
        """Send what is due, with the stops that rest cancelled before and as they should be after it."""
        self._protect()
        self._drop_overtaken()
        self._begin_works()
        super().send()
        self._work()
        self._protect()

    def _begin_works(self) -> None:
        """Hand what is due to its algorithm; an exit whose coins others' orders keep goes as it fits."""
        for held in self.session.to_close:
            self._end_works(held)
        for key, one in list(self._unsent.items()):
            if self._is_due(one.intent) and self._works.takes(one.intent):
                timely = self._timely(one)
                if self._works.has_begun(one.intent) or self._fitted([timely]) == [timely]:
                    del self._unsent[key]
                    self._works.begin(timely)

    def _work(self) -> None:
        """Let the algorithms look."""
        self._works.step(is_told=self._is_told)
        self._fresh += self.path.take_fills()

    @property
    def _is_told(self) -> bool:
        """Whether the account knows all that is booked."""
        return not (self._fresh or self._owed)

    def _protect(self) -> None:
        """Let stops rest at the exchange as the account stands, once it knows all that was booked."""
        if self._session is None or not self._is_told:
            return
        closing = (one.intent for one in self.waiting.values() if one.intent.purpose is not Purpose.ENTRY)
        leaving = {(one.strategy, one.symbol) for one in closing}
        for guard in self._stops.protect(self._session, leaving, self.time):
            # That one alone: a price that is its own trigger says nothing of other positions in the symbol.
            self._watch(guard.symbol, at(float(guard.trigger)), only=guard.held)
        self._fresh += self.path.take_fills()

    def _drop_overtaken(self) -> None:
        """Take back exits of which a stop at the exchange has sold everything."""
        for key, one in list(self._unsent.items()):
            intent = one.intent
            left = self.path.position(intent.symbol, intent.strategy)
            step = self.session.risk.markets.get(intent.symbol, ANY_MARKET).step
            if intent.purpose is not Purpose.ENTRY and intent.side == "sell" and to_step(left, step) <= 0:
                del self._unsent[key], self.waiting[key]
                why = "nothing is left: its stop at the exchange sold it"
                self._overtaken.append(Refused(intent, RefusalReason.WITHDRAWN, why))

    def _fitted(self, due: list[Approved]) -> list[Approved]:
        """Let exits sell no more than others' open orders leave free, as far as that is worth an order."""
        fitting = fitted(due, self.path, self.session.risk.markets)
        for one, part in zip(due, fitting, strict=True):
            if part is not one:
                self.look_again()
                symbol = one.intent.symbol
                _, orders = self.path.kept_by_others(assets_of(symbol)[0])
                amounts = f"{exact(part.intent.amount)} of {exact(one.intent.amount)}"
                text = f"{symbol}, {one.intent.strategy}: {amounts} are closed now, {LOCKING}"
                self.path.alert("exits", symbol, f"{text}: {'; '.join(orders)}")
        return fitting

    def _is_due(self, intent: Intent) -> bool:
        """Let an exit go once no stop at the exchange may sell the same, an entry when exits are done."""
        if intent.purpose is not Purpose.ENTRY:
            return not self._stops.of((intent.strategy, intent.symbol))
        return not (self._is_closing(intent) or still_held(intent, self.path))

    def _given_up(self) -> list[Refused]:
        """Refuse exits that a stop overtook, and the entries of decisions whose exits did not fill."""
        overtaken, self._overtaken = self._overtaken, []
        return [*overtaken, *super()._given_up()]

    def outside(self) -> list[Outside]:
        """Return what the exchange's account has beside this one."""
        return self._outside.held(self.session.portfolio, self._quote, is_told=self._is_told)

    def status(self) -> DeskStatus:
        """Return how the journal stands, and what is held outside the account."""
        return (
            super()
            .status()
            ._replace(
                foreign_orders=self.path.foreign_orders(),
                outside=tuple(self.outside()),
                stops=self._stops.status(self.session),
                agreed_at=self._agreement.at,
            )
        )

    @property
    def _quote(self) -> str:
        return next((assets_of(slot.symbol)[1] for slot in self.session.slots), "")

    def _ask_prices(self) -> None:
        self._outside.ask_prices(self.session.portfolio, self._quote, is_told=self._is_told)

    def _differences(self) -> list[str]:
        return [self._agreement.difference] if self._agreement.difference else []

    def _watch(
        self,
        symbol: str,
        prices: Sequence[Reached],
        before: Mapping[LotName, Lot] = MappingProxyType({}),
        only: Held | None = None,
    ) -> None:
        """Order closed what these prices close, if it is enough for an order; `only`: of this position."""
        session = self.session
        slots = [one for one in session.slots if only is None or one[:2] == only]
        market = session.risk.markets.get(symbol, ANY_MARKET)
        low = min(one.low for one in prices)
        for held in reached(session.portfolio, slots, symbol, prices, before):
            self._end_works(held)
        for intent in list(protective(session.portfolio, slots, symbol, prices, self.time, before)):
            if self._stops.waits(intent, low, self.time):
                continue
            approved = session.risk.approve(intent, session.portfolio.snapshot(), prices[-1].last, self.time)
            least = market.min_notional or NOTHING
            if (
                isinstance(approved, Approved)
                and intent.key not in self.waiting
                and not self._refusals.stands_in_the_way(intent, self.time)
                and times(approved.intent.amount, intent.price) >= least
            ):
                session.portfolio.reserve(approved)
                self.submit(approved)

    def _patience(self, intent: Intent) -> int:
        return max(PATIENCE, timeframe_ms(intent.timeframe))
