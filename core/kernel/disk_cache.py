"""Compiled code kept on disk, under the name of what it was compiled from: a second process need not compile.

Numba's own cache looks at one file's date and never sees that a function called from it has changed, or
that another rule stands behind the same name. Here the name of a file is the hash of everything that the code
came from: the bytecode of each function reached, the constants, tuples and enumerations it names, and the
compiler. So a file is never stale; it may be deleted at any time, and what is damaged is compiled afresh.

A file is code, and reading it is running it: each is signed with a key of this user, kept in his home and
nowhere near the files, and what is not signed so is compiled afresh and never looked into.

What two processes want at the same time one of them compiles: the other waits for it.

Nothing is kept unless NUMBA_CACHE_DIR names a folder; the scripts take data/cache/kernels.
"""

from __future__ import annotations

import dis
import fcntl
import hashlib
import hmac
import os
import pickle
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from llvmlite import __version__ as llvmlite_version
from numba import __version__ as numba_version
from numba import config
from numba.core.caching import FunctionCache, IndexDataCacheFile

_SIGNATURE = 32
"""Bytes of a signature, and of the key."""


WAIT, GLANCE = 60.0, 0.05
"""Seconds that a process waits for another that compiles the same, and between two looks."""


def keep(fast: Any, name: str, *made_from: object) -> Any:
    """Let a compiled function be found again by the next process; return it.

    `made_from`: what besides the function itself decides what it does.
    """
    if config.CACHE_DIR and (key := signing_key(key_file())):
        # Nothing can be kept where neither this folder nor any other can be written.
        with suppress(RuntimeError):
            fast._cache = _KernelCache(fast.py_func, name, fingerprint(fast.py_func, *made_from), key)
    return fast


def key_file() -> Path:
    """Return the file of the key that signs compiled code: this user's, and of no project."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "hot-crypto" / "kernels.key"


@cache
def signing_key(file: Path) -> bytes | None:
    """Return the key, made at its first use; None when it cannot be kept to oneself."""
    try:
        if not file.exists():
            _make_key(file)
        with file.open("rb") as opened:
            about, key = os.fstat(opened.fileno()), opened.read(_SIGNATURE + 1)
    except OSError:
        return None
    is_own = about.st_uid == os.geteuid() and not about.st_mode & 0o077
    return key if is_own and len(key) == _SIGNATURE else None


def _make_key(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(secrets.token_bytes(_SIGNATURE))
        with suppress(FileExistsError):  # another process was first
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def is_signed(file: Path, key: bytes | None) -> bool:
    """Tell whether a file of compiled code was written by this user; another's is never looked into."""
    contents = file.read_bytes()
    return key is not None and hmac.compare_digest(
        contents[:_SIGNATURE], _signature(key, file.name, contents[_SIGNATURE:])
    )


def _signature(key: bytes, name: str, kept: bytes) -> bytes:
    return hmac.digest(key, name.encode() + b"\0" + kept, "sha256")


def fingerprint(function: Callable[..., Any], *made_from: object) -> str:
    """Return the hash of a function, of all it reaches by name, and of the compiler."""
    found = hashlib.sha256(f"{numba_version} {llvmlite_version}".encode())
    for line in _lines((function, *made_from), set()):
        found.update(line.encode() + b"\n")
    return found.hexdigest()[:32]


class _KernelCache(FunctionCache):  # type: ignore[misc] # numba has no types
    """Numba's cache of one function, in files of its own for each fingerprint."""

    _cache_file: Any

    def __init__(self, function: Any, name: str, mark: str, key: bytes) -> None:
        copy = FunctionType(function.__code__, function.__globals__, name)
        copy.__qualname__ = f"{name}@{mark}"
        super().__init__(copy)
        unsigned = self._cache_file
        self._cache_file = _SignedFiles(
            cache_path=self.cache_path,
            filename_base=f"{self._impl.filename_base}.signed",
            source_stamp=unsigned._source_stamp,
        )
        self._cache_file.key = key
        self._of_name, self._mark = f"*.{name}@*", mark

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is on disk; None when this process is to compile it, which no other does meanwhile."""
        found = self._load(sig, target_context)
        if found is None:
            take_turn(self._mark)
            found = self._load(sig, target_context)
            if found is not None:
                end_turn(self._mark)
        return found

    def _load(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # A damaged file may raise anything, and compiling is always right.
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # A full disk, for one: the program goes on with what it has compiled.
        with suppress(OSError):
            super().save_overload(sig, data)
            for path in Path(self.cache_path).glob(self._of_name):
                if self._mark not in path.name:
                    path.unlink(missing_ok=True)
        end_turn(self._mark)


def take_turn(mark: str) -> bool:
    """Wait until no other process compiles what has this fingerprint; False when that takes too long.

    A process that ends, however it does, ends its turns.
    """
    file, until = _turns(key_file().with_suffix(".turns")), monotonic() + WAIT
    while file is not None:
        with suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(mark))
            return True
        if monotonic() >= until:
            break
        sleep(GLANCE)
    return False


def end_turn(mark: str) -> None:
    """Let others have it; that one compiled something else, or nothing, is no matter."""
    if (file := _turns(key_file().with_suffix(".turns"))) is not None:
        with suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_UN, 1, _place(mark))


@cache
def _turns(file: Path) -> int | None:
    """Return the open file on whose bytes processes agree, each byte a fingerprint's."""
    # Open for as long as the process lives: closing it would end all turns.
    with suppress(OSError):
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    return None


def _place(mark: str) -> int:
    return int(mark[:7], 16)


class _SignedFiles(IndexDataCacheFile):  # type: ignore[misc] # numba has no types
    """Numba's files of one function, none of which is unpickled before its signature is known to be ours."""

    key: bytes

    def _load_index(self) -> Any:
        try:
            stamp, overloads = self._load_data(self._index_name)
        except (FileNotFoundError, ValueError):
            return {}
        return overloads if stamp == self._source_stamp else {}

    def _save_index(self, overloads: Any) -> None:
        self._save_data(self._index_name, (self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        contents = Path(self._data_path(name)).read_bytes()
        signature, kept = contents[:_SIGNATURE], contents[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(name, kept)):
            raise ValueError(f"{name} was not written by this user")
        return pickle.loads(kept)  # noqa: S301 -- signed

    def _save_data(self, name: str, data: Any) -> None:
        kept = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(self._sign(name, kept) + kept)

    def _sign(self, name: str, kept: bytes) -> bytes:
        return _signature(self.key, name, kept)


def _lines(values: tuple[object, ...], seen: set[int]) -> Iterator[str]:
    for value in values:
        plain = getattr(value, "py_func", value)
        if isinstance(plain, FunctionType):
            if id(plain) not in seen:
                seen.add(id(plain))
                yield f"{plain.__name__} {plain.__defaults__!r}"
                yield from _code(plain.__code__)
                named = (plain.__globals__.get(name) for name in _names(plain.__code__))
                yield from _lines(tuple(named), seen)
        else:
            yield from _value(plain)


def _value(value: object) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, Enum):
        yield f"{value.__qualname__} {[(member.name, member.value) for member in value]}"
    elif isinstance(value, type):
        fields = getattr(value, "_fields", ()), getattr(value, "_field_defaults", {})
        yield f"{value.__module__}.{value.__qualname__} {fields!r}"
    elif isinstance(value, ModuleType):
        yield value.__name__
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    else:
        yield repr(value)


def _code(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _code(const)
        else:
            yield repr(const)


def _names(code: CodeType) -> list[str]:
    """Return the global names that code reads; the names of attributes stand for something else."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    own = (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    return sorted({*own, *(name for one in inner for name in _names(one))})
