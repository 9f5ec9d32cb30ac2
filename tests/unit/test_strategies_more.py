"""What each further rule trades on hand-made candles: a table each, with every trade worked out by hand.

The candles open at the close before and are `SPAN` high, so the average true range is `SPAN` exactly.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest

from core.backtester import simulate
from core.domain import NAN, Bars, Costs, Decision, PositionView, Reason, Series
from core.ensemble.ensemble import KINDS
from core.results.runs import RunSpec
from strategies import indicators_momentum, momentum, turtle
from strategies.pairing import bind
from strategies.registry import Strategy, load_strategy
from tests.lively import paired
from tests.markets import make_bars

SPAN = 4.0


class Told(NamedTuple):
    """A trade: side, bar and price of entry and exit, and why it ended."""

    side: str
    entry: int
    entry_price: float
    exit: int
    exit_price: float
    reason: str


def candles(*closes: float) -> Bars:
    """Return bars of one height around the way from each close to the next; the first stands still."""
    rows = []
    for opened, close in pairwise((closes[0], *closes)):
        pad = (SPAN - abs(close - opened)) / 2
        rows.append((opened, max(opened, close) + pad, min(opened, close) - pad, close))
    return make_bars(*rows)


def mirrored(bars: Bars) -> Bars:
    """Return the bars upside down around 100."""
    return bars._replace(
        open=200 - bars.open, high=200 - bars.low, low=200 - bars.high, close=200 - bars.close
    )


def trades(name: str, bars: Bars, **params: float) -> list[Told]:
    """Return what a strategy does without costs."""
    return trades_of(load_strategy(name), bars, **params)


def trades_of(strategy: Strategy, bars: Bars, **params: float) -> list[Told]:
    """Return what a strategy that is at hand does without costs."""
    name = strategy.rule.name
    given = {"atr_period": 2, **params} if name != "MOMENTUM" else params
    spec = RunSpec(Series("binanceus", "BTC/USDT", "1h"), name, given, Costs(0.0), 10_000.0)
    found = simulate(bars, spec, strategy).records
    index = {stamp: i for i, stamp in enumerate(bars.ts.tolist())}
    return [
        Told(t.side, index[t.entry_ts], t.entry_price, index[t.exit_ts], t.exit_price, t.reason)
        for t in found
    ]


@pytest.mark.unmeasured
def test_sma_cross_turns_round_at_each_cross() -> None:
    # Means of 2 and 3 closes: below at bar 3 (99 < 99.3), above at 6 (99.5 > 98.3), below at 9 (101.5 < 102).
    bars = candles(100, 100, 100, 98, 96, 98, 101, 103, 103, 100, 96, 92)
    assert trades("SMA_CROSS", bars, sma_fast=2, sma_slow=3) == [
        ("SHORT", 4, 98, 7, 101, "reverse"),
        ("LONG", 7, 101, 10, 100, "reverse"),
        ("SHORT", 10, 100, 11, 92, "end"),
    ]


@pytest.mark.unmeasured
def test_sma_cross_waits_for_the_next_cross_after_a_stop() -> None:
    # Long from 101 at bar 5, stop one ATR below: 97, which bar 6 (101 to 97) reaches without a cross before.
    bars = candles(100, 100, 100, 100, 101, 97.5, 97, 97, 97, 97)
    assert trades("SMA_CROSS", bars, sma_fast=2, sma_slow=3, atr_stop_mult=0.75) == [
        ("LONG", 5, 101, 5, 98, "stop"),
        ("SHORT", 6, 97.5, 9, 97, "end"),
    ]


def test_macd_cross_turns_round_at_each_cross() -> None:
    # EMAs of 2 and 3, signal of 2. Bar 5: 0.5 above 0.33. Bar 7: 0.681 below 0.694.
    bars = candles(100, 100, 100, 100, 100, 103, 106, 106, 104, 102)
    assert trades("MACD_CROSS", bars, ema_fast=2, ema_slow=3, signal_period=2) == [
        ("LONG", 6, 103, 8, 106, "reverse"),
        ("SHORT", 8, 106, 9, 102, "end"),
    ]


def test_rsi_reversion_trades_the_way_back() -> None:
    # RSI of 2: 50, 16.7, 37.5 (back above 30: long), 50 (exit), 88, 56 (back below 70: short, stop at 110).
    bars = candles(100, 98, 100, 96, 97, 97.5, 101.5, 100, 101, 105, 109, 112, 112)
    assert trades("RSI_REVERSION", bars, rsi_period=2) == [
        ("LONG", 5, 97, 6, 97.5, "rule"),
        ("SHORT", 8, 100, 11, 110, "stop"),
    ]


def test_supertrend_turns_round_where_the_line_is_crossed_and_stops_at_the_line() -> None:
    # Bands one ATR from the middle. Bar 4 closes on the lower one (96); bar 7 above the upper one (98), with
    # the lower at 94, which bar 9 reaches and closes below.
    bars = candles(100, 100, 100, 100, 96, 92, 96, 100, 98, 94, 93, 92)
    assert trades("SUPERTREND", bars, band_mult=1.0) == [
        ("SHORT", 5, 96, 8, 100, "reverse"),
        ("LONG", 8, 100, 9, 94, "stop"),
        ("SHORT", 10, 94, 11, 92, "end"),
    ]


def test_turtle_follows_a_breakout_until_the_shorter_channel_breaks() -> None:
    # Bar 4 closes above 102. The lowest lows of two bars: 99.5, 102.5, 105; bar 8 falls to 103.5.
    bars = candles(100, 100, 100, 100, 103, 106, 108, 107, 104, 104)
    given = {"entry_period": 3, "exit_period": 2}
    assert trades("TURTLE", bars, **given) == [("LONG", 5, 103, 8, 105, "trail")]
    assert trades("TURTLE", mirrored(bars), **given) == [("SHORT", 5, 97, 8, 95, "trail")]


def test_turtle_stops_by_the_atr_while_the_channel_is_further() -> None:
    # The lowest low of four bars is 98, the stop one ATR below 103. Bar 6 closes below the channel: short.
    bars = candles(100, 100, 100, 100, 103, 99.5, 97, 96)
    assert trades("TURTLE", bars, entry_period=3, exit_period=4, atr_stop_mult=1.0) == [
        ("LONG", 5, 103, 6, 99, "stop"),
        ("SHORT", 7, 97, 7, 96, "end"),
    ]


def test_triple_momentum_enters_with_the_third_vote() -> None:
    # All three measures are flat until bar 14 rises; the take is twice the stop's eight above 103.
    bars = candles(*[100.0] * 14, 103, 107, 111, 115, 119, 119)
    given = {"rsi_period": 2, "ema_fast": 2, "ema_slow": 3}
    assert trades("TRIPLE_MOMENTUM", bars, **given) == [("LONG", 15, 103, 18, 119, "take")]


@pytest.mark.unmeasured
def test_volatility_hunter_fades_a_rush_back_to_the_middle() -> None:
    # 96 is below the mean of (100, 100, 96) less one deviation: 98.67 - 1.89; RSI is 0.
    bars = candles(100, 100, 100, 100, 96, 98, 98)
    given = {"bb_period": 3, "bb_std": 1.0, "rsi_period": 2}
    assert trades("VOL_HUNTER", bars, **given) == [("LONG", 5, 96, 5, 100 - 4 / 3, "take")]
    # Upwards the RSI is 100; the short's take is as far below.
    assert trades("VOL_HUNTER", mirrored(bars), **given) == [("SHORT", 5, 104, 5, 100 + 4 / 3, "take")]


@pytest.mark.unmeasured
def test_ichimoku_buys_above_every_line_and_sells_below_the_base_line() -> None:
    # Bar 10: conversion 103 above base 102.25, the cloud still at 100. Bar 12: base 105.75 above the close.
    bars = candles(*[100.0] * 9, 103, 106, 108, 105, 105)
    given = {"conversion_period": 2, "base_period": 3, "span_period": 5}
    assert trades("ICHIMOKU", bars, **given) == [("LONG", 11, 106, 13, 105, "rule")]
    assert trades("ICHIMOKU", mirrored(bars), **given) == [("SHORT", 11, 94, 13, 95, "rule")]


def test_dual_thrust_measures_from_each_session_s_open() -> None:
    # Sessions of two bars. Bar 8: 100 + half of 2 is crossed. Bar 11: 103 - half of 4.
    bars = candles(*[100.0] * 8, 102, 103, 102, 100, 98, 97)
    given = {"session_bars": 2, "day_count": 1}
    assert trades("DUAL_THRUST", bars, **given) == [
        ("LONG", 9, 102, 12, 100, "reverse"),
        ("SHORT", 12, 100, 13, 97, "end"),
    ]


def test_adaptive_crosses_with_doubled_periods_in_a_usual_market() -> None:
    # EMAs of 4 and 6: 101.2 against 100.86 at bar 14, 100.32 against 100.33 at bar 15.
    bars = candles(*[100.0] * 14, 103, 99, 97, 95)
    given = {"ema_fast": 2, "ema_slow": 3, "noise_period": 3}
    assert trades("ADAPTIVE", bars, **given) == [
        ("LONG", 15, 103, 16, 99, "reverse"),
        ("SHORT", 16, 99, 17, 95, "end"),
    ]


@pytest.mark.unmeasured
def test_high_risk_takes_three_times_its_narrow_stop() -> None:
    # Bar 4 closes above 102 with the faster EMA above; stop 4 below 103, take 12 above.
    bars = candles(100, 100, 100, 100, 103, 107, 111, 115, 115)
    given = {"ema_fast": 2, "ema_slow": 3, "entry_period": 2}
    assert trades("HIGH_RISK", bars, **given)[0] == ("LONG", 5, 103, 7, 115, "take")
    assert trades("HIGH_RISK", mirrored(bars), **given)[0] == ("SHORT", 5, 97, 7, 85, "take")


@pytest.mark.unmeasured
def test_rsi_divergence_buys_a_lower_low_that_the_rsi_does_not_confirm() -> None:
    # Lows of 93 at bar 4 with an RSI of 0, and of 92 at bar 9 with one of 19: told two bars later. The stop
    # is at that low, 7 below the close of 99, the take 14 above.
    bars = candles(100, 100, 100, 97, 94, 97, 99, 98, 97, 96, 98, 99, 103, 107, 111, 115, 115)
    bars.low[[4, 9]] = 93.0, 92.0
    given = {"rsi_period": 2, "wing_period": 2}
    assert trades("RSI_DIVERGENCE", bars, **given) == [("LONG", 12, 99, 15, 113, "take")]
    assert trades("RSI_DIVERGENCE", mirrored(bars), **given) == [("SHORT", 12, 101, 15, 87, "take")]
    # More than so many bars apart they are not compared.
    assert trades("RSI_DIVERGENCE", bars, pivot_period=4, **given) == []


def test_vwap_bounce_buys_the_day_s_average_above_the_longer_one() -> None:
    # The day begins at bar 2. Bar 3 dips to 99.5, below the day's 101.17, and closes above; bar 5 closes at
    # 102, below the rolling 102.22.
    bars = candles(100, 100, 101, 102, 103, 102, 101.5, 104)
    assert trades("VWAP_BOUNCE", bars, vwap_period=3) == [("LONG", 4, 102, 6, 102, "rule")]
    # With stop and take two away bar 4, from 100.5 to 104.5, gives the take.
    found = trades("VWAP_BOUNCE", bars, vwap_period=3, atr_stop_mult=0.5, rr_ratio=1.0)
    assert found[0] == ("LONG", 4, 102, 4, 104, "take")


@pytest.mark.unmeasured
def test_enhanced_waits_for_strength_that_is_not_exhaustion() -> None:
    # To and fro until bar 12, whose RSI is between 55 and 70; then away: the take is twice 8 above 101.5.
    bars = candles(*[101.0, 100.0] * 6, 101.5, 105.5, 109.5, 113.5, 117.5, 117.5)
    given = {"ema_fast": 2, "ema_slow": 3, "rsi_period": 5}
    assert trades("ENHANCED", bars, **given) == [("LONG", 13, 101.5, 16, 117.5, "take")]
    assert trades("ENHANCED", mirrored(bars), **given) == [("SHORT", 13, 98.5, 16, 82.5, "take")]
    # From a standstill the same rise has an RSI of 100.
    still = candles(*[100.0] * 12, 101.5, 105.5, 109.5, 113.5, 117.5, 117.5)
    assert trades("ENHANCED", still, **given) == []


MOMENTUM = {
    "ema_fast": 2,
    "ema_slow": 3,
    "trend_mult": 2,
    "wilder_period": 2,
    "adx_min": 5.0,
    "take_ratio": 10.0,
}


def test_momentum_trails_ever_closer_and_never_back() -> None:
    # Bar 46 has nine times the volume: long from 107, 6 at risk. Closes 8, 12, 16 and 20 ahead put the stop
    # 4.8, 4.8, 4 and 3.2 behind: 123.8 at last, which bar 52 falls through.
    bars = candles(*[100.0] * 45, 103, 107, 111, 115, 119, 123, 127, 123, 123)
    bars.volume[46] = 9.0
    assert trades("MOMENTUM", bars, **MOMENTUM) == [("LONG", 47, 107, 52, 123.8, "trail")]
    assert trades("MOMENTUM", mirrored(bars), **MOMENTUM) == [("SHORT", 47, 93, 52, 76.2, "trail")]


@pytest.mark.unmeasured
@pytest.mark.parametrize("given", [{"adx_min": 99.0}, {"volume_mult": 10.0}, {"trend_mult": 12}])
def test_momentum_stays_out_when_one_measure_does_not_agree(given: dict[str, float]) -> None:
    bars = candles(*[100.0] * 45, 103, 107, 111, 115, 119, 123, 127, 123, 123)
    bars.volume[46] = 9.0
    assert trades("MOMENTUM", bars, **{**MOMENTUM, **given}) == []


class TestMomentumHolding:
    """Long from 100 with a first risk of 6, told by the take at 160."""

    HELD = PositionView(1, 100.0, 94.0, 160.0, 10, 0, 1.0)
    ROW = indicators_momentum.Columns(close=104.0, side=0.0, lean=1.0, told=0.0, atr=4.0)

    def decide(self, held: PositionView | None = None, **change: float) -> Decision:
        row = self.ROW._replace(**change)
        return momentum.decide(row, row, held or self.HELD, momentum.Params())

    def test_keeps_its_stop_until_one_risk_ahead(self) -> None:
        assert self.decide() == Decision(1.0, 94.0, 160.0, Reason.HOLD, 0)
        assert self.decide(close=106.0).stop == 94.0

    @pytest.mark.parametrize(("close", "stop"), [(107.0, 102.2), (113.0, 109.0), (119.0, 115.8)])
    def test_follows_closer_the_further_it_is(self, close: float, stop: float) -> None:
        assert self.decide(close=close).stop == pytest.approx(stop)

    def test_never_moves_its_stop_back(self) -> None:
        held = self.HELD._replace(stop=105.0)
        assert self.decide(held, close=107.0).stop == 105.0

    def test_leaves_when_the_averages_or_the_rsi_turn(self) -> None:
        assert self.is_out(lean=-0.1)
        assert self.is_out(told=-1.0)
        assert not self.is_out(told=1.0)

    def test_leaves_after_its_time_unless_two_risks_ahead(self) -> None:
        old = self.HELD._replace(bars_held=72)
        assert self.decide(old, close=112.0 - 0.1).reason == Reason.TIME
        assert self.decide(old, close=112.1).reason == Reason.HOLD
        assert self.decide(self.HELD._replace(bars_held=71)).reason == Reason.HOLD

    def is_out(self, **change: float) -> bool:
        want = self.decide(None, **change)
        return want.target == 0.0 and want.reason == Reason.RULE


ALONE = {f"{name.lower()}_weight": 0.0 for name in KINDS} | {"trend_ema_weight": 1.0}
"""An ensemble of one member."""


@pytest.mark.unmeasured
def test_an_ensemble_of_one_holds_while_its_member_would() -> None:
    # Bar 200: TREND_EMA wants long, stop at 97, take at 115, which bar 204 reaches. It wants in again at
    # once, stop at 109, which bar 206 reaches; again, stop at 101: bar 208 does, and closes below the EMA.
    way = 103, 106, 109, 112, 115, 111, 107, 103, 99, 95, 91, 91
    given = {**ALONE, "settle_bars": 0, "hurst_period": 32, "rank_period": 40}
    bars = candles(*[100.0] * 200, *way)
    assert trades("ENSEMBLE", bars, **given) == [("LONG", 201, 103, 209, 99, "rule")]
    # Its own stop, half an ATR of 4 below 103, is nearer; the member is still in: so is it again.
    bars = bars._replace(low=bars.low.copy())
    bars.low[202] = 100.9
    found = trades("ENSEMBLE", bars, **given, atr_stop_mult=0.5)
    assert found[:1] == [("LONG", 201, 103, 202, 101, "stop")]
    assert found[1].entry == 203


def test_an_ensemble_waits_while_the_kind_of_market_is_new() -> None:
    # The climb is high volatility from bar 202 on: nothing is changed at its close and the next nine.
    way = 103, 106, 109, 112, 115, 111, 107, 103, 99, 95, 91, 91, 91, 91
    given = {**ALONE, "settle_bars": 9, "hurst_period": 32, "rank_period": 40, "atr_stop_mult": 20.0}
    found = trades("ENSEMBLE", candles(*[100.0] * 200, *way), **given)
    assert found == [("LONG", 201, 103, 212, 91, "rule")]


PAIR_OTHER = candles(200, 204, 200, 204, 200, 204, 200, 204, 200, 202, 204, 200, 204)
PAIRS = {"hedge_period": 6, "entry_z": 1.5, "exit_z": 0.5, "atr_stop_mult": 3.0}


def pairs(bars: Bars, other: Bars = PAIR_OTHER, **given: float) -> list[Told]:
    return trades_of(bind(load_strategy("PAIRS"), paired(other)), bars, **{**PAIRS, **given})


@pytest.mark.unmeasured
def test_pairs_buys_a_fall_that_its_partner_does_not_share() -> None:
    # Half the partner's price until bar 8, which is 2 deviations below the line; bar 9 is 0.76, bar 10 on it.
    bars = candles(100, 102, 100, 102, 100, 102, 100, 102, 97, 99.5, 102, 100, 102)
    assert pairs(bars) == [("LONG", 9, 97, 11, 102, "rule")]
    # A stop an eighth of the ATR of 4.25 below 97, which bar 9 reaches.
    assert pairs(bars, atr_stop_mult=0.125) == [("LONG", 9, 97, 9, 96.46875, "stop")]
    # The line explains half of the variance, not nearly all of it.
    assert pairs(bars, shared_min=0.99) == []


def test_pairs_sells_a_rise_that_its_partner_does_not_share() -> None:
    bars = candles(100, 102, 100, 102, 100, 102, 100, 102, 101, 101, 102, 100, 102)
    assert pairs(bars) == [("SHORT", 9, 101, 10, 101, "rule")]


def test_pairs_does_not_wait_for_ever() -> None:
    # Both stand still from bar 8 on: 2, 1.2, 0.7 and 0.5 deviations below the line, as it comes to them.
    bars = candles(100, 102, 100, 102, 100, 102, 100, 102, *[97] * 5)
    other = candles(200, 204, 200, 204, 200, 204, 200, 204, *[200] * 5)
    assert pairs(bars, other, time_period=2) == [("LONG", 9, 97, 12, 97, "time")]


def test_turtle_never_moves_its_stop_back() -> None:
    row = turtle.Columns(close=110.0, upper=105.0, lower=95.0, trail_low=101.0, trail_high=111.0, atr=2.0)
    held = PositionView(1, 100.0, 103.0, NAN, 4, 0, 1.0)
    assert turtle.decide(row, row, held, turtle.Params()).stop == 103.0
    assert turtle.decide(row, row, held._replace(stop=99.0), turtle.Params()).stop == 101.0
