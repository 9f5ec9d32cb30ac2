"""Several strategies' virtual positions made one target: weight x regime fit x how it went lately.

Every step is a sum or product of causal columns, so an ensemble is a rule like any other; what each member
adds to the target is known at every bar, and these parts add up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import numpy as np

from core.domain import Bars, FloatArray
from core.ensemble.members import wanted
from core.regime.regime_detector import Regime, RegimeParams, detect, history, newest_labels
from strategies.indicators import sma, std
from strategies.indicators_more import before
from strategies.registry import load_strategy
from strategies.rule import WILDER, Span, StrategyRule

FITS = {
    "trend": {Regime.RANGE: 0.25, Regime.TREND_UP: 1.0, Regime.TREND_DOWN: 1.0, Regime.HIGH_VOL: 0.5},
    "breakout": {Regime.RANGE: 0.5, Regime.TREND_UP: 1.0, Regime.TREND_DOWN: 1.0, Regime.HIGH_VOL: 0.5},
    "reversion": {Regime.RANGE: 1.0, Regime.TREND_UP: 0.25, Regime.TREND_DOWN: 0.25, Regime.HIGH_VOL: 0.5},
}
"""What part of its weight a kind of strategy keeps in which market."""

KINDS = {
    "TREND_EMA": "trend",
    "SUPERTREND": "trend",
    "TURTLE": "trend",
    "MACD_CROSS": "trend",
    "SQZ_BO": "breakout",
    "MR_BB": "reversion",
    "RSI_REVERSION": "reversion",
    "VOL_HUNTER": "reversion",
}
"""The strategies an ensemble may be made of, and their kinds."""

PARTS = 4
"""The target is rounded to quarters: a smaller change is not worth its costs."""


class Params(NamedTuple):
    """How an ensemble is put together and traded: weights, 0 to leave one out; periods in bars."""

    trend_ema_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    supertrend_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    turtle_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    macd_cross_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    sqz_bo_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    mr_bb_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    rsi_reversion_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    vol_hunter_weight: Annotated[float, Span(0, 2, 0.5)] = 1.0
    change_ratio: Annotated[float, Span(0.25, 1, 0.25)] = 0.5
    """The position follows a target that is so far from it."""
    agree_ratio: Annotated[float, Span(0.5, 0.9, 0.1)] = 0.6
    """Part of the voting weight that must be on one side."""
    learn_ratio: Annotated[float, Span(0, 1, 0.25)] = 0.0
    """How far a member's late gains change its weight: by this part of it, up or down; 0 for not at all."""
    learn_period: int = 100
    restart_period: int = 200
    """A member's virtual position starts flat so many to twice as many bars before."""
    rank_period: int = 250
    """Bars whose volatility the regime compares with the present one."""
    hurst_period: int = 128
    settle_bars: Annotated[int, Span(0, 12, 3)] = 3
    """Bars after a change of regime in which nothing is changed."""
    atr_period: int = 14
    atr_stop_mult: Annotated[float, Span(1.5, 6, 0.5)] = 3.0
    risk_per_trade: float = 0.01


BOUNDS = {
    **{f"{name.lower()}_weight": (0.0, 100.0) for name in KINDS},
    "change_ratio": (0.25, 1.0),
    "agree_ratio": (0.5, 1.0),
    "learn_ratio": (0.0, 1.0),
    "hurst_period": (16.0, 2000.0),
    "settle_bars": (0.0, 1000.0),
}
"""Of the parameters whose names do not say them."""


class Ensemble(NamedTuple):
    """What an ensemble is made of at each close; arrays as long as the bars, NaN while warming up."""

    names: tuple[str, ...]
    parts: FloatArray
    """Shape (members, bars): what each adds to the whole, -1 to 1."""
    whole: FloatArray
    """The sum of the parts, -1 to 1."""
    agreement: FloatArray
    """The part of the voting weight that is on the larger side, 0.5 to 1; 1 where nobody votes."""
    is_settled: FloatArray
    """1 where the regime has been the same for long enough, else 0."""
    regime: FloatArray

    @property
    def target(self) -> FloatArray:
        """The whole, rounded to quarters."""
        return np.round(self.whole * PARTS) / PARTS


Combine = Callable[[Bars, Params], Ensemble]
"""Makes the ensemble at each close, or at the last ones."""


def weights_of(p: Params) -> dict[str, float]:
    """Return the weights of the strategies that have one."""
    weights = {name: float(getattr(p, f"{name.lower()}_weight")) for name in KINDS}
    return {name: weight for name, weight in weights.items() if weight > 0}


def regime_params(p: Params) -> RegimeParams:
    """Return how the regime is told."""
    return RegimeParams(rank_period=p.rank_period, hurst_period=p.hurst_period)


def longest(p: Params) -> int:
    """Return the longest period, in bars."""
    members = (rule.longest(rule.params()) for rule in _rules(p))
    return max(p.restart_period, p.rank_period, p.hurst_period, p.atr_period, *members)


def history_of(p: Params) -> int:
    """Return the bars that give the last row of the whole past."""
    slowest = max((rule.memory(rule.params()) for rule in _rules(p)), default=0)
    followed = 2 * p.restart_period + slowest + (p.learn_period if p.learn_ratio > 0 else 0)
    return max(followed, history(regime_params(p)) + p.settle_bars, WILDER * p.atr_period) + 2


def combine(bars: Bars, p: Params) -> Ensemble:
    """Return the ensemble at each close."""
    regime = detect(bars, regime_params(p)).label
    return _combined(bars, regime, [_votes(bars, name, p.restart_period) for name in weights_of(p)], p)


def newest_ensemble(bars: Bars, p: Params) -> Ensemble:
    """Return the ensemble at the last two closes or some more, in a tenth of the time of all."""
    if p.learn_ratio > 0:
        return combine(bars, p)
    rows = 2 + p.settle_bars
    regime = newest_labels(bars, rows, regime_params(p))
    votes = [_newest_votes(bars, name, p.restart_period, rows) for name in weights_of(p)]
    return _combined(bars.since(max(0, bars.ts.size - rows)), regime, votes, p)


def _combined(bars: Bars, regime: FloatArray, members: Sequence[FloatArray], p: Params) -> Ensemble:
    """Return the ensemble of the members' targets at these closes."""
    length, chosen = bars.ts.size, weights_of(p)
    names = tuple(chosen)
    votes = np.array(members).reshape(len(names), length)
    weights = np.array(
        [
            chosen[name] * _fit(regime, KINDS[name]) * _lately(vote, bars.close, p)
            for name, vote in zip(names, votes, strict=True)
        ]
    ).reshape(len(names), length)
    total, up, down = _added(weights), _added(weights * (votes > 0)), _added(weights * (votes < 0))
    parts = weights * votes / np.where(total > 0, total, 1.0)
    voting = up + down
    agreement = np.where(voting > 0, np.maximum(up, down) / np.where(voting > 0, voting, 1.0), 1.0)
    whole = np.where(np.isnan(regime), np.nan, _added(parts))
    return Ensemble(names, parts, whole, agreement, _settled(regime, p.settle_bars), regime)


def _rules(p: Params) -> list[StrategyRule]:
    return [load_strategy(name).rule for name in weights_of(p)]


def _votes(bars: Bars, name: str, restart: int) -> FloatArray:
    rule = load_strategy(name).rule
    return wanted(bars, rule, rule.params(), restart)


def _newest_votes(bars: Bars, name: str, restart: int, rows: int) -> FloatArray:
    rule = load_strategy(name).rule
    params = rule.params()
    # As far back as a stretch begins, and what the columns there look back on.
    needed = bars.since(max(0, bars.ts.size - rows - 2 * restart - rule.memory(params)))
    return wanted(needed, rule, params, restart, rows)[-rows:]


def _fit(regime: FloatArray, kind: str) -> FloatArray:
    fits = np.array([FITS[kind][label] for label in Regime])
    known = ~np.isnan(regime)
    return np.where(known, fits[np.where(known, regime, 0).astype(np.int64)], np.nan)


def _lately(vote: FloatArray, close: FloatArray, p: Params) -> FloatArray:
    """Return what a member's own moves make of its weight: 1 less to 1 more `learn_ratio`.

    Its gains per bar over their deviation, times the root of their number, is 2 where chance alone would
    seldom bring as much: there the whole ratio is used.
    """
    if p.learn_ratio == 0:
        return np.ones(close.size)
    gains = before(vote, 1) * (close / before(close, 1) - 1)
    mean, noise = _after_nan(sma, gains, p.learn_period), _after_nan(std, gains, p.learn_period)
    surprise = np.where(noise > 0, mean / np.where(noise > 0, noise, 1.0), 0.0) * p.learn_period**0.5
    surprise[np.isnan(noise)] = np.nan
    factor: FloatArray = 1 + p.learn_ratio * np.clip(surprise / 2, -1.0, 1.0)
    return factor


def _after_nan(average: Callable[[FloatArray, int], FloatArray], x: FloatArray, period: int) -> FloatArray:
    """Return a windowed average of what begins with NaN."""
    first = int(np.argmax(~np.isnan(x))) if x.size else 0
    found: FloatArray = np.concatenate([x[:first], average(np.ascontiguousarray(x[first:]), period)])
    return found


def _settled(regime: FloatArray, bars: int) -> FloatArray:
    settled = np.ones(regime.size)
    for lag in range(1, bars + 1):
        settled *= before(regime, lag) == regime
    return np.where(np.isnan(before(regime, bars)), np.nan, settled)


def _added(rows: FloatArray) -> FloatArray:
    """Return the sum of the rows, first to last."""
    total = np.zeros(rows.shape[1])
    for values in rows:
        total += values
    return total
