"""What a venue demands of stops that rest in a market, from its own words where it says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.account.messages import StopRules
from core.account.orders import Kind
from core.exchange.order_rules import MarketRules, exact


class StopTraits(NamedTuple):
    """Which stops a venue has, beyond what its markets say."""

    kind: Kind
    name: str
    """What its markets call this kind, where they list their order types."""
    can_change: bool = False
    """Whether an order that rests can be changed in place."""
    look_ms: int = 3000
    """Milliseconds between two looks at one that rests."""
    list_from: int = 10
    """From so many on, a list of all open orders costs less than a look at each."""


def stop_rules(market: Mapping[str, Any], rules: MarketRules, traits: StopTraits) -> StopRules | None:
    """Return what a stop in a ccxt market must satisfy, None where the market takes none."""
    info = market.get("info") or {}
    if traits.name not in info.get("orderTypes", (traits.name,)):
        return None
    most = next((one.get("maxNumAlgoOrders") for one in info.get("filters", ()) if _is_algo(one)), None)
    count = exact(most)
    return StopRules(
        kind=traits.kind,
        tick=rules.tick,
        step=rules.lot,
        min_amount=rules.amount.least,
        min_notional=rules.cost.least,
        most=None if count is None else int(count),
        can_change=traits.can_change,
        look_ms=traits.look_ms,
        list_from=traits.list_from,
    )


def _is_algo(row: Mapping[str, Any]) -> bool:
    return bool(row.get("filterType") == "MAX_NUM_ALGO_ORDERS")
