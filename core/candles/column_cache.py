"""Bars in memory-mapped files: opened in a millisecond, and one copy in memory for all processes.

A file is derived data. It is written once, under the name of what it holds, and never changed: whoever
deletes, cuts or scrambles it makes the next read slower, nothing else. One page of header, then the
columns ts, open … volume, each filled up to whole pages.

Only files are read that belong to this user and that nobody else can write. A file from elsewhere cannot name
a revision, which is a random number that the database alone knows.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import secrets
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.domain import Bars, Series

_PAGE = 4096
_COLUMNS = len(Bars._fields)
_MAGIC = b"HOT-CRYPTO BARS1"
_HEADER = struct.Struct("<16s32sQI")
"""Magic, identity, rows, checksum of the columns; a CRC of these follows."""
_CRC = struct.Struct("<I")
NAMES = re.compile(r"[A-Za-z0-9-]{1,60}-[0-9a-f]{16}\.[\w-]+\.(bars|[0-9a-f]{16}\.new)", re.ASCII)
"""What files of this cache are called, unfinished ones too."""

Words = NDArray[np.uint64]


class SharedBars(NamedTuple):
    """Rows of a file: what another process needs to map them itself, instead of a copy of them."""

    path: Path
    identity: bytes
    start: int
    stop: int

    def load(self) -> Bars | None:
        """Return the rows, None when the file is no longer what it was."""
        whole = _map(self.path, self.identity)
        return None if whole is None else whole.until(self.stop).since(self.start)


class ColumnCache:
    """The files of one database, in one folder that other databases may use as well."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = database

    def load(self, series: Series, revision: str) -> Bars | None:
        """Return the bars that were saved under this revision, read-only; None when there are none."""
        return _map(self._path(series, revision), _identity(series, revision))

    def save(self, series: Series, revision: str, bars: Bars) -> bool:
        """Save bars in place of those of other revisions; tell whether it could be done."""
        path = self._path(series, revision)
        draft = path.with_suffix(f".{secrets.token_hex(8)}.new")
        try:
            self.folder.mkdir(exist_ok=True)
            _write(draft, _identity(series, revision), bars)
            draft.replace(path)
        except OSError:
            return False
        finally:  # an interrupt must leave nothing behind either
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        self._remove_others(series, path)
        return True

    def _remove_others(self, series: Series, keep: Path) -> None:
        # Drafts too: one that was left behind by a crash must go, and whoever is writing one just now
        # merely fails to put it in place.
        for path in self.folder.glob(f"{self._prefix(series)}.*"):
            if path != keep:
                with suppress(OSError):
                    path.unlink()

    def _path(self, series: Series, revision: str) -> Path:
        return self.folder / f"{self._prefix(series)}.{revision}.bars"

    def _prefix(self, series: Series) -> str:
        """Return a name that is legible and safe whatever the series is called, and its own."""
        legible = re.sub("[^A-Za-z0-9]+", "-", "_".join(series))[:60]
        return f"{legible}-{_sha256(self.database, *series).hex()[:16]}"


def shared(bars: Bars) -> SharedBars | None:
    """Return where these bars, or the whole they are a slice of, are mapped from; None for other bars."""
    mapping = _base(bars.ts)
    if not isinstance(mapping, _Mapping) or not bars.ts.size:
        return None
    start = (_address(bars.ts) - _address(mapping.bars.ts)) // bars.ts.itemsize
    stop = start + bars.ts.size
    same = mapping.bars.until(stop).since(start)
    if [_layout(column) for column in bars] != [_layout(column) for column in same]:
        return None
    return SharedBars(mapping.path, mapping.identity, start, stop)


class _Mapping(mmap.mmap):
    """A mapped file that knows what it is; its columns keep it open."""

    path: Path
    identity: bytes

    @property
    def bars(self) -> Bars:
        """Its columns."""
        rows = _read_header(self)[2]
        first, *others = (_PAGE + i * _padded(rows) for i in range(_COLUMNS))
        ts = np.frombuffer(self, np.int64, rows, first)
        return Bars(ts, *(np.frombuffer(self, np.float64, rows, offset) for offset in others))


def begins_like_bars(start: bytes) -> bool:
    """Tell whether a file that begins so can be one of this cache, or the beginning of one."""
    return start[: len(_MAGIC)] == _MAGIC[: len(start)]


def fault_of(path: Path) -> str:
    """Return why a file of this cache is not read but written anew, blank when it is sound."""
    try:
        with path.open("rb") as file:
            if not _is_own(os.fstat(file.fileno())):
                return "it is another user's, or others can write it"
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or "it is empty"
    with mapping:
        identity = _read_header(mapping)[1] if len(mapping) >= _PAGE else b""
        return "" if _is_sound(mapping, identity) else "it is damaged, or was cut"


def _map(path: Path, identity: bytes) -> Bars | None:
    try:
        with path.open("rb") as file:
            if not _is_own(os.fstat(file.fileno())):
                return None
            mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # not there, not ours to read, or empty
        return None
    if not _is_sound(mapping, identity):
        return None
    mapping.path, mapping.identity = path, identity
    return mapping.bars


def _is_own(about: os.stat_result) -> bool:
    """Return whether a file belongs to this user and only he can write it."""
    return about.st_uid == os.geteuid() and not about.st_mode & 0o022


def _is_sound(mapping: mmap.mmap, identity: bytes) -> bool:
    if len(mapping) < _PAGE:
        return False
    magic, found, rows, checksum = _read_header(mapping)
    crc = zlib.crc32(mapping[: _HEADER.size])
    if (magic, found, _CRC.unpack_from(mapping, _HEADER.size)[0]) != (_MAGIC, identity, crc):
        return False
    if len(mapping) != _PAGE + _COLUMNS * _padded(rows):
        return False
    return checksum == _checksum([np.frombuffer(mapping, np.uint64, offset=_PAGE)])


def _read_header(mapping: mmap.mmap) -> tuple[bytes, bytes, int, int]:
    magic, identity, rows, checksum = _HEADER.unpack_from(mapping)
    return magic, identity, rows, checksum


def _write(path: Path, identity: bytes, bars: Bars) -> None:
    columns = [_pages(column) for column in bars]
    header = _HEADER.pack(_MAGIC, identity, len(bars.ts), _checksum(columns))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write((header + _CRC.pack(zlib.crc32(header))).ljust(_PAGE, b"\0"))
        for column in columns:
            file.write(column.data)


def _pages(column: NDArray[Any]) -> Words:
    words = np.zeros(_padded(column.size) // 8, np.uint64)
    words[: column.size] = np.ascontiguousarray(column).view(np.uint64)
    return words


def _checksum(parts: list[Words]) -> int:
    """Return the CRC of the sums of all pages: a tenth of the time of a CRC of all bytes.

    It notices a changed word, and pages that are missing, empty or not in their place.
    """
    crc = 0
    for words in parts:
        crc = zlib.crc32(words.reshape(-1, _PAGE // 8).sum(axis=1).data, crc)
    return crc


def _padded(rows: int) -> int:
    """Return the bytes of a column in whole pages."""
    return -(-rows * 8 // _PAGE) * _PAGE


def _identity(series: Series, revision: str) -> bytes:
    return _sha256(*series, revision, sys.byteorder)


def _sha256(*texts: str) -> bytes:
    # ascii() separates the texts and spells out what no encoding can.
    return hashlib.sha256(ascii(texts).encode()).digest()


def _base(array: NDArray[Any]) -> object:
    """Return what a view is in the end a view of."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base.obj if isinstance(base, memoryview) else base


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _layout(array: NDArray[Any]) -> tuple[int, int, tuple[int, ...]]:
    return _address(array), array.size, array.strides
