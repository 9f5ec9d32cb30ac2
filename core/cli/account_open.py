"""What is open on an account beside its closed trades: since when, and what has been paid for it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Engine

from core.account.money import NOTHING, minus, plus, total
from core.account.values import Held
from core.live.day_book import past_of
from core.live.status import PositionStatus
from core.results.days import DayFill, fee_in
from core.symbols import pair_of
from db.live_history import ClosedTrade, OrderedFill, ordered_fills

ALWAYS = 2**62
"""After every fill."""


class OpenPosition(NamedTuple):
    """What a strategy holds of a symbol."""

    held: PositionStatus
    since: int | None
    """When it began to hold some without a pause, ms UTC; None where no fill tells."""
    fees: Decimal
    """Paid for it so far, quote units."""


def still_open(
    engine: Engine, account: str, positions: Iterable[PositionStatus], trades: Sequence[ClosedTrade]
) -> list[OpenPosition]:
    """Return positions with what the fills say of them; `trades` are all that were closed."""
    fills = ordered_fills(engine, account)
    unpaid = _fees(engine, account, trades)
    return [OpenPosition(one, since(one, fills), unpaid.get(_key(one), NOTHING)) for one in positions]


def since(held: PositionStatus, fills: Sequence[OrderedFill]) -> int | None:
    """Return the time of the fill before which a position was not there, counted back from its amount."""
    entry, left = "buy" if held.side == "long" else "sell", held.amount
    for fill in reversed([one for one in fills if _key(one) == _key(held)]):
        left = (minus if fill.side == entry else plus)(left, fill.amount)
        if left <= 0:
            return fill.ts
    return None


def _fees(engine: Engine, account: str, trades: Sequence[ClosedTrade]) -> Mapping[Held, Decimal]:
    """Return what was paid by strategy and symbol, without what closed trades count as theirs."""
    fills = past_of(engine, account, ALWAYS).fills
    return {
        key: minus(
            total(fee_in(one, pair_of(one.symbol).quote) for one in fills if _key(one) == key),
            total(one.fees for one in trades if _key(one) == key),
        )
        for key in {_key(one) for one in fills}
    }


def _key(one: PositionStatus | OrderedFill | ClosedTrade | DayFill) -> Held:
    return one.strategy, one.symbol
