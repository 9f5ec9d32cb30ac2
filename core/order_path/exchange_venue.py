"""The venue that is a real or a local exchange, through the exchange client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from core.account.messages import Balance, Execution, OrderReport, OrderRequest, Terms, Transfer
from core.errors import ExchangeError, ExchangeUnreachableError, RateLimitedError
from core.exchange.account_facts import AccountFacts
from core.exchange.orders import Orders


class Client(Protocol):
    """What of core.exchange_client.ExchangeClient is needed here."""

    @property
    def label(self) -> str:
        """The name under which what it says is stored."""

    @property
    def orders(self) -> Orders:
        """The account's orders."""

    @property
    def facts(self) -> AccountFacts:
        """What the venue tells about itself."""

    def exchange_now(self, *, ask: bool = False) -> int:
        """Return the exchange's time, ms UTC."""


class ExchangeVenue:
    """One account at an exchange that looks orders up by the name they were given."""

    def __init__(self, client: Client) -> None:
        """Take a client with a key; the exchange is asked for its label."""
        self._client = client
        self._orders = client.orders
        self.exchange = client.label

    def now(self) -> int:
        """Return the time that requests are stamped with, ms UTC."""
        return self._client.exchange_now()

    def ask_time(self) -> int:
        """Return the exchange's time, ms UTC, asked for now."""
        return self._client.exchange_now(ask=True)

    def absence_is_final_at(self, sent_at: int) -> int:
        """Return the exchange time from which an order stamped then and not found never comes."""
        return self._orders.absence_is_final_at(sent_at)

    def place(self, request: OrderRequest) -> OrderReport:
        """Send an order, once."""
        return self._orders.place(request)

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the order of this name, None when the exchange knows of none."""
        return self._orders.find(symbol, client_order_id)

    def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Send a cancel, once. Raises OrderRefusedError when the order is not open."""
        return self._orders.cancel(symbol, client_order_id)

    def change(self, symbol: str, client_order_id: str, amount: Decimal, terms: Terms) -> None:
        """Change a stop that rests, once. Raises OrderRefusedError when it stays as it is."""
        self._orders.change(symbol, client_order_id, amount, terms)

    def crowded(self, symbol: str) -> str:
        """Return why an entry should not be sent now, blank for no reason: exits need the rest."""
        return self._orders.crowded(symbol)

    def shut(self) -> str:
        """Return the mode in which no market order is taken now, blank if one is, or nobody knows."""
        return self._client.facts.shut()

    def open_orders(self) -> Sequence[OrderReport]:
        """Return all open orders of the account."""
        return self._orders.open()

    def newest_fill(self, symbol: str) -> str:
        """Return an id after which all later executions of a symbol come, blank before the first."""
        return self._orders.newest_fill(symbol)

    def fills(self, symbol: str, after: str | None) -> Sequence[Execution]:
        """Return all executions that came after the one of this id, or ever, oldest first."""
        return self._orders.fills(symbol, after_id=after, source=self.exchange)

    def balances(self) -> Mapping[str, Balance]:
        """Return what the account has, by asset."""
        return self._orders.balances()

    def transfers(self) -> Sequence[Transfer] | None:
        """Return deposits, withdrawals and conversions; None where none are listed, or not to this key."""
        try:
            return self._orders.transfers()
        except (ExchangeUnreachableError, RateLimitedError):
            raise
        except ExchangeError:
            return None
