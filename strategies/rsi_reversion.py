"""RSI reversion (RSI_REVERSION): trade the way back from an extreme of the relative strength index.

Entry   flat and the RSI comes back above `rsi_low`: long; back below `rsi_high`: short.
Exit    the RSI reaches `rsi_exit`; stop `atr_stop_mult` ATRs from the close of the signal.
Source  the project's documents; RSI after Wilder (1978).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr, rsi
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, RSI from 0 to 100, the stop in ATRs."""

    rsi_period: Annotated[int, Span(3, 30)] = 14
    rsi_low: Annotated[float, Span(10, 40, 2.5)] = 30.0
    rsi_exit: Annotated[float, Span(42.5, 57.5, 2.5)] = 50.0
    rsi_high: Annotated[float, Span(60, 90, 2.5)] = 70.0
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 5, 0.5)] = 2.5
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    rsi: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    average_range = atr(bars.high, bars.low, bars.close, p.atr_period)
    return Columns(bars.close, rsi(bars.close, p.rsi_period), average_range)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side != 0:
        if (held.side > 0 and now.rsi >= p.rsi_exit) or (held.side < 0 and now.rsi <= p.rsi_exit):
            return flat(Reason.RULE)
        return hold(held)
    if now.rsi >= p.rsi_low and prev.rsi < p.rsi_low:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if now.rsi <= p.rsi_high and prev.rsi > p.rsi_high:
        return enter(-1.0, now.close + p.atr_stop_mult * now.atr)
    return flat()


RULE = StrategyRule(
    name="RSI_REVERSION",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.rsi_period, p.atr_period),
    history=lambda p: WILDER * max(p.rsi_period, p.atr_period),
    bounds={"rsi_exit": (1.5, 98.5)},
    orders=(("rsi_low", "rsi_exit"), ("rsi_exit", "rsi_high")),
)


class RsiReversionBacktest(BacktestStrategy):
    """RSI_REVERSION on Backtesting.py."""

    rule = RULE


class RsiReversionLive(BaseStrategy):
    """RSI_REVERSION bar by bar."""

    rule = RULE
