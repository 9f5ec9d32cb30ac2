"""Follow a trend (TREND): what it does, in a line.

Entry   the fast average is above the slow one, and was not a bar ago: long.
Exit    the fast average falls below the slow one; a stop `atr_stop_mult` ATRs below the close of the signal.
Source  where the idea is from, for whoever reads this in a year.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators import atr, ema
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Numbers to play with. Names that end in _period, _fast, _slow, _mult, _ratio have bounds already."""

    ema_fast: int = 20
    ema_slow: int = 50
    atr_period: int = 14
    atr_stop_mult: float = 2.0
    risk_per_trade: float = 0.01  # part of equity that is lost at the stop: 0.01 is 1 %


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    fast: T
    slow: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once: numpy arrays as long as the bars; each value from its own past alone."""
    return Columns(
        close=bars.close,
        fast=ema(bars.close, p.ema_fast),
        slow=ema(bars.close, p.ema_slow),
        atr=atr(bars.high, bars.low, bars.close, p.atr_period),
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on, of two rows and the position."""
    if held.side == 0 and now.fast > now.slow and prev.fast <= prev.slow:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if held.side > 0 and now.fast < now.slow:
        return flat(Reason.RULE)
    return hold(held)


RULE = StrategyRule(
    name="TREND",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.ema_slow,
    orders=(("ema_fast", "ema_slow"),),  # the first of each pair is always the smaller one
)
