"""Runs as aligned tables that never cut a number, on a terminal and in a pipe."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table

from core.figures import NONE, amount, money, price, size
from core.results.measures import ANNUAL, NO_TRADES, Summary, reasons
from core.symbols import pair_of
from core.utils import format_time

if TYPE_CHECKING:
    # A table is also shown where nothing is computed, which needs no data frames.
    from core.backtest_persistence import StoredRun
    from core.results.runs import BacktestResult, TradeRecord

WIDTH = 100
"""Characters that a table takes at most; COLUMNS in the environment sets another number."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that would move the cursor or colour the screen; names in a database may hold them."""
NARROWEST = 16
"""Characters to which a column of text is narrowed at most, before lines wrap."""

HEADINGS = {
    "return_pct": "return %",
    "buy_hold_return_pct": "buy&hold %",
    "annual_return_pct": "annual %",
    "final_equity": "final equity",
    "max_drawdown_pct": "max dd %",
    "volatility_pct": "vol %",
    "sharpe_ratio": "Sharpe",
    "sortino_ratio": "Sortino",
    "calmar_ratio": "Calmar",
    "win_rate_pct": "win %",
    "profit_factor": "profit f.",
    "exposure_pct": "exposure %",
    "trades_count": "trades",
    "daily_returns": "days",
}
"""Fields of Summary in the order they are shown."""

ACCOUNT = (*ANNUAL, "win_rate_pct", "profit_factor", "trades_count", "daily_returns")
"""Those of an account, besides what a line says."""

SPARE = (
    "days",
    "vol %",
    "exposure %",
    "Calmar",
    "final equity",
    "win %",
    "Sortino",
    "annual %",
    "buy&hold %",
)
"""Those that are left out where there is no room, the first one first."""


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    title: str | None = None,
    spare: Sequence[str] = (),
    wraps: Container[str] = (),
    wide: bool = False,
    file: IO[str] | None = None,
) -> list[str]:
    """Print rows under headings; the first `left` columns are flush left, the rest flush right.

    A table wider than `room()` leaves columns out in the order of `spare`, which it says, and then breaks the
    text of the columns in `wraps` into lines. No number is ever cut. `wide`: all columns, however long.
    Returns the columns that were left out.
    """
    cells = [[CONTROL.sub("?", cell) for cell in row] for row in rows]
    widths = _widths(headings, cells)
    omitted = [] if wide else omitted_columns(widths, spare)
    shown = {heading: width for heading, width in widths.items() if heading not in omitted}
    fitted = shown if wide else _narrowed(shown, wraps)
    table = Table(box=None, title=title, title_justify="left", pad_edge=False, header_style="bold")
    for i, heading in enumerate(headings):
        if heading in fitted:
            side: JustifyMethod = "left" if i < left else "right"
            table.add_column(heading, justify=side, width=fitted[heading], no_wrap=heading not in wraps)
    kept = [i for i, heading in enumerate(headings) if heading in fitted]
    for row in cells:
        table.add_row(*(row[i] for i in kept))
    _write(table, file or sys.stdout)
    if omitted:
        names = ", ".join(heading for heading in headings if heading in omitted)
        (file or sys.stdout).write(textwrap.fill(f"(--wide shows {names} too)", room()) + "\n")
    return omitted


def fits(headings: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str] = ()) -> bool:
    """Tell whether a table fits `room()`, if need be without the columns in `spare`."""
    widths = _widths(headings, rows)
    omitted = omitted_columns(widths, spare)
    return _width({name: width for name, width in widths.items() if name not in omitted}) <= room()


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    return {
        heading: max(map(cell_len, (heading, *(row[i] for row in rows))))
        for i, heading in enumerate(headings)
    }


def room() -> int:
    """Return the characters that a line may have: COLUMNS, else those of the terminal and 100 at most."""
    given = os.environ.get("COLUMNS", "")
    if re.fullmatch("[1-9][0-9]{0,3}", given):
        return int(given)
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


def omitted_columns(widths: Mapping[str, int], spare: Sequence[str]) -> list[str]:
    """Return the columns that have to go, so that the others fit if they can."""
    left, omitted = dict(widths), []
    for heading in spare:
        if _width(left) <= room():
            break
        if left.pop(heading, None) is not None:
            omitted.append(heading)
    return omitted


def _narrowed(widths: Mapping[str, int], wraps: Container[str]) -> dict[str, int]:
    """Return widths with which the table fits, as far as the columns whose text may break allow it."""
    fitted = dict(widths)
    while _width(fitted) > room():
        texts = [heading for heading in fitted if heading in wraps and fitted[heading] > NARROWEST]
        if not texts:
            break
        fitted[max(texts, key=lambda heading: fitted[heading])] -= 1
    return fitted


def _width(widths: Mapping[str, int]) -> int:
    # Two spaces between columns.
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _write(table: Table, out: IO[str]) -> None:
    text = io.StringIO()
    # Wider than any table: it was made to fit before, where it can.
    console = Console(
        file=text, width=500, force_terminal=out.isatty(), highlight=False, markup=False, emoji=False
    )
    console.print(table, crop=False)
    # Not printed by rich, which ends the program with 1 when the reader of a pipe (head) has enough.
    out.writelines(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def print_comparison(
    results: Sequence[BacktestResult],
    run_ids: Sequence[int] = (),
    *,
    wide: bool = False,
    file: IO[str] | None = None,
) -> None:
    """Print one row per run, in the order given; with the ids under which they were saved, if they were."""
    headings = ["symbol", "tf", "strategy", *HEADINGS.values()]
    rows = [
        [r.spec.series.symbol, r.spec.series.timeframe, r.spec.strategy, *summary_cells(r.summary)]
        for r in results
    ]
    if run_ids:
        headings.append("run")
        rows = [[*row, str(run_id)] for row, run_id in zip(rows, run_ids, strict=True)]
    omitted = print_table(headings, rows, left=3, spare=SPARE, wide=wide, file=file)
    _print_reasons([result.summary for result in results], file, omitted)


def print_runs(runs: Sequence[StoredRun], *, wide: bool = False, file: IO[str] | None = None) -> None:
    """Print one row per saved run, in the order given."""
    headings = ["run", "saved (UTC)", "exchange", "symbol", "tf", "strategy", *HEADINGS.values()]
    rows = [
        [str(run.run_id), format_time(run.created_at), *run.series, run.strategy, *summary_cells(run.summary)]
        for run in runs
    ]
    spare = (*SPARE, "profit f.", "saved (UTC)", "max dd %")
    omitted = print_table(headings, rows, left=6, spare=spare, wide=wide, file=file)
    _print_reasons([run.summary for run in runs], file, omitted)


def print_account(summary: Summary, *, file: IO[str] | None = None) -> None:
    """Print the figures of an account on which several strategies traded."""
    headings = [HEADINGS[name] for name in ACCOUNT]
    print_table(headings, [[number(getattr(summary, name)) for name in ACCOUNT]], left=0, file=file)
    _print_reasons([summary], file, [HEADINGS[name] for name in HEADINGS if name not in ACCOUNT])


def _print_reasons(summaries: Iterable[Summary], file: IO[str] | None, omitted: Sequence[str]) -> None:
    """Print why figures are none, one line per reason; nothing of columns that are not shown."""
    figures: dict[str, list[str]] = {}
    for summary in summaries:
        for name, reason in reasons(summary).items():
            named = figures.setdefault(reason, [])
            if HEADINGS[name] not in (*named, *omitted):
                named.append(HEADINGS[name])
    for reason, shown in figures.items():
        if shown and reason != NO_TRADES:
            line = f"{NONE}: {reason}: {', '.join(shown)}"
            (file or sys.stdout).write(textwrap.fill(line, room(), subsequent_indent="  ") + "\n")


def print_stored_run(
    run: StoredRun, most: int | None = None, *, wide: bool = False, file: IO[str] | None = None
) -> None:
    """Print what went into a saved run, what came out, and its trades, the first `most` of them."""
    out = file or sys.stdout
    out.write(f"run {run.run_id}: {run.strategy} on {run.series}, saved {format_time(run.created_at)} UTC\n")
    if run.spec and run.data:
        params = ", ".join(f"{name} {value:g}" for name, value in run.spec.params.items())
        span = f"{format_time(run.data.start)} to {format_time(run.data.end)} UTC"
        out.write(textwrap.fill(f"  parameters  {params}", room(), subsequent_indent=" " * 14) + "\n")
        out.write(
            f"  costs       commission {run.spec.costs.commission:g}, spread {run.spec.costs.spread:g}\n"
        )
        out.write(f"  cash        {amount(run.spec.cash, pair_of(run.spec.series.symbol).quote)}\n")
        out.write(f"  candles     {run.data.bars:,}, {run.data.gaps:,} missing, {span}\n")
        for note in run.data.notes:
            out.write(textwrap.fill(f"  note        {note}", room(), subsequent_indent=" " * 14) + "\n")
        out.write(f"  SHA-256     {run.data.sha256}\n")
        out.write(f"  made by     {run.engine}, code {run.code_version}\n")
    out.write("\n")
    cells = [summary_cells(run.summary)]
    omitted = print_table(list(HEADINGS.values()), cells, left=0, spare=SPARE, wide=wide, file=file)
    _print_reasons([run.summary], file, omitted)
    out.write("\n")
    shown = run.trades[:most]
    print_trades(shown, pair_of(run.series.symbol).quote, wide=wide, file=file)
    if len(shown) < len(run.trades):
        more = f"… and {len(run.trades) - len(shown):,} more trades"
        out.write(f"{more}: --trades {len(run.trades)} shows all\n")


def print_trades(
    trades: Iterable[TradeRecord], currency: str = "", *, wide: bool = False, file: IO[str] | None = None
) -> None:
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
    print_table(headings, rows, left=4, spare=("max dd %", "fees", "pnl %"), wide=wide, file=file)


def summary_cells(summary: Summary) -> list[str]:
    """Return a summary's figures as text, in the order of HEADINGS."""
    return [_figure(name, getattr(summary, name)) for name in HEADINGS]


def _figure(name: str, value: float | None) -> str:
    return money(value) if name == "final_equity" and value is not None else number(value)


def number(value: float | None) -> str:
    """Return two decimals with thousands separated, a count as it is, `none` for None and NaN, `∞`."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
