"""One account over stored bars, compiled: core.fills on a book per strategy and symbol, all with one cash.

What core.backtest.replay does step by step, in the order of its sums, so that sizes, fills and equity have
its bits. No rule is in here: each says through its search (core.kernel.scan) on which bar it wants something
else, and only there, at fills, and where something is held is anything computed.

Money that must be exact is not decided here. What decimals alone can say (the cash kept for several orders,
what a limit leaves of an entry, unless it is plain that it leaves all) is asked of the caller: `run` returns
what it needs to know, and goes on where it was when it is called again with the answer.
"""

from __future__ import annotations

from functools import cache

from core import domain
from core.domain import FloatArray, IntArray, Reason, enters, is_priced
from core.fills import (
    ASKED,
    BOUND,
    CASH,
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_PRICE,
    EXITS,
    FEES,
    HELD,
    LOTS,
    PNL,
    PROFIT,
    RUNG,
    SIZE,
    TRADES,
    WANTED,
    OneBar,
    ask_exit,
    code,
    fill,
)
from core.fills import NO_CASH as UNPAID
from core.kernel import account_orders as orders
from core.kernel import account_pauses as pauses
from core.kernel.account_orders import act, count, seen_by, sum_up
from core.kernel.account_pauses import tell_pauses
from core.kernel.account_state import (
    ALL,
    AT,
    BASE,
    BOUNDS,
    BY_LIMIT,
    CLOSED,
    CLOSING,
    CUTS,
    DAY_ORDERS,
    DIRECTIONAL,
    DONE,
    ENDED,
    ENTERED,
    ENTERING,
    HAS_TRIPPED,
    LOSSES,
    MADE_BY,
    NEAR,
    NEEDS_ROOM,
    NO_CASH,
    NOBODY,
    ORDERED,
    PRICED,
    REFUSALS,
    RUINED,
    SEARCHING,
    SETTLED,
    STAGE,
    STEP_ORDERS,
    TODAY,
    TRIPPED,
    TURN,
    UNSURE,
    WAITING,
    WORTH,
    BookArrays,
    FillLogs,
    FloatAccount,
)
from core.kernel.account_state import UNSOUND as UNSOUND_WANT
from core.kernel.entries import Kernel
from core.kernel.fill_model import fill_model
from core.kernel.pieces import Piece, pieces_of
from core.kernel.scan import LOWER, UNSOUND, UPPER, WHY, call_scan, show, wanted

DAY = 86_400_000


def run(a: FloatAccount) -> int:
    """Run an account from where it is to the end, or to where the caller is needed; return why it stops."""
    counters, series, due = a.counters, a.turns.series, a.books.due
    fresh, newest, closing = a.books.fresh, a.books.newest, a.books.closing
    while counters[AT] < a.times.size:
        if counters[TURN] == NOBODY:
            why = advance(a) if has_space(a.logs, counters, series.size) else NEEDS_ROOM
            if why != DONE:
                return why
            counters[TURN], counters[ENTERING], counters[WAITING] = 0, 0, 0
        if counters[ENTERING] == 0:
            while counters[TURN] < series.size:
                q = counters[TURN]
                k = series[q]
                if fresh[k] == 1 and newest[k] >= due[q] and closing[q] == 0:
                    why = look(a)
                    if why != DONE:
                        return why
                counters[TURN] += 1
            counters[TURN], counters[ENTERING] = 0, 1
        if counters[WAITING] > 0:
            why = enter(a)
            if why != DONE:
                return why
        counters[TURN] = NOBODY
        counters[AT] += 1
    return DONE


def has_space(logs: FillLogs, counters: IntArray, turns: int) -> bool:
    """Tell whether all that a step can bring finds room."""
    most = 64 * turns
    return bool(
        counters[CLOSED] + 2 * most <= logs.of_trade.size
        and counters[ENTERED] + most <= logs.entries.shape[0]
        and counters[ORDERED] + most <= logs.orders.size
    )


def advance(a: FloatAccount) -> int:
    """Take the bars that close now: fill, mark, tell the breakers."""
    now, before, books, first = a.times[a.counters[AT]], a.counters[CLOSED], a.books, a.turns.first
    # By names of their own: a tuple's array costs more at each use.
    ends, lows, highs, closes = a.bars.ends, a.bars.low, a.bars.high, a.bars.close
    starts, symbols, newest, fresh = a.bars.starts, a.bars.symbols, books.newest, books.fresh
    marks, rows, lowest, highest = books.marks, books.rows, books.lowest, books.highest
    for k in range(symbols.size):
        at = starts[k] + newest[k] + 1
        fresh[k] = 0
        if at < starts[k + 1] and ends[at] == now:
            newest[k] += 1
            fresh[k] = 1
            marks[symbols[k]] = closes[at]
    if a.limits.jump_pause >= 0:
        note_jumps(a, now)
    for k in range(symbols.size):
        if fresh[k] == 1:
            at = starts[k] + newest[k]
            books.closes[symbols[k]] = closes[at]
            for q in range(first[k], first[k + 1]):
                head = rows[q, 0]
                is_near = lows[at] <= lowest[q] or highs[at] >= highest[q]
                if head[ASKED] > 0 or head[EXITS] > 0 or (head[LOTS] > 0 and is_near):
                    fill_book(a, q, at)
    worth = a.numbers[SETTLED] + profit(books, books.closes, a.turns.symbols, a.turns.by_book)
    a.numbers[WORTH] = a.numbers[SETTLED] + profit(books, marks, a.turns.symbols, a.turns.by_held)
    if not (worth > 0 and a.numbers[WORTH] > 0):
        return RUINED
    a.logs.curve[a.counters[AT]] = a.numbers[WORTH]
    a.counters[STEP_ORDERS] = 0
    tripped = a.counters[TRIPPED]
    is_sure = judge(a, now, before)
    end_trading(a, tripped)
    return DONE if is_sure else UNSURE


def note_jumps(a: FloatAccount, now: int) -> None:
    """Note until when nobody enters the symbols whose newest bars jump."""
    for k in range(a.bars.symbols.size):
        if a.books.fresh[k] == 1 and a.bars.jumps[a.bars.starts[k] + a.books.newest[k]] == 1:
            a.books.jumped[a.bars.symbols[k]] = now + a.limits.jump_pause


def end_trading(a: FloatAccount, first: int) -> None:
    """Do what the endings say of the breakers that tripped, at this step from trip `first` on and before."""
    if a.counters[TRIPPED] > first:
        note_closing(a, first)
    if a.counters[CLOSING] > 0:
        close_noted(a)


def note_closing(a: FloatAccount, first: int) -> None:
    """Note what the breakers close that tripped at this step, from trip `first` on."""
    for n in range(first, a.counters[TRIPPED]):
        closes = a.limits.closes[a.logs.trips[n, 0]]
        for q in range(a.turns.series.size):
            is_meant = closes == ALL or (closes == DIRECTIONAL and a.turns.ladders[q] == 0)
            if is_meant and a.books.rows[q, 0, LOTS] + a.books.rows[q, 0, ASKED] > 0:
                a.books.noted[q] = 1
                a.counters[CLOSING] = 1


def close_noted(a: FloatAccount) -> None:
    """Ask to close what is noted, at the close of its own bar; forget what is closed."""
    a.counters[CLOSING] = 0
    for q in range(a.turns.series.size):
        book = a.books.rows[q]
        a.books.closing[q] = 0
        if book[0, LOTS] + book[0, ASKED] == 0:
            a.books.noted[q] = 0
        if a.books.noted[q] == 1:
            a.counters[CLOSING] = 1
            if book[0, LOTS] > 0:
                a.books.closing[q] = 1
                if a.books.fresh[a.turns.series[q]] == 1:
                    for k in range(HELD, HELD + int(book[0, LOTS])):
                        ask_exit(book, k, abs(book[k, SIZE]), code(Reason.BREAKER))


def fill_book(a: FloatAccount, q: int, at: int) -> None:
    """Carry out what waits for the newest bar, and log what came of it."""
    book, i, before = a.books.rows[q], a.books.newest[a.turns.series[q]], a.counters[CLOSED]
    book[0, CASH], book[0, TRADES], book[0, UNPAID] = a.numbers[SETTLED], before, 0.0
    if book[0, ASKED] > 0:
        earned, bound = 0.0, 0.0
        for other in a.turns.by_book:
            if other != q and a.books.rows[other, 0, LOTS] > 0:
                price = a.books.closes[a.turns.symbols[other]]
                earned += price * a.books.size[other] - a.books.cost[other]
                bound += price * a.books.bound[other]
        book[0, PROFIT], book[0, BOUND] = earned, bound
    bar = OneBar(a.bars.open[at], a.bars.high[at], a.bars.low[at], a.bars.close[at])
    asked = int(book[0, ASKED])
    fill(book, a.logs.trades, i, bar, a.costs)
    a.numbers[SETTLED] = book[0, CASH]
    a.counters[CLOSED] = int(book[0, TRADES])
    for n in range(before, a.counters[CLOSED]):
        a.logs.of_trade[n] = q
        if a.logs.trades[n, ENTRY_BAR] == i:
            log_entry(a, q, a.logs.trades[n], asked)
    for k in range(HELD, HELD + int(book[0, LOTS])):
        if book[k, ENTRY_BAR] == i:
            log_entry(a, q, book[k], asked)
    count(a.books, a.counters, REFUSALS, a.turns.strategies[q], NO_CASH, int(book[0, UNPAID]))
    sum_up(a.books, q)
    a.books.due[q] = min(a.books.due[q], i)


def log_entry(a: FloatAccount, q: int, lot: FloatArray, asked: int) -> None:
    """Note a lot that was opened now, one of so many asked for, and count what its size was bound by."""
    n, logs, book, whose = a.counters[ENTERED], a.logs, a.books.rows[q], a.turns.strategies[q]
    logs.entries[n, 0], logs.entries[n, 1], logs.entries[n, 2] = q, lot[ENTRY_BAR], lot[RUNG]
    logs.entries[n, 3], logs.entries[n, 4] = lot[SIZE], lot[ENTRY_PRICE]
    a.counters[ENTERED] += 1
    for row in range(WANTED, WANTED + asked):
        if book[row, RUNG] == lot[RUNG]:
            bound = int(book[row, MADE_BY])
            count(a.books, a.counters, BOUNDS, whose, bound, 1)
            count(a.books, a.counters, CUTS, whose, bound - BY_LIMIT, 1 if bound >= BY_LIMIT else 0)


def profit(books: BookArrays, prices: FloatArray, symbols: IntArray, order: IntArray) -> float:
    """Return the open profit of all books, added up in this order."""
    earned, rows, size, cost = 0.0, books.rows, books.size, books.cost
    for q in order:
        if rows[q, 0, LOTS] > 0:
            earned += prices[symbols[q]] * size[q] - cost[q]
    return earned


def judge(a: FloatAccount, now: int, before: int) -> bool:
    """Tell the breakers the equity, and what it was after each trade that closed; False when unsure."""
    if now // DAY > a.counters[TODAY]:
        begin_day(a, now // DAY)
    is_sure = mark(a, a.numbers[WORTH], 0)
    for n in range(before, a.counters[CLOSED]):
        trade = a.logs.trades[n]
        pnl = trade[PNL]
        if pnl < 0:
            a.books.lost[a.turns.strategies[a.logs.of_trade[n]]] = now
        is_nothing = trade[FEES] == 0.0 and trade[EXIT_PRICE] == trade[ENTRY_PRICE]
        is_plain = is_nothing or abs(pnl) > NEAR * abs(trade[SIZE] * trade[ENTRY_PRICE])
        is_sure &= is_plain or a.limits.cool_down <= 0
        is_sure &= mark(a, a.numbers[WORTH] - pnl + pnl, n - before + 1)
        if a.limits.has_pauses == 1:
            tell_pauses(a, n, now)
    return is_sure


def begin_day(a: FloatAccount, day: int) -> None:
    """Begin the windows that begin with a day, at the step's equity."""
    windows, row, last = a.limits.windows, day - a.limits.begins, a.counters[TODAY] - a.limits.begins
    for kind in range(LOSSES):
        if a.counters[TODAY] < 0 or windows[row, kind] > windows[last, kind]:
            a.numbers[BASE + kind] = a.numbers[WORTH]
            if a.limits.by_command[kind] == 0 and a.counters[HAS_TRIPPED + kind] == 1:
                a.counters[HAS_TRIPPED + kind] = 0
                a.counters[ENDED] = a.times[a.counters[AT]]
    a.counters[TODAY], a.counters[DAY_ORDERS] = day, 0


def mark(a: FloatAccount, worth: float, after: int) -> bool:
    """Trip what this equity trips; False when it is too near to tell."""
    for kind in range(LOSSES):
        # The highest is never in a window of its own.
        if a.limits.windows[0, kind] == 0:
            a.numbers[BASE + kind] = max(a.numbers[BASE + kind], worth)
        kept = a.limits.left[kind]
        if kept >= 0 and a.counters[HAS_TRIPPED + kind] == 0:
            bound = a.numbers[BASE + kind] * kept
            if abs(worth - bound) <= NEAR * worth:
                return False
            if worth <= bound:
                n = a.counters[TRIPPED]
                a.logs.trips[n, 0], a.logs.trips[n, 1], a.logs.trips[n, 2] = kind, a.counters[AT], after
                a.counters[TRIPPED] += 1
                a.counters[HAS_TRIPPED + kind] = 1
    return True


def look(a: FloatAccount) -> int:
    """Let the one whose turn it is decide at the close of its newest bar, or go on with what it decided."""
    q, turns, books = a.counters[TURN], a.turns, a.books
    if a.counters[STAGE] == SEARCHING:
        k = turns.series[q]
        i, length = books.newest[k], a.bars.starts[k + 1] - a.bars.starts[k]
        told, codes = books.told, books.codes
        show(seen_by(books.rows[q]), told, codes)
        told[LOWER], told[UPPER] = books.lowest[q], books.highest[q]
        found = call_scan(
            turns.scans[q],
            turns.frames[q],
            turns.values[q],
            told.ctypes.data,
            codes.ctypes.data,
            i,
            length,
        )
        books.due[q] = max(found, i + 1)
        if found > i:
            return DONE
        if codes[WHY] == UNSOUND:
            return UNSOUND_WANT
    want = wanted(books.told, books.codes)
    if a.counters[ENTERING] == 0 and enters(want, seen_by(books.rows[q]), turns.ladders[q] == 1):
        books.waits[q] = 1
        a.counters[WAITING] += 1
        return DONE
    return PRICED if is_priced(want) else act(a, want)


def enter(a: FloatAccount) -> int:
    """Let those that enter at this step have their turn, now that what only closes is asked for."""
    while a.counters[TURN] < a.turns.series.size:
        q = a.counters[TURN]
        if a.books.waits[q] == 1:
            why = look(a)
            if why != DONE:
                return why
            a.books.waits[q] = 0
        a.counters[TURN] += 1
    return DONE


@cache
def account() -> Kernel:
    """Return `run` compiled, or found on disk when first called."""
    steps = (
        *(domain.side_of, domain.same, domain.changes, domain.enters, orders.count, orders.sum_up),
        *(orders.seen_by, orders.copy_rows, orders.leaving, orders.kept_for, orders.exposed),
        *(
            pauses.closed_at,
            pauses.is_alike,
            pauses.counts,
            pauses.is_fine,
            pauses.paused_until,
            pauses.tell_pauses,
            pauses.pause_of,
        ),
        orders.part_allowed,
        *(orders.has_plain_room, orders.objection_of_account, orders.objection, orders.bound_by),
        *(orders.approve, orders.tell_not_sized, orders.sizing_of, orders.order, orders.roughly_kept),
        *(orders.is_entangled, orders.act, has_space, log_entry, profit, fill_book, begin_day, mark, judge),
        *(note_jumps, note_closing, close_noted, end_trading),
        *(advance, show, wanted, look, enter),
    )
    # The others are called in one place, and made part of it: to hand over so many arrays takes time.
    several = (
        orders.count,
        orders.sum_up,
        orders.seen_by,
        orders.copy_rows,
        orders.objection,
        mark,
        begin_day,
        note_jumps,
        note_closing,
        close_noted,
        log_entry,
        pauses.tell_pauses,
        pauses.pause_of,
    )
    return Kernel("account", Piece(run, pieces_of(steps, fill_model(), several)))
