"""A strategy from a file of one's own: its two classes are made from the rule where the file has none."""

from __future__ import annotations

import math
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from core.errors import UsageError
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.folder import OwnFile, load, own_class
from strategies.ladder import LadderStrategy
from strategies.registry import UNPROVABLE, Strategy
from strategies.rule import NO_STOP, StrategyRule
from strategies.rule_check import check_rule_file, class_of, require

ANY = 1e12
"""A parameter of a class with an on_bar of its own is at most so large, unless its BOUNDS say otherwise."""


class NoParams(NamedTuple):
    """The parameters of a class that has none."""


def own_strategy(file: OwnFile) -> Strategy:
    """Run a file and return its strategy. Raises UsageError in one line that names the file."""
    module = load(file)
    try:
        return _made(module, file.name)
    except UsageError as error:
        raise UsageError(f"{file.path}: {error}") from None


# By the module: a class is made once, so that two looks at a strategy are of the same one.
@cache
def _made(module: ModuleType, name: str) -> Strategy:
    if not hasattr(module, "RULE"):
        return _of_class(module, name)
    require(check_rule_file(module, name))
    rule = module.RULE
    live = LadderStrategy if rule.is_ladder else BaseStrategy
    return Strategy(
        rule,
        class_of(module, "Backtest") or _class(module, "Backtest", BacktestStrategy),
        class_of(module, "Live") or _class(module, "Live", live),
    )


def _class(module: ModuleType, ending: str, base: type) -> Any:
    named = module.__name__.rpartition(".")[2].title().replace("_", "") + ending
    doc = f"{module.RULE.name}, made from its rule."
    return type(named, (base,), {"rule": module.RULE, "__module__": module.__name__, "__doc__": doc})


def _of_class(module: ModuleType, name: str) -> Strategy:
    """Return a class with an on_bar of its own, with a rule that only names it and its parameters."""
    kind = own_class(module)
    if kind is None or not issubclass(kind, BaseStrategy):
        raise UsageError(
            f"{name}: its class with an on_bar is no BaseStrategy: write class Mine(BaseStrategy)"
        )
    params: Any = getattr(module, "Params", NoParams)
    bounds = dict.fromkeys(params._fields, (-ANY, ANY)) | getattr(module, "BOUNDS", {})
    for field in params._fields:
        default = params._field_defaults.get(field)
        if isinstance(default, bool) or not isinstance(default, int | float) or not math.isfinite(default):
            raise UsageError(f"{name}: parameter {field}: its default is {default!r}: give it a number")
    rule = StrategyRule(name, params, _undecided, _undecided, lambda _: 1, bounds, stop=NO_STOP)
    return Strategy(rule, None, kind)


def _undecided(*_: object) -> NoReturn:
    raise UsageError(f"a class {UNPROVABLE}")
