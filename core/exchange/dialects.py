"""What differs between venues in the orders of a journal: one object for each, over one ccxt exchange.

binance_orders.py   Binance and Binance.US     kraken_orders.py   Kraken
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from core.account.messages import Balance, Execution, OrderReport, OrderRequest, Transfer
from core.exchange.errors import Attempt


class Changed(NamedTuple):
    """What an order that rests is to ask for, as the venue takes it."""

    amount: str
    """Base units, with what was executed."""
    stop: str
    sent: Mapping[str, str]
    """What every request carries."""


class OrderDialect(Protocol):
    """One venue's way to look orders up by the id they were given, and to tell fills and balances."""

    @property
    def fence_ms(self) -> int:
        """An order that was stamped so long ago and is not there never comes."""

    def params(self, order: OrderRequest) -> dict[str, Any]:
        """Return what ccxt needs to know of an order beside symbol, side, amount and price."""

    def placed(self, order: OrderRequest, answer: Mapping[str, Any], attempt: Attempt) -> OrderReport:
        """Return what the answer to a new order says. Raises OrderUnknownError when it says nothing."""

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the newest order of a client order id, None when the venue knows of none."""

    def cancel(self, symbol: str, client_order_id: str) -> Any:
        """Send a cancel, once, and return ccxt's answer."""

    def cancelled(self, symbol: str, client_order_id: str, answer: Any, attempt: Attempt) -> OrderReport:
        """Return the order that was cancelled. Raises OrderUnknownError when that is not sure."""

    def open(self, symbol: str | None) -> list[OrderReport]:
        """Return the open orders of one symbol, or of all."""

    def newest_fill(self, symbol: str) -> str:
        """Return an id after which all later executions of a symbol come, blank before the first."""

    def fills(self, symbol: str, after: str | None, source: str) -> list[Execution]:
        """Return all executions after one of them, or ever, oldest first."""

    def balances(self) -> dict[str, Balance]:
        """Return the balances of all assets, those the account has nothing of among them."""

    def transfers(self) -> list[Transfer]:
        """Return deposits, withdrawals and conversions of about the last 90 days, oldest first."""


@runtime_checkable
class ChangingDialect(Protocol):
    """Where an order that rests can be changed, and keeps its names."""

    def change(self, symbol: str, client_order_id: str, terms: Changed) -> Any:
        """Change an open order, once, and return ccxt's answer."""

    def changed(self, client_order_id: str, answer: Any, attempt: Attempt) -> None:
        """Raise OrderUnknownError when an answer does not say that an order was changed."""
