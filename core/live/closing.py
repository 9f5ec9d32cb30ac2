"""Positions that a person or a breaker wants closed: ordered so until they are, or a person takes it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from core.account.values import Held
from core.engine import FLATTEN, Session, Slot, closing_reason
from core.execution import Outcome
from core.figures import exact
from core.intents import Moment
from core.portfolio import DUST, Portfolio

PAUSE = 60_000
"""Milliseconds between two orders for the same position, at least; the desk may want more."""


class Patient(Protocol):
    """What knows which exits are not worth trying yet."""

    def backs_off(self, held: Held) -> bool:
        """Return whether exits of a position have to wait, for they were refused."""
        ...


def dust_words(portfolio: Portfolio) -> str:
    """Return what stays though everything is closed, blank for nothing."""
    left = sorted(
        {symbol for name, symbol in portfolio.held() if name == DUST and portfolio.lots(DUST, symbol)}
    )
    amounts = ", ".join(f"{exact(portfolio.amount(symbol, DUST).copy_abs())} {symbol}" for symbol in left)
    return f"; dust stays, too little for an order: {amounts}" if left else ""


class Closing:
    """Closes what is to be closed; the wish is the session's, and is kept with it."""

    def __init__(self, session: Session, desk: Patient) -> None:
        """Take whose positions they are, and where their orders go."""
        self._session, self._desk = session, desk
        self._ordered: dict[Held, int] = {}
        """When an order was last given, ms UTC."""

    def close(self, slots: Iterable[Slot], now: int) -> tuple[int, list[Outcome]]:
        """Order closed what these hold; return how many positions that is, and what became of the orders.

        An entry that may still fill is closed once it has.
        """
        every = [slot[:2] for slot in slots]
        held = [one for one in every if self._session.portfolio.lots(*one)]
        entering = self._session.entering().intersection(every)
        self._session.to_close.update(dict.fromkeys((*held, *sorted(entering)), FLATTEN))
        return len(held), [outcome for one in held for outcome in self._order(one, now)]

    def again(self, now: int) -> list[Outcome]:
        """Order again what was refused, expired or filled in part; return what became of the orders."""
        outcomes: list[Outcome] = []
        self._session.forget_closed()
        for held in sorted(self._session.to_close):
            if not self._session.portfolio.lots(*held):
                continue
            if now - self._ordered.get(held, now - PAUSE) >= PAUSE and not self._desk.backs_off(held):
                outcomes += self._order(held, now)
        return outcomes

    def _order(self, held: Held, now: int) -> list[Outcome]:
        # Of the moment and not of a bar, since an intent is sent once and a bar can see several tries.
        moment = Moment(now, self._session.portfolio.marks[held[1]], now)
        reason = closing_reason(self._session.to_close[held])
        outcomes = self._session.executor.flatten(*held, moment, reason)
        if outcomes:
            self._ordered[held] = now
        return outcomes
