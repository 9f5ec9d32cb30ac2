"""Buy twice as much each time it falls, sell all at a profit (DCA): no stop, on purpose.

Entry   RSI under `rsi_low`: a seventh; each `step_ratio` below the newest entry two sevenths more, then four.
Exit    a take-profit `take_ratio` above the mean entry price, which falls with each purchase.
Source  freqtrade's adjust_trade_position, by its idea.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, enter, hold, move
from strategies.indicators import rsi
from strategies.rule import NO_STOP, WILDER, StrategyRule, T


class Params(NamedTuple):
    """Steps and profit as parts of the price."""

    rsi_period: int = 14
    rsi_low: float = 35.0
    step_ratio: float = 0.02
    take_ratio: float = 0.015
    max_exposure: float = 0.6


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    rsi: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute all bars at once."""
    return Columns(bars.close, rsi(bars.close, p.rsi_period))


def more(held: PositionView) -> float:
    """Return the next target: one, three and seven sevenths. A helper, compiled with `decide`."""
    return 3 / 7 if held.target < 2 / 7 else 1.0


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on; a larger target buys more."""
    if held.side == 0:
        take = (1 + p.take_ratio) * now.close
        return enter(1 / 7, take=take) if now.rsi < p.rsi_low else hold(held)
    take = (1 + p.take_ratio) * held.entry_price
    if held.target < 0.9 and now.close < (1 - p.step_ratio) * held.newest_price:
        return move(held, take=take, target=more(held))
    return move(held, take=take)


RULE = StrategyRule(
    name="DCA",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.rsi_period,
    history=lambda p: WILDER * p.rsi_period,
    bounds={"step_ratio": (0.001, 0.5), "take_ratio": (0.001, 0.5)},
    stop=NO_STOP,
)
