"""What cache_manager.py does: how large the caches are, whether they are sound, and how to empty them.

Only what is the cache is ever touched: plain files of this user under the names that the caches give them,
that begin as they begin. A link is none, wherever it leads.
"""

from __future__ import annotations

import argparse
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from core import cli
from core.candles.column_cache import NAMES, begins_like_bars, fault_of
from core.figures import how_many
from db.base import file_of
from db.init_db import get_db_url

KERNELS = re.compile(
    r"(\w+@[0-9a-f]{32}\.signed\.o|.+@[0-9a-f]{32}-\d+\.py\d+\.signed(\.\d+\.nbc|\.nbi))(\.tmp\.[0-9a-f]{16})?"
)
"""What files of compiled code are called, unfinished ones and those of older versions too."""
ROOM = re.compile(r"\w+_[0-9a-f]{40}")
"""What older versions called the folder of the code of one module."""
NAMED = 10
"""Files that are named one by one."""


class Kept(NamedTuple):
    """One cache."""

    name: str
    folders: tuple[Path, ...]
    """Where its files lie."""
    names: re.Pattern[str]
    is_ours: Callable[[bytes], bool]
    """Tells it from how a file begins."""


class Contents(NamedTuple):
    """What lies in a cache's folders."""

    files: dict[Path, int]
    """With the bytes of each."""
    others: tuple[Path, ...]
    """Whatever is not the cache: never touched."""


def run(args: argparse.Namespace) -> int:
    """Show, check or empty the caches; 1 when a check found something."""
    columns, kernels = columns_of(args), kernels_of()
    if args.clear:
        return _clear(columns, kernels)
    for kind, root in ((columns, next(iter(columns.folders), None)), (kernels, kernels_folder())):
        found = contents_of(kind)
        what = f"{how_many(len(found.files), 'file')}, {_megabytes(found.files.values())}"
        print(f"{kind.name}: {what}, {_where(root)}{_else(found)}")
    return _check(columns, kernels) if args.check else 0


def columns_of(args: argparse.Namespace) -> Kept:
    """Return the cache of candles beside the database; of one that is no file there is none."""
    url = cli.load_settings({"db.url": args.db_url}).db.url or get_db_url()
    file = file_of(url)
    folders = () if file is None else (file.parent / "cache",)
    return Kept("candles", folders, NAMES, begins_like_bars)


def kernels_folder() -> Path:
    """Return where compiled code is kept."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or cli.ROOT / "data" / "cache" / "kernels")


def kernels_of() -> Kept:
    """Return the cache of compiled code, with the folders that older versions made in it."""
    rooms = tuple(
        path for path in _listed(kernels_folder()) if ROOM.fullmatch(path.name) and _is_folder(path)
    )
    # What begins such a file is a signature, which is any bytes; its name says enough.
    return Kept("compiled code", (*rooms, kernels_folder()), KERNELS, lambda _: True)


def contents_of(kind: Kept) -> Contents:
    """Return what is in a cache, and what lies beside it."""
    files, others = {}, []
    for path in (path for folder in kind.folders for path in _listed(folder)):
        about = path.lstat()
        if stat.S_ISDIR(about.st_mode):
            continue
        if _is_cache(path, about, kind):
            files[path] = about.st_size
        else:
            others.append(path)
    return Contents(files, tuple(others))


def _is_cache(path: Path, about: os.stat_result, kind: Kept) -> bool:
    is_own = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
    return is_own and kind.names.fullmatch(path.name) is not None and kind.is_ours(_start(path))


def _start(path: Path) -> bytes:
    """Return how a file begins, not through a link that took its place meanwhile."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read(16)
    except OSError:
        return b"cannot be read"


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder, in order; nothing of one that is not there, or is a link."""
    if not _is_folder(folder):
        return []
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _megabytes(sizes: Iterable[int]) -> str:
    return f"{sum(sizes) / 1e6:,.1f} MB"


def _where(folder: Path | None) -> str:
    if folder is None:
        return "since the database is no file"
    return f"in {folder}" + (", which is a link and never touched" if folder.is_symlink() else "")


def _else(found: Contents) -> str:
    if not found.others:
        return ""
    names = ", ".join(path.name for path in found.others[:3]) + (" …" if len(found.others) > 3 else "")
    return f" (not the cache, and never touched: {names})"


def _check(columns: Kept, kernels: Kept) -> int:
    found = list(_faults(columns, kernels))
    for path, why in found[:NAMED]:
        print(f"{path}: {why}", file=sys.stderr)
    if found[NAMED:]:
        print(f"… and {how_many(len(found) - NAMED, 'file')} more", file=sys.stderr)
    if found:
        print("what is not sound is never used but made anew; --clear removes it", file=sys.stderr)
        return 1
    print("checked: all files are sound", file=sys.stderr)
    return 0


def _faults(columns: Kept, kernels: Kept) -> Iterator[tuple[Path, str]]:
    for path in contents_of(columns).files:
        if why := "a write that did not end" if path.suffix == ".new" else fault_of(path):
            yield path, why
    if not (files := contents_of(kernels).files):
        return
    # Here: whoever looks at sizes needs no numpy.
    from core.kernel.disk_cache import is_signed, key_file, signing_key

    key = signing_key(key_file()) if key_file().exists() else None
    for path in files:
        if ".tmp." in path.name:
            yield path, "a write that did not end"
        elif not is_signed(path, key):
            yield path, "it is not signed by this user, or was changed"


def _clear(columns: Kept, kernels: Kept) -> int:
    for kind in (columns, kernels):
        found = contents_of(kind)
        gone = {path: size for path, size in found.files.items() if _removed(path)}
        left = len(found.files) - len(gone)
        rest = f"; {how_many(left, 'file')} could not be removed" if left else ""
        what = f"{how_many(len(gone), 'file')} removed, {_megabytes(gone.values())}"
        print(f"{kind.name}: {what}{rest}{_else(found)}")
    for folder in kernels.folders:
        # Empty ones alone: rmdir removes no other.
        with suppress(OSError):
            folder.rmdir()
    return 0


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
