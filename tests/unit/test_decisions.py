"""What a rule may say: the same built by each constructor, in plain Python and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.domain import FLAT, NAN, NEVER, Decision, PositionView, Reason, changes, enter, flat, hold, move
from core.kernel.scan import compiled

HELD = PositionView(1, 100.0, 90.0, 120.0, 3, 0, 0.5, 101.0, 7, -0.02, 105.0)
KEPT = (NAN, NAN, 1)
"""At the open, once."""


def same(one: Decision, other: tuple[float, ...]) -> bool:
    return np.array_equal(np.array(one, float), np.array(other, float), equal_nan=True)


def test_holding_keeps_what_is_remembered_and_entering_remembers_what_is_named() -> None:
    assert same(hold(HELD), (0.5, 90.0, 120.0, Reason.HOLD, 0, 105.0, *KEPT))
    assert same(enter(1.0, 95.0, note=3.5), (1.0, 95.0, NAN, Reason.ENTRY, 0, 3.5, *KEPT))
    assert same(enter(1.0, 95.0), (1.0, 95.0, NAN, Reason.ENTRY, 0, NAN, *KEPT))
    assert same(flat(Reason.TIME), (0.0, NAN, NAN, Reason.TIME, 0, NAN, *KEPT))


def test_moving_changes_what_is_named_alone() -> None:
    assert same(move(HELD), hold(HELD))
    assert same(move(HELD, stop=95.0), (0.5, 95.0, 120.0, Reason.HOLD, 0, 105.0, *KEPT))
    assert same(move(HELD, take=NAN), (0.5, 90.0, NAN, Reason.HOLD, 0, 105.0, *KEPT))
    assert same(move(HELD, note=110.0), (0.5, 90.0, 120.0, Reason.HOLD, 0, 110.0, *KEPT))
    assert same(move(HELD, target=0.8), (0.8, 90.0, 120.0, Reason.ENTRY, 0, 105.0, *KEPT))


def test_another_note_alone_is_a_change_and_the_same_one_is_none() -> None:
    assert changes(move(HELD, note=106.0), HELD, False)
    assert changes(move(HELD, note=NAN), HELD, False)
    assert not changes(move(HELD, note=105.0), HELD, False)
    assert not changes(hold(HELD._replace(note=NAN)), HELD._replace(note=NAN), False)


def test_nobody_who_never_left_has_to_wait() -> None:
    assert FLAT.since_exit == NEVER
    assert not FLAT.last_result < 0


def decide(now: Any, prev: Any, held: PositionView, p: Any) -> Decision:
    """Say something else for each number."""
    if now == 0.0:
        return enter(0.5, prev, note=prev + 1)
    if now == 1.0:
        return move(held, stop=prev)
    if now == 2.0:
        return move(held, take=prev, note=held.newest_price)
    if now == 3.0:
        return move(held, target=prev, stop=held.last_result)
    if now == 4.0:
        return Decision(held.target, prev, held.take, Reason.HOLD, 0)
    if now == 5.0:
        return Decision(0.5, prev)
    if now == 6.0:
        return Decision(-0.5, take=prev, note=held.since_exit)
    if now == 7.0:
        return flat(Reason.TIME)
    if now == 8.0:
        return flat()
    return hold(held)


@pytest.mark.unmeasured
@pytest.mark.parametrize("held", [FLAT, HELD, HELD._replace(side=-1, target=-0.5, note=NAN)])
def test_each_constructor_says_the_same_compiled_also_with_fields_left_out(held: PositionView) -> None:
    fast = compiled(decide)
    for number in range(10):
        assert same(fast(float(number), 95.0, held, 0.0), decide(float(number), 95.0, held, 0.0))
