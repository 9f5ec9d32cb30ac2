"""What goes into a backtest and what comes out, independent of the engine that ran it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import pandas as pd

from core.bars import bars_sha256, count_gaps
from core.domain import Bars, Costs, FloatArray, Series
from core.utils import timeframe_ms

STATISTICS = (
    *("Start", "End", "Duration", "Exposure Time [%]"),
    *("Equity Final [$]", "Equity Peak [$]", "Commissions [$]", "Return [%]", "Buy & Hold Return [%]"),
    *("Return (Ann.) [%]", "Volatility (Ann.) [%]", "CAGR [%]"),
    *("Sharpe Ratio", "Sortino Ratio", "Calmar Ratio", "Alpha [%]", "Beta"),
    *("Max. Drawdown [%]", "Avg. Drawdown [%]", "Max. Drawdown Duration", "Avg. Drawdown Duration"),
    *("# Trades", "Win Rate [%]", "Best Trade [%]", "Worst Trade [%]", "Avg. Trade [%]"),
    *("Max. Trade Duration", "Avg. Trade Duration", "Profit Factor", "Expectancy [%]"),
    *("SQN", "Kelly Criterion"),
)
"""Names and order of BacktestResult.stats, which are Backtesting.py's; it leaves out commissions
if there were none."""

NONE = "none"
"""What is printed where there is nothing to compute from."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One backtest to run; with the same candles and code it gives the same trades."""

    series: Series
    strategy: str
    params: Mapping[str, float]
    costs: Costs
    cash: float


class DataRange(NamedTuple):
    """The candles a run saw."""

    start: int
    """Open time of the first bar, ms UTC."""
    end: int
    """Open time of the last bar, ms UTC."""
    bars: int
    gaps: int
    """Bars missing between the two."""
    sha256: str


class TradeRecord(NamedTuple):
    """One closed round trip. Prices and money in quote currency, size in base units, times ms UTC."""

    side: str
    """LONG or SHORT."""
    size: float
    """Positive."""
    entry_ts: int
    exit_ts: int
    entry_price: float
    """The spread is in it."""
    exit_price: float
    pnl: float
    """After commission on both sides."""
    pnl_pct: float
    """`pnl` in percent of the entry notional."""
    fees: float
    """Commission of both sides, already taken out of `pnl`."""
    max_dd_pct: float
    """Worst open loss on the trade's bars, positive percent of the entry price, before fees."""
    reason: str


class Summary(NamedTuple):
    """The figures of the comparison table; None where there is nothing to compute from."""

    final_equity: float
    return_pct: float
    buy_hold_return_pct: float
    max_drawdown_pct: float
    """Positive."""
    sharpe_ratio: float | None
    """Backtesting.py's: annual geometric return over compounded volatility."""
    sortino_ratio: float | None
    win_rate_pct: float | None
    profit_factor: float | None
    """Backtesting.py's: sum of winning over sum of losing percent returns."""
    exposure_pct: float
    trades_count: int


@dataclass(frozen=True)
class BacktestResult:
    """One finished run."""

    spec: RunSpec
    data: DataRange
    engine: str
    stats: pd.Series
    """Backtesting.py's statistics under their own names, scalars only."""
    make_trades: Callable[[], pd.DataFrame]
    """Returns what `trades` is; called once, when somebody looks at them."""
    equity: FloatArray
    """Equity at each bar's close."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Entries that were wanted and not made, counted by reason."""
    made_by: tuple[str, ...] = ()
    """The modules whose code made it: the engine's and the strategy's (core.version)."""

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Backtesting.py's trades table with `MaxDrawdownPct` (positive percent) and `Reason` added."""
        return self.make_trades()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets: the table made, since what makes it may hold all candles."""
        return {**vars(self), "trades": self.trades, "make_trades": partial(_itself, self.trades)}

    @property
    def summary(self) -> Summary:
        """Return the figures of the comparison table."""
        return summarise(self.stats)

    @property
    def records(self) -> tuple[TradeRecord, ...]:
        """Return the trades in the order they were closed."""
        return trade_records(self.trades)


def _itself(table: pd.DataFrame) -> pd.DataFrame:
    return table


def describe_data(bars: Bars, series: Series) -> DataRange:
    """Return range, count, gaps and fingerprint of bars; there must be at least one."""
    gaps = count_gaps(bars, timeframe_ms(series.timeframe))
    return DataRange(int(bars.ts[0]), int(bars.ts[-1]), int(bars.ts.size), gaps.missing, bars_sha256(bars))


def summarise(stats: pd.Series) -> Summary:
    """Return the table's figures from Backtesting.py's statistics."""
    return Summary(
        final_equity=float(stats["Equity Final [$]"]),
        return_pct=float(stats["Return [%]"]),
        buy_hold_return_pct=float(stats["Buy & Hold Return [%]"]),
        max_drawdown_pct=abs(float(stats["Max. Drawdown [%]"])),
        sharpe_ratio=finite_or_none(stats["Sharpe Ratio"]),
        sortino_ratio=finite_or_none(stats["Sortino Ratio"]),
        win_rate_pct=finite_or_none(stats["Win Rate [%]"]),
        profit_factor=finite_or_none(stats["Profit Factor"]),
        exposure_pct=float(stats["Exposure Time [%]"]),
        trades_count=int(stats["# Trades"]),
    )


def stats_text(stats: pd.Series) -> str:
    """Return Backtesting.py's statistics, one a line, `none` where there is nothing to compute from."""
    values = [NONE if _is_nothing(value) else value for value in stats]
    return str(pd.Series(values, index=stats.index, dtype=object).to_string())


def trade_records(trades: pd.DataFrame) -> tuple[TradeRecord, ...]:
    """Return one record per row of a completed trades table (BacktestResult.trades)."""
    columns = zip(
        trades["Size"].tolist(),
        _milliseconds(trades["EntryTime"]),
        _milliseconds(trades["ExitTime"]),
        trades["EntryPrice"].tolist(),
        trades["ExitPrice"].tolist(),
        trades["PnL"].tolist(),
        trades["ReturnPct"].tolist(),
        trades["Commission"].tolist(),
        trades["MaxDrawdownPct"].tolist(),
        trades["Reason"].tolist(),
        strict=True,
    )
    return tuple(
        TradeRecord("LONG" if size > 0 else "SHORT", abs(size), t0, t1, p0, p1, pnl, 100 * ret, fees, dd, why)
        for size, t0, t1, p0, p1, pnl, ret, fees, dd, why in columns
    )


def finite_or_none(value: object) -> float | None:
    """Return a number, or None for NaN, infinity and None itself."""
    number = float(value) if isinstance(value, int | float) else math.nan
    return number if math.isfinite(number) else None


def _is_nothing(value: object) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value))


def _milliseconds(times: pd.Series) -> list[int]:
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return [int(ms) for ms in times.to_numpy().astype("datetime64[ms]").astype("int64")]
