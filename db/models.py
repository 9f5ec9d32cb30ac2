"""The tables. Times are ms UTC; simulated money is float64. Orders have theirs in order_models."""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    TEXT,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeEngine

from db.declared import Base

# Tables are STRICT on SQLite, which otherwise stores 'abc' in a number's column. STRICT knows only
# INTEGER, REAL, TEXT and BLOB, and gives only INTEGER PRIMARY KEY the fast row id; PostgreSQL has to
# be asked for 64 bits.
Int64 = BigInteger().with_variant(Integer, "sqlite")
Float64: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
Name = String(64).with_variant(TEXT(), "sqlite")
STRICT = {"sqlite_strict": True}

# The last line of defence; core.candles.checks says the same with a reason per row. A comparison with
# NaN is never true, and 1e300 shuts out infinity.
SANE_CANDLE = """low > 0 AND open BETWEEN low AND high AND close BETWEEN low AND high AND high < 1e300
 AND volume >= 0 AND volume < 1e300"""


class SchemaInfo(Base):
    """One row: the version of these tables."""

    __tablename__ = "schema_info"
    __table_args__ = STRICT

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    version: Mapped[int] = mapped_column(Int64)
    created_at: Mapped[int] = mapped_column(Int64)


class OHLCV(Base):
    """One closed candle, stamped by its open time."""

    __tablename__ = "ohlcv"
    __table_args__ = (
        UniqueConstraint("exchange", "symbol", "timeframe", "ts"),
        CheckConstraint(SANE_CANDLE, name="sane"),
        STRICT,
    )

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    exchange: Mapped[str] = mapped_column(Name)
    symbol: Mapped[str] = mapped_column(Name)
    timeframe: Mapped[str] = mapped_column(Name)
    ts: Mapped[int] = mapped_column(Int64)
    open: Mapped[float] = mapped_column(Float64)
    high: Mapped[float] = mapped_column(Float64)
    low: Mapped[float] = mapped_column(Float64)
    close: Mapped[float] = mapped_column(Float64)
    volume: Mapped[float] = mapped_column(Float64)
    """Base units."""


class LoadedSeries(Base):
    """When a series of candles was last loaded; the candles themselves are in ohlcv."""

    __tablename__ = "candle_series"
    __table_args__ = STRICT

    exchange: Mapped[str] = mapped_column(Name, primary_key=True)
    symbol: Mapped[str] = mapped_column(Name, primary_key=True)
    timeframe: Mapped[str] = mapped_column(Name, primary_key=True)
    updated_at: Mapped[int | None] = mapped_column(Int64)
    """When a load last inserted or changed a candle."""
    checked_at: Mapped[int] = mapped_column(Int64)
    """When a load last happened, even if every candle was stored already."""
    source: Mapped[str] = mapped_column(Text)
    """What that load read: a file's name or the exchange's address."""


class CandleRevision(Base):
    """A name for the candles of a series as they are; triggers delete it when one of them changes.

    See db/candle_revisions.py. A series without one is a series that nobody keeps a copy of.
    """

    __tablename__ = "candle_revisions"
    __table_args__ = STRICT | {"sqlite_with_rowid": False}

    exchange: Mapped[str] = mapped_column(Name, primary_key=True)
    symbol: Mapped[str] = mapped_column(Name, primary_key=True)
    timeframe: Mapped[str] = mapped_column(Name, primary_key=True)
    revision: Mapped[str] = mapped_column(Name)
    """Random, so that it is never given twice."""
    rows: Mapped[int | None] = mapped_column(Int64)
    """How many candles there are, with their holes, if they were counted: see db/stored_series.py."""
    holes: Mapped[int | None] = mapped_column(Int64)
    missing: Mapped[int | None] = mapped_column(Int64)
    cookie: Mapped[int | None] = mapped_column(Int64)
    """The number of the schema when they were counted."""


class BacktestRun(Base):
    """One backtest: what went in, so that it can be repeated, and what came out.

    The columns after `stats_json` are empty for results that were stored by hand, without a RunSpec.
    """

    __tablename__ = "backtest_runs"
    __table_args__ = STRICT

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    created_at: Mapped[int] = mapped_column(Int64)
    exchange: Mapped[str] = mapped_column(Name)
    symbol: Mapped[str] = mapped_column(Name)
    timeframe: Mapped[str] = mapped_column(Name)
    strategy_name: Mapped[str] = mapped_column(Name)
    initial_cash: Mapped[float] = mapped_column(Float64)
    final_equity: Mapped[float] = mapped_column(Float64)
    max_drawdown_pct: Mapped[float] = mapped_column(Float64)
    """Positive percent of the peak."""
    sharpe_ratio: Mapped[float | None] = mapped_column(Float64)
    """By core.results.measures, none under 60 daily returns; Backtesting.py's without a `summary`."""
    trades_count: Mapped[int] = mapped_column(Int64)
    stats_json: Mapped[str] = mapped_column(Text)
    """All of Backtesting.py's statistics under their own names, the figures of core.results.measures as
    `summary`, and what is odd about the candles as `notes`."""
    params_json: Mapped[str | None] = mapped_column(Text)
    costs_json: Mapped[str | None] = mapped_column(Text)
    """commission and spread, as rates."""
    data_start: Mapped[int | None] = mapped_column(Int64)
    data_end: Mapped[int | None] = mapped_column(Int64)
    """Open times of the first and the last bar, both included."""
    data_bars: Mapped[int | None] = mapped_column(Int64)
    data_gaps: Mapped[int | None] = mapped_column(Int64)
    """Missing bars between the two."""
    data_sha256: Mapped[str | None] = mapped_column(Name)
    code_version: Mapped[str | None] = mapped_column(Name)
    engine: Mapped[str | None] = mapped_column(Name)

    trades: Mapped[list[BacktestTrade]] = relationship(
        back_populates="run", cascade="all, delete-orphan", order_by="BacktestTrade.id"
    )


class BacktestTrade(Base):
    """One closed round trip of a run."""

    __tablename__ = "backtest_trades"
    __table_args__ = STRICT

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    backtest_run_id: Mapped[int] = mapped_column(ForeignKey("backtest_runs.id"), index=True)
    symbol: Mapped[str] = mapped_column(Name)
    strategy_name: Mapped[str] = mapped_column(Name)
    side: Mapped[str] = mapped_column(Name)
    """LONG or SHORT."""
    size: Mapped[float] = mapped_column(Float64)
    """Base units, positive."""
    entry_ts: Mapped[int] = mapped_column(Int64)
    exit_ts: Mapped[int] = mapped_column(Int64)
    entry_price: Mapped[float] = mapped_column(Float64)
    """The spread is in it."""
    exit_price: Mapped[float] = mapped_column(Float64)
    pnl: Mapped[float] = mapped_column(Float64)
    """Quote currency, after commission on both sides."""
    pnl_pct: Mapped[float] = mapped_column(Float64)
    """`pnl` in percent of the entry notional."""
    fees: Mapped[float] = mapped_column(Float64)
    """Commission of both sides, quote currency; already taken out of `pnl`."""
    max_dd_pct: Mapped[float] = mapped_column(Float64)
    """Worst open loss on its bars, positive percent of the entry price."""
    reason: Mapped[str] = mapped_column(Name)
    """Why it ended: a lower-case name of core.domain.Reason."""

    run: Mapped[BacktestRun] = relationship(back_populates="trades")
