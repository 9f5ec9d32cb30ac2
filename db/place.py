"""Whether the file that is written is still the one that its name leads to.

SQLite goes on writing to a file that was deleted or replaced, as every program does: all of it would be lost.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import DatabaseError


class Place:
    """A database that was just opened and written to: its file and the write-ahead log beside it."""

    def __init__(self, file: Path) -> None:
        """Take the file's name. Raises DatabaseError when it has a second name, and so a second log."""
        self._file = file
        self._known = [(name, _identity(name)) for name in (str(file), f"{os.path.realpath(file)}-wal")]
        if file.stat().st_nlink > 1:
            raise DatabaseError(
                f"database {file} has another name on this disk (a hard link): two programs would not see "
                "each other; remove one of the names"
            )

    def prove(self) -> None:
        """Raise DatabaseError unless both are what they were."""
        for name, identity in self._known:
            if _identity(name) != identity:
                raise DatabaseError(
                    f"database {self._file} was deleted or replaced while it was used ({name} is not it "
                    "any more): no order leaves now; put it back or restore a backup, then start again"
                )


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116 -- before each write: a path object takes as long as the look
    except OSError:
        return None
    return found.st_dev, found.st_ino
