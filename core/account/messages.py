"""What goes to a venue and what comes back: the words of the exchange client, the venues and the order path.

    OrderRequest ──place──> OrderReport     find, cancel and open orders answer the same
                            Execution       a fill with the venue's id of its order
                            Balance         what the account has of an asset
                            Transfer        what came or went without a fill

Numbers are exact: amounts in base units, prices in quote units; times are ms UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple

from core.account.money import plus
from core.account.orders import Fill, Kind, Side


class Terms(NamedTuple):
    """How an order is to be executed."""

    kind: Kind = "market"
    price: Decimal | None = None
    stop: Decimal | None = None
    """Where a stop_limit or take_limit begins to work."""


MARKET = Terms()


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to place."""

    client_order_id: str
    """1 to 36 of A-Z a-z 0-9 - _; it must never be used again."""
    symbol: str
    side: Side
    amount: Decimal
    terms: Terms = MARKET


class StopRules(NamedTuple):
    """What a venue demands of stops in a symbol; None where it demands nothing."""

    kind: Kind
    """stop sells at the market when its price is reached, stop_limit at a limit or better."""
    tick: Decimal | None = None
    step: Decimal | None = None
    """Amounts are whole multiples of it, base units."""
    min_amount: Decimal | None = None
    min_notional: Decimal | None = None
    """Quote units, at the price that the order can get at least."""
    most: int | None = None
    """So many stops may rest in the symbol."""
    can_change: bool = False
    """Whether an order that rests can be changed, so that nothing is unprotected meanwhile."""
    look_ms: int = 3000
    """Milliseconds between two looks at one, as often as the venue's own limits allow."""
    list_from: int = 10
    """From so many on, a list of all open orders costs less than a look at each."""


class OrderNews(StrEnum):
    """What the exchange says of an order."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Execution(NamedTuple):
    """A fill and the exchange's id of its order; the fill's own client order id may be blank."""

    order_id: str
    fill: Fill


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as the exchange tells it."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    standing: OrderNews
    amount: Decimal
    """As rounded by the exchange; 0 when it does not say."""
    filled: Decimal
    """Whatever it stands like: a cancelled order keeps what was executed."""
    executions: tuple[Execution, ...] = ()
    """Its fills, where the same answer tells them."""
    stop: Decimal | None = None
    """The price that a stop waits for, where the answer tells it."""


class Balance(NamedTuple):
    """What the account has of one asset, in its units."""

    free: Decimal
    locked: Decimal
    """Kept by the exchange for open orders."""

    @property
    def total(self) -> Decimal:
        """Return all of it."""
        return plus(self.free, self.locked)


TransferKind = Literal["deposit", "withdrawal", "convert", "dust"]


class Transfer(NamedTuple):
    """A deposit, a withdrawal, or one asset's part of a conversion, as far as the account's balance knows.

    `dust`: small amounts that were swept into one coin.
    """

    kind: TransferKind
    id: str
    """Of the exchange, unique for its kind and asset."""
    asset: str
    amount: Decimal
    """What it has changed the balance by: 0 for a deposit not credited yet, for a withdrawal that failed."""
    time: int
