"""Momentum (MOMENTUM): join a young trend that six measures agree on, and trail the stop ever closer.

Entry   flat; EMAs crossed up within `cross_period` bars and are so on closed bars `trend_mult` times as long,
        RSI, ADX, volume and a growing MACD histogram agree: long; all of it the other way: short.
Exit    stop `atr_stop_mult` ATRs from the close; 1, 2, 3 first risks ahead 1.2, 1.0, 0.8 ATRs, never back. By
        rule: EMAs back, RSI divergence. By time: after `time_period` bars and not 2 risks ahead. The take,
        `take_ratio` risks off, tells later bars the first risk. Pauses are the risk manager's.
Source  the project's documents, "Momentum / Trend Following".
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators_momentum import Columns, young_trend
from strategies.rule import MEMORY, WILDER, Span, StrategyRule


class Params(NamedTuple):
    """Periods, times in bars; RSI in points, volume in means of 20; distances in ATRs; MACD 12, 26, 9."""

    ema_fast: Annotated[int, Span(4, 20)] = 9
    ema_slow: Annotated[int, Span(12, 60, 4)] = 21
    cross_period: Annotated[int, Span(2, 10)] = 3
    trend_mult: Annotated[int, Span(2, 8)] = 4
    rsi_margin: Annotated[float, Span(0, 15, 2.5)] = 5.0
    adx_min: Annotated[float, Span(10, 40, 5)] = 25.0
    volume_mult: Annotated[float, Span(0.5, 3, 0.5)] = 1.5
    wilder_period: Annotated[int, Span(7, 28, 7)] = 14
    atr_stop_mult: Annotated[float, Span(1, 4, 0.5)] = 1.5
    take_ratio: Annotated[float, Span(2, 12, 2)] = 10.0
    time_period: Annotated[int, Span(24, 168, 24)] = 72
    risk_per_trade: float = 0.01


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns; arrays as long as the bars."""
    return young_trend(bars, *p[:8])


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
        return move(held, stop=now.close - held.side * away)
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
