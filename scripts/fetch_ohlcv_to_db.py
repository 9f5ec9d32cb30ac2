"""Load closed candles from an exchange into the database.

A series that is stored already goes on where it ends; its last bar is fetched again, to notice a revision.
Each page is stored by itself: an interrupted load keeps what came, and the next one goes on there.
Candles of a local exchange are stored under its own label, such as binanceus-synthetic.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  fetch_ohlcv_to_db.py --symbol BTC/USDT                       the newest 1000 4h candles, or the new ones
  fetch_ohlcv_to_db.py --symbol BTC/USDT,ETH/USDT --timeframe 1h --since 2022-01-01
  fetch_ohlcv_to_db.py --exchange kraken --symbol BTC/USD --timeframe 1d --limit 500
  fetch_ohlcv_to_db.py --all-markets
  fetch_ohlcv_to_db.py --symbol BTC/USDT --base-url http://127.0.0.1:8090   from the local exchange
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, then load one series after the other."""
    args = parse(argv)
    from core.cli import fetch_command

    return fetch_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "--exchange", type=cli.exchange_label, help="ccxt id (default: exchange.name in config/settings.yaml)"
    )
    parser.add_argument(
        "--symbol", action="append", default=[], help="such as BTC/USDT; may be repeated, or a comma list"
    )
    parser.add_argument("--timeframe", action="append", default=[], help="as --symbol: 1m … 1w (default 4h)")
    parser.add_argument("--all-markets", action="store_true", help="the series of config/markets.yaml")
    parser.add_argument(
        "--limit",
        type=cli.positive,
        help="so many of the newest candles, without leaving a hole to those stored "
        "(default 1000 when none is stored); with --since: so many from there on",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="open time of the first: 2024-01-31, 2024-01-31T12:00 (UTC) or ms"
    )
    parser.add_argument("--until", metavar="TIME", help="open times are before it (default: now)")
    options.add_wide(parser)
    options.add_db_url(parser)
    parser.add_argument("--base-url", help="ask this address instead, such as the local exchange's")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
