from __future__ import annotations

import numpy as np
import pytest

from core.exchange_sim.candles import (
    DAY,
    HOUR,
    MINUTE,
    Candles,
    Interval,
    aggregate,
    empty,
    join,
    with_turnover,
)
from tests.sim import NOON, bars_of, steps_of

MONTHS = Interval(0)


def test_a_bar_takes_the_first_open_the_extremes_the_last_close_and_the_sums() -> None:
    minutes = with_turnover(
        bars_of([(NOON, 10.0, 12.0, 9.0, 11.0, 16.0), (NOON + MINUTE, 11.0, 11.5, 8.0, 8.5, 32.0)])
    )
    bar = aggregate(minutes, Interval(HOUR))
    assert [column.tolist() for column in bar] == [
        [NOON],
        [10.0],
        [12.0],
        [8.0],
        [8.5],
        [48.0],
        [16.0 * 10.5 + 32.0 * 9.75],
        [32],
    ]


def test_a_bar_exists_where_one_finer_bar_does_and_nowhere_else() -> None:
    minutes = with_turnover(
        bars_of([(NOON + 59 * MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0), (NOON + 3 * HOUR, 2.0, 2.0, 2.0, 2.0, 1.0)])
    )
    assert aggregate(minutes, Interval(HOUR)).ts.tolist() == [NOON, NOON + 3 * HOUR]


def test_sums_of_volume_are_exact_however_they_are_grouped() -> None:
    tenths = with_turnover(bars_of([(NOON + n * MINUTE, 3.0, 3.0, 3.0, 3.0, 0.1) for n in range(10)]))
    assert aggregate(tenths, Interval(HOUR)).volume.tolist() == [1.0]
    assert sum(tenths.volume.tolist()) != 1.0


def test_a_bar_without_volume_has_no_trades_and_no_turnover() -> None:
    quiet = with_turnover(bars_of([(NOON, 5.0, 5.0, 5.0, 5.0, 0.0)]))
    assert (quiet.trades.tolist(), quiet.quote.tolist()) == ([0], [0.0])


@pytest.mark.parametrize(
    ("interval", "opened"),
    [
        (Interval(HOUR), NOON),
        (Interval(DAY), NOON - 12 * HOUR),
        (Interval(7 * DAY, 4 * DAY), NOON - 12 * HOUR),
        (MONTHS, NOON - 12 * HOUR),
    ],
)
def test_every_grid_knows_the_bar_that_holds_a_moment(interval: Interval, opened: int) -> None:
    assert interval.open_of(NOON + 1) == opened
    assert interval.open_of(opened) == opened
    assert interval.open_of(opened - 1) == interval.after(opened, -1)


def test_months_are_as_long_as_the_calendar_says() -> None:
    january = NOON - 12 * HOUR
    assert MONTHS.after(january) - january == 31 * DAY
    assert MONTHS.after(january, 2) - january == (31 + 29) * DAY


def test_weeks_and_months_are_built_from_days_but_hours_not_from_90_minutes() -> None:
    assert Interval(7 * DAY, 4 * DAY).built_from(DAY)
    assert MONTHS.built_from(HOUR)
    assert not MONTHS.built_from(7 * DAY)
    assert not Interval(HOUR).built_from(90 * MINUTE)


def test_nothing_joined_or_aggregated_is_nothing() -> None:
    assert join(()).ts.size == 0
    assert aggregate(empty(), Interval(HOUR)).ts.size == 0


def test_a_window_of_candles_includes_its_start_and_not_its_end() -> None:
    bars = with_turnover(steps_of(5, MINUTE))
    assert bars.between(NOON + MINUTE, NOON + 3 * MINUTE).ts.tolist() == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_candles_give_back_the_bars_they_were_made_of() -> None:
    bars = steps_of(3, MINUTE)
    candles: Candles = with_turnover(bars)
    assert all(np.array_equal(a, b) for a, b in zip(candles.bars(), bars, strict=True))
