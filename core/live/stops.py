"""Stops and takes where the exchange does not hold them: which lots a price closes, and by which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.lots import LOT_LEG, Lot
from core.account.money import NOTHING, decimal_of, minus
from core.account.orders import Intent, News, Purpose, Side
from core.domain import Bar, Reason
from core.engine import Slot
from core.portfolio import Portfolio

MINUTE = 60_000
"""An order that came to nothing is tried again in the next minute."""
MOST_AWAY = 0.3
"""A price further from the last one is not believed before a bar says so."""


class Reached(NamedTuple):
    """The prices that a symbol had since the last look."""

    low: float
    high: float
    last: float


class PriceRange:
    """The prices that each symbol's bars reached since they were last taken."""

    def __init__(self) -> None:
        self._reached: dict[str, Reached] = {}

    def on_bars(self, bars: Iterable[Bar]) -> Sequence[News]:
        """Take bars that closed at one time; nothing is filled by them."""
        for bar in bars:
            before = self._reached.get(bar.symbol, Reached(bar.low, bar.high, bar.close))
            reached = Reached(min(bar.low, before.low), max(bar.high, before.high), bar.close)
            self._reached[bar.symbol] = reached
        return ()

    def taken(self) -> dict[str, Reached]:
        """Return what was reached, by symbol, once."""
        reached, self._reached = self._reached, {}
        return reached


def at(price: float) -> Reached:
    """Return one price as all that was reached."""
    return Reached(price, price, price)


def believable(price: float, before: float | None) -> bool:
    """Tell whether a price between two bars may close something: positive, near the one before."""
    return price > 0 and (before is None or abs(price / before - 1) <= MOST_AWAY)


def reason_to_close(lot: Lot, prices: Reached) -> Reason | None:
    """Return why these prices close a lot, its stop before its take; None when they do not."""
    low, high, _ = prices
    if (low <= lot.stop) if lot.side > 0 else (high >= lot.stop):
        return Reason.STOP if lot.stop == lot.first_stop else Reason.TRAIL
    if (high >= lot.take) if lot.side > 0 else (low <= lot.take):
        return Reason.TAKE
    return None


def protective(
    portfolio: Portfolio, slots: Iterable[Slot], symbol: str, prices: Reached, now: int
) -> Iterator[Intent]:
    """Yield the orders that close what these prices close; what is for sale already is left alone."""
    for slot in slots:
        if slot.symbol != symbol:
            continue
        for lot in portfolio.lots(slot.strategy, symbol):
            reason = reason_to_close(lot, prices)
            amount = minus(lot.amount, portfolio.closing(slot.strategy, symbol, lot))
            if reason is not None and amount > NOTHING:
                yield _closing(slot, lot, amount, reason, prices.last, now)


def _closing(slot: Slot, lot: Lot, amount: Decimal, reason: Reason, price: float, now: int) -> Intent:
    side: Side = "sell" if lot.side > 0 else "buy"
    return Intent(
        strategy=slot.strategy,
        symbol=slot.symbol,
        timeframe=slot.timeframe,
        bar=now // MINUTE * MINUTE,
        purpose=Purpose.TAKE if reason is Reason.TAKE else Purpose.STOP,
        leg=LOT_LEG + lot.id,
        side=side,
        amount=amount,
        price=decimal_of(price),
        reason=reason.name.lower(),
        created_at=now,
        valid_until=now + MINUTE,
    )
