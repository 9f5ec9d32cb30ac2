"""Which parameter sets to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from operator import lt
from typing import Any, NamedTuple

import numpy as np

from core.domain import FloatArray
from core.errors import UsageError
from core.sizing import PLAIN, Choices
from strategies.rule import StrategyRule


class ParamSet(NamedTuple):
    """A rule's own parameters, and how its entries are sized."""

    own: Any
    choices: Choices


def parse(rule: StrategyRule, sets: Sequence[Mapping[str, float]]) -> list[ParamSet]:
    """Return the sets with defaults filled in; a value that many have is looked at once.

    Raises UsageError naming what is wrong with the first that is.
    """
    return _parse_alike(rule, sets) or _parse_each(rule, sets)


def _parse_alike(rule: StrategyRule, sets: Sequence[Mapping[str, float]]) -> list[ParamSet] | None:
    """Return the same for sets of the same of the rule's own parameters, as grids are: column by column.

    None for others, and where one is wrong.
    """
    names, fields = tuple(sets[0]) if sets else (), rule.params._fields
    if not set(names) <= set(fields) or any(tuple(given) != names for given in sets):
        return None
    columns: dict[str, list[Any]] = {name: [given[name] for given in sets] for name in names}
    firsts: set[int] = set()
    for values in columns.values():
        # From the last one on: of those that are alike the first one's place stays.
        backwards = zip(map(type, reversed(values)), reversed(values), strict=True)
        firsts.update(dict(zip(backwards, reversed(range(len(sets))), strict=True)).values())
    if any(rule.check_params(sets[first]) for first in firsts):
        return None
    defaults = rule.params()
    kept = [
        list(map(type(default), columns[name])) if name in columns else [default] * len(sets)
        for name, default in zip(fields, defaults, strict=True)
    ]
    orders = [(kept[fields.index(small)], kept[fields.index(large)]) for small, large in rule.orders]
    if any(not all(map(lt, smaller, larger)) for smaller, larger in orders):
        return None
    return [ParamSet(own, PLAIN) for own in map(rule.params._make, zip(*kept, strict=True))]


def _parse_each(rule: StrategyRule, sets: Sequence[Mapping[str, float]]) -> list[ParamSet]:
    fields, defaults = rule.params._fields, rule.params._field_defaults
    places = {name: (place, type(defaults[name])) for place, name in enumerate(fields)}
    plain, found = list(rule.params()), []
    right: set[tuple[str, type, float]] = set()
    for given in sets:
        items = [(name, type(value), value) for name, value in given.items()]
        if not right.issuperset(items):
            rule.make_params(given)
            right.update(items)
        own = plain.copy()
        for name, value in given.items():
            if name in places:
                place, kind = places[name]
                own[place] = kind(value)
        params = rule.params._make(own)
        if rule.order_problems(params):
            rule.make_params(given)
        is_plain = all(name in places for name in given)
        found.append(ParamSet(params, PLAIN if is_plain else rule.make_choices(given)))
    return found


def require_values(rule: StrategyRule, values: Mapping[str, Sequence[float]]) -> None:
    """Raise UsageError unless each value is one that the rule may have, whatever the others are.

    Names the first wrong value of each parameter: the thousandth is wrong for the same reason.
    """
    wrong = {
        name: [line for value in given for line in rule.check_value(name, value)]
        for name, given in values.items()
    }
    wrong |= {
        name: [f"{rule.name}.{name}: wanted a value or more, got none"] for name in values if not values[name]
    }
    if problems := [lines[0] for lines in wrong.values() if lines]:
        raise UsageError("; ".join(problems))


def none_allowed(rule: StrategyRule, values: Mapping[str, Sequence[float]]) -> UsageError:
    """Return the error for values of which no combination keeps the rule's order."""
    orders = ", ".join(f"{small} < {large}" for small, large in rule.orders)
    return UsageError(
        f"{rule.name}: no combination of the values of {', '.join(values)} is allowed: wanted {orders}"
    )


def grid(rule: StrategyRule, values: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Return every combination of the values that the rule allows; parameters not named keep their default.

    Combinations in the wrong order, such as a fast average slower than the slow one, are left out.
    Raises UsageError for an unknown parameter, a value out of its bounds, or when nothing is left.
    """
    require_values(rule, values)
    sets = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    allowed = [params for params in sets if not rule.check_params(params)]
    if not allowed:
        raise none_allowed(rule, values)
    return allowed


def full_names(rule: StrategyRule) -> tuple[str, ...]:
    """Return the names of what makes one set another: the rule's parameters, and how entries are sized."""
    own = rule.params._fields
    return (*own, *(name for name in Choices._fields if name not in own))


def full_values(rule: StrategyRule, sets: Sequence[Mapping[str, float]]) -> FloatArray:
    """Return the sets with every value filled in, a row each, columns as `full_names`.

    Raises UsageError for a set that the rule does not allow.
    """
    sizes = [name for name in Choices._fields if name not in rule.params._fields]
    rows = [[*own, *(getattr(choices, name) for name in sizes)] for own, choices in parse(rule, sets)]
    return np.array(rows, np.float64).reshape(len(rows), len(full_names(rule)))
