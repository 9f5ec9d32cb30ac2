"""What show_runs.py shows: the saved backtests, or one of them with its trades."""

from __future__ import annotations

import argparse

from core import cli
from core.backtest_persistence import list_runs, load_run
from core.errors import RefusedError
from core.reports.document import as_json, stored_document
from core.reports.table import print_runs, print_stored_run
from core.sql_data_source import SQLDataSource
from strategies.registry import canonical_name

NEWEST = 50
"""Runs listed unless told."""
FIRST_TRADES = 20
"""Trades shown unless told."""


def run(args: argparse.Namespace) -> int:
    """Load, print."""
    cli.check_free(args.json, page=args.report, force=args.force)
    db_url = cli.load_settings({"db.url": args.db_url}, strategies_dir=args.strategies_dir).db.url
    return show_one(args, db_url) if args.run_id is not None else show_all(args, db_url)


def show_all(args: argparse.Namespace, db_url: str | None) -> int:
    """Print one row per saved run, newest first."""
    strategy = canonical_name(args.strategy) if args.strategy else None
    symbol = args.symbol
    runs = list_runs(db_url, limit=args.limit or NEWEST, symbol=symbol, strategy=strategy)
    if runs:
        print_runs(runs, wide=args.wide)
    else:
        which = " ".join(["", *filter(None, (strategy and f"of {strategy}", symbol and f"on {symbol}"))])
        print(f"no saved runs{which}: run_backtest.py --all --use-sql --persist saves some")
    return 0


def show_one(args: argparse.Namespace, db_url: str | None) -> int:
    """Print one run: what went in, what came out, every trade."""
    run = load_run(args.run_id, db_url)
    if args.json:
        cli.write_output(args.json, as_json(stored_document(run)))
    if args.report:
        write_page(run.run_id, args.report, db_url)
    if "-" not in (args.json, args.report):
        print_stored_run(run, args.trades or FIRST_TRADES, wide=args.wide)
    return 0


def write_page(run_id: int, path: str, db_url: str | None) -> None:
    """Write the page of a saved run, which is repeated for it: every bar's equity is not stored.

    Raises RefusedError when it does not come out as it was saved.
    """
    from core.cli.report_command import write_report
    from core.proof.rerun import rerun

    again = rerun(run_id, db_url)
    if again.difference is not None:
        raise RefusedError(
            f"run {run_id} comes out otherwise now ({again.difference}), so a page would show another run: "
            f"run_backtest.py --rerun {run_id} tells more"
        )
    series = again.stored.series
    write_report(path, [again.again], {series: again.bars}, SQLDataSource(db_url, series.exchange))
