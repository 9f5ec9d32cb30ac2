"""Which values a search may try, as a person types them, and which sets are made of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import prod

import numpy as np

from core.errors import UsageError
from core.optimise.param_sets import grid, none_allowed, require_values
from core.sizing import Sizing
from strategies.rule import Span, StrategyRule

WANTED = "wanted NAME=VALUES, such as ema_fast=20, ema_fast=10,20,30 or ema_fast=10:30:5 (from:to:step)"
MOST_VALUES = 100_000
"""Of one parameter."""
MOST_SETS = 200_000
"""In one search, whose table is kept in memory: some 80 MB for each 200,000."""
STEPS = 10
"""How many steps from half to twice a default, where a rule does not say what to try."""
MISSES = 200
"""Draws for each set wanted, before a space is taken to hold no more that the rule allows."""

NUMBER = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})(e[+-]?[0-9]{1,2})?", re.I | re.A)

Space = dict[str, list[float]]
"""The values to try of each parameter."""


def parse_space(texts: Iterable[str]) -> Space:
    """Return the values for texts like `ema_fast=10:30:5`, each name once. Raises UsageError for others."""
    found: Space = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not (name and equals and values):
            raise UsageError(f"--param: {WANTED}, got {text!r}")
        if name in found:
            raise UsageError(f"--param: {name} is given twice: keep one")
        found[name] = _values(text, values)
    return found


def searched_space(rule: StrategyRule, chosen: Space, fixed: Mapping[str, float]) -> Space:
    """Return the values to try of every parameter that a search looks at: a person's, or the rule's own.

    What neither says stays as it is: as `fixed` has it, or its default. Raises UsageError for a value that
    the rule may not have.
    """
    spans = {name: values_of(span) for name, span in spans_of(rule).items()}
    stay = {name: [value] for name, value in fixed.items()}
    space = {**stay, **spans, **chosen}
    require_values(rule, space)
    return space


def spans_of(rule: StrategyRule) -> dict[str, Span]:
    """Return what the rule says of its parameters; of a rule that says nothing, a span around each default.

    How entries are sized is not searched: it says how much is risked, hardly whether a rule is right.
    """
    if declared := rule.spans:
        return declared
    defaults = rule.params._field_defaults
    return {
        name: _around(rule, name, value) for name, value in defaults.items() if name not in Sizing._fields
    }


def values_of(span: Span) -> list[float]:
    """Return the values of a span, its end too where the steps reach it."""
    text = f"{span.low!r}:{span.high!r}:{span.step!r}"
    return _values(text, text)


def _around(rule: StrategyRule, name: str, default: float) -> Span:
    """Return a span from half to twice a default, or what of that the rule allows."""
    low, high = rule.bounds_of(name)
    if isinstance(default, int):
        first, last = max(math.ceil(low), default // 2), min(math.floor(high), 2 * default)
        return Span(first, last, max(1, (last - first) // STEPS))
    # A tenth of the default, to two digits, so that a person can read the values.
    step = float(f"{abs(default) / STEPS:.1g}") or 1.0
    ends = [round(min(max(default + k * step, low), high), 12) for k in (-STEPS // 2, STEPS)]
    return Span(ends[0], ends[1], step)


def choose_sets(rule: StrategyRule, space: Space, count: int | None, seed: int) -> list[dict[str, float]]:
    """Return every set that the rule allows, in order, or at most `count` of them drawn at random.

    The same seed draws the same sets. Raises UsageError for what the rule does not allow, for none, and for
    more than one search may hold.
    """
    size = prod(map(len, space.values()))
    if count is not None and count < size:
        return _drawn(rule, space, size, count, seed)
    if size > MOST_SETS:
        raise UsageError(
            f"--param: {size:,} sets, a search takes {MOST_SETS:,} at most: fewer values, or draw some at "
            "random (--sets N, --method random)"
        )
    return grid(rule, space)


def _values(text: str, values: str) -> list[float]:
    """Return the values of one parameter; a range has both its ends if its steps reach the last."""
    if ":" not in values:
        return list(dict.fromkeys(float(_number(text, value)) for value in values.split(",")))
    parts = [_number(text, part) for part in values.split(":")]
    if len(parts) != 3:
        raise UsageError(f"--param: {WANTED}, got {text!r}")
    first, last, step = parts
    if step <= 0 or first > last:
        raise UsageError(
            f"--param: a range climbs from the first to the last by a step above 0, got {text!r}"
        )
    steps = (last - first) // step
    if steps >= MOST_VALUES:
        raise UsageError(f"--param: more than {MOST_VALUES:,} values, take a longer step: {text!r}")
    return [float(first + i * step) for i in range(int(steps) + 1)]


def _number(text: str, part: str) -> Fraction:
    """Return the number as it is written: three floats of 0.1 would not add up to 0.3."""
    if not NUMBER.fullmatch(part.strip()):
        raise UsageError(f"--param: {WANTED}, got {text!r}")
    return Fraction(part.strip())


def _drawn(rule: StrategyRule, space: Space, size: int, count: int, seed: int) -> list[dict[str, float]]:
    """Return sets of the space at random, none twice, in the order drawn."""
    require_values(rule, space)
    draw, lengths = np.random.default_rng(seed), [len(values) for values in space.values()]
    seen: set[tuple[int, ...]] = set()
    found: list[dict[str, float]] = []
    for _ in range(MISSES * count):
        places = tuple(draw.integers(lengths).tolist())
        if places not in seen:
            seen.add(places)
            chosen = {name: space[name][place] for name, place in zip(space, places, strict=True)}
            if not rule.check_params(chosen):
                found.append(chosen)
        if len(found) == count or len(seen) == size:
            break
    if not found:
        raise none_allowed(rule, space)
    return found
