"""At the market: one order for all that is left, as backtests count it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.execution_algos.values import AlgoAction, Sight, Work, at_market, first_moves, leave


@dataclass(frozen=True, slots=True)
class AtMarket:
    """All at once; of a work that another algorithm began what is left of it."""

    reads_book: ClassVar[bool] = False

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now."""
        moves, live = first_moves(work, sight), work.live
        if moves is not None:
            return moves
        return at_market(work, sight) if live is None else leave(live)
