"""Moving average cross (SMA_CROSS): be on the side of the faster average.

Entry   the fast SMA crosses above the slow one: long; below it: short.
Exit    the cross the other way turns the position round; stop `atr_stop_mult` ATRs from the close of the
        signal. After a stop the next cross is waited for.
Source  the project's documents (SMA crossover); R. Donchian's moving averages (1960).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, sma, tied
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs."""

    sma_fast: Annotated[int, Span(5, 60, 5)] = 20
    sma_slow: Annotated[int, Span(20, 200, 10)] = 50
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 6, 0.5)] = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    fast: T
    slow: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    fast, slow = sma(bars.close, p.sma_fast), sma(bars.close, p.sma_slow)
    return Columns(
        bars.close, tied(fast, slow, slow), slow, atr(bars.high, bars.low, bars.close, p.atr_period)
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if now.fast > now.slow and prev.fast <= prev.slow and held.side <= 0:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if now.fast < now.slow and prev.fast >= prev.slow and held.side >= 0:
        return enter(-1.0, now.close + p.atr_stop_mult * now.atr)
    return hold(held)


RULE = StrategyRule(
    name="SMA_CROSS",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.sma_slow, p.atr_period),
    orders=(("sma_fast", "sma_slow"),),
    history=lambda p: max(p.sma_slow + 1, WILDER * p.atr_period),
)


class SmaCrossBacktest(BacktestStrategy):
    """SMA_CROSS on Backtesting.py."""

    rule = RULE


class SmaCrossLive(BaseStrategy):
    """SMA_CROSS bar by bar."""

    rule = RULE
