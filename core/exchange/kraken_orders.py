"""Orders at Kraken: named by `cl_ord_id` alone, looked up among the open and then the closed ones.

Several of ccxt's calls do not do at Kraken what they say. Here an order goes out with its name, a deadline,
its fee in quote, and a stop price as `stopLossPrice` or `takeProfitPrice` and nothing else. Numbers are read
from Kraken's own text, since ccxt makes floats of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.account.messages import Balance, Execution, OrderNews, OrderReport, OrderRequest, Transfer
from core.account.money import minus
from core.account.orders import RESTING_STOPS
from core.errors import ExchangeError, ExchangeUnreachableError
from core.exchange.calls import Caller
from core.exchange.dialects import Changed
from core.exchange.errors import Attempt, unusable_order_answer
from core.exchange.kraken_fills import KrakenFills
from core.exchange.order_rules import exact
from core.exchange.reports import STANDINGS, number_of, raw_of
from core.exchange.transfers import transfer_of

DEADLINE_MS = 5000
"""Kraken takes no new order later than this."""
COARSE_MS = 1000
"""Kraken tells its time in whole seconds."""
PROCESSING_MS = 10_000
"""So long may an order that was taken in time need to be shown."""
BY_USER = "user"
"""What the reason of a cancel says that somebody wanted."""


class KrakenOrders:
    """Kraken through one ccxt exchange."""

    fence_ms = DEADLINE_MS + COARSE_MS + PROCESSING_MS

    def __init__(self, exchange: Any, call: Caller) -> None:
        self._exchange = exchange
        self._call = call
        self._fills = KrakenFills(exchange, call)

    def params(self, order: OrderRequest) -> dict[str, Any]:
        """Return what ccxt needs to know of an order beside symbol, side, amount and price."""
        kind, stop = order.terms.kind, order.terms.stop
        named: dict[str, Any] = {"clientOrderId": order.client_order_id}
        if kind == "maker":
            return named | {"postOnly": True}
        if kind in RESTING_STOPS:
            named["stopLossPrice"] = stop
        if kind == "take_limit":
            named["takeProfitPrice"] = stop
        return named

    def placed(self, order: OrderRequest, answer: Mapping[str, Any], attempt: Attempt) -> OrderReport:
        """Return what the answer to a new order says: its id, and no more. A look at it tells the rest."""
        del attempt
        return OrderReport(
            id=str(answer["id"]),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            standing=OrderNews.OPEN,
            amount=_told_amount(answer),
            filled=Decimal(0),
        )

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the newest order of a client order id, None when the venue knows of none.

        The open ones come first: one that ends between the two questions is found in the second.
        """
        named = {"clientOrderId": client_order_id}
        for ask in (self._exchange.fetch_open_orders, self._exchange.fetch_closed_orders):
            found = list(map(kraken_report, ask(None, None, None, named)))
            if any(one.client_order_id != client_order_id for one in found):
                raise ExchangeUnreachableError(f"kraken: asked for {client_order_id}, got another order")
            mine = [one for one in found if one.symbol == symbol]
            if mine:
                return mine[-1]
        return None

    def cancel(self, symbol: str, client_order_id: str) -> Any:
        """Send a cancel, once, and return ccxt's answer."""
        return self._exchange.cancel_order(None, symbol, {"clientOrderId": client_order_id})

    def cancelled(self, symbol: str, client_order_id: str, answer: Any, attempt: Attempt) -> OrderReport:
        """Return the order that was cancelled, which has to be looked up: the answer only counts."""
        result = raw_of(answer).get("result")
        if not isinstance(result, Mapping) or str(result.get("count")) != "1" or result.get("pending"):
            raise unusable_order_answer(attempt, f"the answer says {result!r}")
        try:
            report = self._call.read(attempt.action, lambda: self.find(symbol, client_order_id))
        except ExchangeError as error:
            raise unusable_order_answer(attempt, f"it cannot be looked up: {error}") from None
        if report is None or report.standing is OrderNews.OPEN:
            raise unusable_order_answer(attempt, "it is not shown as cancelled yet")
        return report

    def change(self, symbol: str, client_order_id: str, terms: Changed) -> Any:
        """Amend a stop that sells at the market, once, and return ccxt's answer."""
        named = {"clientOrderId": client_order_id, "stopLossPrice": terms.stop}
        named |= {name: terms.sent[name] for name in ("deadline",) if name in terms.sent}
        return self._exchange.edit_order("", symbol, "market", "sell", terms.amount, None, named)

    def changed(self, client_order_id: str, answer: Any, attempt: Attempt) -> None:
        """Raise OrderUnknownError unless an answer has the amendment's id, which is none of the order."""
        del client_order_id
        if not raw_of(answer).get("amend_id"):
            raise unusable_order_answer(attempt, "the answer names no amendment")

    def open(self, symbol: str | None) -> list[OrderReport]:
        """Return the open orders of one symbol, or of all."""
        return [kraken_report(order) for order in self._exchange.fetch_open_orders(symbol)]

    def newest_fill(self, symbol: str) -> str:
        """Return an id after which all later executions of a symbol come, blank before the first."""
        del symbol
        return self._fills.newest()

    def fills(self, symbol: str, after: str | None, source: str) -> list[Execution]:
        """Return all executions after one of them, or ever, oldest first."""
        return self._fills.after(symbol, after, source)

    def balances(self) -> dict[str, Balance]:
        """Return the balances of all assets, those the account has nothing of among them."""
        answer, found = self._exchange.fetch_balance(), {}
        for name, row in answer["info"]["result"].items():
            whole, kept = exact(row.get("balance")), exact(row.get("hold_trade", "0"))
            if whole is None or kept is None:
                raise ExchangeUnreachableError(f"the balance of {name} is no number")
            found[self._exchange.safe_currency_code(name)] = Balance(minus(whole, kept), kept)
        return found

    def transfers(self) -> list[Transfer]:
        """Return the deposits and withdrawals that Kraken calls recent, oldest first."""
        found = [
            *(transfer_of("deposit", _exactly(row)) for row in self._exchange.fetch_deposits()),
            *(transfer_of("withdrawal", _exactly(row)) for row in self._exchange.fetch_withdrawals()),
        ]
        return sorted(found, key=lambda one: one.time)


def always_sent(now: int) -> dict[str, str]:
    """Return what every order at Kraken carries: its last moment, and that its fee is in quote."""
    moment = datetime.fromtimestamp((now + DEADLINE_MS) / 1000, UTC)
    return {"oflags": "fciq", "deadline": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def kraken_report(order: Mapping[str, Any]) -> OrderReport:
    """Return one of ccxt's orders in exact numbers.

    Raises ExchangeUnreachableError for one without an id, a symbol, or a word of how it stands.
    """
    raw, status = raw_of(order), str(order.get("status") or "")
    if not order.get("id") or not order.get("symbol") or status not in STANDINGS:
        raise ExchangeUnreachableError(f"the answer is no order: {order.get('id')} stands as {status!r}")
    standing = STANDINGS[status]
    if standing is OrderNews.CANCELED and BY_USER not in str(raw.get("reason") or BY_USER).lower():
        # The venue itself gave up what a market order could not get.
        standing = OrderNews.EXPIRED
    return OrderReport(
        id=str(order["id"]),
        client_order_id=str(raw.get("cl_ord_id") or ""),
        symbol=order["symbol"],
        side=str(order.get("side") or ""),
        standing=standing,
        amount=number_of(raw, "vol"),
        filled=number_of(raw, "vol_exec"),
        stop=_stop_of(raw.get("descr") or {}),
    )


def _stop_of(told: Mapping[str, Any]) -> Decimal | None:
    """Return the price that a stop waits for; the sentence about it has many wordings."""
    return exact(told.get("price")) if str(told.get("ordertype")).startswith("stop-loss") else None


def _told_amount(answer: Mapping[str, Any]) -> Decimal:
    """Return the amount in the sentence that describes a new order, 0 when it has another wording."""
    words: Sequence[str] = str((raw_of(answer).get("descr") or {}).get("order") or "").split()
    return (exact(words[1]) if len(words) > 1 else None) or Decimal(0)


def _exactly(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of ccxt's transactions with its numbers as Kraken wrote them."""
    raw = raw_of(row)
    return {**row, "amount": raw.get("amount"), "fee": {"cost": raw.get("fee")}}
