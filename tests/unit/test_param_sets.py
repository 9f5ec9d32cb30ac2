from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.errors import UsageError
from core.optimise import param_sets
from core.optimise.param_sets import grid
from strategies.registry import load_strategy

RULE = load_strategy("TREND_EMA").rule


def test_a_grid_is_every_combination_in_order() -> None:
    assert grid(RULE, {"ema_fast": [5, 10], "rr_ratio": [1.0, 2.0]}) == [
        {"ema_fast": 5, "rr_ratio": 1.0},
        {"ema_fast": 5, "rr_ratio": 2.0},
        {"ema_fast": 10, "rr_ratio": 1.0},
        {"ema_fast": 10, "rr_ratio": 2.0},
    ]


def test_combinations_that_the_rule_forbids_are_left_out() -> None:
    assert grid(RULE, {"ema_fast": [10, 30], "ema_slow": [20, 40]}) == [
        {"ema_fast": 10, "ema_slow": 20},
        {"ema_fast": 10, "ema_slow": 40},
        {"ema_fast": 30, "ema_slow": 40},
    ]


def test_a_grid_of_nothing_is_the_defaults_alone() -> None:
    assert grid(RULE, {}) == [{}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ema_fats": [1, 2]}, "unknown parameter 'ema_fats'"),
        ({"ema_fast": [5, 1.5]}, "TREND_EMA.ema_fast: wanted a whole number from 2 to 1999, got 1.5"),
        ({"ema_fast": [60], "ema_slow": [50]}, "no combination of the values of"),
        ({"ema_fast": []}, "TREND_EMA.ema_fast: wanted a value or more, got none"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_in_one_line(values: dict[str, list[float]], said: str) -> None:
    with pytest.raises(UsageError) as error:
        grid(RULE, values)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "sets",
    [
        [],
        [{}, {}],
        [{"ema_fast": 5, "ema_slow": 50}, {"ema_fast": 20.0, "ema_slow": 50}],
        [{"rr_ratio": 2}, {"rr_ratio": 2.0}, {"rr_ratio": np.float64(2.5)}],
        [{"ema_slow": 60}, {"ema_fast": 5}],
        [{"rr_ratio": 2, "vol_target": 0.3}, {"rr_ratio": 3, "vol_target": 0.3}],
    ],
)
def test_sets_looked_at_column_by_column_are_those_looked_at_one_by_one(sets: list[dict[str, Any]]) -> None:
    found, each = param_sets.parse(RULE, sets), param_sets._parse_each(RULE, sets)
    assert found == each
    assert [list(map(type, own)) for own, _ in found] == [list(map(type, own)) for own, _ in each]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ema_fast": 5.5, "ema_slow": 50}, "wanted a whole number"),
        ({"ema_fast": "5", "ema_slow": 50}, "wanted a whole number"),
        ({"ema_fast": True, "ema_slow": 50}, "wanted a whole number"),
        ({"ema_fast": 50, "ema_slow": 50}, "wanted ema_fast < ema_slow, got 50 and 50"),
        ({"ema_fast": 5, "ema_slow": math.nan}, "wanted a whole number"),
    ],
)
def test_one_wrong_set_among_many_is_named(wrong: dict[str, Any], message: str) -> None:
    right = {"ema_fast": 5, "ema_slow": 50}
    with pytest.raises(UsageError, match=message):
        param_sets.parse(RULE, [right, wrong, right])
