"""Kraken's part of the matching engine: smallest orders, decimals, and fees beside what is traded.

Balances of currencies have four decimals, so what a trade costs is cut to them when it is booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from core.account.money import affordable, is_on_step, minus, plus, power_of_ten, times, to_step, total
from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.filters import OrderInMarket
from core.exchange_sim.kraken_names import LOT_DECIMALS, asset_decimals
from core.exchange_sim.markets import TRADING, SimMarket, quoted
from core.exchange_sim.orders import ZERO, Level, NewOrder, SimOrder
from core.exchange_sim.rules import Settled
from core.exchange_sim.venue import RequestRefused

SMALLEST: Mapping[str, str] = MappingProxyType(
    {"BTC": "0.00005", "ETH": "0.001", "SOL": "0.02", "DOGE": "13", "LTC": "0.04"}
)
LEAST_COST = Decimal("0.5")
MOST_ORDERS = 60
"""Open ones in a pair, of an account of the lowest tier."""
_ONE = Decimal(1)


def least_of(market: SimMarket) -> str:
    """Return the smallest order, base units."""
    return SMALLEST.get(market.base, quoted(market.lot))


def refused(text: str) -> RequestRefused:
    """Return a refusal in Kraken's words."""
    return RequestRefused(0, text)


class KrakenRules:
    """What may be ordered, and what it costs."""

    def __init__(self, account: AccountConfig) -> None:
        self._account = account

    def check(self, held: OrderInMarket, *, is_triggered: bool) -> None:
        """Refuse an order that is too small or not on the grid; a stop that is reached works at once."""
        del is_triggered
        new = held.new
        if new.market.status != TRADING:
            raise refused("EService:Market in cancel_only mode")
        if held.orders > MOST_ORDERS:
            raise refused("EOrder:Orders limit exceeded")
        self._check_volume(new, held)
        for price in (new.price, new.stop):
            if price is not None:
                _check_price(price, new.market)

    def _check_volume(self, new: NewOrder, held: OrderInMarket) -> None:
        if new.quantity is None:
            if (new.value or ZERO) < LEAST_COST:
                raise refused("EOrder:Cost minimum not met")
            return
        if not is_on_step(new.quantity, power_of_ten(-LOT_DECIMALS)):
            raise refused("EGeneral:Invalid arguments:volume")
        if new.quantity < Decimal(least_of(new.market)):
            raise refused("EGeneral:Invalid arguments:volume minimum not met")
        price = new.price or new.stop or held.seen.last
        if times(new.quantity, price) < LEAST_COST:
            raise refused("EOrder:Cost minimum not met")

    def needs(self, order: SimOrder) -> Decimal:
        """Return what must be kept for an order, the highest fee included where it is paid on top."""
        if not order.open:
            return ZERO
        if not order.buys:
            return order.left
        cost = times(order.left, order.price or order.stop)
        if order.fee_asset != order.pays:
            return cost
        return times(cost, plus(_ONE, max(self._account.maker, self._account.taker)))

    def price_of(self, order: SimOrder, taken: Iterable[Level]) -> Decimal:
        """Return what a buyer pays for what was found in the book."""
        return total(self.settle(order, level, maker=False).given for level in taken)

    def budget(self, order: SimOrder, money: Decimal) -> Decimal:
        """Return for how much a buyer with so much money can buy, the fee on top."""
        if order.fee_asset != order.pays:
            return money
        return affordable(money, plus(_ONE, self._account.taker))

    def settle(self, order: SimOrder, level: Level, *, maker: bool) -> Settled:
        """Return what one execution moves."""
        rate = self._account.maker if maker else self._account.taker
        cost = booked(times(level.price, level.amount), order.market.quote)
        if order.buys and order.fee_asset == order.market.base:
            fee = booked(times(level.amount, rate), order.market.base)
            return Settled(cost, minus(level.amount, fee), fee, order.market.base)
        # A seller's fee in the coin that is sold would need more of it than is kept: a wish not granted.
        fee = booked(times(cost, rate), order.market.quote)
        if order.buys:
            return Settled(plus(cost, fee), level.amount, fee, order.market.quote)
        return Settled(level.amount, minus(cost, fee), fee, order.market.quote)


def _check_price(price: Decimal, market: SimMarket) -> None:
    if not is_on_step(price, power_of_ten(-market.price_decimals)):
        name = market.base + market.quote
        text = f"{name} price can only be specified up to {market.price_decimals} decimals."
        raise refused(f"EOrder:Invalid price:{text}")


def booked(value: Decimal, asset: str) -> Decimal:
    """Return a value as balances of an asset know it."""
    return to_step(value, power_of_ten(-asset_decimals(asset)))
