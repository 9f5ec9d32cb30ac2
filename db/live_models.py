"""The tables of running paper and live sessions: what they decided, how they stand, what they are told."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.declared import Base
from db.models import STRICT, Float64, Int64, Name


class LiveRun(Base):
    """One start of the loop on one account."""

    __tablename__ = "live_runs"
    __table_args__ = STRICT

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    account: Mapped[str] = mapped_column(Name)
    mode: Mapped[str] = mapped_column(Name)
    """replay, paper or live."""
    pid: Mapped[int] = mapped_column(Int64)
    code_version: Mapped[str] = mapped_column(Name)
    settings_json: Mapped[str] = mapped_column(Text)
    """What it was started with, without secrets."""
    started_at: Mapped[int] = mapped_column(Int64)
    ended_at: Mapped[int | None] = mapped_column(Int64)
    ending: Mapped[str | None] = mapped_column(Text)
    """Why it ended; none while it runs or when it was killed."""
    beat_at: Mapped[int] = mapped_column(Int64)
    """When the loop itself last said that it is alive."""
    status_json: Mapped[str] = mapped_column(Text)
    """How the account stood then."""


class LiveDecision(Base):
    """What one strategy wanted on one bar, and what became of it."""

    __tablename__ = "live_decisions"
    __table_args__ = (Index("live_decisions_of_run", "run_id", "bar_ts"), STRICT)

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("live_runs.id", ondelete="CASCADE"))
    exchange: Mapped[str] = mapped_column(Name)
    symbol: Mapped[str] = mapped_column(Name)
    timeframe: Mapped[str] = mapped_column(Name)
    bar_ts: Mapped[int] = mapped_column(Int64)
    """Open time of the bar that was decided on."""
    strategy: Mapped[str] = mapped_column(Name)
    action: Mapped[str] = mapped_column(Name)
    outcome: Mapped[str] = mapped_column(Name)
    """approved, or the reason of a refusal."""
    detail_json: Mapped[str] = mapped_column(Text)


class LiveFill(Base):
    """One execution on a paper account; money is exact decimal text."""

    __tablename__ = "live_fills"
    __table_args__ = (UniqueConstraint("account", "exchange", "symbol", "fill_id"), STRICT)

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("live_runs.id", ondelete="CASCADE"))
    account: Mapped[str] = mapped_column(Name)
    exchange: Mapped[str] = mapped_column(Name)
    symbol: Mapped[str] = mapped_column(Name)
    fill_id: Mapped[str] = mapped_column(Name)
    strategy: Mapped[str] = mapped_column(Name)
    side: Mapped[str] = mapped_column(Name)
    amount: Mapped[str] = mapped_column(Text)
    price: Mapped[str] = mapped_column(Text)
    fee: Mapped[str] = mapped_column(Text)
    fee_asset: Mapped[str] = mapped_column(Name)
    ts: Mapped[int] = mapped_column(Int64)
    reason: Mapped[str] = mapped_column(Name)


class LiveTrade(Base):
    """One closed round trip of one strategy; money is exact decimal text."""

    __tablename__ = "live_trades"
    __table_args__ = STRICT

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("live_runs.id", ondelete="CASCADE"))
    account: Mapped[str] = mapped_column(Name)
    strategy: Mapped[str] = mapped_column(Name)
    symbol: Mapped[str] = mapped_column(Name)
    side: Mapped[str] = mapped_column(Name)
    amount: Mapped[str] = mapped_column(Text)
    entry_ts: Mapped[int] = mapped_column(Int64)
    exit_ts: Mapped[int] = mapped_column(Int64)
    entry_price: Mapped[float] = mapped_column(Float64)
    exit_price: Mapped[float] = mapped_column(Float64)
    gross: Mapped[str] = mapped_column(Text)
    fees: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Name)


class LiveEquity(Base):
    """The account at one bar's close."""

    __tablename__ = "live_equity"
    __table_args__ = (UniqueConstraint("run_id", "ts"), STRICT)

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("live_runs.id", ondelete="CASCADE"))
    ts: Mapped[int] = mapped_column(Int64)
    equity: Mapped[float] = mapped_column(Float64)
    cash: Mapped[float] = mapped_column(Float64)


class AccountSnapshot(Base):
    """What an account was worth, once an hour while its loop runs; amounts in the account's currency."""

    __tablename__ = "account_snapshots"
    __table_args__ = (
        UniqueConstraint("account", "timestamp"),
        Index("idx_snapshots_timestamp", "timestamp"),
        STRICT,
    )

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    account: Mapped[str] = mapped_column(Name)
    timestamp: Mapped[int] = mapped_column(Int64)
    """ms UTC, exchange time."""
    exchange: Mapped[str] = mapped_column(Name)
    currency: Mapped[str] = mapped_column(Name)
    """What the amounts count in, whatever the columns, whose names are the seed's, are called."""
    total_balance_usd: Mapped[float] = mapped_column(Float64)
    """Equity, open profit included."""
    free_balance_usd: Mapped[float] = mapped_column(Float64)
    """Cash that no order binds."""
    in_positions_usd: Mapped[float] = mapped_column(Float64)
    """Equity less cash."""
    unrealized_pnl_usd: Mapped[float] = mapped_column(Float64)
    daily_pnl_usd: Mapped[float | None] = mapped_column(Float64)
    """Equity less that at the beginning of the UTC day; none while that is not known."""
    daily_pnl_pct: Mapped[float | None] = mapped_column(Float64)


class DailyMetric(Base):
    """One UTC day of one strategy, or of the whole account; amounts in the account's currency."""

    __tablename__ = "daily_metrics"
    __table_args__ = (UniqueConstraint("account", "date", "strategy"), STRICT)

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    account: Mapped[str] = mapped_column(Name)
    date: Mapped[str] = mapped_column(Name)
    """Such as 2026-02-19."""
    strategy: Mapped[str] = mapped_column(Name)
    """`account` for all of them together."""
    currency: Mapped[str] = mapped_column(Name)
    num_trades: Mapped[int] = mapped_column(Int64)
    """Round trips that were closed."""
    num_wins: Mapped[int] = mapped_column(Int64)
    num_losses: Mapped[int] = mapped_column(Int64)
    gross_profit_usd: Mapped[float] = mapped_column(Float64)
    """What the trades that won made, after fees."""
    gross_loss_usd: Mapped[float] = mapped_column(Float64)
    """What those that lost lost, after fees; positive."""
    net_pnl_usd: Mapped[float] = mapped_column(Float64)
    """The one less the other."""
    fees_paid_usd: Mapped[float] = mapped_column(Float64)
    """Of the day's fills, in the account's currency."""
    max_drawdown_pct: Mapped[float | None] = mapped_column(Float64)
    """Positive; none where no equity was stored."""
    sharpe_ratio: Mapped[float | None] = mapped_column(Float64)
    """Of the daily returns up to this day; none for fewer than 60."""


class LiveState(Base):
    """What an account must find again after a restart, such as tripped breakers."""

    __tablename__ = "live_state"
    __table_args__ = STRICT | {"sqlite_with_rowid": False}

    account: Mapped[str] = mapped_column(Name, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    value_json: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[int] = mapped_column(Int64)
    checksum: Mapped[str] = mapped_column(Name)
    """Of all of the row (db.state_rows): no entry of a journal tells it."""


class LiveCommand(Base):
    """What a person, or a program on a person's behalf, told a running loop."""

    __tablename__ = "live_commands"
    __table_args__ = (Index("live_commands_waiting", "account", "taken_at"), STRICT)

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    account: Mapped[str] = mapped_column(Name)
    name: Mapped[str] = mapped_column(Name)
    argument: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Name)
    """Who said it: a user and host, or `llm`."""
    created_at: Mapped[int] = mapped_column(Int64)
    taken_at: Mapped[int | None] = mapped_column(Int64)
    outcome: Mapped[str | None] = mapped_column(Text)
