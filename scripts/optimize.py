"""Search a strategy's parameters: chosen on older bars, shown on unseen ones, every trial counted."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import optimize_options

EXAMPLES = """\
  optimize.py --list --strategy TREND_EMA
  optimize.py --strategy TREND_EMA --symbol BTC/USDT,ETH/USDT --timeframe 1h --use-sql --trials 2000
  optimize.py --strategy TREND_EMA --use-sql --method tpe --objective sharpe,return_drawdown --workers 2
  optimize.py --strategy TREND_EMA --use-sql --method grid --param ema_fast=5:50:5 --param rr_ratio=2 ...
  optimize.py --resume TREND_EMA-17 --save tuned.yaml
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, search, print."""
    args = parse(argv)
    from core.cli import optimize_command

    return optimize_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    optimize_options.add(parser)
    args = parser.parse_args(argv)
    optimize_options.check(parser, args)
    return args


if __name__ == "__main__":
    cli.run(main)
