"""Explain a saved run's trades: what finer candles say of each, or what another run or an account did
instead."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  explain.py 12                          where stop and take lay in one bar, by stored 1m candles
  explain.py 12 --detail 5m --trades 100
  explain.py 12 --against 13             two runs, trade by trade
  explain.py 12 --against paper          a run and what an account did
  explain.py 12 --json why.json
"""
DETAIL = "1m"


def main(argv: list[str] | None = None) -> int:
    """Parse, load, look, print."""
    args = parse(argv)
    from core.cli import explain_command

    return explain_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("run_id", type=cli.positive, metavar="RUN", help="number of a saved run (show_runs.py lists them)")
    add("--detail", metavar="TIMEFRAME", help=f"of the finer candles, which are stored (default {DETAIL})")
    add("--against", type=cli.account, metavar="RUN|ACCOUNT", help="another run's number, or an account")
    add("--trades", type=cli.positive, metavar="N", help="show the first N that differ (default 20)")
    add("--json", metavar="PATH", help="write every trade as JSON; - for stdout, alone")
    options.add_strategies_dir(parser)
    options.add_wide(parser)
    options.add_force(parser, "this file if it exists")
    options.add_db_url(parser)
    parser.set_defaults(cash=None)
    args = parser.parse_args(argv)
    if args.against is not None and args.detail is not None:
        parser.error("--detail looks at one run closer, --against beside another: leave one of them out")
    args.detail = args.detail or DETAIL
    return args


if __name__ == "__main__":
    cli.run(main)
