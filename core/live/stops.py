"""Stops and takes where the exchange does not hold them: which lots a price closes, and by which order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from core.account.lots import LOT_LEG, Lot
from core.account.money import NOTHING, decimal_of, minus
from core.account.orders import Intent, News, Purpose, Side
from core.account.values import Held
from core.domain import Bar, Reason
from core.engine import Slot
from core.portfolio import Portfolio

MINUTE = 60_000
"""An order that came to nothing is tried again in the next minute."""
LotName = tuple[str, str, str]
"""Strategy, symbol and the lot's id."""


class Reached(NamedTuple):
    """The prices that a symbol had in a bar, or has now."""

    low: float
    high: float
    last: float
    since: float = math.inf
    """When the bar opened, ms UTC: it says nothing of what was entered later. Now, if it is no bar."""


class PriceRange:
    """The prices that each symbol's bars reached since they were last taken."""

    def __init__(self) -> None:
        self._reached: dict[str, list[Reached]] = {}

    def on_bars(self, bars: Iterable[Bar]) -> Sequence[News]:
        """Take bars that closed at one time; nothing is filled by them."""
        for bar in bars:
            reached = Reached(bar.low, bar.high, bar.close, bar.ts)
            self._reached.setdefault(bar.symbol, []).append(reached)
        return ()

    def taken(self) -> dict[str, list[Reached]]:
        """Return what was reached, by symbol, once."""
        reached, self._reached = self._reached, {}
        return reached


def at(price: float) -> list[Reached]:
    """Return the price of now as all that was reached."""
    return [Reached(price, price, price)]


def reason_to_close(lot: Lot, prices: Iterable[Reached]) -> Reason | None:
    """Return why these prices close a lot, its stop before its take; None when they do not.

    A bar that opened before the lot was entered says nothing of it.
    """
    concerning = [one for one in prices if one.since >= lot.entry_time]
    low = min((one.low for one in concerning), default=math.nan)
    high = max((one.high for one in concerning), default=math.nan)
    if (low <= lot.stop) if lot.side > 0 else (high >= lot.stop):
        return Reason.STOP if lot.stop == lot.first_stop else Reason.TRAIL
    if (high >= lot.take) if lot.side > 0 else (low <= lot.take):
        return Reason.TAKE
    return None


def lots_of(portfolio: Portfolio, slots: Iterable[Slot]) -> dict[LotName, Lot]:
    """Return the lots that these hold as they are now: a bar reaches the stops of before its decision."""
    return {
        (slot.strategy, slot.symbol, lot.id): lot
        for slot in slots
        for lot in portfolio.lots(slot.strategy, slot.symbol)
    }


def protective(
    portfolio: Portfolio,
    slots: Iterable[Slot],
    symbol: str,
    prices: Sequence[Reached],
    now: int,
    before: Mapping[LotName, Lot] = MappingProxyType({}),
) -> Iterator[Intent]:
    """Yield the orders that close what these prices close; what is for sale already is left alone.

    `before`: lots with the stops and takes that held while these prices were reached.
    """
    for slot in slots:
        if slot.symbol != symbol:
            continue
        for lot in portfolio.lots(slot.strategy, symbol):
            reason = reason_to_close(before.get((slot.strategy, symbol, lot.id), lot), prices)
            amount = minus(lot.amount, portfolio.closing(slot.strategy, symbol, lot))
            if reason is not None and amount > NOTHING:
                yield _closing(slot, lot, amount, reason, prices[-1].last, now)


def reached(
    portfolio: Portfolio,
    slots: Iterable[Slot],
    symbol: str,
    prices: Sequence[Reached],
    before: Mapping[LotName, Lot] = MappingProxyType({}),
) -> set[Held]:
    """Return the positions of which these prices close a lot, for sale already or not."""
    return {
        slot[:2]
        for slot in slots
        if slot.symbol == symbol
        for lot in portfolio.lots(slot.strategy, symbol)
        if reason_to_close(before.get((slot.strategy, symbol, lot.id), lot), prices) is not None
    }


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
