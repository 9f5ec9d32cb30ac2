"""What sizing looks at besides the account: the market's volatility and whether its regime suits an entry.

Columns like a rule's own: causal, of a bounded past, the same in every driver.
"""

from __future__ import annotations

import numpy as np

from core.domain import Bars, FloatArray
from core.regime.regime_detector import Regime, detect
from core.regime.regime_detector import history as regime_history
from core.sizing import Choices, Gauges

YEAR = 365.25 * 86_400_000
"""Milliseconds."""
_UNFIT = {Regime.RANGE: 0.5, Regime.TREND_UP: 0.0, Regime.TREND_DOWN: 0.0, Regime.HIGH_VOL: 1.0}
"""How much of the cut an entry takes in each regime."""


def gauges(bars: Bars, choices: Choices) -> Gauges:
    """Return both measures at each close; what is not asked for is 1 everywhere."""
    length = bars.close.size
    found = short_gauges(bars, choices)
    return Gauges(*(one if one.size == length else np.full(length, one[0]) for one in found))


def short_gauges(bars: Bars, choices: Choices) -> Gauges:
    """Return the same, where what is not asked for has one value for all bars (core.sizing.at_bar)."""
    plain = np.ones(1)
    volatility = annual_volatility(bars, choices.vol_period) if choices.vol_target > 0 else plain
    return Gauges(volatility, _fit(bars, choices) if choices.looks_at_regime else plain)


def history(choices: Choices) -> int:
    """Return the bars that give the last row of the whole past."""
    of_volatility = choices.vol_period + 1 if choices.vol_target > 0 else 0
    return max(of_volatility, regime_history() if choices.looks_at_regime else 0)


def annual_volatility(bars: Bars, period: int) -> FloatArray:
    """Return the realised volatility of the last `period` returns, annual, a fraction; NaN before.

    The root of the squared logarithmic returns' sum over the time it took (Andersen and Bollerslev, 1998), so
    that a gap counts as the time it is.
    """
    found = np.full(bars.close.size, np.nan)
    if bars.close.size > period:
        squares = np.diff(np.log(bars.close)) ** 2
        # Each window on its own: a running sum would depend on where the series starts.
        sums = np.lib.stride_tricks.sliding_window_view(squares, period).sum(axis=1)
        found[period:] = np.sqrt(sums * YEAR / (bars.ts[period:] - bars.ts[:-period]))
    return found


def _fit(bars: Bars, choices: Choices) -> FloatArray:
    label = detect(bars).label
    found = np.full(label.size, np.nan)
    kept = {
        Regime.RANGE: choices.regime_range,
        Regime.TREND_UP: choices.regime_trend,
        Regime.TREND_DOWN: choices.regime_trend,
        Regime.HIGH_VOL: choices.regime_high_vol,
    }
    for regime, part in _UNFIT.items():
        found[label == regime] = (1.0 - choices.regime_cut * part) * kept[regime]
    return found
