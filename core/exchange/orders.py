"""Orders for a journal: placed once, looked up by the id they were given, fills counted once, exact numbers.

What an error of `place` says about the order:

    OrderUnknownError           it may exist: look it up by its client order id, never send it again
    any other ExchangeError     it was not accepted and never will be
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from core.account.messages import Balance, Execution, OrderReport, OrderRequest, StopRules, Terms, Transfer
from core.errors import ExchangeError, UnsupportedError
from core.exchange.calls import Caller
from core.exchange.dialects import Changed, ChangingDialect, OrderDialect
from core.exchange.engine_counter import EngineCounter
from core.exchange.errors import Attempt


class Orders:
    """The account's orders at one venue, which must look orders up by client order id."""

    def __init__(
        self,
        venue: str,
        dialect: OrderDialect | None,
        call: Caller,
        ready: Callable[[str, str | None], None],
        create: Callable[..., dict[str, Any]],
        stops: Callable[[str], StopRules | None],
        always_sent: Callable[[], Mapping[str, str]],
        counter: EngineCounter,
    ) -> None:
        """Take a venue's name and dialect, None for one that keeps no journal.

        `ready` raises what forbids an action on a symbol (or on none), `create` places an order, `stops`
        tells what a symbol demands of stops, `always_sent` what every order carries; `counter` is told of all
        that is sent.
        """
        self._name = venue
        self._known = dialect
        self._call = call
        self._ready = ready
        self._create = create
        self._stops = stops
        self._always_sent = always_sent
        self._counter = counter

    @property
    def _dialect(self) -> OrderDialect:
        if self._known is None:
            raise UnsupportedError(
                f"{self._name} cannot keep an order journal: it does not look orders up by the id they were "
                "given; use binanceus or kraken"
            )
        return self._known

    def place(self, order: OrderRequest) -> OrderReport:
        """Place an order, sent exactly once; amount and prices are rounded as `create_order` says.

        Raises OrderUnknownError when nobody knows whether it exists: find it then. Any other ExchangeError
        means that it was not accepted and never will be.
        """
        action, dialect, terms = "place an order", self._dialect, order.terms
        self._ready(action, order.symbol)
        kind = "market" if terms.kind in ("market", "stop") else "limit"
        params = dialect.params(order)
        self._counter.placed(order.symbol, order.client_order_id)
        with self._counted(order.symbol):
            answer = self._create(order.symbol, order.side, kind, order.amount, terms.price, params)
        return dialect.placed(order, answer, Attempt(self._name, action))

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the newest order of a client order id, None when the venue knows of none.

        None is proof only from `absence_is_final_at` on: until then the order may still arrive.
        """
        action, dialect = f"look up order {client_order_id} of {symbol}", self._dialect
        self._ready(action, symbol)
        return self._call.read(action, lambda: dialect.find(symbol, client_order_id))

    def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order, sent exactly once, and return it with what was executed before.

        Raises OrderRefusedError when it is not open (filled, cancelled or never there: find it),
        OrderUnknownError when no answer says whether it was cancelled.
        """
        action, dialect = f"cancel order {client_order_id} of {symbol}", self._dialect
        self._ready(action, symbol)
        self._counter.cancelled(symbol, client_order_id)
        with self._counted(symbol):
            answer = self._call.order(action, lambda: dialect.cancel(symbol, client_order_id))
        return dialect.cancelled(symbol, client_order_id, answer, Attempt(self._name, action))

    def stop_rules(self, symbol: str) -> StopRules | None:
        """Return what a stop that rests must satisfy, None where the venue or the market has none."""
        return self._stops(symbol)

    def change(self, symbol: str, client_order_id: str, amount: Decimal, terms: Terms) -> None:
        """Give a stop that rests another amount and price on their grids, sent exactly once.

        `amount`: base units, with what was executed. Raises OrderRefusedError when it stays as it is,
        OrderUnknownError when nobody knows, UnsupportedError where orders cannot be changed.
        """
        action, dialect = f"change order {client_order_id} of {symbol}", self._dialect
        if not isinstance(dialect, ChangingDialect) or terms.kind != "stop" or terms.stop is None:
            raise UnsupportedError(f"{self._name}: cannot {action}: cancel it and place another one")
        self._ready(action, symbol)
        wanted = Changed(f"{amount:f}", f"{terms.stop:f}", self._always_sent())
        self._counter.changed(symbol, client_order_id)
        with self._counted(symbol):
            answer = self._call.order(action, lambda: dialect.change(symbol, client_order_id, wanted))
        dialect.changed(client_order_id, answer, Attempt(self._name, action))

    def crowded(self, symbol: str) -> str:
        """Return why no entry in a symbol should be sent now, blank for no reason: exits need the rest."""
        return self._counter.crowded(symbol)

    @contextmanager
    def _counted(self, symbol: str) -> Iterator[None]:
        """Let the counter know when the venue says that it is full."""
        try:
            yield
        except ExchangeError as error:
            self._counter.refused(symbol, error)
            raise

    def open(self, symbol: str | None = None) -> list[OrderReport]:
        """Return the open orders of one symbol, or of all."""
        action, dialect = "read the open orders", self._dialect
        self._ready(action, symbol)
        return self._call.read(action, lambda: dialect.open(symbol))

    def newest_fill(self, symbol: str) -> str:
        """Return an id after which all later executions of a symbol come, blank before the first."""
        dialect = self._dialect
        self._ready(f"read the newest fill of {symbol}", symbol)
        return dialect.newest_fill(symbol)

    def fills(self, symbol: str, *, after_id: str | None = None, source: str = "") -> list[Execution]:
        """Return all executions after one of them, or ever, oldest first.

        `source` names where they were made, if that is not the exchange's own name.
        """
        dialect = self._dialect
        self._ready(f"read the fills of {symbol}", symbol)
        return dialect.fills(symbol, after_id, source or self._name)

    def balances(self) -> dict[str, Balance]:
        """Return the balances of all assets the account has any of."""
        dialect = self._dialect
        self._ready("read the balances", None)
        kept = self._call.read("read the balances", dialect.balances)
        return {asset: balance for asset, balance in kept.items() if balance.total}

    def transfers(self) -> list[Transfer]:
        """Return deposits, withdrawals and conversions of about the last 90 days, oldest first."""
        action, dialect = "read deposits and withdrawals", self._dialect
        self._ready(action, None)
        return self._call.read(action, dialect.transfers)

    def absence_is_final_at(self, sent_at: int) -> int:
        """Return the exchange time, ms UTC, from which an order sent then and not found never comes."""
        return sent_at + self._dialect.fence_ms
