"""Load candle files into the database: CSV, JSON, Feather, Parquet and ZIP, whoever made them.

Files of Binance, Kraken (OHLCVT), CryptoDataDownload, Kaggle, TradingView, Coinbase, freqtrade, CoinMarketCap
and Yahoo are read as they are; how a file was understood is said. Rows that are not sound candles are refused
with file, line and reason, and the good ones are loaded, each file all at once. Rows may come in any order.
Equal repetitions of a row are dropped; rows that give one time different values are all refused. A stored
candle is updated when the file says otherwise.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

EXAMPLES = """\
  import_ohlcv_to_db.py BTCUSDT-4h-2024-01.zip --exchange binance --symbol BTC/USDT --timeframe 4h
  import_ohlcv_to_db.py candles/*.csv.gz --exchange kraken --symbol ETH/USD --timeframe 1h --strict
  import_ohlcv_to_db.py XBTUSD_60.csv --exchange kraken --symbol XBT/USD --timeframe 1h
  import_ohlcv_to_db.py mine.csv --exchange binance --symbol BTC/USDT --timeframe 1h --timezone Europe/Berlin
  import_ohlcv_to_db.py data/*-5m.feather --exchange binance --timeframe 5m   each file's name says its market
  import_ohlcv_to_db.py prices.parquet --exchange binance --symbol BTC/USDT --timeframe 1m --dry-run
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, read each file, store it, say what became of it."""
    args = parse(argv)
    from core.cli import import_command

    return import_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("files", nargs="+", type=cli.path, metavar="FILE", help="CSV, JSON, Feather, Parquet or ZIP")
    add("--exchange", required=True, type=cli.exchange_label, help="whose candles these are: binance, …")
    add("--symbol", type=cli.symbol, help="such as BTC/USDT (default: as each file's name says)")
    add("--timeframe", required=True, type=cli.timeframe, help="length of one candle: 1m … 1w")
    add("--timezone", type=cli.zone, metavar="ZONE", help="of times that name none (a day alone: UTC)")
    add(
        "--volume",
        choices=("auto", "base", "quote"),
        default="auto",
        help="what it counts (default: as the file says); quote is divided by the price",
    )
    add("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")
    add("--strict", action="store_true", help="store nothing of a file that has a refused row")
    add("--max-shown", type=cli.positive, default=20, metavar="N", help="refused rows to show (default 20)")
    add("--dry-run", action="store_true", help="read and check only; the database is not touched")
    return parser.parse_intermixed_args(argv)


if __name__ == "__main__":
    cli.run(main)
