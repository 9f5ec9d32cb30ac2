"""The backtest as a plain loop: the whole fill model on each bar. What is compiled comes to the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from core import fills
from core.domain import MOST_LOTS, Bars, Costs, FloatArray, Reason
from core.kernel.sets import Simulated
from core.regime.conditions import gauges
from core.sizing import PLAIN, Choices, at_bar
from strategies.rule import StrategyRule, first_decision, row


def run_plainly(
    bars: Bars, rule: StrategyRule, params: Any, cash: float, costs: Costs, choices: Choices = PLAIN
) -> Simulated:
    """Run a rule bar by bar; what equity noted in the head of the book (PEAK to DEEPEST) is left out."""
    columns, length = rule.columns(bars, params), bars.close.size
    view = fills.view_ladder if rule.is_ladder else fills.view
    ask = fills.ask_ladder if rule.is_ladder else fills.ask
    sizes, measured = rule.sizing(params, choices), gauges(bars, choices)
    book, trades = fills.open_book(cash), fills.make_trades(8 * length + 2 * MOST_LOTS)
    curve = np.full(length, cash)
    for i in range(first_decision(columns), length):
        bar = fills.OneBar(*(float(column[i]) for column in bars[1:5]))
        fills.fill(book, trades, i, bar, costs)
        curve[i] = fills.equity(book, bar.close)
        if curve[i] <= 0:
            fills.close_all(book, trades, i, bar.close, Reason.RUIN, costs)
            curve[i:] = 0.0
            break
        held = view(book, i)
        want = rule.decide(row(columns, i), row(columns, i - 1), held, params)
        ask(book, want, held, bar.close, at_bar(sizes, measured, i), costs)
    else:
        fills.close_all(book, trades, length - 1, float(bars.close[-1]), Reason.END, costs)
        curve[-1] = book[0, fills.CASH]
    return Simulated(book[:1], trades[: int(book[0, fills.TRADES])], curve, "the loop of the tests")


def follow_plainly(
    bars: Bars, rule: StrategyRule, params: Any, stretches: tuple[Any, Any, Any], cash: float
) -> FloatArray:
    """Return a rule's target at each close, on stretches that each start flat."""
    columns, target, sizes = rule.columns(bars, params), np.full(bars.ts.size, np.nan), rule.sizing(params)
    for begin, first, stop in zip(*(part.tolist() for part in stretches), strict=True):
        book, trades = fills.open_book(cash), fills.make_trades(2 * MOST_LOTS)
        for i in range(begin, stop):
            book[0, fills.TRADES] = 0.0
            bar = fills.OneBar(*(float(column[i]) for column in bars[1:5]))
            fills.fill(book, trades, i, bar, Costs(0.0, 0.0))
            held = fills.view(book, i)
            want = rule.decide(row(columns, i), row(columns, i - 1), held, params)
            fills.ask(book, want, held, bar.close, sizes, Costs(0.0, 0.0))
            if i >= first:
                target[i] = want.target
    return target
