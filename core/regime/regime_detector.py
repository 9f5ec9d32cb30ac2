"""What kind of market it is at each close: a trend up or down, a range, or high volatility.

Four scores that add up to 1 are made of three measures: the ADX and the Hurst exponent say how much of a
trend there is, +DI against -DI which way, the rank of volatility among its own past how wild it is. The label
is that of the score which last was `certain_ratio` for `confirm_bars` closes on end, so that it does not
flicker.

Causal, and it forgets: `history` bars give the last bit of the label of the whole past (docs/decisions/0014).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from core.domain import Bars, FloatArray
from strategies.indicators import adx, directional
from strategies.indicators_more import before
from strategies.indicators_regime import hurst, rank, volatility
from strategies.rule import WILDER


class Regime(IntEnum):
    """A kind of market."""

    RANGE = 0
    """Neither; also where no score has been certain for long."""
    TREND_UP = 1
    TREND_DOWN = 2
    HIGH_VOL = 3


class RegimeParams(NamedTuple):
    """Periods in bars."""

    adx_period: int = 14
    adx_low: float = 15.0
    """No trend at this ADX or below."""
    adx_high: float = 30.0
    """A trend, as far as the ADX goes, at this one or above."""
    hurst_period: int = 128
    hurst_high: float = 0.65
    """Moves persist, as far as the Hurst exponent goes, from here on; not at all at 0.5 or below."""
    hurst_weight: float = 0.25
    """The exponent's part in the trend's score, the ADX's is the rest: it is rough."""
    vol_period: int = 20
    rank_period: int = 365
    """Bars whose volatility is compared with the present one."""
    rank_low: float = 0.85
    """Nothing unusual at this rank or below; as wild as it gets at rank 1."""
    certain_ratio: float = 0.5
    confirm_bars: int = 3
    reach_bars: int = 60
    """A label that has not been certain for so many bars gives way to RANGE."""


class Regimes(NamedTuple):
    """The regime of each bar, with what it is made of; arrays as long as the bars, NaN while warming up."""

    label: FloatArray
    """Numbers of Regime."""
    scores: FloatArray
    """Shape (4, bars), in the order of Regime; they add up to 1."""
    hurst: FloatArray
    adx: FloatArray
    rank: FloatArray
    """Of volatility, 0 to 1."""

    @property
    def score(self) -> FloatArray:
        """The score of the label, 0 to 1."""
        known = ~np.isnan(self.label)
        at = np.where(known, self.label, 0).astype(np.int64)
        return np.where(known, self.scores[at, np.arange(at.size)], np.nan)


DEFAULTS = RegimeParams()


def detect(bars: Bars, p: RegimeParams = DEFAULTS) -> Regimes:
    """Return the regime at each close."""
    return _regimes(bars, bars.close, p, bars.ts.size)


def newest_labels(bars: Bars, rows: int, p: RegimeParams = DEFAULTS) -> FloatArray:
    """Return the last labels of `detect`, which take a tenth of the time of all."""
    looked_at = rows + p.reach_bars + p.confirm_bars
    # Each value of these measures is made of its own window alone.
    window = max(p.hurst_period + 1, p.vol_period + p.rank_period)
    close = bars.close[max(0, bars.close.size - looked_at - window) :]
    return _regimes(bars, close, p, looked_at).label[-rows:]


def _regimes(bars: Bars, close: FloatArray, p: RegimeParams, rows: int) -> Regimes:
    """Return the regime at the last closes; `close`: as many as those have windows of."""
    last = slice(max(0, bars.ts.size - rows), None)
    strength = adx(bars.high, bars.low, bars.close, p.adx_period)[last]
    up, down = (one[last] for one in directional(bars.high, bars.low, bars.close, p.adx_period))
    recent = slice(max(0, close.size - rows), None)
    persistence = hurst(close, p.hurst_period)[recent]
    wildness = rank(volatility(close, p.vol_period), p.rank_period)[recent]
    trend = (1 - p.hurst_weight) * _ramp(strength, p.adx_low, p.adx_high)
    trend += p.hurst_weight * _ramp(persistence, 0.5, p.hurst_high)
    high_vol = _ramp(wildness, p.rank_low, 1.0)
    calm = 1 - high_vol
    scores = np.array([calm * (1 - trend), calm * trend * (up >= down), calm * trend * (up < down), high_vol])
    scores[:, np.isnan(scores.sum(axis=0))] = np.nan
    return Regimes(labelled(scores, p), scores, persistence, strength, wildness)


def labelled(scores: FloatArray, p: RegimeParams = DEFAULTS) -> FloatArray:
    """Return the label of each bar: the one that was certain last, RANGE if that is too long ago."""
    best = np.argmax(np.nan_to_num(scores), axis=0)
    found = np.where(scores.max(axis=0) >= p.certain_ratio, best, -1.0)
    certain = found >= 0
    for lag in range(1, p.confirm_bars):
        certain &= before(found, lag) == found
    at = np.arange(best.size)
    last = np.maximum.accumulate(np.where(certain, at, -1)) if best.size else at
    fresh = (last >= 0) & (at - last <= p.reach_bars)
    label = np.where(fresh, found[np.maximum(last, 0)], float(Regime.RANGE)) if best.size else found
    # A bar too few to look back on would know less than a live window does.
    known = ~np.isnan(before(scores.sum(axis=0), p.reach_bars + p.confirm_bars - 1))
    return np.where(known, label, np.nan)


def history(p: RegimeParams = DEFAULTS) -> int:
    """Return the bars that give the label of the whole past: the slowest measure, and how far labels look."""
    measures = max(WILDER * p.adx_period, p.hurst_period + 1, p.vol_period + p.rank_period)
    return measures + p.reach_bars + p.confirm_bars


def spans(label: FloatArray) -> list[tuple[int, int, Regime]]:
    """Return (first bar, last bar, label) of each stretch of bars with one label, oldest first."""
    known = np.flatnonzero(~np.isnan(label))
    if not known.size:
        return []
    start = int(known[0])
    turns = (np.flatnonzero(label[start + 1 :] != label[start:-1]) + start + 1).tolist()
    bounds = zip([start, *turns], [*turns, label.size], strict=True)
    return [(first, stop - 1, Regime(int(label[first]))) for first, stop in bounds]


def _ramp(x: FloatArray, low: float, high: float) -> FloatArray:
    """Return 0 up to `low`, 1 from `high` on, a straight line between."""
    ramp: FloatArray = np.clip((x - low) / (high - low), 0.0, 1.0)
    return ramp
