"""Check one strategy's file: what is wrong with the rule, and whether every way to run it trades alike."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  check_strategy.py user_strategies/my_rule.py
  check_strategy.py user_strategies/my_rule.py --timeframe 1h --symbol ETH/USDT
  check_strategy.py strategies/sma_cross.py --exchange binanceus-synthetic
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, check, print."""
    args = parse(argv)
    from core.cli import check_command

    return check_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the strategy's file: it is run")
    parser.add_argument(
        "--strategies-file", metavar="PATH", help="its settings (default: strategies.yaml beside it)"
    )
    parser.add_argument("--symbol", type=cli.symbol, help="such as BTC/USDT (default: its settings')")
    parser.add_argument("--timeframe", type=cli.timeframe, help="1m … 1w (default: its settings', or 4h)")
    options.add_exchange(parser)
    options.add_db_url(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
