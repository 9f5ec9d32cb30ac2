"""Indicators of sessions, longer bars, pivots and bands: against published numbers and hand-made tables."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import FloatArray, IntArray
from strategies import indicators_more as more
from strategies.indicators import atr, ema
from tests.markets import HOUR, random_bars
from tests.quotes import CLOSE, HIGH, LOW, expect

DAYS = 86_400_000 * np.arange(30, dtype=np.int64)
VOLUME = np.array([96708880.0, 83348752, 82961968, 75744152, 49684316])


def hours(count: int) -> IntArray:
    return HOUR * np.arange(count, dtype=np.int64)


def line(*values: float) -> FloatArray:
    return np.array(values, float)


def test_donchian_equals_the_published_series() -> None:
    upper, lower = more.donchian(HIGH, LOW, 20)
    expect(upper, 20, {20: 217.02, 29: 220.19})
    expect(lower, 20, {20: 211.52, 29: 212.83})


def test_ichimoku_equals_the_published_series() -> None:
    fast, slow, _, _ = more.ichimoku(HIGH, LOW, 9, 26, 52)
    expect(fast, 8, {25: 215.39499999999998, 29: 217.54500000000002})
    expect(slow, 25, {25: 214.27, 29: 216.66500000000002})


def test_the_cloud_over_a_bar_was_computed_a_base_period_before_it() -> None:
    fast, slow, lead_a, lead_b = more.ichimoku(HIGH, LOW, 3, 5, 8)
    assert lead_a[20] == (fast[15] + slow[15]) / 2
    assert lead_b[20] == (HIGH[8:16].max() + LOW[8:16].min()) / 2
    assert np.flatnonzero(~np.isnan(lead_a))[0] == 9
    assert np.flatnonzero(~np.isnan(lead_b))[0] == 12


def test_supertrend_equals_the_published_series() -> None:
    band, side = more.supertrend(DAYS, HIGH, LOW, CLOSE, 10, 3.0)
    expect(band, 10, {10: 210.059, 15: 212.16872586, 22: 212.692853274, 29: 216.113045157291})
    assert (side[10:] == 1.0).all()


@pytest.mark.parametrize("seed", range(6))
def test_supertrend_is_the_one_that_is_followed_from_the_first_bar_on(seed: int) -> None:
    bars = random_bars(seed, 1500)
    band, side = more.supertrend(bars.ts, *bars[2:5], 7, 2.0)
    reach, mid = 2.0 * atr(*bars[2:5], 7), (bars.high + bars.low) / 2
    upper, lower, is_up, flips = np.inf, -np.inf, bool(bars.close[7] >= mid[7]), 0
    for i in range(7, bars.close.size):
        before = bars.close[i - 1] if i > 7 else np.nan
        upper = mid[i] + reach[i] if mid[i] + reach[i] < upper or before > upper else upper
        lower = mid[i] - reach[i] if mid[i] - reach[i] > lower or before < lower else lower
        was_up, is_up = is_up, bool(bars.close[i] > (lower if is_up else upper))
        flips += was_up != is_up
        assert (band[i], side[i]) == ((lower, 1.0) if is_up else (upper, -1.0))
    assert flips > 20


def test_supertrend_looks_back_on_two_blocks_at_most() -> None:
    bars = random_bars(3, 1500)
    whole = more.supertrend(bars.ts, *bars[2:5], 4, 30.0)[0]
    for start in (700, 1000, 1200):
        tail = bars.since(start - 2 * more.RESTART * 4 - 60 * 4)
        assert more.supertrend(tail.ts, *tail[2:5], 4, 30.0)[0][-(1500 - start) + 60 :].tolist() == (
            whole[-(1500 - start) + 60 :].tolist()
        )


def test_a_day_s_vwap_equals_the_published_series() -> None:
    vwap = more.session_vwap(hours(5), HIGH[:5], LOW[:5], CLOSE[:5], VOLUME)
    expect(vwap, 0, {0: 212.5566666666667, 1: 213.13683518278566, 4: 213.62444401290387})


def test_a_day_s_vwap_begins_anew_at_midnight_and_needs_a_whole_first_day() -> None:
    price, volume = line(1, 3, 5, 7, 9, 11), line(1, 1, 2, 0, 0, 3)
    stamps = 21 * HOUR + hours(6)
    vwap = more.session_vwap(stamps, price, price, price, volume)
    assert np.isnan(vwap[:3]).all()
    # The new day's first bars traded nothing: their own price.
    assert vwap[3:].tolist() == [7.0, 9.0, 11.0]
    assert np.isnan(more.session_vwap(stamps[:2], price[:2], price[:2], price[:2], volume[:2])).all()


def test_the_rolling_vwap_weighs_by_volume_and_does_without_any() -> None:
    price, volume = line(1, 3, 5, 7, 9, 11), line(1, 3, 0, 0, 0, 1)
    vwap = more.rolling_vwap(price, price, price, volume, 2)
    assert vwap[1:].tolist() == [2.5, 3.0, 7.0, 9.0, 11.0]
    assert np.isnan(more.rolling_vwap(price, price, price, volume, 7)).all()


def test_a_divergence_is_told_a_wing_after_the_second_pivot() -> None:
    low = line(9, 8, 5, 8, 9, 8, 4, 8, 9, 9, 9)
    gauge = line(50, 40, 20, 40, 50, 40, 30, 40, 50, 50, 50)
    told = more.divergence(low + 20, low, gauge, 2, 10)
    assert np.flatnonzero(told).tolist() == [8]
    assert told[8] == 1.0
    assert not more.divergence(low + 20, low, gauge, 2, 3).any()
    assert not more.divergence(low + 20, low, -gauge, 2, 10).any()
    mirrored = more.divergence(-low, -low - 20, -gauge, 2, 10)
    assert np.flatnonzero(mirrored).tolist() == [8]
    assert mirrored[8] == -1.0


def test_a_cross_is_remembered_for_so_many_bars_while_it_holds() -> None:
    gap = line(-1, -1, 1, 1, 1, 1, -1, 1, 0, 1)
    assert np.nan_to_num(more.crossed(gap, 3), nan=9.0).tolist() == [9, 9, 9, 1, 1, 0, -1, 1, 0, 1]


def test_measures_agree_when_all_are_on_one_side_of_zero() -> None:
    found = more.agreed(line(1, -1, 1, 0, np.nan), line(2, -2, -1, 1, 1))
    assert np.nan_to_num(found, nan=9.0).tolist() == [1, -1, 0, 0, 9]


def test_a_longer_bar_is_known_at_the_close_of_its_last_bar_and_not_before() -> None:
    close = line(*range(24)) ** 2
    known = more.longer_trend(hours(24), close, 4, 2, 3)
    closes = close[3::4]
    gap = ema(closes, 2) - ema(closes, 3)
    assert np.isnan(known[:11]).all()
    assert known[11:15].tolist() == [gap[2]] * 4
    assert known[15:19].tolist() == [gap[3]] * 4
    assert known[23] == gap[5]


def test_a_longer_bar_that_lacks_its_last_bar_is_known_with_the_next_one() -> None:
    close, stamps = line(*range(24)) ** 2, hours(24)
    kept = np.arange(24) != 15
    known = more.longer_trend(stamps[kept], close[kept], 4, 2, 3)
    closes = close[[3, 7, 11, 14, 19, 23]]
    gap = ema(closes, 2) - ema(closes, 3)
    assert known[14] == gap[2]
    assert known[15] == gap[3]


def test_a_thrust_measures_the_sessions_before_from_this_one_s_open() -> None:
    # Sessions of two bars; the third and fourth count for the fifth.
    high, low = line(0, 0, 0, 0, 12, 11, 14, 13, 99, 99), line(0, 0, 0, 0, 8, 9, 9, 10, 1, 1)
    close, opens = line(0, 0, 0, 0, 10, 9, 12, 13, 50, 50), line(*range(10))
    start, reach = more.thrust(hours(10), opens, high, low, close, 2, 2)
    assert np.isnan(start[:8]).all()
    assert start[8:].tolist() == [8.0, 8.0]
    # Highest high 14, lowest close 9; highest close 13, lowest low 8.
    assert reach[8:].tolist() == [5.0, 5.0]
    assert np.isnan(more.thrust(hours(10), opens, high, low, close, 2, 3)[0]).all()


def test_sessions_begin_at_every_midnight_and_never_shift_with_the_year() -> None:
    day = more.DAY
    ts = day + HOUR * np.arange(48)
    seven = more.sessions(ts, 7)
    assert np.flatnonzero(np.diff(seven)).tolist() == [6, 13, 20, 23, 30, 37, 44]
    assert np.unique(more.sessions(ts, 100)).size == 2
    for days in (1, 7, 365, 366):
        assert np.array_equal(more.sessions(ts + days * day, 7) - days * day, seven)
    weeks = day + 7 * day * np.arange(5)
    assert np.unique(more.sessions(weeks, 24)).size == 5


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_too_short_a_series_gives_only_warm_up(length: int) -> None:
    x, ts = np.linspace(1, 2, length), hours(length) + HOUR
    for values in (
        *more.donchian(x, x, 14),
        *more.ichimoku(x, x, 9, 26, 52),
        *more.supertrend(ts, x, x, x, 14, 3.0),
        more.session_vwap(ts, x, x, x, x),
        more.rolling_vwap(x, x, x, x, 14),
        more.divergence(x, x, np.full(length, np.nan), 5, 60),
        more.crossed(np.full(length, np.nan), 3),
        more.longer_trend(ts, x, 4, 9, 21),
        *more.thrust(ts, x, x, x, x, 24, 4),
    ):
        assert values.size == length
        assert np.isnan(values).all()


def test_a_signal_is_unknown_until_all_that_it_reads_is_known_and_off_where_a_comparison_is() -> None:
    slow = np.array([np.nan, np.nan, 1.0, 3.0, np.nan, 0.0])
    fast = np.array([np.nan, 2.0, 2.0, 2.0, 2.0, 2.0])
    found = more.signal(slow < fast, slow, fast)
    assert np.isnan(found[:2]).all()
    assert found[2:].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert more.signal(fast > 1).tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
