"""Prices and fractions for exits, for `decide`: functions of numbers, compiled with the rule that calls them.

Each returns a number to hand to `move`, `enter` or a comparison; none remembers anything.
"""

from __future__ import annotations

from core.domain import NAN, PositionView

RoiTable = tuple[tuple[float, float], ...]
"""(bars held, fraction) pairs, ascending: from so many bars on, so much is enough."""


def roi(age: float, table: RoiTable) -> float:
    """Return the profit that is enough after so many bars, a fraction (0.02 is 2 %); NaN before the first.

    `held.entry_price * (1 + held.side * roi(held.bars_held + 1, TABLE))` is the take-profit of the next bar.
    Source: freqtrade's minimal_roi, in bars.
    """
    enough = NAN
    for bars, fraction in table:
        if age >= bars:
            enough = fraction
    return enough


def profit(held: PositionView, price: float) -> float:
    """Return what a position makes at this price before costs, a fraction of its entry price; NaN if flat."""
    return held.side * (price - held.entry_price) / held.entry_price


def best(held: PositionView, high: float, low: float) -> float:
    """Return the best price of the position so far, for its note: the highest high of a long, the lowest low
    of a short.

    `held.note` is the one of before; NaN, in an entry without a note, begins with this bar.
    """
    now = high if held.side >= 0 else low
    if held.note != held.note:
        return now
    return max(held.note, now) if held.side >= 0 else min(held.note, now)


def trail(held: PositionView, price: float, away: float) -> float:
    """Return the stop `away` (price units) behind a price, or the present one where that is closer to it."""
    wanted = price - away if held.side >= 0 else price + away
    if held.stop != held.stop:
        return wanted
    return max(held.stop, wanted) if held.side >= 0 else min(held.stop, wanted)


def breakeven(held: PositionView, price: float, after: float, more: float = 0.0) -> float:
    """Return the entry price, and `more` of it for costs, as the stop once a price is `after` of it ahead.

    Both are fractions of the entry price (0.02 is 2 %). Until then, and where the stop is better, it stays.
    """
    if not profit(held, price) >= after:
        return held.stop
    wanted = held.entry_price * (1 + held.side * more)
    if held.stop != held.stop:
        return wanted
    return max(held.stop, wanted) if held.side >= 0 else min(held.stop, wanted)
