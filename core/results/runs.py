"""What goes into a backtest and what comes out, independent of the engine that ran it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.candles.frames import bars_sha256, count_gaps
from core.candles.oddities import odd_bars
from core.domain import Bars, Costs, FloatArray, Series
from core.figures import NONE
from core.results.measures import Summary, as_summary, buy_and_hold, measure, span_of, too_short
from core.utils import format_time, timeframe_ms

if TYPE_CHECKING:
    import pandas as pd

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

PROTECTIONS = "protections"
"""Under which a document, and a saved run's extras, name those of a run."""
PARTNERS = "partners"
"""The same, those of the other series that a run looked at."""
DIFFERENCES = {
    "Duration": "to the last bar's open",
    "Buy & Hold Return [%]": "from the close after warm-up, no costs",
    "Return (Ann.) [%]": "holes cut out; 252 days if few weekends",
    "Volatility (Ann.) [%]": "of compounded returns, holes cut out",
    "CAGR [%]": "365.25 days a year",
    "Sharpe Ratio": "annual return over volatility, as above",
    "Sortino Ratio": "annual return, holes cut out",
    "Calmar Ratio": "annual return as above",
    "Alpha [%]": "against buy and hold as above",
    "Profit Factor": "of percent returns, not of money",
    "Expectancy [%]": "mean percent return of a trade",
}
"""Backtesting.py's statistics that are not what core.results.measures defines under a like name, and why."""

ANNUALISED = frozenset(
    (
        "Return (Ann.) [%]",
        "Volatility (Ann.) [%]",
        "CAGR [%]",
        "Sharpe Ratio",
        "Sortino Ratio",
        "Calmar Ratio",
    )
)
"""Those that say something of a year."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One backtest to run; with the same candles and code it gives the same trades."""

    series: Series
    strategy: str
    params: Mapping[str, float]
    costs: Costs
    cash: float
    protections: Mapping[str, Any] = field(default_factory=dict)
    """Limits of core.risk.limits.PROTECTIONS by name; none for a backtest without."""


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
    notes: tuple[str, ...] = ()
    """What is odd about them, one line each (core.candles.oddities)."""


class LookedAt(NamedTuple):
    """The candles of another series that a run looked at."""

    series: Series
    data: DataRange
    covered: int
    """At how many of the run's own closes its newest candle was there."""
    is_ranked: bool
    """One of the universe that the run's own symbol is ranked among; else a partner."""


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


@dataclass(frozen=True)
class BacktestResult:
    """One finished run."""

    spec: RunSpec
    data: DataRange
    engine: str
    figures: Mapping[str, Any]
    """Backtesting.py's statistics under their own names: numbers, times, durations (None for none)."""
    summary: Summary
    """The figures that a person reads."""
    make_trades: Callable[[], pd.DataFrame]
    """Returns what `trades` is; called once, when somebody looks at them."""
    equity: FloatArray
    """Equity at each bar's close."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Entries that were wanted and not made, counted by reason."""
    endings: Mapping[str, int] = field(default_factory=dict)
    """Trades, counted by why they ended, in the order of the first of each."""
    bounds: Mapping[str, int] = field(default_factory=dict)
    """Entries ordered, counted by what their size was bound by (core.domain.Bound)."""
    made_by: tuple[str, ...] = ()
    """The modules whose code made it: the engine's and the strategy's (core.version)."""
    partners: tuple[LookedAt, ...] = ()
    """What else its strategy looked at."""

    @cached_property
    def stats(self) -> pd.Series:
        """Backtesting.py's statistics as it presents them, scalars only."""
        return presented(self.figures)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Backtesting.py's trades table with `MaxDrawdownPct` (positive percent) and `Reason` added."""
        return self.make_trades()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets: the table made, since what makes it may hold all candles."""
        return {**vars(self), "trades": self.trades, "make_trades": partial(_itself, self.trades)}

    @property
    def records(self) -> tuple[TradeRecord, ...]:
        """Return the trades in the order they were closed."""
        return trade_records(self.trades)

    @property
    def extras(self) -> dict[str, Any]:
        """Return what documents and saved runs hold of it besides figures and trades, as plain values."""
        entries: dict[str, Any] = {"bound_by": dict(self.bounds), "refused": dict(self.refusals)}
        protections = {PROTECTIONS: dict(self.spec.protections)} if self.spec.protections else {}
        others = {PARTNERS: [_as_extra(one) for one in self.partners]} if self.partners else {}
        return {"entries": entries, **others, **protections}


def _as_extra(one: LookedAt) -> dict[str, Any]:
    span = {name: value for name, value in one.data._asdict().items() if name != "notes"}
    named = {"symbol": one.series.symbol, "timeframe": one.series.timeframe, "ranked": one.is_ranked}
    return {**named, **span, "covered": one.covered}


def presented(figures: Mapping[str, Any]) -> pd.Series:
    """Return figures of a run as Backtesting.py presents its statistics."""
    import pandas as pd

    return pd.Series({name: _in_pandas(value) for name, value in figures.items()}, dtype=object)


def _in_pandas(value: object) -> object:
    import pandas as pd

    if isinstance(value, datetime):
        return pd.Timestamp(value)
    if isinstance(value, timedelta):
        return pd.Timedelta(value)
    return pd.NaT if value is None else value


def _itself(table: pd.DataFrame) -> pd.DataFrame:
    return table


def summary_of(
    bars: Bars, spec: RunSpec, equity: FloatArray, pnl: FloatArray, stats: Mapping[str, Any]
) -> Summary:
    """Return the figures of a run that a person reads.

    `equity` at each close, `pnl` of each closed trade; `stats` are Backtesting.py's, whose drawdown and
    exposure are by the same definition.
    """
    span = span_of(bars.ts + timeframe_ms(spec.series.timeframe))
    drawdown, exposure = abs(stats["Max. Drawdown [%]"]), stats["Exposure Time [%]"]
    return as_summary(measure(span, equity, pnl, buy_and_hold(bars, spec.costs), drawdown, exposure))


def coverage_lines(strategy: str, symbol: str, bars: int, found: Sequence[LookedAt]) -> list[str]:
    """Return a line on the candles of each partner, and one on those of the universe, where there are any."""
    head, own = f"{strategy} on {symbol}", f"of its own {bars:,}"
    lines = [
        f"{head} looks at {one.series.symbol} {one.series.timeframe}: {one.data.bars:,} bars, "
        f"{format_time(one.data.start)} to {format_time(one.data.end)} UTC, known at {one.covered:,} {own}; "
        "where over a bar old it says nothing"
        for one in found
        if not one.is_ranked
    ]
    if ranked := [f"{one.series.symbol} at {one.covered:,}" for one in found if one.is_ranked]:
        lines.append(f"{head} is ranked among {', '.join(ranked)} {own}; whose bar is missing takes no part")
    return lines


def summary_of_stats(
    stats: pd.Series | Mapping[str, Any], trades: pd.DataFrame | None = None, timeframe: str | None = None
) -> Summary:
    """Return what Backtesting.py's statistics alone say of the figures that a person reads.

    Final equity, return, drawdown, win rate, exposure and number of trades are by the same definitions. Its
    `_equity_curve`, with a timeframe and a table of trades, adds all but buy and hold. What is not known
    is None.
    """
    summary = Summary(
        final_equity=float(stats["Equity Final [$]"]),
        return_pct=float(stats["Return [%]"]),
        buy_hold_return_pct=None,
        annual_return_pct=None,
        volatility_pct=None,
        max_drawdown_pct=abs(float(stats["Max. Drawdown [%]"])),
        sharpe_ratio=None,
        sortino_ratio=None,
        calmar_ratio=None,
        win_rate_pct=finite_or_none(stats["Win Rate [%]"]),
        profit_factor=None,
        exposure_pct=float(stats["Exposure Time [%]"]),
        trades_count=int(stats["# Trades"]),
        daily_returns=None,
    )
    curve = stats.get("_equity_curve")
    if trades is None or timeframe is None or curve is None:
        return summary
    closes = np.array(_milliseconds(curve.index.to_series())) + timeframe_ms(timeframe)
    equity, pnl = curve["Equity"].to_numpy(np.float64), trades["PnL"].to_numpy(np.float64)
    shares = summary.max_drawdown_pct, float(stats["Exposure Time [%]"])
    measured = as_summary(measure(span_of(closes), equity, pnl, math.nan, *shares))
    return summary._replace(
        **{name: value for name, value in measured._asdict().items() if getattr(summary, name) is None}
    )


def describe_data(bars: Bars, series: Series) -> DataRange:
    """Return range, count, gaps, fingerprint and oddities of bars; there must be at least one."""
    step = timeframe_ms(series.timeframe)
    return DataRange(
        start=int(bars.ts[0]),
        end=int(bars.ts[-1]),
        bars=int(bars.ts.size),
        gaps=count_gaps(bars, step).missing,
        sha256=bars_sha256(bars),
        notes=odd_bars(bars, step),
    )


def stats_text(stats: pd.Series | Mapping[str, Any], currency: str, days: int | None = None) -> str:
    """Return Backtesting.py's statistics, one a line, with what differs from the figures of the same kind.

    `none` stands where there is nothing to compute from, and for a year's figures of fewer `days`, daily
    returns, than tell one: three good days compounded over a year are millions of percent. Its `[$]` is the
    currency of the account.
    """
    values = {str(name): NONE if _is_nothing(value) else _shown(value) for name, value in stats.items()}
    notes = dict(DIFFERENCES)
    if why := too_short(days):
        values |= dict.fromkeys(ANNUALISED & values.keys(), NONE)
        notes |= dict.fromkeys(ANNUALISED, why)
    width = max(map(len, values.values()))
    lines = ["Backtesting.py's figures, by its own definitions where a line says so:"]
    lines += [
        f"{name.replace('[$]', f'[{currency}]'):<22}  {value:>{width}}  {notes.get(name, '')}".rstrip()
        for name, value in values.items()
    ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def duration_text(duration: timedelta) -> str:
    """Return `3 days 04:05:06`, as pandas writes it."""
    minutes, seconds = divmod(duration.seconds, 60)
    rest = f".{duration.microseconds:06}" if duration.microseconds else ""
    return f"{duration.days} days {minutes // 60:02}:{minutes % 60:02}:{seconds:02}{rest}"


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
    # NaN and pandas' NaT are not equal to themselves.
    return value is None or value != value or (isinstance(value, float) and math.isinf(value))  # noqa: PLR0124


def _milliseconds(times: pd.Series) -> list[int]:
    if getattr(times.dtype, "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return [int(ms) for ms in times.to_numpy().astype("datetime64[ms]").astype("int64")]
