"""What an account ordered for its rules, and what was executed of it."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import Engine, and_, select

from db.order_models import OrderFill, OrderIntent, StoredOrder

FINAL = ("denied", "rejected", "not_placed", "canceled", "expired", "filled")
"""States of an order of which nothing more comes."""
PART = "~"
"""Behind it in a leg stands the number of an order that is a part of another (core.account.orders)."""
_PURPOSES = ("entry", "exit", "stop", "take", "flatten")
_RESTING = ("stop", "stop_limit")
"""Kinds that wait at the exchange for a price, and are cancelled when the position is closed otherwise."""


class DriftFill(NamedTuple):
    """One execution; amounts as text."""

    price: str
    amount: str
    fee: str
    fee_asset: str
    time: int


class IntentRows(NamedTuple):
    """One thing that was wanted at the open of a bar, and its executions."""

    key: str
    strategy: str
    symbol: str
    timeframe: str
    bar: int
    purpose: str
    side: str
    amount: str
    price: str
    """What was known when it was ordered; of what protects, the price that reached it."""
    fills: tuple[DriftFill, ...]
    rested: bool = False
    """Whether it waited at the exchange for a price: what was cancelled of it, another order sold."""


def ordered(engine: Engine, account: str) -> list[IntentRows]:
    """Return an account's orders that are over, oldest first, with their fills.

    What an algorithm executed part by part is one order, with the fills of all parts.
    Entries that wait for a price of their own have no open to be compared with, and are left out, and so is
    a stop that rested and executed nothing.
    """
    names = ("key", "strategy", "symbol", "timeframe", "bar", "purpose", "side", "amount", "price")
    wanted = (
        select(*(getattr(OrderIntent, name) for name in names))
        .where(OrderIntent.account == account, OrderIntent.purpose.in_(_PURPOSES))
        .where(OrderIntent.entry_limit.is_(None), OrderIntent.entry_trigger.is_(None))
        .where(OrderIntent.leg.not_like(f"%{PART}%"))
        .order_by(OrderIntent.bar, OrderIntent.key)
    )
    same = and_(
        OrderFill.account == StoredOrder.account, OrderFill.client_order_id == StoredOrder.client_order_id
    )
    columns = [getattr(OrderFill, name) for name in DriftFill._fields]
    filled = (
        select(StoredOrder.intent_key, *columns)
        .join(OrderFill, same)
        .where(StoredOrder.account == account)
        .order_by(OrderFill.seq)
    )
    open_now = select(StoredOrder.intent_key).where(
        StoredOrder.account == account, StoredOrder.state.not_in(FINAL)
    )
    rested = select(StoredOrder.intent_key).where(
        StoredOrder.account == account, StoredOrder.kind.in_(_RESTING)
    )
    with engine.connect() as connection:
        fills: defaultdict[str, list[DriftFill]] = defaultdict(list)
        for key, *fill in connection.execute(filled):
            fills[_whole(key)].append(DriftFill(*fill))
        waiting = set(map(_whole, connection.execute(open_now).scalars()))
        resting = set(connection.execute(rested).scalars())
        rows = connection.execute(wanted).all()
    over = (
        IntentRows._make((*row, tuple(fills[row.key]), row.key in resting))
        for row in rows
        if row.key not in waiting
    )
    return [one for one in over if one.fills or not one.rested]


def _whole(key: str) -> str:
    """Return the key of what an order with this key was a part of; its own where it was none."""
    decision, leg, purpose = key.rsplit("|", 2)
    return f"{decision}|{leg.partition(PART)[0]}|{purpose}"
