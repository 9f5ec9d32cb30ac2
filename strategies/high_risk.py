"""High risk (HIGH_RISK): up to three times the usual risk on a breakout with the trend, close to the stop.

Entry   flat, fast EMA above slow EMA, close above the highest high of `entry_period` bars: long; or short.
Exit    fast EMA on the other side of the slow one; stop `atr_stop_mult` ATRs from the close of the signal,
        take-profit `rr_ratio` times that distance.
Source  the project's documents: 3 % per trade; less where a stop nearer than 3.2 % makes `max_exposure` bind.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, ema
from strategies.indicators_more import donchian
from strategies.rule import MEMORY, WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs, the take-profit in multiples of the stop's distance."""

    ema_fast: Annotated[int, Span(4, 20)] = 9
    ema_slow: Annotated[int, Span(10, 60, 2)] = 21
    entry_period: Annotated[int, Span(5, 40)] = 10
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(0.5, 3, 0.25)] = 1.0
    rr_ratio: Annotated[float, Span(1, 6, 0.5)] = 3.0
    risk_per_trade: float = 0.03


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    trend: T
    upper: T
    lower: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    trend = ema(bars.close, p.ema_fast) - ema(bars.close, p.ema_slow)
    channel = donchian(bars.high, bars.low, p.entry_period)
    return Columns(bars.close, trend, *channel, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    side = (now.trend > 0 and now.close > now.upper) - (now.trend < 0 and now.close < now.lower)
    if held.side * now.trend < 0:
        return flat(Reason.RULE)
    if held.side != 0 or side == 0:
        return hold(held)
    risk = p.atr_stop_mult * now.atr
    return enter(side, now.close - side * risk, now.close + side * p.rr_ratio * risk)


RULE = StrategyRule(
    name="HIGH_RISK",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ema_slow, p.entry_period, p.atr_period),
    orders=(("ema_fast", "ema_slow"),),
    history=lambda p: max(MEMORY * p.ema_slow, WILDER * p.atr_period, p.entry_period + 1),
)


class HighRiskBacktest(BacktestStrategy):
    """HIGH_RISK on Backtesting.py."""

    rule = RULE


class HighRiskLive(BaseStrategy):
    """HIGH_RISK bar by bar."""

    rule = RULE
