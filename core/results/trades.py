"""Closed trades as Backtesting.py's table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from core.domain import REASON_WORDS, Bars, FloatArray, IntArray, Reason
from core.errors import UsageError
from core.fills import (
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_BAR,
    EXIT_PRICE,
    FEES,
    PNL,
    REASON,
    RETURN,
    RUNG,
    SIZE,
    STOP,
    TAKE,
)

if TYPE_CHECKING:
    import pandas as pd


def trades_table(trades: FloatArray, bars: Bars) -> pd.DataFrame:
    """Return trades laid out as in core.fills as Backtesting.py's table, complete (core.results.runs)."""
    # Here: who only wants the figures of a run needs no table, nor the time to import pandas.
    import pandas as pd

    entries, exits = trades[:, ENTRY_BAR].astype(np.int64), trades[:, EXIT_BAR].astype(np.int64)
    times = bars.ts.astype("datetime64[ms]")
    table = pd.DataFrame(
        {
            "Size": trades[:, SIZE],
            "EntryBar": entries,
            "ExitBar": exits,
            "EntryPrice": trades[:, ENTRY_PRICE],
            "ExitPrice": trades[:, EXIT_PRICE],
            "SL": trades[:, STOP],
            "TP": trades[:, TAKE],
            "PnL": trades[:, PNL],
            "Commission": trades[:, FEES],
            "ReturnPct": trades[:, RETURN],
            "EntryTime": times[entries],
            "ExitTime": times[exits],
        }
    )
    table["Duration"] = table["ExitTime"] - table["EntryTime"]
    rungs = trades[:, RUNG].astype(np.int64).tolist()
    table["Tag"] = list(zip((entries - 1).tolist(), rungs, strict=True))
    return completed(table, trades[:, REASON].astype(np.int64), bars)


def count_endings(trades: FloatArray) -> dict[str, int]:
    """Count trades laid out as in core.fills by why they ended, in the order of the first of each."""
    codes, firsts, counts = np.unique(trades[:, REASON], return_index=True, return_counts=True)
    return {REASON_WORDS[int(codes[k])]: int(counts[k]) for k in firsts.argsort()}


def completed(table: pd.DataFrame, reasons: IntArray, bars: Bars) -> pd.DataFrame:
    """Return Backtesting.py's trades table with `MaxDrawdownPct` and `Reason` added."""
    drawdowns = max_drawdowns_pct(table, reasons, bars)
    return table.assign(MaxDrawdownPct=drawdowns, Reason=[REASON_WORDS[code] for code in reasons.tolist()])


def completed_by_hand(table: pd.DataFrame, stats: pd.Series) -> pd.DataFrame:
    """Return a trades table of plain Backtesting.py completed alike, from the candles that `stats` keep.

    Without them a trade is as deep under water as its exit. Raises UsageError when trades have no times.
    """
    import pandas as pd

    if {"MaxDrawdownPct", "Reason", "Commission"} <= set(table):
        return table
    if len(table) and not pd.api.types.is_datetime64_any_dtype(table["EntryTime"]):
        raise UsageError(
            f"trades are stored by their times, these have {table['EntryTime'].iloc[0]}: "
            "run the backtest on candles with a DatetimeIndex"
        )
    table = table if "Commission" in table else table.assign(Commission=0.0)
    rows: list[Any] = list(table.itertuples(index=False))
    reasons = np.array([protective_exit(row, row.SL) or Reason.RULE for row in rows], np.int64)
    runner = stats.get("_strategy")
    if runner is None:
        size, entry = table["Size"].to_numpy(np.float64), table["EntryPrice"].to_numpy(np.float64)
        loss = np.maximum(0.0, np.sign(size) * (entry - table["ExitPrice"].to_numpy(np.float64)))
        return table.assign(
            MaxDrawdownPct=loss / entry * 100, Reason=[REASON_WORDS[code] for code in reasons]
        )
    return completed(table, reasons, _bars_of(runner, table))


def protective_exit(row: Any, first_stop: float) -> Reason:
    """Return STOP, TRAIL or TAKE if one of them explains the exit price, else NONE."""
    side = 1 if row.Size > 0 else -1
    # A stop fills at its price or worse, a take at its price or better; a missing one is NaN or None.
    if row.SL and side * (row.ExitPrice - row.SL) <= 0:
        return Reason.STOP if first_stop == row.SL else Reason.TRAIL
    return Reason.TAKE if row.TP and side * (row.ExitPrice - row.TP) >= 0 else Reason.NONE


def _bars_of(runner: Any, table: pd.DataFrame) -> Bars:
    """Return the candles that a Strategy of Backtesting.py ran on, at the prices of its trades."""
    data = runner.data.df
    opens, unit = data["Open"].to_numpy(np.float64), getattr(runner, "unit", 1.0)
    if len(table) and unit == 1.0:
        # FractionalBacktest multiplies prices by a unit that it keeps to itself, a power of ten by default.
        ratio = opens[table["EntryBar"].iloc[0]] / table["EntryPrice"].iloc[0]
        unit = 10.0 ** round(math.log10(ratio))
    high, low, close = (data[name].to_numpy(np.float64) / unit for name in ("High", "Low", "Close"))
    return Bars(np.zeros(opens.size, np.int64), opens / unit, high, low, close, np.zeros(opens.size))


def max_drawdowns_pct(table: pd.DataFrame, reasons: IntArray, bars: Bars) -> FloatArray:
    """Return the worst open loss of each trade in percent of its entry price, positive.

    Whole bars up to the exit bar; on that one an exit at the open saw the open only, a stop its own fill.
    """
    entries, exits = table["EntryBar"].to_numpy(np.int64), table["ExitBar"].to_numpy(np.int64)
    entry, exit_ = table["EntryPrice"].to_numpy(np.float64), table["ExitPrice"].to_numpy(np.float64)
    at_the_open = (reasons == Reason.TAKE) & (exit_ == bars.open[exits])
    to_the_end = np.isin(reasons, (Reason.TAKE, Reason.END, Reason.RUIN)) & ~at_the_open
    spans = np.column_stack([entries, exits + to_the_end])
    lowest = np.fmin(_over(np.minimum, bars.low, spans), exit_)
    highest = np.fmax(_over(np.maximum, bars.high, spans), exit_)
    loss = np.where(table["Size"].to_numpy(np.float64) > 0, entry - lowest, highest - entry)
    worst: FloatArray = np.maximum(0.0, loss) / entry * 100
    return worst


def _over(fold: np.ufunc, prices: FloatArray, spans: IntArray) -> FloatArray:
    """Fold the prices of each span of bars (from, to before); NaN where a span is empty."""
    # The end of a span may be the length, which must be an index here.
    found = fold.reduceat(np.append(prices, np.nan), spans.ravel())[::2]
    return np.where(spans[:, 1] > spans[:, 0], found, np.nan)
