"""What the compiler is told besides plain Python: arrays at addresses, calls by address, rows of columns.

With core.kernel.compiler the only importer of Numba, which takes longer to import than most runs take.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array

from core import fills
from core.kernel.addresses import READERS
from core.kernel.scan import call_scan
from strategies.rule import row

KINDS = {"d": types.float64, "l": types.int64}


def _taken_as(kind: Any, dimensions: int) -> Any:
    array = types.Array(kind, dimensions, "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        made = make_array(array)(context, builder)
        data = builder.inttoptr(args[0], made.data.type)
        width = context.get_constant(types.intp, 8)
        strides = [width]
        for size in reversed(args[2:]):
            strides.insert(0, builder.mul(strides[0], size))
        populate_array(made, data, list(args[1:]), strides, width, None)
        return made._getvalue()

    names = ", ".join(f"n{k}" for k in range(dimensions))
    scope: dict[str, Any] = {"form": array(*[types.int64] * (1 + dimensions)), "generate": generate}
    # The compiler counts the arguments: only text can say how many there are.
    exec(f"def taken(typing, address, {names}):\n    return form, generate", scope)  # noqa: S102
    return intrinsic(scope["taken"])


@intrinsic
def _call(typing, scan, frame_at, values_at, numbers_at, codes_at, start, stop):  # type: ignore[no-untyped-def] # noqa: ARG001
    """Call the search at an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        integer = ir.IntType(64)
        form = ir.FunctionType(integer, [integer] * 6).as_pointer()
        return builder.call(builder.inttoptr(args[0], form), args[1:])

    return types.int64(*[types.int64] * 7), generate


LOWERED: dict[Any, Any] = {
    call_scan: _call,
    **{plain: _taken_as(KINDS[kind], count) for (kind, count), plain in READERS.items()},
}
"""What stands for these plain functions in compiled code."""


@overload(row)
def _row(columns, i):  # type: ignore[no-untyped-def] # noqa: ARG001 - numba compares signatures
    """Tell numba how a row is taken from columns."""
    if not isinstance(columns, types.BaseNamedTuple):
        return None
    taken = ", ".join(f"columns[{k}][i]" for k in range(len(columns)))
    scope: dict[str, Any] = {"make": getattr(columns, "instance_class")}  # noqa: B009 - numba sets it untyped
    # A tuple of another length needs another function: only text can say that.
    exec(f"def take(columns, i):\n    return make({taken})", scope)  # noqa: S102
    return scope["take"]


@overload(fills.code)
def _code(member):  # type: ignore[no-untyped-def]
    """Tell numba what an enum's number is."""
    if isinstance(member, types.IntEnumMember):
        return lambda member: member.value
    return lambda member: member
