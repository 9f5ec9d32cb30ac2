"""Ensemble (ENSEMBLE): follow eight strategies at once, by weight and by the market's kind.

Entry   flat; the members' virtual positions, added up by weight, regime fit and (`learn_ratio`) late gains,
        are `change_ratio` to one side, with `agree_ratio` of the voting weight: so much of the allocation.
Exit    the sum is back at nothing: by rule; stop `atr_stop_mult` ATRs from the close of the signal. Till then
        it follows a sum that moved by `change_ratio`, but not for `settle_bars` bars after a new regime.
Source  the project's documents, "regime detector and ensemble"; docs/decisions/0015.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from core.ensemble import ensemble as whole
from core.ensemble.ensemble import Params
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import atr
from strategies.rule import StrategyRule, T


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    target: T
    agreement: T
    is_settled: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    return newest(bars, p, whole.combine)


def newest(bars: Bars, p: Params, combine: whole.Combine = whole.newest_ensemble) -> Columns[FloatArray]:
    """Compute the last rows, as many as `combine` knows."""
    found, width = combine(bars, p), atr(*bars[2:5], p.atr_period)
    close, width = bars.close[-found.whole.size :], width[-found.whole.size :]
    return Columns(close, found.target, found.agreement, found.is_settled, width)


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if not now.is_settled > 0:
        return hold(held)
    if held.side != 0 and held.side * now.target <= 0:
        return flat(Reason.RULE)
    if now.agreement < p.agree_ratio or abs(now.target - held.target) < p.change_ratio:
        return hold(held)
    if held.side != 0:
        return move(held, target=now.target)
    side = (now.target > 0) - (now.target < 0)
    return enter(now.target, now.close - side * p.atr_stop_mult * now.atr)


RULE = StrategyRule(
    name="ENSEMBLE",
    params=Params,
    columns=columns,
    decide=decide,
    longest=whole.longest,
    bounds=whole.BOUNDS,
    history=whole.history_of,
    follows=tuple(whole.KINDS),
    newest=newest,
)


class EnsembleBacktest(BacktestStrategy):
    """ENSEMBLE on Backtesting.py."""

    rule = RULE


class EnsembleLive(BaseStrategy):
    """ENSEMBLE bar by bar."""

    rule = RULE
