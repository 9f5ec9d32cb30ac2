"""Take less profit the longer it lasts (ROI): freqtrade's minimal_roi, one-for-one.

Entry   RSI rises through `rsi_low`: long.
Exit    a take-profit that falls with the age of the position, as TABLE says; the stop.
Source  freqtrade's sample strategy, by its idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold, move
from strategies.exits import roi
from strategies.indicators import rsi
from strategies.rule import WILDER, StrategyRule, T

TABLE = ((0.0, 0.05), (12.0, 0.03), (24.0, 0.015), (48.0, 0.0))
"""From so many bars on, so much is enough: 5 % at once, 3 % after 12 bars, anything after 48."""


class Params(NamedTuple):
    """The stop as a part of the price, as freqtrade's stoploss of -0.05."""

    rsi_period: int = 14
    rsi_low: float = 35.0
    stop_ratio: float = 0.05
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    rsi: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once."""
    return Columns(bars.close, rsi(bars.close, p.rsi_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and now.rsi > p.rsi_low and prev.rsi <= p.rsi_low:
        return enter(1.0, (1 - p.stop_ratio) * now.close, (1 + roi(0, TABLE)) * now.close)
    if held.side > 0:
        # Of the next bar, at whose open the position is one bar older.
        return move(held, take=held.entry_price * (1 + roi(held.bars_held + 1, TABLE)))
    return hold(held)


RULE = StrategyRule(
    name="ROI",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.rsi_period,
    history=lambda p: WILDER * p.rsi_period,
    bounds={"stop_ratio": (0.005, 0.5)},
)
