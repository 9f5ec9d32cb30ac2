"""Pauses of a compiled account: core.risk.pauses once more, on the logs of trades.

In plain Python as core.fills is; core.kernel.account compiles it.
"""

from __future__ import annotations

from core.domain import Reason
from core.fills import ENTRY_PRICE, EXIT_BAR, EXIT_PRICE, REASON, SIZE, code
from core.kernel.account_state import AT, BASE, DAY_LOSS, NEVER, FloatAccount
from core.sizing import gain

DAY = 86_400_000
IS_ON, TRADES, SPAN, LENGTH, MOST, EACH, OWN = range(7)
"""Columns of a pause's terms, times in milliseconds."""
COLUMNS = 7
EXIT, GUARD, LOW, FALL, DAILY, STREAK, LOST = range(7)
"""Rows, in the order of core.risk.limits.BREAKERS."""
ROWS = 7


def tell_pauses(a: FloatAccount, n: int, now: int) -> None:
    """Pause what trade n, closed now, pauses."""
    strategies, symbols, whose = a.turns.strategies, a.turns.symbols, a.logs.of_trade[n]
    for kind in range(ROWS):
        if a.limits.pauses[kind, IS_ON] == 0.0:
            continue
        until = paused_until(a, kind, n, now)
        if until > now:
            for q in range(strategies.size):
                is_there = a.limits.pauses[kind, EACH] == 0.0 or symbols[q] == symbols[whose]
                is_meant = a.limits.pauses[kind, OWN] == 0.0 or strategies[q] == strategies[whose]
                if is_meant and is_there:
                    a.books.paused[kind, q] = until


def paused_until(a: FloatAccount, kind: int, n: int, now: int) -> float:
    """Return until when a pause holds once trade n is closed; NEVER for none."""
    terms, rows = a.limits.pauses[kind], a.logs.trades
    if kind == EXIT:
        return float(now + terms[LENGTH])
    first = n
    while first > 0 and closed_at(a, first - 1) > now - terms[SPAN]:
        first -= 1
    count, total, highest, deepest, newest, lost = 0, 0.0, 0.0, 0.0, NEVER, 0.0
    for m in range(first, n + 1):
        if not is_alike(a, m, n, terms[EACH] != 0.0, terms[OWN] != 0.0):
            continue
        row, time = rows[m], closed_at(a, m)
        side = 1.0 if row[SIZE] > 0 else -1.0
        profit = gain(side, row[ENTRY_PRICE], row[EXIT_PRICE], a.costs.commission)
        total += profit
        highest = max(highest, total)
        deepest = max(deepest, highest - total)
        is_today = time // DAY == now // DAY
        if is_today:
            lost += profit * abs(row[SIZE]) * row[ENTRY_PRICE] / a.numbers[BASE + DAY_LOSS]
        if counts(kind, row[REASON], profit, is_today):
            count += 1
            newest = time
        if kind == STREAK and profit >= 0:
            count = 0
    if count < terms[TRADES] or is_fine(kind, terms[MOST], total, deepest, lost):
        return NEVER
    if kind in (DAILY, LOST):
        return float((now // DAY + 1) * DAY)
    return float(newest + terms[LENGTH])


def counts(kind: int, reason: float, profit: float, is_today: bool) -> bool:  # noqa: FBT001 - as `changes`
    """Tell whether a trade is one of those that a pause wants so many of."""
    if kind == GUARD:
        is_stop = reason in (code(Reason.STOP), code(Reason.TRAIL))
        return is_stop and profit < 0
    return kind != DAILY or is_today


def is_fine(kind: int, most: float, total: float, deepest: float, lost: float) -> bool:
    """Tell whether the trades that were looked at have made enough."""
    if kind == LOST:
        return lost > -most
    return (kind == LOW and total >= most) or (kind == FALL and deepest <= most)


def is_alike(a: FloatAccount, m: int, n: int, each_symbol: bool, each_strategy: bool) -> bool:  # noqa: FBT001 - as `changes`
    """Tell whether trade m counts with trade n: of one strategy, and one symbol, where each is alone."""
    one, other = a.logs.of_trade[m], a.logs.of_trade[n]
    if each_strategy and a.turns.strategies[one] != a.turns.strategies[other]:
        return False
    return not each_symbol or a.turns.symbols[one] == a.turns.symbols[other]


def closed_at(a: FloatAccount, n: int) -> int:
    """Return when the bar closed in which a trade ended."""
    start = a.bars.starts[a.turns.series[a.logs.of_trade[n]]]
    end: int = a.bars.ends[start + int(a.logs.trades[n, EXIT_BAR])]
    return end


def pause_of(a: FloatAccount, q: int) -> int:
    """Return the row of the pause that is against an entry now; -1 for none."""
    now = a.times[a.counters[AT]]
    for kind in range(ROWS):
        if now < a.books.paused[kind, q]:
            return kind
    return -1
