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
from db.journal_reading import TABLES, JournalReading
from db.journal_rows import CursorRow, EntryRow, FillRow, IntentRow, PostingRow
from db.journal_writing import Writing
from db.order_models import ORDER_TABLES
from db.patience import Waiting, at_once
from db.place import Place

SETTINGS = (
    ("synchronous", 2),
    ("foreign_keys", 1),
    ("trusted_schema", 0),
    ("temp_store", 2),
    ("mmap_size", 0),
)
"""Read back when a file is opened; 2 is FULL, and MEMORY."""
_KEYS: dict[type, str] = {IntentRow: "account, key", FillRow: "account, exchange, symbol, id"}
"""Of rows that may be there already: any other conflict is a mistake."""


def _insertion(kind: Any) -> str:
    fields = kind._fields
    columns, marks = ", ".join(("account", *fields)), ", ".join("?" * (len(fields) + 1))
    # Names of this module's own; what is given goes in as parameters.
    return f"INSERT INTO {TABLES[kind]} ({columns}) VALUES ({marks})"  # noqa: S608


_INSERT = {kind: _insertion(kind) for kind in TABLES}
_INSERT_NEW = {kind: f"{_INSERT[kind]} ON CONFLICT ({key}) DO NOTHING" for kind, key in _KEYS.items()}
_SET_CURSOR = f"{_INSERT[CursorRow]} ON CONFLICT (account, name) DO UPDATE SET value = excluded.value"
_WRITER = "SELECT instance, epoch FROM trading_accounts WHERE account = ?"
_ENTRY = f"""
INSERT INTO journal (account, {", ".join(EntryRow._fields)}) SELECT ?, ?, ?, ?, ?, ?, ?
FROM trading_accounts WHERE account = ? AND instance = ? AND epoch = ?"""  # noqa: S608 -- this module's own names
"""An entry, if the claim still holds."""


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
    connection = sqlite.opener(url)()
    # What a flipped bit made of a text is shown as it is.
    connection.text_factory = lambda text: text.decode(errors="backslashreplace")
    return Journal(connection, str(url.database), account)


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


class Journal(JournalReading):
    """One account's orders, fills, postings and what happened to them. Errors are DatabaseError."""

    def __init__(self, connection: sqlite3.Connection, name: str, account: str) -> None:
        super().__init__(connection, name, account)
        self._claim: Claim | None = None
        self._place: Place | None = None
        self.patience: Waiting = at_once
        """Begins a transaction that writes, as long as that takes."""
        self.anchor: Callable[[int, str], object] = _nowhere
        """Keeps number and hash of the newest entry outside of the database, once it is stored there."""

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
        self._place = Place(Path(self.name))

    def prove_place(self) -> None:
        """Raise DatabaseError unless the file that is written is the one that its name leads to."""
        if self._place is not None:
            self._place.prove()

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
        self.prove_place()
        self.patience(lambda: self._run("BEGIN IMMEDIATE"))
        try:
            return self.head()
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
                self.anchor(*head)
        finally:
            # A statement that failed for want of space may have ended the transaction by itself.
            if self._connection.in_transaction:
                self._connection.rollback()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            self.end()
            raise

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


def _nowhere(number: int, head: str) -> None:
    """Keep an entry's hash nowhere else: of books in memory, and while nobody trades."""


@cache
def _change(fields: tuple[str, ...]) -> str:
    sets = ", ".join(f"{name} = ?" for name in fields)
    # Names of this module's own; what is given goes in as parameters.
    return f"UPDATE orders SET {sets} WHERE account = ? AND client_order_id = ?"  # noqa: S608
