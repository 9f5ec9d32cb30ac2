from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from core.candles.frames import frame_from_bars
from core.domain import FLAT, Bars, PositionView
from core.errors import UsageError
from strategies.base import StrategySignal
from strategies.grid_ladder import GridLadderLive
from strategies.trend_ema import TrendEmaLive
from tests.markets import HOUR, START
from tests.scripted import ScriptedLive

SYMBOL = "BTC/USDT"
LONG = PositionView(side=1, entry_price=100.0, stop=90.0, take=120.0, bars_held=2, target=1.0)


def candle(bar: int, order: float = 0.0, close: float = 100.0) -> dict[str, Any]:
    return {
        "time": START + bar * HOUR,
        "open": 100.0,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": order,
    }


def warmed() -> ScriptedLive:
    live = ScriptedLive({"params": {"stop_away": 10}})
    live.on_bar(SYMBOL, candle(0))
    return live


def test_warm_up_is_a_hold_that_says_so() -> None:
    signal = TrendEmaLive({}).on_bar(SYMBOL, candle(0))
    assert signal == StrategySignal(SYMBOL, "HOLD", 1.0, {"reason": "warm-up"})


def test_an_entry_carries_stop_take_and_reason() -> None:
    signal = warmed().on_bar(SYMBOL, candle(1, order=1.0))
    assert (signal.action, signal.risk_r) == ("OPEN_LONG", 1.0)
    assert signal.extra == {"stop": 90.0, "take": 120.0, "target": 1.0, "reason": "entry"}


def test_trend_ema_carries_the_ratio_of_the_specification() -> None:
    live = TrendEmaLive({"params": {"rr_ratio": 3.0}})
    signals = [live.on_bar(SYMBOL, candle(i, close=100.0 + i)) for i in range(60)]
    assert signals[-1].action == "OPEN_LONG"
    assert signals[-1].extra is not None
    assert signals[-1].extra["rr_ratio"] == 3.0
    assert signals[-1].extra["stop"] < 159.0 < signals[-1].extra["take"]


def test_what_is_held_is_held_with_its_stop_and_take() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG)
    signal = live.on_bar(SYMBOL, candle(1))
    assert (signal.action, signal.extra) == ("HOLD", {"stop": 90.0, "take": 120.0, "target": 1.0})


def test_an_exit_names_its_reason() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG)
    assert live.on_bar(SYMBOL, candle(1, order=3.0)) == StrategySignal(
        SYMBOL, "CLOSE_LONG", 1.0, {"reason": "rule", "target": 0.0}
    )


def test_nothing_held_and_nothing_wanted_is_a_plain_hold() -> None:
    assert warmed().on_bar(SYMBOL, candle(1)) == StrategySignal(SYMBOL, "HOLD", 1.0, {})


def test_a_reversal_is_a_close_followed_by_an_open() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG)
    signals = live.signals(SYMBOL, candle(1, order=2.0))
    assert [signal.action for signal in signals] == ["CLOSE_LONG", "OPEN_SHORT"]
    assert live.on_bar(SYMBOL, candle(1, order=2.0)) == signals[1]


def test_a_short_is_closed_as_one() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG._replace(side=-1))
    assert live.on_bar(SYMBOL, candle(1, order=3.0)).action == "CLOSE_SHORT"


def test_the_same_candle_twice_changes_nothing() -> None:
    live = warmed()
    first = live.on_bar(SYMBOL, candle(1, order=1.0))
    assert live.on_bar(SYMBOL, candle(1, order=1.0)) == first
    assert len(live.state[SYMBOL]["df"]) == 2


def test_symbols_do_not_mix() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG)
    live.on_bar("ETH/USDT", candle(0))
    assert live.state["ETH/USDT"]["position"] == FLAT
    assert len(live.state["ETH/USDT"]["df"]) == 1


def test_the_kept_candles_do_not_grow_beyond_the_window() -> None:
    live = ScriptedLive({})
    for i in range(live.window + 30):
        live.on_bar(SYMBOL, candle(i))
    frame = live.state[SYMBOL]["df"]
    assert len(frame) == live.window
    assert frame.index[-1] == pd.Timestamp(START + (live.window + 29) * HOUR, unit="ms", tz="UTC")


def test_candles_may_be_loaded_at_once_and_followed_bar_by_bar() -> None:
    loaded, followed = ScriptedLive({}), ScriptedLive({})
    for i in range(5):
        followed.on_bar(SYMBOL, candle(i))
    loaded.on_bar(SYMBOL, candle(3))
    loaded.state[SYMBOL]["df"] = followed.state[SYMBOL]["df"]
    assert loaded.on_bar(SYMBOL, candle(5, order=1.0)) == followed.on_bar(SYMBOL, candle(5, order=1.0))


def test_a_candle_s_time_may_be_a_datetime_with_a_zone() -> None:
    live = warmed()
    moment = datetime.fromtimestamp(START / 1000, UTC) + timedelta(hours=1)
    live.on_bar(SYMBOL, candle(1) | {"time": moment})
    assert live.state[SYMBOL]["df"].index[-1] == pd.Timestamp(moment)


def test_a_time_without_a_zone_and_a_candle_from_the_past_are_refused() -> None:
    live = warmed()
    with pytest.raises(UsageError, match="a time with a zone"):
        live.on_bar(SYMBOL, candle(1) | {"time": datetime(2024, 1, 1)})  # noqa: DTZ001
    with pytest.raises(UsageError, match="in order"):
        live.on_bar(SYMBOL, candle(-1))


def test_a_bad_parameter_is_refused_when_the_strategy_is_made() -> None:
    with pytest.raises(UsageError, match="did you mean rr_ratio"):
        TrendEmaLive({"params": {"rr_ration": 2}})


class TestLadder:
    def falling(self) -> GridLadderLive:
        live = GridLadderLive({"params": {"ma_period": 3, "atr_period": 2, "levels": 3}})
        for i, close in enumerate([100.0, 101.0, 100.0, 101.0, 100.0]):
            live.on_bar(SYMBOL, candle(i, close=close))
        return live

    def test_starts_with_no_rung_held(self) -> None:
        assert self.falling().state[SYMBOL]["levels"] == {1: False, 2: False, 3: False}

    def test_opens_each_rung_touched_and_names_it(self) -> None:
        live = self.falling()
        signals = live.signals(SYMBOL, candle(5, close=97.0) | {"high": 101.0, "low": 90.0})
        assert [signal.action for signal in signals] == ["OPEN_LONG"] * len(signals)
        levels = [signal.extra["level"] for signal in signals if signal.extra]
        assert levels == [1, 2][: len(levels)]
        assert levels
        assert all(signal.extra["take"] > 97.0 for signal in signals if signal.extra)

    def test_closes_every_held_rung_when_the_close_is_back_at_the_mean(self) -> None:
        live = self.falling()
        live.set_position(SYMBOL, PositionView(side=1, rungs=0b1010, target=0.4))
        assert live.state[SYMBOL]["levels"] == {1: True, 2: False, 3: True}
        signals = live.signals(SYMBOL, candle(5, close=110.0))
        rest = {"reason": "rule", "target": 0.0, "levels": {1: False, 2: False, 3: False}}
        closing = [StrategySignal(SYMBOL, "CLOSE_LONG", 1.0, {"level": n} | rest) for n in (1, 3)]
        assert signals == closing

    def test_holds_between_rungs(self) -> None:
        live = self.falling()
        quiet = candle(5, close=100.2) | {"high": 100.3, "low": 100.2}
        assert live.on_bar(SYMBOL, quiet) == StrategySignal(SYMBOL, "HOLD", 1.0, {})


def test_more_of_the_same_side_is_an_open_that_adds_and_takes_its_part_of_the_risk() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG._replace(target=0.25))
    signal = live.on_bar(SYMBOL, candle(1, order=5.0))
    assert (signal.action, signal.risk_r) == ("OPEN_LONG", 0.25)
    assert signal.extra == {"stop": 90.0, "take": 120.0, "target": 0.5, "reason": "entry", "add": 0.25}


def test_less_of_the_same_side_is_a_close_of_a_portion() -> None:
    live = warmed()
    live.set_position(SYMBOL, LONG)
    signal = live.on_bar(SYMBOL, candle(1, order=6.0))
    assert (signal.action, signal.risk_r) == ("CLOSE_LONG", 1.0)
    assert signal.extra == {"stop": 90.0, "take": 120.0, "target": 0.25, "reason": "reduce", "portion": 0.75}


def test_a_decision_makes_no_frame_and_who_looks_at_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(bars: Bars) -> pd.DataFrame:
        made.append(bars.ts.size)
        return frame_from_bars(bars)

    monkeypatch.setattr("strategies.window.frame_from_bars", counted)
    live = TrendEmaLive({})
    for i in range(3):
        live.signals(SYMBOL, candle(i))
    assert made == []
    state = live.state[SYMBOL]
    assert "df" in state
    assert len(state.get("df", "")) == 3
    assert state["df"] is state["df"]
    assert made == [3]
