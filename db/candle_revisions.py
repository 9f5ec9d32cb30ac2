"""Tell whether a series changed without reading it: any change of one of its rows deletes its revision.

A revision is a random name for the rows as they are. Triggers delete it, so every program that writes to
an SQLite file does, and never knows. Whoever wants to keep a copy of the rows gives them a new one; it is
never given twice, so the rows under a revision that still stands are the rows it was given to.
Servers keep none. docs/decisions/0009-column-cache.md says why it is done so.
"""

from __future__ import annotations

import secrets
from contextlib import closing, suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from core.domain import Series

_OF_SERIES = "exchange = {row}.exchange AND symbol = {row}.symbol AND timeframe = {row}.timeframe"
_FORGET = f"DELETE FROM candle_revisions WHERE {_OF_SERIES}"  # noqa: S608
# REPLACE removes the row that had the id without any delete trigger, whatever series it was of.
_FORGET_REPLACED = """DELETE FROM candle_revisions WHERE (exchange, symbol, timeframe) IN
 (SELECT exchange, symbol, timeframe FROM ohlcv WHERE id = NEW.id)"""
# DELETE and nothing else: the statement that fires a trigger also decides how the trigger's own statements
# treat a conflict, so that under UPDATE OR IGNORE a new revision might not be written. A row without
# an id of its own has -1 before it is inserted. Whatever moves a row between series fires `moved`.
TRIGGERS = {
    name: f"CREATE TRIGGER {name} {event} ON ohlcv {when}BEGIN {'; '.join(statements)}; END"
    for name, event, when, statements in [
        ("candles_inserted", "AFTER INSERT", "", [_FORGET.format(row="NEW")]),
        ("candles_deleted", "AFTER DELETE", "", [_FORGET.format(row="OLD")]),
        ("candles_updated", "AFTER UPDATE", "", [_FORGET.format(row="OLD")]),
        ("candles_replaced", "BEFORE INSERT", "WHEN NEW.id <> -1 ", [_FORGET_REPLACED]),
        (
            "candles_moved",
            "BEFORE UPDATE",
            "WHEN OLD.id <> NEW.id OR OLD.exchange <> NEW.exchange OR OLD.symbol <> NEW.symbol "
            "OR OLD.timeframe <> NEW.timeframe ",
            [_FORGET.format(row="NEW"), _FORGET_REPLACED],
        ),
    ]
}
"""SQL by name; sqlite_master repeats it to the letter."""

_REVISION = "SELECT revision FROM candle_revisions WHERE exchange = ? AND symbol = ? AND timeframe = ?"
_ISSUE = """INSERT INTO candle_revisions (exchange, symbol, timeframe, revision) VALUES (?, ?, ?, ?)
 ON CONFLICT DO NOTHING"""


class Revision(NamedTuple):
    """What stands for the rows of a series as they are."""

    name: str
    """Random, given once."""
    cookie: int
    """Counts changes of the schema, so that a trigger that was away for a while is noticed."""


def create_triggers(connection: Connection) -> None:
    """Make the triggers that are missing, where there is SQLite."""
    if connection.dialect.name == "sqlite":
        for sql in TRIGGERS.values():
            connection.exec_driver_sql(sql.replace("TRIGGER", "TRIGGER IF NOT EXISTS", 1))


def current_revision(engine: Engine, series: Series) -> Revision | None:
    """Return what stands for the rows of a series as they are now.

    None when no revision was issued since they last changed, or when a trigger is not what it should be.
    """
    with engine.connect() as connection:
        name: str | None = connection.exec_driver_sql(_REVISION, tuple(series)).scalar()
        cookie = schema_cookie(connection)
    return None if name is None or cookie is None else Revision(name, cookie)


def issued_revision(engine: Engine, series: Series) -> Revision | None:
    """Return the revision of a series, issued now if it has none; None where there can be none."""
    if (found := current_revision(engine, series)) is not None:
        return found
    issue_revision(engine, series)
    return current_revision(engine, series)


def schema_cookie(connection: Connection) -> int | None:
    """Return the number of the schema as it is, None when a trigger is not what it should be, or a server."""
    if connection.dialect.name != "sqlite":
        return None
    found = set(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'trigger'").scalars())
    if not found.issuperset(TRIGGERS.values()):
        return None
    return int(connection.exec_driver_sql("PRAGMA schema_version").scalar_one())


def new_name() -> str:
    """Return a name that no revision had before."""
    return secrets.token_hex(16)


def issue_revision(engine: Engine, series: Series) -> None:
    """Give the rows of a series a revision if they have none and the database can be written right now."""
    write_now(engine, _ISSUE, (*series, new_name()))


def write_now(engine: Engine, sql: str, values: tuple[Any, ...]) -> None:
    """Write what can be found out again, if the SQLite database can be written right now."""
    fault = engine.dialect.loaded_dbapi.Error
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        wait = _busy_timeout(cursor)
        # Another program's long write is no reason to wait: the reader can do without.
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            with suppress(fault):
                cursor.execute(sql, values)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {wait}")


def _busy_timeout(cursor: Any) -> int:
    cursor.execute("PRAGMA busy_timeout")
    return int(cursor.fetchone()[0])
