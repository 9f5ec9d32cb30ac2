"""One strategy on one series through the compiled kernel: the same result as Backtesting.py's, sooner."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
from backtesting._stats import compute_stats
from backtesting._util import _Indicator

from core.backtester import check_enough_bars, max_drawdown_pct, prepare_ohlcv_for_backtesting
from core.bars import frame_from_bars
from core.compiled import COMPILER
from core.domain import Bars, FloatArray, Reason, Refusal
from core.fills import (
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_BAR,
    EXIT_PRICE,
    FEES,
    PNL,
    REASON,
    REFUSED,
    RETURN,
    RUNG,
    SIZE,
    STOP,
    TAKE,
)
from core.kernel import simulate
from core.results import BacktestResult, RunSpec, describe_data
from strategies.registry import Strategy, load_strategy
from strategies.rule import warm_up

ENGINE = f"fast ({COMPILER})"


def run_fast(bars: Bars, spec: RunSpec) -> BacktestResult:
    """Run one strategy compiled; otherwise as core.backtester.run_backtest."""
    return simulate_fast(bars, spec, load_strategy(spec.strategy))


def simulate_fast(bars: Bars, spec: RunSpec, strategy: Strategy) -> BacktestResult:
    """Run a strategy that is at hand, compiled. Raises NoDataError, UsageError."""
    rule = strategy.rule
    params = rule.make_params(spec.params)
    check_enough_bars(bars, strategy, params)
    run = simulate(bars, rule, params, spec.cash, spec.costs)
    data = prepare_ohlcv_for_backtesting(frame_from_bars(bars))
    trades = trades_table(run.trades, data, bars)
    warmed = _warmed(warm_up(rule.columns(bars, params)), bars)
    with np.errstate(invalid="ignore"):
        stats: pd.Series = compute_stats(trades, run.curve, data, warmed)
    if spec.costs.commission and len(trades):
        stats["Commissions [$]"] = sum(trades["Commission"].tolist())
    return BacktestResult(
        spec=replace(spec, params=params._asdict()),
        data=describe_data(bars, spec.series),
        engine=ENGINE,
        stats=stats[[name for name in stats.index if not name.startswith("_")]],
        trades=trades,
        equity=run.curve,
        refusals=_refusals(run.book),
    )


def trades_table(trades: FloatArray, data: pd.DataFrame, bars: Bars) -> pd.DataFrame:
    """Return the kernel's trades as Backtesting.py's table, with `MaxDrawdownPct` and `Reason`."""
    entries, exits = trades[:, ENTRY_BAR].astype(np.int64), trades[:, EXIT_BAR].astype(np.int64)
    times = data.index.to_numpy()
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
    table["Tag"] = list(zip(entries - 1, trades[:, RUNG].astype(np.int64), strict=True))
    reasons = [Reason(int(reason)) for reason in trades[:, REASON]]
    rows = table.itertuples(index=False)
    table["MaxDrawdownPct"] = [
        max_drawdown_pct(row, reason, bars) for row, reason in zip(rows, reasons, strict=True)
    ]
    table["Reason"] = [reason.name.lower() for reason in reasons]
    return table


def _warmed(bars_to_wait: int, bars: Bars) -> SimpleNamespace:
    """Return what Backtesting.py takes for a strategy with this warm-up, when it looks for buy and hold."""
    column = np.ones(bars.close.size)
    column[:bars_to_wait] = np.nan
    return SimpleNamespace(warm_up=_Indicator(column, name="warm-up", scatter=False))


def _refusals(book: FloatArray) -> dict[str, int]:
    counts = {refusal.name.lower(): int(book[0, REFUSED + refusal]) for refusal in Refusal}
    return {name: count for name, count in counts.items() if count}
