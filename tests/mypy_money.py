"""A rule for mypy: decimals are added, multiplied and rounded in core/account/money.py and nowhere else.

Python's operators work in a context that keeps 28 digits, and that ccxt changes. What is refused: operators,
`sum`, `abs`, `round`, `divmod` and `pow` of decimals, the methods of Decimal that need a context, and
contexts themselves. Comparisons and `min`, `max`, `float`, `int` and text are exact without one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy.plugin import FunctionContext, MethodContext, Plugin
from mypy.types import Instance, Type, get_proper_type

DECIMAL: Final = "decimal.Decimal"
THE_DOOR: Final = "core/account/money.py"
CHECKED: Final = ("core/", "db/", "scripts/", "strategies/", "llm/", "bench/")
"""Where money is counted. Tests may compute what they expect as they like."""

_OPERATORS: Final = "add sub mul truediv floordiv mod divmod pow neg pos abs round"
_METHODS: Final = (
    "exp fma ln log10 logb next_minus next_plus normalize quantize remainder_near rotate scaleb shift sqrt "
    "to_integral_value to_integral"
)
_OF_CONTEXTS: Final = "add divide divide_int divmod fma multiply power quantize remainder subtract"
METHODS: Final = frozenset(
    (
        *(f"{DECIMAL}.__{prefix}{word}__" for word in _OPERATORS.split() for prefix in ("", "r")),
        *(f"{DECIMAL}.{word}" for word in _METHODS.split()),
        *(f"decimal.Context.{word}" for word in _OF_CONTEXTS.split()),
    )
)
BUILTINS: Final = frozenset(f"builtins.{name}" for name in ("sum", "abs", "round", "divmod", "pow"))
CONTEXTS: Final = frozenset(
    f"{module}.{name}"
    for module in ("decimal", "_decimal")
    for name in ("Context", "localcontext", "getcontext", "setcontext")
)


class MoneyPlugin(Plugin):
    """Refuses arithmetic of decimals outside of core/account/money.py."""

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Return what refuses an operator or a method of Decimal."""
        return _refused if fullname in METHODS else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Return what refuses a built-in function of decimals."""
        if fullname in CONTEXTS:
            return _refused
        return _refused_of_decimals if fullname in BUILTINS else None


def plugin(version: str) -> type[Plugin]:
    """Return the rule, as mypy asks for it."""
    return MoneyPlugin


def _refused(context: MethodContext | FunctionContext) -> Type:
    path = context.api.path.replace("\\", "/")
    if path.endswith(THE_DOOR) or not any(path.startswith(top) or f"/{top}" in path for top in CHECKED):
        return context.default_return_type
    context.api.fail("decimals outside of core.account.money: take plus, minus, times", context.context)
    return context.default_return_type


def _refused_of_decimals(context: FunctionContext) -> Type:
    kinds = [context.default_return_type, *(kind for kinds in context.arg_types for kind in kinds)]
    return _refused(context) if any(map(_holds_decimals, kinds)) else context.default_return_type


def _holds_decimals(kind: Type) -> bool:
    proper = get_proper_type(kind)
    if not isinstance(proper, Instance):
        return any(map(_holds_decimals, getattr(proper, "items", ())))
    return proper.type.fullname == DECIMAL or any(map(_holds_decimals, proper.args))
