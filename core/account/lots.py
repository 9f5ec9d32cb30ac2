"""Lots: what a strategy holds of a symbol, in exact amounts, and as decisions see it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from core import fills
from core.account.money import NOTHING, minus, part_of, plus, quotient, signed, times, total
from core.account.orders import Intent, whole_leg
from core.domain import FLAT, MOST_LOTS, NAN, NEVER, FloatArray, PositionView

LOT_LEG = "lot-"
"""How the leg of an exit begins that closes one lot; the lot's id follows."""


@dataclass(frozen=True, slots=True)
class Lot:
    """What came of one entry and is still held; several fills of one order make one lot."""

    id: str
    """Open time of the bar that was decided on and rung, `1700000000000-0`: one of a strategy and symbol."""
    side: int
    amount: Decimal
    """Base units, positive."""
    cost: Decimal
    """Notional at the entry prices, quote units."""
    fees: Decimal
    """Of the entry, quote units."""
    entry_time: int
    entry_bar: int
    """Number of the bar it was filled in, as whoever books counts them."""
    stop: float
    take: float
    share: float
    """Unsigned part of the strategy's allocation that it stands for."""
    first_stop: float
    note: float = math.nan
    """What its strategy wants remembered; NaN for none."""
    size: float = field(init=False)
    """Signed base units, and the price they were entered at, as decisions see them."""
    entry_price: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.side * float(self.amount))
        object.__setattr__(self, "entry_price", quotient(self.cost, self.amount))

    @property
    def rung(self) -> int:
        """Which rung of a ladder; 0 for what is none."""
        return int(self.id.rpartition("-")[2])


class Trade(NamedTuple):
    """One lot, or a part of it, closed: a round trip. Money is exact, in quote units."""

    strategy: str
    symbol: str
    side: int
    amount: Decimal
    entry_time: int
    exit_time: int
    entry_bar: int
    exit_bar: int
    entry_price: float
    exit_price: float
    gross: Decimal
    """Before fees."""
    fees: Decimal
    """Of entry and exit."""
    reason: str
    rung: int = 0
    stop: float | None = None
    """As it stood at the exit; None for none, and where only a part was closed, as in Backtesting.py."""
    take: float | None = None

    @property
    def pnl(self) -> Decimal:
        """Profit after the fees of both sides."""
        return minus(self.gross, self.fees)


class Position(NamedTuple):
    """What an account holds of a symbol, all strategies together."""

    side: int
    """-1 short, +1 long."""
    size: float
    """Signed base units."""
    entry_price: float
    """Mean of the lots on that side."""
    stop: float | None
    """Of the oldest lot on that side, as `tp`."""
    tp: float | None


class Holding:
    """The lots of one strategy in one symbol, oldest first, and their sums in float64."""

    __slots__ = ("_seen", "book", "cost", "is_uneven", "lots", "size")

    def __init__(self) -> None:
        self.set([])

    def set(self, lots: list[Lot]) -> None:
        """Hold these lots; `book` is them as core.fills lays them out, without the account's cash."""
        self.lots = lots
        self.book = book_of(lots) if lots else _EMPTY
        self.size, self.cost = 0.0, 0.0
        for lot in lots:
            self.size += lot.size
            self.cost += lot.size * lot.entry_price
        self._seen = view_of(self.book) if lots else FLAT
        # As text, in which NaN is itself.
        self.is_uneven = len(lots) > 1 and len({repr((one.stop, one.take, one.note)) for one in lots}) > 1

    def view(self, bar: int) -> PositionView:
        """Return the position as a decision may see it at the close of this bar, but for exits before it."""
        if not self.lots:
            return FLAT
        seen = self._seen
        held = seen.side, seen.entry_price, seen.stop, seen.take, bar + seen.bars_held
        return PositionView(*held, seen.rungs, seen.target, seen.newest_price, NEVER, NAN, seen.note)

    def profit(self, price: float) -> float:
        """Return the open profit at a price, in the order of core.fills.equity."""
        return price * self.size - self.cost

    def bound(self, price: float) -> float:
        """Return the notional at a price, long and short added up."""
        return sum(abs(lot.size) * price for lot in self.lots)

    def exact_profit(self, price: Decimal) -> Decimal:
        """Return the open profit at a price, in exact decimals."""
        return total(signed(lot.side, minus(times(lot.amount, price), lot.cost)) for lot in self.lots)


_EMPTY = fills.open_book(0.0)
_EMPTY.setflags(write=False)


def book_of(lots: list[Lot]) -> FloatArray:
    """Return lots as an account of core.fills that has no cash."""
    book = fills.open_book(0.0)
    book[0, fills.LOTS] = min(len(lots), MOST_LOTS)
    for row, lot in zip(book[fills.HELD : fills.WANTED], lots, strict=False):
        row[: fills.LOT_COLUMNS] = (
            *(lot.size, lot.entry_price, lot.entry_bar, lot.stop, lot.take, lot.rung),
            *(0.0, 0.0, lot.share, lot.first_stop, lot.note),
        )
    return book


def view_of(book: FloatArray) -> PositionView:
    """Return the position at bar 0 as core.fills shows it; a lot of rung 0 belongs to no ladder."""
    # Fills out of order can make lots of both sides at once, which may have no mean.
    with np.errstate(all="ignore"):
        seen = fills.view_ladder(book, 0)
    return seen._replace(rungs=seen.rungs & ~1)


def lot_id(intent: Intent) -> str:
    """Return the id of the lot that an entry opens."""
    return lot_name(intent.bar, intent.leg)


def lot_name(bar: int, leg: str) -> str:
    """Return the id of the lot that an entry of this bar and leg opens."""
    leg = whole_leg(leg)
    rung = leg.removeprefix("rung-") if leg.startswith("rung-") else "0"
    return f"{bar}-{rung}"


def opened(intent: Intent, fill_time: int, bar: int, amount: Decimal, cost: Decimal, fees: Decimal) -> Lot:
    """Return the lot that a first fill of an entry opens."""
    stop = np.nan if intent.stop is None else float(intent.stop)
    take = np.nan if intent.take is None else float(intent.take)
    side = 1 if intent.side == "buy" else -1
    given = fill_time, bar, stop, take, intent.share, stop, number_of(intent.note)
    return Lot(lot_id(intent), side, amount, cost, fees, *given)


def split(lot: Lot, amount: Decimal) -> tuple[Lot, Lot | None]:
    """Return a part of a lot and what is left of it, cost and fees shared out to the last digit."""
    if amount == lot.amount:
        return lot, None
    cost, fees = part_of(lot.cost, amount, lot.amount), part_of(lot.fees, amount, lot.amount)
    part = _sized(lot, amount, cost, fees)
    return part, _sized(lot, minus(lot.amount, amount), minus(lot.cost, cost), minus(lot.fees, fees))


def bracketed(trade: Trade, lot: Lot, rest: Lot | None) -> Trade:
    """Return the trade that closed a lot with the lot's stop and take, unless some of the lot is left."""
    if rest is not None:
        return trade
    return trade._replace(stop=price_or_none(lot.stop), take=price_or_none(lot.take))


def cut(lots: list[Lot], amount: Decimal) -> tuple[list[Lot], list[Lot], Decimal]:
    """Take an amount from the long ones, oldest first; return what stays, what goes, what was not there."""
    kept, gone, left = [], list[Lot](), amount
    for lot in lots:
        part = min(lot.amount, left) if lot.side > 0 else NOTHING
        if not part:
            kept.append(lot)
            continue
        away, rest = split(lot, part)
        gone.append(away)
        left = minus(left, part)
        kept += [] if rest is None else [rest]
    return kept, gone, left


def merged(lot: Lot, amount: Decimal, cost: Decimal, fees: Decimal) -> Lot:
    """Return a lot with one more fill of its entry."""
    return _sized(lot, plus(lot.amount, amount), plus(lot.cost, cost), plus(lot.fees, fees))


def netted(lots: list[Lot]) -> Position:
    """Return what lots of one symbol are together; they must not cancel out."""
    size = sum(lot.size for lot in lots)
    side = 1 if size > 0 else -1
    same = [lot for lot in lots if lot.side == side]
    held, cost = sum(lot.size for lot in same), sum(lot.size * lot.entry_price for lot in same)
    return Position(side, size, cost / held, price_or_none(same[0].stop), price_or_none(same[0].take))


def price_or_none(price: float) -> float | None:
    """Return a price, None for NaN."""
    return None if math.isnan(price) else price


def number_of(note: float | None) -> float:
    """Return what a lot is to remember as decisions see it: NaN for none."""
    return math.nan if note is None else note


def protected(lot: Lot, stop: float, take: float, note: float) -> Lot:
    """Return a lot with another stop, take and note."""
    given = (lot.amount, lot.cost, lot.fees, lot.entry_time, lot.entry_bar)
    return Lot(lot.id, lot.side, *given, stop, take, lot.share, lot.first_stop, note)


def standing_for(lot: Lot, share: float) -> Lot:
    """Return a lot that stands for another part of the allocation."""
    given = (lot.amount, lot.cost, lot.fees, lot.entry_time, lot.entry_bar)
    return Lot(lot.id, lot.side, *given, lot.stop, lot.take, share, lot.first_stop, lot.note)


def _sized(lot: Lot, amount: Decimal, cost: Decimal, fees: Decimal) -> Lot:
    given = (lot.entry_time, lot.entry_bar, lot.stop, lot.take, lot.share, lot.first_stop, lot.note)
    return Lot(lot.id, lot.side, amount, cost, fees, *given)
