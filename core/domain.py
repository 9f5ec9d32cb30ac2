"""Value types that every part shares. Those that a decision touches are tuples of numbers.

Units: prices in quote currency per base unit, sizes in base units, time in UTC milliseconds,
rates as fractions (0.001 is 0.1 %).
"""

from __future__ import annotations

from enum import IntEnum
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
NAN = float("nan")

LOT = 2.0**-20
"""Smallest simulated size, about one millionth of a base unit (0.06 USDT of bitcoin at 60,000).

A power of two, so that scaling prices by it is exact and every driver agrees to the last bit."""

MOST_LOTS = 64
"""Lots held and asked for at one time, on one account."""

SAME_TARGET = 1e-9
"""Targets that differ by no more are one: shares of lots add up with rounding."""

NEVER = 2**31 - 1
"""Bars since the last exit where there was none: more than any wait."""


class Bars(NamedTuple):
    """Closed bars of one series, oldest first; six arrays of one length."""

    ts: IntArray
    """Open time, ms UTC, strictly ascending, on the timeframe's grid."""
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    """Base units."""

    def since(self, start: int) -> Bars:
        """Return the bars from row `start` on (a view)."""
        return Bars(self.ts[start:], *(column[start:] for column in self[1:]))

    def until(self, stop: int) -> Bars:
        """Return the bars before row `stop` (a view)."""
        return Bars(self.ts[:stop], *(column[:stop] for column in self[1:]))


class Bar(NamedTuple):
    """One closed bar of one series."""

    symbol: str
    timeframe: str
    ts: int
    """Open time, ms UTC."""
    end: int
    """Close time: the first ms that is no more in it."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    """Base units."""


class Series(NamedTuple):
    """What identifies stored candles."""

    exchange: str
    symbol: str
    timeframe: str

    def __str__(self) -> str:
        return f"{self.exchange} {self.symbol} {self.timeframe}"


class Costs(NamedTuple):
    """Fill assumptions of one run."""

    commission: float = 0.001
    """Rate of notional, charged on entry and on exit."""
    spread: float = 0.0
    """Rate of price, charged on entry only."""


class Reason(IntEnum):
    """Why a decision wants what it wants, and why a trade ended."""

    NONE = 0
    ENTRY = 1
    HOLD = 2
    RULE = 3
    """The rule's own exit."""
    STOP = 4
    TAKE = 5
    END = 6
    """Still open when the data ended; marked at the last close."""
    RUIN = 7
    """Equity was gone; everything closed at that bar's close."""
    REDUCE = 8
    """The rule wanted less of the same side; the oldest lots went first."""
    TRAIL = 9
    """The stop, at another price than the entry's: the rule had moved it."""
    TIME = 10
    """The rule's exit after so many bars."""
    REVERSE = 11
    """The rule wanted the other side."""
    BREAKER = 12
    """A breaker of the account closed it: core.risk.limits.BREAKERS."""


REASON_WORDS = {int(reason): reason.name.lower() for reason in Reason}
"""What each is called where people read it."""


class Refusal(IntEnum):
    """Why a wanted entry did not become a trade."""

    NONE = 0
    BRACKET = 1
    """Stop and take do not enclose the price, or are not positive."""
    LOT = 2
    """The size rounds down to nothing."""
    CASH = 3
    """Cash cannot pay it at the open."""
    LOTS = 4
    """As many lots as an account keeps are held or asked for already."""
    EXPIRED = 5
    """No bar reached its price in time."""
    REGIME = 6
    """What the regime allows of its size rounds down to nothing."""


class Bound(IntEnum):
    """What an entry's size was bound by: without it the size would have been larger."""

    NONE = 0
    """Nothing was entered."""
    RISK = 1
    """The equity that its stop may lose."""
    KELLY = 2
    """The same, by half of Kelly's fraction."""
    EXPOSURE = 3
    """Its share of `max_exposure`."""
    CASH = 4
    VOLATILITY = 5
    """The volatility that a position is to have at most."""
    REGIME = 6
    """The part of its size that fits the market's regime."""
    STAKE = 7
    """What an entry may cost, whatever its stop."""


class PositionView(NamedTuple):
    """The position as a decision may see it, at the close of a bar."""

    side: int = 0
    """-1 short, 0 flat, +1 long."""
    entry_price: float = NAN
    """Mean over the lots held, by size."""
    stop: float = NAN
    """Of the oldest lot, as `take`."""
    take: float = NAN
    bars_held: int = 0
    """Bars since the oldest lot's entry fill."""
    rungs: int = 0
    """Ladders only: bit i is set while rung i (1, 2, …) is held."""
    target: float = 0.0
    """Signed part of the allocation that the lots held were asked for."""
    newest_price: float = NAN
    """Entry price of the newest lot."""
    since_exit: int = NEVER
    """Bars since a lot was last closed, in whole or in part: 0 at the close of that bar, NEVER before the
    first time."""
    last_result: float = NAN
    """What that made after the commission of both sides, as a fraction of its entry price (0.01 is 1 %); NaN
    before the first time."""
    note: float = NAN
    """The number that the decision gave the position to remember; NaN for none, and while flat."""
    waiting: int = 0
    """Entries that wait for their price."""


FLAT = PositionView()


class Decision(NamedTuple):
    """What is wanted from the next open on. A target, not an order: repeating it is harmless."""

    target: float
    """-1 … 1 of the strategy's allocation; k/N for a ladder that wants k of N rungs. More than is held on
    the same side adds a lot, less closes the oldest lots first, in part if need be."""
    stop: float = NAN
    """Absolute price, NaN for none; moves the stops of all lots held. On a ladder: of the rungs this
    decision opens."""
    take: float = NAN
    """As `stop`."""
    reason: int = Reason.NONE
    rungs: int = 0
    """Ladders only: the rungs wanted, as in PositionView."""
    note: float = NAN
    """A number that the position is to remember, NaN for none: as `stop`."""
    limit: float = NAN
    """Price that an entry waits for, at it or better; NaN for none. What waits is replaced or withdrawn by
    any decision but one whose reason is HOLD."""
    trigger: float = NAN
    """Price that an entry waits for, at it or worse; NaN for none. Without either it is made at the open."""
    valid_bars: int = 1
    """Bars that an entry at a price waits for."""


def enter(
    target: float,
    stop: float = NAN,
    take: float = NAN,
    note: float = NAN,
    limit: float = NAN,
    trigger: float = NAN,
    valid_bars: int = 1,
) -> Decision:
    """Want a position of this size and side, with these protective prices, that remembers this number.

    With `limit` (a price at or better) or `trigger` (at or worse) the entry waits for it, `valid_bars` bars.
    """
    return Decision(
        float(target),
        float(stop),
        float(take),
        Reason.ENTRY,
        0,
        float(note),
        float(limit),
        float(trigger),
        int(valid_bars),
    )


def hold(held: PositionView) -> Decision:
    """Want what is already held, protective prices and what it remembers unchanged."""
    return Decision(float(held.target), held.stop, held.take, Reason.HOLD, held.rungs, held.note, NAN, NAN, 1)


def move(
    held: PositionView,
    stop: float | None = None,
    take: float | None = None,
    target: float | None = None,
    note: float | None = None,
) -> Decision:
    """Want what is already held, but for what is named: its stop, its take, its size, what it remembers.

    A stop or take of NaN is none. Not for ladders, whose rungs keep what they began with.
    """
    return Decision(
        float(held.target) if target is None else float(target),
        held.stop if stop is None else float(stop),
        held.take if take is None else float(take),
        Reason.HOLD if target is None else Reason.ENTRY,
        held.rungs,
        held.note if note is None else float(note),
        NAN,
        NAN,
        1,
    )


def flat(reason: int = Reason.NONE) -> Decision:
    """Want no position."""
    return Decision(0.0, NAN, NAN, reason, 0, NAN, NAN, NAN, 1)


def ladder(rungs: int, share: float, take: float) -> Decision:
    """Want these rungs; `share` is the wanted fraction k/N, `take` the new rungs' take-profit."""
    return Decision(share, NAN, take, Reason.ENTRY, rungs, NAN, NAN, NAN, 1)


def decision(
    target: float,
    stop: float = NAN,
    take: float = NAN,
    reason: int | None = None,
    rungs: int = 0,
    note: float = NAN,
    limit: float = NAN,
    trigger: float = NAN,
    valid_bars: int = 1,
) -> Decision:
    """Return Decision(...) of the same arguments: compiled code knows no tuple with fields left out."""
    why = Reason.NONE if reason is None else reason
    prices = float(stop), float(take), float(note), float(limit), float(trigger)
    return Decision(
        float(target), prices[0], prices[1], why, int(rungs), prices[2], prices[3], prices[4], int(valid_bars)
    )


def side_of(target: float) -> int:
    """Return the side that a target is on, 0 for none."""
    return 1 if target > 0 else -1 if target < 0 else 0


def entry_price(want: Decision, close: float) -> float:
    """Return the price that an entry is sized at: the one it waits for, else the close."""
    if not isnan(want.limit):
        return want.limit
    return close if isnan(want.trigger) else want.trigger


def is_priced(want: Decision) -> bool:
    """Tell whether an entry waits for a price."""
    return not (isnan(want.limit) and isnan(want.trigger))


def same(one: float, other: float) -> bool:
    """Tell whether two prices are one; NaN stands for none."""
    return one == other or (isnan(one) and isnan(other))


def changes(want: Decision, held: PositionView, is_ladder: bool) -> bool:  # noqa: FBT001 - no keywords when compiled
    """Tell whether a decision asks for anything but what is held and waits."""
    if held.waiting != 0 and want.reason != Reason.HOLD:
        return True
    if is_ladder:
        return want.rungs != held.rungs
    side = side_of(want.target)
    if side != held.side:
        return True
    return side != 0 and not (
        want.target == held.target
        and same(want.stop, held.stop)
        and same(want.take, held.take)
        and same(want.note, held.note)
    )


def enters(want: Decision, held: PositionView, is_ladder: bool) -> bool:  # noqa: FBT001 - as `changes`
    """Tell whether a decision asks for more than is held, so that an entry is to be sized."""
    if is_ladder:
        return want.rungs & ~held.rungs != 0
    side = side_of(want.target)
    return side != 0 and (side != held.side or abs(want.target) - abs(held.target) > SAME_TARGET)
