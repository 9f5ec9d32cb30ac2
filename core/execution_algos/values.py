"""What an execution algorithm sees and what it may want done: frozen values, and what all have in common.

    Work (what is wanted, and its orders so far) ─┐
    Sight (time, book, the symbol's grid) ─────────┴─ step ─> NewChild, CancelChild, WorkEnd

A work's state is its orders: they are in the journal, so that after a restart it is what it was before.
Amounts are base units, prices quote units, times ms UTC.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol

from core.account.money import NOTHING, minus, plus, times, to_step, total
from core.account.orders import Kind, Side

FRESH = 5_000
"""Milliseconds after which a book says nothing of now."""
BOOK_PAUSE = 1_000
"""Milliseconds between two questions for a symbol's book."""
MOST_CHILDREN = 200
"""So many orders does one work have at most; then the rest goes at the market."""


class BookOffer(NamedTuple):
    """One price level of a book."""

    price: Decimal
    amount: Decimal


class LocalBook(NamedTuple):
    """What others offer in a symbol, best first."""

    bids: tuple[BookOffer, ...]
    asks: tuple[BookOffer, ...]
    time: int
    """When it was read."""

    def is_usable(self, now: int) -> bool:
        """Return whether prices may be made of it: it is fresh, has both sides, and they do not cross."""
        is_fresh = abs(now - self.time) <= FRESH
        return is_fresh and bool(self.bids) and bool(self.asks) and self.bids[0].price < self.asks[0].price


class OrderGrid(NamedTuple):
    """What a venue demands of orders in a symbol; None where it demands nothing."""

    tick: Decimal | None = None
    step: Decimal | None = None
    min_amount: Decimal | None = None
    min_notional: Decimal | None = None

    def fits(self, amount: Decimal, price: Decimal) -> bool:
        """Return whether an amount is enough for an order at a price."""
        return (
            to_step(amount, self.step) > 0
            and amount >= (self.min_amount or NOTHING)
            and times(amount, price) >= (self.min_notional or NOTHING)
        )


class ChildStanding(StrEnum):
    """How an order of a work stands."""

    WAITS = "waits"
    """It is stored, and nobody knows yet whether it is there."""
    RESTS = "rests"
    LEAVES = "leaves"
    """It is being cancelled, and may still be executed."""
    OVER = "over"
    REFUSED = "refused"
    """It never was."""
    TAKEN = "taken"
    """Others ended it before it was executed whole."""


_LIVE = frozenset({ChildStanding.WAITS, ChildStanding.RESTS, ChildStanding.LEAVES})


class ChildOrder(NamedTuple):
    """One order of a work."""

    number: int
    """From 1 on, in the order of placing."""
    kind: Kind
    price: Decimal | None
    amount: Decimal
    filled: Decimal
    since: int
    """When it was placed."""
    standing: ChildStanding
    reason: str = ""
    """Why it was refused or taken."""

    @property
    def is_live(self) -> bool:
        """Whether it may still be executed."""
        return self.standing in _LIVE


class Work(NamedTuple):
    """One order that is executed by an algorithm, and what was done for it so far."""

    side: Side
    amount: Decimal
    price: Decimal
    """The close that was decided on."""
    is_exit: bool
    began: int
    span: int
    """Milliseconds that it may take at most, whatever the algorithm's own settings are."""
    children: tuple[ChildOrder, ...] = ()

    @property
    def filled(self) -> Decimal:
        """Return what was executed."""
        return total(child.filled for child in self.children)

    @property
    def left(self) -> Decimal:
        """Return what was not executed, never below nothing."""
        return max(minus(self.amount, self.filled), NOTHING)

    @property
    def last(self) -> ChildOrder | None:
        """Return the newest order, None before the first."""
        return self.children[-1] if self.children else None

    @property
    def live(self) -> ChildOrder | None:
        """Return the order that may still be executed, None without one."""
        return next((child for child in self.children if child.is_live), None)


class Sight(NamedTuple):
    """What is seen at a time."""

    now: int
    grid: OrderGrid
    book: LocalBook | None = None
    """None where nobody knows it."""
    is_hurried: bool = False
    """Whether a stop was reached: what is left goes at the market now."""


class NewChild(NamedTuple):
    """Place an order; only while none of the work's may still be executed."""

    kind: Kind
    amount: Decimal
    price: Decimal | None = None


class CancelChild(NamedTuple):
    """Cancel an order that rests."""

    number: int


class WorkEnd(NamedTuple):
    """Place nothing more."""

    why: str
    """Why not all of it was executed; blank when it was."""


AlgoAction = NewChild | CancelChild | WorkEnd


class Machine(Protocol):
    """One algorithm with its settings: a frozen value, whose step depends on what it is given alone."""

    @property
    def reads_book(self) -> bool:
        """Whether it wants to see the book before it places something."""

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now, nothing to wait."""


def whole_step(work: Work, sight: Sight) -> Decimal:
    """Return all that is left, on the market's step."""
    return to_step(work.left, sight.grid.step)


def first_moves(work: Work, sight: Sight) -> tuple[AlgoAction, ...] | None:
    """Return what is done whatever the algorithm is; None where it may decide."""
    if work.live is not None:
        return leave(work.live) if sight.is_hurried else None
    if (why := _over(work, sight)) is not None:
        return (WorkEnd(why),)
    return at_market(work, sight) if sight.is_hurried or len(work.children) >= MOST_CHILDREN else None


def _over(work: Work, sight: Sight) -> str | None:
    """Return why a work without a live order is over, None while it is not."""
    last = work.last
    if not sight.grid.fits(work.left, work.price):
        return "the rest is less than the smallest order" if whole_step(work, sight) > 0 else ""
    if last is None:
        return None
    is_refused = last.standing is ChildStanding.REFUSED and last.kind != "maker"
    is_taken = last.standing is ChildStanding.TAKEN and not sight.is_hurried
    return last.reason if is_refused or is_taken else None


def leave(live: ChildOrder) -> tuple[AlgoAction, ...]:
    """Return the cancel of an order that rests; what is not known to rest cannot be cancelled yet."""
    rests = live.standing is ChildStanding.RESTS and live.kind != "market"
    return (CancelChild(live.number),) if rests else ()


def at_market(work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
    """Return the order of all that is left at the market, or the end where that was tried."""
    last, left = work.last, whole_step(work, sight)
    if last is not None and last.kind == "market" and minus(last.amount, last.filled) >= left:
        return (WorkEnd(last.reason or "the market did not take all of it"),)
    return (NewChild("market", left),)


def elapsed(since: int, now: int, most: int) -> int:
    """Return how long ago something was, at most `most`; all of that if the clock was set back since."""
    return min(now - since, most) if now >= since else most


def moved(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """Return a price one tick nearer to where the other side is."""
    return plus(price, tick) if side == "buy" else minus(price, tick)
