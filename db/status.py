"""What a database holds, at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, text

from core.domain import Series
from db.base import database_file, schema_version
from db.faults import database_name
from db.stored_series import StoredSeries, list_series

SYNTHETIC = "-synthetic"
"""How the label of generated candles ends, so that nobody takes them for a market's."""

SYNTHETIC_NOTE = "SYNTHETIC candles: made by the local exchange's generator, not by a market"


class DatabaseStatus(NamedTuple):
    """A database and what is in it."""

    name: str
    """Its file, or its address without any secret."""
    size: int | None
    """Bytes on disk, None for a server."""
    schema_version: int | None
    backtest_runs: int
    series: tuple[StoredSeries, ...]


def database_status(engine: Engine) -> DatabaseStatus:
    """Return what is stored. Raises DatabaseError."""
    with engine.connect() as connection:
        runs = int(connection.execute(text("SELECT count(*) FROM backtest_runs")).scalar_one())
    file = database_file(engine)
    return DatabaseStatus(
        name=database_name(engine.url),
        size=None if file is None else _bytes_on_disk(file),
        schema_version=schema_version(engine),
        backtest_runs=runs,
        series=tuple(list_series(engine)),
    )


def find_damage(engine: Engine) -> list[str]:
    """Return what SQLite finds wrong in its whole file, nothing for a server, which checks itself."""
    if engine.dialect.name != "sqlite":
        return []
    with engine.connect() as connection:
        connection.execute(text("PRAGMA cell_size_check = ON"))
        found = [" ".join(str(row[0]).split()) for row in connection.execute(text("PRAGMA integrity_check"))]
        lost = dict.fromkeys((row[0], row[2]) for row in connection.execute(text("PRAGMA foreign_key_check")))
    rows = [f"a row of {table} belongs to no row of {other}" for table, other in lost]
    return [*(line for line in found if line != "ok"), *rows]


def order_accounts(engine: Engine) -> list[str]:
    """Return the accounts that orders were ever sent for, or that have a state."""
    query = text("SELECT account FROM trading_accounts UNION SELECT account FROM live_state")
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def is_synthetic(series: Series) -> bool:
    """Tell whether the candles were generated."""
    return series.exchange.endswith(SYNTHETIC)


def _bytes_on_disk(file: Path) -> int:
    # What was written last is in the file beside it until SQLite merges the two.
    beside = file.with_name(file.name + "-wal")
    return file.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
