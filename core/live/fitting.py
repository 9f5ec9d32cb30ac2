"""Orders that fit: exits cut to what nobody else's orders keep, entries after exits; how far each is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from core.account.money import NOTHING, minus, times, to_step
from core.account.orders import Approved, Intent, Purpose
from core.execution_algos.machines import MARKET_ALGO
from core.figures import exact
from core.live.status import WorkStatus
from core.order_path.ledger import assets_of
from core.order_path.path import OrderPath
from core.order_path.working import Working
from core.risk.limits import ANY_MARKET, MarketDemands


def fitted(due: Sequence[Approved], path: OrderPath, markets: Mapping[str, MarketDemands]) -> list[Approved]:
    """Return orders in their order, exits that sell more than others leave free cut to that.

    One that would be too little for an order stays as it is: the exchange refuses it, and knows best.
    """
    free: dict[str, Decimal] = {}
    found = []
    for one in due:
        intent, base = one.intent, assets_of(one.intent.symbol)[0]
        if intent.side == "sell" and intent.purpose is not Purpose.ENTRY:
            left = free.setdefault(base, path.free(base))
            kept, _ = path.kept_by_others(base)
            one = _cut(one, left, markets.get(intent.symbol, ANY_MARKET)) if kept else one
            free[base] = minus(left, one.intent.amount)
        found.append(one)
    return found


def still_held(entry: Intent, path: OrderPath) -> str:
    """Return what an entry's decision wanted closed first and is still held, blank for nothing."""
    for order in path.exits(entry.strategy, entry.symbol, entry.bar):
        held = path.position(entry.symbol, entry.strategy)
        left = minus(order.amount, order.filled)
        closable = held if order.side == "sell" else held.copy_negate()
        if 0 < left <= closable:
            part = f"{exact(left)} of {exact(order.amount)}"
            return f"{part} to be closed before it is still held: {order.state}"
    return ""


def works_of(working: Working) -> Iterator[WorkStatus]:
    """Yield how far each order is that an algorithm executes."""
    for intent, work in working.works():
        live = work.live
        at = "" if live is None or live.price is None else f" at {exact(live.price)}"
        resting = "" if live is None else f"{live.kind} {exact(minus(live.amount, live.filled))}{at}"
        name = working.names.get(intent.strategy, MARKET_ALGO)
        yield WorkStatus(intent.key, name, work.filled, work.amount, len(work.children), resting)


def _cut(approved: Approved, free: Decimal, market: MarketDemands) -> Approved:
    intent = approved.intent
    amount = to_step(min(intent.amount, max(free, NOTHING)), market.step)
    is_worth = amount >= (market.min_amount or NOTHING) and times(amount, intent.price) >= (
        market.min_notional or NOTHING
    )
    if NOTHING < amount < intent.amount and is_worth:
        return replace(approved, intent=replace(intent, amount=amount))
    return approved
