"""What differs between venues when orders are taken and executed: checks, fees, and what is kept for them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple, Protocol

from core.account.money import minus, times, to_step, total
from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.filters import OrderInMarket, check_filters
from core.exchange_sim.orders import SMALLEST, ZERO, Level, SimOrder
from core.exchange_sim.venue import RequestRefused


class Settled(NamedTuple):
    """What one execution moves."""

    given: Decimal
    """Of the asset that the order pays with, a fee in it included."""
    taken: Decimal
    """Of the asset that it earns, less a fee in it."""
    fee: Decimal
    fee_asset: str


class MatchingRules(Protocol):
    """One venue's part of the matching engine."""

    def check(self, held: OrderInMarket, *, is_triggered: bool) -> None:
        """Refuse an order for its form; `is_triggered`: its stop price is reached already."""

    def needs(self, order: SimOrder) -> Decimal:
        """Return what must be kept for an order, in the asset it pays with."""

    def price_of(self, order: SimOrder, taken: Iterable[Level]) -> Decimal:
        """Return what a buyer pays for what was found in the book."""

    def budget(self, order: SimOrder, money: Decimal) -> Decimal:
        """Return for how much a buyer with so much money can buy."""

    def settle(self, order: SimOrder, level: Level, *, maker: bool) -> Settled:
        """Return what one execution moves."""


class BinanceRules:
    """Fees are taken from what is earned, and filters say what may be ordered."""

    def __init__(self, account: AccountConfig) -> None:
        self._account = account

    def check(self, held: OrderInMarket, *, is_triggered: bool) -> None:
        """Refuse what a filter refuses, and a stop that would work at once."""
        check_filters(held)
        if is_triggered:
            raise RequestRefused(-2010, "Stop price would trigger immediately.")

    def needs(self, order: SimOrder) -> Decimal:
        """Return what must be kept for an order, in the asset it pays with."""
        if not order.open:
            return ZERO
        return times(order.left, order.price or order.stop) if order.buys else order.left

    def price_of(self, order: SimOrder, taken: Iterable[Level]) -> Decimal:
        """Return what a buyer pays for what was found in the book."""
        del order
        return total(times(level.price, level.amount) for level in taken)

    def budget(self, order: SimOrder, money: Decimal) -> Decimal:
        """Return for how much a buyer with so much money can buy."""
        del order
        return money

    def settle(self, order: SimOrder, level: Level, *, maker: bool) -> Settled:
        """Return what one execution moves."""
        cost = times(level.price, level.amount)
        given, taken = (cost, level.amount) if order.buys else (level.amount, cost)
        rate = self._account.maker if maker else self._account.taker
        fee = to_step(times(taken, rate), SMALLEST)
        return Settled(given, minus(taken, fee), fee, order.earns)
