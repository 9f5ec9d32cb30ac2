"""Values as a person types them, and the sets made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest

from core.errors import UsageError
from core.optimise.space import MOST_SETS, choose_sets, parse_space, searched_space, spans_of
from core.sizing import Sizing
from strategies.registry import REGISTRY, load_strategy
from strategies.rule import Span

RULE = load_strategy("TREND_EMA").rule


class Undeclared(NamedTuple):
    """Parameters of which none says what to try."""

    slow_period: int = 3
    band_mult: float = 2.0
    rsi_margin: float = 0.0
    risk_per_trade: float = 0.01


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", REGISTRY)
def test_every_strategy_says_what_to_try_of_its_parameters_and_not_of_its_sizing(name: str) -> None:
    rule = load_strategy(name).rule
    assert rule.spans == spans_of(rule)
    assert rule.spans
    assert not set(rule.spans) & set(Sizing._fields)
    space = searched_space(rule, {}, {})
    assert {param: values[0] for param, values in space.items()} == {
        param: span.low for param, span in rule.spans.items()
    }
    assert all(len(values) > 1 for values in space.values())
    drawn = choose_sets(rule, space, 3, seed=1)
    assert [rule.check_params(params) for params in drawn] == [[]] * 3


def test_a_person_s_values_replace_those_of_a_span_and_the_rest_stays() -> None:
    space = searched_space(
        RULE, {"ema_fast": [7.0, 9.0], "risk_per_trade": [0.02]}, {"ema_slow": 40, "max_exposure": 0.5}
    )
    assert space["ema_fast"] == [7, 9]
    assert space["ema_slow"][:3] == [20, 25, 30]
    assert space["rr_ratio"] == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert (space["risk_per_trade"], space["max_exposure"]) == ([0.02], [0.5])
    with pytest.raises(UsageError, match=r"TREND_EMA\.ema_fast: wanted a whole number from 2 to 1999, got 1"):
        searched_space(RULE, {"ema_fast": [1.0]}, {})


def test_a_rule_that_says_nothing_is_searched_around_its_defaults() -> None:
    mine = replace(RULE, params=Undeclared, orders=())
    assert spans_of(mine) == {
        "slow_period": Span(2, 6, 1),
        "band_mult": Span(1, 4, 0.2),
        "rsi_margin": Span(0, 10, 1),
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=20", [20]),
        ("a=10,20,30", [10, 20, 30]),
        (" a = 10 , 20 ", [10, 20]),
        ("a=10:30:10", [10, 20, 30]),
        ("a=10:34:10", [10, 20, 30]),
        ("a=0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("a=1e-1:0.2:.05", [0.1, 0.15, 0.2]),
        ("a=5:5:1", [5]),
        ("a=3,3,3", [3]),
        ("a=-1:1:1", [-1, 0, 1]),
    ],
)
def test_values_are_one_some_or_a_range_with_both_ends(text: str, values: list[float]) -> None:
    assert parse_space([text]) == {"a": values}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a=",
        "=1",
        "a=x",
        "a=1,",
        "a=1:2",
        "a=1:2:3:4",
        "a=nan",
        "a=inf",
        "a=1e999",
        "a=1/3",
        "a=9" * 9,
    ],
)
def test_what_is_no_value_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"wanted NAME=VALUES, such as ema_fast=20, ema_fast=10,20,30 or"):
        parse_space([text])


@pytest.mark.parametrize("text", ["a=3:1:1", "a=1:3:0", "a=1:3:-1"])
def test_a_range_that_does_not_climb_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a range climbs from the first to the last by a step above 0"):
        parse_space([text])


def test_a_name_given_twice_and_a_range_without_end_are_refused() -> None:
    with pytest.raises(UsageError, match="a is given twice"):
        parse_space(["a=1", "a=2"])
    for endless in ("a=0:1:1e-9", "a=0:1:1e-12", "a=1:1000000000000:1"):
        with pytest.raises(UsageError, match="more than 100,000 values, take a longer step"):
            parse_space([endless])


def test_all_sets_are_tried_unless_fewer_are_asked_for() -> None:
    space = {"ema_fast": [10.0, 30.0], "ema_slow": [20.0, 40.0]}
    every = [
        {"ema_fast": 10.0, "ema_slow": 20.0},
        {"ema_fast": 10.0, "ema_slow": 40.0},
        {"ema_fast": 30.0, "ema_slow": 40.0},
    ]
    assert choose_sets(RULE, space, None, 1) == every
    assert choose_sets(RULE, space, 4, 1) == every
    drawn = choose_sets(RULE, space, 3, 1)
    assert sorted(map(str, drawn)) == sorted(map(str, every))


def test_the_same_seed_draws_the_same_sets_and_another_others() -> None:
    space = {"ema_fast": [float(n) for n in range(2, 60)], "ema_slow": [float(n) for n in range(3, 200)]}
    first = choose_sets(RULE, space, 50, 7)
    assert first == choose_sets(RULE, space, 50, 7)
    assert first != choose_sets(RULE, space, 50, 8)
    assert len({tuple(chosen.items()) for chosen in first}) == 50
    assert all(chosen["ema_fast"] < chosen["ema_slow"] for chosen in first)


@pytest.mark.unmeasured
def test_a_space_of_more_sets_than_numbers_can_count_is_drawn_from() -> None:
    many = [float(n) for n in range(1000, 2000)]
    names = {"ema_slow": many, "atr_period": many, "ema_fast": [n - 990 for n in many]}
    names |= {name: [n / 50 for n in many] for name in ("atr_stop_mult", "rr_ratio")}
    names |= {"risk_per_trade": [n / 1e5 for n in many], "vol_target": [n / 1e4 for n in many]}
    assert len(choose_sets(RULE, names, 3, 1)) == 3


def test_too_many_sets_are_refused_with_a_way_out() -> None:
    values = [float(n) for n in range(2, 1002)]
    with pytest.raises(UsageError, match=f"1,000,000 sets, a search takes {MOST_SETS:,} at most.*--sets N"):
        choose_sets(RULE, {"ema_fast": values, "ema_slow": values}, None, 1)


@pytest.mark.parametrize("count", [None, 1])
@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"ema_fats": [1.0, 2.0]}, "^TREND_EMA: unknown parameter 'ema_fats'[^;]*$"),
        ({"ema_fast": [5.0, 1.5]}, "TREND_EMA.ema_fast: wanted a whole number from 2 to 1999, got 1.5"),
        (
            {"ema_fast": [60.0, 70.0], "ema_slow": [50.0]},
            "no combination of the values of ema_fast, ema_slow is allowed: wanted ema_fast < ema_slow",
        ),
    ],
)
def test_values_that_the_rule_forbids_are_named(
    space: dict[str, list[float]], said: str, count: int | None
) -> None:
    with pytest.raises(UsageError, match=said):
        choose_sets(RULE, space, count, 1)
