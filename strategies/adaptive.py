"""Adaptive EMA cross (ADAPTIVE): the same cross, quicker in a calm market and slower in a wild one.

Entry   the fast EMA crosses above the slow one, by a change of periods too: long; below it: short. Periods
        are doubled unless the ATR is below `calm_ratio` of its mean, twice while above `wild_ratio` of it.
Exit    the cross the other way turns the position round; stop `atr_stop_mult` ATRs from the close.
Source  the project's documents (adaptive strategy).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

import numpy as np

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, ema, sma
from strategies.rule import MEMORY, WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, ratios of the ATR to its mean, the stop in ATRs."""

    ema_fast: Annotated[int, Span(3, 15)] = 6
    ema_slow: Annotated[int, Span(10, 60, 2)] = 13
    noise_period: Annotated[int, Span(50, 200, 25)] = 100
    calm_ratio: Annotated[float, Span(0.5, 0.95, 0.05)] = 0.8
    wild_ratio: Annotated[float, Span(1.05, 2, 0.05)] = 1.25
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.5
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    trend: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    noise = atr(*bars[2:5], p.atr_period)
    usual = sma(noise, p.noise_period)
    pairs = [(times * p.ema_fast, times * p.ema_slow) for times in (1, 2, 4)]
    calm, normal, wild = (ema(bars.close, fast) - ema(bars.close, slow) for fast, slow in pairs)
    trend = np.where(noise < p.calm_ratio * usual, calm, np.where(noise > p.wild_ratio * usual, wild, normal))
    return Columns(bars.close, np.where(np.isnan(usual + wild), np.nan, trend), noise)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    side = (now.trend > 0 and prev.trend <= 0) - (now.trend < 0 and prev.trend >= 0)
    if side in (0, held.side):
        return hold(held)
    return enter(side, now.close - side * p.atr_stop_mult * now.atr)


RULE = StrategyRule(
    name="ADAPTIVE",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.noise_period, 4 * p.ema_slow, p.atr_period),
    orders=(("ema_fast", "ema_slow"), ("calm_ratio", "wild_ratio")),
    history=lambda p: max(2 * MEMORY * p.ema_slow, WILDER * p.atr_period + p.noise_period),
)


class AdaptiveBacktest(BacktestStrategy):
    """ADAPTIVE on Backtesting.py."""

    rule = RULE


class AdaptiveLive(BaseStrategy):
    """ADAPTIVE bar by bar."""

    rule = RULE
