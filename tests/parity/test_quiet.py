"""Passing quiet bars in one go comes to what the whole fill model comes to on each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core import fills
from core.domain import LOT, MOST_LOTS, Bars, Costs, FloatArray
from core.kernel.compiler import with_names
from core.kernel.equity import drawdown
from core.kernel.loop import loop_of, run_bars, steps_of
from core.regime.conditions import gauges, short_gauges
from core.results.measures import max_drawdown
from core.sizing import Choices
from strategies.registry import REGISTRY
from strategies.rule import StrategyRule, first_decision
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.parity.test_three_ways import scripted_bars, wild_bars
from tests.scripted import SCRIPTED

COSTS = Costs(0.0007, 0.0004)


def never(bars: Any, columns: Any, params: Any, start: int, *rest: Any) -> int:
    """Pass no bar, as if none were quiet."""
    return start


def run(
    loop: Any, bars: Bars, rule: StrategyRule, given: dict[str, float], cash: float, measured: Any
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return head, trades and curve of a run in plain Python."""
    params, length = rule.make_params(given), bars.close.size
    columns, book, trades = rule.columns(bars, params), fills.open_book(cash), fills.make_trades(8 * length)
    trades = np.concatenate([trades, fills.make_trades(2 * MOST_LOTS)])
    curve, choices = np.full(length, cash), rule.make_choices(given)
    sizes, made = rule.sizing(params, choices), measured(bars, choices)
    start = first_decision(columns)
    assert loop(bars, columns, params, start, length, book, trades, curve, sizes, COSTS, made) == length
    return book[0].copy(), trades[: int(book[0, fills.TRADES])].copy(), curve


def same_both_ways(bars: Bars, rule: StrategyRule, given: dict[str, float], cash: float) -> FloatArray:
    """Check that both ways come to the same; return the head of the account."""
    whole = with_names(run_bars, {**steps_of(rule), "pass_quiet": never})
    quick = run(loop_of(rule), bars, rule, given, cash, short_gauges)
    for one, other in zip(quick, run(whole, bars, rule, given, cash, gauges), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    head, _, curve = quick
    assert drawdown(head[None, :]) == max_drawdown(curve)
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
