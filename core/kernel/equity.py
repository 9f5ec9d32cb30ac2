"""Equity as the compiled loop notes it at each close: the curve, and how deep it fell below a peak.

In the head of a book PEAK is the highest equity so far, LOW the lowest since then, and DEEPEST the deepest
drawdown before that peak, as a fraction of its own.
"""

from __future__ import annotations

import math

from core.domain import Costs, FloatArray, Reason
from core.fills import (
    CASH,
    DEEPEST,
    ENTRY_PRICE,
    HELD,
    LEFT_BAR,
    LEFT_WITH,
    LOTS,
    LOW,
    PEAK,
    PROFIT,
    SIZE,
    WIDTH,
    close_all,
)


def reopen(book: FloatArray, cash: float) -> None:
    """Begin anew with nothing but cash; what the rows of lots hold stays there unread."""
    for column in range(WIDTH):
        book[0, column] = 0.0
    book[0, CASH] = cash
    book[0, PEAK] = cash
    book[0, LOW] = cash
    book[0, LEFT_BAR] = math.nan
    book[0, LEFT_WITH] = math.nan


def mark(book: FloatArray, worth: float) -> None:
    """Note equity at a close. A quotient keeps the order of its numerators: the lowest is the deepest."""
    if worth >= book[0, PEAK]:
        book[0, DEEPEST] = max(book[0, DEEPEST], 1 - book[0, LOW] / book[0, PEAK])
        book[0, PEAK] = worth
        book[0, LOW] = worth
    elif worth < book[0, LOW]:
        book[0, LOW] = worth


def drawdown(book: FloatArray) -> float:
    """Return the deepest fall of equity below an earlier peak that was noted, as a fraction of the peak."""
    return float(max(book[0, DEEPEST], 1 - book[0, LOW] / book[0, PEAK]))


def note(book: FloatArray, curve: FloatArray, i: int, worth: float, length: int) -> None:
    """Note equity at the close of bar i; what is open at the last one is yet to be closed."""
    if curve.size:
        curve[i] = worth
    if i < length - 1:
        mark(book, worth)


def ruin(book: FloatArray, trades: FloatArray, curve: FloatArray, i: int, close: float, costs: Costs) -> None:
    """Close everything at the close of bar i, at which nothing is left."""
    close_all(book, trades, i, close, Reason.RUIN, costs)
    mark(book, 0.0)
    for rest in range(i, curve.size):
        curve[rest] = 0.0


def finish(
    book: FloatArray, trades: FloatArray, curve: FloatArray, length: int, close: float, costs: Costs
) -> None:
    """Close what is open after the last bar, at its close."""
    close_all(book, trades, length - 1, close, Reason.END, costs)
    mark(book, book[0, CASH])
    if curve.size:
        curve[length - 1] = book[0, CASH]


def note_quiet(
    book: FloatArray, closes: FloatArray, curve: FloatArray, start: int, stop: int, length: int
) -> int:
    """Note equity at the closes of bars that change nothing; return the first at which nothing is left."""
    size, cost, cash = 0.0, 0.0, book[0, CASH] + book[0, PROFIT]
    for k in range(HELD, HELD + int(book[0, LOTS])):
        size += book[k, SIZE]
        cost += book[k, SIZE] * book[k, ENTRY_PRICE]
    if book[0, LOTS] == 0.0:
        if curve.size:
            for i in range(start, stop):
                curve[i] = cash
        return stop
    last = min(stop, length - 1)
    if curve.size:
        for i in range(start, last):
            curve[i] = cash + (closes[i] * size - cost)
    i = last
    if start < last:
        lowest, highest = extremes(closes, start, last)
        # Rounding keeps order: equity is lowest and highest where the price is.
        one, other = cash + (lowest * size - cost), cash + (highest * size - cost)
        if max(one, other) >= book[0, PEAK] or min(one, other) <= 0:
            i = note_each(book, closes, size, cost, start, last)
        else:
            book[0, LOW] = min(book[0, LOW], one, other)
    # What is open after the last bar is worth what it brings: `finish` notes that.
    if i == last and i < stop and cash + (closes[i] * size - cost) > 0:
        i += 1
    return i


def extremes(values: FloatArray, start: int, stop: int) -> tuple[float, float]:
    """Return the least and the greatest of at least one number: four at a time, which wait for no other."""
    a, b, c, d = values[start], values[start], values[start], values[start]
    e, f, g, h = a, a, a, a
    i = start
    while i + 4 <= stop:
        a, b, c, d = min(a, values[i]), min(b, values[i + 1]), min(c, values[i + 2]), min(d, values[i + 3])
        e, f, g, h = max(e, values[i]), max(f, values[i + 1]), max(g, values[i + 2]), max(h, values[i + 3])
        i += 4
    while i < stop:
        a, e = min(a, values[i]), max(e, values[i])
        i += 1
    return min(min(a, b), min(c, d)), max(max(e, f), max(g, h))


def note_each(book: FloatArray, closes: FloatArray, size: float, cost: float, start: int, stop: int) -> int:
    """Note equity at each of these closes; return the first at which nothing is left."""
    cash, peak, low, i = book[0, CASH] + book[0, PROFIT], book[0, PEAK], book[0, LOW], start
    while i < stop:
        worth = cash + (closes[i] * size - cost)
        if worth <= 0:
            break
        if worth >= peak:
            # Written at once: the compiler would divide on every bar to save a branch.
            book[0, DEEPEST] = max(book[0, DEEPEST], 1 - low / peak)
            peak, low = worth, worth
        low = min(low, worth)
        i += 1
    book[0, PEAK], book[0, LOW] = peak, low
    return i


STEPS = (reopen, mark, drawdown, note, ruin, finish, extremes, note_each, note_quiet)
"""What the loop is compiled with, each after what it calls."""
