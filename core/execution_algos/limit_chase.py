"""A limit order that follows the touch: the maker's fee where somebody comes, else the market's price.

    nothing ──> maker at the touch ──10 s──> cancelled ──> maker a tick nearer ──10 s──> … ──30 s──> market

A maker's price never reaches the other side: the venue would refuse it, and does where the book moved
meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final

from core.account.money import minus, plus, raised_to, to_step
from core.account.orders import Side
from core.execution_algos.values import (
    AlgoAction,
    ChildStanding,
    NewChild,
    Sight,
    Work,
    at_market,
    elapsed,
    first_moves,
    leave,
    moved,
    whole_step,
)

PAUSE: Final = 1_000
"""Milliseconds between a maker that was refused and the next one."""
REFUSALS: Final = 3
"""So many makers are refused, and what is left goes at the market."""


@dataclass(frozen=True, slots=True)
class LimitChase:
    """Maker at the touch, nearer after `wait_ms`, at the market after `until_ms`."""

    wait_ms: int = 10_000
    until_ms: int = 30_000

    reads_book: ClassVar[bool] = True

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now; without a usable book nothing is placed before time is over."""
        moves = first_moves(work, sight)
        if moves is not None:
            return moves
        most, live = min(self.until_ms, work.span), work.live
        is_over = elapsed(work.began, sight.now, most) >= most
        if live is not None:
            is_late = elapsed(live.since, sight.now, self.wait_ms) >= self.wait_ms
            return leave(live) if is_over or is_late else ()
        return at_market(work, sight) if is_over else self._maker(work, sight)

    def _maker(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        refused = [one for one in work.children if one.standing is ChildStanding.REFUSED]
        if len(refused) >= REFUSALS:
            return at_market(work, sight)
        is_soon = bool(refused) and elapsed(refused[-1].since, sight.now, PAUSE) < PAUSE
        price = None if is_soon else maker_price(work, sight)
        if price is None:
            return ()
        if not sight.grid.fits(work.left, price):
            return at_market(work, sight)
        return (NewChild("maker", whole_step(work, sight), price),)


def maker_price(work: Work, sight: Sight) -> Decimal | None:
    """Return where to rest: at the touch, after the first wait a tick nearer; None without a usable book."""
    book, tick = sight.book, sight.grid.tick
    if book is None or not book.is_usable(sight.now):
        return None
    buys = work.side == "buy"
    touch, other = (book.bids, book.asks) if buys else (book.asks, book.bids)
    if tick is None:
        return touch[0].price
    rested = any(one.standing is not ChildStanding.REFUSED for one in work.children)
    price = moved(touch[0].price, tick, work.side) if rested else touch[0].price
    nearest = before(other[0].price, tick, work.side)
    price = min(to_step(price, tick), nearest) if buys else max(raised_to(price, tick), nearest)
    return price if price > 0 else None


def before(other: Decimal, tick: Decimal, side: Side) -> Decimal:
    """Return the price on the grid that is next to the other side's best and does not reach it."""
    below = to_step(other, tick)
    if side == "sell":
        return plus(below, tick)
    return minus(below, tick) if below == other else below
