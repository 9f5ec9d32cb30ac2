"""Buy a dip, sell the mean (REVERSION): what it does, in a line.

Entry   a close below the lower Bollinger Band while RSI is under `rsi_low`: long.
Exit    a close at the middle band or above, `time_period` bars after the entry, or the stop.
Source  where the idea is from.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators import atr, bollinger, rsi
from strategies.rule import WILDER, StrategyRule, T


class Params(NamedTuple):
    """Numbers to play with; periods in bars."""

    bb_period: int = 20
    bb_std: float = 2.0
    rsi_period: int = 14
    rsi_low: float = 35.0
    time_period: int = 48
    atr_period: int = 14
    atr_stop_mult: float = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    middle: T
    lower: T
    rsi: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; each value from its own past alone."""
    middle, _, lower = bollinger(bars.close, p.bb_period, p.bb_std)
    return Columns(
        close=bars.close,
        middle=middle,
        lower=lower,
        rsi=rsi(bars.close, p.rsi_period),
        atr=atr(bars.high, bars.low, bars.close, p.atr_period),
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and now.close < now.lower and now.rsi < p.rsi_low:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if held.side > 0 and now.close >= now.middle:
        return flat(Reason.RULE)
    if held.side > 0 and held.bars_held >= p.time_period:
        return flat(Reason.TIME)
    return hold(held)


RULE = StrategyRule(
    name="REVERSION",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.bb_period, p.rsi_period, p.atr_period),
    # Bars that a live run looks back on: Wilder's averages (RSI, ATR) forget slowest.
    history=lambda p: max(p.bb_period, WILDER * p.rsi_period, WILDER * p.atr_period),
)
