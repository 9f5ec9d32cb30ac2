"""Compiled code kept on disk, under the name of what it was compiled from: a second process need not compile.

Numba's own cache looks at one file's date and never sees that a function called from it has changed, or
that another rule stands behind the same name; and it wants Numba to be imported. Here the name of a file is
the hash of everything that the code came from: the bytecode of each function reached, the constants, tuples
and enumerations it names, what the compiler is told besides, the compiler and the processor. So a file is
never stale; it may be deleted at any time, and what is damaged is compiled afresh.

A file is code, and reading it is running it: each is signed with a key of this user, kept in his home and
nowhere near the files, and what is not signed so is compiled afresh and never looked into.

What two processes want at the same time one of them compiles: the other waits for it.

Nothing is kept unless NUMBA_CACHE_DIR names a folder; the scripts take data/cache/kernels.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import opcode
import os
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

from core.kernel.machine import host

ENDING = ".signed.o"
"""How the names of files of compiled code end."""
_SIGNATURE = 32
"""Bytes of a signature, and of the key."""


WAIT, GLANCE = 60.0, 0.05
"""Seconds that a process waits for another that compiles the same, and between two looks."""


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
    return _contents(file, key) is not None


def _contents(file: Path, key: bytes | None) -> bytes | None:
    signed = file.read_bytes()
    signature, contents = signed[:_SIGNATURE], signed[_SIGNATURE:]
    is_own = key is not None and hmac.compare_digest(signature, _signature(key, file.name, contents))
    return contents if is_own else None


def _signature(key: bytes, name: str, kept: bytes) -> bytes:
    return hmac.digest(key, name.encode() + b"\0" + kept, "sha256")


def fingerprint(function: Callable[..., Any]) -> str:
    """Return the hash of a function, of all it reaches by name, of the compiler and of what that is told."""
    found = hashlib.sha256(_tools().encode())
    for line in _lines((function,), set()):
        found.update(line.encode() + b"\n")
    return found.hexdigest()[:32]


@cache
def _tools() -> str:
    told = (
        Path(__file__).with_name(f"{name}.py").read_bytes() for name in ("compiler", "lowering", "machine")
    )
    return " ".join((host(), *(hashlib.sha256(text).hexdigest() for text in told)))


def read(name: str, mark: str) -> bytes | None:
    """Return what is kept of this name and fingerprint; None when this process is to compile it.

    Then no other does meanwhile, until it is written.
    """
    if (found := _read(name, mark)) is None and _folder() is not None:
        take_turn(mark)
        if (found := _read(name, mark)) is not None:
            end_turn(mark)
    return found


def has(name: str, mark: str) -> bool:
    """Tell whether something is kept of this name and fingerprint; it is not looked into."""
    folder = _folder()
    return folder is not None and (folder / f"{name}@{mark}{ENDING}").exists()


def write(name: str, mark: str, contents: bytes) -> None:
    """Keep what was compiled; files of that name with another fingerprint go."""
    folder, key = _folder(), signing_key(key_file())
    # A full disk, for one: the program goes on with what it has compiled.
    with suppress(OSError):
        if folder is not None and key is not None:
            file = folder / f"{name}@{mark}{ENDING}"
            folder.mkdir(parents=True, exist_ok=True)
            _replace(file, _signature(key, file.name, contents) + contents)
            for path in folder.glob(f"{name}@*{ENDING}"):
                if path != file:
                    path.unlink(missing_ok=True)
    end_turn(mark)


def _read(name: str, mark: str) -> bytes | None:
    folder = _folder()
    with suppress(OSError):
        if folder is not None:
            return _contents(folder / f"{name}@{mark}{ENDING}", signing_key(key_file()))
    return None


def _folder() -> Path | None:
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named) if named else None


def _replace(file: Path, contents: bytes) -> None:
    draft = file.with_name(f"{file.name}.tmp.{secrets.token_hex(8)}")
    try:
        draft.write_bytes(contents)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


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


def _lines(values: tuple[object, ...], seen: set[int]) -> Iterator[str]:
    for value in (getattr(one, "__wrapped__", one) for one in values):
        if isinstance(value, FunctionType):
            if id(value) not in seen:
                seen.add(id(value))
                yield f"{value.__name__} {value.__defaults__!r}"
                yield from _code(value.__code__)
                named = (value.__globals__.get(name) for name in _names(value.__code__))
                yield from _lines(tuple(named), seen)
        else:
            yield from _value(value)


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


_LOAD = opcode.opmap["LOAD_GLOBAL"]


def _names(code: CodeType) -> list[str]:
    """Return the global names that code reads; the names of attributes stand for something else."""
    found, number = (
        {name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)},
        0,
    )
    # Two bytes a step: what is done, and with what, whose higher bytes come before.
    for step, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        number = number << 8 | low
        if step == _LOAD:
            found.add(code.co_names[number >> 1])
        if step != opcode.EXTENDED_ARG:
            number = 0
    return sorted(found)
