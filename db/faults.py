"""Turn what a database driver raises into one helping line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import DatabaseError, DatabaseLockedError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

_LOCKED = "is locked: another program is writing to it; wait until it is done or stop it"

# Keyed by SQLite's primary error names; an extended name begins with its primary one.
_SQLITE_FAULTS = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_NOTADB": "is not an SQLite database and was left alone: name another file, or move this one away "
    "and run {init}",
    "SQLITE_CORRUPT": "is damaged and was left alone: restore a backup, or move the file away, run "
    "{init} and load the candles again",
    "SQLITE_READONLY": "cannot be written: the file or its directory is read-only; give this user the right "
    "to write both, or name another file",
    "SQLITE_CANTOPEN": "cannot be opened: check that it is there and that this user may read and write it "
    "and its folder",
    "SQLITE_FULL": "could not grow: the disk is full; nothing of this step was stored",
    "SQLITE_IOERR": "cannot be read or written: the disk or file system reports an error",
    "SQLITE_CONSTRAINT": "refused a row; nothing of this step was stored",
    "SQLITE_ERROR": "does not have the tables this program expects",
}


def init_command(name: str) -> str:
    """Return the command, to be typed as it is, that makes or completes the SQLite file of this name."""
    if name == ":memory:":
        return "python -m db.init_db"
    return f"python -m db.init_db --db-url {shlex.quote(f'sqlite:///{name}')}"


def database_name(url: URL) -> str:
    """Return how a message names the database: its file, or its address without any secret."""
    if url.get_backend_name() == "sqlite":
        return str(url.database or ":memory:")
    return url.set(query={}).render_as_string(hide_password=True)


def database_error(error: BaseException, name: str) -> DatabaseError:
    """Return the project's error for a driver's one, about the database called `name`."""
    code = getattr(error, "sqlite_errorname", None) or ""
    said = " ".join(str(error).split()) or type(error).__name__
    for prefix, line in _SQLITE_FAULTS.items():
        if code.startswith(prefix):
            helped = line.format(init=init_command(name))
            kind = DatabaseLockedError if line == _LOCKED else DatabaseError
            return kind(f"database {name} {helped} ({said})")
    return DatabaseError(f"database {name} cannot be used: {said}")


@contextmanager
def driver_errors(engine: Engine) -> Iterator[None]:
    """Translate errors of the driver's own cursors, which SQLAlchemy does not see."""
    try:
        yield
    except engine.dialect.loaded_dbapi.Error as error:
        raise database_error(error, database_name(engine.url)) from error
