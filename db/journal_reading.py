"""What an account's journal holds, read back: wanted, ordered, filled, booked, and the chain of entries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.errors import DatabaseError
from db.faults import database_error
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
    is_sound,
)
from db.order_models import NEVER_WAS, ORDER_TABLES
from db.state_rows import SELECT, StateRow, changed, opened

TABLES: dict[type, str] = {
    IntentRow: "order_intents",
    OrderRow: "orders",
    FillRow: "fills",
    PostingRow: "postings",
    EntryRow: "journal",
    CursorRow: "order_cursors",
}
HEAD = "SELECT seq, hash FROM journal WHERE account = ? ORDER BY seq DESC LIMIT 1"


class JournalReading:
    """One account's orders, fills, postings and entries. Errors are DatabaseError."""

    def __init__(self, connection: sqlite3.Connection, name: str, account: str) -> None:
        self.name = name
        self.account = account
        self._connection = connection
        self._head: tuple[int, str] | None = None
        """Number and hash of the newest entry, once it is known: only whoever holds the claim adds to it."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the block read everything as of one moment, while somebody else may write."""
        self._run("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def intents(self, key: str | None = None) -> list[IntentRow]:
        """Return everything that was ever wanted, or what was wanted under one key."""
        return self._rows(IntentRow) if key is None else self._rows(IntentRow, "AND key = ?", key)

    def intent(self, key: str) -> IntentRow:
        """Return what was wanted under a key. Raises DatabaseError when it is gone."""
        for row in self.intents(key):
            return row
        raise self.lost(f"the intent {key}")

    def lost(self, what: object) -> DatabaseError:
        """Return the error about a row that others refer to and that is gone."""
        return DatabaseError(
            f"database {self.name} is damaged: {what} is gone; restore a backup with "
            "scripts/backup_database.py --restore FILE"
        )

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

    def closing_orders(self, strategy: str, symbol: str, since: int) -> list[OrderRow]:
        """Return the orders sent since then (ms UTC) that were to make a strategy's position smaller."""
        where = (
            "AND coalesce(sent_at, due_at) >= ? AND intent_key IN (SELECT key FROM order_intents "
            "WHERE account = ? AND strategy = ? AND symbol = ? AND purpose <> 'entry') "
            "ORDER BY intent_key, attempt"
        )
        return self._rows(OrderRow, where, since, self.account, strategy, symbol)

    def closed_at(self, strategy: str, symbol: str) -> int:
        """Return when an order last made a strategy's position smaller, ms UTC, 0 for never."""
        statement = (
            "SELECT max(time) FROM fills WHERE account = ? AND client_order_id IN "
            "(SELECT client_order_id FROM orders WHERE account = ? AND intent_key IN (SELECT key FROM "
            "order_intents WHERE account = ? AND strategy = ? AND symbol = ? AND purpose <> 'entry'))"
        )
        row = self._one(statement, *[self.account] * 3, strategy, symbol)
        return int(row[0] or 0) if row else 0

    def time_of(self, number: int) -> int:
        """Return when an entry was stored, ms UTC, 0 for one that there is not."""
        row = self._one("SELECT ts FROM journal WHERE account = ? AND seq = ?", self.account, number)
        return int(row[0]) if row else 0

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

    def head(self) -> tuple[int, str]:
        """Return number and hash of the newest entry."""
        return self._head or self._one(HEAD, self.account) or (0, BEGINNING)

    def length(self) -> int:
        """Return the number of the newest entry, as it stands in the table."""
        row = self._one("SELECT max(seq) FROM journal WHERE account = ?", self.account)
        return int(row[0] or 0) if row else 0

    def hash_at(self, number: int) -> str | None:
        """Return the hash of an entry, None when there is no such entry."""
        if number == 0:
            return BEGINNING
        row = self._one("SELECT hash FROM journal WHERE account = ? AND seq = ?", self.account, number)
        return None if row is None else str(row[0])

    def verify_chain(self, last: int | None = None) -> list[str]:
        """Return what is wrong with the newest `last` entries, or with all: a line each, none when sound."""
        start = 0 if last is None else max(self.length() - last - 1, 0)
        found: list[str] = []
        before, expected = (BEGINNING, 1) if start == 0 else ("", start + 1)
        for entry in self.entries(start):
            if entry.seq != expected:
                found.append(f"journal: entry {expected} is missing, {entry.seq} follows")
            if before and not is_sound(before, self.account, entry):
                found.append(f"journal: entry {entry.seq} ({entry.kind} {entry.ref}) was changed")
            before, expected = entry.hash, entry.seq + 1
        return found

    def told_head(self) -> tuple[int, str] | None:
        """Return number and hash of the newest entry as the newest run told them, None when it did not.

        Raises DatabaseError when what the run told cannot be read.
        """
        query = "SELECT id, status_json FROM live_runs WHERE account = ? ORDER BY id DESC LIMIT 1"
        if (row := self._one(query, self.account)) is None:
            return None
        try:
            desk = opened(row[1]).get("desk", {})
            return (int(desk["journal"]), str(desk["head"])) if "head" in desk else None
        except (TypeError, ValueError, AttributeError):
            raise DatabaseError(f"the status of run {row[0]} cannot be read: {str(row[1])[:40]!r}") from None

    def broken_pages(self) -> list[str]:
        """Return what SQLite finds wrong in the order path's tables and the state of accounts."""
        self._run("PRAGMA cell_size_check = ON")
        names = [model.__tablename__ for model in ORDER_TABLES]
        told = [
            row[0] for name in (*names, "live_state") for row in self._all(f"PRAGMA integrity_check({name})")
        ]
        lost = [row for name in names for row in self._all(f"PRAGMA foreign_key_check({name})")]
        lines = [f"a row of {row[0]} belongs to no row of {row[2]}" for row in lost]
        return [line for line in dict.fromkeys((*told, *lines, *self._lost_indexes())) if line != "ok"]

    def broken_state(self) -> list[str]:
        """Return which rows of the account's state are not what was stored, or gone; a line each."""
        known = {row[0] for row in self._all("SELECT account FROM trading_accounts")} - {self.account}
        rows = [StateRow(*row) for row in self._all(SELECT)]
        # A row whose account was changed is nobody's now.
        found = changed(row for row in rows if row.account not in known)
        kept = (
            "SELECT 1 FROM live_equity WHERE run_id IN (SELECT id FROM live_runs WHERE account = ?) LIMIT 1"
        )
        has_session = any((row.account, row.name) == (self.account, "session") for row in rows)
        if not has_session and self._one(kept, self.account):
            found.append(f"the state session of account {self.account} is gone")
        return found

    def _lost_indexes(self) -> list[str]:
        tables = [model.metadata.tables[model.__tablename__] for model in ORDER_TABLES]
        wanted = {str(index.name) for table in tables for index in table.indexes}
        have = {row[0] for row in self._all("SELECT name FROM sqlite_master WHERE type = 'index'")}
        return [f"the index {name} is gone" for name in sorted(wanted - have)]

    def columns(self) -> dict[str, list[tuple[str, str]]]:
        """Return name and type of every column of the order path's tables."""
        names = [model.__tablename__ for model in ORDER_TABLES]
        told = {name: self._all(f"PRAGMA table_info({name})") for name in names}
        return {name: [(row[1], row[2]) for row in rows] for name, rows in told.items()}

    def _rows(self, kind: type[Row], where: str = "", *given: object) -> list[Row]:
        columns = ", ".join(kind._fields)
        # Names of this module's own; what is given goes in as parameters.
        statement = f"SELECT {columns} FROM {TABLES[kind]} WHERE account = ? {where}"  # noqa: S608
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
