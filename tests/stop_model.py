"""The model's markets with stops that rest: they are reached, filled in part, and expired by the venue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from core.account.messages import OrderNews, OrderRequest, StopRules, Terms
from core.account.orders import RESTING_STOPS
from core.errors import OrderRefusedError
from tests.kraken_model import KrakenMarket
from tests.order_model import PRICES, SYMBOLS, Market, Placed

D = Decimal
MOST = 2
"""So many stops does the venue take in a symbol."""
TICKS = {"BTC/USDT": D("0.01"), "ETH/USDT": D("0.01"), "ETH/BTC": D("0.00001")}
LIMITED = {
    one: StopRules("stop_limit", TICKS[one], D("0.00001"), D("0.00001"), None, MOST) for one in SYMBOLS
}
AT_MARKET = {
    one: StopRules("stop", TICKS[one], D("0.00001"), D("0.00001"), None, None, True) for one in SYMBOLS
}


@dataclass
class StopMarket(Market):
    """It has stops: one whose price lies above the market's is refused, one that is reached may rest on."""

    reached: set[str] = field(default_factory=set)
    """Ids of stops whose price was reached."""
    changes: int = 0
    too_many: int = 0
    """Stops that were refused because there were as many already."""
    on_change: Callable[[], None] = lambda: None
    """Is called whenever an order may have changed."""

    def chance(self, order: Placed) -> float:
        """Return how likely an order that rests is executed now."""
        if order.request.terms.kind not in RESTING_STOPS:
            return super().chance(order)
        if order.id not in self.reached and self.rng.random() < 0.02:
            self.reached.add(order.id)
        return 0.4 if order.id in self.reached else 0.0

    def advance(self, ms: int) -> None:
        """Let time pass."""
        super().advance(ms)
        self.on_change()

    def place(self, request: OrderRequest, stamp: int) -> Placed:
        """Take an order, or refuse it."""
        if request.terms.kind in RESTING_STOPS:
            resting = [one for one in self.stops() if one.request.symbol == request.symbol]
            if self.most is not None and len(resting) >= self.most:
                self.too_many += 1
                raise OrderRefusedError("Filter failure: MAX_NUM_ALGO_ORDERS")
            if (request.terms.stop or D(0)) >= PRICES[request.symbol]:
                raise OrderRefusedError("Stop price would trigger immediately.")
        order = super().place(request, stamp)
        self.on_change()
        return order

    def change(self, symbol: str, name: str, amount: Decimal, terms: Terms) -> Placed:
        """Give an open order another amount and other prices."""
        order = super().change(symbol, name, amount, terms)
        self.changes += 1
        self.on_change()
        return order

    @property
    def most(self) -> int | None:
        """So many stops are taken in a symbol."""
        return MOST

    def stops(self) -> list[Placed]:
        """Return the stops that rest."""
        return [
            one
            for one in self.orders
            if one.request.terms.kind in RESTING_STOPS and one.standing is OrderNews.OPEN
        ]

    def expire(self) -> None:
        """End all stops, as in maintenance."""
        for order in self.stops():
            order.standing = OrderNews.EXPIRED


class KrakenStopMarket(StopMarket, KrakenMarket):
    """Stops sell at the market there, and any number of them."""

    @property
    def most(self) -> int | None:
        """So many stops are taken in a symbol."""
        return None
