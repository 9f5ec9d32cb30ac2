"""An account's rows moved to a database of their own, as they are, so that its name can begin anew.

Copied first, compared row by row, and only then taken out of where they were, in one transaction: whatever
ends the program in between leaves the account where it was, with a copy beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Table

from core.errors import DatabaseError
from db import (
    live_models,  # noqa: F401 -- the tables of a running loop
    order_models,  # noqa: F401 -- and those of its orders
)
from db.declared import Base
from db.faults import database_error
from db.init_db import init_db

_OWN = "account = ?"
_OF_A_RUN = "run_id IN (SELECT id FROM main.live_runs WHERE account = ?)"


def count_rows(database: Path, account: str) -> dict[str, int]:
    """Return how many rows an account has in each table, tables without any left out."""
    with _opened(database) as connection:
        counts = {name: _count(connection, f"main.{name}", where, account) for name, where in _tables()}
    return {name: count for name, count in counts.items() if count}


def copy_account(database: Path, account: str, target: Path) -> None:
    """Copy an account's rows to a new database and compare them.

    Raises DatabaseError when the file exists, or when the copy differs.
    """
    if target.exists():
        raise DatabaseError(f"{target} exists and is left as it is: name another file")
    target.parent.mkdir(parents=True, exist_ok=True)
    init_db(f"sqlite:///{target.resolve()}").dispose()
    with _opened(database) as connection:
        connection.execute("ATTACH DATABASE ? AS archive", (str(target),))
        with _transaction(connection):
            for name, where in _tables():
                connection.execute(_copy(name, where), (account,))
        for name, where in _tables():
            if connection.execute(_differing(name, where), (account,)).fetchone():
                raise DatabaseError(f"the copy of {name} in {target} differs: the account was left as it is")


def delete_account(database: Path, account: str) -> None:
    """Delete an account's rows, all or none."""
    with _opened(database) as connection, _transaction(connection):
        for name, where in reversed(_tables()):
            connection.execute(f"DELETE FROM main.{name} WHERE {where}", (account,))  # noqa: S608


def _tables() -> list[tuple[str, str]]:
    """Return the tables that know accounts, those that others refer to first, and which rows are whose."""
    return [(table.name, where) for table in Base.metadata.sorted_tables if (where := _rows_of(table))]


def _rows_of(table: Table) -> str:
    if "account" in table.columns:
        return _OWN
    return _OF_A_RUN if "run_id" in table.columns else ""


# Names of this project's own tables; the account goes in as a parameter.
def _count(connection: sqlite3.Connection, table: str, where: str, account: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", (account,)).fetchone()  # noqa: S608
    return int(row[0])


def _copy(name: str, where: str) -> str:
    columns = ", ".join(column.name for column in Base.metadata.tables[name].columns)
    return f"INSERT INTO archive.{name} ({columns}) SELECT {columns} FROM main.{name} WHERE {where}"  # noqa: S608


def _differing(name: str, where: str) -> str:
    """Return the query for a row that is here and not in the copy."""
    columns = ", ".join(column.name for column in Base.metadata.tables[name].columns)
    here = f"SELECT {columns} FROM main.{name} WHERE {where}"  # noqa: S608
    return f"{here} EXCEPT SELECT {columns} FROM archive.{name} LIMIT 1"  # noqa: S608


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
    except sqlite3.Error as error:
        raise database_error(error, str(database)) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
