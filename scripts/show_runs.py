"""List saved backtests, or show one with its trades."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_runs.py
  show_runs.py --strategy TREND_EMA --limit 10
  show_runs.py 12 --trades 20
  show_runs.py 12 --json run12.json
  show_runs.py 12 --report run12.html
  show_runs.py 12 15 --report both.html
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, print."""
    args = parse(argv)
    from core.cli import runs_command

    return runs_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "run_id",
        nargs="*",
        default=[],
        type=cli.positive,
        metavar="RUN_ID",
        help="show this run, or several side by side (default: list)",
    )
    parser.add_argument("--limit", type=cli.positive, help="newest runs to list (default 50)")
    parser.add_argument("--symbol", type=cli.symbol, help="list runs on this symbol")
    parser.add_argument("--strategy", help="list runs of this strategy")
    parser.add_argument(
        "--trades", type=cli.positive, metavar="N", help="show the first N trades (default 20)"
    )
    parser.add_argument(
        "--json", metavar="PATH", help="write the runs as a JSON document; - for stdout, alone"
    )
    options.add_report(parser)
    options.add_strategies_dir(parser)
    options.add_wide(parser)
    options.add_force(parser, "these files if they exist")
    options.add_db_url(parser)
    args = parser.parse_args(argv)
    if not args.run_id and (args.json or args.trades or args.report):
        parser.error("--json, --report and --trades show runs: name a RUN_ID")
    if len(args.run_id) > 1 and args.trades:
        parser.error("--trades shows those of one run: name one RUN_ID, or look at all in a --report")
    if twice := [one for one in args.run_id if args.run_id.count(one) > 1]:
        parser.error(f"run {twice[0]} is named twice: once is enough")
    if args.run_id and (args.limit or args.symbol or args.strategy or args.strategies_dir):
        what = "--limit, --symbol, --strategy and --strategies-dir"
        parser.error(f"{what} choose from the list: leave them or RUN_ID out")
    return args


if __name__ == "__main__":
    cli.run(main)
