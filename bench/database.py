"""The candle store against the plainest sqlite3 code that does the same on the same table."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from bench.harness import Case
from core.domain import Bars, Series
from db.candles import read_bars, upsert_bars
from db.init_db import init_db

COUNT = 500_000
SERIES = Series("binanceus", "BTC/USDT", "1m")
READ_TARGET, WRITE_TARGET = 1.5, 2.0

READ = """SELECT ts, open, high, low, close, volume FROM ohlcv
 WHERE exchange = ? AND symbol = ? AND timeframe = ? ORDER BY ts"""
UPSERT = """INSERT INTO ohlcv (exchange, symbol, timeframe, ts, open, high, low, close, volume)
 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (exchange, symbol, timeframe, ts) DO UPDATE SET open = excluded.open, high = excluded.high,
 low = excluded.low, close = excluded.close, volume = excluded.volume
 WHERE open <> excluded.open OR high <> excluded.high OR low <> excluded.low OR close <> excluded.close
 OR volume <> excluded.volume"""


def cases(folder: Path) -> list[Case]:
    """Return reading, and upserting into an empty, an equal and a changed table."""
    store = _Store(folder / "bench.db")
    return [
        Case(f"read {COUNT:,} bars", store.read_ours, store.read_plain, READ_TARGET, prepare=store.fill),
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
    """One database, brought into the state that a case starts from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = ExitStack()

    @cached_property
    def bars(self) -> Bars:
        """Bars of about a year of minutes."""
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
        for path in self.path.parent.glob(self.path.name + "*"):
            path.unlink()
        self.engine = init_db(f"sqlite:///{self.path}")
        self.opened.callback(self.engine.dispose)
        self.plain = self.opened.enter_context(closing(sqlite3.connect(self.path, isolation_level=None)))
        self.plain.execute("PRAGMA synchronous = NORMAL")

    def fill(self) -> None:
        """Start with the same bars stored."""
        if not self.path.exists():
            self.empty()
        self.write_plain()

    def spoil(self) -> None:
        """Start with bars stored that all differ."""
        self.fill()
        self.plain.execute("UPDATE ohlcv SET volume = volume + 1")

    def read_ours(self) -> Bars:
        """Read as the engine does."""
        return read_bars(self.engine, SERIES)

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
        self.plain.execute("BEGIN IMMEDIATE")
        self.plain.executemany(UPSERT, self.rows)
        self.plain.execute("COMMIT")
