"""The candle store against the plainest sqlite3 code that does the same on a table without triggers."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from bench.harness import Case
from core.domain import Bars, Series
from core.sql_data_source import SQLDataSource
from db.candle_revisions import TRIGGERS
from db.candles import read_bars, upsert_bars
from db.init_db import init_db

COUNT = 525_600
"""A year of minutes."""
SERIES = Series("binanceus", "BTC/USDT", "1m")
READ_TARGET, WRITE_TARGET = 1.5, 2.0
FIRST_TARGET, MAPPED_TARGET = 1.5, 0.05
MAPPED_SECONDS = 0.010

READ = """SELECT ts, open, high, low, close, volume FROM ohlcv
 WHERE exchange = ? AND symbol = ? AND timeframe = ? ORDER BY ts"""
UPSERT = """INSERT INTO ohlcv (exchange, symbol, timeframe, ts, open, high, low, close, volume)
 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (exchange, symbol, timeframe, ts) DO UPDATE SET open = excluded.open, high = excluded.high,
 low = excluded.low, close = excluded.close, volume = excluded.volume
 WHERE open <> excluded.open OR high <> excluded.high OR low <> excluded.low OR close <> excluded.close
 OR volume <> excluded.volume"""


def cases(folder: Path) -> list[Case]:
    """Return reading without and with the column cache, and upserting new, equal and changed bars."""
    # Of its own: what is emptied there are all databases.
    place = folder / "candles"
    place.mkdir(exist_ok=True)
    store = _Store(place / "bench.db")
    return [
        Case(f"read {COUNT:,} bars", store.read_ours, store.read_plain, READ_TARGET, prepare=store.fill),
        Case(
            f"read {COUNT:,} bars, making the column cache",
            store.read_source,
            store.read_plain,
            FIRST_TARGET,
            prepare=store.forget,
        ),
        Case(
            f"read {COUNT:,} bars from the column cache",
            store.read_source,
            store.read_plain,
            MAPPED_TARGET,
            prepare=store.remember,
        ),
        Case(
            f"read {COUNT:,} bars from the column cache, seconds",
            store.read_source,
            None,
            MAPPED_SECONDS,
            prepare=store.remember,
        ),
        Case(f"upsert {COUNT:,} new bars", store.write_ours, store.write_plain, WRITE_TARGET, 5, store.empty),
        Case(
            f"upsert {COUNT:,} equal bars", store.write_ours, store.write_plain, WRITE_TARGET, 3, store.fill
        ),
        Case(
            f"upsert {COUNT:,} changed bars",
            store.write_ours,
            store.write_plain,
            WRITE_TARGET,
            3,
            store.spoil,
        ),
    ]


class _Store:
    """Two equal databases, ours and one without triggers, in the state that a case starts from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plain_path = path.with_name(f"plain-{path.name}")
        self.opened = ExitStack()
        self.is_full = False

    @cached_property
    def bars(self) -> Bars:
        """Bars as a market might have made them."""
        random = np.random.default_rng(7)
        close = 20_000 + np.cumsum(random.normal(0, 5, COUNT))
        ts = 1_600_000_020_000 + 60_000 * np.arange(COUNT)
        return Bars(ts, close, close + 9, close - 9, close + 1, random.random(COUNT))

    @cached_property
    def rows(self) -> list[tuple[str | int | float, ...]]:
        """The same as ready tuples: the plain code is spared making them, ours is not."""
        columns = (column.tolist() for column in self.bars)
        return [(*SERIES, *row) for row in zip(*columns, strict=True)]

    def empty(self) -> None:
        """Start with a new database without a bar."""
        self.opened.close()
        self.is_full = False
        for path in (*self.path.parent.glob("*.db*"), *self.path.parent.glob("cache/*")):
            path.unlink()
        init_db(f"sqlite:///{self.plain_path}").dispose()
        self.engine = init_db(f"sqlite:///{self.path}")
        self.opened.callback(self.engine.dispose)
        self.source = SQLDataSource(f"sqlite:///{self.path}", SERIES.exchange)
        self.opened.callback(self.source.engine.dispose)
        self.behind = self._connect(self.path)
        self.plain = self._connect(self.plain_path)
        for name in TRIGGERS:
            self.plain.execute(f"DROP TRIGGER {name}")

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = self.opened.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def fill(self) -> None:
        """Start with the same bars stored."""
        if not self.path.exists():
            self.empty()
        if not self.is_full:
            self._write(self.plain)
            self._write(self.behind)
            self.is_full = True

    def spoil(self) -> None:
        """Start with bars stored that all differ."""
        self.fill()
        self.is_full = False
        for connection in (self.plain, self.behind):
            connection.execute("UPDATE ohlcv SET volume = volume + 1")

    def forget(self) -> None:
        """Start with the same bars stored and the cache of an earlier state."""
        self.fill()
        self.behind.execute("UPDATE ohlcv SET volume = volume WHERE id = 1")

    def remember(self) -> None:
        """Start with the same bars stored and in the cache."""
        self.fill()
        self.read_source()

    def read_ours(self) -> Bars:
        """Read as the engine does."""
        return read_bars(self.engine, SERIES)

    def read_source(self) -> Bars:
        """Read as a backtest does, through the cache."""
        return self.source.get_bars(SERIES.symbol, SERIES.timeframe)

    def read_plain(self) -> Bars:
        """Read as fast as sqlite3 can: one iterator over the cells into one array."""
        cells = chain.from_iterable(self.plain.execute(READ, SERIES))
        columns = np.fromiter(cells, np.float64, 6 * COUNT).reshape(-1, 6).T
        return Bars(columns[0].astype(np.int64), *(np.ascontiguousarray(column) for column in columns[1:]))

    def write_ours(self) -> object:
        """Upsert as the engine does, with exact counts."""
        return upsert_bars(self.engine, SERIES, self.bars)

    def write_plain(self) -> None:
        """Upsert as fast as sqlite3 can, counting nothing."""
        self._write(self.plain)

    def _write(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(UPSERT, self.rows)
        connection.execute("COMMIT")
