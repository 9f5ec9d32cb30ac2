"""An account's closed trades as a person counts them: what one order closed of one entry is one trade."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlalchemy import Engine

from core.account.money import decimal_of, minus, quotient, times, total
from db.live_history import ClosedTrade, OrderedFill, closed_trades, ordered_fills


def round_trips(engine: Engine, account: str) -> list[ClosedTrade]:
    """Return an account's closed trades in the order in which they were closed."""
    return merged(closed_trades(engine, account), ordered_fills(engine, account))


def merged(parts: Iterable[ClosedTrade], fills: Iterable[OrderedFill]) -> list[ClosedTrade]:
    """Return trades in place of their parts, one for each fill; a part of an unknown order is a trade.

    Both are in the order in which they came, which pairs those of one moment and price.
    """
    orders = _Orders(fills)
    trips: defaultdict[tuple[object, ...], list[ClosedTrade]] = defaultdict(list)
    for number, part in enumerate(parts):
        # An entry's lot has one entry time, which all its parts keep.
        lot = part.strategy, part.symbol, part.side, part.entry_ts
        trips[*lot, orders.of(part) or number].append(part)
    return sorted(map(_as_one, trips.values()), key=lambda trade: trade.exit_ts)


class _Orders:
    """Says which order closed a part of a trade."""

    def __init__(self, fills: Iterable[OrderedFill]) -> None:
        self._fills: defaultdict[tuple[object, ...], deque[tuple[str, Decimal]]] = defaultdict(deque)
        for one in fills:
            self._fills[one.strategy, one.symbol, one.side, one.ts, one.price].append((one.order, one.amount))

    def of(self, part: ClosedTrade) -> str:
        """Return the order's name, blank when no fill says so; each fill is used up."""
        side = "sell" if part.side == "LONG" else "buy"
        fills = self._fills[part.strategy, part.symbol, side, part.exit_ts, part.exit_price]
        if not fills:
            return ""
        order, left = fills.popleft()
        if left > part.amount:
            # It closed more than one lot.
            fills.appendleft((order, minus(left, part.amount)))
        return order


def _as_one(parts: Sequence[ClosedTrade]) -> ClosedTrade:
    """Return parts as one trade, over when the last was: prices weighted by amount, the rest added up."""
    return parts[-1]._replace(
        amount=total(one.amount for one in parts),
        entry_price=_mean([one.entry_price for one in parts], parts),
        exit_price=_mean([one.exit_price for one in parts], parts),
        gross=total(one.gross for one in parts),
        fees=total(one.fees for one in parts),
    )


def _mean(prices: Sequence[float], parts: Sequence[ClosedTrade]) -> float:
    if len(set(prices)) == 1:
        return prices[0]
    cost = total(times(one.amount, decimal_of(price)) for one, price in zip(parts, prices, strict=True))
    return quotient(cost, total(one.amount for one in parts))
