"""Bars of a longer timeframe: closed ones alone, weeks from Monday, the same from any window."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import Bars
from core.errors import UsageError
from core.proof.markets import random_bars
from strategies.indicators import ema
from strategies.longer import hour, longer, weekday

HOUR, DAY = 3_600_000, 86_400_000
MONDAY = 1_704_067_200_000
"""2024-01-01 00:00 UTC."""


def rising(count: int, start: int = MONDAY, step: int = HOUR) -> Bars:
    """Return bars whose close is their number."""
    close = np.arange(count, dtype=float)
    return Bars(
        start + step * np.arange(count, dtype=np.int64), close, close + 1, close - 1, close, close * 0 + 2
    )


def test_a_day_counts_from_its_last_bar_s_close_on() -> None:
    bars = rising(60)
    day = longer(bars, "1d")
    assert day.bars.ts.tolist() == [MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]
    assert (day.bars.open[1], day.bars.high[1], day.bars.low[1], day.bars.close[1]) == (24, 48, 23, 47)
    assert day.bars.volume.tolist() == [48, 48, 24]
    known = day.at(day.bars.close)
    assert np.isnan(known[:23]).all()
    # The bar that opens at 23:00 closes with its day.
    assert known[23:47].tolist() == [23.0] * 24
    assert known[47:].tolist() == [47.0] * 13


def test_weeks_begin_on_monday_and_hours_and_days_are_those_of_the_open() -> None:
    bars = rising(20 * 24, MONDAY - 3 * DAY)
    week = longer(bars, "1w")
    # The first, which is cut, is left out.
    assert week.bars.ts.tolist() == [MONDAY, MONDAY + 7 * DAY, MONDAY + 14 * DAY]
    assert weekday(bars)[[0, 71, 72, 96]].tolist() == [4, 6, 0, 1]
    assert hour(bars)[[0, 23, 24, 30]].tolist() == [0, 23, 0, 6]


def test_a_bar_that_is_missing_at_the_end_of_a_day_is_told_by_the_next() -> None:
    bars = rising(60)
    kept = np.arange(60) != 23
    gap = Bars(*(column[kept] for column in bars))
    day = longer(gap, "1d")
    known = day.at(day.bars.close)
    assert np.isnan(known[22])
    assert known[23] == 22.0


@pytest.mark.unmeasured
@pytest.mark.parametrize("timeframe", ["2h", "4h", "1d", "3d", "1w"])
def test_no_later_bar_and_no_earlier_start_changes_a_value(timeframe: str) -> None:
    bars = random_bars(4, 3000)
    whole = longer(bars, timeframe)
    column = whole.at(ema(whole.bars.close, 3) if whole.bars.ts.size > 3 else whole.bars.close)
    for cut in (900, 1501, 2222, 2900):
        part = longer(bars.until(cut), timeframe)
        made = part.at(ema(part.bars.close, 3) if part.bars.ts.size > 3 else part.bars.close)
        assert np.array_equal(made, column[:cut], equal_nan=True)
        late = longer(bars.until(cut).since(cut - 500), timeframe)
        assert late.at(late.bars.high)[-1:].tolist() == whole.at(whole.bars.high)[cut - 1 : cut].tolist()


def test_what_is_no_longer_timeframe_is_said() -> None:
    bars = rising(30)
    for timeframe, words in (
        ("1h", "bars of 60 minutes do not make it up"),
        ("90m", "bars of 60 minutes do not make it up"),
        ("day", "wanted a timeframe such as 4h, 1d or 1w"),
        ("0d", "wanted a timeframe such as 4h, 1d or 1w"),
    ):
        with pytest.raises(UsageError, match=words):
            longer(bars, timeframe)


def test_few_bars_have_none() -> None:
    for count in (0, 1, 5):
        day = longer(rising(count, MONDAY + HOUR), "1d")
        assert day.bars.ts.size == 0
        assert np.isnan(day.at(day.bars.close)).all()
        assert day.known.size == count
