"""Holes and jumps of price are named, on the days when LUNA fell and came back as another coin."""

from __future__ import annotations

import numpy as np

from core.candles.oddities import odd_bars
from core.domain import Bars, Series
from core.results.runs import describe_data
from tests.markets import HOUR, START, make_bars, random_bars

DAY = 24 * HOUR
MAY_1 = 1_651_363_200_000
"""2022-05-01."""
# Day of May 2022, then open, high, low, close: made after LUNA's fall, and LUNA 2.0 under the same name.
LUNA = (
    (1, 79.2, 79.992, 69.3, 70),
    (2, 70, 70.7, 59.4, 60),
    (3, 60, 60.6, 29.7, 30),
    (4, 30, 30.3, 0.99, 1),
    (5, 1, 1.01, 0.0099, 0.01),
    (6, 0.01, 0.0101, 9.9e-05, 0.0001),
    (7, 0.0001, 0.000101, 4.95e-05, 5e-05),
    (25, 9, 9.2718, 8.91, 9.18),
    (26, 9.18, 9.2718, 8.7318, 8.82),
)


def luna() -> Bars:
    bars = make_bars(*((o, h, low, c) for _, o, h, low, c in LUNA))
    return bars._replace(ts=MAY_1 + DAY * (np.array([day for day, *_ in LUNA]) - 1))


def test_a_crash_and_a_relisting_are_named_with_time_factor_and_prices() -> None:
    assert odd_bars(luna(), DAY) == (
        "1 hole: 17 bars missing after 2022-05-07 00:00 UTC",
        "2022-05-04 00:00 UTC: price ÷ 30.6, from 30.3 to 0.99 in one bar",
        "2022-05-05 00:00 UTC: price ÷ 102, from 1.01 to 0.0099 in one bar",
        "2022-05-06 00:00 UTC: price ÷ 102, from 0.0101 to 9.9e-05 in one bar",
        "2022-05-25 00:00 UTC, after 17 bars missing: price × 185,436, from 5e-05 to 9.272; "
        "another coin by this name?",
    )
    assert describe_data(luna(), Series("luna", "LUNA/USDT", "1d")).notes == odd_bars(luna(), DAY)


def test_a_market_that_does_nothing_odd_has_no_notes() -> None:
    bars = random_bars(1, 300)
    whole = bars._replace(ts=START + HOUR * np.arange(bars.ts.size))
    assert odd_bars(whole, HOUR) == ()


def test_several_holes_are_counted_and_the_longest_is_named() -> None:
    bars = make_bars(*[(100.0, 101.0, 99.0, 100.0)] * 6)
    bars = bars._replace(ts=START // DAY * DAY + HOUR * np.array([0, 1, 3, 4, 8, 9]))
    assert odd_bars(bars, HOUR) == (
        "2 holes: 4 bars missing; the longest: 3 bars after 2023-11-14 04:00 UTC",
    )


def test_a_wick_of_a_tenth_inside_the_first_bar_is_named_and_a_smaller_one_is_not() -> None:
    wick = make_bars((100.0, 100.0, 10.0, 99.0), (99.0, 100.0, 98.0, 99.0))
    assert [line.split(": ")[1] for line in odd_bars(wick, HOUR)] == ["price ÷ 10, from 100 to 10 in one bar"]
    assert odd_bars(make_bars((100.0, 100.0, 10.1, 99.0)), HOUR) == ()


def test_only_the_largest_jumps_are_named_one_by_one() -> None:
    prices = [10.0**i for i in range(8)]
    bars = make_bars(*[(price, price, price, price) for price in prices])
    lines = odd_bars(bars, HOUR)
    assert len(lines) == 6
    assert lines[-1] == "in 2 bars more the price is × or ÷ 10 or more"
