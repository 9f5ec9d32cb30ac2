"""Trade while bitcoin rises (PARTNER): what it does, in a line.

Entry   the close is above its own mean, the partner's above the partner's mean, and the partner's last
        closed day did not fall: long.
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
    fall_ratio: float = 0.05
    atr_period: int = 14
    atr_stop_mult: float = 3.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    mean: T
    rises: T
    day: T
    atr: T


def columns(bars: Bars, p: Params, partners: tuple[Joined, ...] | None = None) -> Columns[FloatArray]:
    """Compute all bars at once; of a partner what was closed at each close of ours is known."""
    same, day = given(partners, "PARTNER")
    # A column of a partner's own candles; `at` brings it to our bars.
    above = same.bars.close - sma(same.bars.close, p.partner_period)
    return Columns(
        close=bars.close,
        mean=sma(bars.close, p.ma_period),
        rises=same.is_fresh * same.at(above),
        day=day.at(day.bars.close / day.bars.open - 1),
        atr=atr(bars.high, bars.low, bars.close, p.atr_period),
    )


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and now.close > now.mean and now.rises > 0 and now.day > -p.fall_ratio:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    if held.side > 0 and now.rises <= 0:
        return flat(Reason.RULE)
    return hold(held)


def both(symbol: str) -> list[str | tuple[str, str]]:
    """Return bitcoin, for bitcoin itself ether: on our own timeframe, and its days."""
    return [partner_of(symbol), (partner_of(symbol), "1d")]


RULE = StrategyRule(
    name="PARTNER",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: max(p.ma_period, p.partner_period, p.atr_period),
    bounds={"fall_ratio": (0.0, 0.5)},
    # Whatever is not an average of its own window needs longer to forget: Wilder's ATR. Long enough for a
    # whole day of the partner too, which begins at midnight.
    history=lambda p: max(p.ma_period, p.partner_period, WILDER * p.atr_period) + 1,
    # One alone may be named without the brackets, `partner=partner_of`: columns then takes it, in place of
    # a tuple.
    partner=both,
)
