"""A rule compiled as a search: the next bar on which it wants anything but what is held.

Every rule's search is called by one signature, through its address, so that one compiled account
(core.kernel.account) runs any mixture of rules and is itself compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, get_type_hints

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from core import domain, fills, soundness
from core.domain import NEVER, Decision, FloatArray, PositionView
from core.kernel.compiler import compile_copy, with_names
from core.kernel.disk_cache import keep
from core.kernel.loop import compiled, compiled_code, compiled_row
from strategies.rule import StrategyRule
from strategies.rule_check import soundness_of

_FLOATS = types.CPointer(types.float64)
_INTEGER, _FLOAT = types.int64, types.float64
_GIVEN = (
    *(_FLOATS, _INTEGER, _FLOATS, _FLOATS, _FLOATS, _INTEGER, _INTEGER, _INTEGER),
    # A PositionView, at bar 0.
    *(_INTEGER, _FLOAT, _FLOAT, _FLOAT, _INTEGER, _INTEGER, _FLOAT, _FLOAT, _INTEGER, _FLOAT, _FLOAT),
    *(_FLOAT, _FLOAT, _FLOATS),
)
"""What `search` is given, in its order."""
WANT_FIELDS = len(Decision._fields)
"""Numbers of a Decision, as `search` writes them."""


def decide(now: Any, prev: Any, held: PositionView, params: Any) -> Any:  # noqa: ARG001
    """Stand for the rule's own."""
    raise TypeError("search belongs to no rule: take scan_of(rule)")


def row_at(columns: FloatArray, i: int) -> Any:  # noqa: ARG001
    """Stand for what makes a row of the rule's columns at bar i."""
    raise TypeError("search belongs to no rule: take scan_of(rule)")


def params_of(numbers: FloatArray) -> Any:  # noqa: ARG001
    """Stand for what makes the rule's parameters of numbers."""
    raise TypeError("search belongs to no rule: take scan_of(rule)")


COLUMNS, PARAMS = 0, 0
"""Stand for how many columns and parameters the rule has."""


def search(  # noqa: PLR0913, PLR0917 - it is called as C code is
    columns_at: Any,
    length: int,
    params_at: Any,
    lows_at: Any,
    highs_at: Any,
    start: int,
    stop: int,
    is_ladder: int,
    side: int,
    entry_price: float,
    below: float,
    take: float,
    age: int,
    rungs: int,
    target: float,
    newest_price: float,
    since: int,
    result: float,
    note: float,
    lowest: float,
    highest: float,
    want_at: Any,
) -> int:
    """Return the first bar from `start` on that fills something or is decided otherwise than held.

    `stop` when there is none, -1 before a decision that is none. What is wanted is written to `want_at`. The
    bar at `start` is filled already; a later one that reaches a stop or a take is to be filled first.
    """
    columns, params = carray(columns_at, (COLUMNS, length)), params_of(carray(params_at, (PARAMS,)))
    lows, highs = carray(lows_at, (length,)), carray(highs_at, (length,))
    want = carray(want_at, (WANT_FIELDS,))
    for i in range(start, stop):
        if side != 0 and i > start and (lows[i] <= lowest or highs[i] >= highest):
            return i
        held = PositionView(
            side,
            entry_price,
            below,
            take,
            i + age if side != 0 else 0,
            rungs,
            target,
            newest_price,
            i + since if since != NEVER else NEVER,
            result,
            note,
        )
        found = decide(row_at(columns, i), row_at(columns, i - 1), held, params)
        if not is_sound(found, held):
            return -1
        if changes(found, held, is_ladder != 0):
            want[0], want[1], want[2] = found.target, found.stop, found.take
            want[3], want[4], want[5] = number(found.reason), found.rungs, found.note
            want[6], want[7], want[8] = found.limit, found.trigger, found.valid_bars
            return i
    return stop


changes, is_sound = domain.changes, soundness.is_sound


def number(member: int) -> int:
    """Return an enum's number."""
    return int(member)


class Scan(NamedTuple):
    """A rule's compiled search."""

    address: int
    kept: Any
    """What the code at the address belongs to."""


def scan_of(rule: StrategyRule, columns: Any, params: Any) -> Scan:
    """Return a rule's search, compiled or found on disk; `columns` and `params` are its named tuples."""
    return _scan(rule.decide, rule.name, columns, params, soundness_of(rule))


@cache
def _scan(
    decide: Callable[..., Any], name: str, columns: Any, params: Any, is_sound: Callable[..., bool]
) -> Scan:
    scope: dict[str, Any] = {"decide": compiled(decide), **_made_from(columns, params)}
    for plain in (domain.side_of, domain.same, domain.changes):
        scope[plain.__name__] = compile_copy(plain, scope, from_python=False)
    scope["is_sound"] = compile_copy(is_sound, scope, from_python=False)
    scope["number"] = fills.code
    fast: Any = CFunc(with_names(search, scope), (_GIVEN, _INTEGER), {}, {"error_model": "numpy"})
    fast.py_func = fast._pyfunc
    keep(fast, f"scan_{name}", compiled_row, compiled_code).compile()
    return Scan(fast.address, fast)


def _made_from(columns: type[Any], params: type[Any]) -> dict[str, Any]:
    """Return how a row and the parameters are made of numbers, and how many there are."""
    fields = params._fields
    hints = get_type_hints(params)
    given = ", ".join(
        f"int(numbers[{k}])" if hints[f] is int else f"numbers[{k}]" for k, f in enumerate(fields)
    )
    taken = ", ".join(f"columns[{k}, i]" for k in range(len(columns._fields)))
    scope: dict[str, Any] = {"columns_type": columns, "params_type": params}
    # A tuple of another length needs another function: only text can say that.
    exec(f"def row_at(columns, i):\n    return columns_type({taken})", scope)  # noqa: S102
    exec(f"def params_of(numbers):\n    return params_type({given})", scope)  # noqa: S102
    made = {name: compile_copy(scope[name], {}, from_python=False) for name in ("row_at", "params_of")}
    return {**made, "COLUMNS": len(columns._fields), "PARAMS": len(fields)}


@intrinsic
def call_scan(  # type: ignore[no-untyped-def] # noqa: PLR0913, PLR0917 - as `search`
    typing,  # noqa: ARG001
    address,  # noqa: ARG001
    columns,  # noqa: ARG001
    length,  # noqa: ARG001
    params,  # noqa: ARG001
    lows,  # noqa: ARG001
    highs,  # noqa: ARG001
    start,  # noqa: ARG001
    stop,  # noqa: ARG001
    is_ladder,  # noqa: ARG001
    held,
    lowest,  # noqa: ARG001
    highest,  # noqa: ARG001
    want,  # noqa: ARG001
):
    """Call the search at an address; arrays are given by their addresses too."""
    floats = ir.DoubleType().as_pointer()

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def] # noqa: ARG001
        fields = [builder.extract_value(args[9], k) for k in range(len(PositionView._fields))]
        given = [*args[1:9], *fields, *args[10:]]
        kinds = [
            floats if kind == _FLOATS else ir.DoubleType() if kind == _FLOAT else ir.IntType(64)
            for kind in _GIVEN
        ]
        form = ir.FunctionType(ir.IntType(64), kinds).as_pointer()
        cells = [
            builder.inttoptr(cell, floats) if kind is floats else cell
            for cell, kind in zip(given, kinds, strict=True)
        ]
        return builder.call(builder.inttoptr(args[0], form), cells)

    numbers = [types.int64] * 9, [types.float64, types.float64, types.int64]
    return types.int64(*numbers[0], held, *numbers[1]), generate


def as_numbers(params: Any) -> FloatArray:
    """Return parameters as numbers."""
    return np.array([float(value) for value in params])
