"""Deposits, withdrawals and conversions as a venue lists them through ccxt, in exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from core.account.messages import Transfer, TransferKind
from core.account.money import plus
from core.errors import ExchangeUnreachableError
from core.exchange.conversions import read_conversions
from core.exchange.order_rules import exact

PAGE = 1000
_CAME_BACK = ("failed", "canceled")
"""What is said of a withdrawal that the account has again; any other has left it, or is on its way."""


def read_transfers(exchange: Any) -> list[Transfer]:
    """Return all that a ccxt exchange lists, which is of about the last 90 days, oldest first.

    Raises ExchangeUnreachableError for a row that a ledger cannot use, and what ccxt raises.
    """
    found = [
        *(transfer_of("deposit", row) for row in _pages(exchange.fetch_deposits)),
        *(transfer_of("withdrawal", row) for row in _pages(exchange.fetch_withdrawals)),
        *read_conversions(exchange),
    ]
    return sorted(found, key=lambda one: one.time)


def _pages(fetch: Callable[..., list[Mapping[str, Any]]]) -> Iterator[Mapping[str, Any]]:
    offset = 0
    while True:
        page = fetch(None, None, PAGE, {"offset": offset})
        yield from page
        if len(page) < PAGE:
            return
        offset += len(page)


def transfer_of(kind: TransferKind, row: Mapping[str, Any]) -> Transfer:
    """Return one of ccxt's transactions. Raises ExchangeUnreachableError for one that a ledger cannot use."""
    # A venue that numbers no deposits names the transaction they came with.
    name, amount = row.get("id") or row.get("txid"), exact(row.get("amount"))
    asset, time = row.get("currency"), row.get("timestamp")
    if not name or not asset or amount is None or time is None:
        raise ExchangeUnreachableError(f"the answer holds a {kind} without id, asset, amount or time")
    fee = exact((row.get("fee") or {}).get("cost")) or Decimal(0)
    return Transfer(kind, str(name), asset, _effect(kind, row.get("status"), amount, fee), time)


def _effect(kind: TransferKind, status: object, amount: Decimal, fee: Decimal) -> Decimal:
    """Return what it has done to the balance: a withdrawal's fee is beside what arrives elsewhere."""
    if kind == "deposit":
        return amount if status == "ok" else Decimal(0)
    return Decimal(0) if status in _CAME_BACK else plus(amount, fee).copy_negate()
