"""The one way in which source that plain Python can run is compiled: to machine code, or for Python to call.

Imported only where something has to be compiled: what is on disk is loaded without (core.kernel.machine).
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import _dynfunc, njit, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.dispatcher import _FunctionCompiler  # type: ignore[attr-defined]
from numba.core.registry import cpu_target
from numba.core.typed_passes import NativeLowering

from core.kernel.lowering import LOWERED
from core.kernel.machine import ENTRY, FAILED
from core.kernel.pieces import Piece, with_names


@contextmanager
def compiling() -> Iterator[None]:
    """Look for new garbage alone meanwhile: the compiler makes millions of objects, and most stay."""
    usual = gc.get_threshold()
    gc.set_threshold(20_000, 20, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Part(JITCodeLibrary):  # type: ignore[misc] # numba has no types
    """Code that only compiled code calls: optimized, and made machine code, where it is called."""

    def _optimize_final_module(self) -> None:
        """Leave it as it is: it is optimized with what calls it."""

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Whole(JITCodeLibrary):  # type: ignore[misc] # numba has no types
    """Code with all that it calls: optimized, but loaded by core.kernel.machine alone."""

    def _finalize_final_module(self) -> None:
        self._finalized = True


def _lowering(library: Any, name: str) -> Any:
    """Return numba's last pass, made to leave code in a library of this kind."""

    @register_pass(mutates_CFG=True, analysis_only=False)
    class Lowering(NativeLowering):  # type: ignore[misc] # numba has no types
        _name = name

        def run_pass(self, state: Any) -> Any:
            state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.flags.no_compile = True
            super().run_pass(state)
            made = state["cr"]
            # It stands for the code where numba looks for it; Python has no way in.
            named = made.fndesc.lookup_module(), made.fndesc.qualname, "part"
            stand_in = _dynfunc.make_function(*named, 0, made.env, (state.library,))
            state["cr"] = made._replace(cfunc=stand_in)
            state.targetctx.insert_user_function(stand_in, made.fndesc, [state.library])
            return True

    class Passes(Compiler):  # type: ignore[misc] # numba has no types
        def define_pipelines(self) -> Any:
            """Return numba's passes with another last one."""
            found = super().define_pipelines()
            for one in found:
                steps = [(Lowering if step is NativeLowering else step, why) for step, why in one.passes]
                one.passes[:] = steps
                one._finalized = False
                one.finalize()
            return found

    return Passes


_PartCompiler, _WholeCompiler = _lowering(_Part, "part_lowering"), _lowering(_Whole, "whole_lowering")
OPTIONS = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""numpy's error model leaves out checks for division by zero, which no price can cause."""


@cache
def compiled_part(part: Piece) -> Any:
    """Return a part for compiled code to call, which compiles it when it first does.

    Forced inlining makes the bar loop four times faster.
    """
    options = {**OPTIONS, "forceinline": part.inline, "_nrt": False, "pipeline_class": _PartCompiler}
    fast: Any = njit(_copy(part.function, part.scope), **options)
    find: Any = fast.get_call_template
    # For a number that is written where it is called numba would compile it once more.
    fast.get_call_template = lambda args, named: find(
        tuple(types.unliteral(one) for one in args),
        {name: types.unliteral(one) for name, one in named.items()},
    )
    return fast


def for_python(part: Piece) -> Callable[..., Any]:
    """Return a part compiled for Python to call, once it does."""
    fast: Callable[..., Any] = njit(_copy(part.function, part.scope), nogil=True, error_model="numpy")
    return fast


def object_code(part: Piece, count: int) -> bytes:
    """Return the machine code of a part that takes so many integers and returns one, as an object file.

    Its one entry is core.kernel.machine.ENTRY. Raises RuntimeError for code that needs what is not there
    without the compiler.
    """
    plain = _copy(part.function, part.scope)
    with compiling(), global_compiler_lock:
        maker = _FunctionCompiler(
            plain, cpu_target, {**OPTIONS, "nopython": True, "_nrt": False}, {}, _WholeCompiler
        )
        made = maker.compile((types.int64,) * count, types.int64)
        library = made.library
        _add_entry(library, made.fndesc, count)
        library.finalize()
        _check_complete(library._final_module)
        found: bytes = library.codegen._tm.emit_object(library._final_module)
    return found


def _add_entry(library: Any, about: Any, count: int) -> None:
    """Add the way in: as C calls, and FAILED for what raised."""
    context, integer = cpu_target.target_context, ir.IntType(64)
    module = library.create_ir_module(ENTRY)
    entry = ir.Function(module, ir.FunctionType(integer, [integer] * count), name=ENTRY)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    inner = context.declare_function(module, about)
    status, found = context.call_conv.call_function(builder, inner, about.restype, about.argtypes, entry.args)
    builder.ret(builder.select(status.is_error, integer(FAILED), found))
    library.add_ir_module(module)


def _check_complete(module: Any) -> None:
    """Raise RuntimeError for code that calls what is not there: loading it would end the process."""
    process = ctypes.CDLL(None)
    named = (one.name for one in module.functions if one.is_declaration)
    lacking = [name for name in named if not name.startswith("llvm.") and not hasattr(process, name)]
    if lacking:
        raise RuntimeError(f"compiled code calls {lacking[0]!r}, which only the compiler has")


def _copy(function: Callable[..., Any], scope: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a copy of a function whose names lead to compiled parts, and to what is lowered."""
    names = {name: compiled_part(one) if isinstance(one, Piece) else one for name, one in scope.items()}
    plain: Any = function
    for name in plain.__code__.co_names:
        known = names.get(name, plain.__globals__.get(name))
        if isinstance(known, FunctionType) and known in LOWERED:
            names[name] = LOWERED[known]
    return with_names(function, names)
