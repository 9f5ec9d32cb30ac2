"""RSI divergence (RSI_DIVERGENCE): trade against a new extreme of price that the RSI does not confirm.

Entry   flat; a pivot low below the one before, at most `pivot_period` bars older, with a higher RSI: long; a
        pivot high above the one before with a lower RSI: short; both on one bar: neither.
Exit    the opposite divergence; stop at the extreme since the pivot or `atr_stop_mult` ATRs from the close of
        the signal, whichever is further; take-profit `rr_ratio` times that distance.
Source  the project's documents; Wilder (1978).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

import numpy as np

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, highest, lowest, rsi
from strategies.indicators_more import divergence
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """In bars; a pivot, as each of equal ones, is the extreme of `wing_period` bars before and after it."""

    rsi_period: Annotated[int, Span(5, 30)] = 14
    wing_period: Annotated[int, Span(2, 10)] = 5
    pivot_period: Annotated[int, Span(20, 120, 10)] = 60
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 4, 0.5)] = 1.5
    rr_ratio: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    told: T
    risk: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    told = divergence(*bars[2:4], rsi(bars.close, p.rsi_period), p.wing_period, p.pivot_period)
    top, bottom = highest(bars.high, p.wing_period + 1), lowest(bars.low, p.wing_period + 1)
    away = p.atr_stop_mult * atr(bars.high, bars.low, bars.close, p.atr_period)
    reach = np.where(told > 0, bars.close - bottom, top - bars.close)
    return Columns(bars.close, told, np.maximum(away, reach))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side * now.told < 0:
        return flat(Reason.RULE)
    if held.side != 0 or not abs(now.told) > 0:
        return hold(held)
    return enter(now.told, now.close - now.told * now.risk, now.close + now.told * p.rr_ratio * now.risk)


RULE = StrategyRule(
    name="RSI_DIVERGENCE",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.rsi_period, p.atr_period),
    history=lambda p: WILDER * max(p.rsi_period, p.atr_period) + p.pivot_period + 4 * p.wing_period,
)


class RsiDivergenceBacktest(BacktestStrategy):
    """RSI_DIVERGENCE on Backtesting.py."""

    rule = RULE


class RsiDivergenceLive(BaseStrategy):
    """RSI_DIVERGENCE bar by bar."""

    rule = RULE
