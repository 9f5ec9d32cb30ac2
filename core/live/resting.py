"""The stops of a session's positions that rest at the exchange, and what only the program watches."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from core.account.lots import Lot
from core.account.money import decimal_of, minus, total
from core.account.orders import Intent, Purpose
from core.account.values import Held
from core.domain import Reason
from core.engine import Session
from core.live.status import StopStatus
from core.order_path.path import OrderPath
from core.order_path.protecting import Protecting, StopTerms
from core.order_path.protection import Cover

SWITCHED_OFF = "live.resting_stops is false"
SHORT = "a short position: stops that rest sell"
UNEVEN = "the lowest of its stops; the higher ones are watched by the program"


class Stopped(NamedTuple):
    """A position with a stop."""

    held: Held
    timeframe: str
    lots: tuple[Lot, ...]
    """Those that have one."""

    def guard(self) -> Cover:
        """Return what should rest: all of it, at the lowest stop."""
        lowest = min(self.lots, key=lambda lot: lot.stop)
        reason = Reason.STOP if lowest.stop == lowest.first_stop else Reason.TRAIL
        amount = total(lot.amount for lot in self.lots)
        return Cover(*self.held, self.timeframe, amount, decimal_of(lowest.stop), reason.name.lower())


def stopped(session: Session) -> list[Stopped]:
    """Return the positions that have a stop."""
    found = []
    for slot in session.slots:
        lots = session.portfolio.lots(slot.strategy, slot.symbol)
        with_stop = tuple(lot for lot in lots if math.isfinite(lot.stop))
        if with_stop:
            found.append(Stopped(slot[:2], slot.timeframe, with_stop))
    return found


class RestingStops:
    """Keeps stops at the exchange for the positions of one session, where that is wanted."""

    def __init__(self, path: OrderPath, terms: StopTerms | None) -> None:
        """Take the path that the orders go through; without terms no new stop rests."""
        self._terms = terms
        self._protecting = Protecting(path, terms or StopTerms(lambda _: None))

    def of(self, held: Held) -> bool:
        """Return whether a stop of a position may still be executed: until then nothing else sells it."""
        return self._protecting.of(held) is not None

    def waits(self, intent: Intent, low: float, now: int) -> bool:
        """Return whether what a price closes is left to the stop that rests, for a while."""
        held = intent.strategy, intent.symbol
        return intent.purpose is Purpose.STOP and self._protecting.waits(held, low, now)

    def protect(self, session: Session, leaving: Collection[Held], now: int) -> list[Cover]:
        """Let stops rest as positions and stops are now; return what is to be sold at the market.

        That is what no venue lets rest, for its price is reached, and what a stop did not sell in time.
        """
        guards = {one.held: one.guard() for one in self._long(session)}
        late = [held for held in map(self._protecting.held, self._protecting.overdue(now)) if held in guards]
        at_once = self._protecting.step(lambda: list(guards.values()), {*leaving, *late}, now)
        return [*at_once, *(guards[held] for held in late if held not in leaving)]

    def _long(self, session: Session) -> list[Stopped]:
        return [one for one in stopped(session) if one.lots[0].side > 0]

    def status(self, session: Session) -> tuple[StopStatus, ...]:
        """Return where the stop of each position is: at the exchange, or watched by the program and why."""
        return tuple(self._status(one) for one in stopped(session))

    def _status(self, one: Stopped) -> StopStatus:
        guard, order = one.guard(), self._protecting.known(one.held)
        if order is not None:
            left = minus(order.amount, order.filled)
            why = UNEVEN if len({lot.stop for lot in one.lots}) > 1 else ""
            return StopStatus(
                *one.held, "exchange", why, order.exchange_id or "", order.stop, order.price, left
            )
        if self._terms is None:
            why = SWITCHED_OFF
        elif one.lots[0].side < 0:
            why = SHORT
        else:
            why = self._protecting.watched.get(one.held, "it is placed in the next step")
        return StopStatus(*one.held, "program", why, "", guard.trigger, None, guard.amount)
