"""A small account for tests: intents, fills and what an account looks like to the limits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Any

from core.account.orders import Fill, Intent, Purpose
from core.account.values import Snapshot
from core.domain import Bar
from tests.markets import HOUR, START

SYMBOL, OTHER = "BTC/USDT", "ETH/USDT"
D = Decimal


def exactly() -> AbstractContextManager[Context]:
    """Compute in decimals as schoolbooks do, in a `with` block; rounding raises."""
    return localcontext(Context(prec=2000, traps=[Inexact, InvalidOperation]))


def intent(**given: Any) -> Intent:
    """Return an entry of 1 at 100, or what is given."""
    values: dict[str, Any] = {
        "strategy": "A",
        "symbol": SYMBOL,
        "timeframe": "1h",
        "bar": START,
        "purpose": Purpose.ENTRY,
        "leg": "main",
        "side": "buy",
        "amount": D(1),
        "price": D(100),
        "reason": "entry",
        "created_at": START + HOUR,
        "valid_until": START + 2 * HOUR,
    }
    return Intent(**{**values, **given})


def exit_of(entry: Intent, **given: Any) -> Intent:
    """Return an exit of the lot that an entry opened."""
    named = {"strategy": entry.strategy, "symbol": entry.symbol, "amount": entry.amount, "side": "sell"}
    return intent(
        **{**named, "purpose": Purpose.EXIT, "leg": f"lot-{entry.bar}-0", "reason": "rule", **given}
    )


def fill_of(wanted: Intent, price: str = "100", fee: str = "0", **given: Any) -> Fill:
    """Return a fill of the whole of it."""
    values: dict[str, Any] = {
        "exchange": "paper",
        "symbol": wanted.symbol,
        "id": wanted.key,
        "client_order_id": wanted.key,
        "side": wanted.side,
        "amount": wanted.amount,
        "price": D(price),
        "fee": D(fee),
        "fee_asset": "USDT",
        "time": wanted.created_at,
    }
    return Fill(**{**values, **given})


def snapshot(**given: Any) -> Snapshot:
    """Return an account with 10,000 and nothing else."""
    values: dict[str, Any] = {
        "equity": 10_000.0,
        "free_cash": D(10_000),
        "exposure": D(0),
        "by_symbol": {},
        "by_strategy": {},
        "positions": frozenset(),
    }
    return Snapshot(**{**values, **given})


def bar(
    number: int, prices: tuple[float, float, float, float] = (100.0, 101.0, 99.0, 100.0), **given: Any
) -> Bar:
    """Return an hour's bar."""
    stamp = START + number * HOUR
    values: dict[str, Any] = {"symbol": SYMBOL, "timeframe": "1h", "ts": stamp, "end": stamp + HOUR}
    named = dict(zip(("open", "high", "low", "close"), prices, strict=True))
    return Bar(**{**values, **named, "volume": 10.0, **given})
