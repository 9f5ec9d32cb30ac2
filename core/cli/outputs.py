"""Where a program may write: looked at before its work begins, so that no work is lost to a name."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from core.errors import UsageError

SQLITE = b"SQLite format 3\0"
"""How a database file begins."""
LOG_LINE = b'{"written": '
"""How a line of core.live.event_log begins."""
PAGES = re.compile(
    rb"""<meta name="generator" content="HOT-Crypto">"""
    rb"""|<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe"""
)
"""Stands in the head of every page that this program writes; the second: of those of before 2026-12."""
DATA = re.compile(
    rb"""exchange,symbol,timeframe,   # trades, sets of a sweep
    | [\w,.]*,sharpe\ [^,\n]+,sortino\    # every set that was ever tried
    | \s*\{\s* (
        "(runs|search)"\s*:          # run documents, searches
      | "strategy"\s*:\s*"[^"]*",\s*"ranked_by"\s*:
      | "run"\s*:\s*\d+,\s*"detail"\s*: | "one"\s*:\s*"[^"]*",\s*"other"\s*:   # what made a difference
      | "account"\s*:\s*"[^"]*",\s*"(trades|decisions)"\s*:
      | "version"\s*:\s*\d+,\s*"account"\s*:\s*"[^"]*",\s*"currency"\s*:   # reports of days
      | "name"\s*:\s*"[^"]*",\s*"size"\s*:\s*(\d+|null),\s*"schema_version"
    )
    | (\#|\xf0\x9f\x93\x8a)\ ((Daily|Weekly)\ )?Report\ \xe2\x80\x94\ \d{4}-\d{2}   # and as text
    """,
    re.VERBOSE,
)
"""How the documents and tables begin that this program writes."""
_HEAD = 4_096
"""Bytes in which that shows."""


def check_apart(paths: Sequence[str]) -> None:
    """Raise UsageError when two outputs go to one place, however each is spelled; `-` is stdout."""
    places: dict[object, str] = {}
    for path in paths:
        place = _place(path)
        if place in places:
            both = path if places[place] == path else f"{path}, which is {places[place]} too"
            raise UsageError(f"two outputs go to {both}: give each its own file, or one of them alone")
        places[place] = path


def check_output(path: str, *, force: bool, page: bool = False) -> None:
    """Raise UsageError unless text can be written there; a file that exists is replaced only by `force`.

    And only one that this program wrote, for a page a page: whatever else a slip of the hand names stays.
    Pipes and character devices are always free.
    """
    if path == "-":
        return
    found = _status(path)
    if found is None:
        check_room(path)
    elif stat.S_ISREG(found.st_mode):
        if not force:
            raise UsageError(f"{path} exists and is left as it is: name another file or add --force")
        _check_ours(path, page=page)
        check_room(os.path.realpath(path))
    elif not is_stream(found.st_mode):
        raise UsageError(f"cannot write {path}: it is {_kind(found.st_mode)}; name a file")


def check_appended(path: str) -> None:
    """Raise UsageError unless lines can be added to this log, or it can be made.

    A file that is no log of this program is left as it is: lines of a log are no candles and no settings.
    """
    found = _status(path)
    if found is not None and is_stream(found.st_mode):
        return
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise UsageError(f"cannot write {path}: it is {_kind(found.st_mode)}; name a file")
    if found is not None:
        check_no_database(path)
        start = _start(path, len(LOG_LINE))
        if start and start != LOG_LINE:
            raise UsageError(f"{path} is no log of this program and is left as it is: name another file")
    check_room(path)


def check_room(path: str) -> None:
    """Raise UsageError unless a file of this name can be made, and the folders it lacks."""
    _status(path)
    target = Path(os.path.realpath(path))
    folder = next(one for one in (target.parent, *target.parents) if one.exists())
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: {folder} is a file, not a folder; name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}: Permission denied; name a folder you may write to")
    most = os.pathconf(folder, "PC_NAME_MAX")
    for name in target.relative_to(folder).parts:
        if len(os.fsencode(name)) > most:
            raise UsageError(f"cannot write {path}: a name in it is longer than {most} bytes; shorten it")


def check_no_database(path: str) -> None:
    """Raise UsageError for a database that exists: it is no place for anything else."""
    if _start(path, len(SQLITE)) == SQLITE:
        raise UsageError(f"{path} is a database and is left as it is: name another file")


def _check_ours(path: str, *, page: bool) -> None:
    """Raise UsageError for a file that is none of this program's outputs; an empty one is nobody's."""
    check_no_database(path)
    start = _start(path, _HEAD)
    is_page = PAGES.search(start) is not None
    if start and not (is_page if page else is_page or DATA.match(start)):
        what = "page" if page else "output"
        raise UsageError(f"{path} is no {what} of this program and is left as it is: name another file")


def _start(path: str, length: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(length)
    except OSError as error:
        raise _unusable(path, error) from None


def is_stream(mode: int) -> bool:
    """Tell whether this is a pipe or a character device, which is written to and never replaced by a file."""
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _status(path: str) -> os.stat_result | None:
    """Return what is there, None for nothing. Raises UsageError when that cannot be looked at."""
    try:
        return Path(path).stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from None


def _unusable(path: str, error: OSError | ValueError) -> UsageError:
    why = getattr(error, "strerror", None) or str(error)
    return UsageError(f"cannot write {path}: {why}; name a folder you may write to")


def _place(path: str) -> object:
    """Return what is equal for two names of one place: the file itself, or where it would be."""
    found = _of_stdout() if path == "-" else _status(path)
    if found is None:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def _of_stdout() -> os.stat_result | None:
    try:
        return os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        # Stdout is no file of the system's, so no path leads there.
        return None


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk"}
    return kinds.get(stat.S_IFMT(mode), "no file")
