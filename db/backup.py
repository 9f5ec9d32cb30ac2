"""A database copied as it is at one moment, while others write to it, and put in the place of another."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from core.errors import DatabaseError
from db.faults import database_error
from db.sqlite import OWNERS, make_file


def back_up(database: Path, target: Path) -> None:
    """Copy a database to a new file, whole or not at all; nobody who uses it waits.

    Raises DatabaseError when the file exists, or either cannot be used.
    """
    if target.exists():
        raise DatabaseError(f"{target} exists and is left as it is: name another file")
    make_file(target, lambda draft: _copy(database, draft, "DELETE"))


def put_back(backup: Path, database: Path, aside: Path) -> None:
    """Put a copy of a backup in the place of a database, which is kept under the name `aside`.

    Whatever ends the program in between leaves one of the two in its place. Raises DatabaseError when another
    program uses the database, or when either cannot be used.
    """
    draft = database.with_name(f".{database.name}.{os.getpid()}.restored")
    try:
        make_file(draft, lambda file: _copy(backup, file, "WAL"))
        if database.exists():
            _empty_log(database)
            os.link(database, aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                # SQLite would take the log of one file for that of the other.
                database.with_name(database.name + ending).replace(aside.with_name(aside.name + ending))
        draft.replace(database)
    except OSError as error:
        raise DatabaseError(f"{backup} cannot be put in the place of {database}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _copy(source: Path, target: Path, mode: str) -> None:
    """Copy all; a backup is one file, without a log beside it even while it is looked at."""
    address = f"file:{quote(str(source))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as here, closing(sqlite3.connect(target)) as there:
            # All pages in one step: a page at a time would begin again with every write of somebody else.
            here.backup(there)
            there.execute("PRAGMA synchronous = FULL")
            there.execute(f"PRAGMA journal_mode = {mode}")
    except sqlite3.Error as error:
        raise database_error(error, str(source)) from error
    target.chmod(OWNERS)


def _empty_log(database: Path) -> None:
    """Move what is in the write-ahead log into the file, unless the file is beyond that."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database, timeout=1)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise DatabaseError(f"database {database} is used by another program: end it first")
