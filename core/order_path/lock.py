"""One process per account: a lock on a file beside the database, which also says who holds it.

The system lets go of it when the process ends, however it ends. The file stays: it remembers which instance
traded here, so that a lost database is not taken for a new account.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from core.errors import DatabaseError
from core.order_path.client_ids import checked_name

TRIES = 10_000
"""So often a lock is tried, for some ms: `holder` takes it for microseconds to see whether it is free."""
LENGTH = 400
"""Bytes of what a lock file says."""


class Mark(NamedTuple):
    """The newest entry of an account's journal, kept where the database is not."""

    entries: int
    head: str
    """Its hash, which covers all before it."""


def lock_file(database: Path, account: str) -> Path:
    """Return the file that an account's lock is on: by the database itself, by whatever link it was named."""
    database = database.resolve()
    return database.with_name(f"{database.name}.{checked_name('account', account)}.lock")


def holder(database: Path, account: str) -> int | None:
    """Return the process that trades an account from a database, None when none does; 0 if it is not known.

    Raises DatabaseError when the lock cannot be looked at.
    """
    path = lock_file(database, account)
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatabaseError(f"cannot look at the lock {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(_contents(file).get("pid", 0))
    finally:
        os.close(file)
    return None


def is_gone(database: Path, account: str, pid: int) -> bool:
    """Tell whether the process that traded an account last has ended, however it did.

    Only of this machine's own is that known: a database may be a copy, or on a disk that is shared. Raises
    DatabaseError as `holder`.
    """
    path = lock_file(database, account)
    if holder(database, account) is not None:
        return False
    signed = _contents_of(path)
    return (signed.get("host"), signed.get("pid")) == (platform.node()[:64], pid) and not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def mark_of(database: Path, account: str) -> Mark | None:
    """Return the mark of an account's journal, None when there is none. Raises DatabaseError."""
    return _mark(_contents_of(lock_file(database, account)))


def marked_accounts(database: Path) -> list[str]:
    """Return the accounts that were ever traded from a database, by the files that their locks are on."""
    database = database.resolve()
    before, after = f"{database.name}.", ".lock"
    names = (path.name for path in database.parent.iterdir())
    files = (name for name in names if name.startswith(before) and name.endswith(after))
    return sorted(name.removeprefix(before).removesuffix(after) for name in files)


class AccountLock:
    """The right to trade an account from one database."""

    def __init__(self, database: Path, account: str) -> None:
        """Take the file's name; nothing is locked yet."""
        self.path = lock_file(database, account)
        self._file: int | None = None
        self._signed: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Lock. Raises DatabaseError, naming the process, when another one trades the account."""
        try:
            # Not handed on to programs that this one starts; a plain fork would share it.
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _take(self._file)
        except BlockingIOError:
            holder = self._read().get("pid", "unknown")
            self.__exit__()
            raise DatabaseError(
                f"another process (pid {holder}) trades this account with this database: stop it first "
                f"(lock {self.path})"
            ) from None
        except OSError as error:
            raise DatabaseError(f"cannot lock {self.path}: {error.strerror}; orders need it") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def instance(self) -> str | None:
        """Return which instance traded here last, None when nobody did."""
        instance = self._read().get("instance")
        return instance if isinstance(instance, str) else None

    @property
    def mark(self) -> Mark | None:
        """Return the newest entry of the journal as it was when somebody traded here last."""
        return _mark(self._read())

    def sign(self, instance: str, now: int) -> None:
        """Write down who holds it, since `now` (ms UTC); the mark stays."""
        # A name of this machine as long as names may be still leaves room in the file.
        host = {"host": platform.node()[:64]}
        self._signed = {"instance": instance, "pid": os.getpid(), "since": now, **host}
        mark = self.mark
        self._write(self._signed if mark is None else self._signed | mark._asdict())
        os.fsync(self._held)

    def anchor(self, entries: int, head: str) -> None:
        """Write down the journal's newest entry, which is on the disk already."""
        # No wait for the disk: a mark that is lost with the power is one of before, never one of later.
        self._write(self._signed | {"entries": entries, "head": head})

    def _write(self, contents: dict[str, Any]) -> None:
        try:
            # One write of one length, so that no kill leaves half of it.
            os.pwrite(self._held, json.dumps(contents).ljust(LENGTH).encode() + b"\n", 0)
        except OSError as error:
            raise DatabaseError(f"cannot write the mark {self.path}: {error.strerror}") from error

    def check(self, known: str | None) -> None:
        """Raise DatabaseError when the database does not know the instance that traded here."""
        before = self.instance
        if before is not None and before != known:
            raise DatabaseError(
                f"the database does not know what instance {before} did on this account: restore it from a "
                f"backup, or delete {self.path} if its orders may be forgotten"
            )

    @property
    def _held(self) -> int:
        if self._file is None:
            raise DatabaseError(f"the lock {self.path} is not held")
        return self._file

    def forget(self) -> None:
        """Forget which instance traded here, for an account that begins anew; the lock stays held."""
        os.ftruncate(self._held, 0)
        os.fsync(self._held)

    def _read(self) -> dict[str, Any]:
        return _contents(self._held)


def _take(file: int) -> None:
    """Lock a file. Raises BlockingIOError when somebody else has it, for longer than a look takes."""
    for _ in range(TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _mark(contents: dict[str, Any]) -> Mark | None:
    entries, head = contents.get("entries"), contents.get("head")
    return Mark(entries, head) if isinstance(entries, int) and isinstance(head, str) else None


def _contents_of(path: Path) -> dict[str, Any]:
    """Return what a lock file says, nothing where there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DatabaseError(f"cannot look at the mark {path}: {error.strerror}") from error
    try:
        return _contents(file)
    finally:
        os.close(file)


def _contents(file: int) -> dict[str, Any]:
    try:
        contents = json.loads(os.pread(file, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return contents if isinstance(contents, dict) else {}
