"""Which candles are stored, how many and with which holes, without reading them again each time.

Names, first and last come from the index at once. What was counted stands beside the revision of the rows
it was counted on (db/candle_revisions.py), so that the triggers that end the one take the other away: it
cannot be stale, whoever writes. A load goes on from what was counted before it; where nothing was, the rows
are read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine

from core.candles.frames import Gaps
from core.domain import IntArray, Series
from core.utils import TIMEFRAMES
from db.base import marked
from db.candle_revisions import issued_revision, new_name, schema_cookie, write_now

_OF_SERIES = "exchange = ? AND symbol = ? AND timeframe = ?"
# All four columns of the index: with three of them SQLite would pass over every row of the last series.
_NEXT = """SELECT exchange, symbol, timeframe FROM ohlcv
 WHERE (exchange, symbol, timeframe, ts) > (?, ?, ?, ?)
 ORDER BY exchange, symbol, timeframe, ts LIMIT 1"""
_END = 2**62
_FIRST = f"SELECT min(ts) FROM ohlcv WHERE {_OF_SERIES}"  # noqa: S608
_LAST = f"SELECT max(ts) FROM ohlcv WHERE {_OF_SERIES}"  # noqa: S608
_ROWS = f"SELECT count(*) FROM ohlcv WHERE {_OF_SERIES}"  # noqa: S608
_COUNT = f"""SELECT count(*), coalesce(sum(CASE WHEN step > ? THEN 1 ELSE 0 END), 0),
 coalesce(sum(CASE WHEN step > ? THEN step / ? - 1 ELSE 0 END), 0) FROM
 (SELECT ts - lag(ts) OVER (ORDER BY ts) AS step FROM ohlcv WHERE {_OF_SERIES}) AS steps"""  # noqa: S608
_WITHIN = f"SELECT ts FROM ohlcv WHERE {_OF_SERIES} AND ts >= ? AND ts <= ? ORDER BY ts"  # noqa: S608
_BEFORE = f"SELECT max(ts) FROM ohlcv WHERE {_OF_SERIES} AND ts < ?"  # noqa: S608
_AFTER = f"SELECT min(ts) FROM ohlcv WHERE {_OF_SERIES} AND ts > ?"  # noqa: S608
_LOADS = "SELECT exchange, symbol, timeframe, updated_at, checked_at, source FROM candle_series"
_KEPT = """SELECT exchange, symbol, timeframe, rows, holes, missing FROM candle_revisions
 WHERE cookie = ? AND rows IS NOT NULL"""
_KEEP = f"""UPDATE candle_revisions SET rows = ?, holes = ?, missing = ?, cookie = ?
 WHERE {_OF_SERIES} AND revision = ?"""  # noqa: S608
_RENEW = """INSERT INTO candle_revisions
 (exchange, symbol, timeframe, revision, rows, holes, missing, cookie) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT DO NOTHING"""


class SeriesRange(NamedTuple):
    """How much of a series is stored."""

    series: Series
    rows: int
    first: int
    last: int
    """Open times of the first and the last bar, ms UTC."""


class StoredSeries(NamedTuple):
    """A stored series, its holes and its last load."""

    series: Series
    rows: int
    first: int
    last: int
    """Open times of the first and the last bar, ms UTC."""
    gaps: Gaps | None
    """None when the timeframe is not one this program knows."""
    updated_at: int | None
    """When a load last inserted or changed a bar, ms UTC; None when no load said so."""
    checked_at: int | None
    """When a load last happened."""
    source: str
    """What the last load read."""


class Counted(NamedTuple):
    """What was counted of a series."""

    rows: int
    holes: int
    missing: int


def stored_ranges(engine: Engine, market: tuple[str, str] | None = None) -> list[SeriesRange]:
    """Return what is stored, by name; of one market (exchange, symbol), if given."""
    return [found for found, _ in _stored(engine, market)]


def list_series(engine: Engine, only: Series | None = None) -> list[StoredSeries]:
    """Return what is stored (of one series, if given), its gaps and its last load, by name."""
    found = _stored(engine, only and (only.exchange, only.symbol))
    with engine.connect() as connection:
        loads = {Series(*row[:3]): tuple(row[3:]) for row in connection.exec_driver_sql(_LOADS)}
    return [
        StoredSeries(*one, gaps, *loads.get(one.series, (None, None, "")))
        for one, gaps in found
        if only in (None, one.series)
    ]


def begin_count(connection: Connection, series: Series, ts: IntArray) -> Counted | None:
    """Return what a series will count once bars with these times are in it, inside the transaction that puts
    them there; None when it was not counted before.
    """
    cookie = schema_cookie(connection)
    if cookie is None:
        return None
    counted = _kept(connection, cookie).get(series)
    if counted is None:
        if _one(connection, _LAST, series) is not None:
            return None
        counted = Counted(0, 0, 0)
    step, (low, high) = TIMEFRAMES[series.timeframe], (int(ts[0]), int(ts[-1]))
    within = connection.exec_driver_sql(marked(_WITHIN, connection), (*series, low, high)).scalars()
    stored = np.fromiter(within, np.int64)
    beside = [_one(connection, _BEFORE, series, low), _one(connection, _AFTER, series, high)]
    ends = np.array([time for time in beside if time is not None], np.int64)
    before, after = (_count(np.union1d(times, ends), step) for times in (stored, np.union1d(stored, ts)))
    return Counted(*(old + new - gone for old, new, gone in zip(counted, after, before, strict=True)))


def keep_count(connection: Connection, series: Series, counted: Counted) -> None:
    """Give the rows of a series a revision and what was counted, inside the transaction that changed them."""
    values = (*series, new_name(), *counted, schema_cookie(connection))
    connection.exec_driver_sql(marked(_RENEW, connection), values)


def _stored(engine: Engine, market: tuple[str, str] | None) -> list[tuple[SeriesRange, Gaps | None]]:
    with engine.connect() as connection:
        names = list(_names(connection, market))
        ends = [[_one(connection, sql, series) or 0 for sql in (_FIRST, _LAST)] for series in names]
        cookie = schema_cookie(connection)
        kept = {} if cookie is None else _kept(connection, cookie)
    found = []
    for series, (first, last) in zip(names, ends, strict=True):
        count = kept.get(series) or _counted(engine, series)
        gaps = Gaps(count.holes, count.missing) if series.timeframe in TIMEFRAMES else None
        found.append((SeriesRange(series, count.rows, first, last), gaps))
    return found


def _names(connection: Connection, market: tuple[str, str] | None) -> Iterator[Series]:
    """Yield the series that are stored, from one place in the index to the next."""
    last = Series(*(market or ("", "")), "")
    while (row := connection.exec_driver_sql(marked(_NEXT, connection), (*last, _END)).first()) is not None:
        last = Series(*row)
        if market not in (None, last[:2]):
            return
        yield last


def _counted(engine: Engine, series: Series) -> Counted:
    """Count the rows of a series, and keep what was counted if its revision still stands then."""
    step = TIMEFRAMES.get(series.timeframe)
    revision = None if step is None or engine.dialect.name != "sqlite" else issued_revision(engine, series)
    with engine.connect() as connection:
        if step is None:
            return Counted(_one(connection, _ROWS, series) or 0, 0, 0)
        values = (step, step, step, *series)
        counted = Counted(*map(int, connection.exec_driver_sql(marked(_COUNT, connection), values).one()))
    if revision is not None:
        write_now(engine, _KEEP, (*counted, revision.cookie, *series, revision.name))
    return counted


def _kept(connection: Connection, cookie: int) -> dict[Series, Counted]:
    rows = connection.exec_driver_sql(_KEPT, (cookie,))
    return {Series(*row[:3]): Counted(*row[3:]) for row in rows}


def _count(ts: IntArray, step: int) -> Counted:
    steps = np.diff(ts)
    holes = steps[steps > step]
    return Counted(int(ts.size), int(holes.size), int((holes // step - 1).sum()))


def _one(connection: Connection, sql: str, series: Series, *rest: int) -> int | None:
    found: int | None = connection.exec_driver_sql(marked(sql, connection), (*series, *rest)).scalar()
    return found
