"""MACD cross (MACD_CROSS): be on the side of the MACD line's last cross of its signal line.

Entry   the MACD line crosses above its signal line: long; below it: short.
Exit    the cross the other way turns the position round; stop `atr_stop_mult` ATRs from the close of the
        signal. After a stop the next cross is waited for.
Source  the project's documents; G. Appel, Technical Analysis (2005).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, macd
from strategies.rule import Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs."""

    ema_fast: Annotated[int, Span(5, 30)] = 12
    ema_slow: Annotated[int, Span(15, 80, 5)] = 26
    signal_period: Annotated[int, Span(3, 20)] = 9
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    line: T
    signal: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    line, signal = macd(bars.close, p.ema_fast, p.ema_slow, p.signal_period)
    return Columns(bars.close, line, signal, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if now.line > now.signal and prev.line <= prev.signal and held.side <= 0:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if now.line < now.signal and prev.line >= prev.signal and held.side >= 0:
        return enter(-1.0, now.close + p.atr_stop_mult * now.atr)
    return hold(held)


RULE = StrategyRule(
    name="MACD_CROSS",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ema_slow, p.signal_period, p.atr_period),
    orders=(("ema_fast", "ema_slow"),),
)


class MacdCrossoverBacktest(BacktestStrategy):
    """MACD_CROSS on Backtesting.py."""

    rule = RULE


class MacdCrossoverLive(BaseStrategy):
    """MACD_CROSS bar by bar."""

    rule = RULE
