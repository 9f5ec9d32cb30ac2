"""Causal indicators: out[i] depends on x[: i + 1] only; NaN while warming up.

Recursive averages come from TA-Lib. Its SMA and STDDEV keep a running sum, so their last bits depend on
where the series starts and a live window would differ from a backtest; the windowed forms here depend on
the window alone (docs/decisions/0003). All take and return float64 arrays of one length.
"""

from __future__ import annotations

import numpy as np

from core.domain import FloatArray
from strategies.memo import remembered
from strategies.ta_lib import talib

TIE = 1e-12
"""Two values that differ by no more than this part of what they are measured in are one: what is left of a
tie in exact numbers by rounding is about a hundredth of it, and a real difference of prices far more."""


@remembered
def ema(x: FloatArray, period: int) -> FloatArray:
    """Return the exponential moving average, alpha = 2 / (period + 1), seeded by the first SMA.

    First value at index period - 1. Source: TA-Lib EMA.
    """
    return np.asarray(talib.EMA(x, period))


@remembered
def atr(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> FloatArray:
    """Return the average true range in price units, Wilder smoothing; first value at index period.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978); TA-Lib ATR.
    """
    return np.asarray(talib.ATR(high, low, close, period))


@remembered
def sma(x: FloatArray, period: int) -> FloatArray:
    """Return the mean of the last `period` values; exact on a flat window."""
    out = np.full(x.size, np.nan)
    if x.size < period:
        return out
    oldest = x[: x.size - period + 1]
    total = np.zeros(oldest.size)
    for lag in range(1, period):
        total += x[lag : lag + oldest.size] - oldest
    out[period - 1 :] = oldest + total / period
    return out


def tied(x: FloatArray, y: FloatArray | float, size: FloatArray | float) -> FloatArray:
    """Return x, with y's own value where the two differ by no more than TIE of `size`.

    Means of the same prices added up in another order are equal in exact numbers and not in floats: without
    this the last bit would say which of the two is the greater.
    """
    return np.where(np.abs(x - y) <= TIE * size, y, x)


def side_of(x: FloatArray, y: FloatArray | float, size: FloatArray | float) -> FloatArray:
    """Return +1 where x is above y, -1 below, 0 where they are `tied`."""
    return np.sign(tied(x, y, size) - y)


@remembered
def std(x: FloatArray, period: int) -> FloatArray:
    """Return the population standard deviation (ddof 0) of the last `period` values."""
    out = np.full(x.size, np.nan)
    if x.size < period:
        return out
    mean = sma(x, period)[period - 1 :]
    total = np.zeros(mean.size)
    for lag in range(period):
        total += (x[lag : lag + mean.size] - mean) ** 2
    out[period - 1 :] = np.sqrt(total / period)
    return out


@remembered
def bollinger(x: FloatArray, period: int, width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (mid, upper, lower): the SMA and `width` population standard deviations around it.

    Source: J. Bollinger, Bollinger on Bollinger Bands (2001).
    """
    mid, spread = sma(x, period), width * std(x, period)
    return mid, mid + spread, mid - spread


@remembered
def highest(x: FloatArray, period: int) -> FloatArray:
    """Return the greatest of the last `period` values, this one included. Source: TA-Lib MAX."""
    return np.asarray(talib.MAX(x, period)) if period > 1 else x


@remembered
def lowest(x: FloatArray, period: int) -> FloatArray:
    """Return the least of the last `period` values, this one included. Source: TA-Lib MIN."""
    return np.asarray(talib.MIN(x, period)) if period > 1 else x


@remembered
def rsi(x: FloatArray, period: int) -> FloatArray:
    """Return the relative strength index, 0 to 100, Wilder smoothing; first value at index period.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978); TA-Lib RSI.
    """
    return np.asarray(talib.RSI(x, period))


@remembered
def adx(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> FloatArray:
    """Return the average directional index, 0 to 100; first value at index 2 * period - 1.

    Smoothed twice, so it forgets its start only after twice as many bars as an ATR of that period.
    Source: Wilder (1978); TA-Lib ADX.
    """
    return np.asarray(talib.ADX(high, low, close, period))


@remembered
def directional(
    high: FloatArray, low: FloatArray, close: FloatArray, period: int
) -> tuple[FloatArray, FloatArray]:
    """Return (+DI, -DI), 0 to 100: how much of the true range was a new high, and how much a new low.

    Wilder smoothing; first values at index period. Source: Wilder (1978); TA-Lib PLUS_DI and MINUS_DI.
    """
    up, down = talib.PLUS_DI(high, low, close, period), talib.MINUS_DI(high, low, close, period)
    return np.asarray(up), np.asarray(down)


@remembered
def macd(x: FloatArray, fast: int, slow: int, signal: int) -> tuple[FloatArray, FloatArray]:
    """Return (line, signal) in price units: fast EMA less slow EMA, and that line's own EMA.

    First values at index slow - 1 and slow + signal - 2. Source: G. Appel, Technical Analysis (2005).
    TA-Lib's MACD starts the fast EMA later than its own EMA does; this one does not.
    """
    line = ema(x, fast) - ema(x, slow)
    return line, ema(line, signal)


@remembered
def stochastic(
    high: FloatArray, low: FloatArray, close: FloatArray, period: int, smooth: int
) -> tuple[FloatArray, FloatArray]:
    """Return (k, d), 0 to 100: where the close lies in the range of `period` bars, averaged once and twice.

    50 where the range is empty. First values at index period + smooth - 2 and period + 2 * smooth - 3.
    Source: G. Lane, the slow stochastic; TA-Lib's STOCH keeps running sums, this one looks at windows alone.
    """
    top, bottom = highest(high, period), lowest(low, period)
    width = top - bottom
    raw = np.where(width > 0, 100.0 * (close - bottom) / np.where(width > 0, width, 1.0), 50.0)
    k = sma(np.where(np.isnan(width), np.nan, raw), smooth)
    return k, sma(k, smooth)
