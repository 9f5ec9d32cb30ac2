"""Equity as the compiled loop notes it at each close: the curve, and how deep it fell below a peak.

In the head of a book PEAK is the highest equity so far, LOW the lowest since then, and DEEPEST the deepest
drawdown before that peak, as a fraction of its own.
"""

from __future__ import annotations

import math

from core.domain import Costs, FloatArray, Reason
from core.fills import CASH, DEEPEST, LEFT_BAR, LEFT_WITH, LOW, PEAK, WIDTH, close_all


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


STEPS = (reopen, mark, drawdown, note, ruin, finish)
"""What the loop is compiled with, each after what it calls."""
