"""Mean reversion (MR_BB): fade a close outside the Bollinger Bands, back to their middle.

Entry   flat and close below the lower band: long; above the upper band: short.
Exit    take-profit at the middle band of the signal bar; stop beyond that bar's low (high) and at least
        `atr_stop_mult` ATRs from its close.
Source  the project's specification, 6b; Bollinger, Bollinger on Bollinger Bands (2001).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, bollinger
from strategies.rule import Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the bands' width in standard deviations, the stop in ATRs."""

    bb_period: Annotated[int, Span(10, 100, 5)] = 20
    bb_std: Annotated[float, Span(1, 3.5, 0.25)] = 2.0
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    high: T
    low: T
    close: T
    mid: T
    upper: T
    lower: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    bands = bollinger(bars.close, p.bb_period, p.bb_std)
    return Columns(
        bars.high, bars.low, bars.close, *bands, atr(bars.high, bars.low, bars.close, p.atr_period)
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side != 0:
        return hold(held)
    if now.close < now.lower:
        return enter(1.0, min(now.low, now.close - p.atr_stop_mult * now.atr), now.mid)
    if now.close > now.upper:
        return enter(-1.0, max(now.high, now.close + p.atr_stop_mult * now.atr), now.mid)
    return flat()


RULE = StrategyRule(
    name="MR_BB",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.bb_period, p.atr_period),
)


class MeanReversionBBBacktest(BacktestStrategy):
    """MR_BB on Backtesting.py."""

    rule = RULE


class MeanReversionBBLive(BaseStrategy):
    """MR_BB bar by bar."""

    rule = RULE
