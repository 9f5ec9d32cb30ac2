"""Arrays told by their address: one compiled function does for all kinds, and counts no references to them.

Who calls holds the arrays until the call is over.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from core.domain import FloatArray, IntArray


def floats_at(address: int, length: int) -> FloatArray:
    """Return the numbers that lie at an address."""
    return np.ctypeslib.as_array((ctypes.c_double * int(length)).from_address(int(address)))


def integers_at(address: int, length: int) -> IntArray:
    """Return the integers that lie at an address."""
    return np.ctypeslib.as_array((ctypes.c_int64 * int(length)).from_address(int(address)))


def address_of(array: FloatArray | IntArray) -> int:
    """Return where an array lies, the first of its rows."""
    return int(array.__array_interface__["data"][0])


def _taken_as(kind: Any) -> Any:
    array = types.Array(kind, 1, "C")

    @intrinsic  # type: ignore[untyped-decorator]
    def taken(typing: Any, address: Any, length: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
            made = make_array(array)(context, builder)
            data = builder.inttoptr(args[0], made.data.type)
            width = context.get_constant(types.intp, 8)
            populate_array(made, data, [args[1]], [width], width, None)
            return made._getvalue()

        return array(types.int64, types.int64), generate

    return taken


BY_ADDRESS = {"floats_at": _taken_as(types.float64), "integers_at": _taken_as(types.int64)}
"""What compiled code calls by these names."""
DEFINED = tuple(one._defn for one in BY_ADDRESS.values())
"""What they are made from."""
