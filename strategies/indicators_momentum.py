"""The six measures of a young trend, which MOMENTUM trades on."""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, FloatArray
from strategies.indicators import adx, atr, ema, macd, rsi, sma
from strategies.indicators_more import agreed, before, crossed, divergence, longer_trend
from strategies.rule import T


class Columns(NamedTuple, Generic[T]):
    """What there is to know of it, per bar."""

    close: T
    side: T
    """+1 where all agree on up, -1 on down, else 0."""
    lean: T
    """Fast EMA less slow EMA, price units."""
    told: T
    """A divergence of price and RSI, as `divergence` tells it."""
    atr: T


def young_trend(
    bars: Bars,
    fast: int,
    slow: int,
    within: int,
    longer: int,
    rsi_margin: float,
    adx_min: float,
    volume_mult: float,
    period: int,
) -> Columns[FloatArray]:
    """Return the measures; `period` is that of RSI, ADX and ATR.

    They are: the EMAs crossed within so many bars, and stand so on closed bars `longer` times as long; MACD's
    histogram is on that side and grows; RSI is `rsi_margin` from 50, ADX above `adx_min`, volume above
    `volume_mult` averages of 20 bars.
    """
    lean = ema(bars.close, fast) - ema(bars.close, slow)
    higher = longer_trend(bars.ts, bars.close, longer, fast, slow)
    line, signal = macd(bars.close, 12, 26, 9)
    bar, index = line - signal, rsi(bars.close, period)
    strong = abs(index - 50.0) > rsi_margin
    strong &= adx(*bars[2:5], period) > adx_min
    strong &= bars.volume > volume_mult * sma(bars.volume, 20)
    side = strong * agreed(crossed(lean, within), higher, bar, bar - before(bar, 1), index - 50.0)
    told = divergence(bars.high, bars.low, index, 5, 60)
    return Columns(bars.close, side, lean, told, atr(*bars[2:5], period))
