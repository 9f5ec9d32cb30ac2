"""Grid ladder (GRID_LR): buy each rung that price touches below its mean, sell at the mean.

Entry   rung i (1 … `levels`) lies i * `step_atr_mult` ATRs below the SMA; while it is not held and the bar's
        range contains it: a long of 1/`levels` of the allocation. Long only.
Exit    take-profit at the SMA of the rung's signal bar; a close at or above the SMA closes every rung. No
        stop: `max_exposure` is what the ladder may lose.
Source  the project's specification, 6d.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, flat, ladder
from strategies.base import BacktestStrategy
from strategies.indicators import atr, sma, tied
from strategies.ladder import LadderStrategy
from strategies.rule import NO_STOP, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, the step in ATRs, the allocation as a fraction of equity."""

    ma_period: Annotated[int, Span(20, 200, 10)] = 50
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    levels: Annotated[int, Span(2, 10)] = 5
    step_atr_mult: Annotated[float, Span(0.5, 3, 0.25)] = 1.0
    max_exposure: float = 0.5


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    high: T
    low: T
    close: T
    mean: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    mean = tied(sma(bars.close, p.ma_period), bars.close, bars.close)
    return Columns(*bars[2:5], mean, atr(*bars[2:5], p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the rungs wanted from the next open on; bit i of the mask is rung i."""
    if now.close >= now.mean:
        return flat(Reason.RULE)
    wanted, count = 0, 0
    for level in range(1, p.levels + 1):
        price, bit = now.mean - level * p.step_atr_mult * now.atr, 1 << level
        if held.rungs & bit or now.low <= price <= now.high:
            wanted, count = wanted | bit, count + 1
    return ladder(wanted, count / p.levels, now.mean)


RULE = StrategyRule(
    name="GRID_LR",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ma_period, p.atr_period),
    bounds={"levels": (1, 50)},
    is_ladder=True,
    stop=NO_STOP,
)


class GridLadderBacktest(BacktestStrategy):
    """GRID_LR on Backtesting.py."""

    rule = RULE


class GridLadderLive(LadderStrategy):
    """GRID_LR bar by bar; `state[symbol]["levels"]` maps each rung to whether it is held."""

    rule = RULE
