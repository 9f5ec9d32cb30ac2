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
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.errors import NoDataError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from core.candles.files import CandleFile
    from core.domain import Series

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
    from core.candles.files import check_path
    from core.candles.whose import market_of_file
    from core.domain import Series
    from db.init_db import init_db

    for path in args.files:
        check_path(path)
    symbols = [args.symbol or market_of_file(path.name) for path in args.files]
    series = [Series(args.exchange, symbol, args.timeframe) for symbol in symbols]
    engine = None if args.dry_run else init_db(cli.load_settings({"db.url": args.db_url}).db.url)
    loaded = [load(path, one, engine, args) for path, one in zip(args.files, series, strict=True)]
    if engine is not None:
        for one in dict.fromkeys(series):
            print_stored(one, engine)
        engine.dispose()
    return 0 if all(loaded) else 1


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("files", nargs="+", type=cli.path, metavar="FILE", help="CSV, JSON, Feather, Parquet or ZIP")
    add("--exchange", required=True, type=cli.exchange_label, help="whose candles these are: binance, …")
    add("--symbol", type=cli.symbol, help="such as BTC/USDT (default: as each file's name says)")
    add("--timeframe", required=True, type=cli.timeframe, help="length of one candle: 1m … 1w")
    add("--timezone", type=cli.zone, metavar="ZONE", help="of times that name none: UTC, Europe/Berlin")
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


def load(path: Path, series: "Series", engine: "Engine | None", args: argparse.Namespace) -> bool:
    """Read, check and store one file; tell whether there was something good in it."""
    from core.candles.columns import Options
    from core.candles.files import read_candle_file
    from core.utils import now_ms

    options = Options(series.symbol, args.timezone, args.volume)

    try:
        with cli.progress(f"reading {path.name}", path.stat().st_size) as advance:
            found = read_candle_file(path, series.timeframe, now_ms(), advance, options)
        show_refused(path, found, args.max_shown)
        if not len(found.good.ts):
            raise NoDataError(f"{path}: no good row among {found.rows}, nothing stored")
        if args.strict and found.refused:
            raise NoDataError(f"{path}: {len(found.refused)} of {found.rows} rows refused, nothing stored")
        if engine is not None and found.volume == "unsaid":
            check_volume(path, found, series, engine)
    except NoDataError as error:
        print(f"error: {cli.as_typed(str(error))}", file=sys.stderr)
        return False
    done = "dry run" if engine is None else store(path, series, engine, found)
    report(path, series, found, done)
    return True


def check_volume(path: Path, found: "CandleFile", series: "Series", engine: "Engine") -> None:
    """Raise NoDataError when the volume differs from that of stored candles of this market by the price."""
    from core.candles.volumes import differs_by_price
    from core.utils import timeframe_ms
    from db.candles import read_bars, stored_ranges

    step = timeframe_ms(series.timeframe)
    for one in (stored.series for stored in stored_ranges(engine, (series.exchange, series.symbol))):
        length = timeframe_ms(one.timeframe)
        span = {"start": int(found.good.ts[0]) - length, "end": int(found.good.ts[-1]) + step}
        known = read_bars(engine, one, **span)
        if len(known.ts) and differs_by_price(found.good, step, known, length):
            raise NoDataError(
                f"{path}: nothing stored: the volume is the stored {one.timeframe} candles' times the "
                "price, so not in base units; --volume quote converts it, --volume base does not"
            )


def store(path: Path, series: "Series", engine: "Engine", found: "CandleFile") -> str:
    """Store the good rows in one transaction and return what changed."""
    from db.candles import upsert_bars

    with cli.progress(f"storing {path.name}", len(found.good.ts)) as advance:
        done = upsert_bars(engine, series, found.good, source=path.name, progress=advance)
    return ", ".join(f"{count} {what}" for what, count in done._asdict().items())


def show_refused(path: Path, found: "CandleFile", most: int) -> None:
    """Print the first refused rows and how many more there are."""
    for line, reason in found.refused[:most]:
        print(f"{path}:{line}: {reason}", file=sys.stderr)
    if len(found.refused) > most:
        print(f"{path}: and {len(found.refused) - most} more refused rows", file=sys.stderr)


def report(path: Path, series: "Series", found: "CandleFile", done: str) -> None:
    """Print what became of a file."""
    from core.candles.frames import count_gaps
    from core.utils import timeframe_ms

    gaps = count_gaps(found.good, timeframe_ms(series.timeframe))
    print(f"{path}: {found.rows} rows read, {done}, {len(found.refused)} refused")
    print(f"  gaps in the file: {gaps.holes} ({gaps.missing} bars missing)")
    for note in found.notes:
        print(f"  note: {note}")


def print_stored(series: "Series", engine: "Engine") -> None:
    """Print how much of the series is stored now."""
    from core.utils import format_time
    from db.candles import list_series

    for now in list_series(engine, series):
        span = f"{format_time(now.first)} to {format_time(now.last)} UTC"
        print(f"stored: {series}, {now.rows} bars, {span}, {now.gaps.missing if now.gaps else 0} missing")


if __name__ == "__main__":
    cli.run(main)
