"""What fetch_ohlcv_to_db.py does once its arguments are parsed; imports everything it needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine

from core import cli
from core.candles.frames import Gaps
from core.domain import Series
from core.errors import NoDataError, UsageError
from core.exchange.calls import Notice, Notify
from core.exchange_client import ExchangeClient
from core.reports.table import omitted_columns
from core.settings import Settings
from core.symbols import symbol_name
from core.utils import format_time, grid_start, on_grid, parse_time, timeframe_ms, timeframe_name
from db.candles import Upserted, last_ts, upsert_bars
from db.init_db import init_db
from db.status import SYNTHETIC_NOTE, is_synthetic
from db.stored_series import StoredSeries, list_series

DEFAULT_LIMIT = 1000
"""Candles loaded when none is stored and nothing is said; a page of Binance.US."""
DEFAULT_TIMEFRAME = "4h"
SHOWN_REFUSED = 3
"""Refused rows that are shown of each series."""
NAMES = ("exchange", "symbol", "tf")
COUNTS = ("inserted", "updated", "unchanged", "refused", "gaps", "missing", "stored")
TIMES = ("first (UTC)", "last (UTC)")
SPARE = ("unchanged", "gaps", "updated", "first (UTC)", "missing")
"""Columns that are left out where there is no room, the first one first."""


class Wanted(NamedTuple):
    """Which candles the command line asks for; times in ms UTC, None for not given."""

    limit: int | None
    since: int | None
    until: int | None


@dataclass(slots=True)
class Load:
    """What became of one series so far."""

    series: Series
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0

    def add(self, done: Upserted) -> None:
        """Count one page."""
        self.inserted += done.inserted
        self.updated += done.updated
        self.unchanged += done.unchanged


class Loader:
    """Loads one series after the other, and remembers what became of each."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.loads: list[Load] = []

    def notice(self, notice: Notice) -> None:
        """Count a refused row; tell a person about the first of them and about all else."""
        if notice.kind == "refused" and self.loads:
            self.loads[-1].refused += 1
            if self.loads[-1].refused > SHOWN_REFUSED:
                return
        print(f"note: {notice.text}", file=sys.stderr)

    def load(self, client: ExchangeClient, engine: Engine, series: Series) -> None:
        """Fetch one series page by page, each stored in a transaction of its own."""
        self.loads.append(Load(series))
        step = timeframe_ms(series.timeframe)
        start, end = span_of(self.wanted, last_ts(engine, series), client.exchange_now(), step)
        with cli.progress(f"{series.symbol} {series.timeframe}", max(0, end - start) // step) as advance:
            for bars in client.ohlcv_pages(series.symbol, series.timeframe, start, end):
                self.loads[-1].add(upsert_bars(engine, series, bars, source=repr(client)))
                reached = int(bars.ts[-1]) + step
                advance((reached - start) // step)
                start = reached


def run(args: argparse.Namespace) -> int:
    """Check what is asked for, load it, print a line for each series."""
    settings = cli.load_settings({"db.url": args.db_url, "exchange.base_url": args.base_url})
    markets = wanted_markets(args, settings)
    loader = Loader(wanted_span(args))
    with open_client(args, settings, loader.notice) as client:
        for symbol, timeframe in markets:
            client.check_series(symbol, timeframe)
        engine = init_db(settings.db.url)
        try:
            load_all(
                loader, client, engine, [Series(client.label, *market) for market in markets], wide=args.wide
            )
        finally:
            engine.dispose()
    return 0


def load_all(
    loader: Loader, client: ExchangeClient, engine: Engine, wanted: list[Series], *, wide: bool
) -> None:
    """Load the series and print a line for each, also for one that breaks off.

    Raises NoDataError at the end when nothing is stored of one of them.
    """
    shown = shown_columns(wanted, wide=wide)
    print(heading(shown), flush=True)
    empty = []
    for series in wanted:
        try:
            loader.load(client, engine, series)
        finally:
            # Interrupted or failed, too: what came so far is stored, and is said.
            stored = next(iter(list_series(engine, series)), None)
            print(line_of(loader.loads[-1], stored, shown), flush=True)
        if stored is None:
            empty.append(f"{series.symbol} {series.timeframe}")
    if any(is_synthetic(series) for series in wanted):
        print(SYNTHETIC_NOTE)
    if empty:
        raise NoDataError(
            f"{client.name} has no closed candles of {', '.join(empty)} there: ask for other times"
        )


def shown_columns(wanted: Sequence[Series], *, wide: bool) -> dict[str, int]:
    """Return the columns that are printed, each with its width."""
    names = {name: max(map(len, column)) for name, *column in zip(NAMES, *wanted, strict=True)}
    widths = {name: max(width, len(name)) for name, width in names.items()}
    widths |= {**dict.fromkeys(COUNTS, 9), **dict.fromkeys(TIMES, 16)}
    left_out = [] if wide else omitted_columns(widths, SPARE)
    return {name: width for name, width in widths.items() if name not in left_out}


def heading(shown: Mapping[str, int]) -> str:
    """Return the line above the series' lines."""
    return _line({name: name for name in shown}, shown)


def line_of(load: Load, stored: StoredSeries | None, shown: Mapping[str, int]) -> str:
    """Return what became of a series and what is stored of it now."""
    gaps = (stored and stored.gaps) or Gaps(0, 0)
    counts = [load.inserted, load.updated, load.unchanged, load.refused]
    counts += [gaps.holes, gaps.missing, stored.rows if stored else 0]
    times = [format_time(stored.first), format_time(stored.last)] if stored else ["none", "none"]
    cells = [*load.series, *(f"{count:,}" for count in counts), *times]
    return _line(dict(zip((*NAMES, *COUNTS, *TIMES), cells, strict=True)), shown)


def _line(cells: Mapping[str, str], shown: Mapping[str, int]) -> str:
    sides = (
        cells[name].rjust(width) if name in COUNTS else cells[name].ljust(width)
        for name, width in shown.items()
    )
    return "  ".join(sides).rstrip()


def span_of(wanted: Wanted, last: int | None, now: int, step: int) -> tuple[int, int]:
    """Return the first open time to fetch and the end, ms UTC; `last` is the newest stored open time."""
    closed = on_grid(now, step)
    end = closed if wanted.until is None else min(wanted.until, closed)
    if wanted.since is not None:
        most = end if wanted.limit is None else wanted.since + wanted.limit * step
        return max(grid_start(step), wanted.since), min(end, most)
    newest = max(grid_start(step), end - (wanted.limit or DEFAULT_LIMIT) * step)
    if last is None:
        return newest, end
    return (last if wanted.limit is None else min(last, newest)), end


def wanted_markets(args: argparse.Namespace, settings: Settings) -> list[tuple[str, str]]:
    """Return the symbols and timeframes asked for, each pair once."""
    if args.all_markets:
        if args.symbol or args.timeframe:
            raise UsageError(
                "--all-markets takes symbols and timeframes from config/markets.yaml: drop the others"
            )
        return list(dict.fromkeys((market.symbol, market.timeframe) for market in settings.markets))
    symbols = list(map(symbol_name, split(args.symbol)))
    if not symbols:
        raise UsageError("which candles? give --symbol BTC/USDT, or --all-markets for config/markets.yaml")
    timeframes = list(map(timeframe_name, split(args.timeframe))) or [DEFAULT_TIMEFRAME]
    return list(dict.fromkeys((symbol, timeframe) for symbol in symbols for timeframe in timeframes))


def wanted_span(args: argparse.Namespace) -> Wanted:
    """Return the times and the limit asked for."""
    since = None if args.since is None else parse_time(args.since)
    until = None if args.until is None else parse_time(args.until)
    if since is not None and until is not None and since >= until:
        raise UsageError(f"--since {args.since} is not before --until {args.until}")
    return Wanted(args.limit, since, until)


def split(texts: Iterable[str]) -> list[str]:
    """Return the names in repeated comma lists."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def open_client(args: argparse.Namespace, settings: Settings, notify: Notify) -> ExchangeClient:
    """Return a client without key: candles are public."""
    name = args.exchange or settings.exchange.name
    sandbox = settings.exchange.sandbox and name == settings.exchange.name
    return ExchangeClient(name, "", "", sandbox, base_url=settings.exchange.base_url or "", notify=notify)
