from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest

from core.errors import UsageError
from core.sizing import NAMED_CHOICES, Choices, Sizing
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
        ({"rr_ratio": "2"}, "wanted a number from 0.001 to 100, got '2'"),
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


@pytest.mark.unmeasured
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


def test_how_entries_are_sized_is_chosen_beside_the_rule_s_own_parameters() -> None:
    given = {"ema_fast": 10, "vol_target": 0.15, "kelly_trades": 20.0}
    assert RULE.make_params(given) == Params(ema_fast=10)
    assert RULE.make_choices(given) == Choices(vol_target=0.15, kelly_trades=20)
    assert RULE.complete(given) == {**Params(ema_fast=10)._asdict(), "vol_target": 0.15, "kelly_trades": 20}
    assert RULE.complete({"kelly_cap": 0}) == Params()._asdict()
    sized = RULE.sizing(Params(risk_per_trade=0.02), Choices(vol_target=0.15, kelly_cap=0.05))
    assert (sized.risk_per_trade, sized.vol_target, sized.kelly_cap) == (0.02, 0.15, 0.05)


def test_a_choice_out_of_its_bounds_is_refused_as_any_parameter() -> None:
    assert RULE.check_params({"vol_target": -1, "kelly_trades": 2.5}) == [
        "TREND_EMA.vol_target: wanted a number from 0 to 10, got -1",
        "TREND_EMA.kelly_trades: wanted a whole number from 1 to 10000, got 2.5",
    ]
    with pytest.raises(UsageError, match="regime_cut"):
        RULE.complete({"regime_cut": 2.0})


def test_a_rule_s_own_parameter_goes_before_a_choice_of_that_name() -> None:
    ensemble = load_strategy("ENSEMBLE").rule
    for name in set(Choices._fields) & set(ensemble.params._fields):
        assert ensemble.make_choices({name: 77}) == Choices()


def test_named_ways_of_sizing_are_allowed_for_every_rule() -> None:
    for name in REGISTRY:
        for given in NAMED_CHOICES.values():
            assert load_strategy(name).rule.check_params(given) == []


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


def test_a_stake_and_kelly_s_fraction_exclude_each_other() -> None:
    assert RULE.check_params({"stake": 0.2, "kelly_cap": 0.05}) == [
        "TREND_EMA: kelly_cap sizes an entry by its stop, a stake whatever its stop: give one of them"
    ]
    assert RULE.check_params({"stake_money": 100.0, "kelly_cap": 0.0}) == []
    assert RULE.sizing(Params(), Choices(stake=0.2)).risk_per_trade == math.inf
    assert RULE.sizing(Params(), Choices()).risk_per_trade == Params().risk_per_trade
