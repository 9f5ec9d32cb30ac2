"""Buy a dip below the Bollinger Band that money flows out of (DIP): two indicators must agree.

Entry   a close below the lower band, money flow (MFI) under `flow_low`, no loss for `wait_period` bars.
Exit    a close at the middle band; the stop, at the entry price once the position is `safe_ratio` ahead.
Source  a public dip buyer, by its idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, move
from strategies.exits import breakeven
from strategies.indicators import atr, bollinger
from strategies.indicators_talib import ta
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Periods in bars."""

    bb_period: int = 20
    bb_std: float = 2.0
    flow_period: int = 14
    flow_low: float = 35.0
    wait_period: int = 10
    atr_period: int = 14
    atr_stop_mult: float = 3.0
    safe_ratio: float = 0.01
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    middle: T
    lower: T
    flow: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; `ta` takes any indicator of TA-Lib by its name."""
    middle, _, lower = bollinger(bars.close, p.bb_period, p.bb_std)
    flow = ta("MFI", bars, timeperiod=p.flow_period)
    return Columns(bars.close, middle, lower, flow, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side > 0 and now.close >= now.middle:
        return flat(Reason.RULE)
    if held.side > 0:
        return move(held, stop=breakeven(held, now.close, p.safe_ratio, 0.002))
    has_lost = held.last_result < 0 and held.since_exit < p.wait_period
    if now.close < now.lower and now.flow < p.flow_low and not has_lost:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    return flat()


RULE = StrategyRule(
    name="DIP",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.bb_period, p.flow_period, p.atr_period),
    bounds={"flow_low": (1.0, 99.0), "safe_ratio": (0.001, 0.5)},
    history=lambda p: max(p.bb_period, 60 * p.atr_period, 40 * p.flow_period + 200),
)
