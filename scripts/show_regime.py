"""Say what kind of market it was when: trend up, trend down, range or high volatility."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_regime.py --symbol BTC/USDT --timeframe 1d --use-sql
  show_regime.py --symbol BTC/USDT --timeframe 1d --use-sql --last 5
  show_regime.py --symbol BTC/USDT --timeframe 1d --use-sql --start 2020-01-01 --out regimes.html
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, detect, print."""
    args = parse(argv)
    from core.cli import regime_command

    return regime_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--symbol", type=cli.symbol, required=True)
    parser.add_argument("--timeframe", default="1d", type=cli.timeframe, help="1m … 1w (default 1d)")
    options.add_exchange(parser)
    parser.add_argument(
        "--use-sql", action="store_true", help="stored candles instead of asking the exchange"
    )
    parser.add_argument(
        "--last", type=cli.positive, default=20, metavar="N", help="newest stretches shown (default 20)"
    )
    parser.add_argument("--start", metavar="TIME", help="show from here on; earlier bars still count")
    parser.add_argument("--end", metavar="TIME", help="bars that open before this time")
    parser.add_argument("--out", metavar="PATH", help="draw the regimes over price, one HTML page")
    options.add_force(parser, "that file if it exists")
    options.add_db_url(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
