"""Rules for tests that use all that a position remembers.

REMEMBERING enters with the market's push; after a loss only `wait` bars later. It trails its stop behind the
best price since the entry, which it keeps in `note`; adds a lot whenever the price has gone `step` ranges
against the newest one; halves what it holds, once, when it is `part` ranges ahead; leaves after `most` bars.

RECALLING is a ladder that opens a rung where the last one was `step` ranges higher; all rungs leave when the
price is `part` ranges above what the oldest remembers of its entry, twice that for ten bars after a loss.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

import numpy as np

from core.domain import NAN, Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import sma
from strategies.ladder import LadderStrategy
from strategies.registry import Strategy
from strategies.rule import NO_STOP, StrategyRule, T


class Params(NamedTuple):
    period: int = 5
    wait: int = 4
    away: float = 2.0
    step: float = 0.7
    part: float = 1.5
    most: int = 20
    risk_per_trade: float = 0.02
    max_exposure: float = 0.95


class Columns(NamedTuple, Generic[T]):
    high: T
    low: T
    close: T
    push: T
    reach: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    push = np.full(bars.close.size, np.nan)
    push[p.period :] = bars.close[p.period :] - bars.close[: -p.period]
    return Columns(bars.high, bars.low, bars.close, push, sma(bars.high - bars.low, p.period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    away = p.away * now.reach
    if held.side == 0:
        if (held.last_result < 0 and held.since_exit < p.wait) or now.push == 0:
            return hold(held)
        side = 1.0 if now.push > 0 else -1.0
        return enter(0.4 * side, now.close - side * away, note=now.close)
    best = max(held.note, now.high) if held.side > 0 else min(held.note, now.low)
    stop = best - held.side * away
    if held.bars_held >= p.most:
        return flat(Reason.TIME)
    if held.side * (held.newest_price - now.close) > p.step * now.reach and abs(held.target) < 0.9:
        return move(held, stop=stop, target=held.target + held.side * 0.3, note=best)
    is_whole = held.since_exit > held.bars_held
    if is_whole and held.side * (now.close - held.entry_price) > p.part * now.reach:
        return move(held, stop=stop, target=held.target * 0.5, note=best)
    return move(held, stop=stop, note=best)


RULE = StrategyRule(
    name="REMEMBERING",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.period,
    bounds={
        "period": (2, 100),
        "wait": (0, 1000),
        "away": (0.1, 100.0),
        "step": (0.1, 100.0),
        "part": (0.1, 100.0),
        "most": (1, 10_000),
    },
)


class RememberingBacktest(BacktestStrategy):
    rule = RULE


class RememberingLive(BaseStrategy):
    rule = RULE


REMEMBERING = Strategy(RULE, RememberingBacktest, RememberingLive)


class LadderParams(NamedTuple):
    period: int = 5
    wait: int = 3
    step: float = 0.5
    part: float = 1.0
    levels: int = 4
    max_exposure: float = 0.95


def recall(now: Columns[float], prev: Columns[float], held: PositionView, p: LadderParams) -> Decision:
    if held.side == 0:
        if held.last_result < 0 and held.since_exit < p.wait:
            return hold(held)
        return Decision(0.25, NAN, NAN, Reason.ENTRY, 2, now.close)
    # The last_result of a rung that has just left says whether the others are given more room.
    part = p.part if held.since_exit > 10 or held.last_result > 0 else 2.0 * p.part
    if now.close > held.note + part * now.reach:
        return flat(Reason.RULE)
    rungs, count = held.rungs, 0
    for level in range(1, 5):
        if (rungs >> level) & 1:
            count += 1
    if count < p.levels and now.close < held.newest_price - p.step * now.reach:
        for level in range(1, 5):
            if not (rungs >> level) & 1:
                return Decision(0.25 * (count + 1), NAN, NAN, Reason.ENTRY, rungs | (1 << level), now.close)
    if count == p.levels and now.push > 0:
        return Decision(0.25 * (count - 1), NAN, NAN, Reason.REDUCE, rungs & ~2, now.low)
    return hold(held)


LADDER_RULE = StrategyRule(
    name="RECALLING",
    params=LadderParams,
    columns=columns,
    decide=recall,
    longest=lambda p: p.period,
    bounds={
        "period": (2, 100),
        "wait": (0, 1000),
        "step": (0.1, 100.0),
        "part": (0.1, 100.0),
        "levels": (1, 4),
    },
    is_ladder=True,
    stop=NO_STOP,
)


class RecallingBacktest(BacktestStrategy):
    rule = LADDER_RULE


class RecallingLive(LadderStrategy):
    rule = LADDER_RULE


RECALLING = Strategy(LADDER_RULE, RecallingBacktest, RecallingLive)
