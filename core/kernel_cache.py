"""Compiled code kept on disk, under the name of what it was compiled from: a second process need not compile.

Numba's own cache looks at one file's date and never sees that a function called from it has changed, or
that another rule stands behind the same name. Here the name of a file is the hash of everything that the code
came from: the bytecode of each function reached, the constants, tuples and enumerations it names, and the
compiler. So a file is never stale; it may be deleted at any time, and what is damaged is compiled afresh.

Nothing is kept unless NUMBA_CACHE_DIR names a folder; the scripts take data/cache/kernels.
"""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from llvmlite import __version__ as llvmlite_version
from numba import __version__ as numba_version
from numba import config
from numba.core.caching import FunctionCache


def keep(fast: Any, name: str, *made_from: object) -> Any:
    """Let a compiled function be found again by the next process; return it.

    `made_from`: what besides the function itself decides what it does.
    """
    if config.CACHE_DIR:
        # Nothing can be kept where neither this folder nor any other can be written.
        with suppress(RuntimeError):
            fast._cache = _KernelCache(fast.py_func, name, fingerprint(fast.py_func, *made_from))
    return fast


def fingerprint(function: Callable[..., Any], *made_from: object) -> str:
    """Return the hash of a function, of all it reaches by name, and of the compiler."""
    found = hashlib.sha256(f"{numba_version} {llvmlite_version}".encode())
    for line in _lines((function, *made_from), set()):
        found.update(line.encode() + b"\n")
    return found.hexdigest()[:32]


class _KernelCache(FunctionCache):  # type: ignore[misc] # numba has no types
    """Numba's cache of one function, in files of its own for each fingerprint."""

    def __init__(self, function: Any, name: str, mark: str) -> None:
        copy = FunctionType(function.__code__, function.__globals__, name)
        copy.__qualname__ = f"{name}@{mark}"
        super().__init__(copy)
        self._of_name, self._mark = f"*.{name}@*", mark

    def load_overload(self, sig: Any, target_context: Any) -> Any:
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
