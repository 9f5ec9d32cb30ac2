"""Volatility hunter (VOL_HUNTER): fade a rush that is extreme by two measures at once.

Entry   flat; close under the lower band, RSI under `rsi_low`: long; over the upper and `rsi_high`: short.
Exit    take-profit at the middle band of the signal bar; by rule at a close at or beyond the present middle
        band; stop `atr_stop_mult` ATRs from the close.
Source  the project's documents; Bollinger (2001), RSI after Wilder (1978).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, bollinger, rsi, tied
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the bands in standard deviations, RSI from 0 to 100, the stop in ATRs."""

    bb_period: Annotated[int, Span(10, 60, 5)] = 20
    bb_std: Annotated[float, Span(1.5, 3.5, 0.25)] = 2.5
    rsi_period: Annotated[int, Span(5, 30)] = 14
    rsi_low: Annotated[float, Span(10, 45, 5)] = 25.0
    rsi_high: Annotated[float, Span(55, 90, 5)] = 75.0
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 6, 0.5)] = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    mid: T
    upper: T
    lower: T
    rsi: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    mid, upper, lower = bollinger(bars.close, p.bb_period, p.bb_std)
    bands = tied(mid, bars.close, bars.close), upper, lower
    return Columns(bars.close, *bands, rsi(bars.close, p.rsi_period), atr(*bars[2:5], p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if (held.side > 0 and now.close >= now.mid) or (held.side < 0 and now.close <= now.mid):
        return flat(Reason.RULE)
    side = (now.close < now.lower and now.rsi < p.rsi_low) - (now.close > now.upper and now.rsi > p.rsi_high)
    if held.side != 0 or side == 0:
        return hold(held)
    return enter(side, now.close - side * p.atr_stop_mult * now.atr, now.mid)


RULE = StrategyRule(
    name="VOL_HUNTER",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.bb_period, p.rsi_period, p.atr_period),
    orders=(("rsi_low", "rsi_high"),),
    history=lambda p: max(p.bb_period + 1, WILDER * max(p.rsi_period, p.atr_period)),
)


class VolatilityHunterBacktest(BacktestStrategy):
    """VOL_HUNTER on Backtesting.py."""

    rule = RULE


class VolatilityHunterLive(BaseStrategy):
    """VOL_HUNTER bar by bar."""

    rule = RULE
