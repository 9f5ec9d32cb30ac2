"""Where orders go: an exchange or the paper exchange, told apart by nobody above.

An error of `place` says what came of the order:

    OrderUnknownError                     it may exist
    OrderRefusedError, UnsupportedError   it was refused, and would be again
    any other ExchangeError               it was not accepted and never will be; another one may be
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

from core.account.money import plus
from core.account.orders import Fill, Kind, Side
from core.order_path.states import OrderNews


class Terms(NamedTuple):
    """How an order is to be executed; prices in quote units."""

    kind: Kind = "market"
    price: Decimal | None = None
    stop: Decimal | None = None


MARKET = Terms()


@dataclass(frozen=True, slots=True)
class Placement:
    """An order to place."""

    client_order_id: str
    symbol: str
    side: Side
    amount: Decimal
    """Base units."""
    terms: Terms = MARKET


class Execution(NamedTuple):
    """A fill and the exchange's id of its order; the fill's own client order id may be blank."""

    order_id: str
    fill: Fill


@dataclass(frozen=True, slots=True)
class Report:
    """An order as the exchange tells it."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    standing: OrderNews
    amount: Decimal
    """Base units, as rounded by the exchange; 0 when it does not say."""
    filled: Decimal
    """Base units."""
    executions: tuple[Execution, ...] = ()
    """Its fills, where the same answer tells them."""


class Balance(NamedTuple):
    """What the account has of one asset, in its units."""

    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Return all of it."""
        return plus(self.free, self.locked)


class Transfer(NamedTuple):
    """A deposit or a withdrawal, as far as the account's balance knows of it."""

    kind: Literal["deposit", "withdrawal"]
    id: str
    """Of the exchange, unique for its kind and asset."""
    asset: str
    amount: Decimal
    """What it has changed the balance by: 0 for a deposit not credited yet, for a withdrawal that failed."""
    time: int
    """ms UTC."""


class Venue(Protocol):
    """One account at one exchange. Every method but `place` and `cancel` may be repeated at will.

    All raise ExchangeError when no usable answer comes.
    """

    exchange: str
    """Names the source of fills: with symbol and id it makes a fill unique."""

    def now(self) -> int:
        """Return the time that requests are stamped with, ms UTC: the exchange's, as last measured."""

    def ask_time(self) -> int:
        """Return the exchange's time, ms UTC, asked for now: no local clock can put it ahead."""

    def absence_is_final_at(self, sent_at: int) -> int:
        """Return the exchange time from which an order stamped then and not found never comes."""

    def place(self, request: Placement) -> Report:
        """Send an order, once."""

    def find(self, symbol: str, client_order_id: str) -> Report | None:
        """Return the order of this name, None when the exchange knows of none."""

    def cancel(self, symbol: str, client_order_id: str) -> Report:
        """Send a cancel, once. Raises OrderRefusedError when the order is not open."""

    def open_orders(self) -> Sequence[Report]:
        """Return all open orders of the account."""

    def fills(self, symbol: str, after: str | None) -> Sequence[Execution]:
        """Return all executions that came after the one of this id, or ever, oldest first."""

    def balances(self) -> Mapping[str, Balance]:
        """Return what the account has, by asset."""

    def transfers(self) -> Sequence[Transfer] | None:
        """Return the deposits and withdrawals of the last weeks; None where no list of them can be had."""
