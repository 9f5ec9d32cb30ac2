"""The candle store: whole columns in, whole columns out, and never an object per bar.

The SQL is the same for SQLite and PostgreSQL, and rows pass between arrays and the driver's cursor
without SQLAlchemy's objects, which would take 13 times as long to read and 20 times as long to write.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine

from core.candles.frames import empty_bars
from core.domain import Bars, FloatArray, Series
from core.errors import RefusedError, UsageError
from core.utils import Clock, now_ms, timeframe_ms
from db.base import marked, writing
from db.faults import driver_errors
from db.stored_series import begin_count, keep_count

_FIRST, _LAST = -(2**62), 2**62
_CHUNK = 20_000
"""Rows made ready at once: bounds memory and lets an interrupt and a progress bar in."""
_ROWS = 500
"""Rows of one statement: a third sooner than one row, and no driver allows 32,767 values or more."""
_WIDTH = 6
"""Values of a row, besides the three that name its series."""

_OF_SERIES = "exchange = ? AND symbol = ? AND timeframe = ?"
_READ = f"""SELECT ts, open, high, low, close, volume FROM ohlcv
 WHERE {_OF_SERIES} AND ts >= ? AND ts < ? ORDER BY ts"""  # noqa: S608
_COUNT = f"SELECT count(*) FROM ohlcv WHERE {_OF_SERIES} AND ts >= ? AND ts <= ?"  # noqa: S608
_LATEST = f"SELECT max(ts) FROM ohlcv WHERE {_OF_SERIES}"  # noqa: S608
_EARLIEST = f"SELECT min(ts) FROM ohlcv WHERE {_OF_SERIES}"  # noqa: S608
# A stored row that is the same is not written again: no work for the disk, and it is not counted.
_INSERT = "INSERT INTO ohlcv (exchange, symbol, timeframe, ts, open, high, low, close, volume) VALUES "
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_NUMBERED = "(?1, ?2, ?3, ?, ?, ?, ?, ?, ?)"
"""SQLite's own: who the rows belong to is handed over once. A question mark after it is the next number."""
_OR_UPDATE = """
 ON CONFLICT (exchange, symbol, timeframe, ts) DO UPDATE SET open = excluded.open, high = excluded.high,
 low = excluded.low, close = excluded.close, volume = excluded.volume
 WHERE ohlcv.open <> excluded.open OR ohlcv.high <> excluded.high OR ohlcv.low <> excluded.low
 OR ohlcv.close <> excluded.close OR ohlcv.volume <> excluded.volume"""
_LOADED = """INSERT INTO candle_series (exchange, symbol, timeframe, updated_at, checked_at, source)
 VALUES (?, ?, ?, ?, ?, ?)
 ON CONFLICT (exchange, symbol, timeframe) DO UPDATE SET checked_at = excluded.checked_at,
 source = excluded.source, updated_at = coalesce(excluded.updated_at, candle_series.updated_at)"""


class Upserted(NamedTuple):
    """What became of the bars handed to `upsert_bars`."""

    inserted: int
    updated: int
    """Stored before with other values."""
    unchanged: int
    """Stored before with the same values; not written again."""


def read_bars(
    engine: Engine,
    series: Series,
    *,
    start: int | None = None,
    end: int | None = None,
    limit: int | None = None,
) -> Bars:
    """Return the stored bars with start <= ts < end (ms UTC), at most the newest `limit` of them.

    Bars of length 0 when nothing is stored there. Raises UsageError for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"wanted at least 1 bar, limit is {limit}: leave it out to read all")
    sql: str = _READ
    values: list[str | int] = [*series, _FIRST if start is None else start, _LAST if end is None else end]
    if limit is not None:
        sql, values = sql + " DESC LIMIT ?", [*values, limit]
    with engine.connect() as connection, driver_errors(engine):
        rows = _rows(connection, sql, tuple(values))
    if not rows.size:
        return empty_bars()
    # ts fits: a float64 is exact up to 2**53 ms, far beyond any year that matters here.
    columns = rows[:: -1 if limit is not None else 1].T.copy()
    return Bars(columns[0].astype(np.int64), *columns[1:])


def upsert_bars(
    engine: Engine,
    series: Series,
    bars: Bars,
    *,
    source: str = "",
    clock: Clock = now_ms,
    progress: Callable[[int], None] | None = None,
) -> Upserted:
    """Store bars in one transaction and return exactly what changed.

    `source` says what they were read from, `progress` is told the bars done since it was last called.
    Raises RefusedError when `ts` does not ascend strictly, UsageError for an unknown timeframe, and
    DatabaseError when they cannot be stored; nothing is stored then.
    """
    timeframe_ms(series.timeframe)
    total = len(bars.ts)
    if not total:
        return Upserted(0, 0, 0)
    if not (np.diff(bars.ts) > 0).all():
        raise RefusedError(f"bars of {series} must be stored oldest first and once each: sort and check them")
    span = (*series, int(bars.ts[0]), int(bars.ts[-1]))
    with writing(engine) as connection:
        counted = begin_count(connection, series, bars.ts)
        stored = _scalar(connection, _COUNT, span)
        written = _write(connection, series, bars, progress)
        inserted = _scalar(connection, _COUNT, span) - stored
        if written and counted is not None:
            keep_count(connection, series, counted)
        now = clock()
        connection.exec_driver_sql(
            marked(_LOADED, connection), (*series, now if written else None, now, source)
        )
    return Upserted(inserted, written - inserted, total - written)


def last_ts(engine: Engine, series: Series) -> int | None:
    """Return the open time of the newest stored bar, ms UTC, None when nothing is stored."""
    with engine.connect() as connection:
        found: int | None = connection.exec_driver_sql(marked(_LATEST, connection), tuple(series)).scalar()
    return found


def first_ts(engine: Engine, series: Series) -> int | None:
    """Return the open time of the oldest stored bar, ms UTC, None when nothing is stored."""
    with engine.connect() as connection:
        found: int | None = connection.exec_driver_sql(marked(_EARLIEST, connection), tuple(series)).scalar()
    return found


def _write(connection: Connection, series: Series, bars: Bars, progress: Callable[[int], None] | None) -> int:
    """Upsert the bars and return how many rows were inserted or changed."""
    written, total = 0, len(bars.ts)
    for start in range(0, total, _CHUNK):
        chunk = bars.since(start).until(_CHUNK)
        cells = _cells(_unlike(connection, series, chunk))
        for first in range(0, len(cells), _WIDTH * _ROWS):
            sql, values = _upsert(connection, series, cells[first : first + _WIDTH * _ROWS])
            written += connection.exec_driver_sql(sql, values).rowcount
        if progress is not None:
            progress(len(chunk.ts))
    return written


def _unlike(connection: Connection, series: Series, bars: Bars) -> Bars:
    """Return those of the bars that are not stored as they are: to read takes a fifth of writing in vain.

    The statement that writes looks again: on a server others may write meanwhile.
    """
    with driver_errors(connection.engine):
        stored = _rows(connection, _READ, (*series, int(bars.ts[0]), int(bars.ts[-1]) + 1))
    if not stored.size:
        return bars
    at = np.searchsorted(stored[:, 0], bars.ts).clip(max=len(stored) - 1)
    is_new = (stored[at] != np.column_stack(bars)).any(axis=1)
    return Bars(*(column[is_new] for column in bars))


def _rows(connection: Connection, sql: str, values: tuple[str | int, ...]) -> FloatArray:
    """Return what a statement finds of candles, shape (bars, 6)."""
    cursor: Any = connection.exec_driver_sql(marked(sql, connection), values).cursor
    return np.fromiter(chain.from_iterable(cursor), np.float64).reshape(-1, 6)


def _upsert(connection: Connection, series: Series, cells: list[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL that upserts rows of these cells, and its values."""
    rows = len(cells) // _WIDTH
    if connection.dialect.name == "sqlite":
        return _upserting(_NUMBERED, rows), (*series, *cells)
    each = (chain(series, cells[k : k + _WIDTH]) for k in range(0, len(cells), _WIDTH))
    return marked(_upserting(_ROW, rows), connection), tuple(chain.from_iterable(each))


@cache
def _upserting(row: str, rows: int) -> str:
    """Return the SQL that upserts so many rows."""
    return _INSERT + ", ".join([row] * rows) + _OR_UPDATE


def _cells(bars: Bars) -> list[Any]:
    """Return the cells of all rows, one row after the other: no tuple for each."""
    cells: list[Any] = [None] * (_WIDTH * len(bars.ts))
    for place, column in enumerate(bars):
        cells[place::_WIDTH] = column.tolist()
    return cells


def _scalar(connection: Connection, sql: str, values: tuple[str | int, ...]) -> int:
    return int(connection.exec_driver_sql(marked(sql, connection), values).scalar_one())
