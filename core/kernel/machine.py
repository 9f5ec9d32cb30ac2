"""Machine code that is run without the compiler that made it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

ENTRY = "hot_entry"
"""What the way into an object file is called."""
FAILED = -(2**63)
"""What code returns that raised an error."""


@cache
def compiler_name() -> str:
    """Return the compiler and its version, for people."""
    return f"numba {version('numba')}"


@cache
def host() -> str:
    """Return what machine code depends on besides its source: compiler, libraries and this processor."""
    import llvmlite.binding as llvm

    known = llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return " ".join((compiler_name(), version("llvmlite"), *known))


class Code(NamedTuple):
    """Machine code in memory."""

    address: int
    kept: Any
    """What it belongs to: the code is gone when nobody has this any longer."""


def loaded(contents: bytes) -> Code:
    """Return an object file's code, ready to be run. Raises RuntimeError for what is no object file."""
    # Here: a process that runs nothing compiled needs none of it.
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # The engine wants the machine for nothing else: what it runs is compiled already.
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(contents))
    engine.finalize_object()
    return Code(engine.get_function_address(ENTRY), engine)


def caller(address: int, count: int) -> Callable[..., int]:
    """Return what calls the code at an address with so many integers, without the interpreter's lock."""
    call: Callable[..., int] = _form(count)(address)
    return call


@cache
def _form(count: int) -> Any:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)
