"""A market's filters: what exchangeInfo publishes is what orders are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from core.account.money import is_on_step, minus, times
from core.exchange_sim.markets import SimMarket, quoted
from core.exchange_sim.orders import ALGOS, MARKET, MARKET_STOPS, ZERO, NewOrder, Seen
from core.exchange_sim.venue import RequestRefused

Filter = Mapping[str, Any]
MOST_ORDERS = 200
MOST_ALGOS = 5


class OrderInMarket(NamedTuple):
    """An order beside the market and what is open in it already."""

    new: NewOrder
    seen: Seen
    orders: int
    """Open ones, this one included."""
    algos: int
    """Open ones that wait for a price, this one included if it does."""

    @property
    def at_market(self) -> bool:
        """Say whether it is executed at any price."""
        return self.new.price is None

    @property
    def value(self) -> Decimal:
        """Return what the order is worth, quote units."""
        if self.new.quantity is None:
            return self.new.value or ZERO
        return times(self.new.quantity, self.new.price or self.seen.mean)


def published(market: SimMarket) -> list[Filter]:
    """Return the filters of a market as exchangeInfo lists them."""
    tick, lot = quoted(market.tick), quoted(market.lot)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
        _percent_by_side() if market.newer_filters else _percent(),
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": quoted(market.max_lot), "stepSize": lot},
        (_notional if market.newer_filters else _least_notional)(quoted(market.min_notional)),
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": quoted(0),
            "maxQty": quoted(market.max_lot / 200),
            "stepSize": quoted(0),
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MOST_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MOST_ALGOS},
    ]


def check_filters(held: OrderInMarket) -> None:
    """Refuse an order that a filter of its market refuses, by the filter's name."""
    for one in published(held.new.market):
        holds = _CHECKS.get(one["filterType"])
        if holds is not None and not holds(one, held):
            raise RequestRefused(-1013, f"Filter failure: {one['filterType']}")


def _percent() -> Filter:
    return {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "multiplierDown": "0.2", "avgPriceMins": 5}


def _percent_by_side() -> Filter:
    return {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": "5",
        "bidMultiplierDown": "0.2",
        "askMultiplierUp": "5",
        "askMultiplierDown": "0.2",
        "avgPriceMins": 5,
    }


def _least_notional(least: str) -> Filter:
    return {"filterType": "MIN_NOTIONAL", "minNotional": least, "applyToMarket": True, "avgPriceMins": 5}


def _notional(least: str) -> Filter:
    return {
        "filterType": "NOTIONAL",
        "minNotional": least,
        "applyMinToMarket": True,
        "maxNotional": "9000000.00000000",
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    }


def _price(rule: Filter, held: OrderInMarket) -> bool:
    prices = (price for price in (held.new.price, held.new.stop) if price is not None)
    return all(_on_grid(price, rule["minPrice"], rule["maxPrice"], rule["tickSize"]) for price in prices)


def _percent_price(rule: Filter, held: OrderInMarket) -> bool:
    return _near(held, rule["multiplierDown"], rule["multiplierUp"])


def _percent_price_by_side(rule: Filter, held: OrderInMarket) -> bool:
    side = "bid" if held.new.side == "BUY" else "ask"
    return _near(held, rule[f"{side}MultiplierDown"], rule[f"{side}MultiplierUp"])


def _near(held: OrderInMarket, down: str, up: str) -> bool:
    mean, price = held.seen.mean, held.new.price
    return price is None or times(mean, Decimal(down)) <= price <= times(mean, Decimal(up))


def _lot(rule: Filter, held: OrderInMarket) -> bool:
    wanted = held.new.quantity
    return wanted is None or _on_grid(wanted, rule["minQty"], rule["maxQty"], rule["stepSize"])


def _market_lot(rule: Filter, held: OrderInMarket) -> bool:
    return held.new.kind not in (MARKET, *MARKET_STOPS) or _lot(rule, held)


def _enough(rule: Filter, held: OrderInMarket) -> bool:
    applies = not held.at_market or rule["applyToMarket"]
    return not applies or held.value >= Decimal(rule["minNotional"])


def _between(rule: Filter, held: OrderInMarket) -> bool:
    low = held.at_market and not rule["applyMinToMarket"]
    high = held.at_market and not rule["applyMaxToMarket"]
    enough = low or held.value >= Decimal(rule["minNotional"])
    return bool(enough and (high or held.value <= Decimal(rule["maxNotional"])))


def _few(rule: Filter, held: OrderInMarket) -> bool:
    return bool(held.orders <= rule["maxNumOrders"])


def _few_algos(rule: Filter, held: OrderInMarket) -> bool:
    return held.new.kind not in ALGOS or bool(held.algos <= rule["maxNumAlgoOrders"])


def _on_grid(value: Decimal, least: str, most: str, step: str) -> bool:
    low, grid = Decimal(least), Decimal(step)
    return low <= value <= Decimal(most) and is_on_step(minus(value, low), grid)


_CHECKS: Mapping[str, Callable[[Filter, OrderInMarket], bool]] = MappingProxyType(
    {
        "PRICE_FILTER": _price,
        "PERCENT_PRICE": _percent_price,
        "PERCENT_PRICE_BY_SIDE": _percent_price_by_side,
        "LOT_SIZE": _lot,
        "MIN_NOTIONAL": _enough,
        "NOTIONAL": _between,
        "MARKET_LOT_SIZE": _market_lot,
        "MAX_NUM_ORDERS": _few,
        "MAX_NUM_ALGO_ORDERS": _few_algos,
    }
)
