"""A strategy for tests that does what the candles' volume says: 1 long, 2 short, 3 flat, 4 short
without stop or take, 0 nothing.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.registry import Strategy
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    stop_away: float = 10.0
    take_away: float = 20.0
    risk_per_trade: float = 0.01
    max_exposure: float = 0.95


class Columns(NamedTuple, Generic[T]):
    close: T
    order: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    return Columns(bars.close, bars.volume)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    if now.order == 1.0:
        return enter(1.0, now.close - p.stop_away, now.close + p.take_away)
    if now.order == 2.0:
        return enter(-1.0, now.close + p.stop_away, now.close - p.take_away)
    if now.order == 4.0:
        return enter(-1.0)
    return flat(Reason.RULE) if now.order == 3.0 else hold(held)


RULE = StrategyRule(
    name="SCRIPTED",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: 1,
    bounds={"stop_away": (0.0, 1e6), "take_away": (0.0, 1e6)},
)


class ScriptedBacktest(BacktestStrategy):
    rule = RULE


class ScriptedLive(BaseStrategy):
    rule = RULE


SCRIPTED = Strategy(RULE, ScriptedBacktest, ScriptedLive)
