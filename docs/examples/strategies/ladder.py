"""Buy in steps below the mean, sell all at it (LADDER): what it does, in a line.

Entry   rung i (1 … `levels`) lies i * `step_atr_mult` ATRs below the mean: bought on a bar that touches it.
Exit    a close at the mean or above sells every rung; each has its take-profit there too. No stop.
Source  where the idea is from.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, flat, ladder
from strategies.indicators import atr, sma
from strategies.rule import NO_STOP, StrategyRule, T


class Params(NamedTuple):
    """Numbers to play with; periods in bars."""

    ma_period: int = 50
    atr_period: int = 14
    levels: int = 4
    step_atr_mult: float = 1.0
    max_exposure: float = 0.5  # part of equity that all rungs together take


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    high: T
    low: T
    close: T
    mean: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once; each value from its own past alone."""
    return Columns(
        high=bars.high,
        low=bars.low,
        close=bars.close,
        mean=sma(bars.close, p.ma_period),
        atr=atr(bars.high, bars.low, bars.close, p.atr_period),
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the rungs wanted from the next open on: bit i of the number is rung i."""
    if now.close >= now.mean:
        return flat(Reason.RULE)
    wanted, count = 0, 0
    for level in range(1, p.levels + 1):
        price, bit = now.mean - level * p.step_atr_mult * now.atr, 1 << level
        if held.rungs & bit or now.low <= price <= now.high:
            wanted, count = wanted | bit, count + 1
    return ladder(wanted, count / p.levels, now.mean)


RULE = StrategyRule(
    name="LADDER",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ma_period, p.atr_period),
    bounds={"levels": (1, 50)},  # a name that no common bound fits says its own: smallest and largest
    is_ladder=True,
    stop=NO_STOP,  # said on purpose: an entry without a stop is a mistake otherwise
)
