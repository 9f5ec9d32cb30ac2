"""Trend following (TREND_EMA): hold with the trend, from a pull-back stop to a fixed multiple of the risk.

Entry   flat, fast EMA above slow EMA and close above the fast EMA: long.
Exit    stop `atr_stop_mult` ATRs below the close of the signal; take-profit `rr_ratio` times that distance
        above it. Long only; no exit by rule.
Source  the project's specification, 6a; ATR after Wilder (1978).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, ema
from strategies.rule import Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs, the take-profit in multiples of the stop's distance."""

    ema_fast: Annotated[int, Span(5, 50)] = 20
    ema_slow: Annotated[int, Span(20, 200, 5)] = 50
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(0.5, 4, 0.5)] = 1.5
    rr_ratio: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    fast: T
    slow: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    return Columns(
        bars.close,
        ema(bars.close, p.ema_fast),
        ema(bars.close, p.ema_slow),
        atr(bars.high, bars.low, bars.close, p.atr_period),
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side != 0:
        return hold(held)
    if now.fast > now.slow and now.close > now.fast:
        stop = now.close - p.atr_stop_mult * now.atr
        return enter(1.0, stop, now.close + p.rr_ratio * (now.close - stop))
    return flat()


RULE = StrategyRule(
    name="TREND_EMA",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ema_slow, p.atr_period),
    bounds={"ema_fast": (2, 1999), "ema_slow": (3, 2000)},
    orders=(("ema_fast", "ema_slow"),),
)


class TrendEmaBacktest(BacktestStrategy):
    """TREND_EMA on Backtesting.py."""

    rule = RULE


class TrendEmaLive(BaseStrategy):
    """TREND_EMA bar by bar."""

    rule = RULE
