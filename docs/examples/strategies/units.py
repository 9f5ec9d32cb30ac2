"""Add to what wins, in units of its own risk (UNITS): the Turtles' pyramid.

Entry   a close above the highest high of `entry_period` bars: a quarter; one more each `add_mult` ATRs above
        the newest entry, four in all. The ATR of the first entry counts throughout.
Exit    the stop of all, `atr_stop_mult` of these ATRs below the newest entry; the low of `exit_period` bars.
Source  C. Faith, Way of the Turtle (2007).
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from strategies.indicators import atr
from strategies.indicators_more import donchian
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, distances in ATRs."""

    entry_period: int = 20
    exit_period: int = 10
    add_mult: float = 0.5
    atr_period: int = 20
    atr_stop_mult: float = 2.0
    risk_per_trade: float = 0.04


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    top: T
    bottom: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once."""
    top, _ = donchian(bars.high, bars.low, p.entry_period)
    _, bottom = donchian(bars.high, bars.low, p.exit_period)
    return Columns(bars.close, top, bottom, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on; its note is the ATR of the first entry."""
    if held.side == 0 and now.close > now.top:
        return enter(0.25, now.close - p.atr_stop_mult * now.atr, note=now.atr)
    if held.side == 0:
        return hold(held)
    if now.close < now.bottom:
        return flat(Reason.RULE)
    if held.target < 0.9 and now.close > held.newest_price + p.add_mult * held.note:
        return move(held, stop=now.close - p.atr_stop_mult * held.note, target=held.target + 0.25)
    return hold(held)


RULE = StrategyRule(
    name="UNITS",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.entry_period, p.exit_period, p.atr_period),
    history=lambda p: max(p.entry_period + 1, 60 * p.atr_period),
)
