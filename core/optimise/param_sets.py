"""Which parameter sets to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from core.errors import UsageError
from strategies.rule import StrategyRule


def grid(rule: StrategyRule, values: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Return every combination of the values that the rule allows; parameters not named keep their default.

    Combinations in the wrong order, such as a fast average slower than the slow one, are left out.
    Raises UsageError for an unknown parameter, a value out of its bounds, or when nothing is left.
    """
    problems = [
        line
        for name, choices in values.items()
        for value in choices
        for line in rule.check_value(name, value)
    ]
    if problems:
        raise UsageError("; ".join(problems))
    sets = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    allowed = [params for params in sets if not rule.check_params(params)]
    if not allowed:
        raise UsageError(f"{rule.name}: no combination of these values is allowed: {dict(values)}")
    return allowed
