"""How much a test tries: a sample in `make test`, all of it in `make test-statistics`.

A test that is marked `statistics` tries hundreds of markets, schedules or kills there, or all its cases; a
property of hypothesis is marked so by tests/conftest.py, and tries all its examples. One that is marked
`programs` starts whole programs, most of them to kill them, and belongs to `make test-programs` alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

import pytest

T = TypeVar("T")
P = ParamSpec("P")

WHOLE = os.environ.get("WHOLE_TESTS") == "1"

statistics = pytest.mark.statistics
programs = pytest.mark.programs


def tries(whole: int, sample: int) -> int:
    """Return how many to try."""
    return whole if WHOLE else sample


def some(values: Iterable[T], sample: int, *always: T) -> list[T]:
    """Return what to try of these: so many, spread evenly, and those that always are."""
    found = list(values)
    if WHOLE or len(found) <= sample:
        return found
    spread = {len(found) * k // sample for k in range(sample)}
    return [value for place, value in enumerate(found) if place in spread or value in always]


def measured(values: Iterable[str], *parts: str) -> list[Any]:
    """Return cases of a test, of which coverage looks at those alone whose name has one of these parts."""
    return [
        pytest.param(one, marks=() if any(part in one for part in parts) else pytest.mark.unmeasured)
        for one in values
    ]


def whole(test: Callable[P, None]) -> Callable[P, None]:
    """Try what other tests try smaller in `make test-statistics` alone."""
    left_out = pytest.mark.skipif(not WHOLE, reason="tried by make test-statistics")
    for mark in (statistics, left_out):
        mark(test)
    return test
