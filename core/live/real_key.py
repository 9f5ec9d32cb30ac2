"""One process and one database for each key that trades real money: its caps and losses are counted there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import DatabaseError, RefusedError


@contextmanager
def one_database(folder: Path, key: str, database: Path) -> Iterator[Callable[[], object]]:
    """Hold the right to trade with a key (by a name from which it cannot be read) while the block runs.

    What it hands over notes the database, once trading begins.

    Raises RefusedError while another process holds it, and where another database traded with it before;
    DatabaseError when the file that says so cannot be used.
    """
    path, here = folder / f"real-{key}.lock", str(database.resolve())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseError(f"cannot use {path}: {error.strerror}; real money needs it") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("another process trades real money with this key: stop it first") from None
        before = os.pread(file, 4096, 0).decode(errors="replace").strip()
        if before not in ("", here):
            raise RefusedError(
                f"this key traded real money from {before}, where its days and losses are counted: go on "
                f"with that database, or delete {path} if it is gone for good"
            )
        yield lambda: os.pwrite(file, f"{here}\n".encode(), 0)
    finally:
        os.close(file)
