"""Momentum (MOMENTUM): join a young trend that six measures agree on, and trail the stop ever closer.

Entry   flat; EMAs crossed up within `cross_period` bars, RSI above 50 by `rsi_margin`, ADX above `adx_min`,
        volume above `volume_mult` averages, MACD histogram above 0 and rising, and the EMAs of closed bars
        `trend_mult` times as long (1h: 4h) agree: long; all of it the other way: short.
Exit    stop `atr_stop_mult` ATRs from the close; at closes 1, 2, 3 first risks ahead 1.2, 1.0, 0.8 ATRs from
        it, never back. By rule: EMAs back, RSI divergence. By time: `time_period` bars and not 2 risks ahead.
        The take, `take_ratio` risks off, tells later bars the first risk. Pauses are the risk manager's.
Source  the project's documents, "Momentum / Trend Following".
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import adx, atr, ema, macd, rsi, sma
from strategies.indicators_more import agreed, before, crossed, divergence, longer_trend
from strategies.rule import MEMORY, WILDER, StrategyRule, T


class Params(NamedTuple):
    """Periods and times in bars, RSI in points, volume in averages, distances in ATRs."""

    ema_fast: int = 9
    ema_slow: int = 21
    cross_period: int = 3
    trend_mult: int = 4
    rsi_margin: float = 5.0
    adx_min: float = 25.0
    volume_mult: float = 1.5
    wilder_period: int = 14
    atr_stop_mult: float = 1.5
    take_ratio: float = 10.0
    time_period: int = 72
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    side: T
    lean: T
    told: T
    atr: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    lean = ema(bars.close, p.ema_fast) - ema(bars.close, p.ema_slow)
    higher = longer_trend(bars.ts, bars.close, p.trend_mult, p.ema_fast, p.ema_slow)
    line, signal = macd(bars.close, 12, 26, 9)
    bar, index = line - signal, rsi(bars.close, p.wilder_period)
    strong = abs(index - 50.0) > p.rsi_margin
    strong &= adx(*bars[2:5], p.wilder_period) > p.adx_min
    strong &= bars.volume > p.volume_mult * sma(bars.volume, 20)
    side = strong * agreed(crossed(lean, p.cross_period), higher, bar, bar - before(bar, 1), index - 50.0)
    told = divergence(bars.high, bars.low, index, 5, 60)
    return Columns(bars.close, side, lean, told, atr(*bars[2:5], p.wilder_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and abs(now.side) > 0:
        risk = now.side * p.atr_stop_mult * now.atr
        return enter(now.side, now.close - risk, now.close + p.take_ratio * risk)
    risk = held.side * (held.take - held.entry_price) / p.take_ratio
    gain = held.side * (now.close - held.entry_price)
    if held.side * now.lean < 0 or held.side * now.told < 0:
        return flat(Reason.RULE)
    if held.bars_held >= p.time_period and gain < 2 * risk:
        return flat(Reason.TIME)
    away = (1.2 - 0.2 * (gain > 2 * risk) - 0.2 * (gain > 3 * risk)) * now.atr
    if gain > risk and held.side * (now.close - held.stop) > away:
        return Decision(held.target, now.close - held.side * away, held.take, Reason.HOLD, 0)
    return hold(held)


RULE = StrategyRule(
    name="MOMENTUM",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.trend_mult * p.ema_slow, 2 * p.wilder_period),
    orders=(("ema_fast", "ema_slow"),),
    history=lambda p: max(21 * p.ema_slow * p.trend_mult, 26 * MEMORY, WILDER * p.wilder_period),
)


class MomentumBacktest(BacktestStrategy):
    """MOMENTUM on Backtesting.py."""

    rule = RULE


class MomentumLive(BaseStrategy):
    """MOMENTUM bar by bar."""

    rule = RULE
