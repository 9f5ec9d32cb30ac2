"""Three SuperTrends that agree, and a stop that trails (SUPERTREND3).

Entry   three SuperTrends of different width all turn up: long.
Exit    any two of them are down; the stop follows the best price `trail_mult` ATRs behind.
Source  a public triple SuperTrend, by its idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from strategies.exits import best, trail
from strategies.indicators import atr
from strategies.indicators_more import supertrend
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """The ATR's period in bars, widths in ATRs."""

    atr_period: int = 10
    near_mult: float = 1.0
    middle_mult: float = 2.0
    far_mult: float = 3.0
    trail_mult: float = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    high: T
    low: T
    close: T
    votes: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; votes are -3 to 3."""
    prices = bars.ts, bars.high, bars.low, bars.close
    widths = p.near_mult, p.middle_mult, p.far_mult
    votes = sum(supertrend(*prices, p.atr_period, width)[1] for width in widths)
    return Columns(bars.high, bars.low, bars.close, votes, atr(*prices[1:], p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on; its note is the best price so far."""
    away = p.trail_mult * now.atr
    if held.side == 0 and now.votes > 2 and prev.votes <= 2:
        return enter(1.0, now.close - away, note=now.close)
    if held.side > 0 and now.votes < 0:
        return flat(Reason.RULE)
    if held.side > 0:
        top = best(held, now.high, now.low)
        return move(held, stop=trail(held, top, away), note=top)
    return hold(held)


RULE = StrategyRule(
    name="SUPERTREND3",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.atr_period,
    history=lambda p: 60 * p.atr_period,
)
