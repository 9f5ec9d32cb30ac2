"""A person's candles as bars: how long they last, and in which order they and their signals come."""

from __future__ import annotations

from typing import Any

import pytest

from core.candles.candle_series import CandleSeries
from core.errors import UsageError
from tests.markets import HOUR, START

SYMBOL = "BTC/USDT"


def candle(number: int, **other: Any) -> dict[str, Any]:
    prices = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 1.0}
    return {"time": START + number * HOUR, **prices, **other}


def test_the_timeframe_is_learnt_from_the_distance_of_candles() -> None:
    series = CandleSeries()
    bars = [series.bar(SYMBOL, candle(n)) for n in (0, 3, 4, 6, 7)]
    minutes = [(bar.end - bar.ts) // 60_000 for bar in bars]
    assert minutes == [1, 180, 60, 60, 60]
    assert [bar.timeframe for bar in bars] == ["4h", "4h", "1h", "1h", "1h"]
    assert series.timeframe(SYMBOL) == "1h"
    assert series.timeframe("ETH/USDT") == "4h"


def test_a_name_that_was_used_stays_and_the_length_is_right_all_the_same() -> None:
    series = CandleSeries()
    assert series.close(SYMBOL, candle(0), is_waiting=False) == (START, START + 60_000, 100.0)
    for n in (1, 2):
        bar = series.bar(SYMBOL, candle(n))
    assert (bar.timeframe, bar.end) == ("4h", START + 3 * HOUR)
    assert series.close(SYMBOL, candle(2), is_waiting=False)[1] == START + 3 * HOUR
    with pytest.raises(UsageError, match="are taken as 4h here, a strategy wants 1h"):
        series.timeframe(SYMBOL, "1h")


def test_a_timeframe_that_is_wanted_is_known_from_the_first_candle_on() -> None:
    series = CandleSeries()
    assert series.timeframe(SYMBOL, "1h") == series.timeframe(SYMBOL) == "1h"
    assert series.bar(SYMBOL, candle(0)).end == START + HOUR


def test_candles_come_oldest_first_and_before_their_signals() -> None:
    series = CandleSeries()
    series.bar(SYMBOL, candle(1))
    assert series.bar(SYMBOL, candle(1)).ts == START + HOUR
    with pytest.raises(UsageError, match="comes too late: call on_candle with every candle, oldest first"):
        series.bar(SYMBOL, candle(0))
    series.close(SYMBOL, candle(2), is_waiting=False)
    with pytest.raises(UsageError, match="before on_bar and execute_signal"):
        series.bar(SYMBOL, candle(2))
    series.close(SYMBOL, candle(2), is_waiting=True)
    with pytest.raises(UsageError, match=r"waits for the next candle: call Executor.on_candle"):
        series.close(SYMBOL, candle(3), is_waiting=True)
    series.bar(SYMBOL, candle(3))
    series.close(SYMBOL, candle(3), is_waiting=True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"low": 100.5}, "is none: wanted low <= open, close <= high"),
        ({"high": 99.5}, "is none: wanted low <= open, close <= high"),
        ({"close": float("nan")}, f"close of candle {START} of BTC/USDT: wanted a number above 0, got nan"),
        ({"low": -1.0}, f"low of candle {START} of BTC/USDT: wanted a number above 0, got -1.0"),
    ],
)
def test_a_candle_that_is_none_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        CandleSeries().bar(SYMBOL, candle(0, **wrong))
