"""Runs as aligned tables that never cut a number, on a terminal and in a pipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from typing import IO

from rich.console import Console
from rich.table import Table

from core.backtest_persistence import StoredRun
from core.figures import money, price, size
from core.results import NONE, BacktestResult, Summary, TradeRecord
from core.symbols import pair_of
from core.utils import format_time

HEADINGS = {
    "return_pct": "return %",
    "buy_hold_return_pct": "buy&hold %",
    "final_equity": "final equity",
    "max_drawdown_pct": "max dd %",
    "sharpe_ratio": "Sharpe",
    "sortino_ratio": "Sortino",
    "win_rate_pct": "win %",
    "profit_factor": "profit f.",
    "exposure_pct": "exposure %",
    "trades_count": "trades",
}
"""Fields of Summary in the order they are shown."""


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    title: str | None = None,
    file: IO[str] | None = None,
) -> None:
    """Print rows under headings; the first `left` columns are flush left, the rest flush right."""
    table = Table(box=None, title=title, title_justify="left", pad_edge=False, header_style="bold")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    out, text = file or sys.stdout, io.StringIO()
    # Wider than any table: a pipe has no width and a narrow terminal may wrap, neither may cost a digit.
    console = Console(
        file=text, width=500, force_terminal=out.isatty(), highlight=False, markup=False, emoji=False
    )
    console.print(table, crop=False)
    # Not printed by rich, which ends the program with 1 when the reader of a pipe (head) has enough.
    out.writelines(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def print_comparison(
    results: Sequence[BacktestResult], run_ids: Sequence[int] = (), *, file: IO[str] | None = None
) -> None:
    """Print one row per run, in the order given; with the ids under which they were saved, if they were."""
    headings = ["symbol", "timeframe", "strategy", *HEADINGS.values()]
    rows = [
        [r.spec.series.symbol, r.spec.series.timeframe, r.spec.strategy, *summary_cells(r.summary)]
        for r in results
    ]
    if run_ids:
        headings.append("run")
        rows = [[*row, str(run_id)] for row, run_id in zip(rows, run_ids, strict=True)]
    print_table(headings, rows, left=3, file=file)


def print_runs(runs: Iterable[StoredRun], *, file: IO[str] | None = None) -> None:
    """Print one row per saved run, in the order given."""
    headings = ["run", "saved (UTC)", "exchange", "symbol", "timeframe", "strategy", *HEADINGS.values()]
    rows = [
        [str(run.run_id), format_time(run.created_at), *run.series, run.strategy, *summary_cells(run.summary)]
        for run in runs
    ]
    print_table(headings, rows, left=6, file=file)


def print_stored_run(run: StoredRun, most: int | None = None, *, file: IO[str] | None = None) -> None:
    """Print what went into a saved run, what came out, and its trades, at most `most` of them."""
    out = file or sys.stdout
    out.write(f"run {run.run_id}: {run.strategy} on {run.series}, saved {format_time(run.created_at)} UTC\n")
    if run.spec and run.data:
        params = ", ".join(f"{name} {value:g}" for name, value in run.spec.params.items())
        span = f"{format_time(run.data.start)} to {format_time(run.data.end)} UTC"
        out.write(f"  parameters  {params}\n")
        out.write(
            f"  costs       commission {run.spec.costs.commission:g}, spread {run.spec.costs.spread:g}\n"
        )
        out.write(f"  cash        {money(run.spec.cash, pair_of(run.spec.series.symbol).quote)}\n")
        out.write(f"  candles     {run.data.bars:,}, {run.data.gaps:,} missing, {span}\n")
        out.write(f"  SHA-256     {run.data.sha256}\n")
        out.write(f"  made by     {run.engine}, code {run.code_version}\n")
    out.write("\n")
    print_table(list(HEADINGS.values()), [summary_cells(run.summary)], left=0, file=file)
    out.write("\n")
    shown = run.trades[:most]
    print_trades(shown, pair_of(run.series.symbol).quote, file=file)
    if len(shown) < len(run.trades):
        out.write(f"… and {len(run.trades) - len(shown):,} more trades\n")


def print_trades(trades: Iterable[TradeRecord], currency: str = "", *, file: IO[str] | None = None) -> None:
    """Print one row per trade."""
    headings = ["side", "entry (UTC)", "exit (UTC)", "reason", "size", "entry price", "exit price"]
    headings += ["pnl", "pnl %", "fees", "max dd %"]
    rows = [
        [
            trade.side,
            format_time(trade.entry_ts),
            format_time(trade.exit_ts),
            trade.reason,
            size(trade.size),
            price(trade.entry_price),
            price(trade.exit_price),
            money(trade.pnl, currency),
            number(trade.pnl_pct),
            money(trade.fees, currency),
            number(trade.max_dd_pct),
        ]
        for trade in trades
    ]
    print_table(headings, rows, left=4, file=file)


def summary_cells(summary: Summary) -> list[str]:
    """Return a summary's figures as text, in the order of HEADINGS."""
    return [_figure(name, getattr(summary, name)) for name in HEADINGS]


def _figure(name: str, value: float | None) -> str:
    return money(value) if name == "final_equity" and value is not None else number(value)


def number(value: float | None) -> str:
    """Return two decimals with thousands separated, a count as it is, `none` for None."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
