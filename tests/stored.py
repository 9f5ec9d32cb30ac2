"""Databases and candles for tests of the store; nothing here is under data/."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sqlalchemy import Engine

from core.domain import Bars, Series
from db.base import open_engine
from db.candles import upsert_bars
from db.init_db import init_db
from db.sqlite import OWNERS

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_600_000_000_000 // HOUR * HOUR
"""2020-09-13 12:00 UTC."""
NOW = START + 10_000 * HOUR
SERIES = Series("binanceus", "BTC/USDT", "1h")


def bars_at(*hours: int, price: float = 100.0, volume: float = 2.0) -> Bars:
    """Return sound bars that open this many hours after START."""
    ts = START + HOUR * np.array(hours, np.int64)
    close = np.full(len(ts), price)
    return Bars(ts, close - 0.5, close + 1, close - 1, close, np.full(len(ts), volume))


def url_of(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{path}"


@cache
def empty_database() -> bytes:
    """Return what is in the file of a new database."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        init_db(url_of(path)).dispose()
        return path.read_bytes()


def new_database(path: Path) -> Engine:
    """Make a database as `init_db` does, seven times sooner: each is a copy of the first."""
    if not path.exists():
        path.touch(OWNERS)
        path.write_bytes(empty_database())
    return opened(path)


def make_database(folder: Path, bars: Bars | None = None, series: Series = SERIES) -> Path:
    """Make a database in a folder, with these bars, closed again, and return its file."""
    path = folder / "candles.db"
    engine = new_database(path)
    if bars is not None:
        upsert_bars(engine, series, bars, clock=lambda: NOW)
    engine.dispose()
    return path


def opened(path: Path) -> Engine:
    """Open a database file."""
    return open_engine(url_of(path))


def run_sql(path: Path, *statements: str) -> None:
    """Change a database behind the program's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def same_bars(left: Bars, right: Bars) -> bool:
    """Tell whether two sets of bars are equal, type by type and bit by bit."""
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True))
