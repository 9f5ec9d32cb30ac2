"""Orders as a decision asks for them: each is an intent with a name made of what it is for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import isnan
from typing import NamedTuple

from core import fills
from core.account.lots import LOT_LEG, Lot
from core.account.money import NOTHING, decimal_of, price_of
from core.account.orders import Intent, Purpose, RefusalReason, Refused, Side
from core.domain import REASON_WORDS, Bound, Decision, FloatArray, Refusal
from core.risk.breakers import RECOVERY
from core.risk.present import AT_THE_CLOSE, Present
from core.utils import timeframe_ms

CORRELATION = "correlation"
"""What binds an entry that is smaller because of what is held and moves with it."""
_REFUSALS = {refusal: RefusalReason(refusal.name.lower()) for refusal in Refusal if refusal}
_WHY_NOT_SIZED = {
    Refusal.BRACKET: "stop and take must be positive and enclose the price",
    Refusal.LOT: "the size rounds down to nothing",
    Refusal.REGIME: "what this regime allows of the size rounds down to nothing",
    Refusal.LOTS: "as many lots as an account keeps are held or asked for",
}


class Moment(NamedTuple):
    """The close that a decision was made at."""

    bar: int
    """Open time of the bar, ms UTC."""
    close: float
    now: int
    """Time of the decision, ms UTC."""
    volatility: float = 1.0
    """Of the market then, annual, where sizing looks at it: core.regime.conditions."""
    fit: float = 1.0
    present: Present = AT_THE_CLOSE
    """What is known besides that close."""


class Demand(NamedTuple):
    """What a strategy wants: whose decision it is, of what and when."""

    strategy: str
    symbol: str
    timeframe: str
    want: Decision
    moment: Moment
    kept: float = 1.0
    """The part of its size that an entry keeps beside what moves with it …"""
    part: float = 1.0
    """… and after a loss."""

    def bound(self, member: Bound) -> str:
        """Return what an entry's size is bound by, once what moves with it and a loss are looked at."""
        if self.part < min(1.0, self.moment.fit, self.kept):
            return RECOVERY
        return CORRELATION if self.kept < min(1.0, self.moment.fit) else member.name.lower()

    def intent(
        self,
        purpose: Purpose,
        leg: str,
        side: Side,
        amount: Decimal,
        reason: str,
        bracket: tuple[Decimal | None, Decimal | None] = (None, None),
        share: float = 1.0,
        bound: str = "",
        note: float | None = None,
    ) -> Intent:
        """Return one order that it leads to; it is valid until the next bar closes."""
        price, now = decimal_of(self.moment.close), self.moment.now
        times = max(now, self.moment.present.ordered), now + timeframe_ms(self.timeframe)
        named = self.strategy, self.symbol, self.timeframe, self.moment.bar, purpose, leg
        return Intent(*named, side, amount, price, reason, *times, *bracket, share, bound, note)


def entry_of(demand: Demand, row: FloatArray, *, is_ladder: bool) -> Intent:
    """Return the entry that a row of core.fills asks for."""
    size, leg = float(row[fills.SIZE]), f"rung-{int(row[fills.RUNG])}" if is_ladder else "main"
    side: Side = "buy" if size > 0 else "sell"
    # A float's own value: what is left of a lot after a part of it is then the same in both.
    bracket = price_of(float(row[fills.STOP])), price_of(float(row[fills.TAKE]))
    reason, share = REASON_WORDS[int(demand.want.reason)], float(row[fills.SHARE])
    kept = demand.bound(Bound(int(row[fills.BY]))), note_of(row)
    intent = demand.intent(Purpose.ENTRY, leg, side, Decimal(abs(size)), reason, bracket, share, *kept)
    limit, trigger = price_of(float(row[fills.LIMIT])), price_of(float(row[fills.TRIGGER]))
    at = trigger if limit is None else limit
    if at is None:
        return intent
    # It waits for its price from the close on, whenever that was seen.
    now = demand.moment.now
    last = now + int(row[fills.BARS]) * timeframe_ms(intent.timeframe)
    return replace(intent, price=at, limit=limit, trigger=trigger, created_at=now, valid_until=last)


def note_of(row: FloatArray) -> float | None:
    """Return the note in a row of core.fills, None for none."""
    note = float(row[fills.NOTE])
    return None if isnan(note) else note


def closing_of(
    demand: Demand, lot: Lot, amount: Decimal, purpose: Purpose, reason: str, share: float = 1.0
) -> Intent:
    """Return an order that closes so much of a lot, base units."""
    side: Side = "sell" if lot.side > 0 else "buy"
    return demand.intent(purpose, LOT_LEG + lot.id, side, amount, reason, share=share)


def not_sized(demand: Demand, book: FloatArray) -> list[Refused]:
    """Return the entries that sizing refused, of no amount since they have none."""
    refused: list[Refused] = []
    side: Side = "buy" if demand.want.target > 0 else "sell"
    for refusal in _WHY_NOT_SIZED:
        # A cut for what moves alike or after a loss is no regime's.
        is_other = refusal is Refusal.REGIME and demand.bound(Bound.REGIME) != Bound.REGIME.name.lower()
        told = Refusal.LOT if is_other else refusal
        for n in range(int(book[0, fills.REFUSED + int(refusal)])):
            intent = demand.intent(Purpose.ENTRY, f"unsized-{n}", side, NOTHING, "entry")
            refused.append(Refused(intent, _REFUSALS[told], _WHY_NOT_SIZED[told]))
    return refused
