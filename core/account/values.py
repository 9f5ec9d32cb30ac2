"""How an account stands, as values: what a strategy made, what is approved and open, what limits look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from core import fills
from core.account.lots import Holding
from core.account.money import NOTHING, decimal_of, minus, plus, times, total
from core.account.orders import Intent, Purpose

SeriesKey = tuple[str, str]
"""Symbol and timeframe."""
Held = tuple[str, str]
"""Strategy and symbol."""
_NONE: Mapping[Any, Any] = {}


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


@dataclass(slots=True)
class Exposed:
    """Notional of one strategy in one symbol, quote units."""

    held: Decimal = NOTHING
    """Lots at the last price, long and short added up …"""
    short: Decimal = NOTHING
    """… and the short ones alone."""
    asked: Decimal = NOTHING
    """Entries approved and not filled …"""
    reserve: Decimal = NOTHING
    """… and the cash kept for them."""
    leaving: Decimal = NOTHING
    """What is about to be closed, at the last price."""

    def after(self) -> Decimal:
        """Return what is held once all of it is done."""
        return total((self.held, self.leaving.copy_negate(), self.asked))

    def kept(self, commission: float) -> Decimal:
        """Return the cash that entries need beyond what is closed before them brings, commission paid."""
        return minus(self.reserve, minus(self.leaving, times(self.leaving, decimal_of(commission))))


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
    by_position: Mapping[Held, Decimal] = _NONE
    """Notional by strategy and symbol."""
    sides: Mapping[str, int] = _NONE
    """Side of what is held and asked for in all, by symbol."""


class Committed(NamedTuple):
    """What an account has in markets and free, open and reserved orders counted as if they were filled."""

    free_cash: Decimal
    by_symbol: Mapping[str, Decimal]
    by_strategy: Mapping[str, Decimal]
    by_position: Mapping[Held, Decimal]


def committed(
    some: Mapping[Held, Exposed], cash: Decimal, commission: float, entering: Held | None = None
) -> Committed:
    """Return how an account stands with this cash.

    What the strategy and symbol `entering` are about to close counts as closed and paid for: its entry
    comes after that. Of others it counts up to what they are about to enter, which only they may use.
    """
    symbols: defaultdict[str, Decimal] = defaultdict(Decimal)
    positions: dict[Held, Decimal] = {}
    strategies: defaultdict[str, Decimal] = defaultdict(Decimal)
    free = cash
    for held, one in some.items():
        after, kept = one.after(), one.kept(commission)
        if held != entering:
            after, kept = max(one.held, after), max(NOTHING, kept)
        positions[held] = after
        strategies[held[0]] = plus(strategies[held[0]], after)
        symbols[held[1]] = plus(symbols[held[1]], after)
        free = minus(free, total((kept, one.short, one.short)))
    return Committed(free, symbols, strategies, positions)


def kept_cash(some: Iterable[Exposed], commission: float) -> Decimal:
    """Return the cash kept for entries asked for, beyond what closes before them at the same open."""
    return total(max(NOTHING, one.kept(commission)) for one in some)


Record = tuple[float, float, float, float]
"""WINS to LOST of core.fills."""
NO_RECORD: Record = (0.0, 0.0, 0.0, 0.0)


class LastExit(NamedTuple):
    """When a strategy last closed anything of a symbol, and what came of that."""

    bar: int
    """Number of the bar that it happened in."""
    result: float
    """core.sizing.gain of it."""


def counted(record: Record, result: float) -> Record:
    """Return a record with one more trade in it, as core.fills.count_trade."""
    book = fills.open_book(0.0)
    book[0, fills.WINS : fills.LOST + 1] = record
    fills.count_trade(book, result)
    return tuple(book[0, fills.WINS : fills.LOST + 1].tolist())


def exposed(
    holdings: Mapping[Held, Holding], pending: Iterable[Pending], marks: Mapping[str, float]
) -> dict[Held, Exposed]:
    """Return the notional that each strategy has in each symbol, and on its way in and out, exact.

    Raises KeyError when what is held has no price.
    """
    found: defaultdict[Held, Exposed] = defaultdict(Exposed)
    for held, holding in holdings.items():
        for lot in holding.lots:
            notional = times(lot.amount, decimal_of(marks[held[1]]))
            found[held].held = plus(found[held].held, notional)
            found[held].short = plus(found[held].short, notional if lot.side < 0 else NOTHING)
    for one in pending:
        intent, some = one.intent, found[one.intent.strategy, one.intent.symbol]
        some.reserve = plus(some.reserve, one.reserve)
        if intent.purpose is Purpose.ENTRY:
            some.asked = plus(some.asked, times(one.left, intent.price))
        else:
            some.leaving = plus(some.leaving, times(one.left, decimal_of(marks[intent.symbol])))
    return found
