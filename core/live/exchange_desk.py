"""The desk of an account at an exchange: orders go out when they are due, fills come in their own time.

Stops and takes do not rest at the exchange: this desk watches prices, between bars and at their closes, and
sends a market order when one is reached. So they hold only while the process runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.domain import Bar
from core.errors import HotCryptoError
from core.live.journalled import Event, Journalled
from core.live.order_path import OrderPath, intent_of
from core.live.protecting import Reached, at, protective
from core.live.snapshot import Restored
from core.money import NOTHING, times
from core.orders import Approved, Intent, Protection
from core.risk.limits import ANY_MARKET
from core.session import Session
from core.utils import timeframe_ms

AGAIN = 300_000
"""Milliseconds between two comparisons with the exchange."""
PATIENCE = 60_000
"""Milliseconds for which an exit is worth sending at least."""


class ExchangeDesk(Journalled):
    """A session's gateway at an exchange."""

    def __init__(self, path: OrderPath) -> None:
        """Take an order path to the exchange."""
        super().__init__(path)
        self._reached: dict[str, Reached] = {}
        self._compared = 0
        self._difference = ""

    def open(self, session: Session, kept: Restored | None) -> None:
        """Take an account up whose path agreed with the exchange; `kept`: what a former process left."""
        if not self.path.ready:
            raise HotCryptoError("the books have not agreed with the exchange yet: reconcile first")
        self._compared = self.time
        self.resume(session, kept)
        for order in self.path.orders():
            if order.intent_key not in self.waiting:
                # Of a stop that was stored before the step it belonged to.
                approved = Approved(intent_of(self.path.mirror.intent(order.intent_key)))
                self.waiting[order.intent_key] = approved
                session.portfolio.reserve(approved)

    def protect(self, move: Protection) -> None:
        """Do nothing: stops and takes are read from the account each time."""

    def follow(self, strategy: str, symbol: str, timeframe: str) -> None:
        """Do nothing: the exchange fills whatever was ordered."""

    def fill_at_most(self, volume_share: float | None) -> None:
        """Do nothing: the exchange's own book says how much of an order fills."""

    def on_bars(self, bars: Iterable[Bar]) -> list[Event]:
        """Return what came since the last look; what the bars close is ordered once they are decided on."""
        for bar in bars:
            before = self._reached.get(bar.symbol, Reached(bar.low, bar.high, bar.close))
            reached = Reached(min(bar.low, before.low), max(bar.high, before.high), bar.close)
            self._reached[bar.symbol] = reached
        return self.news()

    def on_price(self, symbol: str, price: float) -> list[Event]:
        """Return what a price between two bars brings: it may close what is held."""
        self._watch(symbol, at(price))
        super().send()
        return self.news()

    def news(self) -> list[Event]:
        """Return what came since the last look."""
        if self.path.mirror.live:
            self._step()
        elif self.time - self._compared >= AGAIN:
            self._compare()
        return [*self._told_late(), *self._booked(), *self._ended()]

    def send(self) -> None:
        """Store and send what was approved, and what the newest bars close."""
        reached, self._reached = self._reached, {}
        for symbol, prices in reached.items():
            self._watch(symbol, prices)
        super().send()

    def _compare(self) -> None:
        """Compare the books with the exchange; what differs for long is believed, and holds up entries."""
        self._compared = self.time
        found = self.path.reconcile()
        self._fresh += self.path.take_fills()
        self._difference = "; ".join((*found.waiting, *found.adjusted))

    def _differences(self) -> list[str]:
        return [self._difference] if self._difference else []

    def _watch(self, symbol: str, prices: Reached) -> None:
        """Order closed what these prices close, if it is enough for an order."""
        session = self.session
        market = session.risk.markets.get(symbol, ANY_MARKET)
        for intent in list(protective(session.portfolio, session.slots, symbol, prices, self.time)):
            approved = session.risk.approve(intent, session.portfolio.snapshot(), prices.last, self.time)
            least = market.min_notional or NOTHING
            if (
                isinstance(approved, Approved)
                and intent.key not in self.waiting
                and times(approved.intent.amount, intent.price) >= least
            ):
                session.portfolio.reserve(approved)
                self.submit(approved)

    def _patience(self, intent: Intent) -> int:
        return max(PATIENCE, timeframe_ms(intent.timeframe))
