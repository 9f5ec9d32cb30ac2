"""VWAP bounce (VWAP_BOUNCE): buy the day's average price in a market that is above its longer one.

Entry   flat, close above the rolling VWAP, and the bar dipped to the VWAP of its UTC day but closed above
        it, as the bar before had: long; all of it from below: short. The first day, if it is cut, has none.
Exit    a close beyond the rolling VWAP; stop `atr_stop_mult` ATRs from the close, take `rr_ratio` times that.
Source  the project's documents; VWAP after Berkowitz, Logue and Noser (1988).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr
from strategies.indicators_more import DAY_BARS, rolling_vwap, session_vwap
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs; the price in a VWAP is (high + low + close) / 3 of each bar."""

    vwap_period: Annotated[int, Span(12, 168, 12)] = 48
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 4, 0.5)] = 1.5
    rr_ratio: Annotated[float, Span(1, 5, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    high: T
    low: T
    close: T
    daily: T
    rolling: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    daily = session_vwap(bars.ts, *bars[2:])
    rolling = rolling_vwap(*bars[2:], p.vwap_period)
    return Columns(*bars[2:5], daily, rolling, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    is_up = now.close > now.rolling and now.low <= now.daily < now.close and prev.close > prev.daily
    is_down = now.close < now.rolling and now.high >= now.daily > now.close and prev.close < prev.daily
    side = is_up - is_down
    if held.side * (now.close - now.rolling) < 0:
        return flat(Reason.RULE)
    if held.side != 0 or side == 0:
        return hold(held)
    risk = p.atr_stop_mult * now.atr
    return enter(side, now.close - side * risk, now.close + side * p.rr_ratio * risk)


RULE = StrategyRule(
    name="VWAP_BOUNCE",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.vwap_period, p.atr_period),
    history=lambda p: max(DAY_BARS, p.vwap_period + 1, WILDER * p.atr_period),
)


class VwapBounceBacktest(BacktestStrategy):
    """VWAP_BOUNCE on Backtesting.py."""

    rule = RULE


class VwapBounceLive(BaseStrategy):
    """VWAP_BOUNCE bar by bar."""

    rule = RULE
