"""What import_ohlcv_to_db.py does with each file: read, check, store, and say what became of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sqlalchemy import Engine

from core import cli
from core.candles.columns import Options
from core.candles.files import CandleFile, check_path, read_candle_file
from core.candles.frames import count_gaps
from core.candles.volumes import differs_by_price
from core.candles.whose import market_of_file
from core.domain import Series
from core.errors import NoDataError
from core.utils import format_time, now_ms, timeframe_ms
from db.candles import read_bars, upsert_bars
from db.init_db import init_db
from db.stored_series import list_series, stored_ranges


def run(args: argparse.Namespace) -> int:
    """Read each file, store it, say what became of it; 1 when one had nothing good."""
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


def load(path: Path, series: Series, engine: Engine | None, args: argparse.Namespace) -> bool:
    """Read, check and store one file; tell whether there was something good in it."""
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


def check_volume(path: Path, found: CandleFile, series: Series, engine: Engine) -> None:
    """Raise NoDataError when the volume differs from that of stored candles of this market by the price."""
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


def store(path: Path, series: Series, engine: Engine, found: CandleFile) -> str:
    """Store the good rows in one transaction and return what changed."""
    with cli.progress(f"storing {path.name}", len(found.good.ts)) as advance:
        done = upsert_bars(engine, series, found.good, source=path.name, progress=advance)
    return ", ".join(f"{count} {what}" for what, count in done._asdict().items())


def show_refused(path: Path, found: CandleFile, most: int) -> None:
    """Print the first refused rows and how many more there are."""
    for line, reason in found.refused[:most]:
        print(f"{path}:{line}: {cli.as_typed(reason)}", file=sys.stderr)
    if len(found.refused) > most:
        print(f"{path}: and {len(found.refused) - most} more refused rows", file=sys.stderr)


def report(path: Path, series: Series, found: CandleFile, done: str) -> None:
    """Print what became of a file."""
    gaps = count_gaps(found.good, timeframe_ms(series.timeframe))
    print(f"{path}: {found.rows} rows read, {done}, {len(found.refused)} refused")
    print(f"  gaps in the file: {gaps.holes} ({gaps.missing} bars missing)")
    for note in found.notes:
        print(f"  note: {note}")


def print_stored(series: Series, engine: Engine) -> None:
    """Print how much of the series is stored now."""
    for now in list_series(engine, series):
        span = f"{format_time(now.first)} to {format_time(now.last)} UTC"
        print(f"stored: {series}, {now.rows} bars, {span}, {now.gaps.missing if now.gaps else 0} missing")
