"""Whatever is held and whatever rests: never more for sale than held, none doubled, and it comes to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.account.messages import StopRules
from core.order_path.protection import Cancel, Cover, NewStop, Planner, Resting, Stop, StopChange, stop_of

D = Decimal
SYMBOLS = ("BTC/USDT", "ETH/USDT")
GAP = D("0.01")
thousandths = st.integers(0, 5000).map(lambda number: D(number) / 1000)
prices = st.sampled_from([D("80"), D("90.005"), D("99.99")])
helds = st.tuples(st.sampled_from("ABCD"), st.sampled_from(SYMBOLS))
rules = st.builds(
    StopRules,
    st.sampled_from(["stop", "stop_limit"]),
    st.just(D("0.01")),
    st.just(D("0.01")),
    st.just(D("0.02")),
    st.just(D(10)),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[StopRules, list[Cover], list[Resting], set[tuple[str, str]]]:
    """Draw what is held and what rests: at most one stop a position, as the planner itself leaves it."""
    rule = draw(rules)
    held = draw(st.dictionaries(helds, st.tuples(thousandths, prices), max_size=6))
    guards = [Cover(*key, "1h", *value) for key, value in held.items()]
    standing = draw(st.dictionaries(helds, st.tuples(thousandths, prices, st.booleans()), max_size=4))
    resting = []
    for key, (amount, trigger, settled) in standing.items():
        stop = stop_of(Cover(*key, "1h", amount, trigger), rule, GAP)
        if isinstance(stop, Stop):
            resting.append(Resting("-".join(key), *key, stop.amount, stop.trigger, stop.limit, settled))
    return rule, guards, resting, draw(st.sets(helds, max_size=2))


def after(
    guards: Sequence[Cover], resting: list[Resting], planner: Planner, leaving: set[tuple[str, str]]
) -> list[Resting]:
    """Return what rests once a plan was carried out by a venue that does as it is told."""
    orders = {one.key: one for one in resting}
    for action in planner.planned(guards, resting, leaving).actions:
        if isinstance(action, Cancel):
            del orders[action.key]
        elif isinstance(action, StopChange):
            orders[action.key] = orders[action.key]._replace(
                left=action.stop.amount, trigger=action.stop.trigger, limit=action.stop.limit
            )
        else:
            held = action.guard.held
            orders["-".join(held)] = Resting(
                "-".join(held), *held, action.stop.amount, action.stop.trigger, action.stop.limit, True
            )
    return list(orders.values())


@pytest.mark.unmeasured
@given(worlds())
def test_what_is_placed_or_changed_never_sells_more_than_is_held(
    world: tuple[StopRules, list[Cover], list[Resting], set[tuple[str, str]]],
) -> None:
    rule, guards, resting, leaving = world
    planner = Planner(dict.fromkeys(SYMBOLS, rule).get, GAP)
    amounts = {one.held: one.amount for one in guards}
    standing = {one.held for one in resting}
    plan = planner.planned(guards, resting, leaving)
    touched = Counter(one.guard.held if isinstance(one, NewStop) else one.held for one in plan.actions)
    assert max(touched.values(), default=1) == 1
    for action in plan.actions:
        if isinstance(action, NewStop):
            assert action.guard.held not in standing | leaving
            assert action.stop.amount <= action.guard.amount
        elif isinstance(action, StopChange):
            assert action.held not in leaving
            assert action.stop.amount <= amounts[action.held]


@pytest.mark.unmeasured
@given(worlds())
def test_three_rounds_bring_every_settled_position_its_stop_or_a_reason(
    world: tuple[StopRules, list[Cover], list[Resting], set[tuple[str, str]]],
) -> None:
    rule, guards, resting, leaving = world
    planner = Planner(dict.fromkeys(SYMBOLS, rule).get, GAP)
    for _ in range(3):
        resting = after(guards, resting, planner, leaving)
    plan = planner.planned(guards, resting, leaving)
    assert plan.actions == ()
    settled = {one.held: one for one in resting if one.is_settled}
    for guard in guards:
        if guard.held in plan.watched:
            continue
        stop = stop_of(guard, rule, GAP)
        one = settled[guard.held]
        assert (one.left, one.trigger, one.limit) == stop
    counts = Counter(one.symbol for one in resting if one.is_settled)
    on_the_way = Counter(one.symbol for one in resting if not one.is_settled)
    for symbol, count in counts.items():
        assert rule.most is None or count <= max(rule.most, len(world[2])) or on_the_way[symbol]
    assert set(settled) <= {guard.held for guard in guards} - leaving
