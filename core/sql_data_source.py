"""Candles from the database."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from core.candles.column_cache import ColumnCache
from core.candles.frames import frame_from_bars
from core.data_source import DataSource
from core.domain import Bars, Series
from core.errors import NoDataError
from core.symbols import pair_of, symbol_name
from core.utils import format_time, timeframe_ms, timeframe_name
from db.base import database_file, open_engine
from db.candle_revisions import issued_revision
from db.candles import first_ts, last_ts, read_bars
from db.init_db import get_db_url
from db.stored_series import SeriesRange, stored_ranges

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Engine

_SHOWN = 3
"""Stored series that a message names."""

CACHED_FROM = 10_000
"""Bars from which a read goes through the column cache; fewer come out of the table in 10 ms."""


class SQLDataSource(DataSource):
    """The stored candles of one exchange."""

    def __init__(self, db_url: str | None = None, exchange: str = "binanceus") -> None:
        self.db_url = db_url or get_db_url()
        self.exchange = exchange

    @cached_property
    def engine(self) -> Engine:
        """The database, opened when first needed. Raises DatabaseError."""
        return open_engine(self.db_url)

    def get_ohlcv(
        self,
        symbol: str,
        timeframe: str,
        limit: int | None = 1000,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> pd.DataFrame:
        """Return stored bars as a frame, as DataSource says.

        Raises NoDataError when none is stored there, UsageError for an unknown timeframe or a limit
        below 1, DatabaseError when the database cannot be used.
        """
        return frame_from_bars(self.get_bars(symbol, timeframe, limit, start=start, end=end))

    def get_bars(
        self,
        symbol: str,
        timeframe: str,
        limit: int | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> Bars:
        """Return stored bars as arrays; arguments and errors as `get_ohlcv`, but all bars by default.

        The arrays cannot be written: long ones are mapped from the cache beside the database file, which
        is compared with the table first and made when it is missing.
        """
        series = Series(self.exchange, symbol_name(symbol), timeframe_name(timeframe))
        if self._is_worth_caching(series, start, end, limit):
            bars = _part(self._whole(series), start, end, limit)
        else:
            bars = read_bars(self.engine, series, start=start, end=end, limit=limit)
        if not len(bars.ts):
            raise NoDataError(_nothing_stored(series, start, end, stored_ranges(self.engine)))
        for column in bars:
            column.flags.writeable = False
        return bars

    @cached_property
    def _cache(self) -> ColumnCache | None:
        file = database_file(self.engine)
        return None if file is None else ColumnCache(file.parent / "cache", file.name)

    def _is_worth_caching(
        self, series: Series, start: int | None, end: int | None, limit: int | None
    ) -> bool:
        """Tell whether so many bars are wanted that it pays to have the whole series in the cache."""
        if self._cache is None or (limit is not None and limit < CACHED_FROM):
            return False
        first, last = first_ts(self.engine, series), last_ts(self.engine, series)
        if first is None or last is None:
            return False
        low = first if start is None else max(first, start)
        high = last if end is None else min(last, end)
        return (high - low) // timeframe_ms(series.timeframe) >= CACHED_FROM - 1

    def _whole(self, series: Series) -> Bars:
        """Return all bars of the series, from the cache if they are there or can be put there."""
        revision = self._revision(series)
        if self._cache is None or revision is None:
            return read_bars(self.engine, series)
        if (found := self._cache.load(series, revision)) is not None:
            return found
        bars = read_bars(self.engine, series)
        # A revision is given once and ends with the first change: bars read while it stood are its bars.
        if self._revision(series) == revision and self._cache.save(series, revision, bars):
            return self._cache.load(series, revision) or bars
        return bars

    def _revision(self, series: Series) -> str | None:
        revision = issued_revision(self.engine, series)
        return None if revision is None else f"{revision.name}-{revision.cookie}"


def _part(bars: Bars, start: int | None, end: int | None, limit: int | None) -> Bars:
    """Return the bars with start <= ts < end, at most the newest `limit` of them (a view)."""
    low = 0 if start is None else int(np.searchsorted(bars.ts, start))
    high = len(bars.ts) if end is None else int(np.searchsorted(bars.ts, end))
    return bars.until(high).since(low if limit is None else max(low, high - limit))


def _nothing_stored(series: Series, start: int | None, end: int | None, stored: list[SeriesRange]) -> str:
    """Return the line that says what was wanted, what is there instead and how to load it."""
    within = "" if start is None else f" from {format_time(start)}"
    within += "" if end is None else f" before {format_time(end)}"
    nearest = sorted(stored, key=lambda found: _likeness(found.series, series), reverse=True)
    names = ", ".join(_shown(found) for found in nearest[:_SHOWN]) or "nothing"
    more = f" and {len(stored) - _SHOWN} more" if len(stored) > _SHOWN else ""
    return f"no stored candles of {series}{within}; stored: {names}{more}; {_advice(series, nearest)}"


def _advice(series: Series, nearest: list[SeriesRange]) -> str:
    """Return what to do: take what is stored of the same market, or load what was wanted."""
    venue = series.exchange.removesuffix("-synthetic").removesuffix("-replay")
    local = "" if venue == series.exchange else " --base-url URL-OF-THE-LOCAL-EXCHANGE"
    venue = venue.removesuffix("-sandbox")
    load = (
        f"load them with `python scripts/fetch_ohlcv_to_db.py --exchange {venue} --symbol {series.symbol} "
        f"--timeframe {series.timeframe}{local}` or scripts/import_ohlcv_to_db.py FILE"
    )
    alike = [one.series for one in nearest if one.series[1:] == series[1:]]
    base = pair_of(series.symbol).base
    own = [one.series.symbol for one in nearest if one.series == series._replace(symbol=one.series.symbol)]
    priced = [symbol for symbol in own if pair_of(symbol).base == base]
    if priced and series.symbol not in priced:
        # The same coin in another currency, as BTC/USD on Kraken, is nearer than another exchange's candles.
        return f"take its {priced[0]} with symbol={priced[0]!r}, or {load}"
    if series in alike:
        return f"ask for times that are stored, or {load}"
    if alike:
        best = max(alike, key=lambda one: one.exchange.startswith(venue))
        return f"take {best.exchange}'s with exchange={best.exchange!r}, or {load}"
    return load


def _likeness(one: Series, other: Series) -> tuple[int, bool]:
    """Return how many of the three names agree; the symbol breaks ties."""
    return sum(a == b for a, b in zip(one, other, strict=True)), one.symbol == other.symbol


def _shown(found: SeriesRange) -> str:
    return f"{found.series} ({found.rows} bars, {format_time(found.first)} to {format_time(found.last)})"
