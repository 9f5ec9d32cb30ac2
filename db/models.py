"""The tables. Times are ms UTC; simulated money is float64."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.base import Base

# SQLite gives only INTEGER PRIMARY KEY the fast row id; PostgreSQL wants a 64-bit one.
Id = BigInteger().with_variant(Integer, "sqlite")


class OHLCV(Base):
    """One closed candle, stamped by its open time."""

    __tablename__ = "ohlcv"
    __table_args__ = (UniqueConstraint("exchange", "symbol", "timeframe", "ts"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    exchange: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(String(64))
    timeframe: Mapped[str] = mapped_column(String(8))
    ts: Mapped[int] = mapped_column(BigInteger)
    open: Mapped[float] = mapped_column(Float)
    high: Mapped[float] = mapped_column(Float)
    low: Mapped[float] = mapped_column(Float)
    close: Mapped[float] = mapped_column(Float)
    volume: Mapped[float] = mapped_column(Float)


class BacktestRun(Base):
    """One backtest: what went in, so that it can be repeated, and what came out."""

    __tablename__ = "backtest_runs"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    created_at: Mapped[int] = mapped_column(BigInteger)
    exchange: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(String(64))
    timeframe: Mapped[str] = mapped_column(String(8))
    strategy_name: Mapped[str] = mapped_column(String(64))
    initial_cash: Mapped[float] = mapped_column(Float)
    final_equity: Mapped[float] = mapped_column(Float)
    max_drawdown_pct: Mapped[float] = mapped_column(Float)
    """Positive percent of the peak."""
    sharpe_ratio: Mapped[float | None] = mapped_column(Float)
    """Backtesting.py's definition; none when there was no variation to divide by."""
    trades_count: Mapped[int] = mapped_column(Integer)
    stats_json: Mapped[str] = mapped_column(Text)
    """All of Backtesting.py's statistics under their own names."""
    params_json: Mapped[str] = mapped_column(Text)
    costs_json: Mapped[str] = mapped_column(Text)
    """commission and spread, as rates."""
    data_start: Mapped[int] = mapped_column(BigInteger)
    data_end: Mapped[int] = mapped_column(BigInteger)
    """Open times of the first and the last bar, both included."""
    data_bars: Mapped[int] = mapped_column(Integer)
    data_gaps: Mapped[int] = mapped_column(Integer)
    """Missing bars between the two."""
    data_sha256: Mapped[str] = mapped_column(String(64))
    code_version: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(64))

    trades: Mapped[list[BacktestTrade]] = relationship(
        back_populates="run", cascade="all, delete-orphan", order_by="BacktestTrade.id"
    )


class BacktestTrade(Base):
    """One closed round trip of a run."""

    __tablename__ = "backtest_trades"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    backtest_run_id: Mapped[int] = mapped_column(ForeignKey("backtest_runs.id"), index=True)
    symbol: Mapped[str] = mapped_column(String(64))
    strategy_name: Mapped[str] = mapped_column(String(64))
    side: Mapped[str] = mapped_column(String(5))
    """LONG or SHORT."""
    size: Mapped[float] = mapped_column(Float)
    """Base units, positive."""
    entry_ts: Mapped[int] = mapped_column(BigInteger)
    exit_ts: Mapped[int] = mapped_column(BigInteger)
    entry_price: Mapped[float] = mapped_column(Float)
    """The spread is in it."""
    exit_price: Mapped[float] = mapped_column(Float)
    pnl: Mapped[float] = mapped_column(Float)
    """Quote currency, after commission on both sides."""
    pnl_pct: Mapped[float] = mapped_column(Float)
    """`pnl` in percent of the entry notional."""
    fees: Mapped[float] = mapped_column(Float)
    """Commission of both sides, quote currency; already taken out of `pnl`."""
    max_dd_pct: Mapped[float] = mapped_column(Float)
    """Worst open loss on its bars, positive percent of the entry price."""
    reason: Mapped[str] = mapped_column(String(16))
    """Why it ended: a lower-case name of core.domain.Reason."""

    run: Mapped[BacktestRun] = relationship(back_populates="trades")
