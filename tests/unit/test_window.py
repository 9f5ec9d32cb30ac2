"""The window of a live strategy: the newest candles, in rows that never change once they were handed out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.candles.frames import COLUMNS, frame_from_bars
from core.domain import Bars
from core.errors import UsageError
from strategies.window import SymbolState, bars_of
from tests.markets import random_bars

BARS = random_bars(3, 100).until(60)


def candle(bars: Bars, i: int) -> dict[str, Any]:
    time, *prices = (column.item(i) for column in bars)
    return {"time": time, **dict(zip(COLUMNS, prices, strict=True))}


def cut(bars: Bars, start: int, stop: int) -> list[list[float]]:
    return [column[max(0, start) : stop].tolist() for column in bars]


def columns(bars: Bars) -> list[list[float]]:
    return [column.tolist() for column in bars]


@pytest.mark.parametrize("window", [1, 2, 7, 100])
def test_the_newest_candles_are_kept_and_what_was_handed_out_stays(window: int) -> None:
    state, seen = SymbolState(), []
    for i in range(60):
        state.add(candle(BARS, i), window)
        seen.append(bars_of(state))
    assert [columns(bars) for bars in seen] == [cut(BARS, i + 1 - window, i + 1) for i in range(60)]
    assert all(column.flags.c_contiguous for bars in seen for column in bars)


def test_a_candle_that_is_there_adds_nothing_and_an_older_one_is_refused() -> None:
    state = SymbolState()
    for i in (0, 1, 1):
        state.add(candle(BARS, i), 5)
    assert columns(bars_of(state)) == cut(BARS, 0, 2)
    with pytest.raises(UsageError, match="candles must come in order"):
        state.add(candle(BARS, 0), 5)
    assert columns(bars_of(state)) == cut(BARS, 0, 2)


def test_candles_that_somebody_put_there_take_the_place_of_those_before() -> None:
    state = SymbolState()
    for i in range(10):
        state.add(candle(BARS, i), 8)
    before = bars_of(state)
    state["df"] = frame_from_bars(BARS.since(20).until(15))
    state.add(candle(BARS, 35), 8)
    assert columns(bars_of(state)) == cut(BARS, 28, 36)
    assert state["df"]["close"].tolist() == BARS.close[28:36].tolist()
    assert columns(before) == cut(BARS, 2, 10)


def test_a_candle_without_a_number_is_no_candle() -> None:
    state = SymbolState()
    state.add(candle(BARS, 0), 5)
    with pytest.raises(TypeError):
        state.add({**candle(BARS, 1), "close": None}, 5)
    assert columns(bars_of(state)) == cut(BARS, 0, 1)
    assert not np.isnan(bars_of(state).close).any()
