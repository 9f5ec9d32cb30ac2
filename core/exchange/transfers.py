"""Deposits and withdrawals as a venue lists them through ccxt, in exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from core.errors import ExchangeUnreachableError
from core.exchange.order_rules import exact

TransferKind = Literal["deposit", "withdrawal"]
PAGE = 1000


class TransferReport(NamedTuple):
    """One deposit or withdrawal as the venue tells it."""

    kind: TransferKind
    id: str
    asset: str
    amount: Decimal
    """What came, or what arrives elsewhere: a withdrawal's fee is beside it."""
    fee: Decimal
    status: str
    """ok, pending, failed, canceled, or the venue's own word."""
    time: int
    """ms UTC."""


def read_transfers(exchange: Any) -> list[TransferReport]:
    """Return all that a ccxt exchange lists, which is of about the last 90 days, oldest first.

    Raises ExchangeUnreachableError for a row that a ledger cannot use, and what ccxt raises.
    """
    found = [
        *(_report("deposit", row) for row in _pages(exchange.fetch_deposits)),
        *(_report("withdrawal", row) for row in _pages(exchange.fetch_withdrawals)),
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


def _report(kind: TransferKind, row: Mapping[str, Any]) -> TransferReport:
    # A venue that numbers no deposits names the transaction they came with.
    name, amount = row.get("id") or row.get("txid"), exact(row.get("amount"))
    asset, time = row.get("currency"), row.get("timestamp")
    if not name or not asset or amount is None or time is None:
        raise ExchangeUnreachableError(f"the answer holds a {kind} without id, asset, amount or time")
    fee = exact((row.get("fee") or {}).get("cost")) or Decimal(0)
    return TransferReport(kind, str(name), asset, amount, fee, str(row.get("status") or ""), time)
