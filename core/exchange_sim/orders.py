"""The values of trading: what is asked for, what becomes of it, and what it is matched with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from core.account.money import affordable, minus, power_of_ten, times, to_step
from core.exchange_sim.markets import SimMarket

BUY, SELL = "BUY", "SELL"
MARKET, LIMIT, LIMIT_MAKER = "MARKET", "LIMIT", "LIMIT_MAKER"
STOP_LOSS, STOP_LOSS_LIMIT = "STOP_LOSS", "STOP_LOSS_LIMIT"
TAKE_PROFIT, TAKE_PROFIT_LIMIT = "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"
STOPS = (STOP_LOSS, STOP_LOSS_LIMIT)
MARKET_STOPS = (STOP_LOSS, TAKE_PROFIT)
ALGOS = (STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT)
"""Orders that wait for a price before they work."""
KINDS = (MARKET, LIMIT, LIMIT_MAKER, *ALGOS)
GTC, IOC, FOK = "GTC", "IOC", "FOK"
TIMES = (GTC, IOC, FOK)
NEW, PARTLY, FILLED = "NEW", "PARTIALLY_FILLED", "FILLED"
CANCELED, EXPIRED = "CANCELED", "EXPIRED"
ZERO = Decimal(0)
SMALLEST = Decimal("0.00000001")
"""Amounts, prices and fees have at most so many decimals."""
NO_LIST = -1


class Level(NamedTuple):
    """What is offered at one price."""

    price: Decimal
    amount: Decimal
    """Base units."""


class Depth(NamedTuple):
    """What can be taken, best first."""

    bids: Iterable[Level] = ()
    asks: Iterable[Level] = ()


class Print(NamedTuple):
    """One trade of the public tape."""

    time: int
    """ms UTC."""
    price: Decimal
    amount: Decimal
    """Base units."""


class Seen(NamedTuple):
    """The market at the moment an order arrives."""

    time: int
    """ms UTC."""
    last: Decimal
    mean: Decimal
    """Of the last five minutes, weighted by volume."""


DepthAt = Callable[[SimMarket, int, Decimal], Depth]
"""Takes market, time in ms and last price."""


class NewOrder(NamedTuple):
    """An order as it is asked for."""

    market: SimMarket
    side: str
    kind: str
    client_id: str
    quantity: Decimal | None = None
    """Base units; None for a market order by value."""
    value: Decimal | None = None
    """Quote units to spend or to earn."""
    price: Decimal | None = None
    stop: Decimal | None = None
    lifetime: str = GTC
    fee_asset: str = ""
    """The asset that fees are wanted in; blank for the venue's own choice."""
    userref: str = ""
    """A number of the trader's own, which Kraken keeps."""


class NewPair(NamedTuple):
    """A limit order and a stop of which one cancels the other."""

    limit: NewOrder
    stop: NewOrder
    client_id: str
    """Of the pair."""


@dataclass(frozen=True, slots=True)
class SimOrder:
    """An order as it stands."""

    id: int
    """Of its symbol, from 1 on."""
    list_id: int
    """Of its pair; NO_LIST without one."""
    client_id: str
    market: SimMarket
    side: str
    kind: str
    lifetime: str
    quantity: Decimal
    """Base units."""
    value: Decimal
    """Quote units asked for; 0 for an order by quantity."""
    price: Decimal
    """0 for a market order."""
    stop: Decimal
    """0 without one."""
    created: int
    """ms UTC."""
    updated: int
    status: str = NEW
    executed: Decimal = ZERO
    turnover: Decimal = ZERO
    """Quote units paid or earned, before fees."""
    working: bool = True
    """False while a stop waits for its price."""
    fee_asset: str = ""
    userref: str = ""

    @property
    def open(self) -> bool:
        """Say whether it may still be executed."""
        return self.status in (NEW, PARTLY)

    @property
    def left(self) -> Decimal:
        """Return what is not executed, base units."""
        return minus(self.quantity, self.executed)

    @property
    def buys(self) -> bool:
        """Say whether it buys."""
        return self.side == BUY

    @property
    def pays(self) -> str:
        """Return the asset it gives away."""
        return self.market.quote if self.buys else self.market.base

    @property
    def earns(self) -> str:
        """Return the asset it takes in, which fees are taken from."""
        return self.market.base if self.buys else self.market.quote

    def reached_by(self, price: Decimal) -> bool:
        """Say whether a trade at this price executes it, resting at its limit."""
        return price <= self.price if self.buys else price >= self.price

    def triggered_by(self, price: Decimal) -> bool:
        """Say whether a trade at this price sets it to work."""
        rising = self.buys == (self.kind in STOPS)
        return price >= self.stop if rising else price <= self.stop


@dataclass(frozen=True, slots=True)
class OrderList:
    """A pair of orders of which one cancels the other."""

    id: int
    client_id: str
    market: SimMarket
    orders: tuple[int, ...]
    """Their ids."""
    created: int
    """ms UTC."""


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """One execution of an order of the account."""

    id: int
    """Of its symbol, from 1 on."""
    order_id: int
    list_id: int
    market: SimMarket
    buys: bool
    maker: bool
    price: Decimal
    amount: Decimal
    """Base units."""
    fee: Decimal
    fee_asset: str
    time: int
    """ms UTC."""

    @property
    def turnover(self) -> Decimal:
        """Return its value, quote units."""
        return times(self.price, self.amount)


def lot_of(market: SimMarket) -> Decimal:
    """Return the smallest amount step, base units, exactly."""
    return power_of_ten(-market.lot_decimals)


def walk(
    levels: Iterable[Level], order: SimOrder, amount: Decimal | None, value: Decimal | None = None
) -> list[Level]:
    """Return what an order takes from levels, best first, within its limit.

    At most `amount` base units and `value` quote units, None for no bound; whole lots only.
    """
    lot, taken = lot_of(order.market), []
    for price, offered in levels:
        if order.price and not (price <= order.price if order.buys else price >= order.price):
            break
        most = offered if amount is None else min(offered, amount)
        if value is not None:
            most = min(most, affordable(value, price))
        most = to_step(most, lot)
        if most <= 0:
            break
        taken.append(Level(price, most))
        amount = None if amount is None else minus(amount, most)
        value = None if value is None else minus(value, times(most, price))
    return taken
