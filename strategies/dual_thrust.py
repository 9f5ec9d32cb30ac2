"""Dual thrust (DUAL_THRUST): follow a move from the session's open that is large for the sessions before.

Entry   the close crosses the session's open plus `up_ratio` ranges of the last `day_count` sessions upwards:
        long; the open less `down_ratio` ranges downwards: short. A session is `session_bars` bars from
        midnight UTC, a day at most. Both closes are held against the newer; the first two give no range.
Exit    the opposite entry turns the position round; stop `atr_stop_mult` ATRs from the close of the signal.
Source  the project's documents (range breakout); M. Chalek's Dual Thrust.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, tied
from strategies.indicators_more import before, thrust
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Sessions in bars and their number, ranges as fractions, the stop in ATRs."""

    session_bars: Annotated[int, Span(6, 48, 6)] = 24
    day_count: Annotated[int, Span(1, 10)] = 4
    up_ratio: Annotated[float, Span(0.2, 1.2, 0.1)] = 0.5
    down_ratio: Annotated[float, Span(0.2, 1.2, 0.1)] = 0.5
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 6, 0.5)] = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    upper: T
    lower: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    start, reach = thrust(*bars[:5], p.session_bars, p.day_count)
    lines = start + p.up_ratio * reach, start - p.down_ratio * reach
    for close in (before(bars.close, 1), bars.close):
        lines = tied(lines[0], close, close), tied(lines[1], close, close)
    return Columns(bars.close, *lines, atr(*bars[2:5], p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if now.close > now.upper and prev.close <= now.upper and held.side <= 0:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if now.close < now.lower and prev.close >= now.lower and held.side >= 0:
        return enter(-1.0, now.close + p.atr_stop_mult * now.atr)
    return hold(held)


RULE = StrategyRule(
    name="DUAL_THRUST",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.session_bars * (p.day_count + 3), p.atr_period),
    bounds={"session_bars": (2, 1440), "day_count": (1, 30)},
    history=lambda p: max(p.session_bars * (p.day_count + 4), WILDER * p.atr_period),
)


class DualThrustBacktest(BacktestStrategy):
    """DUAL_THRUST on Backtesting.py."""

    rule = RULE


class DualThrustLive(BaseStrategy):
    """DUAL_THRUST bar by bar."""

    rule = RULE
