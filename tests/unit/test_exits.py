"""Helpers for exits, by numbers worked out by hand, plain and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from core.domain import FLAT, PositionView
from core.kernel.scan import compiled
from strategies import exits

LONG = PositionView(1, 100.0, 90.0, 110.0, 5, 0, 1.0, 100.0, 9, 0.01, 104.0)
SHORT = PositionView(-1, 100.0, 110.0, 90.0, 5, 0, -1.0, 100.0, 9, 0.01, 96.0)
BARE = PositionView(1, 100.0, math.nan, math.nan, 5, 0, 1.0)
TABLE = ((0.0, 0.05), (12.0, 0.03), (48.0, 0.0))

CASES: list[tuple[Callable[..., float], tuple[Any, ...], float]] = [
    (exits.roi, (0, TABLE), 0.05),
    (exits.roi, (11.0, TABLE), 0.05),
    (exits.roi, (12.0, TABLE), 0.03),
    (exits.roi, (500.0, TABLE), 0.0),
    (exits.roi, (3.0, TABLE[1:]), math.nan),
    (exits.profit, (LONG, 103.0), 0.03),
    (exits.profit, (SHORT, 103.0), -0.03),
    (exits.profit, (FLAT, 103.0), math.nan),
    (exits.best, (LONG, 103.0, 101.0), 104.0),
    (exits.best, (LONG, 107.0, 101.0), 107.0),
    (exits.best, (SHORT, 107.0, 95.0), 95.0),
    (exits.best, (BARE, 103.0, 101.0), 103.0),
    (exits.trail, (LONG, 104.0, 5.0), 99.0),
    (exits.trail, (LONG, 94.0, 5.0), 90.0),
    (exits.trail, (SHORT, 96.0, 5.0), 101.0),
    (exits.trail, (SHORT, 109.0, 5.0), 110.0),
    (exits.trail, (BARE, 104.0, 5.0), 99.0),
    (exits.breakeven, (LONG, 101.0, 0.02), 90.0),
    (exits.breakeven, (LONG, 102.0, 0.02), 100.0),
    (exits.breakeven, (LONG, 102.0, 0.02, 0.002), 100.2),
    (exits.breakeven, (SHORT, 98.0, 0.02, 0.002), 99.8),
    (exits.breakeven, (LONG._replace(stop=101.5), 104.0, 0.02), 101.5),
    (exits.breakeven, (BARE, 104.0, 0.02), 100.0),
]


@pytest.mark.parametrize(("function", "given", "expected"), CASES)
def test_a_helper_gives_the_number_that_was_worked_out(
    function: Callable[..., float], given: tuple[Any, ...], expected: float
) -> None:
    assert function(*given) == pytest.approx(expected, nan_ok=True)


@pytest.mark.unmeasured
@pytest.mark.parametrize("function", [exits.roi, exits.profit, exits.best, exits.trail, exits.breakeven])
def test_compiled_it_gives_the_same_bits(function: Callable[..., float]) -> None:
    fast = compiled(function)
    for name, given, _ in CASES:
        if name is function:
            plain, other = function(*given), fast(*given)
            assert plain == other or (math.isnan(plain) and math.isnan(other))
