"""What an account was worth hour by hour and made day by day, and what that is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Engine, and_, delete, func, insert, select

from db.base import writing
from db.live_models import AccountSnapshot, DailyMetric, LiveDecision, LiveEquity, LiveFill, LiveRun
from db.order_models import OrderFill, StoredOrder

WHOLE = "account"
"""In place of a strategy: all of them together."""


class SnapshotRow(NamedTuple):
    """See AccountSnapshot."""

    account: str
    timestamp: int
    exchange: str
    currency: str
    total_balance_usd: float
    free_balance_usd: float
    in_positions_usd: float
    unrealized_pnl_usd: float
    daily_pnl_usd: float | None
    daily_pnl_pct: float | None


class DayRow(NamedTuple):
    """See DailyMetric."""

    account: str
    date: str
    strategy: str
    currency: str
    num_trades: int
    num_wins: int
    num_losses: int
    gross_profit_usd: float
    gross_loss_usd: float
    net_pnl_usd: float
    fees_paid_usd: float
    max_drawdown_pct: float | None
    sharpe_ratio: float | None


class TimedFill(NamedTuple):
    """One fill, its fee, and when its order was sent."""

    strategy: str
    symbol: str
    exchange: str
    ts: int
    price: Decimal
    fee: Decimal
    fee_asset: str
    sent_at: int | None
    """None where the journal does not say."""


def put_snapshot(engine: Engine, row: SnapshotRow) -> None:
    """Store what an account is worth."""
    with writing(engine) as connection:
        connection.execute(insert(AccountSnapshot).values(row._asdict()))


def newest_snapshot(engine: Engine, account: str) -> int | None:
    """Return when the newest snapshot was taken, ms UTC, None for none ever."""
    query = select(func.max(AccountSnapshot.timestamp)).where(AccountSnapshot.account == account)
    with engine.connect() as connection:
        return connection.execute(query).scalar()


def snapshots(engine: Engine, account: str, start: int, end: int) -> list[SnapshotRow]:
    """Return an account's snapshots of a time, oldest first."""
    columns = [getattr(AccountSnapshot, name) for name in SnapshotRow._fields]
    time = AccountSnapshot.timestamp
    query = select(*columns).where(AccountSnapshot.account == account, time >= start, time < end)
    with engine.connect() as connection:
        return [SnapshotRow(*row) for row in connection.execute(query.order_by(time))]


def put_days(engine: Engine, rows: Sequence[DayRow]) -> None:
    """Store days of one account, in place of what was stored of them, all or none."""
    if not rows:
        return
    same = (DailyMetric.account == rows[0].account, DailyMetric.date.in_({row.date for row in rows}))
    with writing(engine) as connection:
        connection.execute(delete(DailyMetric).where(*same))
        connection.execute(insert(DailyMetric), [row._asdict() for row in rows])


def newest_day(engine: Engine, account: str) -> str | None:
    """Return the newest day that is stored, such as 2026-02-19, None for none ever."""
    query = select(func.max(DailyMetric.date)).where(DailyMetric.account == account)
    with engine.connect() as connection:
        return connection.execute(query).scalar()


def days(engine: Engine, account: str) -> list[DayRow]:
    """Return an account's days, oldest first."""
    columns = [getattr(DailyMetric, name) for name in DayRow._fields]
    query = select(*columns).where(DailyMetric.account == account)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(DailyMetric.date, DailyMetric.strategy))
        return [DayRow(*row) for row in rows]


def timed_fills(engine: Engine, account: str) -> list[TimedFill]:
    """Return the fills of an account in the order of their time."""
    names = [name for name in TimedFill._fields if name != "sent_at"]
    same = (getattr(LiveFill, name) == getattr(OrderFill, name) for name in ("account", "exchange", "symbol"))
    order = and_(
        StoredOrder.account == OrderFill.account, StoredOrder.client_order_id == OrderFill.client_order_id
    )
    query = (
        select(*(getattr(LiveFill, name) for name in names), StoredOrder.sent_at)
        .outerjoin(OrderFill, and_(*same, LiveFill.fill_id == OrderFill.id))
        .outerjoin(StoredOrder, order)
        .where(LiveFill.account == account)
        .order_by(LiveFill.ts, LiveFill.id)
    )
    with engine.connect() as connection:
        rows = [TimedFill._make(row) for row in connection.execute(query)]
    return [row._replace(price=Decimal(row.price), fee=Decimal(row.fee)) for row in rows]


def equity_points(engine: Engine, account: str, end: int) -> list[tuple[int, float]]:
    """Return time and equity of an account up to a time, that time included, oldest first.

    Of two runs that looked at one bar the later one counts.
    """
    runs = select(LiveRun.id).where(LiveRun.account == account)
    query = select(LiveEquity.ts, LiveEquity.equity).where(LiveEquity.run_id.in_(runs), LiveEquity.ts <= end)
    with engine.connect() as connection:
        points = {int(ts): float(equity) for ts, equity in connection.execute(query.order_by(LiveEquity.id))}
    return sorted(points.items())


def count_refused(engine: Engine, account: str, start: int, end: int) -> int:
    """Return how many decisions on bars that opened in a time were refused."""
    runs = select(LiveRun.id).where(LiveRun.account == account)
    query = (
        select(func.count())
        .select_from(LiveDecision)
        .where(LiveDecision.run_id.in_(runs), LiveDecision.outcome != "approved")
        .where(LiveDecision.bar_ts >= start, LiveDecision.bar_ts < end)
    )
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())
