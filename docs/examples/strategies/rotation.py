"""Hold the strongest symbols of several (ROTATION): what it does, in a line.

Entry   the close's change over `momentum_period` bars is among the `hold_count` greatest of all symbols that
        this strategy trades: long, a fixed part of the account.
Exit    it is among them no more.
Source  where the idea is from.
"""

from __future__ import annotations

from typing import Annotated, Generic, NamedTuple

from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold
from strategies.indicators_more import before
from strategies.pairing import Universe, given
from strategies.rule import NO_STOP, TRADED, Span, StrategyRule, T


class Params(NamedTuple):
    """Numbers to play with; the period in bars, the stake a fraction of equity."""

    momentum_period: Annotated[int, Span(10, 60, 5)] = 30
    hold_count: int = 1
    stake: float = 0.45


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    place: T
    among: T


def columns(bars: Bars, p: Params, universe: Universe | None = None) -> Columns[FloatArray]:
    """Compute all bars at once: the place is 1 for the strongest symbol at that close."""

    def momentum(one: Bars) -> FloatArray:
        return one.close / before(one.close, p.momentum_period) - 1

    return Columns(*given(universe, "ROTATION").rank(momentum))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Return the position wanted from the next open on."""
    if held.side == 0 and now.place <= p.hold_count and now.among > p.hold_count:
        return enter(1.0)
    if held.side > 0 and now.place > p.hold_count:
        return flat(Reason.RULE)
    return hold(held)


RULE = StrategyRule(
    name="ROTATION",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.momentum_period,
    bounds={"hold_count": (1, 100)},
    stop=NO_STOP,
    # No `history`: the usual one, of 40 periods, reaches far enough on a symbol that lacks some bars too.
    # The universe: the symbols that a run or an account trades with it; a list here, or `universe` in
    # strategies.yaml, where it is to be ranked among others too.
    universe=TRADED,
)
