"""Triple momentum (TRIPLE_MOMENTUM): trade when RSI, MACD and the stochastic point the same way.

Entry   flat and the third vote comes in: RSI above 50, MACD above its signal line (EMA of 9 bars), stochastic
        k above d (smoothed over 3 bars), all for long; or all for short. A tie votes for neither.
Exit    most votes against it; stop `atr_stop_mult` ATRs from the close, take-profit `rr_ratio` times as far.
Source  the project's documents; Wilder (1978), Appel (2005), Lane's stochastic.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, macd, rsi, side_of, stochastic
from strategies.rule import MEMORY, WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars (RSI and stochastic share one; the stochastic is smoothed over 3), the stop in ATRs."""

    rsi_period: Annotated[int, Span(5, 30)] = 14
    ema_fast: Annotated[int, Span(5, 40)] = 12
    ema_slow: Annotated[int, Span(15, 120, 5)] = 26
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.0
    rr_ratio: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    votes: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    line, signal = macd(bars.close, p.ema_fast, p.ema_slow, 9)
    k, d = stochastic(bars.high, bars.low, bars.close, p.rsi_period, 3)
    votes = side_of(line, signal, bars.close) + side_of(k, d, 100.0)
    votes += side_of(rsi(bars.close, p.rsi_period), 50.0, 100.0)
    return Columns(bars.close, votes, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    side = (now.votes >= 3 and prev.votes < 3) - (now.votes <= -3 and prev.votes > -3)
    if held.side * now.votes < 0:
        return flat(Reason.RULE)
    if held.side != 0 or side == 0:
        return hold(held)
    risk = p.atr_stop_mult * now.atr
    return enter(side, now.close - side * risk, now.close + side * p.rr_ratio * risk)


RULE = StrategyRule(
    name="TRIPLE_MOMENTUM",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ema_slow, p.rsi_period, p.atr_period),
    orders=(("ema_fast", "ema_slow"),),
    history=lambda p: max(MEMORY * p.ema_slow, WILDER * max(p.rsi_period, p.atr_period)),
)


class TripleMomentumBacktest(BacktestStrategy):
    """TRIPLE_MOMENTUM on Backtesting.py."""

    rule = RULE


class TripleMomentumLive(BaseStrategy):
    """TRIPLE_MOMENTUM bar by bar."""

    rule = RULE
