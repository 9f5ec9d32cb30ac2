"""The deciding half of a compiled account: from what a rule wants to entries that the limits allow.

In plain Python as core.fills is; core.kernel.account compiles it.
"""

from __future__ import annotations

from core.domain import Costs, Decision, FloatArray, IntArray, PositionView, enters
from core.fills import (
    ASKED,
    BOUND,
    BOUND_BY,
    BY,
    CASH,
    EXIT,
    EXIT_SIZE,
    EXITS,
    HELD,
    LOT_COLUMNS,
    LOTS,
    PROFIT,
    REFUSED,
    SIZE,
    STOP,
    TAKE,
    WANTED,
    WIDTH,
    ask,
    ask_ladder,
    view_ladder,
    with_rungs,
)
from core.fills import ENTRY_PRICE as PRICE
from core.kernel.account_pauses import pause_of
from core.kernel.account_state import AMOUNT as CUT_TO
from core.kernel.account_state import (
    ANSWER,
    APPROVING,
    ASKING,
    AT,
    BAND,
    BY_LIMIT,
    COOL,
    CORRELATED,
    CUT,
    DAY_ORDERS,
    DONE,
    ENDED,
    HAS_TRIPPED,
    JUMPED,
    KEPT_CASH,
    KEPT_PART,
    LOSSES,
    MADE_BY,
    NEAR,
    NEEDS_APPROVAL,
    NEEDS_KEPT,
    NO_BRACKET,
    NO_LOT,
    NO_LOTS,
    NO_REGIME,
    NOT_ALLOWED,
    NOTHING,
    ORDERED,
    PAUSED,
    POSITIONS,
    RATE,
    RECOVERING,
    REFUSALS,
    REFUSE,
    ROW,
    SEARCHING,
    SEQUENCE,
    SETTLED,
    SHORT,
    STAGE,
    STEP_ORDERS,
    TOLD,
    TOO_MANY,
    TOO_SMALL,
    TOTAL,
    TURN,
    WORTH,
    WRONG_BRACKET,
    BookArrays,
    FloatAccount,
    Turns,
)
from core.kernel.account_state import WHY as CUT_BY
from core.sizing import Sizing, at_close


def act(a: FloatAccount, want: Decision) -> int:
    """Order what the one whose turn it is wants at this close; return why the caller is needed, if it is."""
    q, stage = a.counters[TURN], a.counters[STAGE]
    book, reason = a.books.rows[q], -1
    if stage == SEARCHING:
        a.numbers[KEPT_CASH], a.numbers[KEPT_PART] = 0.0, 1.0
        is_ladder = a.turns.ladders[q] == 1
        if enters(want, seen_by(book), is_ladder) and is_entangled(a, q):
            reason = objection(a, q, want.target)
            if reason < 0 or is_ladder:
                a.counters[STAGE] = TOLD
                return NEEDS_KEPT
            # Refused however large it is: asked for as small as it may be, it is something anyway.
            copy_rows(book, a.books.spare)
            a.numbers[KEPT_CASH], a.numbers[KEPT_PART] = roughly_kept(a), 1.0 - a.limits.correlation
    if stage != ASKING:
        order(a, q, want)
        if reason >= 0 and book[0, REFUSED + TOO_SMALL] + book[0, REFUSED + NOT_ALLOWED] > 0:
            copy_rows(a.books.spare, book)
            sum_up(a.books, q)
            a.counters[STAGE] = TOLD
            return NEEDS_KEPT
        tell_not_sized(a, q)
        a.counters[ROW], a.counters[TOTAL], a.counters[STAGE] = 0, int(book[0, ASKED]), APPROVING
        book[0, ASKED] = 0.0
    while a.counters[ROW] < a.counters[TOTAL]:
        why = approve(a, q)
        if why != DONE:
            return why
        a.counters[ROW] += 1
    a.counters[STAGE] = SEARCHING
    return DONE


def seen_by(book: FloatArray) -> PositionView:
    """Return a position at bar 0 as a strategy on an account sees it: rung 0 belongs to no ladder."""
    seen = view_ladder(book, 0)
    return with_rungs(seen, seen.rungs & ~1)


def is_entangled(a: FloatAccount, q: int) -> bool:
    """Tell whether what others hold or wait for says how large an entry is, as only decimals can tell."""
    for other in range(a.turns.series.size):
        if other != q:
            if a.books.rows[other, 0, ASKED] > 0:
                return True
            is_other = a.turns.symbols[other] != a.turns.symbols[q]
            if a.limits.correlation > 0 and is_other and a.books.rows[other, 0, LOTS] > 0:
                return True
    return False


def copy_rows(source: FloatArray, target: FloatArray) -> None:
    """Copy a book's head and lots."""
    for row in range(HELD + int(source[0, LOTS])):
        for column in range(WIDTH):
            target[row, column] = source[row, column]


def roughly_kept(a: FloatAccount) -> float:
    """Return no less than the cash that is kept for entries asked for."""
    kept = 0.0
    for other in range(a.turns.series.size):
        kept += max(0.0, kept_for(a.turns, a.books, a.costs, other))
    return kept * (1 + 1e-6)


def order(a: FloatAccount, q: int, want: Decision) -> None:
    """Ask for what a decision wants, with what the account's other books leave."""
    book, k = a.books.rows[q], a.turns.series[q]
    i = a.books.newest[k]
    earned, bound = 0.0, a.numbers[KEPT_CASH]
    for other in a.turns.by_held:
        if other != q and a.books.rows[other, 0, LOTS] > 0:
            price = a.books.marks[a.turns.symbols[other]]
            earned += price * a.books.size[other] - a.books.cost[other]
            here = 0.0
            for row in range(HELD, HELD + int(a.books.rows[other, 0, LOTS])):
                here += abs(a.books.rows[other, row, SIZE]) * price
            bound += here
    book[0, CASH], book[0, PROFIT], book[0, BOUND] = a.numbers[SETTLED], earned, bound
    for column in range(REFUSED, BOUND_BY):
        book[0, column] = 0.0
    close = a.bars.close[a.bars.starts[k] + i]
    sizing, held = sizing_of(a.turns, q, i, a.numbers[KEPT_PART], part_allowed(a)), seen_by(book)
    if a.turns.ladders[q] == 1:
        ask_ladder(book, want, held, close, sizing, a.costs)
    else:
        ask(book, want, held, close, sizing, a.costs)
    a.books.price[q] = close
    sum_up(a.books, q)


def part_allowed(a: FloatAccount) -> float:
    """Return the part of its size that any entry keeps now: less for a while after a loss."""
    ended = a.counters[ENDED]
    is_over = ended < 0 or a.times[a.counters[AT]] >= ended + a.limits.recovery
    return 1.0 if is_over else a.limits.recovery_part


def sizing_of(turns: Turns, q: int, i: int, kept: float, part: float) -> Sizing:
    """Return how entries are sized at bar i."""
    own, at = turns.sizing[q], turns.measured[q]
    plain = Sizing(own[0], own[1], own[2], own[3], own[4], own[5], own[6], own[7], 1.0, 1.0)
    if at < 0:
        return at_close(plain, 1.0, kept * part)
    return at_close(plain, turns.volatility[at + i], turns.fit[at + i] * kept * part)


def sum_up(books: BookArrays, q: int) -> None:
    """Add up what a book holds, in the order of core.fills.equity, and find its nearest prices."""
    size, cost, bound, lowest, highest = 0.0, 0.0, 0.0, float("-inf"), float("inf")
    book = books.rows[q]
    for k in range(HELD, HELD + int(book[0, LOTS])):
        size += book[k, SIZE]
        cost += book[k, SIZE] * book[k, PRICE]
        bound += abs(book[k, SIZE])
        is_long = book[k, SIZE] > 0
        below, above = (book[k, STOP], book[k, TAKE]) if is_long else (book[k, TAKE], book[k, STOP])
        # NaN, which stands for none, is neither more nor less.
        lowest = below if below > lowest else lowest
        highest = above if above < highest else highest
    books.size[q], books.cost[q], books.bound[q] = size, cost, bound
    books.lowest[q], books.highest[q] = lowest, highest


def tell_not_sized(a: FloatAccount, q: int) -> None:
    """Count the entries that sizing refused."""
    for n in range(3):
        reason = NO_BRACKET if n == 0 else NO_LOT if n == 1 else NO_LOTS
        why = WRONG_BRACKET if n == 0 else TOO_SMALL if n == 1 else TOO_MANY
        times = int(a.books.rows[q, 0, REFUSED + why])
        count(a.books, a.counters, REFUSALS, a.turns.strategies[q], reason, times)
    times = int(a.books.rows[q, 0, REFUSED + NOT_ALLOWED])
    if times > 0:
        # A cut for what moves alike or after a loss is no regime's.
        reason = NO_REGIME if bound_by(a, q, NOTHING) == NOTHING else NO_LOT
        count(a.books, a.counters, REFUSALS, a.turns.strategies[q], reason, times)


def approve(a: FloatAccount, q: int) -> int:
    """Approve or refuse the entry whose turn it is; DONE unless decimals must tell."""
    book, whose, row = a.books.rows[q], a.turns.strategies[q], WANTED + a.counters[ROW]
    own = book[row, BY]
    bound = bound_by(a, q, int(own))
    if a.counters[STAGE] == APPROVING:
        reason = objection(a, q, book[row, SIZE])
        if reason >= 0:
            count(a.books, a.counters, REFUSALS, whose, reason, 1)
            return DONE
        if not has_plain_room(a, q, abs(book[row, SIZE])):
            a.counters[STAGE] = ASKING
            return NEEDS_APPROVAL
    else:
        a.counters[STAGE] = APPROVING
        if a.numbers[ANSWER] == REFUSE:
            count(a.books, a.counters, REFUSALS, whose, int(a.numbers[CUT_BY]), 1)
            return DONE
        if a.numbers[ANSWER] == CUT:
            book[row, SIZE] = a.numbers[CUT_TO] if book[row, SIZE] > 0 else -a.numbers[CUT_TO]
            bound = BY_LIMIT + int(a.numbers[CUT_BY])
    place = WANTED + int(book[0, ASKED])
    for column in range(LOT_COLUMNS):
        book[place, column] = book[row, column]
    book[place, BY], book[place, MADE_BY] = own, bound
    book[0, ASKED] += 1
    if a.limits.per_minute >= 0 or a.limits.per_day >= 0:
        a.logs.orders[a.counters[ORDERED]] = a.counters[AT]
        a.counters[ORDERED] += 1
        a.counters[DAY_ORDERS] += 1
        a.counters[STEP_ORDERS] += 1
    return DONE


def bound_by(a: FloatAccount, q: int, own: int) -> int:
    """Return what an entry's size is bound by, once what moves with it and a recent loss are looked at."""
    at, fit = a.turns.measured[q], 1.0
    if at >= 0:
        fit = a.turns.fit[at + a.books.newest[a.turns.series[q]]]
    if part_allowed(a) < min(1.0, fit, a.numbers[KEPT_PART]):
        return RECOVERING
    return CORRELATED if a.numbers[KEPT_PART] < min(1.0, fit) else own


def objection(a: FloatAccount, q: int, side: float) -> int:
    """Return the reason against any entry, whatever its size, in the order of RiskManager; -1 for none."""
    reason = objection_of_account(a, q)
    if reason >= 0:
        return reason
    if side < 0 and a.limits.allows_short == 0:
        return SHORT
    k = a.turns.series[q]
    close = a.bars.close[a.bars.starts[k] + a.books.newest[k]]
    away = abs(close / a.books.marks[a.turns.symbols[q]] - 1) * 100
    if a.limits.band >= 0 and not away <= a.limits.band:
        return BAND
    if a.limits.positions >= 0 and a.books.rows[q, 0, LOTS] == 0 and a.books.rows[q, 0, ASKED] == 0:
        held = 0
        for other in range(a.turns.series.size):
            held += 1 if a.books.rows[other, 0, LOTS] > 0 or a.books.rows[other, 0, ASKED] > 0 else 0
        if held >= a.limits.positions:
            return POSITIONS
    return -1


def objection_of_account(a: FloatAccount, q: int) -> int:
    """Return what breakers, a recent loss and recent orders have against an entry; -1 for nothing."""
    for kind in range(LOSSES):
        if a.counters[HAS_TRIPPED + kind] == 1:
            reason: int = a.limits.reasons[kind]
            return reason
    if a.times[a.counters[AT]] < a.books.lost[a.turns.strategies[q]] + a.limits.cool_down:
        return COOL
    # Bars close at whole minutes: an order less than a minute old is of this step.
    is_fast = 0 <= a.limits.per_minute <= a.counters[STEP_ORDERS]
    if is_fast or 0 <= a.limits.per_day <= a.counters[DAY_ORDERS]:
        return RATE
    kind = pause_of(a, q) if a.limits.has_pauses == 1 else -1
    if kind >= 0:
        return PAUSED + kind
    return JUMPED if a.times[a.counters[AT]] < a.books.jumped[a.turns.symbols[q]] else -1


def kept_for(turns: Turns, books: BookArrays, costs: Costs, q: int) -> float:
    """Return about the cash that orders need beyond what closes before them brings."""
    book, rate, kept = books.rows[q], 1 + costs.commission, 0.0
    for row in range(WANTED, WANTED + int(book[0, ASKED])):
        spread = costs.spread if book[row, SIZE] > 0 else -costs.spread
        kept += abs(book[row, SIZE]) * books.price[q] * (rate + spread)
    return kept - leaving(turns, books, q) * (1 - costs.commission)


def leaving(turns: Turns, books: BookArrays, q: int) -> float:
    """Return the notional that is about to be closed."""
    book, left = books.rows[q], 0.0
    if book[0, EXITS] > 0:
        for row in range(HELD, HELD + int(book[0, LOTS])):
            if book[row, EXIT] != 0.0:
                left += book[row, EXIT_SIZE] * books.marks[turns.symbols[q]]
    return left


def has_plain_room(a: FloatAccount, q: int, amount: float) -> bool:
    """Tell whether it is plain that no limit of money cuts an entry of so many units, nor finds it small."""
    notional, limits, most = amount * a.books.price[q], a.limits, a.numbers[WORTH] / 100
    whole, of_symbol, of_strategy, own, free = 0.0, 0.0, 0.0, 0.0, a.numbers[SETTLED]
    scale = abs(a.numbers[SETTLED]) + a.numbers[WORTH] + notional
    for other in range(a.turns.series.size):
        if a.books.rows[other, 0, LOTS] > 0 or a.books.rows[other, 0, ASKED] > 0:
            after, bound = exposed(a, other, other == q)
            whole += after
            of_symbol += after if a.turns.symbols[other] == a.turns.symbols[q] else 0.0
            of_strategy += after if a.turns.strategies[other] == a.turns.strategies[q] else 0.0
            own += after if other == q else 0.0
            free -= bound
            scale += after + abs(bound) + a.books.bound[other] * a.books.marks[a.turns.symbols[other]]
    needed = notional + NEAR * scale
    is_large = a.turns.least[q] <= 0 or notional - NEAR * scale >= a.turns.least[q]
    has_room = (
        (limits.exposure < 0 or limits.exposure * most - whole >= needed)
        and (limits.of_symbol < 0 or limits.of_symbol * most - of_symbol >= needed)
        and (limits.of_strategy < 0 or limits.of_strategy * most - of_strategy >= needed)
        and (limits.of_position < 0 or limits.of_position * most - own >= needed)
        # What moves alike is no more than all there is.
        and (limits.alike < 0 or limits.alike * most - whole >= needed)
        and (limits.order < 0 or limits.order >= needed)
    )
    # The rate of a buyer, who pays more.
    paid = free - max(0.0, limits.reserve) * most >= needed * (1 + a.costs.commission + a.costs.spread)
    return bool(is_large and has_room and paid)


def exposed(a: FloatAccount, q: int, is_entering: bool) -> tuple[float, float]:  # noqa: FBT001 - as `changes`
    """Return about what is held once what waits is done, and the cash that is not free because of it."""
    book, price = a.books.rows[q], a.books.marks[a.turns.symbols[q]]
    held, asked, short = a.books.bound[q] * price, 0.0, 0.0
    for row in range(WANTED, WANTED + int(book[0, ASKED])):
        asked += abs(book[row, SIZE]) * a.books.price[q]
    for row in range(HELD, HELD + int(book[0, LOTS])):
        short += max(0.0, -book[row, SIZE] * price)
    after = held - leaving(a.turns, a.books, q) + asked
    kept = kept_for(a.turns, a.books, a.costs, q)
    if not is_entering:
        after, kept = max(held, after), max(0.0, kept)
    return after, kept + short + short + a.books.cost[q]


def count(books: BookArrays, counters: IntArray, kind: int, strategy: int, what: int, times: int) -> None:
    """Count an outcome of a strategy."""
    if times > 0:
        books.counts[kind, strategy, what] += times
        if books.seen[kind, strategy] == 0:
            counters[SEQUENCE] += 1
            books.seen[kind, strategy] = counters[SEQUENCE]
