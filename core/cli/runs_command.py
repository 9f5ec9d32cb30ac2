"""What show_runs.py shows: the saved backtests, or some of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from core import cli
from core.backtest_persistence import list_runs, load_run
from core.errors import RefusedError
from core.reports.document import as_json, stored_document
from core.reports.table import print_runs, print_stored_run
from strategies.registry import canonical_name

NEWEST = 50
"""Runs listed unless told."""
FIRST_TRADES = 20
"""Trades shown unless told."""


def run(args: argparse.Namespace) -> int:
    """Load, print."""
    cli.check_free(args.json, page=args.report, force=args.force)
    db_url = cli.load_settings({"db.url": args.db_url}, strategies_dir=args.strategies_dir).db.url
    return show_named(args, db_url) if args.run_id else show_all(args, db_url)


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


def show_named(args: argparse.Namespace, db_url: str | None) -> int:
    """Print one run (what went in, what came out, its trades), or several, a row each."""
    runs = [load_run(run_id, db_url) for run_id in args.run_id]
    if args.json:
        documents = [stored_document(run)["runs"] for run in runs]
        cli.write_output(args.json, as_json({"runs": [entry for entries in documents for entry in entries]}))
    if args.report:
        write_page(args.run_id, args.report, db_url)
    if "-" in (args.json, args.report):
        return 0
    if len(runs) > 1:
        print_runs(runs, wide=args.wide)
    else:
        print_stored_run(runs[0], args.trades or FIRST_TRADES, wide=args.wide)
    return 0


def write_page(run_ids: Sequence[int], path: str, db_url: str | None) -> None:
    """Write the page of saved runs, which are repeated for it: every bar's equity is not stored.

    Raises RefusedError when one does not come out as it was saved.
    """
    from core.cli.report_command import write_saved
    from core.proof.rerun import rerun

    found = [rerun(run_id, db_url) for run_id in run_ids]
    for one in found:
        if one.difference is not None:
            run_id = one.stored.run_id
            raise RefusedError(
                f"run {run_id} comes out otherwise now ({one.difference}), so a page would show another run: "
                f"run_backtest.py --rerun {run_id} tells more"
            )
    write_saved(path, found, db_url)
