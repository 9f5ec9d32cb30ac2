"""Turtle (TURTLE): follow a breakout of the longer channel, leave at the shorter one.

Entry   flat and the close is above the highest high of the `entry_period` bars before: long; below their
        lowest low: short.
Exit    stop `atr_stop_mult` ATRs from the close, then at the lowest low (highest high) of `exit_period` bars.
Source  the project's documents (Donchian 20/10); C. Faith, Way of the Turtle (2007), system 1.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold, move
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, highest, lowest
from strategies.indicators_more import donchian
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the stop in ATRs."""

    entry_period: Annotated[int, Span(10, 100, 5)] = 20
    exit_period: Annotated[int, Span(5, 50, 5)] = 10
    atr_period: Annotated[int, Span(10, 40, 10)] = 20
    atr_stop_mult: Annotated[float, Span(1, 4, 0.5)] = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    upper: T
    lower: T
    trail_low: T
    trail_high: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    upper, lower = donchian(bars.high, bars.low, p.entry_period)
    trails = lowest(bars.low, p.exit_period), highest(bars.high, p.exit_period)
    return Columns(bars.close, upper, lower, *trails, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side > 0 and now.trail_low > held.stop:
        return move(held, stop=now.trail_low)
    if held.side < 0 and now.trail_high < held.stop:
        return move(held, stop=now.trail_high)
    if held.side == 0 and now.close > now.upper:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if held.side == 0 and now.close < now.lower:
        return enter(-1.0, now.close + p.atr_stop_mult * now.atr)
    return hold(held)


RULE = StrategyRule(
    name="TURTLE",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.entry_period, p.exit_period, p.atr_period),
    history=lambda p: max(p.entry_period + 2, p.exit_period + 1, WILDER * p.atr_period),
)


class TurtleBacktest(BacktestStrategy):
    """TURTLE on Backtesting.py."""

    rule = RULE


class TurtleLive(BaseStrategy):
    """TURTLE bar by bar."""

    rule = RULE
