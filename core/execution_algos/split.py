"""Slices that the book takes without moving: each no more than is offered within `impact` of the best price.

A slice is a limit order at the worst of these prices, so that a book which moved meanwhile is not followed
further; what rests of it is cancelled after the pause, in which others offer anew. When time is over an exit
goes at the market with what is left, and an entry is content with what it got.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from core.account.money import minus, plus, raised_to, times, to_step, total
from core.account.orders import Side
from core.execution_algos.values import (
    AlgoAction,
    NewChild,
    Sight,
    Work,
    WorkEnd,
    at_market,
    elapsed,
    first_moves,
    leave,
    whole_step,
)

_ONE = Decimal(1)
THIN = "the book offered too little for the rest within its impact"


@dataclass(frozen=True, slots=True)
class SplitByDepth:
    """Slices of at most the depth within `impact` (a fraction), `pause_ms` apart, for `until_ms`."""

    impact: Decimal = Decimal("0.001")
    pause_ms: int = 5_000
    until_ms: int = 120_000

    reads_book: ClassVar[bool] = True

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now; without a usable book nothing is placed before time is over."""
        moves = first_moves(work, sight)
        if moves is not None:
            return moves
        most, live, last = min(self.until_ms, work.span), work.live, work.last
        is_over = elapsed(work.began, sight.now, most) >= most
        is_soon = last is not None and elapsed(last.since, sight.now, self.pause_ms) < self.pause_ms
        if live is not None:
            return () if is_soon and not is_over else leave(live)
        if is_over:
            return at_market(work, sight) if work.is_exit else (WorkEnd(THIN),)
        return () if is_soon else self._slice(work, sight)

    def _slice(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        book, tick = sight.book, sight.grid.tick
        if book is None or not book.is_usable(sight.now):
            return ()
        offers = book.asks if work.side == "buy" else book.bids
        worst = limit_of(offers[0].price, self.impact, tick, work.side)
        within = (one for one in offers if (one.price <= worst if work.side == "buy" else one.price >= worst))
        amount = min(whole_step(work, sight), to_step(total(one.amount for one in within), sight.grid.step))
        if not sight.grid.fits(minus(work.left, amount), work.price):
            # What would be too little for an order of its own goes along, and rests at worst.
            amount = whole_step(work, sight)
        return (NewChild("limit", amount, worst),) if sight.grid.fits(amount, worst) else ()


def limit_of(best: Decimal, impact: Decimal, tick: Decimal | None, side: Side) -> Decimal:
    """Return the worst price that a slice may get, on the grid, never beyond the impact."""
    if side == "buy":
        return max(to_step(times(best, plus(_ONE, impact)), tick), best)
    price = times(best, minus(_ONE, impact))
    return min(raised_to(price, tick), best)
