"""Which stops rest at an exchange, and what becomes of those that do: a pure function of both."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import StopRules
from core.account.money import raised_to
from core.order_path.protection import (
    Action,
    Cancel,
    Cover,
    NewStop,
    Planner,
    Resting,
    Stop,
    StopChange,
    stop_of,
)

D = Decimal
BTC = "BTC/USDT"
RULES = StopRules("stop_limit", D("0.01"), D("0.001"), D("0.002"), D(10), 2)
AT_MARKET = RULES._replace(kind="stop", can_change=True)
GAP = D("0.01")


def guard(strategy: str = "A", amount: str = "1", trigger: str = "90", symbol: str = BTC) -> Cover:
    return Cover(strategy, symbol, "1h", D(amount), D(trigger))


def rests(
    strategy: str = "A", left: str = "1", trigger: str = "90", limit: str | None = "89.1", **other: Any
) -> Resting:
    values = {"key": f"{strategy}-stop", "symbol": BTC, "is_settled": True, **other}
    return Resting(
        strategy=strategy,
        left=D(left),
        trigger=D(trigger),
        limit=None if limit is None else D(limit),
        **values,
    )


def planned(
    guards: list[Cover], resting: list[Resting], rules: StopRules = RULES, **other: Any
) -> tuple[list[Action], dict[str, str]]:
    """Return what is to be done, and why stops are watched, by strategy."""
    plan = Planner({BTC: rules}.get, GAP).planned(guards, resting, **other)
    return list(plan.actions), {held[0]: why for held, why in plan.watched.items()}


def test_what_is_held_gets_a_stop_whose_limit_lies_the_gap_below_it() -> None:
    assert planned([guard()], []) == ([NewStop(guard(), Stop(D(1), D(90), D("89.10")), RULES)], {})
    assert planned([guard()], [], AT_MARKET) == ([NewStop(guard(), Stop(D(1), D(90), None), AT_MARKET)], {})


def test_amounts_are_cut_to_the_step_and_triggers_raised_to_the_tick() -> None:
    assert stop_of(guard(amount="1.23456", trigger="90.001"), RULES, GAP) == Stop(
        D("1.234"), D("90.01"), D("89.10")
    )
    assert stop_of(guard(amount="1.23456"), StopRules("stop"), GAP) == Stop(D("1.23456"), D(90), None)


@pytest.mark.parametrize(
    ("price", "tick", "expected"), [("1.23", "0.1", "1.3"), ("1.2", "0.1", "1.2"), ("1.23", None, "1.23")]
)
def test_a_price_is_raised_to_the_grid(price: str, tick: str | None, expected: str) -> None:
    assert raised_to(D(price), None if tick is None else D(tick)) == D(expected)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (guard(amount="0.0009"), "smallest order"),
        (guard(amount="0.0019"), "smallest order"),
        # 0.112 at the limit of 89.1 is less than 10, though at the trigger of 90 it is more.
        (guard(amount="0.112"), "smallest order"),
        (guard(trigger="0"), "smallest"),
        (guard(symbol="ETH/USDT"), "no stops in it"),
    ],
)
def test_what_cannot_rest_is_watched_and_says_why(held: Cover, why: str) -> None:
    actions, watched = planned([held], [])
    assert actions == []
    assert why in watched["A"]


def test_a_stop_that_is_right_is_left_alone() -> None:
    assert planned([guard()], [rests()]) == ([], {})


@pytest.mark.parametrize("now", [guard(amount="2"), guard(amount="0.5"), guard(trigger="91")])
def test_a_stop_that_is_not_is_cancelled_first_or_changed_where_that_is_possible(now: Cover) -> None:
    assert planned([now], [rests()]) == ([Cancel("A-stop", ("A", BTC))], {})
    (change,) = planned([now], [rests(limit=None)], AT_MARKET)[0]
    assert change == StopChange("A-stop", ("A", BTC), Stop(now.amount, now.trigger, None))


def test_a_stop_of_nothing_and_one_whose_position_is_sold_are_cancelled() -> None:
    assert planned([], [rests()]) == ([Cancel("A-stop", ("A", BTC))], {})
    actions, watched = planned([guard()], [rests()], leaving={("A", BTC)})
    assert (actions, watched) == ([Cancel("A-stop", ("A", BTC))], {"A": "it is being sold"})
    assert planned([guard(amount="0.001")], [rests()])[0] == [Cancel("A-stop", ("A", BTC))]


def test_nothing_is_placed_or_cancelled_while_a_stop_is_on_the_way() -> None:
    for wanted in (guard(), guard(amount="2")):
        actions, watched = planned([wanted], [rests(is_settled=False)])
        assert (actions, watched) == ([], {"A": "its stop is on the way"})


def test_of_two_stops_for_one_position_only_one_stays() -> None:
    actions, _ = planned([guard()], [rests(), rests(key="other")])
    assert actions == [Cancel("other", ("A", BTC))]


def test_a_refused_stop_is_not_placed_until_it_may_be_tried_again() -> None:
    assert planned([guard()], [], refused={("A", BTC): "a filter"}) == ([], {"A": "a filter"})


def test_p6_where_the_venue_takes_fewer_stops_those_that_rest_stay_and_the_greatest_come_first() -> None:
    guards = [guard("A", "0.2"), guard("B", "1"), guard("C", "2")]
    actions, watched = planned(guards, [rests("A", "0.2")])
    assert [one.guard.strategy for one in actions if isinstance(one, NewStop)] == ["C"]
    assert "takes 2 stops in a symbol" in watched["B"]
    # One on the way has its place as well, though its position is gone.
    actions, watched = planned(guards[1:], [rests("X", is_settled=False), rests("Y")])
    assert actions == [Cancel("Y-stop", ("Y", BTC))]
    assert sorted(watched) == ["B", "C"]
