"""Exits cut to the coins that nobody else's open orders keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from core.account.money import NOTHING, minus, times, to_step
from core.account.orders import Approved, Purpose
from core.order_path.ledger import assets_of
from core.order_path.path import OrderPath
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


def _cut(approved: Approved, free: Decimal, market: MarketDemands) -> Approved:
    intent = approved.intent
    amount = to_step(min(intent.amount, max(free, NOTHING)), market.step)
    is_worth = amount >= (market.min_amount or NOTHING) and times(amount, intent.price) >= (
        market.min_notional or NOTHING
    )
    if NOTHING < amount < intent.amount and is_worth:
        return replace(approved, intent=replace(intent, amount=amount))
    return approved
