"""Squeeze breakout (SQZ_BO): trade the way out of unusually narrow Bollinger Bands.

Entry   flat, bandwidth (upper - lower) / middle under `bandwidth_thresh`, and close above the upper band:
        long; below the lower band: short.
Exit    stop `atr_stop_mult` ATRs from the close of the signal, take-profit `rr_ratio` times that distance.
Source  the project's specification, 6c; the squeeze after Bollinger (2001).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, bollinger
from strategies.rule import Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, bandwidth as a fraction of the middle, the stop in ATRs."""

    bb_period: Annotated[int, Span(10, 60, 5)] = 20
    bb_std: Annotated[float, Span(1.5, 3, 0.25)] = 2.0
    bandwidth_thresh: Annotated[float, Span(0.01, 0.1, 0.01)] = 0.05
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 4, 0.5)] = 1.5
    rr_ratio: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    upper: T
    lower: T
    bandwidth: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    mid, upper, lower = bollinger(bars.close, p.bb_period, p.bb_std)
    average_range = atr(bars.high, bars.low, bars.close, p.atr_period)
    return Columns(bars.close, upper, lower, (upper - lower) / mid, average_range)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side != 0:
        return hold(held)
    if now.bandwidth < p.bandwidth_thresh:
        risk = p.atr_stop_mult * now.atr
        if now.close > now.upper:
            return enter(1.0, now.close - risk, now.close + p.rr_ratio * risk)
        if now.close < now.lower:
            return enter(-1.0, now.close + risk, now.close - p.rr_ratio * risk)
    return flat()


RULE = StrategyRule(
    name="SQZ_BO",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.bb_period, p.atr_period),
    bounds={"bandwidth_thresh": (0.0001, 10)},
)


class SqueezeBreakoutBacktest(BacktestStrategy):
    """SQZ_BO on Backtesting.py."""

    rule = RULE


class SqueezeBreakoutLive(BaseStrategy):
    """SQZ_BO bar by bar."""

    rule = RULE
