"""A stop at the parabolic SAR, both ways (PSAR).

Entry   the close crosses the SAR and lies on that side of its mean: long above, short below.
Exit    the stop, which is the SAR of each bar; a cross to the other side reverses.
Source  J. W. Wilder, New Concepts in Technical Trading Systems (1978).
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold, move
from strategies.indicators import sma
from strategies.indicators_talib import ta
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """How fast the SAR runs, and the mean's period in bars."""

    start_ratio: float = 0.02
    most_ratio: float = 0.2
    ma_period: int = 50
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    sar: T
    mean: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once."""
    sar = ta("SAR", bars, acceleration=p.start_ratio, maximum=p.most_ratio)
    return Columns(bars.close, sar, sma(bars.close, p.ma_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if now.close > now.sar and prev.close <= prev.sar and now.close > now.mean and held.side <= 0:
        return enter(1.0, now.sar)
    if now.close < now.sar and prev.close >= prev.sar and now.close < now.mean and held.side >= 0:
        return enter(-1.0, now.sar)
    if held.side > 0 and held.stop < now.sar < now.close:
        return move(held, stop=now.sar)
    if held.side < 0 and now.close < now.sar < held.stop:
        return move(held, stop=now.sar)
    return hold(held)


RULE = StrategyRule(
    name="PSAR",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.ma_period,
    bounds={"start_ratio": (0.001, 0.5), "most_ratio": (0.01, 1.0)},
    history=lambda p: max(p.ma_period, 400),
)
