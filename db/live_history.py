"""What an account made: its closed trades and fees, exact, over all its runs."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Engine, and_, select

from db.live_models import LiveFill, LiveTrade
from db.order_models import OrderFill


class ClosedTrade(NamedTuple):
    """One closed round trip of one strategy; money in quote units, times in ms UTC."""

    strategy: str
    symbol: str
    side: str
    """LONG or SHORT."""
    amount: Decimal
    """Base units."""
    entry_ts: int
    exit_ts: int
    entry_price: float
    exit_price: float
    gross: Decimal
    """Profit before fees."""
    fees: Decimal
    reason: str


class OrderedFill(NamedTuple):
    """One fill and the order it was of."""

    strategy: str
    symbol: str
    side: str
    """buy or sell."""
    ts: int
    price: float
    amount: Decimal
    order: str
    """Its name, by the journal."""


class PaidFee(NamedTuple):
    """What one fill cost."""

    strategy: str
    symbol: str
    fee: Decimal
    asset: str


def closed_trades(engine: Engine, account: str) -> list[ClosedTrade]:
    """Return an account's closed trades in the order in which they were closed, one for each fill."""
    columns = [getattr(LiveTrade, name) for name in ClosedTrade._fields]
    query = select(*columns).where(LiveTrade.account == account).order_by(LiveTrade.exit_ts, LiveTrade.id)
    with engine.connect() as connection:
        rows = [ClosedTrade(*row) for row in connection.execute(query)]
    return [
        row._replace(amount=Decimal(row.amount), gross=Decimal(row.gross), fees=Decimal(row.fees))
        for row in rows
    ]


def ordered_fills(engine: Engine, account: str) -> list[OrderedFill]:
    """Return the fills of an account whose orders the journal knows, in the order in which they came."""
    same = (getattr(LiveFill, name) == getattr(OrderFill, name) for name in ("account", "exchange", "symbol"))
    named = [getattr(LiveFill, name) for name in OrderedFill._fields[:-1]]
    query = (
        select(*named, OrderFill.client_order_id)
        .join(OrderFill, and_(*same, LiveFill.fill_id == OrderFill.id))
        .where(LiveFill.account == account, OrderFill.client_order_id.is_not(None))
        .order_by(LiveFill.id)
    )
    with engine.connect() as connection:
        rows = [OrderedFill._make(row) for row in connection.execute(query)]
    return [row._replace(price=float(row.price), amount=Decimal(row.amount)) for row in rows]


def paid_fees(engine: Engine, account: str) -> list[PaidFee]:
    """Return the fee of every fill of an account, those of open positions too, in the order of the fills."""
    columns = (LiveFill.strategy, LiveFill.symbol, LiveFill.fee, LiveFill.fee_asset)
    query = select(*columns).where(LiveFill.account == account).order_by(LiveFill.ts, LiveFill.id)
    with engine.connect() as connection:
        return [
            PaidFee(strategy, symbol, Decimal(fee), asset)
            for strategy, symbol, fee, asset in connection.execute(query)
        ]
