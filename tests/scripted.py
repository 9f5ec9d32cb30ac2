"""A strategy for tests that does what the candles' volume says: 0 nothing, 1 long, 2 short, 3 flat, 4 short
without stop or take, 5 half long, 6 a quarter long, 7 a third short, 8 stop nearer, 9 flat because of time,
10 a quarter more short and 11 a hundredth more long, both without stop or take, 12 a long position's stop or
a short one's take below nothing, where no price reaches it.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import NAN, Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.ladder import LadderStrategy
from strategies.registry import Strategy
from strategies.rule import NO_STOP, StrategyRule, T


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
    order, close = now.order, now.close
    if order in (1.0, 5.0, 6.0):
        share = 1.0 if order == 1.0 else 0.5 if order == 5.0 else 0.25
        return enter(share, close - p.stop_away, close + p.take_away)
    if order in (2.0, 7.0):
        share = 1.0 if order == 2.0 else 1.0 / 3.0
        return enter(-share, close + p.stop_away, close - p.take_away)
    if order in (4.0, 10.0):
        return enter(-1.0 if order == 4.0 else max(min(held.target, 0.0) - 0.25, -1.0))
    if order == 11.0:
        return enter(min(max(held.target, 0.0) + 0.01, 1.0))
    if order == 8.0 and held.side != 0:
        stop = (close + held.entry_price) / 2 - held.side * p.stop_away / 4
        return Decision(held.target, stop, held.take, Reason.HOLD, 0)
    if order == 12.0 and held.side != 0:
        return move(held, stop=-1.0) if held.side > 0 else move(held, take=-1.0)
    if order in (3.0, 9.0):
        return flat(Reason.RULE if order == 3.0 else Reason.TIME)
    return hold(held)


RULE = StrategyRule(
    name="SCRIPTED",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: 1,
    stop=NO_STOP,
    bounds={"stop_away": (0.0, 1e6), "take_away": (0.0, 1e6)},
)


class ScriptedBacktest(BacktestStrategy):
    rule = RULE


class ScriptedLive(BaseStrategy):
    rule = RULE


SCRIPTED = Strategy(RULE, ScriptedBacktest, ScriptedLive)


class LadderParams(NamedTuple):
    levels: int = 6
    max_exposure: float = 0.95


def turn(now: Columns[float], prev: Columns[float], held: PositionView, p: LadderParams) -> Decision:
    """Want the rungs whose bits the volume has, 1 to 3 long or 4 to 6 short; 1: none, 0: what is held."""
    if now.order == 0.0:
        return hold(held)
    rungs, count, left = 0, 0, now.order
    for level in range(6, 0, -1):
        if left >= 1 << level:
            rungs, count, left = rungs | 1 << level, count + 1, left - (1 << level)
    side = 1.0 if rungs < 16 else -1.0
    return Decision(side * count / 3.0, NAN, NAN, Reason.NONE, rungs)


TURN_RULE = StrategyRule(
    name="TURNING",
    params=LadderParams,
    columns=columns,
    decide=turn,
    longest=lambda p: 1,
    bounds={"levels": (1, 6)},
    is_ladder=True,
    stop=NO_STOP,
)


class TurningBacktest(BacktestStrategy):
    rule = TURN_RULE


class TurningLive(LadderStrategy):
    rule = TURN_RULE


TURNING = Strategy(TURN_RULE, TurningBacktest, TurningLive)
"""A ladder that turns from long rungs to short ones at one open."""
