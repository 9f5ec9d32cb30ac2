"""Show how far an account's orders ended from the model's fill, by cause, and what backtests should count."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_drift.py                              the account paper
  show_drift.py --account live --limit 50
  show_drift.py --strategy TREND_EMA --symbol BTC/USDT --json drift.json
  run_backtest.py --strategy TREND_EMA --use-sql --costs measured:live
"""
NEWEST = 20
"""Orders shown unless told."""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, print."""
    args = parse(argv)
    from core.cli import drift_command

    return drift_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("--account", type=cli.account, default="paper", help="its name (default: paper)")
    add("--strategy", type=str.upper, metavar="NAME", help="of one strategy only")
    add("--symbol", type=cli.symbol, help="of one symbol only")
    add("--limit", type=cli.positive, default=NEWEST, metavar="N", help=f"newest orders ({NEWEST})")
    add("--commission", type=cli.rate, help="of the model, a rate (default: backtest.commission_pct)")
    add("--spread", type=cli.rate, help="of the model, a rate (default: backtest.spread_pct)")
    add("--json", metavar="PATH", help="write all orders as JSON; - for stdout, alone")
    options.add_wide(parser)
    options.add_force(parser, "that file if it exists")
    options.add_db_url(parser)
    parser.set_defaults(cash=None)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
