"""Show what the database holds: candles by series, their range and gaps, saved backtests, size."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  db_status.py
  db_status.py --db-url sqlite:///data/other.db
  db_status.py --json -
  db_status.py --check
"""
NEXT_STEP = """\
no candles yet; load some:
  python scripts/fetch_ohlcv_to_db.py --exchange binanceus --symbol BTC/USDT --timeframe 4h
  python scripts/import_ohlcv_to_db.py FILE --exchange binance --symbol BTC/USDT --timeframe 4h"""


def main(argv: list[str] | None = None) -> int:
    """Parse, look, print."""
    args = parse(argv)
    from core.cli import database_command

    return database_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    options.add_db_url(parser)
    parser.add_argument("--json", metavar="PATH", help="write it as a JSON document; - for stdout, alone")
    options.add_force(parser, "that file if it exists")
    options.add_wide(parser)
    parser.add_argument(
        "--check", action="store_true", help="read the whole SQLite file and all books, and look for damage"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
