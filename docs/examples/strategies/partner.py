"""Trade while bitcoin rises (PARTNER): what it does, in a line.

Entry   the close is above its own mean, and the partner's close is above the partner's mean: long.
Exit    the partner falls below its mean, or has no candle of the last bar; the stop.
Source  where the idea is from.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators import atr, sma
from strategies.pairing import Joined, given, partner_of
from strategies.rule import WILDER, StrategyRule, T


class Params(NamedTuple):
    """Numbers to play with; periods in bars."""

    ma_period: int = 50
    partner_period: int = 100
    atr_period: int = 14
    atr_stop_mult: float = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    mean: T
    rises: T
    atr: T


def columns(bars: Bars, p: Params, partner: Joined | None = None) -> Columns[FloatArray]:
    """Compute all bars at once; the partner's closes are those known at each close of ours."""
    other = given(partner, "PARTNER")
    rises = other.is_fresh * (other.close - sma(other.close, p.partner_period))
    return Columns(
        close=bars.close,
        mean=sma(bars.close, p.ma_period),
        rises=rises,
        atr=atr(bars.high, bars.low, bars.close, p.atr_period),
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and now.close > now.mean and now.rises > 0:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if held.side > 0 and now.rises <= 0:
        return flat(Reason.RULE)
    return hold(held)


RULE = StrategyRule(
    name="PARTNER",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ma_period, p.partner_period, p.atr_period),
    # Whatever is not an average of its own window needs longer to forget: Wilder's ATR.
    history=lambda p: max(p.ma_period, p.partner_period, WILDER * p.atr_period) + 1,
    partner=partner_of,  # bitcoin; for bitcoin itself ether. Any function: lambda symbol: "BTC/USDT"
)
