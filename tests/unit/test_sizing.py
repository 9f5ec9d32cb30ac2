from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import LOT, NAN, Bound, Costs, Decision, Refusal, enter
from core.sizing import (
    KELLY_FLOOR,
    Capital,
    Sizing,
    at_close,
    by_stake,
    multiple,
    risk_of,
    round_down,
    size_entry,
)

RICH = Capital(equity=10_000.0, cash=10_000.0)
FREE = Costs(commission=0.0, spread=0.0)


def test_the_size_risks_the_stated_part_of_equity() -> None:
    sized = size_entry(enter(1.0, 90.0, 120.0), 100.0, RICH, Sizing(0.01, 0.95, 1.0), FREE)
    assert sized == (10.0, Refusal.NONE, Bound.RISK)


def test_with_a_lot_of_one_the_size_is_the_specification_s_floor() -> None:
    sized = size_entry(enter(1.0, 93.0), 100.0, RICH, Sizing(0.01, 0.95, 1.0), FREE)
    assert sized.units == math.floor(10_000 * 0.01 / 7)


def test_a_short_is_sized_by_the_distance_to_its_stop_above() -> None:
    sized = size_entry(enter(-1.0, 105.0, 80.0), 100.0, RICH, Sizing(0.01, 0.95, 1.0), FREE)
    assert sized == (20.0, Refusal.NONE, Bound.RISK)


def test_a_tight_stop_is_capped_by_what_cash_can_pay_costs_included() -> None:
    costs = Costs(commission=0.01, spread=0.02)
    sized = size_entry(enter(1.0, 99.9), 100.0, RICH, Sizing(0.01, 0.95, 1.0), costs)
    assert sized.units == math.floor(9_500 / 103)


def test_free_cash_caps_the_size_below_the_allocation() -> None:
    poor = Capital(equity=10_000.0, cash=1_000.0)
    sized = size_entry(enter(0.5), 100.0, poor, Sizing(max_exposure=0.5, lot=1.0), FREE)
    assert sized.units == 5.0


def test_without_a_stop_the_size_is_the_target_s_share_of_the_allocation() -> None:
    sized = size_entry(enter(0.2), 100.0, RICH, Sizing(max_exposure=0.5, lot=1.0), FREE)
    assert sized.units == 10.0


def test_bitcoin_can_be_traded_on_a_small_account() -> None:
    sized = size_entry(enter(1.0, 59_000.0), 60_000.0, RICH, Sizing(), FREE)
    assert sized.units == pytest.approx(0.1, abs=LOT)
    assert sized.units % LOT == 0


@pytest.mark.parametrize(
    ("side", "stop", "take"),
    [
        (1.0, 100.0, NAN),
        (1.0, 101.0, NAN),
        (1.0, NAN, 100.0),
        (1.0, 0.0, NAN),
        (1.0, -5.0, 120.0),
        (-1.0, 100.0, NAN),
        (-1.0, 99.0, 80.0),
        (-1.0, NAN, 100.0),
        (-1.0, 110.0, 0.0),
    ],
)
def test_stop_and_take_must_enclose_the_price(side: float, stop: float, take: float) -> None:
    assert size_entry(enter(side, stop, take), 100.0, RICH, Sizing(), FREE) == (
        0.0,
        Refusal.BRACKET,
        Bound.NONE,
    )


def test_the_spread_counts_when_the_take_is_checked() -> None:
    want = enter(1.0, 90.0, 100.5)
    assert size_entry(want, 100.0, RICH, Sizing(), Costs(0.0, 0.01)).refusal == Refusal.BRACKET
    assert size_entry(want, 100.0, RICH, Sizing(), FREE).refusal == Refusal.NONE


def test_a_size_below_one_lot_is_refused() -> None:
    tiny = Capital(equity=10.0, cash=10.0)
    assert size_entry(enter(1.0, 50.0), 100.0, tiny, Sizing(lot=1.0), FREE) == (0.0, Refusal.LOT, Bound.NONE)


def test_a_volatility_target_holds_a_share_of_equity() -> None:
    sizing = Sizing(1.0, 0.95, 1.0, vol_target=0.15)
    calm, wild = at_close(sizing, 0.1, 1.0), at_close(sizing, 0.6, 1.0)
    assert size_entry(enter(1.0), 100.0, RICH, wild, FREE).units == 25.0
    assert size_entry(enter(0.5), 100.0, RICH, wild, FREE).units == 12.0
    assert size_entry(enter(1.0), 100.0, RICH, calm, FREE).units == 95.0
    assert size_entry(enter(1.0), 100.0, RICH, at_close(sizing, 0.0, 1.0), FREE).units == 95.0


def test_a_regime_that_does_not_fit_cuts_the_size() -> None:
    cut = at_close(Sizing(1.0, 0.95, 1.0), 1.0, 0.5)
    assert size_entry(enter(1.0), 100.0, RICH, cut, FREE).units == 47.0


def test_what_a_regime_makes_nothing_of_is_refused_for_the_regime() -> None:
    sizing = Sizing(1.0, 0.95, 1.0)
    for fit in (0.0, 0.01):
        assert size_entry(enter(1.0), 100.0, RICH, at_close(sizing, 1.0, fit), FREE) == (
            *(0.0, Refusal.REGIME, Bound.NONE),
        )
    # Without the regime it would have been as little.
    poor = Capital(equity=10.0, cash=10.0)
    assert size_entry(enter(1.0), 100.0, poor, at_close(sizing, 1.0, 0.0), FREE).refusal is Refusal.LOT


@pytest.mark.parametrize("measured", [(NAN, 1.0), (0.5, NAN), (-1.0, 1.0)])
def test_nothing_is_entered_while_a_measure_is_unknown(measured: tuple[float, float]) -> None:
    sizing = at_close(Sizing(vol_target=0.15), *measured)
    assert size_entry(enter(1.0), 100.0, RICH, sizing, FREE) == (0.0, Refusal.LOT, Bound.NONE)


KELLY = Sizing(0.01, 0.95, 1.0, kelly_cap=0.05, kelly_trades=10.0)


@pytest.mark.parametrize(
    ("record", "risk"),
    [
        # Too few trades: the plain risk.
        ((5.0, 4.0, 10.0, 4.0), 0.01),
        # p = 0.4, b = (7.5 / 4) / (6 / 6) = 1.875: half of 0.4 - 0.6 / 1.875.
        ((4.0, 6.0, 7.5, 6.0), 0.04),
        # p = 0.6, b = 2: 0.2, above the cap.
        ((6.0, 4.0, 12.0, 4.0), 0.05),
        # Only wins: as much as allowed; only losses, or a losing record: the floor.
        ((10.0, 0.0, 5.0, 0.0), 0.05),
        ((0.0, 10.0, 0.0, 8.0), KELLY_FLOOR * 0.01),
        ((3.0, 7.0, 3.0, 7.0), KELLY_FLOOR * 0.01),
    ],
)
def test_half_kelly_follows_the_strategy_s_own_record(
    record: tuple[float, float, float, float], risk: float
) -> None:
    account = Capital(10_000.0, 10_000.0, *record)
    assert risk_of(account, KELLY) == pytest.approx(risk, rel=1e-12)
    assert size_entry(enter(1.0, 90.0), 100.0, account, KELLY, FREE).units == math.floor(
        1000 * risk_of(account, KELLY)
    )


def test_a_cap_below_the_floor_is_the_most() -> None:
    tight = KELLY._replace(kelly_cap=0.001)
    assert risk_of(Capital(1.0, 1.0, 0.0, 10.0, 0.0, 9.0), tight) == 0.001


def test_a_trade_s_result_is_told_in_multiples_of_what_its_stop_risked() -> None:
    assert multiple(1.0, 100.0, 120.0, 90.0, 0.0) == 2.0
    assert multiple(-1.0, 100.0, 120.0, 110.0, 0.0) == -2.0
    assert multiple(1.0, 100.0, 110.0, 90.0, 0.01) == pytest.approx(0.79)
    assert math.isnan(multiple(1.0, 100.0, 120.0, NAN, 0.0))
    assert math.isnan(multiple(1.0, 100.0, 120.0, 100.0, 0.0))


@pytest.mark.parametrize("units", [NAN, math.inf, -math.inf, 0.0, -1.0])
def test_nothing_sensible_rounds_down_to_nothing(units: float) -> None:
    assert round_down(units, 1.0) == 0.0


@pytest.mark.unmeasured
@given(
    equity=st.floats(1.0, 1e9),
    cash_part=st.floats(0.0, 1.0),
    close=st.floats(1e-3, 1e6),
    distance=st.floats(1e-6, 0.9),
    side=st.sampled_from([1.0, -1.0]),
    costs=st.builds(Costs, st.floats(0.0, 0.05), st.floats(0.0, 0.05)),
    sizing=st.builds(
        Sizing,
        st.floats(1e-4, 0.2),
        st.floats(0.01, 0.99),
        st.just(LOT),
        *(st.floats(0.0, 10.0), st.just(0.0), st.just(30.0), st.floats(0.0, 0.99), st.floats(0.0, 1e6)),
        *(st.floats(0.0, 10.0), st.floats(0.0, 1.0)),
    ),
)
def test_a_size_is_whole_lots_and_never_costs_or_risks_more_than_allowed(
    equity: float, cash_part: float, close: float, distance: float, side: float, costs: Costs, sizing: Sizing
) -> None:
    account = Capital(equity, equity * cash_part)
    stop = close * (1 - side * distance)
    units, refusal, bound = size_entry(enter(side, stop), close, account, sizing, costs)
    assert (units > 0) == (refusal == Refusal.NONE) == (bound != Bound.NONE)
    assert units / LOT == math.floor(units / LOT)
    unit_cost = close * (1 + side * costs.spread) + close * costs.commission
    assert units * unit_cost <= sizing.max_exposure * account.cash * (1 + 1e-12)
    assert units * abs(close - stop) <= sizing.risk_per_trade * equity * (1 + 1e-12)


@pytest.mark.parametrize(
    ("want", "sizing", "units"),
    [
        # 10,000 of equity at 100: a fifth of it is 20 units, however near or far the stop.
        (enter(1.0, 99.9), Sizing(lot=1.0, stake=0.2), 20.0),
        (enter(1.0, 10.0), Sizing(lot=1.0, stake=0.2), 20.0),
        (enter(-0.5, 110.0), Sizing(lot=1.0, stake=0.2), 10.0),
        (enter(1.0), Sizing(lot=1.0, stake_money=750.0), 7.0),
        (enter(0.5), Sizing(lot=1.0, stake_money=750.0), 3.0),
        (enter(1.0), Sizing(lot=1.0, stake=0.2, stake_money=750.0), 7.0),
        (enter(1.0), Sizing(lot=1.0, stake=0.05, stake_money=750.0), 5.0),
        (enter(1.0), Sizing(lot=1.0, stake_money=99.0), 0.0),
    ],
)
def test_a_stake_is_what_an_entry_costs_whatever_its_stop(
    want: Decision, sizing: Sizing, units: float
) -> None:
    assert size_entry(want, 100.0, RICH, by_stake(sizing), FREE).units == units


def test_a_stake_includes_its_costs() -> None:
    sized = size_entry(
        enter(1.0), 100.0, RICH, by_stake(Sizing(lot=1.0, stake_money=1000.0)), Costs(0.001, 0.001)
    )
    # 10 units would cost 1,002.
    assert sized.units == 9.0


@pytest.mark.parametrize(
    ("want", "account", "sizing", "bound"),
    [
        (enter(1.0, 90.0), RICH, Sizing(lot=1.0), Bound.RISK),
        (enter(1.0, 99.9), RICH, Sizing(lot=1.0), Bound.EXPOSURE),
        (enter(1.0), RICH, Sizing(lot=1.0), Bound.EXPOSURE),
        (enter(1.0), Capital(10_000.0, 4_000.0), Sizing(lot=1.0), Bound.CASH),
        (enter(1.0, 90.0), Capital(10_000.0, 500.0), Sizing(lot=1.0), Bound.CASH),
        (enter(1.0, 90.0), Capital(1e4, 1e4, 6.0, 4.0, 12.0, 4.0), KELLY, Bound.KELLY),
        (enter(1.0, 90.0), Capital(1e4, 1e4, 5.0, 4.0, 10.0, 4.0), KELLY, Bound.RISK),
        (enter(1.0), RICH, at_close(Sizing(lot=1.0, vol_target=0.15), 0.6, 1.0), Bound.VOLATILITY),
        (enter(1.0), RICH, at_close(Sizing(lot=1.0, vol_target=0.15), 0.1, 1.0), Bound.EXPOSURE),
        (enter(1.0, 90.0), RICH, at_close(Sizing(lot=1.0), 1.0, 0.5), Bound.REGIME),
        (enter(1.0, 99.9), RICH, by_stake(Sizing(lot=1.0, stake=0.2)), Bound.STAKE),
        (enter(1.0), RICH, by_stake(Sizing(lot=1.0, stake_money=500.0)), Bound.STAKE),
        (enter(1.0), RICH, by_stake(Sizing(0.01, 0.5, 1.0, stake=0.8)), Bound.EXPOSURE),
        (enter(1.0, 50.0), RICH, Sizing(0.01, lot=1.0, stake=0.9), Bound.RISK),
        (enter(1.0, 110.0), RICH, Sizing(lot=1.0), Bound.NONE),
    ],
)
def test_a_size_says_what_kept_it_from_being_larger(
    want: Decision, account: Capital, sizing: Sizing, bound: Bound
) -> None:
    assert size_entry(want, 100.0, account, sizing, FREE).bound == bound
