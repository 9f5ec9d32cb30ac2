"""SQLite files: where they are, how one is opened, and how a new one comes into being."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from core.errors import DatabaseError
from db.faults import database_error, init_command

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

ROOT = Path(__file__).resolve().parents[1]
"""Relative SQLite files are relative to the project, not to where a command was started."""

BUSY_SECONDS = 5.0
"""How long a statement waits for another program's write to end."""


_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
OWNERS = 0o600
"""Who may read and write a new file: its owner, for it shows what is held."""
OLDEST = (3, 37, 0)
"""The first SQLite with STRICT tables; upserts and window functions are older."""


def in_memory(url: URL) -> bool:
    """Tell whether the URL names no file."""
    return url.database in (None, "", ":memory:")


def located(url: URL) -> URL:
    """Return the URL with an absolute path; SQLite's own `file:` form is understood too."""
    name = str(url.database).removeprefix("file:")
    if "\0" in unquote(name):
        raise DatabaseError("cannot read the database URL: its file has a NUL in its name")
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        raise DatabaseError(f"database {name} is in the home of nobody here: write the folder out") from None
    query = {key: value for key, value in url.query.items() if key != "uri"}
    return url.set(database=str(ROOT / path), query=query)


def opener(url: URL) -> Callable[[], sqlite3.Connection]:
    """Return a function that opens one connection to an existing file and never makes one.

    Raises DatabaseError when the URL has other options than those or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise DatabaseError(
            f"SQLite {sqlite3.sqlite_version} is too old: use a Python that comes with 3.37 or newer"
        )
    mode, seconds = _options({key: str(value) for key, value in url.query.items()})
    name = str(url.database)
    address = f"file:{quote(name)}?mode={mode}"

    def connect() -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                address, uri=True, timeout=seconds, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA foreign_keys = ON")
            # Under WAL a power cut can cost the last commits but never damages the file. Candles can
            # be fetched and backtests run again; orders, which cannot, will have to ask for FULL.
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            raise database_error(error, name) from error
        return connection

    return connect


def check_file(path: Path) -> bool:
    """Tell whether there is a file to open.

    Raises DatabaseError for a directory, an empty file, or a path that cannot be looked at.
    """
    try:
        if path.is_dir():
            raise DatabaseError(f"database {path} is a directory: name a file in it")
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, error) from error
    if not path.is_file():
        raise DatabaseError(f"database {path} is a pipe or a device: name a file")
    if size == 0:
        raise DatabaseError(
            f"database {path} is empty (0 bytes), so it was cut off or never finished: "
            f"restore a backup, or delete it and run {init_command(str(path))}"
        )
    return True


def make_file(path: Path, fill: Callable[[Path], None]) -> None:
    """Make a database file that appears only when `fill` is done with it, and replaces nothing.

    Raises DatabaseError when it cannot be put there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            connection = sqlite3.connect(draft)
            connection.execute("PRAGMA journal_mode = WAL")  # kept in the file: readers never block
            connection.close()
            fill(draft)
            draft.chmod(OWNERS)  # and SQLite gives the log beside it the same
            _publish(draft, path)
    except OSError as error:
        raise _unusable(path, error) from error
    except sqlite3.Error as error:
        raise database_error(error, str(path)) from error


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first, and its file is as complete as this one
    except OSError:  # a file system without hard links
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNERS)
        with os.fdopen(opened, "wb") as target, draft.open("rb") as source:
            shutil.copyfileobj(source, target)


def _options(query: dict[str, str]) -> tuple[str, float]:
    """Return mode and seconds; mode=rw by default, because SQLite alone would make a missing file."""
    mode, seconds = query.pop("mode", "rw"), query.pop("timeout", str(BUSY_SECONDS))
    if query or mode not in ("ro", "rw") or not _SECONDS.fullmatch(seconds):
        raise DatabaseError(
            "cannot use the options of the database URL: wanted ?mode=ro, ?mode=rw or ?timeout=SECONDS"
        )
    return mode, float(seconds)


def _unusable(path: Path, error: OSError) -> DatabaseError:
    said = error.strerror or str(error)
    return DatabaseError(f"database {path} cannot be used: {said}; name a file in a directory you can write")
