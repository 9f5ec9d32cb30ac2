"""Every kind of bad candle is refused with a reason that shows the value; the good ones go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.candles.checks import DAY, EARLIEST, RefusedRow, check_candles, usual_step
from core.domain import Bars
from tests.stored import HOUR, START, bars_at, same_bars

NOW = START + 100 * HOUR
NAN, INF = float("nan"), float("inf")


def with_row(row: int, **values: Any) -> Bars:
    """Return three sound bars of which one has other values."""
    bars = bars_at(0, 1, 2)
    columns = {name: getattr(bars, name).copy() for name in values}
    for name, value in values.items():
        columns[name][row] = value
    return bars._replace(**columns)


def reasons(bars: Bars, now: int = NOW) -> list[tuple[int, str]]:
    return [tuple(refused) for refused in check_candles(bars, HOUR, now).refused]  # type: ignore[misc]


def test_sound_bars_all_pass_unchanged() -> None:
    bars = bars_at(0, 1, 5)
    checked = check_candles(bars, HOUR, NOW)
    assert same_bars(checked.good, bars)
    assert checked[1:] == ((), 0, 0)


def test_no_bars_are_no_trouble() -> None:
    checked = check_candles(bars_at(), HOUR, NOW)
    assert len(checked.good.ts) == 0
    assert checked.refused == ()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"open": NAN}, "open nan is not a positive price"),
        ({"high": INF}, "high inf is not a positive price"),
        ({"low": 0.0}, "low 0 is not a positive price"),
        ({"close": -3.5}, "close -3.5 is not a positive price"),
        ({"volume": -1.0}, "volume -1 is not a number from 0 up"),
        ({"volume": NAN}, "volume nan is not a number from 0 up"),
        ({"volume": INF}, "volume inf is not a number from 0 up"),
        ({"high": 98.0}, "high 98 is below low 99"),
        ({"open": 101.25}, "open 101.25 is outside low 99 to high 101"),
        ({"close": 98.75}, "close 98.75 is outside low 99 to high 101"),
        (
            {"ts": START + HOUR + 1},
            f"open time 2020-09-13 13:00 ({START + HOUR + 1}) is off the timeframe's grid",
        ),
        (
            {"ts": START // 1000},
            f"open time {START // 1000} is not a plausible time in ms UTC (2009 to tomorrow)",
        ),
        (
            {"ts": START * 1000},
            f"open time {START * 1000} is not a plausible time in ms UTC (2009 to tomorrow)",
        ),
        ({"ts": -1}, "open time -1 is not a plausible time in ms UTC (2009 to tomorrow)"),
    ],
)
def test_a_bad_row_is_refused_with_its_value_and_the_others_are_kept(
    values: dict[str, float], reason: str
) -> None:
    bars = with_row(1, **values)
    checked = check_candles(bars, HOUR, NOW)
    assert checked.refused == (RefusedRow(1, reason),)
    assert same_bars(checked.good, bars_at(0, 2))


def test_zero_volume_is_sound_and_minus_zero_becomes_zero() -> None:
    good = check_candles(with_row(1, volume=-0.0), HOUR, NOW).good
    assert str(good.volume[1]) == "0.0"


def test_equal_prices_are_sound() -> None:
    assert reasons(with_row(0, open=5.0, high=5.0, low=5.0, close=5.0)) == []


def test_a_bar_is_closed_from_the_very_millisecond_it_ends() -> None:
    assert reasons(bars_at(0), now=START + HOUR) == []
    assert reasons(bars_at(0), now=START + HOUR - 1) == [
        (0, "not closed yet: it closes at 2020-09-13 13:00, now is 2020-09-13 12:59")
    ]


def test_a_future_bar_is_not_closed_and_a_far_one_is_implausible() -> None:
    now = START + HOUR
    assert reasons(bars_at(24), now)[0][1].startswith("not closed yet")
    assert "not a plausible time" in reasons(bars_at(26), now)[0][1]


def test_the_first_plausible_time_is_that_of_the_first_block() -> None:
    bars = bars_at(0)._replace(ts=np.array([EARLIEST], np.int64))
    assert check_candles(bars, DAY, NOW).refused == ()
    assert check_candles(bars._replace(ts=bars.ts - DAY), DAY, NOW).good.ts.tolist() == []


def test_rows_out_of_order_are_sorted_and_counted() -> None:
    bars = bars_at(3, 1, 2, 0)
    checked = check_candles(bars, HOUR, NOW)
    assert same_bars(checked.good, bars_at(0, 1, 2, 3))
    assert checked.out_of_order == 2
    assert checked.refused == ()


def test_equal_repetitions_are_dropped_and_counted() -> None:
    checked = check_candles(bars_at(1, 0, 1, 1), HOUR, NOW)
    assert same_bars(checked.good, bars_at(0, 1))
    assert (checked.repeated, checked.refused) == (2, ())


def test_rows_that_contradict_each_other_are_all_refused() -> None:
    bars = bars_at(0, 1, 1, 1, 2)
    bars.volume[3] = 9.0
    checked = check_candles(bars, HOUR, NOW)
    assert same_bars(checked.good, bars_at(0, 2))
    assert [row for row, _ in checked.refused] == [1, 2, 3]
    assert checked.refused[0].reason == (
        f"open time 2020-09-13 13:00 ({START + HOUR}) is given more than once with different values"
    )
    assert checked.repeated == 0


def test_a_row_that_is_bad_by_itself_does_not_dispute_a_good_one() -> None:
    bars = bars_at(0, 0)
    bars.close[1] = NAN
    checked = check_candles(bars, HOUR, NOW)
    assert same_bars(checked.good, bars_at(0))
    assert [row for row, _ in checked.refused] == [1]


def test_a_row_with_several_faults_is_refused_once_for_the_first() -> None:
    assert reasons(with_row(2, ts=START + 1, close=NAN, volume=-1.0)) == [
        (2, f"open time 2020-09-13 12:00 ({START + 1}) is off the timeframe's grid")
    ]


@pytest.mark.parametrize(
    ("hours", "step"),
    [
        (range(6), HOUR),
        (range(5), None),
        ([0, 4, 8, 12, 16, 20, 21], 4 * HOUR),
        ([0, 1, 2, 3, 5, 7, 9], None),
        ([5, 4, 3, 2, 1, 0, 0, 0], HOUR),
        ([], None),
    ],
)
def test_the_usual_step_is_that_of_most_neighbours(hours: list[int], step: int | None) -> None:
    assert usual_step(bars_at(*hours).ts) == step
