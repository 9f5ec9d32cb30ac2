"""What a rule would want if it traded alone, at each close: its targets, compiled (core.ensemble.members).

As core.kernel.loop, but on stretches of bars that each start flat, and without what nobody asks for here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, IntArray
from core.fills import ASKED, LOTS, TRADES, OneBar, ask, fill, view
from core.kernel import equity as kernel_equity
from core.kernel.addresses import address_of, floats_at
from core.kernel.entries import Kernel
from core.kernel.equity import reopen
from core.kernel.fill_model import fill_model
from core.kernel.frames import CLOSE, HIGH, LOW, OPEN, Group, frames_of
from core.kernel.loop import fence_of
from core.kernel.pieces import Piece, pieces_of
from core.kernel.scan import (
    CODES,
    DEAR,
    DRIVEN,
    LOWER,
    NEW_TARGET,
    NUMBERS,
    PASSED,
    REACHED,
    TARGETS,
    UPPER,
    WHY,
    call_scan,
    scan_of,
    show,
    wanted,
)
from core.sizing import Gauges, Sizing
from strategies.rule import StrategyRule


class Stretches(NamedTuple):
    """Pieces of a series: where each starts flat, where its targets count from, before which bar it ends."""

    begins: IntArray
    firsts: IntArray
    stops: IntArray


class FollowMemory(NamedTuple):
    """Memory to follow in."""

    book: FloatArray
    trades: FloatArray
    numbers: FloatArray
    codes: IntArray
    """What goes to the search and comes from it."""


def follow(
    bars: Bars,
    rule: StrategyRule,
    columns: Any,
    params: Any,
    stretches: Stretches,
    cash: float,
    room: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Return the rule's target at each close, NaN before the first; entries and exits cost nothing.

    `room`: a book and trades to work in.
    """
    frames, held = frames_of(bars, [Group(columns, Gauges(np.ones(1), np.ones(1)))])
    values, target = np.array(params, np.float64), np.full(bars.close.size, np.nan)
    numbers, codes = np.zeros(NUMBERS), np.zeros(CODES, np.int64)
    numbers[DEAR], codes[DRIVEN] = np.inf, TARGETS
    # A ladder's target counts as any other.
    scan = scan_of(rule, type(columns), type(params), is_ladder=False)
    given = frames[0], address_of(values), stretches, float(cash), FollowMemory(*room, numbers, codes)
    sizes = Sizing(*map(float, rule.sizing(params)))
    compiled_follow()(scan.address, *given, sizes, Costs(0.0, 0.0), target)
    del held
    return target


def follow_bars(
    scan: int,
    frame: IntArray,
    values: int,
    stretches: Stretches,
    cash: float,
    room: FollowMemory,
    sizes: Sizing,
    costs: Costs,
    target: FloatArray,
) -> None:
    """Run a rule's steps over each stretch, and note its targets."""
    for k in range(stretches.begins.size):
        reopen(room.book, cash)
        i, first, stop = stretches.begins[k], stretches.firsts[k], stretches.stops[k]
        while i < stop:
            i = follow_on(scan, frame, values, room, sizes, costs, target, i, first, stop)


def follow_on(
    scan: int,
    frame: IntArray,
    values: int,
    room: FollowMemory,
    sizes: Sizing,
    costs: Costs,
    target: FloatArray,
    i: int,
    first: int,
    stop: int,
) -> int:
    """Fill a bar, and note targets up to the next one that is to be filled; return that one."""
    book, numbers, codes, length = room.book, room.numbers, room.codes, target.size
    closes = floats_at(frame[CLOSE], length)
    # Nobody asks what was closed: there is always room for more.
    book[0, TRADES] = 0.0
    if book[0, LOTS] + book[0, ASKED] > 0.0:
        high, low = floats_at(frame[HIGH], length)[i], floats_at(frame[LOW], length)[i]
        fill(book, room.trades, i, OneBar(floats_at(frame[OPEN], length)[i], high, low, closes[i]), costs)
    held = view(book, 0)
    show(held, numbers, codes)
    numbers[LOWER], numbers[UPPER] = fence_of(book)
    # What waits for a price may be reached by the very next bar.
    last = i + 1 if book[0, ASKED] > 0.0 else stop
    found: int = call_scan(scan, frame.ctypes.data, values, numbers.ctypes.data, codes.ctypes.data, i, last)
    for k in range(max(i, first), found):
        target[k] = held.target
    if codes[WHY] in (PASSED, REACHED):
        return found
    # What is entered without a stop trades nothing here: it is a target as any other.
    if found >= first:
        target[found] = numbers[NEW_TARGET]
    ask(book, wanted(numbers, codes), view(book, found), closes[found], sizes, costs)
    return found + 1


@cache
def compiled_follow() -> Callable[..., int]:
    """Return `follow_bars` compiled, or found on disk when first called."""
    steps = kernel_equity.reopen, show, wanted, fence_of, follow_on
    return Kernel("followed", Piece(follow_bars, pieces_of(steps, fill_model(), (fence_of,))))
