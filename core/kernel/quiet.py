"""Bars on which nothing is carried out and nothing is asked for, passed in one go.

Most bars are such: nobody trades, or what is held is kept and neither stop nor take is reached. The whole
fill model would come to the same on them, at ten times the cost. Each function here returns the first bar
that is not quiet, and leaves that one to the loop.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from core.domain import NEVER, SAME_TARGET, Bars, Costs, Decision, FloatArray, PositionView, Refusal
from core.fills import (
    ASKED,
    CASH,
    DEEPEST,
    ENTRY_PRICE,
    EXITS,
    HELD,
    LEFT_WITH,
    LOTS,
    LOW,
    NOTE,
    PEAK,
    PROFIT,
    REFUSED,
    SIZE,
    STOP,
    TAKE,
    after_exits,
    ask_entry,
    code,
    since_exit,
    view,
)
from core.kernel.equity import mark
from core.sizing import Gauges, Sizing, at_bar, brackets, dear_from
from core.soundness import is_sound
from strategies.rule import row

IS_LADDER = False
"""Stands for what the rule is, as `decide` and `view` do for its steps."""


class Fence(NamedTuple):
    """Between these prices no lot has to be closed; NaN where there is none."""

    lower: float
    upper: float


def decide(now: Any, prev: Any, held: PositionView, params: Any) -> Decision:  # noqa: ARG001
    """Stand for the rule's own, as in core.kernel.loop."""
    raise TypeError("these steps belong to no rule: take loop_of(rule)")


def keeps(want: Decision, held: PositionView) -> bool:
    """Tell whether a decision is sound and asks for no entry and no exit.

    It may move stops, unless it is a ladder's.
    """
    if IS_LADDER:
        return bool(want.rungs == held.rungs and is_sound(want, held))
    side = 1 if want.target > 0 else (-1 if want.target < 0 else 0)
    more = abs(want.target) - abs(held.target)
    return bool(side == held.side and abs(more) <= SAME_TARGET and is_sound(want, held))


def refuse_dear(book: FloatArray, want: Decision, close: float, costs: Costs) -> None:
    """Count the refusal of an entry at a close that no lot can be paid at (core.sizing.dear_from)."""
    side = 1.0 if want.target > 0 else -1.0
    is_bracket = brackets(want, side, close * (1 + side * costs.spread))
    book[0, REFUSED + (code(Refusal.LOT) if is_bracket else code(Refusal.BRACKET))] += 1


def pass_flat(
    bars: Bars,
    columns: Any,
    params: Any,
    start: int,
    stop: int,
    book: FloatArray,
    curve: FloatArray,
    sizes: Sizing,
    costs: Costs,
    measured: Gauges,
) -> int:
    """Pass the bars, nothing held, on which nothing is wanted, or what is wanted is refused."""
    worth = book[0, CASH] + book[0, PROFIT]
    if not worth > 0:
        return start
    result, account = float(book[0, LEFT_WITH]), after_exits(book, 0.0, costs)
    dear, i = dear_from(account, sizes, costs), start
    while i < stop:
        since = since_exit(book, i)
        held = PositionView(0, np.nan, np.nan, np.nan, 0, 0, 0.0, np.nan, since, result, np.nan)
        want = decide(row(columns, i), row(columns, i - 1), held, params)
        if not keeps(want, held):
            if IS_LADDER or not is_sound(want, held):
                break
            # An account too small for a lot is refused on every other bar.
            if bars.close[i] > dear and abs(want.target) <= 1:
                refuse_dear(book, want, bars.close[i], costs)
                i += 1
                continue
            ask_entry(book, want, 0, bars.close[i], account, at_bar(sizes, measured, i), costs)
            if book[0, ASKED] > 0.0:
                i += 1
                break
        i += 1
    if i > start:
        mark(book, worth)
        if curve.size:
            for k in range(max(start, 0), i):
                curve[k] = worth
    return i


def pass_held(
    bars: Bars, columns: Any, params: Any, start: int, stop: int, book: FloatArray, curve: FloatArray
) -> int:
    """Pass the bars on which what is held is kept, and its stops and takes are not reached."""
    held, fence = view(book, start), fence_of(book)
    size, cost = 0.0, 0.0
    for k in range(HELD, HELD + int(book[0, LOTS])):
        size += book[k, SIZE]
        cost += book[k, SIZE] * book[k, ENTRY_PRICE]
    cash = book[0, CASH] + book[0, PROFIT]
    peak, low = book[0, PEAK], book[0, LOW]
    i = start
    while i < stop:
        if is_reached(fence, bars.low[i], bars.high[i]):
            break
        worth = cash + (bars.close[i] * size - cost)
        want = decide(row(columns, i), row(columns, i - 1), held, params)
        if worth <= 0 or not keeps(want, held):
            break
        if worth >= peak:
            # Written at once: the compiler would divide on every bar to save a branch.
            book[0, DEEPEST] = max(book[0, DEEPEST], 1 - low / peak)
            peak, low = worth, worth
        low = min(low, worth)
        if curve.size:
            curve[i] = worth
        i += 1
        held = after_bar(held, want)
        fence = moved(fence, want, size)
    if i > start:
        book[0, PEAK], book[0, LOW] = peak, low
        move_stops(book, held)
    return i


def moved(fence: Fence, want: Decision, size: float) -> Fence:
    """Return the fence at the next bar."""
    if IS_LADDER:
        return fence
    return Fence(want.stop, want.take) if size > 0 else Fence(want.take, want.stop)


def move_stops(book: FloatArray, held: PositionView) -> None:
    """Give all lots the stop, take and note that the rule wanted last, unless it is a ladder."""
    if not IS_LADDER:
        for k in range(HELD, HELD + int(book[0, LOTS])):
            book[k, STOP], book[k, TAKE], book[k, NOTE] = held.stop, held.take, held.note


def is_reached(fence: Fence, low: float, high: float) -> bool:
    """Tell whether a bar closes a lot; NaN is never reached."""
    return bool(low <= fence.lower or high >= fence.upper)


def after_bar(held: PositionView, want: Decision) -> PositionView:
    """Return the position at the next close."""
    stop, take = (held.stop, held.take) if IS_LADDER else (want.stop, want.take)
    return PositionView(
        held.side,
        held.entry_price,
        stop,
        take,
        held.bars_held + 1,
        held.rungs,
        held.target,
        held.newest_price,
        held.since_exit + 1 if held.since_exit < NEVER else NEVER,
        held.last_result,
        held.note if IS_LADDER else want.note,
    )


def fence_of(book: FloatArray) -> Fence:
    """Return the nearest stop and take of the lots held, which are all on one side."""
    lower, upper = np.nan, np.nan
    for k in range(HELD, HELD + int(book[0, LOTS])):
        is_long = book[k, SIZE] > 0
        below, above = (book[k, STOP], book[k, TAKE]) if is_long else (book[k, TAKE], book[k, STOP])
        if not math.isnan(below):
            lower = below if math.isnan(lower) else max(lower, below)
        if not math.isnan(above):
            upper = above if math.isnan(upper) else min(upper, above)
    return Fence(lower, upper)


def pass_quiet(
    bars: Bars,
    columns: Any,
    params: Any,
    start: int,
    stop: int,
    book: FloatArray,
    curve: FloatArray,
    sizes: Sizing,
    costs: Costs,
    measured: Gauges,
) -> int:
    """Pass the quiet bars from `start` to before `stop`; return the first that is not quiet."""
    if book[0, ASKED] > 0.0 or book[0, EXITS] > 0.0:
        return start
    if book[0, LOTS] == 0.0:
        return pass_flat(bars, columns, params, start, stop, book, curve, sizes, costs, measured)
    # What is open after the last bar is worth what it brings: the loop's to say.
    return pass_held(bars, columns, params, start, min(stop, bars.close.size - 1), book, curve)


STEPS = (
    keeps,
    refuse_dear,
    is_reached,
    moved,
    move_stops,
    after_bar,
    fence_of,
    pass_flat,
    pass_held,
    pass_quiet,
)
"""What is bound to a rule, each after what it calls."""
