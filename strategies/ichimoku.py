"""Ichimoku (ICHIMOKU): trade out of the cloud when every line agrees.

Entry   flat; conversion above base line, close above base, cloud and the close `base_period` ago; or below.
Exit    a close on the other side of the base line; stop `atr_stop_mult` ATRs from the close of the signal.
Source  the project's documents; G. Hosoda, Ichimoku Kinko Hyo (1969).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, tied
from strategies.indicators_more import before, hull, ichimoku
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs."""

    conversion_period: Annotated[int, Span(5, 20)] = 9
    base_period: Annotated[int, Span(15, 60, 3)] = 26
    span_period: Annotated[int, Span(30, 120, 6)] = 52
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.5
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    top: T
    bottom: T
    fast: T
    slow: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    fast, slow, *cloud = ichimoku(*bars[2:4], p.conversion_period, p.base_period, p.span_period)
    slow, *cloud = (tied(x, bars.close, bars.close) for x in (slow, *cloud))
    edges = hull(*cloud, slow, before(bars.close, p.base_period))
    return Columns(bars.close, *edges, tied(fast, slow, slow), slow, atr(*bars[2:5], p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    side = (now.close > now.top and now.fast > now.slow) - (now.close < now.bottom and now.fast < now.slow)
    if held.side * (now.close - now.slow) < 0:
        return flat(Reason.RULE)
    if held.side != 0 or side == 0:
        return hold(held)
    return enter(side, now.close - side * p.atr_stop_mult * now.atr)


RULE = StrategyRule(
    name="ICHIMOKU",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.span_period, p.base_period, p.conversion_period, p.atr_period),
    history=lambda p: max(p.span_period + p.base_period + 1, WILDER * p.atr_period),
)


class IchimokuBacktest(BacktestStrategy):
    """ICHIMOKU on Backtesting.py."""

    rule = RULE


class IchimokuLive(BaseStrategy):
    """ICHIMOKU bar by bar."""

    rule = RULE
