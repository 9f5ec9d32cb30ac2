"""The compiled run of parameter sets: a rule's search finds the bars on which something happens, and the fill
model does what is to be done there.

No rule is in here: a search is called by its address (core.kernel.scan), so that this is compiled once for
all rules, or found on disk (core.kernel.disk_cache). docs/decisions/0010 says how and what it costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from core.domain import Costs, FloatArray, IntArray, Refusal
from core.fills import (
    ASKED,
    CASH,
    HELD,
    LOTS,
    PNL,
    REFUSED,
    SIZE,
    TAKE,
    TRADES,
    OneBar,
    after_exits,
    ask,
    ask_ladder,
    code,
    equity,
    fill,
    has_room,
    view,
    view_ladder,
)
from core.fills import NOTE as LOT_NOTE
from core.fills import STOP as LOT_STOP
from core.kernel import equity as kernel_equity
from core.kernel.addresses import floats_at
from core.kernel.entries import Kernel
from core.kernel.equity import drawdown, finish, note, note_each, note_quiet, reopen, ruin
from core.kernel.fill_model import fill_model
from core.kernel.frames import CLOSE, COLUMNS, FIT, FIT_SIZE, HIGH, OPEN, VOLATILITY, VOLATILITY_SIZE
from core.kernel.frames import LOW as LOWS
from core.kernel.pairwise import PARTS as ADDING
from core.kernel.pairwise import pairwise_sum
from core.kernel.pieces import Piece, pieces_of, with_names
from core.kernel.scan import (
    DEAR,
    LOWER,
    NO_BRACKET,
    NO_LOT,
    NOTE,
    SIDE,
    STOP,
    UNSOUND,
    UPPER,
    WANTS,
    WHY,
    call_scan,
    show,
    wanted,
)
from core.kernel.scan import TAKE as FAR
from core.sizing import Gauges, Sizing, at_bar, dear_from
from core.utils import over
from strategies.rule import can_trade

DONE, NEEDS_ROOM, STOPPED = range(3)
"""Why a run returns: all is done; the trades are full; a decision is none that a rule may make."""
SET, BAR = range(2)
"""Where it is: the set, and the bar, below 0 before it begins."""


class SetTable(NamedTuple):
    """Parameter sets as the compiled loop reads them, a row or a number for each."""

    groups: IntArray
    """The row of the frames that it looks at."""
    values: IntArray
    """The addresses of the rule's own parameters."""
    sizings: FloatArray
    """The fields of Sizing but for what is measured."""


class RunMemory(NamedTuple):
    """Memory that runs are made in."""

    book: FloatArray
    trades: FloatArray
    spare: FloatArray
    """(2, trades)."""
    halves: FloatArray
    """Memory of core.kernel.pairwise."""
    curves: FloatArray
    """Equity at each close, a row for each set; of no bars where it is not wanted."""
    numbers: FloatArray
    codes: IntArray
    """What goes to the search and comes from it."""
    place: IntArray
    """SET, BAR."""


class Ran(NamedTuple):
    """What parameter sets leave behind, a row or a number for each."""

    heads: FloatArray
    """The first row of each account, as core.fills lays it out."""
    firsts: IntArray
    """The first bar on which all columns have a value; the number of bars for none."""
    brief: FloatArray
    """The figures of BRIEF; NaN for a set that never warms up."""
    ends: IntArray
    """Where a set's trades end among all; they begin where those of the set before end."""


class Run(NamedTuple):
    """One parameter set's run."""

    scan: int
    """The search's address, as what follows."""
    frame: int
    values: int
    length: int
    is_ladder: int


def run_sets(
    scan: int,
    is_ladder: int,
    length: int,
    frames: IntArray,
    sets: SetTable,
    costs: Costs,
    cash: float,
    room: RunMemory,
    found: Ran,
) -> int:
    """Run set after set from where `room.place` is, and fill `found`; return why it ends.

    With curves of no bars the trades of one set overwrite the last one's.
    """
    place, is_kept = room.place, room.curves.shape[1] > 0
    while place[SET] < sets.groups.size:
        s = place[SET]
        frame, curve = frames[sets.groups[s]], room.curves[s]
        used = found.ends[s - 1] if is_kept and s > 0 else 0
        if place[BAR] < 0:
            reopen(room.book, cash)
            room.book[0, TRADES] = used
            found.firsts[s] = warmed_up(frame, length)
            place[BAR] = min(found.firsts[s] + 1, length)
            for k in range(min(place[BAR], curve.size)):
                curve[k] = cash
        run = Run(scan, frame.ctypes.data, sets.values[s], length, is_ladder)
        why = run_bars(run, frame, sets.sizings[s], costs, room, curve)
        if why != DONE:
            return why
        if can_trade(length, found.firsts[s]):
            sum_up(room, used, cash, found.brief[s])
        for column in range(room.book.shape[1]):
            found.heads[s, column] = room.book[0, column]
        found.ends[s] = int(room.book[0, TRADES])
        place[SET], place[BAR] = s + 1, -1
    return DONE


def warmed_up(frame: IntArray, length: int) -> int:
    """Return the first bar on which all columns have a value; the number of bars for none."""
    first = 0
    while first < length:
        is_warm = True
        for k in range(COLUMNS, frame.size):
            is_warm &= not math.isnan(floats_at(frame[k], length)[first])
        if is_warm:
            break
        first += 1
    return first


def run_bars(
    run: Run, frame: IntArray, sized_by: FloatArray, costs: Costs, room: RunMemory, curve: FloatArray
) -> int:
    """Run one set from where it is to the end, and close what is open there; return why it ends."""
    book, trades, codes, length = room.book, room.trades, room.codes, run.length
    opens, highs = floats_at(frame[OPEN], length), floats_at(frame[HIGH], length)
    lows, closes = floats_at(frame[LOWS], length), floats_at(frame[CLOSE], length)
    i = room.place[BAR]
    while i < length:
        if not has_room(book, trades):
            room.place[BAR] = i
            return NEEDS_ROOM
        if book[0, LOTS] + book[0, ASKED] > 0.0:
            fill(book, trades, i, OneBar(opens[i], highs[i], lows[i], closes[i]), costs)
        worth = equity(book, closes[i])
        if worth <= 0:
            ruin(book, trades, curve, i, closes[i], costs)
            return DONE
        note(book, curve, i, worth, length)
        # What waits for a price may be reached by the very next bar.
        found = find(run, room, sized_by, costs, i, i + 1 if book[0, ASKED] > 0.0 else length)
        why = codes[WHY]
        after = found + 1 if why in (WANTS, UNSOUND) else found
        ruined = note_quiet(book, closes, curve, i + 1, after, length)
        if ruined < after:
            # Stops as they were on that bar.
            find(run, room, sized_by, costs, i, ruined)
            move_stops(room, run.is_ladder)
            ruin(book, trades, curve, ruined, closes[ruined], costs)
            return DONE
        move_stops(room, run.is_ladder)
        if why == UNSOUND:
            room.place[BAR] = found
            return STOPPED
        if why == WANTS:
            ask_for(run, frame, room, sized_by, costs, found, closes[found])
        i = after
    finish(book, trades, curve, length, closes[length - 1], costs)
    return DONE


def find(run: Run, room: RunMemory, sized_by: FloatArray, costs: Costs, start: int, stop: int) -> int:
    """Search on from a bar that is filled; return where the search ends."""
    book, numbers, codes = room.book, room.numbers, room.codes
    if run.is_ladder == 1:
        show(view_ladder(book, 0), numbers, codes)
        numbers[LOWER], numbers[UPPER] = fence_of(book)
    else:
        show(view(book, 0), numbers, codes)
    if codes[SIDE] == 0:
        numbers[DEAR] = dear_from(after_exits(book, 0.0, costs), sizing_of(sized_by), costs)
    at = numbers.ctypes.data, codes.ctypes.data
    found: int = call_scan(run.scan, run.frame, run.values, at[0], at[1], start, stop)
    return found


def ask_for(
    run: Run, frame: IntArray, room: RunMemory, sized_by: FloatArray, costs: Costs, i: int, close: float
) -> None:
    """Ask for what the search found wanted at a close."""
    book, want = room.book, wanted(room.numbers, room.codes)
    gauges = Gauges(
        floats_at(frame[VOLATILITY], frame[VOLATILITY_SIZE]), floats_at(frame[FIT], frame[FIT_SIZE])
    )
    sizing = at_bar(sizing_of(sized_by), gauges, i)
    if run.is_ladder == 1:
        ask_ladder(book, want, view_ladder(book, i), close, sizing, costs)
    else:
        ask(book, want, view(book, i), close, sizing, costs)


def sizing_of(numbers: FloatArray) -> Sizing:
    """Return a set's sizing, but for what is measured."""
    risk, exposure, lot, volatility, kelly = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    return Sizing(risk, exposure, lot, volatility, kelly, numbers[5], numbers[6], numbers[7], 0.0, 0.0)


def move_stops(room: RunMemory, is_ladder: int) -> None:
    """Take over what the search followed: the stop, take and note of all lots; count what it refused."""
    book, numbers, codes = room.book, room.numbers, room.codes
    if codes[SIDE] == 0:
        book[0, REFUSED + code(Refusal.LOT)] += codes[NO_LOT]
        book[0, REFUSED + code(Refusal.BRACKET)] += codes[NO_BRACKET]
    elif is_ladder == 0:
        for k in range(HELD, HELD + int(book[0, LOTS])):
            book[k, LOT_STOP], book[k, TAKE] = numbers[STOP], numbers[FAR]
            book[k, LOT_NOTE] = numbers[NOTE]


def fence_of(book: FloatArray) -> tuple[float, float]:
    """Return the nearest stop and take of the lots held, which are all on one side; NaN for none."""
    lower, upper = math.nan, math.nan
    for k in range(HELD, HELD + int(book[0, LOTS])):
        is_long = book[k, SIZE] > 0
        below, above = (book[k, LOT_STOP], book[k, TAKE]) if is_long else (book[k, TAKE], book[k, LOT_STOP])
        if not math.isnan(below):
            lower = below if math.isnan(lower) else max(lower, below)
        if not math.isnan(above):
            upper = above if math.isnan(upper) else min(upper, above)
    return lower, upper


def sum_up(room: RunMemory, begin: int, cash: float, brief: FloatArray) -> None:
    """Fill in the figures of BRIEF from the account at the end and the trades from row `begin` on."""
    book, trades, won, lost = room.book, room.trades, room.spare[0], room.spare[1]
    end, final, wins, losses = int(book[0, TRADES]), book[0, CASH], 0, 0
    for k in range(begin, end):
        pnl = trades[k, PNL]
        if pnl > 0:
            won[wins] = pnl
            wins += 1
        elif pnl < 0:
            lost[losses] = pnl
            losses += 1
    brief[0] = final
    brief[1] = (final - cash) / cash * 100
    brief[2] = drawdown(book) * 100
    brief[3] = wins / (end - begin) * 100 if end > begin else math.nan
    brief[4] = over(pairwise_sum(won, 0, wins, room.halves), -pairwise_sum(lost, 0, losses, room.halves))
    brief[5] = end - begin


STEPS = (
    *(warmed_up, sizing_of, show, wanted, fence_of, find, ask_for),
    *(move_stops, over, sum_up, can_trade, run_bars),
)
"""What the run is compiled with, each after what it calls."""
CALLED = (warmed_up, fence_of, note_each, sum_up, run_bars, ruin, finish)
"""What stays a function, as in core.kernel.fill_model."""


def plain_run(search: Callable[..., int]) -> Callable[..., int]:
    """Return `run_sets` in plain Python with such a search, which shows what the compiled one does."""

    def call_scan(_: int, *given: int) -> int:
        return search(*given)

    scope: dict[str, Any] = {"call_scan": call_scan}
    for step in (*kernel_equity.STEPS, *STEPS):
        scope[step.__name__] = with_names(step, dict(scope))
    return with_names(run_sets, scope)


@cache
def compiled_run() -> Callable[..., int]:
    """Return `run_sets` compiled, or found on disk when first called."""
    scope = pieces_of((*kernel_equity.STEPS, *STEPS), {**fill_model(), **ADDING}, CALLED)
    return Kernel("sets", Piece(run_sets, scope))
