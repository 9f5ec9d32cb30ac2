"""A rotation traded by a slow simulator that shares nothing with the program: loops over plain numbers.

Of several symbols those with the greatest change of the close over so many of their own bars are held, long,
each for a fixed part of the account. It is written from docs/decisions/0055 and the README, not from core/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import NamedTuple

Row = tuple[int, float, float]
"""Open time, open and close of a bar."""


class Terms(NamedTuple):
    """How it is traded."""

    period: int
    hold: int
    stake: float
    cash: float
    commission: float
    lot: float
    step: int
    """Length of a bar, ms."""


class Made(NamedTuple):
    """A closed trade; times are open times of the bars that it was filled in."""

    symbol: str
    entry_time: int
    exit_time: int
    entry_price: float
    exit_price: float
    size: float


def changes(rows: Sequence[Row], period: int) -> dict[int, float]:
    """Return the change of the close over `period` of a symbol's own bars, by open time."""
    closes = [row[2] for row in rows]
    return {rows[i][0]: closes[i] / closes[i - period] - 1 for i in range(len(rows)) if i >= period}


def places(known: Mapping[str, Mapping[int, float]], time: int) -> list[str]:
    """Return the symbols that have a value at a time, the greatest first, of equal ones the first by name."""
    there = [(-values[time], name) for name, values in known.items() if time in values]
    return [name for _, name in sorted(there)]


class Account:
    """Cash, what is held, and what is to be done at each symbol's next open."""

    def __init__(self, terms: Terms) -> None:
        self.terms, self.cash = terms, terms.cash
        self.held: dict[str, tuple[int, float, float]] = {}
        self.wanted: dict[str, float] = {}
        self.leaving: set[str] = set()
        self.last: dict[str, float] = {}
        self.made: list[Made] = []

    def see(self, name: str, bar: Row) -> None:
        """Fill what waits for this symbol's next open."""
        time, price, self.last[name] = bar
        if name in self.leaving:
            self.leaving.discard(name)
            self.cash += self.held[name][2] * price * (1 - self.terms.commission)
            self.close(name, time, price)
        if (size := self.wanted.pop(name, 0.0)) > 0:
            self.cash -= size * price * (1 + self.terms.commission)
            self.held[name] = time, price, size

    def close(self, name: str, time: int, price: float) -> None:
        """Write down that a position is over."""
        entry_time, entry_price, size = self.held.pop(name)
        self.made.append(Made(name, entry_time, time, entry_price, price, size))

    def decide(self, name: str, ranking: Sequence[str]) -> None:
        """Enter what is among the best and not held, leave what is held and not among them."""
        is_best = name in ranking[: self.terms.hold]
        if name in self.held and not is_best:
            self.leaving.add(name)
        elif name not in self.held and is_best and len(ranking) > self.terms.hold:
            worth = self.cash + sum(size * self.last[one] for one, (_, _, size) in self.held.items())
            cost = self.last[name] * (1 + self.terms.commission)
            self.wanted[name] = floor(self.terms.stake * worth / cost / self.terms.lot) * self.terms.lot


def rotate(market: Mapping[str, Sequence[Row]], traded: Sequence[str], terms: Terms) -> list[Made]:
    """Trade these symbols of a market on one account; return the trades as they were closed.

    What opened before a symbol's own first bar does not count for it: a live window begins there too.
    """
    known = {
        name: {
            other: changes([row for row in rows if row[0] >= market[name][0][0]], terms.period)
            for other, rows in market.items()
        }
        for name in traded
    }
    bars = {name: {row[0]: row for row in market[name]} for name in traded}
    account = Account(terms)
    for time in sorted({row[0] for name in traded for row in market[name]}):
        there = [name for name in traded if time in bars[name]]
        for name in there:
            account.see(name, bars[name][time])
        for name in there:
            if time in known[name][name]:
                account.decide(name, places(known[name], time))
    for name in sorted(account.held):
        account.close(name, market[name][-1][0], market[name][-1][2])
    return account.made
