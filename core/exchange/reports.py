"""What ccxt tells of orders and fills, in exact numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from core.account.messages import Balance, Execution, OrderNews, OrderReport
from core.account.orders import SIDES, Fill
from core.errors import ExchangeUnreachableError
from core.exchange.errors import Attempt, unusable_order_answer
from core.exchange.order_rules import exact

STANDINGS: Mapping[str, OrderNews] = MappingProxyType(
    {
        "open": OrderNews.OPEN,
        "closed": OrderNews.FILLED,
        "canceled": OrderNews.CANCELED,
        "expired": OrderNews.EXPIRED,
        "rejected": OrderNews.REJECTED,
    }
)


def answered(order: Mapping[str, Any], attempt: Attempt) -> OrderReport:
    """Return what was sent. Raises OrderUnknownError for an answer that does not say what became of it."""
    try:
        return order_report(order)
    except ExchangeUnreachableError as error:
        raise unusable_order_answer(attempt, str(error)) from None


def order_report(order: Mapping[str, Any]) -> OrderReport:
    """Return a ccxt order in exact numbers.

    Raises ExchangeUnreachableError for one without an id, a symbol, an amount that is a number, or a word of
    how it stands.
    """
    if not order.get("id") or not order.get("symbol"):
        raise ExchangeUnreachableError("the answer is no order: it has no id or no symbol")
    name, status = str(order.get("clientOrderId") or ""), str(order.get("status") or "")
    if status not in STANDINGS:
        raise ExchangeUnreachableError(
            f"order {name}: cannot say what the status {status!r} means; look again"
        )
    return OrderReport(
        id=str(order["id"]),
        client_order_id=name,
        symbol=order["symbol"],
        side=str(order.get("side") or ""),
        standing=STANDINGS[status],
        amount=number_of(order, "amount"),
        filled=number_of(order, "filled"),
    )


def execution(trade: Mapping[str, Any], source: str) -> Execution:
    """Return one of ccxt's trades of the account in exact numbers; whose it is follows from the order's id.

    Raises ExchangeUnreachableError when it lacks what a ledger needs.
    """
    fee, fee_asset = _fee(trade)
    texts = [trade.get(name) for name in ("id", "order", "symbol", "side", "timestamp")]
    numbers = [exact(trade.get("price")), exact(trade.get("amount")), fee]
    if None in (*texts, *numbers, fee_asset) or not str(trade["id"]).isdecimal():
        raise ExchangeUnreachableError("the answer holds a trade without id, order, numbers, fee or time")
    if trade["side"] not in SIDES:
        raise ExchangeUnreachableError(
            f"trade {trade['id']}: it is neither bought nor sold but {trade['side']!r}"
        )
    price, amount, cost = (number or Decimal(0) for number in numbers)
    fill = Fill(
        exchange=source,
        symbol=trade["symbol"],
        id=str(trade["id"]),
        client_order_id="",
        side=SIDES[trade["side"]],
        amount=amount,
        price=price,
        fee=cost,
        fee_asset=str(fee_asset),
        time=trade["timestamp"],
    )
    return Execution(str(trade["order"]), fill)


def balance_of(entry: Mapping[str, Any]) -> Balance:
    """Return what the account has of an asset."""
    return Balance(number_of(entry, "free"), number_of(entry, "used"))


def raw_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the venue's own words: with decimals for numbers ccxt loses fees."""
    info = row.get("info")
    return info if isinstance(info, Mapping) else {}


def _fee(trade: Mapping[str, Any]) -> tuple[Decimal | None, object]:
    raw, told = raw_of(trade), trade.get("fee") or {}
    if "commission" in raw:
        return exact(raw["commission"]), raw.get("commissionAsset")
    return exact(told.get("cost")), told.get("currency")


def number_of(row: Mapping[str, Any], name: str) -> Decimal:
    """Return one of a row's numbers, 0 when it has none."""
    return exact(row.get(name)) or Decimal(0)
