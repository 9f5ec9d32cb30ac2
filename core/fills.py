"""The fill model: what becomes of orders on the next bar, stated once.

The same source runs compiled inside the sweep kernel and as plain Python in the paper account. It is
Backtesting.py's broker (0.6.6), because equality is equality with that:

1. A decision at the close of bar t is carried out at the open of bar t + 1. Exits that the rule asked for
   come first, oldest lot first; then stops of lots already held, newest lot first; then their takes, oldest
   first; then entries, in the order they were asked for; then stops and takes of the new lots.
   (`_Broker._process_orders` and the places at which orders are put into its queue.)
2. A stop fills at its price, or at the open if the bar opens beyond it; a take likewise, or at a better
   open. Both are live from the entry bar on. When one bar holds both, the stop comes first.
   An entry at a price waits for it: a touch fills, at the price, or at the open where that is better (of a
   trigger: worse). What the bar does from there on counts against it alone: its stop is live at once, as if
   the bar opened at the price; its take only where the price came first for sure, which of a limit inside the
   bar it did not (docs/decisions/0041, where Backtesting.py's own are not followed).
3. An entry pays the spread: it fills at open * (1 + side * spread). Exits do not.
4. Commission is a rate of notional on entry and on exit, taken from cash at once.
5. A target nearer to flat than what is held closes the oldest lots first, the last of them in part, sizes
   rounded down to the lot; a target further away adds a lot. (`Trade.close` of a portion; `_reduce_trade`.)
6. An entry is sized by what the exits asked for with it leave: a reversal like an entry from flat. One that
   free cash cannot pay at the open, commission included, is refused. Free cash counts open lots at this
   bar's close, as Backtesting.py does; for unleveraged longs the close cancels out.
7. When equity at a close is not positive, everything is closed at that close and the run is over.
8. What is open after the last bar is closed at its close (docs/decisions/0002, where Backtesting.py's own
   `finalize_trades` is not followed).

All amounts are float64, in quote currency and base units; every expression is written in the order in which
Backtesting.py computes it, which is what keeps the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.domain import (
    MOST_LOTS,
    NEVER,
    SAME_TARGET,
    Bound,
    Costs,
    Decision,
    FloatArray,
    PositionView,
    Reason,
    Refusal,
    entry_price,
)
from core.sizing import Capital, Sizing, gain, multiple, round_down, size_entry

# A book is one array, since compiled code pays for every array it is handed. Its first row is the head,
# then come the lots held, oldest first, then the entries asked for. PROFIT and BOUND are what the account's
# other books hold: their open profit, and the cash that is not free because of them; 0 where there are none.
# From REFUSED on entries refused are counted, by why; from BOUND_BY on those made, by what binds them.
# WINS to LOST are the closed trades' record that half-Kelly sizes by (core.sizing.Capital), PEAK to DEEPEST
# the kernel's alone (core.kernel.equity). LEFT_BAR is the bar on which a lot was closed last, LEFT_WITH what
# that made (core.sizing.gain), both NaN before the first time.
CASH, LOTS, ASKED, EXITS, TRADES, PROFIT, BOUND, WINS, LOSSES, GAINED, LOST = range(11)
PEAK, LOW, DEEPEST, LEFT_BAR, LEFT_WITH, REFUSED = range(11, 17)
BOUND_BY = REFUSED + len(Refusal)
WIDTH = BOUND_BY + len(Bound)
NO_CASH = REFUSED + int(Refusal.CASH)
HELD = 1
WANTED = HELD + MOST_LOTS
# Columns of a lot. SIZE is signed. EXIT is the reason of an exit asked for, else 0; EXIT_SIZE its unsigned
# size. SHARE is the unsigned part of the target that the lot stands for, FIRST_STOP the stop it began with,
# NOTE what the rule wants remembered.
SIZE, ENTRY_PRICE, ENTRY_BAR, STOP, TAKE, RUNG, EXIT, EXIT_SIZE, SHARE, FIRST_STOP, NOTE = range(11)
LOT_COLUMNS = 11
# Of an entry asked for, besides: what its size is bound by, the price it waits for, at it or better (LIMIT)
# or at it or worse (TRIGGER), and how many bars it still waits. All that wait are of one decision.
BY, LIMIT, TRIGGER, BARS = range(LOT_COLUMNS, LOT_COLUMNS + 4)
# Columns of a trade. The first six are its lot's.
EXIT_BAR, EXIT_PRICE, FEES, PNL, RETURN, REASON = range(6, 12)
TRADE_COLUMNS = 12


class OneBar(NamedTuple):
    """Prices of one bar."""

    open: float
    high: float
    low: float
    close: float


def open_book(cash: float) -> FloatArray:
    """Return an account on one symbol with nothing but cash; shape (129, 30), changed in place."""
    book = np.zeros((WANTED + MOST_LOTS, WIDTH))
    book[0, [CASH, PEAK, LOW]] = cash
    book[0, [LEFT_BAR, LEFT_WITH]] = np.nan
    return book


def make_trades(capacity: int) -> FloatArray:
    """Return room for closed trades, shape (capacity, 12)."""
    return np.empty((capacity, TRADE_COLUMNS))


def has_room(book: FloatArray, trades: FloatArray) -> bool:
    """Tell whether all that one bar can close finds room."""
    return bool(book[0, TRADES] + 2 * MOST_LOTS <= trades.shape[0])


def grown(book: FloatArray, trades: FloatArray) -> FloatArray:
    """Return the trades in an array of twice the size."""
    used = int(book[0, TRADES])
    return np.concatenate([trades[:used], make_trades(2 * trades.shape[0] + 2 * MOST_LOTS - used)])


def code(member: int) -> int:
    """Return an enum's number; compiled code cannot store the enum itself in an array."""
    return int(member)


def equity(book: FloatArray, close: float) -> float:
    """Return the account's cash and open profit at this close; the exits' commission is not yet in it."""
    size, cost = 0.0, 0.0
    for k in range(HELD, HELD + int(book[0, LOTS])):
        size += book[k, SIZE]
        cost += book[k, SIZE] * book[k, ENTRY_PRICE]
    return float(book[0, CASH] + book[0, PROFIT] + (close * size - cost))


def free_cash(book: FloatArray, close: float) -> float:
    """Return what is not bound in lots at this close; negative when shorts have run away."""
    bound = float(book[0, BOUND])
    for k in range(HELD, HELD + int(book[0, LOTS])):
        bound += abs(book[k, SIZE]) * close
    return equity(book, close) - bound


def after_exits(book: FloatArray, close: float, costs: Costs) -> Capital:
    """Return the account as the exits asked for leave it, filled at this close, commission paid."""
    worth, free = equity(book, close), free_cash(book, close)
    for k in range(HELD, HELD + int(book[0, LOTS])):
        if book[k, EXIT] != 0.0:
            notional = float(book[k, EXIT_SIZE] * close)
            worth -= notional * costs.commission
            free += notional - notional * costs.commission
    record = float(book[0, WINS]), float(book[0, LOSSES]), float(book[0, GAINED]), float(book[0, LOST])
    return Capital(worth, free, record[0], record[1], record[2], record[3])


def view(book: FloatArray, i: int) -> PositionView:
    """Return the position as a decision may see it at the close of bar i, without rungs."""
    since, result, lots = since_exit(book, i), float(book[0, LEFT_WITH]), int(book[0, LOTS])
    if lots == 0:
        waiting = int(book[0, ASKED])
        return PositionView(0, np.nan, np.nan, np.nan, 0, 0, 0.0, np.nan, since, result, np.nan, waiting)
    side = 1 if book[HELD, SIZE] > 0 else -1
    entry, share, newest = book[HELD, ENTRY_PRICE], book[HELD, SHARE], book[HELD + lots - 1, ENTRY_PRICE]
    if lots > 1:
        size, cost, share = 0.0, 0.0, 0.0
        for k in range(HELD, HELD + lots):
            size += book[k, SIZE]
            cost += book[k, SIZE] * book[k, ENTRY_PRICE]
            share += book[k, SHARE]
        entry = cost / size
    stop, take, first = float(book[HELD, STOP]), float(book[HELD, TAKE]), int(book[HELD, ENTRY_BAR])
    target, kept = float(side * share), float(book[HELD, NOTE])
    return PositionView(
        side,
        float(entry),
        stop,
        take,
        i - first,
        0,
        target,
        float(newest),
        since,
        result,
        kept,
        int(book[0, ASKED]),
    )


def since_exit(book: FloatArray, i: int) -> int:
    """Return the bars since a lot was closed last, at the close of bar i; NEVER before the first time."""
    left = book[0, LEFT_BAR]
    return i - int(left) if left == left else NEVER  # noqa: PLR0124 - NaN alone is not itself


def view_ladder(book: FloatArray, i: int) -> PositionView:
    """Return the same with the rungs that a ladder holds."""
    held = view(book, i)
    rungs = 0
    for k in range(HELD, HELD + int(book[0, LOTS])):
        rungs |= 1 << int(book[k, RUNG])
    return with_rungs(held, rungs)


def with_rungs(held: PositionView, rungs: int) -> PositionView:
    """Return the position with these rungs."""
    return PositionView(
        held.side,
        held.entry_price,
        held.stop,
        held.take,
        held.bars_held,
        rungs,
        held.target,
        held.newest_price,
        held.since_exit,
        held.last_result,
        held.note,
        held.waiting,
    )


def fill(book: FloatArray, trades: FloatArray, i: int, bar: OneBar, costs: Costs) -> None:
    """Carry out what was asked for at the last close and what stops and takes demand on bar i."""
    if book[0, LOTS] > 0:
        if book[0, EXITS] > 0:
            exit_asked(book, trades, i, bar, costs)
        protect(book, trades, i, bar, costs)
    if book[0, ASKED] > 0:
        reached = bar if is_at_open(book) else from_touch(book, bar)
        if reached.open != reached.open:
            wait_on(book)
            return
        before = book[0, LOTS]
        for k in range(WANTED, WANTED + int(book[0, ASKED])):
            open_lot(book, k, i, reached, costs)
        book[0, ASKED] = 0.0
        if book[0, LOTS] > before:
            protect(book, trades, i, reached, costs)


def is_at_open(book: FloatArray) -> bool:
    """Tell whether what is asked for is entered at the open."""
    limit, trigger = book[WANTED, LIMIT], book[WANTED, TRIGGER]
    return bool(limit != limit and trigger != trigger)  # noqa: PLR0124 - NaN alone is not itself


def from_touch(book: FloatArray, bar: OneBar) -> OneBar:
    """Return the bar from where it reaches the price of the entries that wait; NaN where it does not.

    A better open is what they get, and then the bar is whole. Else it opens at that price, and counts against
    them alone: it has what may reach a stop, and on a limit's good side no more than the price, since it may
    have been there before.
    """
    is_long, limit, trigger = book[WANTED, SIZE] > 0, book[WANTED, LIMIT], book[WANTED, TRIGGER]
    # NaN is never reached.
    if is_long:
        if bar.low <= limit:
            price = min(bar.open, limit)
            return OneBar(price, bar.high if price == bar.open else price, bar.low, bar.close)
        if bar.high >= trigger:
            return OneBar(max(bar.open, trigger), bar.high, bar.low, bar.close)
    else:
        if bar.high >= limit:
            price = max(bar.open, limit)
            return OneBar(price, bar.high, bar.low if price == bar.open else price, bar.close)
        if bar.low <= trigger:
            return OneBar(min(bar.open, trigger), bar.high, bar.low, bar.close)
    return OneBar(np.nan, bar.high, bar.low, bar.close)


def wait_on(book: FloatArray) -> None:
    """Let the entries wait for another bar, or count them as expired."""
    for k in range(WANTED, WANTED + int(book[0, ASKED])):
        book[k, BARS] -= 1
    if book[WANTED, BARS] <= 0:
        book[0, REFUSED + code(Refusal.EXPIRED)] += book[0, ASKED]
        book[0, ASKED] = 0.0


def exit_asked(book: FloatArray, trades: FloatArray, i: int, bar: OneBar, costs: Costs) -> None:
    """Close the lots whose exit was asked for, at this open."""
    for k in range(HELD, HELD + int(book[0, LOTS])):
        if book[k, EXIT] != 0.0:
            if book[k, EXIT_SIZE] < abs(book[k, SIZE]):
                close_part(book, trades, k, i, bar.open, costs)
            else:
                close_lot(book, trades, k, i, bar.open, int(book[k, EXIT]), costs)
    book[0, EXITS] = 0.0
    drop_closed(book)


def protect(book: FloatArray, trades: FloatArray, i: int, bar: OneBar, costs: Costs) -> None:
    """Fill the stops, then the takes, that bar i reaches."""
    last, before = HELD + int(book[0, LOTS]) - 1, book[0, TRADES]
    for k in range(last, HELD - 1, -1):
        stop = book[k, STOP]
        if book[k, SIZE] > 0:
            if bar.low <= stop:
                close_lot(book, trades, k, i, min(bar.open, stop), stop_reason(book, k), costs)
        elif bar.high >= stop and book[k, SIZE] < 0:
            close_lot(book, trades, k, i, max(bar.open, stop), stop_reason(book, k), costs)
    for k in range(HELD, last + 1):
        take = book[k, TAKE]
        if book[k, SIZE] > 0:
            if bar.high >= take:
                close_lot(book, trades, k, i, max(bar.open, take), code(Reason.TAKE), costs)
        elif bar.low <= take and book[k, SIZE] < 0:
            close_lot(book, trades, k, i, min(bar.open, take), code(Reason.TAKE), costs)
    if book[0, TRADES] > before:
        drop_closed(book)


def stop_reason(book: FloatArray, k: int) -> int:
    """Tell a stop that the rule has moved since the entry from one that it has not."""
    return code(Reason.STOP) if book[k, STOP] == book[k, FIRST_STOP] else code(Reason.TRAIL)


def open_lot(book: FloatArray, k: int, i: int, bar: OneBar, costs: Costs) -> None:
    """Make the entry asked for in row k at this open, or count its refusal."""
    size = book[k, SIZE]
    side = 1.0 if size > 0 else -1.0
    price = bar.open * (1 + side * costs.spread)
    unit_cost = price + abs(size) * bar.open * costs.commission / abs(size)
    if abs(size) * unit_cost > max(0.0, free_cash(book, bar.close)):
        book[0, NO_CASH] += 1
        return
    lot = HELD + int(book[0, LOTS])
    for column in range(LOT_COLUMNS):
        book[lot, column] = book[k, column]
    book[lot, ENTRY_PRICE] = price
    book[lot, ENTRY_BAR] = i
    book[lot, EXIT] = 0.0
    book[lot, FIRST_STOP] = book[k, STOP]
    book[0, LOTS] += 1
    book[0, BOUND_BY + int(book[k, BY])] += 1
    book[0, CASH] -= abs(size) * price * costs.commission


def close_lot(
    book: FloatArray, trades: FloatArray, k: int, i: int, price: float, reason: int, costs: Costs
) -> None:
    """Close the lot in row k at this price; `drop_closed` frees its row."""
    size, entry, n = book[k, SIZE], book[k, ENTRY_PRICE], int(book[0, TRADES])
    gross = size * (price - entry)
    exit_fee = abs(size) * price * costs.commission
    book[0, CASH] += gross - exit_fee
    fees = exit_fee + abs(size) * entry * costs.commission
    side = 1.0 if size > 0 else -1.0
    for column in range(EXIT):
        trades[n, column] = book[k, column]
    trades[n, EXIT_BAR] = i
    trades[n, EXIT_PRICE] = price
    trades[n, FEES] = fees
    trades[n, PNL] = gross - fees
    trades[n, RETURN] = side * (price / entry - 1) - fees / (abs(size) * entry)
    trades[n, REASON] = reason
    count_trade(book, multiple(side, entry, price, book[k, FIRST_STOP], costs.commission))
    book[0, LEFT_BAR] = i
    book[0, LEFT_WITH] = gain(side, entry, price, costs.commission)
    book[0, TRADES] += 1
    book[k, SIZE] = 0.0


def count_trade(book: FloatArray, result: float) -> None:
    """Add a trade's result, a multiple of what its stop risked, to the record; NaN counts for nothing."""
    if result > 0:
        book[0, WINS] += 1
        book[0, GAINED] += result
    elif result <= 0:
        book[0, LOSSES] += 1
        book[0, LOST] -= result


def close_part(book: FloatArray, trades: FloatArray, k: int, i: int, price: float, costs: Costs) -> None:
    """Close EXIT_SIZE of the lot in row k; the trade has no stop or take, as in Backtesting.py."""
    size, part = book[k, SIZE], book[k, EXIT_SIZE]
    book[k, SIZE] = part if size > 0 else -part
    close_lot(book, trades, k, i, price, int(book[k, EXIT]), costs)
    trades[int(book[0, TRADES]) - 1, STOP] = np.nan
    trades[int(book[0, TRADES]) - 1, TAKE] = np.nan
    book[k, SIZE] = size - part if size > 0 else size + part
    book[k, EXIT] = 0.0


def drop_closed(book: FloatArray) -> None:
    """Move the lots still held together, oldest first."""
    kept = HELD
    for k in range(HELD, HELD + int(book[0, LOTS])):
        if book[k, SIZE] != 0.0:
            if kept != k:
                for column in range(LOT_COLUMNS):
                    book[kept, column] = book[k, column]
            kept += 1
    book[0, LOTS] = kept - HELD


def close_all(book: FloatArray, trades: FloatArray, i: int, price: float, reason: int, costs: Costs) -> None:
    """Close every lot at this price, oldest first."""
    for k in range(HELD, HELD + int(book[0, LOTS])):
        close_lot(book, trades, k, i, price, code(reason), costs)
    book[0, LOTS] = 0.0


def ask(
    book: FloatArray, want: Decision, held: PositionView, close: float, sizing: Sizing, costs: Costs
) -> None:
    """Turn what a decision wants at this close into exits, entries and moved stops."""
    withdraw(book, want)
    side = 1 if want.target > 0 else (-1 if want.target < 0 else 0)
    if side != held.side:
        ask_exits(book, exit_reason(want.reason, side != 0, Reason.REVERSE), -1)
        if side != 0:
            ask_entry(book, want, 0, close, after_exits(book, close, costs), sizing, costs)
    elif side != 0:
        for k in range(HELD, HELD + int(book[0, LOTS])):
            book[k, STOP] = want.stop
            book[k, TAKE] = want.take
            book[k, NOTE] = want.note
        more = abs(want.target) - abs(held.target)
        if more > SAME_TARGET:
            part = part_of(want, side * more, 0)
            ask_entry(book, part, 0, close, after_exits(book, close, costs), sizing, costs)
        elif more < -SAME_TARGET:
            ask_less(book, -more, sizing)


def withdraw(book: FloatArray, want: Decision) -> None:
    """Drop the entries that wait for their price, unless the decision is to hold."""
    if code(want.reason) != code(Reason.HOLD):
        book[0, ASKED] = 0.0


def part_of(want: Decision, target: float, rungs: int) -> Decision:
    """Return a decision for another target and these rungs."""
    return Decision(
        target,
        want.stop,
        want.take,
        want.reason,
        rungs,
        want.note,
        want.limit,
        want.trigger,
        want.valid_bars,
    )


def ask_ladder(
    book: FloatArray, want: Decision, held: PositionView, close: float, sizing: Sizing, costs: Costs
) -> None:
    """Turn the rungs that a decision wants at this close into exits and entries."""
    withdraw(book, want)
    if want.rungs != held.rungs:
        ask_exits(book, exit_reason(want.reason, want.rungs != 0, Reason.REDUCE), held.rungs & ~want.rungs)
        ask_rungs(book, want, want.rungs & ~held.rungs, close, sizing, costs)


def exit_reason(reason: int, wants_more: bool, otherwise: int) -> int:  # noqa: FBT001 - no keywords when compiled
    """Return the reason of an exit: the decision's own, unless that is one for entering or for nothing."""
    if code(reason) > code(Reason.HOLD):
        return code(reason)
    return code(otherwise) if wants_more else code(Reason.RULE)


def ask_exits(book: FloatArray, reason: int, rungs: int) -> None:
    """Ask to close the lots of these rungs (-1: all) at the next open."""
    for k in range(HELD, HELD + int(book[0, LOTS])):
        if rungs & (1 << int(book[k, RUNG])):
            ask_exit(book, k, abs(book[k, SIZE]), reason)


def ask_exit(book: FloatArray, k: int, size: float, reason: int) -> None:
    """Ask to close this much, unsigned, of the lot in row k at the next open."""
    book[k, EXIT] = reason
    book[k, EXIT_SIZE] = size
    book[0, EXITS] += 1


def ask_less(book: FloatArray, share: float, sizing: Sizing) -> None:
    """Ask to close lots that stand for this share of the allocation, oldest first."""
    left = share
    for k in range(HELD, HELD + int(book[0, LOTS])):
        if left > SAME_TARGET:
            if book[k, SHARE] - left <= SAME_TARGET:
                left -= book[k, SHARE]
                ask_exit(book, k, abs(book[k, SIZE]), code(Reason.REDUCE))
            else:
                part = round_down(abs(book[k, SIZE]) * (left / book[k, SHARE]), sizing.lot)
                if part > 0:
                    ask_exit(book, k, part, code(Reason.REDUCE))
                    book[k, SHARE] -= left
                left = 0.0


def ask_rungs(
    book: FloatArray, want: Decision, opening: int, close: float, sizing: Sizing, costs: Costs
) -> None:
    """Ask for one entry per rung to open, lowest number first, each with its share of the target."""
    wanted = 0
    for rung in range(MOST_LOTS - 1):
        wanted += (want.rungs >> rung) & 1
    left = after_exits(book, close, costs)
    for rung in range(MOST_LOTS - 1):
        if (opening >> rung) & 1:
            share = part_of(want, want.target / wanted, want.rungs)
            cost = ask_entry(book, share, rung, close, left, sizing, costs) * entry_price(want, close)
            left = Capital(left.equity, left.cash - cost, left.wins, left.losses, left.gained, left.lost)


def ask_entry(
    book: FloatArray, want: Decision, rung: int, close: float, account: Capital, sizing: Sizing, costs: Costs
) -> float:
    """Ask for one entry, or count its refusal; return the size asked for, unsigned."""
    if book[0, LOTS] + book[0, ASKED] >= MOST_LOTS:
        book[0, REFUSED + code(Refusal.LOTS)] += 1
        return 0.0
    units, refusal, bound = size_entry(want, entry_price(want, close), account, sizing, costs)
    if code(refusal) != 0:
        book[0, REFUSED + code(refusal)] += 1
        return 0.0
    k = WANTED + int(book[0, ASKED])
    book[k, SIZE] = units if want.target > 0 else -units
    book[k, STOP] = want.stop
    book[k, TAKE] = want.take
    book[k, RUNG] = rung
    book[k, SHARE] = abs(want.target)
    book[k, NOTE] = want.note
    book[k, BY] = code(bound)
    book[k, LIMIT] = want.limit
    book[k, TRIGGER] = want.trigger
    book[k, BARS] = want.valid_bars
    book[0, ASKED] += 1
    return units
