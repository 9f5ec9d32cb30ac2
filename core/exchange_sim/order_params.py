"""Reading orders from parameters: the codes and sentences Binance.US refuses wrong ones with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from core.account.money import is_on_step
from core.exchange_sim import binanceus_params as given
from core.exchange_sim.binanceus_params import Params
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.orders import (
    BUY,
    GTC,
    KINDS,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    MARKET_STOPS,
    SELL,
    SMALLEST,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TIMES,
    NewOrder,
    NewPair,
)
from core.exchange_sim.venue import RequestRefused

AMOUNT_FORM = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_FORM = r"^[a-zA-Z0-9-_]{1,36}$"
RESPONSES = ("ACK", "RESULT", "FULL")
SIGNING = ("timestamp", "recvWindow", "signature")
ORDER = (
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "stopPrice",
    "newClientOrderId",
    "newOrderRespType",
    "selfTradePreventionMode",
)
PAIR = (
    "symbol",
    "side",
    "quantity",
    "price",
    "stopPrice",
    "stopLimitPrice",
    "stopLimitTimeInForce",
    "listClientOrderId",
    "limitClientOrderId",
    "stopClientOrderId",
    "newOrderRespType",
    "selfTradePreventionMode",
)
_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        MARKET: (),
        LIMIT: ("timeInForce", "quantity", "price"),
        LIMIT_MAKER: ("quantity", "price"),
        **dict.fromkeys(MARKET_STOPS, ("quantity", "stopPrice")),
    }
)
_NEEDED_BY_STOP_LIMITS = ("timeInForce", "quantity", "price", "stopPrice")
_NUMBERS = ("timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice")


def new_order(params: Params, markets: Mapping[str, SimMarket], made_up: str) -> NewOrder:
    """Return the order that parameters ask for; `made_up` is its client order id when they name none."""
    market = given.market(params, markets)
    side = _side(params)
    kind = given.required(params, "type")
    if kind not in KINDS:
        raise RequestRefused(-1116, "Invalid orderType.")
    needed = _NEEDED.get(kind, _NEEDED_BY_STOP_LIMITS)
    by_value = kind == MARKET and "quoteOrderQty" in params
    if kind == MARKET:
        needed = ("quoteOrderQty",) if by_value else ("quantity",)
    for name in needed:
        given.required(params, name)
    for name in _NUMBERS:
        if name in params and name not in needed:
            raise RequestRefused(-1106, f"Parameter '{name}' sent when not required.")
    return NewOrder(
        market,
        side,
        kind,
        client_id(params, "newClientOrderId") or made_up,
        _number(params, "quantity"),
        _number(params, "quoteOrderQty"),
        _number(params, "price"),
        _number(params, "stopPrice"),
        _lifetime(params, "timeInForce"),
    )


def new_pair(params: Params, markets: Mapping[str, SimMarket], made_up: str) -> NewPair:
    """Return the pair that parameters ask for; client order ids they lack begin with `made_up`."""
    market, side = given.market(params, markets), _side(params)
    for name in ("quantity", "price", "stopPrice"):
        given.required(params, name)
    if "stopLimitPrice" in params:
        given.required(params, "stopLimitTimeInForce")
    stop_kind = STOP_LOSS_LIMIT if "stopLimitPrice" in params else STOP_LOSS
    quantity = _number(params, "quantity")
    limit = NewOrder(
        market,
        side,
        LIMIT_MAKER,
        client_id(params, "limitClientOrderId") or f"{made_up}-limit",
        quantity,
        price=_number(params, "price"),
    )
    stop = NewOrder(
        market,
        side,
        stop_kind,
        client_id(params, "stopClientOrderId") or f"{made_up}-stop",
        quantity,
        price=_number(params, "stopLimitPrice"),
        stop=_number(params, "stopPrice"),
        lifetime=_lifetime(params, "stopLimitTimeInForce"),
    )
    if limit.client_id == stop.client_id:
        raise RequestRefused(-2010, "Duplicate order sent.")
    return NewPair(limit, stop, client_id(params, "listClientOrderId") or made_up)


def response(params: Params, default: str) -> str:
    """Return how much an answer to a new order says."""
    wanted = params.get("newOrderRespType", default)
    if wanted not in RESPONSES:
        raise RequestRefused(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return wanted


def client_id(params: Params, name: str) -> str | None:
    """Return an optional client order id."""
    text = params.get(name)
    if text is not None and not re.fullmatch(CLIENT_FORM, text):
        raise RequestRefused(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{CLIENT_FORM}'."
        )
    return text


def _side(params: Params) -> str:
    side = given.required(params, "side")
    if side not in (BUY, SELL):
        raise RequestRefused(-1117, "Invalid side.")
    return side


def _lifetime(params: Params, name: str) -> str:
    lifetime = params.get(name, GTC)
    if lifetime not in TIMES:
        raise RequestRefused(-1115, "Invalid timeInForce.")
    return lifetime


def _number(params: Params, name: str) -> Decimal | None:
    text = params.get(name)
    if text is None:
        return None
    if not re.fullmatch(AMOUNT_FORM, text):
        raise RequestRefused(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{AMOUNT_FORM}'."
        )
    number = Decimal(text)
    if not is_on_step(number, SMALLEST):
        raise RequestRefused(-1111, "Precision is over the maximum defined for this asset.")
    if number == 0:
        raise RequestRefused(-1013, f"Invalid {_WORDS[name]}.")
    return number


_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "quantity": "quantity",
        "quoteOrderQty": "quote order quantity",
        "price": "price",
        "stopPrice": "stop price",
        "stopLimitPrice": "stop limit price",
    }
)
