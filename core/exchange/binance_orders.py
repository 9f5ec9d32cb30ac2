"""Orders at Binance and Binance.US: looked up by their name, fills numbered for each symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.account.messages import Balance, Execution, OrderReport, OrderRequest, Transfer
from core.errors import ExchangeUnreachableError
from core.exchange.calls import Caller
from core.exchange.errors import Attempt
from core.exchange.order_rules import check_cancelled_by_name
from core.exchange.reports import answered, balance_of, execution, order_report
from core.exchange.transfers import read_transfers

PROCESSING_MS = 10_000
"""Binance gives up on a request that it accepted so long ago."""
AHEAD_MS = 1000
"""A request's time stamp may lie so much before the venue's time."""
PAGE = 1000


class BinanceOrders:
    """Both venues through one ccxt exchange."""

    def __init__(self, exchange: Any, call: Caller) -> None:
        self._exchange = exchange
        self._name: str = exchange.id
        self._call = call

    @property
    def fence_ms(self) -> int:
        """An order that was stamped so long ago and is not there never comes."""
        return AHEAD_MS + int(self._exchange.options.get("recvWindow", 60_000)) + PROCESSING_MS

    def params(self, order: OrderRequest) -> dict[str, Any]:
        """Return what ccxt needs to know of an order beside symbol, side, amount and price."""
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

    def placed(self, order: OrderRequest, answer: Mapping[str, Any], attempt: Attempt) -> OrderReport:
        """Return what the answer to a new order says. Raises OrderUnknownError when it says nothing."""
        # Confirmed by its id; which one it is is known from the request.
        return answered({**answer, "symbol": order.symbol, "clientOrderId": order.client_order_id}, attempt)

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the newest order of a client order id, None when the venue knows of none."""
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

    def cancel(self, symbol: str, client_order_id: str) -> Any:
        """Send a cancel, once, and return ccxt's answer."""
        return self._exchange.cancel_order(None, symbol, {"clientOrderId": client_order_id})

    def cancelled(self, symbol: str, client_order_id: str, answer: Any, attempt: Attempt) -> OrderReport:
        """Return the order that was cancelled. Raises OrderUnknownError when that is not sure."""
        del symbol
        check_cancelled_by_name(answer, attempt, client_order_id)
        # Binance answers with the name of the request to cancel instead of the order's.
        return answered({**answer, "clientOrderId": client_order_id}, attempt)

    def open(self, symbol: str | None) -> list[OrderReport]:
        """Return the open orders of one symbol, or of all."""
        return [order_report(order) for order in self._exchange.fetch_open_orders(symbol)]

    def newest_fill(self, symbol: str) -> str:
        """Return an id after which all later executions of a symbol come, blank before the first."""

        def ask() -> str:
            rows = self._exchange.fetch_my_trades(symbol, None, 1)
            return max((execution(row, self._name).fill.id for row in rows), key=int, default="")

        return self._call.read(f"read the newest fill of {symbol}", ask)

    def fills(self, symbol: str, after: str | None, source: str) -> list[Execution]:
        """Return all executions after one of them, or ever, oldest first."""
        first = 0 if after is None else int(after) + 1
        found: list[Execution] = []
        while True:
            page = self._page(symbol, first, source)
            found += page
            if len(page) < PAGE:
                return found
            first = int(page[-1].fill.id) + 1

    def _page(self, symbol: str, first: int, source: str) -> list[Execution]:
        def ask() -> list[Execution]:
            rows = self._exchange.fetch_my_trades(symbol, None, PAGE, {"fromId": first})
            return sorted((execution(row, source) for row in rows), key=lambda one: int(one.fill.id))

        return self._call.read(f"read the fills of {symbol}", ask)

    def balances(self) -> dict[str, Balance]:
        """Return the balances of all assets, those the account has nothing of among them."""
        answer = self._exchange.fetch_balance()
        return {
            asset: balance_of(entry)
            for asset, entry in answer.items()
            if isinstance(entry, Mapping) and {"free", "used"} <= entry.keys()
        }

    def transfers(self) -> list[Transfer]:
        """Return deposits, withdrawals and conversions of about the last 90 days, oldest first."""
        return read_transfers(self._exchange)
