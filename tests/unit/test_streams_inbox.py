"""What waits for the engine is bounded, folded, and never loses what matters (faults W10, W17, W18)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.streams.budget import DialBudget
from core.streams.hints import OrderHint, StreamGap, StreamState
from core.streams.inbox import CANDLES_KEPT, GAPS_KEPT, ORDERS_KEPT, Inbox
from tests.stream_help import BTC, ETH, MINUTE, OWN, bar


def finals(inbox: Inbox) -> list[int]:
    return [one.ts // MINUTE for one in inbox.take().candles if one.is_final]


def test_a_candle_is_final_when_the_venue_says_so_or_a_later_one_begins() -> None:
    wakes: list[int] = []
    inbox = Inbox(lambda: wakes.append(1))
    inbox.put([bar(1, 5.0)])
    assert wakes == []
    inbox.put([bar(2)])
    assert wakes == [1]
    inbox.put([bar(2, 7.0, final=True)])
    assert wakes == [1, 1]
    taken = inbox.take().candles
    assert [(one.ts // MINUTE, one.close, one.is_final) for one in taken] == [(1, 5.0, True), (2, 7.0, True)]
    assert inbox.take().candles == ()


def test_w10_what_is_final_is_said_once_whatever_is_repeated_or_late() -> None:
    inbox = Inbox()
    inbox.put([bar(1), bar(2, final=True)])
    assert finals(inbox) == [1, 2]
    inbox.put([bar(1, 9.0), bar(2, 9.0, final=True), bar(2), bar(3)])
    assert finals(inbox) == []
    inbox.put([bar(4)])
    assert finals(inbox) == [3]


def test_a_candle_in_progress_before_a_gap_is_never_final_by_what_comes_after_it() -> None:
    inbox = Inbox()
    inbox.put([bar(1), bar(1, channel=ETH)])
    inbox.put_gap(StreamGap("line", (BTC,), "closed"))
    inbox.put([bar(2), bar(2, channel=ETH)])
    letters = inbox.take()
    assert [one.symbol for one in letters.candles if one.is_final] == ["ETH/USDT"]
    assert [gap.why for gap in letters.gaps] == ["closed"]


def test_w18_an_engine_that_does_not_look_costs_candles_and_no_order() -> None:
    inbox = Inbox()
    inbox.put(bar(minute) for minute in range(5_000))
    inbox.put(OrderHint(str(number), "", "", str(number)) for number in range(900))
    letters = inbox.take()
    assert len(letters.candles) == CANDLES_KEPT
    assert len(letters.orders) == 900
    assert not letters.is_cut
    assert inbox.state().dropped == 5_000 - CANDLES_KEPT


def test_w17_more_orders_than_are_kept_make_all_of_them_looked_at() -> None:
    inbox = Inbox()
    inbox.put(OrderHint(str(number)) for number in range(5_000))
    letters = inbox.take()
    assert len(letters.orders) == ORDERS_KEPT
    assert letters.is_cut
    assert not inbox.take().is_cut


def test_w10_an_event_that_comes_twice_is_one() -> None:
    inbox = Inbox()
    inbox.put([OrderHint("1", "a", fill_id="t"), OrderHint("1", "a", fill_id="t"), OrderHint("1", "a")])
    assert len(inbox.take().orders) == 2


def test_gaps_and_notes_are_bounded_too() -> None:
    inbox = Inbox()
    for number in range(1_000):
        inbox.put_gap(StreamGap("line", (OWN,), f"why {number}"))
        inbox.note(f"line {number}")
    inbox.set_state(StreamState("on"))
    letters = inbox.take()
    assert len(letters.gaps) <= GAPS_KEPT
    assert len(letters.notes) == GAPS_KEPT
    assert letters.is_cut
    assert inbox.state().gaps == 1_000


@pytest.mark.unmeasured
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), max_size=60))
def test_whatever_comes_in_whatever_order_each_candle_is_final_once_and_in_order(
    said: list[tuple[int, bool, bool]],
) -> None:
    inbox, found = Inbox(), list[int]()
    for minute, is_final, is_looked_at in said:
        inbox.put([bar(minute, final=is_final)])
        if is_looked_at:
            found += finals(inbox)
    found += finals(inbox)
    assert found == sorted(set(found))
    newest = max((minute for minute, _, _ in said), default=0)
    assert all(minute <= newest for minute in found)


@pytest.mark.unmeasured
@given(st.lists(st.integers(0, 200), max_size=300), st.integers(1, 8))
def test_w6_no_window_ever_holds_more_dials_than_the_budget(steps: list[int], most: int) -> None:
    now, dials = 0, list[int]()
    budget = DialBudget(lambda: now, most, 1_000)
    for step in steps:
        now += step
        if budget.dial():
            dials.append(now)
    assert budget.total == len(dials)
    for moment in dials:
        assert sum(moment <= one < moment + 1_000 for one in dials) <= most


def test_a_spent_budget_is_free_again_when_half_of_it_has_grown_old() -> None:
    now = 0
    budget = DialBudget(lambda: now, 4, 1_000)
    for moment in (0, 100, 200, 300):
        now = moment
        assert budget.dial()
    now = 1_000
    assert not budget.dial()
    now = 1_100
    assert budget.dial()
