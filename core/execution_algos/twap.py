"""Equal slices at equal times, each at the market: the average price of a while instead of one moment's.

What is due by now and not executed is one order, one in each slice's time: a slice that was missed, that the
market did not take whole, or that is too little for an order of its own, goes with the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from core.account.money import minus, part_of, to_step
from core.execution_algos.values import (
    AlgoAction,
    NewChild,
    Sight,
    Work,
    at_market,
    elapsed,
    first_moves,
    leave,
    whole_step,
)


@dataclass(frozen=True, slots=True)
class TimedSlices:
    """So many slices within `over_ms`."""

    slices: int = 5
    over_ms: int = 300_000

    reads_book: ClassVar[bool] = False

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now."""
        moves, live = first_moves(work, sight), work.live
        if moves is not None:
            return moves
        if live is not None:
            return leave(live)
        most = min(self.over_ms, work.span)
        due, last = self._due(work.began, sight.now, most), work.last
        # The last slice leaves when its time has come, and takes all that is left.
        if due == self.slices:
            return at_market(work, sight)
        if last is not None and self._due(work.began, last.since, most) >= due:
            return ()
        part = to_step(part_of(work.amount, Decimal(due), Decimal(self.slices)), sight.grid.step)
        amount = minus(part, work.filled)
        if not sight.grid.fits(amount, work.price):
            return ()
        if not sight.grid.fits(minus(work.left, amount), work.price):
            amount = whole_step(work, sight)
        return (NewChild("market", to_step(amount, sight.grid.step)),)

    def _due(self, began: int, at: int, most: int) -> int:
        """Return how many slices are due at a time."""
        return min(elapsed(began, at, most) * self.slices // most + 1, self.slices)
