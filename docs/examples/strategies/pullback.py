"""Wait for a lower price in a rising market (PULLBACK): an entry at a limit.

Entry   above the mean: a limit order `dip_ratio` below the close, for `wait_period` bars; long.
Exit    a close below the mean, which also withdraws an order that waits; the stop; the take-profit.
Source  buying the dip with limit orders, by its idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators import sma
from strategies.rule import StrategyRule, T


class Params(NamedTuple):
    """Periods in bars, distances as parts of the price."""

    mean_period: int = 30
    dip_ratio: float = 0.01
    wait_period: int = 3
    stop_ratio: float = 0.03
    take_ratio: float = 0.03
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    mean: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once."""
    return Columns(bars.close, sma(bars.close, p.mean_period))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if now.close < now.mean:
        return flat(Reason.RULE)
    # `hold` leaves alone what waits; a new `enter` would replace it.
    if held.side != 0 or held.waiting > 0:
        return hold(held)
    at = (1 - p.dip_ratio) * now.close
    stop, take = (1 - p.stop_ratio) * at, (1 + p.take_ratio) * at
    return enter(1.0, stop, take, limit=at, valid_bars=p.wait_period)


RULE = StrategyRule(
    name="PULLBACK",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.mean_period,
    history=lambda p: p.mean_period + 1,
    bounds={"dip_ratio": (0.001, 0.2), "stop_ratio": (0.005, 0.5), "take_ratio": (0.005, 1.0)},
)
