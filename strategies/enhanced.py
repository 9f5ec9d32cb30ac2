"""Enhanced confluence (ENHANCED): every entry is confirmed by trend, momentum and strength.

Entry   flat, close above fast EMA above slow EMA, MACD histogram (signal line of 9 bars) positive
        and rising, RSI more than 5 and less than 20 points above 50: long; all of it the other way: short.
Exit    EMAs or RSI the other way; stop `atr_stop_mult` ATRs from the close, take `rr_ratio` times as far.
Source  the project's documents (enhanced strategy: RSI, EMA, MACD).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, ema, macd, rsi
from strategies.indicators_more import agreed, before
from strategies.rule import MEMORY, WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs."""

    ema_fast: Annotated[int, Span(5, 40)] = 12
    ema_slow: Annotated[int, Span(15, 120, 5)] = 26
    rsi_period: Annotated[int, Span(5, 30)] = 14
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.0
    rr_ratio: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    agreed: T
    trend: T
    strength: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    line, signal = macd(bars.close, p.ema_fast, p.ema_slow, 9)
    bar, strength = line - signal, rsi(bars.close, p.rsi_period) - 50.0
    votes = agreed(bars.close - ema(bars.close, p.ema_fast), line, bar, bar - before(bar, 1), strength)
    return Columns(bars.close, votes, line, strength, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side * now.trend < 0 or held.side * now.strength < 0:
        return flat(Reason.RULE)
    if held.side != 0 or not (abs(now.agreed) > 0 and 5 < abs(now.strength) < 20):
        return hold(held)
    risk = now.agreed * p.atr_stop_mult * now.atr
    return enter(now.agreed, now.close - risk, now.close + p.rr_ratio * risk)


RULE = StrategyRule(
    name="ENHANCED",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ema_slow, p.rsi_period, p.atr_period),
    orders=(("ema_fast", "ema_slow"),),
    history=lambda p: max(MEMORY * p.ema_slow, WILDER * max(p.rsi_period, p.atr_period)),
)


class EnhancedBacktest(BacktestStrategy):
    """ENHANCED on Backtesting.py."""

    rule = RULE


class EnhancedLive(BaseStrategy):
    """ENHANCED bar by bar."""

    rule = RULE
