"""Hold through the night, not over the weekend (CLOCK).

Entry   the bar that opens at `start_hour` UTC, Monday to Thursday, closes above its mean: long.
Exit    the bar that opens at `end_hour`, or any on a Friday evening or weekend; the stop.
Source  time-of-day rules, by their idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators import atr, sma
from strategies.longer import hour, weekday
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Hours of the day, UTC; periods in bars."""

    start_hour: int = 20
    end_hour: int = 8
    ma_period: int = 20
    atr_period: int = 14
    atr_stop_mult: float = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    mean: T
    hour: T
    day: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; time is a column like any other."""
    reach = atr(bars.high, bars.low, bars.close, p.atr_period)
    return Columns(bars.close, sma(bars.close, p.ma_period), hour(bars), weekday(bars), reach)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on; Monday is 0."""
    is_late = now.day > 4 or (now.day == 4 and now.hour >= 16)
    if held.side > 0 and (is_late or now.hour == p.end_hour):
        return flat(Reason.TIME)
    if held.side == 0 and now.day < 4 and now.hour == p.start_hour and now.close > now.mean:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    return hold(held)


RULE = StrategyRule(
    name="CLOCK",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ma_period, p.atr_period),
    bounds={"start_hour": (0, 23), "end_hour": (0, 23)},
    history=lambda p: max(p.ma_period, 60 * p.atr_period),
)
