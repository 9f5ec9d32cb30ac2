"""Follow a breakout, both ways, with a stop that trails (BREAKOUT): what it does, in a line.

Entry   a close above the highest high of `entry_period` bars before it: long; below the lowest low: short.
Exit    the stop, which follows the lowest low (for a short the highest high) of `exit_period` bars.
Source  where the idea is from.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold, move
from strategies.indicators import atr
from strategies.indicators_more import donchian
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Numbers to play with; periods in bars."""

    entry_period: int = 40
    exit_period: int = 20
    atr_period: int = 14
    atr_stop_mult: float = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    top: T
    bottom: T
    high: T
    low: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; each value from its own past alone."""
    top, bottom = donchian(bars.high, bars.low, p.entry_period)
    high, low = donchian(bars.high, bars.low, p.exit_period)
    return Columns(bars.close, top, bottom, high, low, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    away = p.atr_stop_mult * now.atr
    if held.side == 0 and now.close > now.top:
        return enter(1.0, now.close - away)
    if held.side == 0 and now.close < now.bottom:
        return enter(-1.0, now.close + away)
    # A stop is an absolute price, and another one from the next bar on. It only ever moves towards the price.
    if held.side > 0 and now.low > held.stop:
        return move(held, stop=now.low)
    if held.side < 0 and now.high < held.stop:
        return move(held, stop=now.high)
    return hold(held)


RULE = StrategyRule(
    name="BREAKOUT",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.entry_period, p.exit_period, p.atr_period),
    orders=(("exit_period", "entry_period"),),
)
