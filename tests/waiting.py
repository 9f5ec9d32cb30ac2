"""Rules for tests whose entries wait for a price.

PATIENT, where the push turns, waits three bars for a price `near` ranges beyond the close in its direction
(trigger), else two bars for one as far against it (limit), with a stop and a take `away` and `gain` ranges
from there. What waits is withdrawn when the push turns. What is held trails its stop `trail` ranges behind
the close, even while an addition at a limit waits; and leaves after `most` bars.

RUNGS is a ladder that asks for its two rungs at a limit and holds them, both or none, for `most` bars.
"""

from __future__ import annotations

from typing import NamedTuple

from core.domain import NAN, Decision, PositionView, Reason, enter, flat, hold, move
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.ladder import LadderStrategy
from strategies.registry import Strategy
from strategies.rule import NO_STOP, StrategyRule
from tests.remembering import Columns, columns


class Params(NamedTuple):
    period: int = 4
    near: float = 0.4
    away: float = 0.7
    gain: float = 0.9
    trail: float = 1.2
    most: int = 9
    risk_per_trade: float = 0.02
    max_exposure: float = 0.95


BOUNDS = dict.fromkeys(("near", "away", "gain", "trail"), (0.01, 1000.0))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    is_turn, side = now.push * prev.push < 0, 1.0 if now.push > 0 else -1.0
    near, away, gain = p.near * now.reach, p.away * now.reach, p.gain * now.reach
    if held.side == 0:
        if held.waiting > 0:
            return flat() if is_turn else hold(held)
        if is_turn:
            at = now.close + side * near
            return enter(0.5 * side, at - side * away, at + side * gain, trigger=at, valid_bars=3)
        at = now.close - side * near
        return enter(0.5 * side, at - side * away, at + side * gain, limit=at, valid_bars=2)
    if held.bars_held >= p.most:
        return flat(Reason.TIME)
    if held.side * now.push > 0 and abs(held.target) < 0.6 and held.waiting == 0:
        at = now.close - held.side * near
        return enter(held.target + 0.3 * held.side, held.stop, held.take, note=at, limit=at, valid_bars=2)
    best = now.close - held.side * p.trail * now.reach
    return move(held, stop=max(held.stop, best) if held.side > 0 else min(held.stop, best))


RULE = StrategyRule(
    name="PATIENT",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.period,
    bounds=BOUNDS | {"period": (2, 100), "most": (1, 1000)},
)


class PatientBacktest(BacktestStrategy):
    rule = RULE


class PatientLive(BaseStrategy):
    rule = RULE


PATIENT = Strategy(RULE, PatientBacktest, PatientLive)


class LadderParams(NamedTuple):
    period: int = 4
    near: float = 0.5
    gain: float = 1.0
    most: int = 6
    levels: int = 2
    max_exposure: float = 0.95


def rungs(now: Columns[float], prev: Columns[float], held: PositionView, p: LadderParams) -> Decision:
    if held.side != 0:
        return flat(Reason.TIME) if held.bars_held >= p.most else hold(held)
    if held.waiting > 0:
        return hold(held)
    at = now.close - p.near * now.reach
    return Decision(1.0, NAN, at + p.gain * now.reach, Reason.ENTRY, 6, NAN, at, NAN, 2)


LADDER_RULE = StrategyRule(
    name="RUNGS",
    params=LadderParams,
    columns=columns,
    decide=rungs,
    longest=lambda p: p.period,
    bounds={
        "period": (2, 100),
        "near": (0.01, 10.0),
        "gain": (0.01, 10.0),
        "most": (1, 99),
        "levels": (1, 2),
    },
    is_ladder=True,
    stop=NO_STOP,
)


class RungsBacktest(BacktestStrategy):
    rule = LADDER_RULE


class RungsLive(LadderStrategy):
    rule = LADDER_RULE


RUNGS = Strategy(LADDER_RULE, RungsBacktest, RungsLive)
