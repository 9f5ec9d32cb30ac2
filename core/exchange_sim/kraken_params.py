"""Reading orders from Kraken's fields, and the words that wrong ones are refused with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from core.exchange_sim.kraken_names import KrakenPair
from core.exchange_sim.kraken_rules import refused
from core.exchange_sim.orders import (
    BUY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    SELL,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    NewOrder,
    SimOrder,
)
from core.exchange_sim.venue import RequestRefused

Params = Mapping[str, str]
SIGNING = ("nonce", "otp")
ADD = (
    *("pair", "type", "ordertype", "volume", "price", "price2", "trigger", "oflags", "timeinforce"),
    *("cl_ord_id", "userref", "validate", "deadline", "stptype", "starttm", "expiretm", "leverage"),
    *("reduce_only", "displayvol", "asset_class", "close[ordertype]", "close[price]", "close[price2]"),
)
"""What AddOrder knows."""
NOT_HERE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("stptype", "starttm", "expiretm", "displayvol", "close[ordertype]"), ""),
        "leverage": "none",
        "reduce_only": "false",
        "asset_class": "currency",
    }
)
"""Fields that Kraken knows and the local exchange offers nothing for but this value."""
AMEND = ("txid", "cl_ord_id", "order_qty", "limit_price", "trigger_price", "post_only", "deadline", "pair")
EDIT = ("txid", "pair", "userref", "volume", "price", "price2", "oflags", "deadline", "validate")
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "market": MARKET,
        "limit": LIMIT,
        "stop-loss": STOP_LOSS,
        "stop-loss-limit": STOP_LOSS_LIMIT,
        "take-profit": TAKE_PROFIT,
        "take-profit-limit": TAKE_PROFIT_LIMIT,
    }
)
WITH_LIMIT = ("stop-loss-limit", "take-profit-limit")
AMOUNT_FORM = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
NAME_FORM = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|[!-~]{1,18}")
"""A UUID with or without its dashes, or up to 18 characters."""
FLAGS = ("post", "fcib", "fciq", "nompp", "viqc")
LONGEST_DEADLINE = 60_000


def new_order(params: Params, pair: KrakenPair) -> NewOrder:
    """Return the order that parameters ask for."""
    kind, side = required(params, "ordertype"), required(params, "type")
    if kind not in KINDS:
        raise invalid("ordertype")
    for name, neutral in NOT_HERE.items():
        if params.get(name, neutral) != neutral:
            raise invalid(name)
    if params.get("trigger", "last") != "last":
        raise invalid("Index unavailable")
    if side not in ("buy", "sell"):
        raise invalid("type")
    if "cl_ord_id" in params and "userref" in params:
        raise invalid("cl_ord_id and userref are mutually exclusive")
    flags = read_flags(params)
    volume = number(params, "volume", needed=True)
    is_limit, is_stop = kind.endswith("limit"), kind not in ("market", "limit")
    first = number(params, "price", needed=is_limit or is_stop)
    second = number(params, "price2", needed=kind in WITH_LIMIT)
    by_value = "viqc" in flags
    if by_value and kind != "market":
        raise invalid("viqc")
    return NewOrder(
        market=pair.market,
        side=BUY if side == "buy" else SELL,
        kind=LIMIT_MAKER if "post" in flags else KINDS[kind],
        client_id=client_id(params),
        quantity=None if by_value else volume,
        value=volume if by_value else None,
        price=(second if is_stop else first) if is_limit else None,
        stop=first if is_stop else None,
        lifetime=lifetime(params),
        fee_asset=pair.market.base if "fcib" in flags else pair.market.quote,
        userref=params.get("userref", ""),
    )


def changed_order(
    order: SimOrder, quantity: Decimal, price: Decimal | None, stop: Decimal | None
) -> NewOrder:
    """Return what an order asks for after it was changed."""
    return NewOrder(
        market=order.market,
        side=order.side,
        kind=order.kind,
        client_id=order.client_id,
        quantity=quantity,
        price=price,
        stop=stop,
        lifetime=order.lifetime,
        fee_asset=order.fee_asset,
        userref=order.userref,
    )


def read_flags(params: Params) -> tuple[str, ...]:
    """Return the order flags."""
    text = params.get("oflags", "")
    flags = tuple(text.split(",")) if text else ()
    if any(flag not in FLAGS for flag in flags) or {"fcib", "fciq"} <= set(flags):
        raise invalid("oflags")
    if "post" in flags and params.get("ordertype") != "limit":
        raise invalid("oflags")
    return flags


def lifetime(params: Params) -> str:
    """Return how long an order lives."""
    text = params.get("timeinforce", GTC)
    if text not in (GTC, IOC, FOK):
        raise invalid("timeinforce")
    return text


def client_id(params: Params) -> str:
    """Return the name that an order is given, blank without one."""
    name = params.get("cl_ord_id", "")
    if name and not NAME_FORM.fullmatch(name):
        raise invalid("cl_ord_id")
    return name


def number(params: Params, name: str, *, needed: bool = False) -> Decimal | None:
    """Return a positive number; 0 and absence are none."""
    text = params.get(name, "")
    if text and not AMOUNT_FORM.fullmatch(text):
        raise invalid(name)
    value = Decimal(text or 0)
    if needed and not value:
        raise invalid(name)
    return value or None


def required(params: Params, name: str) -> str:
    """Return a field that has to be there."""
    if not params.get(name):
        raise invalid(name)
    return params[name]


def whole(params: Params, name: str, default: int = 0) -> int:
    """Return an optional whole number."""
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise invalid(name)
    return int(text)


def is_true(params: Params, name: str) -> bool:
    """Return a switch, as the many clients write it."""
    return params.get(name, "false").lower() in ("true", "1")


def check_deadline(params: Params, now: int) -> None:
    """Refuse what came too late, or may come for too long. `now` in ms UTC."""
    text = params.get("deadline", "")
    if not text:
        return
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid("deadline") from None
    ends = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000
    if ends - now > LONGEST_DEADLINE:
        raise invalid("deadline")
    if now > ends:
        raise refused("EService:Deadline elapsed")


def invalid(name: str) -> RequestRefused:
    """Return the refusal of a field."""
    return refused(f"EGeneral:Invalid arguments:{name}")
