"""List saved backtests, or show one with its trades."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

EXAMPLES = """\
  show_runs.py
  show_runs.py --strategy TREND_EMA --limit 10
  show_runs.py 12 --trades 20
  show_runs.py 12 --json run12.json
"""
NEWEST = 50
"""Runs listed unless told."""
FIRST_TRADES = 20
"""Trades shown unless told."""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, print."""
    args = parse(argv)
    cli.check_free(args.json, force=args.force)
    db_url = cli.load_settings({"db.url": args.db_url}).db.url
    return show_one(args, db_url) if args.run_id is not None else show_all(args, db_url)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "run_id", nargs="?", type=cli.positive, metavar="RUN_ID", help="show this run (default: list)"
    )
    parser.add_argument("--limit", type=cli.positive, help="newest runs to list (default 50)")
    parser.add_argument("--symbol", type=cli.symbol, help="list runs on this symbol")
    parser.add_argument("--strategy", help="list runs of this strategy")
    parser.add_argument(
        "--trades", type=cli.positive, metavar="N", help="show the first N trades (default 20)"
    )
    parser.add_argument(
        "--json", metavar="PATH", help="write the run as a JSON document; - for stdout, alone"
    )
    cli.add_wide(parser)
    parser.add_argument("--force", action="store_true", help="overwrite that file if it exists")
    parser.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")
    args = parser.parse_args(argv)
    if args.run_id is None and (args.json or args.trades):
        parser.error("--json and --trades show one run: name its RUN_ID")
    if args.run_id is not None and (args.limit or args.symbol or args.strategy):
        parser.error("--limit, --symbol and --strategy choose from the list: leave them or RUN_ID out")
    return args


def show_all(args: argparse.Namespace, db_url: str | None) -> int:
    """Print one row per saved run, newest first."""
    from core.backtest_persistence import list_runs
    from core.reports.table import print_runs
    from strategies.registry import canonical_name

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
    from core.backtest_persistence import load_run
    from core.reports.document import as_json, stored_document
    from core.reports.table import print_stored_run

    run = load_run(args.run_id, db_url)
    if args.json:
        cli.write_output(args.json, as_json(stored_document(run)))
    if args.json != "-":
        print_stored_run(run, args.trades or FIRST_TRADES, wide=args.wide)
    return 0


if __name__ == "__main__":
    cli.run(main)
