"""The venue that is a real or a local exchange, through the exchange client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from core.account.money import plus
from core.account.orders import Fill, Side
from core.errors import ExchangeError, ExchangeUnreachableError, OrderUnknownError, RateLimitedError
from core.exchange.orders import FillReport, OrderReport, OrderRequest, Orders
from core.exchange.transfers import TransferReport
from core.order_path.ledger import ZERO
from core.order_path.states import OrderNews
from core.order_path.venue import Balance, Execution, Placement, Report, Transfer

_STANDINGS: Mapping[str, OrderNews] = MappingProxyType(
    {
        "open": OrderNews.OPEN,
        "closed": OrderNews.FILLED,
        "canceled": OrderNews.CANCELED,
        "expired": OrderNews.EXPIRED,
        "rejected": OrderNews.REJECTED,
    }
)
_CAME_BACK = ("failed", "canceled")
"""What is said of a withdrawal that the account has again; any other has left it, or is on its way."""
_SIDES: Mapping[str, Side] = MappingProxyType({"buy": "buy", "sell": "sell"})


class Client(Protocol):
    """What of core.exchange_client.ExchangeClient is needed here."""

    @property
    def label(self) -> str:
        """The name under which what it says is stored."""

    @property
    def orders(self) -> Orders:
        """The account's orders."""

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

    def place(self, request: Placement) -> Report:
        """Send an order, once."""
        terms = request.terms
        wanted = OrderRequest(
            symbol=request.symbol,
            side=request.side,
            kind=terms.kind,
            amount=request.amount,
            client_order_id=request.client_order_id,
            price=terms.price,
            stop=terms.stop,
        )
        return _answered(lambda: self._orders.place(wanted))

    def find(self, symbol: str, client_order_id: str) -> Report | None:
        """Return the order of this name, None when the exchange knows of none."""
        found = self._orders.find(symbol, client_order_id)
        return None if found is None else report_of(found)

    def cancel(self, symbol: str, client_order_id: str) -> Report:
        """Send a cancel, once. Raises OrderRefusedError when the order is not open."""
        return _answered(lambda: self._orders.cancel(symbol, client_order_id))

    def open_orders(self) -> Sequence[Report]:
        """Return all open orders of the account."""
        return [report_of(found) for found in self._orders.open()]

    def fills(self, symbol: str, after: str | None) -> Sequence[Execution]:
        """Return all executions that came after the one of this id, or ever, oldest first."""
        found = self._orders.fills(symbol, after_id=after)
        return [Execution(one.order_id, fill_of(self.exchange, one)) for one in found]

    def balances(self) -> Mapping[str, Balance]:
        """Return what the account has, by asset."""
        return {asset: Balance(*found) for asset, found in self._orders.balances().items()}

    def transfers(self) -> Sequence[Transfer] | None:
        """Return deposits and withdrawals; None where the venue lists none, or not to this key."""
        try:
            return [transfer_of(one) for one in self._orders.transfers()]
        except (ExchangeUnreachableError, RateLimitedError):
            raise
        except ExchangeError:
            return None


def report_of(found: OrderReport) -> Report:
    """Return an order's report. Raises ExchangeUnreachableError when it does not say how it stands."""
    standing = _STANDINGS.get(found.status)
    if standing is None:
        raise ExchangeUnreachableError(
            f"order {found.client_order_id}: cannot say what the status {found.status!r} means; look again"
        )
    told = (found.id, found.client_order_id, found.symbol, found.side)
    return Report(*told, standing, found.amount, found.filled)


def transfer_of(found: TransferReport) -> Transfer:
    """Return a deposit or withdrawal with what it has done to the balance."""
    if found.kind == "deposit":
        amount = found.amount if found.status == "ok" else ZERO
    else:
        gone = plus(found.amount, found.fee).copy_negate()
        amount = ZERO if found.status in _CAME_BACK else gone
    return Transfer(found.kind, found.id, found.asset, amount, found.time)


def fill_of(exchange: str, found: FillReport) -> Fill:
    """Return a fill; whose it is follows from the order's id. Raises ExchangeUnreachableError for no side."""
    if found.side not in _SIDES:
        raise ExchangeUnreachableError(f"trade {found.id}: it is neither bought nor sold but {found.side!r}")
    return Fill(
        exchange=exchange,
        symbol=found.symbol,
        id=found.id,
        client_order_id="",
        side=_SIDES[found.side],
        amount=found.amount,
        price=found.price,
        fee=found.fee,
        fee_asset=found.fee_asset,
        time=found.time,
    )


def _answered(send: Callable[[], OrderReport]) -> Report:
    """Return what was sent; an answer without a status says nothing, though something was done."""
    found = send()
    try:
        return report_of(found)
    except ExchangeUnreachableError as error:
        raise OrderUnknownError(str(error)) from None
