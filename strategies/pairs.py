"""Pairs (PAIRS): trade a symbol back to where its partner, bitcoin or for itself ether, says it should be.

Entry   flat; log price `entry_z` deviations below its line on the partner's log price: long; above: short.
        Fitted to `hedge_period` bars; none if it explains under `shared_min` or the partner lags over a bar.
Exit    under `exit_z` from the line, past it or without: by rule; after `time_period` bars: by time; stop.
Source  the project's documents, "statistical arbitrage"; Gatev, Goetzmann, Rouwenhorst (2006).
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr
from strategies.indicators_more import residual
from strategies.pairing import Joined, given, partner_of
from strategies.rule import WILDER, Span, StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, distances from the line in deviations, the stop in ATRs from the close."""

    hedge_period: Annotated[int, Span(60, 480, 30)] = 120
    entry_z: Annotated[float, Span(1, 4, 0.25)] = 2.0
    exit_z: Annotated[float, Span(0, 1.5, 0.25)] = 0.5
    shared_min: Annotated[float, Span(0, 0.8, 0.1)] = 0.5
    time_period: Annotated[int, Span(20, 240, 20)] = 60
    atr_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(2, 8, 1)] = 4.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    z: T
    atr: T


def columns(bars: Bars, p: Params, partner: Joined | None = None) -> Columns[FloatArray]:
    """Compute the columns from the bars and the partner's closes; arrays as long as the bars."""
    other = given(partner, "PAIRS")
    z = other.is_fresh * residual(other.close, bars.close, p.hedge_period, p.shared_min)
    return Columns(bars.close, z, atr(*bars[2:5], p.atr_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and abs(now.z) > p.entry_z:
        side = (now.z < 0) - (now.z > 0)
        return enter(side, now.close - side * p.atr_stop_mult * now.atr)
    if held.side != 0 and held.side * now.z > -p.exit_z:
        return flat(Reason.RULE)
    return flat(Reason.TIME) if held.bars_held >= p.time_period else hold(held)


RULE = StrategyRule(
    name="PAIRS",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.hedge_period, p.atr_period),
    bounds={"entry_z": (0.0, 10.0), "exit_z": (0.0, 10.0), "shared_min": (0.0, 1.0)},
    history=lambda p: max(p.hedge_period + 1, WILDER * p.atr_period),
    partner=partner_of,
)


class PairsBacktest(BacktestStrategy):
    """PAIRS on Backtesting.py."""

    rule = RULE


class PairsLive(BaseStrategy):
    """PAIRS bar by bar."""

    rule = RULE
