"""Passing quiet bars in one go comes to what the whole fill model comes to on each of them."""

from __future__ import annotations

import numpy as np
import pytest

from core import fills
from core.domain import LOT, Bars, Costs, FloatArray
from core.kernel.equity import drawdown
from core.kernel.sets import plain_code_of, simulate
from core.results.measures import max_drawdown
from core.sizing import Choices
from strategies.registry import REGISTRY
from strategies.rule import StrategyRule
from tests.bar_loop import run_plainly
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.parity.test_three_ways import scripted_bars, wild_bars
from tests.scripted import SCRIPTED

COSTS = Costs(0.0007, 0.0004)


def same_both_ways(bars: Bars, rule: StrategyRule, given: dict[str, float], cash: float) -> FloatArray:
    """Check that both ways come to the same; return the head of the account."""
    params, choices = rule.make_params(given), rule.make_choices(given)
    quick = simulate(bars, rule, params, cash, COSTS, choices=choices, code_of=plain_code_of)
    whole = run_plainly(bars, rule, params, cash, COSTS, choices)
    assert np.array_equal(quick.trades, whole.trades, equal_nan=True)
    assert np.array_equal(quick.curve, whole.curve)
    noted = [fills.PEAK, fills.LOW, fills.DEEPEST]
    one, other = (np.delete(run.book[0], noted) for run in (quick, whole))
    assert np.array_equal(one, other, equal_nan=True)
    assert drawdown(quick.book) == max_drawdown(quick.curve)
    head: FloatArray = quick.book[0]
    return head


# ENSEMBLE compiles its members first, and decides as simply as any.
@pytest.mark.parametrize("name", [name for name in REGISTRY if name != "ENSEMBLE"])
def test_every_rule_makes_the_same_trades_with_its_quiet_bars_passed(name: str) -> None:
    bars = wild_bars(3, 400)
    same_both_ways(bars, strategy_for(name, bars).rule, LIVELY.get(name, {}), 10_000.0)


@pytest.mark.parametrize("seed", range(8))
def test_arbitrary_orders_come_to_the_same(seed: int) -> None:
    given = {"stop_away": 3.0, "take_away": 4.0, "risk_per_trade": 0.2}
    head = same_both_ways(scripted_bars(seed), SCRIPTED.rule, given, 10_000.0)
    assert head[fills.TRADES] > 5


@pytest.mark.parametrize("lots", [0.5, 0.9, 1.0, 1.005, 1.01, 1.02, 1.2, 2.0, 40.0])
def test_an_account_of_about_one_lot_is_refused_as_often(lots: float) -> None:
    bars = random_bars(5, 400)
    cash = lots * LOT * float(bars.close.min()) / Choices().max_exposure
    head = same_both_ways(bars, strategy_for("TREND_EMA", bars).rule, {"risk_per_trade": 0.2}, cash)
    assert head[fills.REFUSED : fills.BOUND_BY].sum() > 0 or lots >= 1
