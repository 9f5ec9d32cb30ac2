"""SuperTrend (SUPERTREND): be on the side of the band that the close last broke.

Entry   the close crosses the SuperTrend line upwards: long; downwards: short.
Exit    the cross the other way turns the position round; stop at the line as it stood at the signal. After
        a stop the next cross is waited for.
Source  the project's documents; O. Seban's SuperTrend. Followed from a bounded past only, as
        `strategies.indicators_more.supertrend` says: `history` covers that.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators_more import RESTART, supertrend
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """The ATR period in bars, the distance of the bands in ATRs."""

    atr_period: Annotated[int, Span(5, 40)] = 10
    band_mult: Annotated[float, Span(1, 6, 0.25)] = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    line: T
    side: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    line, side = supertrend(bars.ts, bars.high, bars.low, bars.close, p.atr_period, p.band_mult)
    return Columns(bars.close, line, side)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if now.side > 0 and prev.side < 0 and held.side <= 0:
        return enter(1.0, now.line)
    if now.side < 0 and prev.side > 0 and held.side >= 0:
        return enter(-1.0, now.line)
    return hold(held)


RULE = StrategyRule(
    name="SUPERTREND",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.atr_period,
    history=lambda p: (WILDER + 2 * RESTART) * p.atr_period,
)


class SuperTrendBacktest(BacktestStrategy):
    """SUPERTREND on Backtesting.py."""

    rule = RULE


class SuperTrendLive(BaseStrategy):
    """SUPERTREND bar by bar."""

    rule = RULE
