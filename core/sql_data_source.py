"""Candles from the database."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from core.bars import frame_from_bars
from core.data_source import DataSource
from core.domain import Bars, Series
from core.errors import NoDataError
from core.utils import format_time, timeframe_ms
from db.base import open_engine
from db.candles import SeriesRange, read_bars, stored_ranges
from db.init_db import get_db_url

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Engine

_SHOWN = 3
"""Stored series that a message names."""


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
        """Return stored bars as arrays; arguments and errors as `get_ohlcv`, but all bars by default."""
        timeframe_ms(timeframe)
        series = Series(self.exchange, symbol, timeframe)
        bars = read_bars(self.engine, series, start=start, end=end, limit=limit)
        if not len(bars.ts):
            raise NoDataError(_nothing_stored(series, start, end, stored_ranges(self.engine)))
        return bars


def _nothing_stored(series: Series, start: int | None, end: int | None, stored: list[SeriesRange]) -> str:
    """Return the line that says what was wanted, what is there instead and how to load it."""
    within = "" if start is None else f" from {format_time(start)}"
    within += "" if end is None else f" before {format_time(end)}"
    nearest = sorted(stored, key=lambda found: _likeness(found.series, series), reverse=True)
    names = ", ".join(_shown(found) for found in nearest[:_SHOWN]) or "nothing"
    more = f" and {len(stored) - _SHOWN} more" if len(stored) > _SHOWN else ""
    venue = series.exchange.removesuffix("-synthetic").removesuffix("-replay")
    local = "" if venue == series.exchange else " --base-url URL-OF-THE-LOCAL-EXCHANGE"
    return (
        f"no stored candles of {series}{within}; stored: {names}{more}; load them with "
        f"`python scripts/fetch_ohlcv_to_db.py --exchange {venue} --symbol {series.symbol} "
        f"--timeframe {series.timeframe}{local}` or scripts/import_ohlcv_to_db.py FILE"
    )


def _likeness(one: Series, other: Series) -> tuple[int, bool]:
    """Return how many of the three names agree; the symbol breaks ties."""
    return sum(a == b for a, b in zip(one, other, strict=True)), one.symbol == other.symbol


def _shown(found: SeriesRange) -> str:
    return f"{found.series} ({found.rows} bars, {format_time(found.first)} to {format_time(found.last)})"
