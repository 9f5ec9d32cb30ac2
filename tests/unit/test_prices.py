"""Prices between two bars: one wrong answer closes nothing, a crash is believed within seconds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.live.prices import MOST_AWAY, STAYS, PriceCheck

NONE = math.nan
BTC = "BTC/USDT"


@pytest.mark.parametrize(
    ("price", "before", "is_so"),
    [(100.0, None, True), (100.0, 90.0, True), (60.0, 100.0, False), (0.0, 100.0, False), (NONE, 1.0, False)],
)
def test_a_price_far_from_the_last_one_is_not_believed(
    price: float, before: float | None, is_so: bool
) -> None:
    assert (PriceCheck().why_not(BTC, price, before, 0) == "") is is_so


def test_a_price_that_stays_where_it_jumped_to_is_believed_and_one_wrong_answer_never() -> None:
    check = PriceCheck()
    said = [check.why_not(BTC, 65.0, 100.0, now) for now in (0, 3_000, STAYS - 1)]
    assert (
        said
        == ["its price 65 is far from 100: believed once it stays there for 10 s or a candle says so"] * 3
    )
    assert check.why_not(BTC, 65.0, 100.0, STAYS) == ""
    # Believed, it is the one that the next is far from.
    assert check.why_not(BTC, 100.0, 65.0, STAYS + 1) != ""
    assert check.why_not(BTC, 65.0, 65.0, STAYS + 2) == ""
    assert check.why_not(BTC, 100.0, 65.0, 3 * STAYS) != ""


def test_a_price_that_falls_on_is_one_jump_and_two_wrong_ones_are_none() -> None:
    falling = PriceCheck()
    said = [falling.why_not(BTC, price, 100.0, n * 5_000) for n, price in enumerate((65.0, 50.0, 40.0))]
    assert [one == "" for one in said] == [False, False, True]
    wild = PriceCheck()
    said = [wild.why_not(BTC, price, 100.0, n * 5_000) for n, price in enumerate((65.0, 10.0, 65.0, 10.0))]
    assert "" not in said


def test_symbols_are_doubted_each_by_itself_and_silence_is_no_price() -> None:
    check = PriceCheck()
    check.why_not(BTC, 65.0, 100.0, 0)
    assert check.why_not("ETH/USDT", 6.0, 10.0, STAYS) != ""
    assert check.why_not(BTC, None, 100.0, STAYS) == "nobody tells its price now"
    assert check.why_not(BTC, -1.0, 100.0, STAYS) == "its price -1 is none"
    assert check.why_not(BTC, 65.0, 100.0, STAYS) == ""


@pytest.mark.unmeasured
@given(
    wrong=st.floats(0.01, 1e6).filter(lambda price: abs(price / 100 - 1) > MOST_AWAY),
    times=st.lists(st.integers(1, 60_000), min_size=1, max_size=8),
)
def test_no_wrong_price_between_right_ones_is_ever_believed(wrong: float, times: list[int]) -> None:
    check, now = PriceCheck(), 0
    for step in times:
        now += step
        assert check.why_not(BTC, wrong, 100.0, now) != ""
        now += step
        assert check.why_not(BTC, 101.0, 100.0, now) == ""
