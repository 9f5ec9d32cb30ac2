"""A market's filters: each holds at its bound and refuses just beyond it, by its name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.exchange_sim.filters import OrderInMarket, check_filters, published
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.orders import NewOrder, Seen
from core.exchange_sim.venue import RequestRefused
from tests.sim import NOON

D = Decimal
OLDER = SimMarket("BTC/USDT", 2, 3, min_notional=10.0, max_lot=2000.0)
NEWER = OLDER._replace(newer_filters=True)


def held(
    market: SimMarket, kind: str = "LIMIT", side: str = "BUY", orders: int = 1, algos: int = 1, **how: Any
) -> OrderInMarket:
    numbers: dict[str, Any] = {"quantity": D(1), "price": D(100)} | {
        name: None if value is None else D(value) for name, value in how.items()
    }
    return OrderInMarket(
        NewOrder(market, side, kind, "mine", **numbers), Seen(NOON, D(90), D(100)), orders, algos
    )


def refused_by(one: OrderInMarket) -> str:
    """Return the filter's name, or nothing."""
    try:
        check_filters(one)
    except RequestRefused as refusal:
        return f"{refusal.code} {refusal.message}".removeprefix("-1013 Filter failure: ")
    return ""


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"price": "100.01"}, ""),
        ({"price": "100.001"}, "PRICE_FILTER"),
        ({"price": "1000000.01"}, "PRICE_FILTER"),
        ({"stop": "100.001", "kind": "STOP_LOSS_LIMIT"}, "PRICE_FILTER"),
        ({"quantity": "2000"}, ""),
        ({"quantity": "2000.001"}, "LOT_SIZE"),
        ({"quantity": "1.0001"}, "LOT_SIZE"),
        ({"quantity": "10", "kind": "MARKET", "price": None}, ""),
        ({"quantity": "10.001", "kind": "MARKET", "price": None}, "MARKET_LOT_SIZE"),
        ({"quantity": "10.001", "kind": "STOP_LOSS", "price": None, "stop": "80"}, "MARKET_LOT_SIZE"),
        ({"quantity": None, "value": "5000", "kind": "MARKET", "price": None}, ""),
        ({"orders": 200}, ""),
        ({"orders": 201}, "MAX_NUM_ORDERS"),
        ({"algos": 6}, ""),
        ({"algos": 5, "kind": "STOP_LOSS_LIMIT", "stop": "80"}, ""),
        ({"algos": 6, "kind": "TAKE_PROFIT_LIMIT", "stop": "80"}, "MAX_NUM_ALGO_ORDERS"),
    ],
)
@pytest.mark.parametrize("market", [OLDER, NEWER])
def test_bounds_are_inside_and_what_is_beyond_them_is_refused(
    market: SimMarket, how: dict[str, Any], name: str
) -> None:
    assert refused_by(held(market, **how)) == name


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(("market", "name"), [(OLDER, "PERCENT_PRICE"), (NEWER, "PERCENT_PRICE_BY_SIDE")])
def test_a_price_far_from_the_mean_is_refused(market: SimMarket, name: str, side: str) -> None:
    for price, wanted in (("500", ""), ("500.01", name), ("20", ""), ("19.99", name)):
        assert refused_by(held(market, side=side, price=price)) == wanted


@pytest.mark.parametrize(("market", "name"), [(OLDER, "MIN_NOTIONAL"), (NEWER, "NOTIONAL")])
def test_a_small_order_is_refused_at_its_limit_at_the_mean_or_by_its_value(
    market: SimMarket, name: str
) -> None:
    for quantity, wanted in (("0.1", ""), ("0.099", name)):
        assert refused_by(held(market, quantity=quantity)) == wanted
        assert refused_by(held(market, kind="MARKET", quantity=quantity, price=None)) == wanted
    by_value: dict[str, Any] = {"kind": "MARKET", "quantity": None, "price": None}
    assert refused_by(held(market, value="10", **by_value)) == ""
    assert refused_by(held(market, value="9.99", **by_value)) == name


def test_only_newer_markets_bound_the_value_above() -> None:
    for market, name in ((OLDER, ""), (NEWER, "NOTIONAL")):
        large: dict[str, Any] = {"quantity": "90000.001", "price": "100"}
        assert refused_by(held(market._replace(max_lot=1e8), **large)) == name
    by_value: dict[str, Any] = {"kind": "MARKET", "quantity": None, "price": None}
    assert refused_by(held(NEWER, value="9000001", **by_value)) == ""


def test_every_published_filter_has_a_name_of_its_own() -> None:
    for market in (OLDER, NEWER):
        names = [one["filterType"] for one in published(market)]
        assert len(names) == len(set(names)) == 8
