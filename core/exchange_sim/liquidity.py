"""What an order can take from the book: the market's offers less what was taken within the same second."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from core.account.money import minus, plus
from core.exchange_sim.orders import ZERO, DepthAt, Level, SimOrder


class Liquidity:
    """The book, which forgets what was taken from it when its second is over."""

    def __init__(self, depth: DepthAt) -> None:
        self._depth = depth
        self._second: dict[str, int] = {}
        self._taken: dict[str, dict[tuple[str, Decimal], Decimal]] = {}

    def offered(self, order: SimOrder, now: int, last: Decimal) -> Iterable[Level]:
        """Return the side an order takes from, best first; `now` in ms UTC."""
        depth, symbol = self._depth(order.market, now, last), order.market.symbol
        side = depth.asks if order.buys else depth.bids
        if self._second.get(symbol) != now // 1000:
            return side
        taken = self._taken[symbol]
        rest = (Level(price, minus(amount, taken.get((order.side, price), ZERO))) for price, amount in side)
        return (level for level in rest if level.amount > 0)

    def take(self, order: SimOrder, level: Level, now: int) -> None:
        """Remember what an order took."""
        symbol = order.market.symbol
        if self._second.get(symbol) != now // 1000:
            self._second[symbol], self._taken[symbol] = now // 1000, {}
        taken, key = self._taken[symbol], (order.side, level.price)
        taken[key] = plus(taken.get(key, ZERO), level.amount)
