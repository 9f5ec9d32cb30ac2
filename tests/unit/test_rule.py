from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from core.errors import UsageError
from core.sizing import Sizing
from strategies.registry import REGISTRY, canonical_name, load_strategy
from strategies.rule import first_decision, row, warm_up
from strategies.trend_ema import RULE, Columns, Params
from tests.markets import random_bars


def test_missing_parameters_take_their_defaults() -> None:
    assert RULE.make_params({"ema_fast": 10}) == Params(ema_fast=10)


def test_whole_numbers_given_as_floats_become_whole() -> None:
    assert isinstance(RULE.make_params({"ema_fast": 10.0}).ema_fast, int)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ema_fats": 10}, "did you mean ema_fast"),
        ({"ema_fast": 10.5}, "a whole number from 2 to 1999, got 10.5"),
        ({"ema_fast": 1}, "from 2 to 1999, got 1"),
        ({"rr_ratio": float("nan")}, "got nan"),
        ({"rr_ratio": "2"}, "wanted a number from 0.05 to 100, got '2'"),
        ({"rr_ratio": True}, "got True"),
        ({"ema_fast": 50}, "wanted ema_fast < ema_slow, got 50 and 50"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(given: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RULE.make_params(given)


def test_all_bad_parameters_are_named_together() -> None:
    problems = RULE.check_params({"nonsense": 1, "ema_fast": -1, "rr_ratio": 0.0})
    assert len(problems) == 3


@pytest.mark.parametrize("name", REGISTRY)
def test_every_rule_is_named_as_registered_and_bounds_its_parameters(name: str) -> None:
    rule = load_strategy(name).rule
    assert rule.name == name
    for param, default in rule.params._field_defaults.items():
        low, high = rule.bounds_of(param)
        assert low <= default <= high
    assert rule.check_params(rule.params()._asdict()) == []


@pytest.mark.parametrize("name", REGISTRY)
def test_every_strategy_says_entry_exit_and_source(name: str) -> None:
    doc = import_module(f"strategies.{REGISTRY[name]}").__doc__ or ""
    for heading in ("Entry ", "Exit ", "Source "):
        assert heading in doc


def test_parameters_named_as_in_sizing_set_the_size() -> None:
    assert RULE.sizing(Params(risk_per_trade=0.02)) == Sizing(risk_per_trade=0.02)
    ladder = load_strategy("GRID_LR").rule
    assert ladder.sizing(ladder.params(max_exposure=0.3)).max_exposure == 0.3


@pytest.mark.parametrize("spelling", ["TREND_EMA", "trend_ema", "Trend_Ema"])
def test_a_strategy_is_found_by_name_or_module(spelling: str) -> None:
    assert canonical_name(spelling) == "TREND_EMA"
    assert canonical_name("mean_reversion_bb") == "MR_BB"


def test_an_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean GRID_LR"):
        canonical_name("grid_l")


def test_warm_up_ends_when_every_column_has_a_value() -> None:
    nan = np.nan
    columns = Columns(np.ones(5), np.array([nan, 1, 1, 1, 1]), np.array([nan, nan, nan, 1, 1]), np.ones(5))
    assert warm_up(columns) == 3
    assert first_decision(columns) == 4
    assert warm_up(Columns(*[np.full(4, nan)] * 4)) == 4


def test_a_row_is_the_same_tuple_of_plain_floats() -> None:
    bars = random_bars(1, 100)
    columns = RULE.columns(bars, Params())
    now = row(columns, 60)
    assert type(now) is Columns
    assert now.close == bars.close[60]
    assert all(type(value) is float for value in now)


def test_a_live_window_is_long_enough_for_wilder_s_smoothing_too() -> None:
    rule = load_strategy("TREND_EMA").rule
    assert rule.memory(rule.params()) == 40 * 50
    assert rule.memory(rule.params(ema_fast=5, ema_slow=15, atr_period=14)) == 60 * 14
