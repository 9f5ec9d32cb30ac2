"""The one way in which source that plain Python can run is compiled."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from numba import __version__ as numba_version
from numba import _dynfunc, njit, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

COMPILER = f"numba {numba_version}"


@contextmanager
def compiling() -> Iterator[None]:
    """Look for new garbage alone meanwhile: the compiler makes millions of objects, and most stay."""
    usual = gc.get_threshold()
    gc.set_threshold(20_000, 20, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def with_names(function: Callable[..., Any], scope: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a copy of a function that finds what is in `scope` first, then what the original finds."""
    plain: Any = function
    names = {**plain.__globals__, **scope}
    return FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__)


class _Part(JITCodeLibrary):  # type: ignore[misc] # numba has no types
    """Code that only compiled code calls: optimized, and made machine code, where it is called."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):  # type: ignore[misc] # numba has no types
    _name = "part_lowering"

    def run_pass(self, state: Any) -> Any:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.flags.no_compile = True
        super().run_pass(state)
        made = state["cr"]
        # It stands for the code where numba looks for it; Python has no way in.
        named = made.fndesc.lookup_module(), made.fndesc.qualname, "part"
        stand_in = _dynfunc.make_function(*named, 0, made.env, (state.library,))
        state["cr"] = made._replace(cfunc=stand_in)
        state.targetctx.insert_user_function(stand_in, made.fndesc, [state.library])
        return True


class _PartCompiler(Compiler):  # type: ignore[misc] # numba has no types
    def define_pipelines(self) -> Any:
        """Return numba's passes, the last of which makes a part."""
        found = super().define_pipelines()
        for one in found:
            steps = [(_PartLowering if step is NativeLowering else step, why) for step, why in one.passes]
            one.passes[:] = steps
            one._finalized = False
            one.finalize()
        return found


def compile_copy(
    function: Callable[..., Any],
    scope: Mapping[str, Any],
    *,
    inline: bool = True,
    from_python: bool = True,
    counts: bool = True,
) -> Callable[..., Any]:
    """Compile a copy of a function that finds what is in `scope` where the original finds plain functions.

    Forced inlining makes the bar loop four times faster; numpy's error model leaves out checks for division
    by zero, which no price can cause. The GIL is released while it runs. What only compiled code calls
    compiles a quarter sooner without the way in `from_python`.
    """
    fast: Any = njit(
        with_names(function, scope),
        nogil=True,
        error_model="numpy",
        forceinline=inline,
        no_cpython_wrapper=not from_python,
        no_cfunc_wrapper=True,
        _nrt=counts,
        **({} if from_python else {"pipeline_class": _PartCompiler}),
    )
    find: Any = fast.get_call_template
    # For a number that is written where it is called numba would compile it once more.
    fast.get_call_template = lambda args, named: find(
        tuple(types.unliteral(one) for one in args),
        {name: types.unliteral(one) for name, one in named.items()},
    )
    made: Callable[..., Any] = fast
    return made
