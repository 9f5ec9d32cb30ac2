"""The order path's store: one account, one writer, every commit on the disk before anything follows from it.

It has a connection of its own beside the engine's: WAL with synchronous=FULL, and every transaction takes
the write lock at its beginning. Readers of the same file never make it wait; another writer does, for as
long as the database URL's `timeout` says. What changes a table changes the journal in the same transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import make_url
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from core.errors import DatabaseError
from db import sqlite
from db.base import open_engine
from db.faults import database_error, database_name
from db.journal_rows import (
    BEGINNING,
    CursorRow,
    EntryRow,
    FillRow,
    IntentRow,
    OrderRow,
    PostingRow,
    Row,
    from_sql,
    hash_of,
)
from db.journal_writing import Writing
from db.order_models import NEVER_WAS, ORDER_TABLES

SETTINGS = (
    ("synchronous", 2),
    ("foreign_keys", 1),
    ("trusted_schema", 0),
    ("temp_store", 2),
    ("mmap_size", 0),
)
"""Read back when a file is opened; 2 is FULL, and MEMORY."""
_TABLES: dict[type, str] = {
    IntentRow: "order_intents",
    OrderRow: "orders",
    FillRow: "fills",
    PostingRow: "postings",
    EntryRow: "journal",
    CursorRow: "order_cursors",
}
_KEYS: dict[type, str] = {IntentRow: "account, key", FillRow: "account, exchange, symbol, id"}
"""Of rows that may be there already: any other conflict is a mistake."""


def _insertion(kind: Any) -> str:
    fields = kind._fields
    columns, marks = ", ".join(("account", *fields)), ", ".join("?" * (len(fields) + 1))
    # Names of this module's own; what is given goes in as parameters.
    return f"INSERT INTO {_TABLES[kind]} ({columns}) VALUES ({marks})"  # noqa: S608


_INSERT = {kind: _insertion(kind) for kind in _TABLES}
_INSERT_NEW = {kind: f"{_INSERT[kind]} ON CONFLICT ({key}) DO NOTHING" for kind, key in _KEYS.items()}
_SET_CURSOR = f"{_INSERT[CursorRow]} ON CONFLICT (account, name) DO UPDATE SET value = excluded.value"
_WRITER = "SELECT instance, epoch FROM trading_accounts WHERE account = ?"
_ENTRY = f"""
INSERT INTO journal (account, {", ".join(EntryRow._fields)}) SELECT ?, ?, ?, ?, ?, ?, ?
FROM trading_accounts WHERE account = ? AND instance = ? AND epoch = ?"""  # noqa: S608 -- this module's own names
"""An entry, if the claim still holds."""
_HEAD = "SELECT seq, hash FROM journal WHERE account = ? ORDER BY seq DESC LIMIT 1"


class Claim(NamedTuple):
    """Who writes an account's books now."""

    instance: str
    epoch: int


def open_journal(db_url: str, account: str) -> Journal:
    """Open an account's journal in an existing database.

    Raises DatabaseError when the database cannot be used, cannot be written, or is not on SQLite.
    """
    engine = open_engine(db_url)
    try:
        name = database_name(engine.url)
        if engine.dialect.name != "sqlite":
            raise DatabaseError(
                f"database {name} cannot keep orders yet: name an SQLite file, sqlite:///FILE"
            )
        if sqlite.in_memory(engine.url):
            raise DatabaseError("orders of an account are kept in a file: name one, sqlite:///FILE")
        connection = sqlite.opener(sqlite.located(make_url(db_url)))()
    finally:
        engine.dispose()
    journal = Journal(connection, name, account)
    try:
        journal.prepare()
    except BaseException:
        journal.close()
        raise
    return journal


def read_journal(db_url: str, account: str) -> Journal:
    """Open an account's journal for reading: whoever writes it never waits for this.

    Raises DatabaseError when the file cannot be read.
    """
    url = sqlite.located(make_url(db_url)).update_query_dict({"mode": "ro"})
    return Journal(sqlite.opener(url)(), str(url.database), account)


def memory_journal(account: str) -> Journal:
    """Return a journal that is gone with the process: for replays and tests."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    for statement in table_statements():
        connection.execute(statement)
    return Journal(connection, ":memory:", account)


@cache
def table_statements() -> tuple[str, ...]:
    """Return the SQL that makes the order path's tables alone."""
    dialect = sqlite_dialect.dialect()
    tables = [model.__table__ for model in ORDER_TABLES]
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in tables]  # type: ignore[arg-type]
    indexes = [index for table in tables for index in table.indexes]  # type: ignore[attr-defined]
    return (*made, *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes))


class Journal:
    """One account's orders, fills, postings and what happened to them. Errors are DatabaseError."""

    def __init__(self, connection: sqlite3.Connection, name: str, account: str) -> None:
        self.name = name
        self.account = account
        self._connection = connection
        self._claim: Claim | None = None
        self._head: tuple[int, str] | None = None
        """Number and hash of the newest entry, once it is known: only whoever holds the claim adds to it."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def file(self) -> Path | None:
        """The database's file, None in memory."""
        return None if self.name == ":memory:" else Path(self.name)

    def prepare(self) -> None:
        """Set the file up for orders, and see that it can be written.

        Raises DatabaseError when it does not take a setting.
        """
        if self._one("PRAGMA journal_mode = WAL") != ("wal",):
            raise DatabaseError(
                f"database {self.name} cannot have a write-ahead log, which orders need: "
                "put it on a local disk"
            )
        for setting, value in SETTINGS:
            self._run(f"PRAGMA {setting} = {value}")
            if (found := self._one(f"PRAGMA {setting}")) != (value,):
                raise DatabaseError(f"database {self.name} did not take {setting} = {value}, but {found}")
        # Of a file that cannot be written SQLite says so only when something is.
        with self._exclusive():
            self._run("DELETE FROM order_cursors WHERE name IS NULL")

    def claimed(self) -> Claim | None:
        """Return who wrote the books last, None when nobody ever did."""
        row = self._one(_WRITER, self.account)
        return None if row is None else Claim(*row)

    def claim(self, instance: str, now: int) -> Claim:
        """Take the books over: whoever wrote them until now cannot any more.

        `instance` names the account's orders if nobody wrote before; later it stays what it is. `now` is in
        ms UTC.
        """
        with self._exclusive():
            self._run(
                "INSERT INTO trading_accounts VALUES (?, ?, 1, ?) "
                "ON CONFLICT (account) DO UPDATE SET epoch = epoch + 1",
                self.account,
                instance,
                now,
            )
            claim = self.claimed()
        self._claim, self._head = claim, None
        if claim is None:  # pragma: no cover -- the row above is there
            raise DatabaseError(f"database {self.name} lost the account {self.account}")
        return claim

    def writing(self, now: int, lost: Callable[[], None] = lambda: None) -> Writing:
        """Begin a transaction, stored as a whole or not at all; `now` (ms UTC) stamps its entry.

        `lost` is called when it failed and nobody knows whether it is stored. Entering it raises
        DatabaseError when another process has taken the books over.
        """
        return Writing(self, now, lost)

    def begin(self) -> tuple[int, str]:
        """Take the write lock and return number and hash of the newest entry; `Writing` is who may."""
        self._run("BEGIN IMMEDIATE")
        try:
            return self._head or self._one(_HEAD, self.account) or (0, BEGINNING)
        except BaseException:
            self.end()
            raise

    def tell(self, entry: EntryRow) -> None:
        """Store the entry of a transaction, whose last statement it is; `Writing` is who may.

        Raises DatabaseError when another process has taken the books over: then nothing is stored.
        """
        claim = self._claim or ("", 0)
        if self._run(_ENTRY, self.account, *entry, self.account, *claim).rowcount != 1:
            raise DatabaseError(
                f"database {self.name}: another process has taken over the account {self.account}: "
                "nothing was stored; end this one"
            )

    def end(self, head: tuple[int, str] | None = None) -> None:
        """End a transaction that leaves this head, or take it back; `Writing` is who may."""
        self._head = None
        try:
            if head is not None:
                self._run("COMMIT")
                self._head = head
        finally:
            # A statement that failed for want of space may have ended the transaction by itself.
            if self._connection.in_transaction:
                self._connection.rollback()

    def intents(self, key: str | None = None) -> list[IntentRow]:
        """Return everything that was ever wanted, or what was wanted under one key."""
        return self._rows(IntentRow) if key is None else self._rows(IntentRow, "AND key = ?", key)

    def orders(self, *, key: str | None = None, settled: bool = True) -> list[OrderRow]:
        """Return all orders, those of one intent, or those that can still change."""
        where, given = ("", ()) if key is None else ("AND intent_key = ?", (key,))
        if not settled:
            where += f" AND state NOT IN {NEVER_WAS} AND state NOT IN ('filled', 'canceled', 'expired')"
        return self._rows(OrderRow, f"{where} ORDER BY intent_key, attempt", *given)

    def exits(self, strategy: str, symbol: str, bar: int) -> list[OrderRow]:
        """Return the orders of the exits that a strategy wanted on a bar, oldest attempts first."""
        where = (
            "AND intent_key IN (SELECT key FROM order_intents WHERE account = ? AND strategy = ? "
            "AND symbol = ? AND bar = ? AND purpose = 'exit') ORDER BY intent_key, attempt"
        )
        return self._rows(OrderRow, where, self.account, strategy, symbol, bar)

    def order(self, client_order_id: str) -> OrderRow | None:
        """Return one order."""
        return next(iter(self._rows(OrderRow, "AND client_order_id = ?", client_order_id)), None)

    def suspects(self, symbol: str, side: str, since: int) -> list[OrderRow]:
        """Return the orders sent since then (ms UTC) that never were, as far as is known."""
        where = (
            f"AND symbol = ? AND side = ? AND sent_at >= ? AND exchange_id IS NULL AND state IN {NEVER_WAS}"
        )
        return self._rows(OrderRow, where, symbol, side, since)

    def order_at(self, symbol: str, exchange_id: str) -> OrderRow | None:
        """Return the order that the exchange calls so."""
        found = self._rows(OrderRow, "AND symbol = ? AND exchange_id = ?", symbol, exchange_id)
        return next(iter(found), None)

    def fill_before(self, exchange: str, symbol: str, time: int) -> str | None:
        """Return the id of the newest execution before a time, ms UTC."""
        statement = (
            "SELECT id FROM fills WHERE account = ? AND exchange = ? AND symbol = ? AND time < ? "
            "ORDER BY time DESC, seq DESC LIMIT 1"
        )
        row = self._one(statement, self.account, exchange, symbol, time)
        return None if row is None else str(row[0])

    def fills(self) -> list[FillRow]:
        """Return all executions in the order of booking."""
        return self._rows(FillRow, "ORDER BY seq")

    def postings(self) -> list[PostingRow]:
        """Return all lines of the books."""
        return self._rows(PostingRow)

    def cursors(self) -> dict[str, str]:
        """Return how far things were read and what holds, by name."""
        return {row.name: row.value for row in self._rows(CursorRow)}

    def entries(self, after: int = 0) -> list[EntryRow]:
        """Return what happened after the entry of this number, oldest first."""
        return self._rows(EntryRow, "AND seq > ? ORDER BY seq", after)

    def length(self) -> int:
        """Return the number of the newest entry."""
        row = self._one("SELECT max(seq) FROM journal WHERE account = ?", self.account)
        return int(row[0] or 0) if row else 0

    def verify_chain(self, last: int | None = None) -> list[str]:
        """Return what is wrong with the newest `last` entries, or with all: a line each, none when sound."""
        start = 0 if last is None else max(self.length() - last - 1, 0)
        found: list[str] = []
        before, expected = (BEGINNING, 1) if start == 0 else ("", start + 1)
        for entry in self.entries(start):
            if entry.seq != expected:
                found.append(f"journal: entry {expected} is missing, {entry.seq} follows")
            sound = hash_of(before, self.account, *entry[:-1]) == entry.hash
            if before and not sound:
                found.append(f"journal: entry {entry.seq} ({entry.kind} {entry.ref}) was changed")
            before, expected = entry.hash, entry.seq + 1
        return found

    def columns(self) -> dict[str, list[tuple[str, str]]]:
        """Return name and type of every column of the order path's tables."""
        names = [model.__tablename__ for model in ORDER_TABLES]
        told = {name: self._all(f"PRAGMA table_info({name})") for name in names}
        return {name: [(row[1], row[2]) for row in rows] for name, rows in told.items()}

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            self.end()
            raise

    def _rows(self, kind: type[Row], where: str = "", *given: object) -> list[Row]:
        columns = ", ".join(kind._fields)
        # Names of this module's own; what is given goes in as parameters.
        statement = f"SELECT {columns} FROM {_TABLES[kind]} WHERE account = ? {where}"  # noqa: S608
        return [from_sql(kind, row) for row in self._all(statement, self.account, *given)]

    def _one(self, statement: str, *given: object) -> tuple[Any, ...] | None:
        rows = self._all(statement, *given)
        return rows[0] if rows else None

    def _all(self, statement: str, *given: object) -> list[tuple[Any, ...]]:
        cursor = self._run(statement, *given)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:  # pragma: no cover -- of what is found only while rows are read
            raise database_error(error, self.name) from error

    def _run(self, statement: str, *given: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, given)
        except sqlite3.Error as error:
            raise database_error(error, self.name) from error

    def put(self, kind: type[NamedTuple], values: Sequence[Any]) -> None:
        """Store a row, as the database keeps it, inside a transaction; `Writing` is who may."""
        self._run(_INSERT[kind], self.account, *values)

    def set_cursor(self, name: str, value: str) -> None:
        """Store a cursor inside a transaction; `Writing` is who may."""
        self._run(_SET_CURSOR, self.account, name, value)

    def put_new(self, kind: type[NamedTuple], values: Sequence[Any]) -> bool:
        """Store a row inside a transaction, False if its key is there already; `Writing` is who may."""
        return self._run(_INSERT_NEW[kind], self.account, *values).rowcount == 1

    def put_all(self, lines: Iterable[tuple[str, str, str, str]]) -> None:
        """Store the lines of a transaction of the books inside one; `Writing` is who may."""
        kept = [(self.account, *line) for line in lines]
        try:
            self._connection.executemany(_INSERT[PostingRow], kept)
        except sqlite3.Error as error:
            raise database_error(error, self.name) from error

    def change(self, client_order_id: str, changed: Mapping[str, Any]) -> None:
        """Change fields of an order inside a transaction; `Writing` is who may."""
        self._run(_change(tuple(changed)), *changed.values(), self.account, client_order_id)


@cache
def _change(fields: tuple[str, ...]) -> str:
    sets = ", ".join(f"{name} = ?" for name in fields)
    # Names of this module's own; what is given goes in as parameters.
    return f"UPDATE orders SET {sets} WHERE account = ? AND client_order_id = ?"  # noqa: S608
