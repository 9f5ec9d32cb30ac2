"""Orders for a journal: placed once, looked up by the id they were given, fills counted once, exact numbers.

What an error of `place` says about the order:

    OrderUnknownError           it may exist: look it up by its client order id, never send it again
    any other ExchangeError     it was not accepted and never will be
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from core.account.messages import Balance, Execution, OrderNews, OrderReport, OrderRequest, Transfer
from core.account.orders import SIDES, Fill
from core.errors import ExchangeUnreachableError, UnsupportedError
from core.exchange.calls import Caller
from core.exchange.errors import Attempt, unusable_order_answer
from core.exchange.order_rules import check_cancelled_by_name, exact
from core.exchange.transfers import read_transfers

PROCESSING_MS = 10_000
"""Binance gives up on a request that it accepted so long ago."""
AHEAD_MS = 1000
"""A request's time stamp may lie so much before the venue's time."""
PAGE = 1000
_STANDINGS: Mapping[str, OrderNews] = MappingProxyType(
    {
        "open": OrderNews.OPEN,
        "closed": OrderNews.FILLED,
        "canceled": OrderNews.CANCELED,
        "expired": OrderNews.EXPIRED,
        "rejected": OrderNews.REJECTED,
    }
)


class Orders:
    """The account's orders at one venue, which must look orders up by client order id."""

    def __init__(
        self,
        exchange: Any,
        call: Caller,
        ready: Callable[[str, str | None], None],
        create: Callable[..., dict[str, Any]],
        *,
        supported: bool,
    ) -> None:
        """Take an exchange object whose `ready` raises what forbids an action on a symbol (or on none)."""
        self._exchange = exchange
        self._name: str = exchange.id
        self._call = call
        self._ready = ready
        self._create = create
        self._supported = supported

    def place(self, order: OrderRequest) -> OrderReport:
        """Place an order, sent exactly once; amount and prices are rounded as `create_order` says.

        Raises OrderUnknownError when nobody knows whether it exists: find it then. Any other ExchangeError
        means that it was not accepted and never will be.
        """
        action = "place an order"
        self._require(action, order.symbol)
        terms = order.terms
        kind = "market" if terms.kind == "market" else "limit"
        answer = self._create(order.symbol, order.side, kind, order.amount, terms.price, _params(order))
        # Confirmed by its id; which one it is is known from the request.
        told = {**answer, "symbol": order.symbol, "clientOrderId": order.client_order_id}
        return _answered(told, Attempt(self._name, action))

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the newest order of a client order id, None when the venue knows of none.

        None is proof only from `absence_is_final_at` on: until then the order may still arrive.
        """
        action = f"look up order {client_order_id} of {symbol}"
        self._require(action, symbol)
        return self._call.read(action, lambda: self._find(symbol, client_order_id))

    def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order, sent exactly once, and return it with what was executed before.

        Raises OrderRefusedError when it is not open (filled, cancelled or never there: find it),
        OrderUnknownError when no answer says whether it was cancelled.
        """
        action = f"cancel order {client_order_id} of {symbol}"
        self._require(action, symbol)
        given = {"clientOrderId": client_order_id}
        order = self._call.order(action, lambda: self._exchange.cancel_order(None, symbol, given))
        attempt = Attempt(self._name, action)
        check_cancelled_by_name(order, attempt, client_order_id)
        # Binance answers with the name of the request to cancel instead of the order's.
        return _answered({**order, **given}, attempt)

    def open(self, symbol: str | None = None) -> list[OrderReport]:
        """Return the open orders of one symbol, or of all."""
        action = "read the open orders"
        self._require(action, symbol)
        return self._call.read(
            action, lambda: [order_report(order) for order in self._exchange.fetch_open_orders(symbol)]
        )

    def fills(self, symbol: str, *, after_id: str | None = None, source: str = "") -> list[Execution]:
        """Return all executions after one of them, or ever, oldest first.

        `source` names where they were made, if that is not the exchange's own name.
        """
        self._require(f"read the fills of {symbol}", symbol)
        first = 0 if after_id is None else int(after_id) + 1
        found: list[Execution] = []
        while True:
            page = self._fills_page(symbol, first, source or self._name)
            found += page
            if len(page) < PAGE:
                return found
            first = int(page[-1].fill.id) + 1

    def balances(self) -> dict[str, Balance]:
        """Return the balances of all assets the account has any of."""
        self._require("read the balances")
        answer = self._call.read("read the balances", self._exchange.fetch_balance)
        kept = {
            asset: Balance(_number(entry, "free"), _number(entry, "used"))
            for asset, entry in answer.items()
            if isinstance(entry, Mapping) and {"free", "used"} <= entry.keys()
        }
        return {asset: balance for asset, balance in kept.items() if balance.total}

    def transfers(self) -> list[Transfer]:
        """Return deposits, withdrawals and conversions of about the last 90 days, oldest first."""
        action = "read deposits and withdrawals"
        self._require(action)
        return self._call.read(action, lambda: read_transfers(self._exchange))

    def absence_is_final_at(self, sent_at: int) -> int:
        """Return the exchange time, ms UTC, from which an order sent then and not found never comes."""
        window = int(self._exchange.options.get("recvWindow", 60_000))
        return sent_at + AHEAD_MS + window + PROCESSING_MS

    def _require(self, action: str, symbol: str | None = None) -> None:
        if not self._supported:
            raise UnsupportedError(
                f"{self._name} cannot keep an order journal: it does not look orders up by the id they were "
                "given; use binanceus"
            )
        self._ready(action, symbol)

    def _find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        try:
            order = self._exchange.fetch_order(None, symbol, {"clientOrderId": client_order_id})
        except Exception as error:
            # ccxt's own class, which only the client may import.
            if "OrderNotFound" not in {kind.__name__ for kind in type(error).__mro__}:
                raise
            return None
        found = order_report(order)
        if (found.client_order_id, found.symbol) != (client_order_id, symbol):
            raise ExchangeUnreachableError(f"{self._name}: asked for {client_order_id}, got another order")
        return found

    def _fills_page(self, symbol: str, first: int, source: str) -> list[Execution]:
        def ask() -> list[Execution]:
            rows = self._exchange.fetch_my_trades(symbol, None, PAGE, {"fromId": first})
            return sorted((execution(row, source) for row in rows), key=lambda one: int(one.fill.id))

        return self._call.read(f"read the fills of {symbol}", ask)


def _answered(order: Mapping[str, Any], attempt: Attempt) -> OrderReport:
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
    if status not in _STANDINGS:
        raise ExchangeUnreachableError(
            f"order {name}: cannot say what the status {status!r} means; look again"
        )
    return OrderReport(
        id=str(order["id"]),
        client_order_id=name,
        symbol=order["symbol"],
        side=str(order.get("side") or ""),
        standing=_STANDINGS[status],
        amount=_number(order, "amount"),
        filled=_number(order, "filled"),
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


def _params(order: OrderRequest) -> dict[str, Any]:
    named: dict[str, Any] = {"clientOrderId": order.client_order_id}
    kind, stop = order.terms.kind, order.terms.stop
    if kind == "maker":
        return named | {"postOnly": True}
    if kind != "market":
        named["timeInForce"] = "GTC"
    if kind == "stop_limit":
        named["stopLossPrice"] = stop
    if kind == "take_limit":
        named["takeProfitPrice"] = stop
    return named


def _raw(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the venue's own words: with decimals for numbers ccxt loses fees."""
    info = row.get("info")
    return info if isinstance(info, Mapping) else {}


def _fee(trade: Mapping[str, Any]) -> tuple[Decimal | None, object]:
    raw, told = _raw(trade), trade.get("fee") or {}
    if "commission" in raw:
        return exact(raw["commission"]), raw.get("commissionAsset")
    return exact(told.get("cost")), told.get("currency")


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    return exact(row.get(name)) or Decimal(0)
