"""Statements in plain SQL on the driver's own cursor, for what a running loop does at every bar.

SQLAlchemy takes 5 to 50 times as long to make and dress such a statement as SQLite takes to run it.
Placeholders are question marks; errors are DatabaseError as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from sqlalchemy import Engine

from db.base import marked
from db.faults import database_error, database_name
from db.patience import patience_of


class Statements:
    """Runs statements that read, on one connection."""

    def __init__(self, engine: Engine) -> None:
        """Take the engine whose pool has the connection."""
        self._engine = engine
        self._error = engine.dialect.loaded_dbapi.Error
        self._cursor: Any = None

    def __enter__(self) -> Self:
        try:
            self._connection = self._engine.raw_connection()
            self._cursor = self._connection.cursor()
        except self._error as error:
            raise self._told(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What was begun and not committed is undone where the connection goes back to its pool.
        self._cursor.close()
        self._connection.close()

    def run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement; return the cursor, which has what it found."""
        try:
            self._cursor.execute(marked(sql, self._engine), values)
        except self._error as error:
            raise self._told(error) from error
        return self._cursor

    def run_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement that returns nothing once for each row, if there is one."""
        for row in rows:
            self.run(sql, row)

    def _told(self, error: BaseException) -> BaseException:
        return database_error(error, database_name(self._engine.url))


class WritingStatements(Statements):
    """Runs statements in a transaction that writes; it is committed at the end, or undone as a whole."""

    def __enter__(self) -> Self:
        super().__enter__()
        if self._engine.dialect.name == "sqlite":
            try:
                # As `db.base.writing` does: SQLite takes its write lock at once.
                patience_of(self._engine.get_execution_options())(lambda: self.run("BEGIN IMMEDIATE"))
            except BaseException as error:
                super().__exit__(type(error))
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            super().__exit__(kind)

    def commit(self) -> None:
        """Store what was written."""
        try:
            self._connection.commit()
        except self._error as error:
            raise self._told(error) from error
