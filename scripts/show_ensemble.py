"""Show what an ensemble is made of: each member's weight, how often it votes, and what it earned."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_ensemble.py --symbol BTC/USDT --use-sql
  show_ensemble.py --symbol ETH/USDT --timeframe 1d --use-sql --param learn_ratio=0.5
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, run, print."""
    args = parse(argv)
    from core.cli import ensemble_command

    return ensemble_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    options.add_candles(parser, symbol="as in strategies.yaml", timeframe="as in strategies.yaml")
    options.add_strategies_file(parser)
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="change a parameter"
    )
    options.add_costs(parser)
    options.add_measured_costs(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
