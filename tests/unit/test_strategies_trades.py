"""The first four rules' trades on hand-made candles, as those of the others in test_strategies_more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from strategies.registry import REGISTRY
from tests.unit.test_strategies_more import candles, mirrored, trades

HERE = Path(__file__).parent


def test_trend_ema_takes_twice_what_it_risks_and_stops_below() -> None:
    # Bar 4: EMAs 102 and 101.5. Stop 1.5 ATRs of 4 below 103, take 12 above. Bar 7 takes it and buys again.
    bars = candles(100, 100, 100, 100, 103, 107, 111, 115, 111, 107, 103)
    assert trades("TREND_EMA", bars, ema_fast=2, ema_slow=3) == [
        ("LONG", 5, 103, 7, 115, "take"),
        ("LONG", 8, 115, 9, 109, "stop"),
    ]


@pytest.mark.unmeasured
def test_mean_reversion_goes_back_to_the_middle_or_stops() -> None:
    # 96 is below the mean of (100, 100, 96) less one deviation: 98.67 - 1.89. Stop two ATRs of 4 below it.
    given = {"bb_period": 3, "bb_std": 1.0}
    back = candles(100, 100, 100, 100, 96, 98, 98)
    assert trades("MR_BB", back, **given) == [("LONG", 5, 96, 5, 100 - 4 / 3, "take")]
    assert trades("MR_BB", mirrored(back), **given) == [("SHORT", 5, 104, 5, 100 + 4 / 3, "take")]
    # On to 88, which is outside again: another.
    on = candles(100, 100, 100, 100, 96, 92, 88, 88)
    assert trades("MR_BB", on, **given) == [
        ("LONG", 5, 96, 6, 88, "stop"),
        ("LONG", 7, 88, 7, 88, "end"),
    ]


@pytest.mark.unmeasured
def test_a_breakout_counts_while_the_bands_are_narrow() -> None:
    # Bands 2.8 apart at 101: 0.028. Stop 6 below 103, take 12 above; there they are 0.06 apart.
    bars = candles(100, 100, 100, 100, 103, 107, 111, 115, 119, 119)
    given = {"bb_period": 3, "bb_std": 1.0}
    assert trades("SQZ_BO", bars, **given) == [("LONG", 5, 103, 7, 115, "take")]
    assert trades("SQZ_BO", mirrored(bars), **given) == [("SHORT", 5, 97, 7, 85, "take")]
    assert trades("SQZ_BO", bars, **given, bandwidth_thresh=0.02) == []


@pytest.mark.unmeasured
def test_a_grid_buys_the_rung_that_was_touched_and_sells_at_the_mean() -> None:
    # Bar 4, from 100.5 to 93, has a range of 7.5, so the ATR is 5.75 and the first rung 99 - 5.75 = 93.25.
    given = {"ma_period": 3, "levels": 2}
    bars = candles(100, 100, 100, 100, 97, 98, 98)
    bars.low[4] = 93.0
    assert trades("GRID_LR", bars, **given) == [("LONG", 5, 97, 5, 99, "take")]
    # The mean falls to 97.17, which the close of 97.5 is above before 99 is reached.
    bars = candles(100, 100, 100, 100, 97, 97, 97.5, 97.5)
    bars.low[4], bars.high[5:] = 93.0, 98.0
    assert trades("GRID_LR", bars, **given) == [("LONG", 5, 97, 7, 97.5, "rule")]
    # From 94 on the ATR is 5.25: the first rung, at 93.75, is not reached.
    bars = bars._replace(low=bars.low.copy())
    bars.low[4] = 94.0
    assert trades("GRID_LR", bars, **given) == []


@pytest.mark.parametrize("name", REGISTRY)
def test_every_strategy_has_a_table_worked_out_by_hand(name: str) -> None:
    text = "".join((HERE / f"test_strategies_{part}.py").read_text() for part in ("more", "trades"))
    assert re.search(rf'(trades|pairs|bind\(load_strategy)\("{name}"', text)
