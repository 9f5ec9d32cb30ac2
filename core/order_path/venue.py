"""Where orders go: an exchange or the paper exchange, told apart by nobody above.

An error of `place` says what came of the order:

    OrderUnknownError                     it may exist
    OrderRefusedError, UnsupportedError   it was refused, and would be again
    any other ExchangeError               it was not accepted and never will be; another one may be
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from core.account.messages import Balance, Execution, OrderReport, OrderRequest, Terms, Transfer


class Venue(Protocol):
    """One account at one exchange. Every method but `place` and `cancel` may be repeated at will.

    All raise ExchangeError when no usable answer comes.
    """

    exchange: str
    """Names the source of fills: with symbol and id it makes a fill unique."""

    def now(self) -> int:
        """Return the time that requests are stamped with, ms UTC: the exchange's, as last measured."""

    def ask_time(self) -> int:
        """Return the exchange's time, ms UTC, asked for now: no local clock can put it ahead."""

    def absence_is_final_at(self, sent_at: int) -> int:
        """Return the exchange time from which an order stamped then and not found never comes."""

    def place(self, request: OrderRequest) -> OrderReport:
        """Send an order, once."""

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the order of this name, None when the exchange knows of none."""

    def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Send a cancel, once. Raises OrderRefusedError when the order is not open."""

    def change(self, symbol: str, client_order_id: str, amount: Decimal, terms: Terms) -> None:
        """Give an open order another amount (base units, with what was executed) and other prices.

        It keeps its names; the same change twice is one. Raises UnsupportedError where none can be changed.
        """

    def crowded(self, symbol: str) -> str:
        """Return why an entry should not be sent now, blank for no reason: exits need the rest."""

    def shut(self) -> str:
        """Return the mode in which no market order is taken now, blank if one is, or nobody knows.

        It raises nothing.
        """

    def open_orders(self) -> Sequence[OrderReport]:
        """Return all open orders of the account."""

    def newest_fill(self, symbol: str) -> str:
        """Return an id after which all later executions of a symbol come, blank before the first."""

    def fills(self, symbol: str, after: str | None) -> Sequence[Execution]:
        """Return all executions that came after the one of this id, or ever, oldest first."""

    def balances(self) -> Mapping[str, Balance]:
        """Return what the account has, by asset."""

    def transfers(self) -> Sequence[Transfer] | None:
        """Return the deposits and withdrawals of the last weeks; None where no list of them can be had."""
