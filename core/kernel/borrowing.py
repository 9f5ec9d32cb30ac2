"""Arrays without their owner: compiled code then counts no references to them while it runs.

Numba counts at every call, with an atomic addition each, also where the call is inlined. Who calls holds the
arrays until the call is over.
"""

from __future__ import annotations

from typing import Any, TypeVar

from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array

Lent = TypeVar("Lent")


def borrowed(value: Lent) -> Lent:
    """Return an array, or each array of a named tuple, without its owner; the same thing in plain Python."""
    return value


@intrinsic  # type: ignore[untyped-decorator]
def _without_owner(typing: Any, array: Any) -> Any:  # noqa: ARG001
    if not isinstance(array, types.Array):
        raise TypingError("only an array can be borrowed")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = make_array(signature.args[0])(context, builder, args[0])
        lent = make_array(signature.return_type)(context, builder)
        populate_array(lent, given.data, given.shape, given.strides, given.itemsize, None)
        return lent._getvalue()

    return array(array), generate


@overload(borrowed)
def compiled_borrowed(value):  # type: ignore[no-untyped-def]
    """Tell numba how it is done."""
    if isinstance(value, types.Array):
        return lambda value: _without_owner(value)
    if isinstance(value, types.BaseNamedTuple):
        lent = ", ".join(f"borrowed(value[{k}])" for k in range(len(value)))
        scope: dict[str, Any] = {"make": getattr(value, "instance_class"), "borrowed": borrowed}  # noqa: B009
        # As in core.kernel.loop.compiled_row.
        exec(f"def lend(value):\n    return make({lent})", scope)  # noqa: S102
        return scope["lend"]
    return None
