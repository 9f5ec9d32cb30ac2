"""Enter with the trend of the day (HIGHER): a longer timeframe made of the rule's own bars.

Entry   the daily EMA rose with its last closed day, and the close crosses above the fast mean: long.
Exit    the daily EMA falls; the stop.
Source  multi-timeframe rules, by their idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators import atr, ema, sma
from strategies.indicators_more import before
from strategies.longer import longer
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Periods in bars; that of the day in days."""

    ma_period: int = 20
    day_period: int = 5
    atr_period: int = 14
    atr_stop_mult: float = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    mean: T
    rises: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; of a day only what was closed by then."""
    day = longer(bars, "1d")
    trend = ema(day.bars.close, p.day_period)
    rises = day.at(trend - before(trend, 1))
    reach = atr(bars.high, bars.low, bars.close, p.atr_period)
    return Columns(bars.close, sma(bars.close, p.ma_period), rises, reach)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and now.rises > 0 and now.close > now.mean and prev.close <= prev.mean:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if held.side > 0 and now.rises < 0:
        return flat(Reason.RULE)
    return hold(held)


RULE = StrategyRule(
    name="HIGHER",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ma_period, 24 * p.day_period),
    # Bars of the rule's own: 24 of an hour to a day, and an EMA forgets after 40 of its periods.
    history=lambda p: 24 * 40 * p.day_period,
)
