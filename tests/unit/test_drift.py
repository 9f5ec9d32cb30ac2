"""How far orders ended from the model's fill: numbers worked out by hand, and a sum that is always whole."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Costs
from core.results.drift import (
    CAUSES,
    Drift,
    DriftOrder,
    DriftPart,
    added,
    against_decision,
    drift_of,
    measured,
)

TERMS = Costs(commission=0.001, spread=0.0005)


def order(
    *parts: DriftPart, purpose: str = "entry", side: int = 1, amount: float = 2.0, opened: float = 100.0
) -> DriftOrder:
    return DriftOrder("A", "BTC/USDT", purpose, side, 0, amount, parts, opened, 104.0)


def known(one: DriftOrder) -> Drift:
    found = drift_of(one, TERMS)
    assert found is not None
    return found


def test_an_order_that_the_model_would_have_filled_so_has_no_drift() -> None:
    found = known(order(DriftPart(100.05, 2.0, 0.2001, 100.0)))
    assert found.notional == pytest.approx(200.1)
    assert [getattr(found, cause) for cause in CAUSES] == pytest.approx([0, 0, 0, 0], abs=1e-12)


def test_a_late_dear_and_partial_buy_is_told_apart_cause_by_cause() -> None:
    # Wanted 2 at 100.05; got 1.5 at 101.20 when the price was 101, for a fee of 0.30.
    found = known(order(DriftPart(101.20, 1.5, 0.30, 101.0)))
    assert found.latency == pytest.approx(1.5)  # 1.5 x (101 - 100)
    assert found.slippage == pytest.approx(0.225)  # 1.5 x (101.20 - 101), less the model's 1.5 x 0.05
    assert found.fee == pytest.approx(0.30 - 1.5 * 100.05 * 0.001)
    # Half a coin was not bought: 0.5 x (104 - 100.05) not made, 0.5 x 100.05 x 0.001 not paid.
    assert found.unfilled == pytest.approx(0.5 * 3.95 - 0.050025)
    assert found.total == pytest.approx(found.latency + found.slippage + found.fee + found.unfilled)
    assert found.bps(found.latency) == pytest.approx(1e4 * 1.5 / 200.1)


def test_a_sale_that_is_missed_while_the_price_rises_has_made_money() -> None:
    found = known(order(purpose="exit", side=-1))
    assert found.notional == 200.0  # no spread on an exit
    assert found.executed_notional == 0.0
    assert found.total == pytest.approx(-2.0 * (104 - 100) - 200 * 0.001)


def test_where_no_finer_candle_tells_the_price_then_slippage_has_it_all() -> None:
    found = known(order(DriftPart(101.20, 2.0, 0.2001, math.nan)))
    assert found.latency == 0.0
    assert found.slippage == pytest.approx(2 * 1.15)


@pytest.mark.parametrize("price", [math.nan, math.inf])
def test_an_order_whose_bar_is_not_stored_is_not_compared(price: float) -> None:
    assert drift_of(order(opened=price), TERMS) is None


prices = st.floats(1, 1e5)
executions = st.builds(DriftPart, prices, st.floats(0.001, 50), st.floats(-5, 5), prices | st.just(math.nan))


@pytest.mark.unmeasured
@given(st.lists(executions, max_size=4), st.sampled_from(("entry", "exit")), st.sampled_from((1, -1)), prices)
def test_the_causes_add_up_to_the_whole_difference(
    found: list[DriftPart], purpose: str, side: int, opened: float
) -> None:
    wanted = 1.0 + math.fsum(part.amount for part in found)
    worth = opened * 1.01
    drift = known(DriftOrder("A", "BTC/USDT", purpose, side, 0, wanted, tuple(found), opened, worth))
    # Each by itself: what was paid less what it is worth at the close.
    model = opened * (1 + side * (TERMS.spread if purpose == "entry" else 0.0))
    theirs = side * wanted * (model - worth) + wanted * model * TERMS.commission
    ours = math.fsum(side * part.amount * (part.price - worth) + part.fee for part in found)
    assert drift.total == pytest.approx(ours - theirs, rel=1e-9, abs=1e-9 * wanted * 1e5)


@pytest.mark.unmeasured
def test_several_are_added_up() -> None:
    one = Drift(1, 2, 3, 4, 5, 6)
    assert added([one, one]) == Drift(2, 4, 6, 8, 10, 12)
    assert added([]) == Drift(0, 0, 0, 0, 0, 0)
    assert Drift(0, 0, 1, 1, 1, 1).bps(1.0) == 0.0


def test_what_trading_cost_is_measured_over_entries_and_exits() -> None:
    entry = order(DriftPart(100.30, 1.0, 0.12, 100.0))
    leaving = order(DriftPart(99.80, 1.0, 0.08, 100.0), purpose="exit", side=-1)
    told = measured([entry, leaving])
    assert told is not None
    # Fees 0.20 on 200; 0.30 + 0.20 beside the open, on the entry's 100.
    assert told == pytest.approx((0.001, 0.005))
    assert measured([entry]) is None
    assert measured([entry, order(purpose="exit")]) is None
    better = order(DriftPart(99.0, 1.0, -0.1, 100.0))
    assert measured([better, leaving]) == (0.0, 0.0)


def test_an_order_is_compared_with_the_price_that_was_decided_on() -> None:
    bought = order(DriftPart(101.0, 1.0, 0.1, 100.0), DriftPart(102.0, 1.0, 0.1, 100.0))
    assert against_decision(bought) is None
    assert against_decision(bought._replace(decided=100.0)) == pytest.approx(150.0)
    assert against_decision(bought._replace(decided=100.0, side=-1)) == pytest.approx(-150.0)
    assert against_decision(order()._replace(decided=100.0)) is None
