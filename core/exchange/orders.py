"""Orders for a journal: placed once, looked up by the id they were given, fills counted once, exact numbers.

What an error of `place` says about the order:

    OrderUnknownError           it may exist: look it up by its client order id, never send it again
    any other ExchangeError     it was not accepted and never will be
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from core.account.money import plus, times
from core.account.orders import Kind
from core.errors import ExchangeError, ExchangeUnreachableError, OrderUnknownError, UnsupportedError
from core.exchange.calls import Caller
from core.exchange.errors import Attempt, unusable_order_answer
from core.exchange.order_rules import check_cancelled_by_name, exact
from core.exchange.transfers import TransferReport, read_transfers

PROCESSING_MS = 10_000
"""Binance gives up on a request that it accepted so long ago."""
AHEAD_MS = 1000
"""A request's time stamp may lie so much before the venue's time."""
PAGE = 1000


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to place; the amount in base units, prices in quote units."""

    symbol: str
    side: Literal["buy", "sell"]
    kind: Kind
    amount: Decimal
    client_order_id: str
    """1 to 36 of A-Z a-z 0-9 - _; it must never be used again."""
    price: Decimal | None = None
    stop: Decimal | None = None
    """Where a stop_limit or take_limit begins to work."""
    time_in_force: Literal["GTC", "IOC", "FOK"] = "GTC"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as the venue tells it."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    kind: str
    """`market` or `limit`; a stop has a `stop` beside it."""
    status: str
    """open, closed (filled), canceled, expired or rejected; blank when the answer does not say."""
    amount: Decimal
    """Base units."""
    filled: Decimal
    """Base units, whatever the status is: a cancelled order keeps what was executed."""
    cost: Decimal
    """Quote units paid or earned, before fees."""
    price: Decimal | None
    """Limit, quote units."""
    stop: Decimal | None
    time: int | None
    """Of the venue, ms UTC."""

    @property
    def is_open(self) -> bool:
        """Say whether it may still be executed."""
        return self.status == "open"


@dataclass(frozen=True, slots=True)
class FillReport:
    """One execution as the venue tells it; its id is unique within its symbol."""

    id: str
    order_id: str
    symbol: str
    side: str
    price: Decimal
    amount: Decimal
    """Base units."""
    cost: Decimal
    """Quote units, before the fee."""
    fee: Decimal
    """In units of `fee_asset`."""
    fee_asset: str
    time: int
    """ms UTC."""
    maker: bool


class AssetBalance(NamedTuple):
    """What the account has of one asset, in its units."""

    free: Decimal
    locked: Decimal
    """Kept by the venue for open orders."""

    @property
    def total(self) -> Decimal:
        """Return all of it."""
        return plus(self.free, self.locked)


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
        self._require("place an order", order.symbol)
        kind = "market" if order.kind == "market" else "limit"
        answer = self._create(order.symbol, order.side, kind, order.amount, order.price, _params(order))
        # Confirmed by its id; what else the answer lacks is known from the request.
        return order_report({**answer, "symbol": order.symbol, "clientOrderId": order.client_order_id})

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
        try:
            # Binance answers with the name of the request to cancel instead of the order's.
            return order_report({**order, **given})
        except ExchangeUnreachableError as error:
            raise unusable_order_answer(attempt, str(error)) from None

    def open(self, symbol: str | None = None) -> list[OrderReport]:
        """Return the open orders of one symbol, or of all."""
        action = "read the open orders"
        self._require(action, symbol)
        return self._call.read(
            action, lambda: [order_report(order) for order in self._exchange.fetch_open_orders(symbol)]
        )

    def fills(
        self, symbol: str, *, after_id: str | None = None, since: int | None = None
    ) -> list[FillReport]:
        """Return all executions after one of them, or from a time (ms UTC) on, or ever, oldest first."""
        self._require(f"read the fills of {symbol}", symbol)
        params: dict[str, Any] = {} if after_id is None and since is not None else {"fromId": 0}
        if after_id is not None:
            params = {"fromId": int(after_id) + 1}
        found: list[FillReport] = []
        while True:
            page = self._fills_page(symbol, since if not params else None, params)
            found += page
            if len(page) < PAGE:
                return found
            params = {"fromId": int(page[-1].id) + 1}

    def balances(self) -> dict[str, AssetBalance]:
        """Return the balances of all assets the account has any of."""
        self._require("read the balances")
        answer = self._call.read("read the balances", self._exchange.fetch_balance)
        kept = {
            asset: AssetBalance(_number(entry, "free"), _number(entry, "used"))
            for asset, entry in answer.items()
            if isinstance(entry, Mapping) and {"free", "used"} <= entry.keys()
        }
        return {asset: balance for asset, balance in kept.items() if balance.total}

    def transfers(self) -> list[TransferReport]:
        """Return the account's deposits and withdrawals of about the last 90 days, oldest first."""
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

    def _fills_page(self, symbol: str, since: int | None, params: dict[str, Any]) -> list[FillReport]:
        def ask() -> list[FillReport]:
            rows = self._exchange.fetch_my_trades(symbol, since, PAGE, dict(params))
            return sorted((fill_report(row) for row in rows), key=lambda fill: int(fill.id))

        return self._call.read(f"read the fills of {symbol}", ask)


def outcome_is_unknown(error: ExchangeError) -> bool:
    """Return whether an order may exist after this error of placing it."""
    return isinstance(error, OrderUnknownError)


def order_report(order: Mapping[str, Any]) -> OrderReport:
    """Return a ccxt order in exact numbers.

    Raises ExchangeUnreachableError for one without an id, a symbol, or an amount that is a number.
    """
    if not order.get("id") or not order.get("symbol"):
        raise ExchangeUnreachableError("the answer is no order: it has no id or no symbol")
    return OrderReport(
        str(order["id"]),
        str(order.get("clientOrderId") or ""),
        order["symbol"],
        str(order.get("side") or ""),
        str(order.get("type") or ""),
        str(order.get("status") or ""),
        _number(order, "amount"),
        _number(order, "filled"),
        _number(order, "cost"),
        exact(order.get("price")) or None,
        exact(order.get("triggerPrice") or _raw(order).get("stopPrice")) or None,
        _time(order),
    )


def fill_report(trade: Mapping[str, Any]) -> FillReport:
    """Return one of ccxt's trades of the account in exact numbers.

    Raises ExchangeUnreachableError when it lacks what a ledger needs.
    """
    fee, fee_asset = _fee(trade)
    texts = [trade.get(name) for name in ("id", "order", "symbol", "side", "timestamp")]
    numbers = [exact(trade.get("price")), exact(trade.get("amount")), fee]
    if None in (*texts, *numbers, fee_asset) or not str(trade["id"]).isdecimal():
        raise ExchangeUnreachableError("the answer holds a trade without id, order, numbers, fee or time")
    price, amount, cost = (number or Decimal(0) for number in numbers)
    return FillReport(
        str(trade["id"]),
        str(trade["order"]),
        trade["symbol"],
        trade["side"],
        price,
        amount,
        times(price, amount),
        cost,
        str(fee_asset),
        trade["timestamp"],
        trade.get("takerOrMaker") == "maker",
    )


def _params(order: OrderRequest) -> dict[str, Any]:
    named: dict[str, Any] = {"clientOrderId": order.client_order_id}
    if order.kind == "maker":
        return named | {"postOnly": True}
    if order.kind in ("limit", "stop_limit", "take_limit"):
        named["timeInForce"] = order.time_in_force
    if order.kind == "stop_limit":
        named["stopLossPrice"] = order.stop
    if order.kind == "take_limit":
        named["takeProfitPrice"] = order.stop
    return named


def _raw(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the venue's own words: with decimals for numbers ccxt loses fees and stop prices."""
    info = row.get("info")
    return info if isinstance(info, Mapping) else {}


def _fee(trade: Mapping[str, Any]) -> tuple[Decimal | None, object]:
    raw, told = _raw(trade), trade.get("fee") or {}
    if "commission" in raw:
        return exact(raw["commission"]), raw.get("commissionAsset")
    return exact(told.get("cost")), told.get("currency")


def _time(order: Mapping[str, Any]) -> int | None:
    # A stop that is not working yet says -1, and ccxt takes that for its time.
    times = (order.get("timestamp"), _raw(order).get("transactTime"))
    return next((time for time in times if isinstance(time, int) and time > 0), None)


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    return exact(row.get(name)) or Decimal(0)
