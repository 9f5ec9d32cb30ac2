"""Protections once more for the judge: from freqtrade's documentation, hours in place of minutes.

As tests/judge.py it shares nothing with the program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.judge import Judge, Trade, Want


class Protection(NamedTuple):
    """One of them, for one symbol; how far it looks back and how long it lasts, in hours."""

    kind: str
    length: int
    back: int = 0
    trades: int = 1
    most: float = 0.0


@dataclass
class PausedJudge(Judge):
    """A judge that refuses entries while any trade closed so far locks them."""

    protections: tuple[Protection, ...] = ()
    hours: Sequence[int] = ()
    """When each bar closes, from some midnight UTC on; candles may be missing."""
    worth: dict[int, float] = field(default_factory=dict)
    """Equity at the first close of each day that it traded on."""

    def fill(self, i: int) -> None:
        """Carry out what bar i brings, and note what the account is worth as a day begins."""
        super().fill(i)
        self.worth.setdefault(self.hours[i] // 24, self.equity(self.market.close[i]))

    def ask(self, i: int, target: float, want: Want, rung: int) -> None:
        """Ask for an entry, unless a lock is still on at this close."""
        before = len(self.asked)
        super().ask(i, target, want, rung)
        if len(self.asked) > before and (kind := self.locked(i)):
            self.asked.pop()
            self.refused.append(kind)

    def locked(self, i: int) -> str:
        """Return the first protection that locks entries at the close of bar i."""
        for one in self.protections:
            if any(self.lock_end(one, k) > self.hours[i] for k in range(len(self.trades))):
                return one.kind
        return ""

    def lock_end(self, one: Protection, k: int) -> float:
        """Return the first hour that is free again because of what closed up to trade k."""
        now = self.closed(self.trades[k])
        if one.kind == "exit_pause":
            return now + one.length
        if one.kind == "trades_a_day":
            same = [trade for trade in self.trades[: k + 1] if self.closed(trade) // 24 == now // 24]
            return (now // 24 + 1) * 24 if len(same) >= one.trades else -math.inf
        if one.kind == "symbol_loss":
            return self.loss_end(one, k)
        seen = [trade for trade in self.trades[: k + 1] if self.closed(trade) > now - one.back]
        if one.kind == "loss_streak":
            while any(self.made(trade) >= 0 for trade in seen):
                seen.pop(0)
        if one.kind == "stop_guard":
            seen = [trade for trade in seen if trade.reason in ("stop", "trail") and self.made(trade) < 0]
        if len(seen) < one.trades:
            return -math.inf
        made = [self.made(trade) for trade in seen]
        if one.kind == "low_profit" and not sum(made) < one.most:
            return -math.inf
        if one.kind == "recent_drawdown" and not worst_fall(made) > one.most:
            return -math.inf
        return self.closed(seen[-1]) + one.length

    def loss_end(self, one: Protection, k: int) -> float:
        """Return the same where the trades of a day lost so much of what it began with."""
        day = self.closed(self.trades[k]) // 24
        same = [trade for trade in self.trades[: k + 1] if self.closed(trade) // 24 == day]
        made = math.fsum(self.made(trade) * trade.size * trade.entry_price for trade in same)
        # Before the first decision nothing has changed.
        began = self.worth.get(day, self.terms.cash) if day != self.hours[0] // 24 else self.terms.cash
        return (day + 1) * 24 if made <= -one.most * began else -math.inf

    def closed(self, trade: Trade) -> int:
        """Return the hour at which it is known that a trade ended."""
        return self.hours[trade.exit_bar]

    def made(self, trade: Trade) -> float:
        """Return a trade's profit as a part of its entry price, both commissions paid."""
        side, ratio = 1 if trade.side == "LONG" else -1, trade.exit_price / trade.entry_price
        return side * (ratio - 1) - self.terms.commission * (1 + ratio)


def worst_fall(made: list[float]) -> float:
    """Return the deepest fall of the running sum below what it had reached, from 0 on."""
    return max(
        max([0.0, *(math.fsum(made[:j]) for j in range(1, k + 1))]) - math.fsum(made[:k])
        for k in range(1, len(made) + 1)
    )
