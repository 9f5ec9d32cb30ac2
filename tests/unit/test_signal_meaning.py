"""What the specification's signals stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.domain import FLAT, NAN, Decision, PositionView, Reason, hold, is_priced
from core.errors import UsageError
from core.sizing import Sizing
from strategies.base import StrategySignal
from strategies.signal_meaning import decision_of, sizing_of

LONG = PositionView(1, 100.0, 90.0, 120.0, 2, 0, 1.0)
SHORT = PositionView(-1, 100.0, 110.0, 80.0, 2, 0, -0.5)


def meaning(action: str, held: PositionView = FLAT, risk_r: float = 1.0, **extra: Any) -> Decision:
    return decision_of([StrategySignal("X", action, risk_r, extra or None)], held, 100.0)


def same(one: Decision, other: Decision) -> bool:
    return bool(np.array_equal(np.array(one), np.array(other), equal_nan=True))


def test_signals_stand_for_the_decision_they_came_from() -> None:
    held = PositionView(1, 100.0, 90.0, 120.0, 2, 0b10, 1.0)
    assert decision_of([StrategySignal("X", "HOLD", extra={"reason": "warm-up"})], held, 100.0) == hold(held)
    assert decision_of([StrategySignal("X", "HOLD")], held, 100.0) == hold(held)
    opened = [StrategySignal("X", "OPEN_LONG", extra={"target": 0.4, "take": 9.0, "stop": None, "level": 2})]
    want = decision_of(opened, held, 100.0)
    assert (want.target, want.take, want.rungs) == (0.4, 9.0, 0b110)
    assert np.isnan(want.stop)
    closed = [StrategySignal("X", "CLOSE_LONG", extra={"target": 0.0, "reason": "rule", "level": 1})]
    assert decision_of(closed, held, 100.0)[3:] == Decision(0.0, reason=Reason.RULE, rungs=0)[3:]


def test_an_entry_takes_the_stop_and_a_multiple_of_its_distance() -> None:
    assert meaning("OPEN_LONG", stop=97.0, rr_ratio=2.0) == Decision(1.0, 97.0, 106.0, Reason.ENTRY, 0)
    assert meaning("OPEN_SHORT", stop=103.0, rr_ratio=2.0) == Decision(-1.0, 103.0, 94.0, Reason.ENTRY, 0)
    assert meaning("OPEN_LONG", stop=97.0, tp=105.0, rr_ratio=2.0).take == 105.0
    assert meaning("OPEN_LONG", stop=97.0, take=104.0, tp=105.0).take == 104.0
    assert np.isnan(meaning("OPEN_LONG", stop=97.0).take)
    assert np.isnan(meaning("OPEN_LONG", stop=97.0, tp=None, rr_ratio=2.0).take)
    assert meaning("OPEN_LONG", stop=np.float64(97.0), rr_ratio=2.0).take == 106.0


def test_an_atr_stands_for_a_stop_one_and_a_half_of_it_away() -> None:
    assert meaning("OPEN_LONG", atr=2.0, rr_ratio=2.0)[1:3] == (97.0, 106.0)
    assert meaning("OPEN_SHORT", stop=None, atr=2.0, atr_stop_mult=2.0).stop == 104.0
    assert meaning("OPEN_LONG", atr=2.0, stop=99.0).stop == 99.0


def test_risk_r_is_the_part_of_the_usual_risk() -> None:
    assert meaning("OPEN_LONG", risk_r=0.5, stop=97.0).target == 0.5
    assert meaning("OPEN_SHORT", risk_r=2.0, stop=103.0).target == -2.0
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="risk_r: wanted a number above 0"):
            meaning("OPEN_LONG", risk_r=wrong, stop=97.0)


def test_an_entry_that_nothing_sizes_is_refused_in_one_line() -> None:
    with pytest.raises(
        UsageError, match=r"OPEN_LONG of X: wanted extra\['stop'\], a price below the close 100"
    ):
        meaning("OPEN_LONG")
    with pytest.raises(UsageError, match=r"a price above the close 100, got \{'stop': None\}"):
        meaning("OPEN_SHORT", stop=None)
    assert meaning("OPEN_LONG", target=0.3).target == 0.3
    assert np.isnan(meaning("OPEN_LONG", target=0.3).stop)
    for wrong in (float("nan"), "97 $", [97.0]):
        with pytest.raises(UsageError, match=r"extra\['stop'\]: wanted a price, or None for none"):
            meaning("OPEN_LONG", stop=wrong, target=0.3)


def test_an_action_that_is_none_names_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"unknown action 'BUY!!'.*known: CLOSE_LONG, CLOSE_SHORT, HOLD"):
        meaning("BUY!!")
    with pytest.raises(UsageError, match="did you mean OPEN_LONG"):
        meaning("open_long")


def test_what_is_so_already_changes_nothing() -> None:
    assert meaning("OPEN_LONG", LONG, stop=97.0) == hold(LONG)
    assert meaning("OPEN_LONG", LONG) == hold(LONG)
    assert meaning("CLOSE_SHORT", LONG) == hold(LONG)
    assert meaning("CLOSE_LONG", SHORT) == hold(SHORT)
    assert same(meaning("CLOSE_LONG"), hold(FLAT))
    assert meaning("HOLD", LONG) == hold(LONG)


def test_a_close_is_of_all_or_of_a_portion() -> None:
    assert same(meaning("CLOSE_LONG", LONG), Decision(0.0, NAN, NAN, Reason.RULE, 0))
    assert meaning("CLOSE_LONG", LONG, reason="time").reason == Reason.TIME
    assert meaning("CLOSE_LONG", LONG, reason="the moon").reason == Reason.RULE
    assert meaning("CLOSE_LONG", LONG, portion=0.25) == Decision(0.75, 90.0, 120.0, Reason.REDUCE, 0)
    assert meaning("CLOSE_SHORT", SHORT, portion=0.5).target == -0.25
    # The first half of a reversal, alone: it opens nothing.
    assert same(meaning("CLOSE_LONG", LONG, target=-1.0), Decision(0.0, NAN, NAN, Reason.RULE, 0))


def test_the_other_side_and_an_addition_are_opens() -> None:
    assert meaning("OPEN_SHORT", LONG, stop=103.0)[:2] == (-1.0, 103.0)
    assert meaning("OPEN_LONG", LONG, stop=97.0, add=0.5)[:2] == (1.5, 97.0)
    assert meaning("OPEN_LONG", SHORT, stop=97.0, add=0.5).target == 0.5


def test_a_hold_may_move_stop_and_take() -> None:
    assert meaning("HOLD", LONG, stop=95.0) == Decision(1.0, 95.0, 120.0, Reason.HOLD, 0)
    assert meaning("HOLD", LONG, tp=130.0).take == 130.0
    assert np.isnan(meaning("HOLD", LONG, stop=None).stop)


def test_rungs_open_and_close_one_by_one_or_all_at_once() -> None:
    rungs = LONG._replace(rungs=0b110, target=0.5)
    third = meaning("OPEN_LONG", rungs, risk_r=0.25, level=3, stop=90.0)
    assert (third.target, third.rungs) == (0.75, 0b1110)
    assert meaning("OPEN_LONG", rungs, level=2, stop=90.0) == hold(rungs)
    left = meaning("CLOSE_LONG", rungs, level=1)
    assert (left.target, left.rungs, left.reason) == (0.25, 0b100, Reason.RULE)
    assert meaning("CLOSE_LONG", rungs, level=3) == hold(rungs)
    assert meaning("CLOSE_LONG", rungs).rungs == 0
    both: dict[str, Any] = {"levels": {1: False, 2: True, 3: True}, "target": 0.5}
    assert meaning("OPEN_LONG", rungs, level=3, take=101.0, **both)[2:5] == (101.0, Reason.ENTRY, 0b1100)
    assert meaning("CLOSE_LONG", rungs, level=1, **both).rungs == 0b100
    pair = [StrategySignal("X", f"{word}_LONG", 1.0, {"take": 101.0, **both}) for word in ("CLOSE", "OPEN")]
    assert decision_of(pair, rungs, 100.0)[2:5] == (101.0, Reason.ENTRY, 0b1100)


def test_extra_may_size_an_entry_by_the_names_of_sizing() -> None:
    sizing = sizing_of({"risk_per_trade": "0.02", "stop": 97.0, "max_exposure": 0.5}, Sizing())
    assert (sizing.risk_per_trade, sizing.max_exposure) == (0.02, 0.5)
    assert sizing_of(None, sizing) is not None
    assert sizing_of({"stop": 97.0}, PLAIN) == PLAIN


PLAIN = Sizing(volatility=1.0)


def test_an_entry_waits_for_the_price_that_its_signal_names() -> None:
    want = meaning("OPEN_LONG", limit=96.0, stop=93.0, rr_ratio=2.0, valid_bars=3)
    assert (want.limit, want.stop, want.take, want.valid_bars) == (96.0, 93.0, 102.0, 3)
    want = meaning("OPEN_SHORT", trigger=97.0, atr=2.0)
    assert (want.trigger, want.stop) == (97.0, 100.0)
    assert not is_priced(meaning("OPEN_LONG", stop=95.0))


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"limit": 96.0, "trigger": 104.0}, "waits for one of them"),
        ({"limit": -1.0}, "above 0"),
        ({"limit": 96.0, "valid_bars": 0}, "from 1"),
        ({"limit": 96.0, "valid_bars": 1.5}, "whole bars"),
        ({"note": "high"}, "extra.'note'.: wanted a number"),
    ],
)
def test_a_price_to_wait_for_has_to_be_one(extra: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        meaning("OPEN_LONG", stop=90.0, **extra)


def test_a_stop_has_to_enclose_the_price_waited_for_and_not_the_close() -> None:
    assert meaning("OPEN_LONG", trigger=105.0, stop=102.0).stop == 102.0
    with pytest.raises(UsageError, match="stop"):
        meaning("OPEN_LONG", limit=95.0, stop=97.0)


def test_a_note_is_kept_until_a_signal_names_another_or_none() -> None:
    held = LONG._replace(note=7.0)
    assert meaning("HOLD", held).note == 7.0
    assert meaning("HOLD", held, note=8.0).note == 8.0
    assert np.isnan(meaning("HOLD", held, note=None).note)
    assert meaning("CLOSE_LONG", held, portion=0.25).note == 7.0
    assert np.isnan(meaning("OPEN_SHORT", held, stop=110.0).note)
