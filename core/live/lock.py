"""One process per account: a lock on a file beside the database, which also says who holds it.

The system lets go of it when the process ends, however it ends. The file stays: it remembers which instance
traded here, so that a lost database is not taken for a new account.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self

from core.errors import DatabaseError
from core.live.client_ids import checked_name


class AccountLock:
    """The right to trade an account from one database."""

    def __init__(self, database: Path, account: str) -> None:
        """Take the file's name; nothing is locked yet."""
        self.path = database.with_name(f"{database.name}.{checked_name('account', account)}.lock")
        self._file: int | None = None

    def __enter__(self) -> Self:
        """Lock. Raises DatabaseError, naming the process, when another one trades the account."""
        try:
            # Not handed on to programs that this one starts; a plain fork would share it.
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        found = self._read().get("instance")
        return found if isinstance(found, str) else None

    def sign(self, instance: str, now: int) -> None:
        """Write down who holds it, since `now` (ms UTC)."""
        told = json.dumps({"instance": instance, "pid": os.getpid(), "since": now})
        # One write of one length, so that no kill leaves half of it.
        os.pwrite(self._held, told.ljust(200).encode() + b"\n", 0)
        os.fsync(self._held)

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

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(os.pread(self._held, 4096, 0) or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
