"""How an account stands, as values: what a strategy made, what is approved and open, what limits look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from core import fills
from core.money import NOTHING, minus
from core.orders import Intent

Held = tuple[str, str]
"""Strategy and symbol."""


@dataclass(slots=True)
class Result:
    """What a strategy made so far, exact, in quote units."""

    gross: Decimal = NOTHING
    """Realised profit before fees."""
    fees: Decimal = NOTHING
    other_fees: dict[str, Decimal] = field(default_factory=dict)
    """Fees in assets that are neither of the symbol's, by asset; not in quote units, so not in `fees`."""

    @property
    def realised(self) -> Decimal:
        """Realised profit after all fees paid so far, those of open lots too."""
        return minus(self.gross, self.fees)


@dataclass(slots=True)
class Pending:
    """What was approved and is not done."""

    intent: Intent
    left: Decimal
    """Base units not filled yet."""
    reserve: Decimal
    """Quote units kept for them."""


class Snapshot(NamedTuple):
    """An account at one moment, open and reserved orders counted as if they were filled."""

    equity: float
    """With open profit; NaN when a price is missing."""
    free_cash: Decimal
    """Cash that neither positions nor reserved orders bind."""
    exposure: Decimal
    """Notional of all positions and orders, long and short added up."""
    by_symbol: Mapping[str, Decimal]
    by_strategy: Mapping[str, Decimal]
    positions: frozenset[Held]


Record = tuple[float, float, float, float]
"""WINS to LOST of core.fills."""
NO_RECORD: Record = (0.0, 0.0, 0.0, 0.0)


def counted(record: Record, result: float) -> Record:
    """Return a record with one more trade in it, as core.fills.count_trade."""
    book = fills.open_book(0.0)
    book[0, fills.WINS : fills.LOST + 1] = record
    fills.count_trade(book, result)
    return tuple(book[0, fills.WINS : fills.LOST + 1].tolist())
