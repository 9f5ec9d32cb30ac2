"""What each rule decides on hand-made rows: the specification's section 6, line by line."""

from __future__ import annotations

import math

import pytest

from core.domain import FLAT, Decision, PositionView, Reason
from strategies import grid_ladder as grid
from strategies import mean_reversion_bb as mr
from strategies import squeeze_breakout as sqz
from strategies import trend_ema as trend

LONG = PositionView(side=1, entry_price=100.0, stop=97.0, take=106.0, bars_held=3, target=1.0)


class TestTrendEma:
    ROW = trend.Columns(close=110.0, fast=105.0, slow=100.0, atr=2.0)

    def decide(self, row: trend.Columns[float], held: PositionView = FLAT) -> Decision:
        return trend.decide(row, row, held, trend.Params())

    def test_goes_long_in_an_uptrend_with_stop_and_take_from_the_atr(self) -> None:
        assert self.decide(self.ROW) == Decision(1.0, 107.0, 116.0, Reason.ENTRY, 0)

    @pytest.mark.parametrize("change", [{"fast": 100.0}, {"fast": 99.0}, {"close": 105.0}, {"close": 104.0}])
    def test_stays_out_without_an_uptrend(self, change: dict[str, float]) -> None:
        assert self.decide(self.ROW._replace(**change)).target == 0.0

    def test_never_goes_short(self) -> None:
        falling = trend.Columns(close=90.0, fast=95.0, slow=100.0, atr=2.0)
        assert self.decide(falling).target == 0.0

    def test_holds_with_its_stop_and_take_unchanged_whatever_the_trend(self) -> None:
        falling = trend.Columns(close=90.0, fast=95.0, slow=100.0, atr=2.0)
        assert self.decide(falling, LONG) == Decision(1.0, 97.0, 106.0, Reason.HOLD, 0)


class TestMeanReversion:
    ROW = mr.Columns(high=96.0, low=93.0, close=94.0, mid=100.0, upper=105.0, lower=95.0, atr=1.0)

    def decide(self, row: mr.Columns[float], held: PositionView = FLAT) -> Decision:
        return mr.decide(row, row, held, mr.Params())

    def test_buys_a_close_below_the_lower_band_and_aims_at_the_middle(self) -> None:
        assert self.decide(self.ROW) == Decision(1.0, 92.0, 100.0, Reason.ENTRY, 0)

    def test_puts_the_stop_below_the_low_when_that_is_further(self) -> None:
        assert self.decide(self.ROW._replace(low=91.0)).stop == 91.0

    def test_sells_a_close_above_the_upper_band_and_aims_at_the_middle(self) -> None:
        high = self.ROW._replace(close=106.0, high=107.0)
        assert self.decide(high) == Decision(-1.0, 108.0, 100.0, Reason.ENTRY, 0)
        assert self.decide(high._replace(high=109.0)).stop == 109.0

    @pytest.mark.parametrize("close", [95.0, 100.0, 105.0])
    def test_stays_out_inside_the_bands(self, close: float) -> None:
        assert self.decide(self.ROW._replace(close=close)).target == 0.0

    def test_holds_what_it_holds(self) -> None:
        assert self.decide(self.ROW, LONG) == Decision(1.0, 97.0, 106.0, Reason.HOLD, 0)


class TestSqueezeBreakout:
    ROW = sqz.Columns(close=103.0, upper=102.0, lower=98.0, bandwidth=0.04, atr=1.0)

    def decide(self, row: sqz.Columns[float], held: PositionView = FLAT) -> Decision:
        return sqz.decide(row, row, held, sqz.Params())

    def test_follows_a_breakout_upwards(self) -> None:
        assert self.decide(self.ROW) == Decision(1.0, 101.5, 106.0, Reason.ENTRY, 0)

    def test_follows_a_breakout_downwards(self) -> None:
        assert self.decide(self.ROW._replace(close=97.0)) == Decision(-1.0, 98.5, 94.0, Reason.ENTRY, 0)

    @pytest.mark.parametrize(
        "change", [{"bandwidth": 0.05}, {"bandwidth": 0.2}, {"close": 102.0}, {"close": 98.0}]
    )
    def test_stays_out_without_a_squeeze_or_without_a_breakout(self, change: dict[str, float]) -> None:
        assert self.decide(self.ROW._replace(**change)).target == 0.0

    def test_holds_what_it_holds(self) -> None:
        assert self.decide(self.ROW, LONG) == Decision(1.0, 97.0, 106.0, Reason.HOLD, 0)


class TestGridLadder:
    # Rungs 1 … 5 stand at 98, 96, 94, 92, 90.
    ROW = grid.Columns(high=98.5, low=97.5, close=97.8, mean=100.0, atr=2.0)

    def decide(self, row: grid.Columns[float], rungs: int = 0) -> Decision:
        return grid.decide(row, row, PositionView(rungs=rungs), grid.Params())

    def test_wants_the_rung_that_the_bar_touched_with_the_mean_as_its_take(self) -> None:
        want = self.decide(self.ROW)
        assert (want.rungs, want.target, want.take, want.reason) == (0b10, 0.2, 100.0, Reason.ENTRY)
        assert math.isnan(want.stop)

    def test_wants_every_rung_in_the_bar_s_range_edges_included(self) -> None:
        want = self.decide(self.ROW._replace(high=98.0, low=94.0))
        assert (want.rungs, want.target) == (0b1110, 0.6)

    def test_keeps_the_rungs_it_holds(self) -> None:
        want = self.decide(self.ROW, rungs=0b100)
        assert (want.rungs, want.target) == (0b110, 0.4)

    def test_wants_nothing_new_between_rungs(self) -> None:
        want = self.decide(self.ROW._replace(high=97.9, low=96.5))
        assert (want.rungs, want.target) == (0, 0.0)

    @pytest.mark.parametrize("close", [100.0, 101.0])
    def test_closes_every_rung_at_or_above_the_mean(self, close: float) -> None:
        want = self.decide(self.ROW._replace(close=close), rungs=0b110)
        assert (want.rungs, want.target, want.reason) == (0, 0.0, Reason.RULE)
