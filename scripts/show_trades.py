"""Show what an account made: each strategy's result and fees, what is open, and its closed trades."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_trades.py                                   the account paper
  show_trades.py --account other --limit 100
  show_trades.py --strategy TREND_EMA --symbol BTC/USDT
  show_trades.py --json trades.json
  show_trades.py --report account.html
  show_trades.py --db-url sqlite:///data/archive/paper-20261129-023000.db
"""
NEWEST = 20
"""Trades shown unless told."""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, print."""
    args = parse(argv)
    from core.cli import trades_command

    return trades_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--account", type=cli.account, default="paper", help="its name (default: paper)")
    parser.add_argument("--strategy", type=str.upper, metavar="NAME", help="of one strategy only")
    parser.add_argument("--symbol", type=cli.symbol, help="of one symbol only")
    parser.add_argument(
        "--limit", type=cli.positive, default=NEWEST, metavar="N", help=f"newest trades shown ({NEWEST})"
    )
    parser.add_argument("--json", metavar="PATH", help="write all trades as JSON; - for stdout, alone")
    options.add_report(parser)
    options.add_wide(parser)
    options.add_force(parser, "these files if they exist")
    options.add_db_url(parser)
    parser.set_defaults(cash=None)
    args = parser.parse_args(argv)
    if args.report and (args.strategy or args.symbol):
        parser.error("--report shows the whole account: leave --strategy and --symbol out")
    return args


if __name__ == "__main__":
    cli.run(main)
