"""Show what strategies wanted of an account, what was refused, and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_decisions.py                        the newest ones of the account paper
  show_decisions.py --refused --limit 100
  show_decisions.py --strategy TREND_EMA --symbol BTC/USDT
  show_decisions.py --json decisions.json
"""
NEWEST = 20
"""Decisions shown unless told."""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, print."""
    args = parse(argv)
    from core.cli import decisions_command

    return decisions_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("--account", type=cli.account, default="paper", help="its name (default: paper)")
    add("--refused", action="store_true", help="only what was refused")
    add("--strategy", type=str.upper, metavar="NAME", help="of one strategy only")
    add("--symbol", type=cli.symbol, help="of one symbol only")
    add("--limit", type=cli.positive, default=NEWEST, metavar="N", help=f"newest ones ({NEWEST})")
    add("--json", metavar="PATH", help="write them as JSON; - for stdout, alone")
    options.add_wide(parser)
    options.add_force(parser, "that file if it exists")
    options.add_db_url(parser)
    parser.set_defaults(cash=None)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
