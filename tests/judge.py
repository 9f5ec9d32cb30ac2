"""An independent judge: the fill model and the sizing once more, slow and obvious, from their docstrings.

It shares nothing with the program: no import from `core` or `strategies`, no numpy, plain lists only. Equal
drivers are no proof when all of them make the same mistake.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

NONE = math.nan
MOST_LOTS = 64
SAME = 1e-9
"""Shares of the allocation that differ by no more are one."""
Values = Sequence[float]


class Market(NamedTuple):
    """Candles, oldest first."""

    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values


@dataclass
class Lot:
    """What one entry bought or sold short."""

    size: float
    """Negative when short."""
    price: float
    bar: int
    stop: float
    take: float
    share: float
    rung: int
    first_stop: float
    leaves: str = ""
    """Why it is to be closed at the next open, if it is."""
    leaving: float = 0.0
    """How much of it, unsigned."""
    note: float = NONE
    """What the rule wants remembered."""
    limit: float = NONE
    """Waits for this price, or a better one …"""
    trigger: float = NONE
    """… or for this, or a worse one …"""
    left: int = 1
    """… for so many bars."""


class Trade(NamedTuple):
    """A lot, or a part of it, closed."""

    entry_bar: int
    exit_bar: int
    side: str
    size: float
    entry_price: float
    exit_price: float
    reason: str


class Want(NamedTuple):
    """What a rule wants from the next open on."""

    target: float
    stop: float = NONE
    take: float = NONE
    reason: str = ""
    rungs: tuple[int, ...] | None = None
    """Of a ladder."""
    note: float = NONE
    limit: float = NONE
    trigger: float = NONE
    valid: int = 1
    keeps: bool = False
    """Whether what waits for a price goes on waiting."""


class View(NamedTuple):
    """What a rule sees of its position."""

    side: int = 0
    price: float = NONE
    stop: float = NONE
    take: float = NONE
    bars: int = 0
    rungs: tuple[int, ...] = ()
    target: float = 0.0
    newest: float = NONE
    """Entry price of the newest lot."""
    since: float = math.inf
    """Bars since anything was closed."""
    result: float = NONE
    """What that made, both commissions paid, as a part of its entry price."""
    note: float = NONE
    waiting: int = 0
    """Entries that wait for their price."""


class Terms(NamedTuple):
    """Cash, costs and sizes of a run."""

    cash: float
    commission: float
    spread: float
    risk: float | None
    """Part of equity that a stop may cost; None where nothing has a stop."""
    exposure: float
    lot: float
    stake: float = 0.0
    """Part of equity that a whole target costs, whatever its stop …"""
    stake_money: float = 0.0
    """… and that much at most; without both the stop says."""


Rule = Callable[[int, View], Want | None]
"""From a bar's number and the position; None to leave all as it is."""


@dataclass
class Judge:
    """One account on one market."""

    market: Market
    terms: Terms
    ladder: bool = False
    money: float = 0.0
    """Cash as it would be without open lots: deposits, realised profit, less fees."""
    lots: list[Lot] = field(default_factory=list)
    asked: list[Lot] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    last: Trade | None = None
    """What was closed last."""

    def run(self, decide: Rule, first: int) -> float:
        """Trade from the close of bar `first` on; return the money at the end, with everything closed."""
        self.money = self.terms.cash
        last = len(self.market.close) - 1
        for i in range(first, last + 1):
            self.fill(i)
            if self.equity(self.market.close[i]) <= 0:
                self.close_all(i, "ruin")
                return 0.0
            want = decide(i, self.view(i))
            if want is not None:
                self.order(i, want)
        self.close_all(last, "end")
        return self.money

    def equity(self, price: float) -> float:
        """Return money and open profit."""
        return self.money + math.fsum(lot.size * (price - lot.price) for lot in self.lots)

    def free(self, price: float) -> float:
        """Return what lots do not bind, at this price."""
        return self.equity(price) - math.fsum(abs(lot.size) * price for lot in self.lots)

    def view(self, i: int) -> View:
        """Return the position at the close of bar i."""
        since, result = math.inf, NONE
        if self.last:
            since, side = i - self.last.exit_bar, 1 if self.last.side == "LONG" else -1
            paid, got = self.last.entry_price, self.last.exit_price
            result = side * (got / paid - 1) - self.terms.commission * (1 + got / paid)
        if not self.lots:
            return View(since=since, result=result, waiting=len(self.asked))
        oldest, size = self.lots[0], math.fsum(lot.size for lot in self.lots)
        side = 1 if size > 0 else -1
        price = math.fsum(lot.size * lot.price for lot in self.lots) / size
        rungs = tuple(lot.rung for lot in self.lots)
        share = math.fsum(lot.share for lot in self.lots)
        known = side, price, oldest.stop, oldest.take, i - oldest.bar, rungs, side * share
        return View(*known, self.lots[-1].price, since, result, oldest.note, len(self.asked))

    def fill(self, i: int) -> None:
        """Carry out at the open of bar i what was asked for, and inside it what stops and takes demand."""
        for lot in [lot for lot in self.lots if lot.leaves]:
            self.close(lot, i, self.market.open[i], lot.leaves, lot.leaving)
        self.protect(i)
        asked, self.asked = self.asked, []
        inside = []
        for lot in asked:
            at = self.touched(lot, i)
            if at is None:
                self.wait(lot)
            elif self.enter(lot, i, at) and at != self.market.open[i]:
                inside.append(lot)
        self.protect(i, inside)
        for lot in reversed(inside):
            self.protect_inside(lot, i)

    def touched(self, lot: Lot, i: int) -> float | None:
        """Return where bar i fills an entry, costs aside; None where it does not reach its price."""
        opened, low, high = self.market.open[i], self.market.low[i], self.market.high[i]
        buys = lot.size > 0
        if not math.isnan(lot.limit):
            if buys:
                return min(opened, lot.limit) if low <= lot.limit else None
            return max(opened, lot.limit) if high >= lot.limit else None
        if not math.isnan(lot.trigger):
            if buys:
                return max(opened, lot.trigger) if high >= lot.trigger else None
            return min(opened, lot.trigger) if low <= lot.trigger else None
        return opened

    def wait(self, lot: Lot) -> None:
        """Let an entry wait for the next bar, if it may."""
        lot.left -= 1
        if lot.left > 0:
            self.asked.append(lot)
        else:
            self.refused.append("expired")

    def protect_inside(self, lot: Lot, i: int) -> None:
        """Close what was entered inside bar i and is stopped there, or taken, if that came later for sure."""
        low, high, is_long = self.market.low[i], self.market.high[i], lot.size > 0
        if (low <= lot.stop) if is_long else (high >= lot.stop):
            self.close(lot, i, lot.stop, "stop")
        elif math.isnan(lot.limit) and ((high >= lot.take) if is_long else (low <= lot.take)):
            self.close(lot, i, lot.take, "take")

    def enter(self, lot: Lot, i: int, opened: float) -> bool:
        """Fill an entry there, unless free cash, lots valued at this bar's close, cannot pay it."""
        size = abs(lot.size)
        lot.price = opened * (1 + (1 if lot.size > 0 else -1) * self.terms.spread)
        cost = size * (lot.price + opened * self.terms.commission)
        if cost > max(0.0, self.free(self.market.close[i])):
            self.refused.append("cash")
            return False
        lot.bar = i
        self.money -= size * lot.price * self.terms.commission
        self.lots.append(lot)
        return True

    def protect(self, i: int, but: Sequence[Lot] = ()) -> None:
        """Close what bar i stops out, newest first, then what it takes out, oldest first."""
        opened, high, low = self.market.open[i], self.market.high[i], self.market.low[i]
        others = [lot for lot in self.lots if not any(lot is one for one in but)]
        for lot in reversed(others):
            is_long = lot.size > 0
            if (low <= lot.stop) if is_long else (high >= lot.stop):
                price = min(opened, lot.stop) if is_long else max(opened, lot.stop)
                self.close(lot, i, price, "stop" if lot.stop == lot.first_stop else "trail")
        for lot in [lot for lot in others if any(lot is one for one in self.lots)]:
            is_long = lot.size > 0
            if (high >= lot.take) if is_long else (low <= lot.take):
                price = max(opened, lot.take) if is_long else min(opened, lot.take)
                self.close(lot, i, price, "take")

    def close(self, lot: Lot, i: int, price: float, reason: str, amount: float | None = None) -> None:
        """Close a lot, or this much of it."""
        side, whole = (1 if lot.size > 0 else -1), abs(lot.size)
        amount = whole if amount is None else min(amount, whole)
        self.money += side * amount * (price - lot.price) - amount * price * self.terms.commission
        name = "LONG" if side > 0 else "SHORT"
        self.last = Trade(lot.bar, i, name, amount, lot.price, price, reason)
        self.trades.append(self.last)
        lot.size -= side * amount
        lot.leaves, lot.leaving = "", 0.0
        if not lot.size:
            self.lots.remove(lot)

    def close_all(self, i: int, reason: str) -> None:
        """Close everything at this close."""
        for lot in self.lots[:]:
            self.close(lot, i, self.market.close[i], reason)

    def order(self, i: int, want: Want) -> None:
        """Ask for what the rule wants at the close of bar i."""
        held, side = self.view(i), (want.target > 0) - (want.target < 0)
        if not want.keeps:
            self.asked = []
        if self.ladder:
            rungs = want.rungs or ()
            gone = [lot for lot in self.lots if lot.rung not in rungs]
            self.leave(gone, want.reason or ("reduce" if rungs else "rule"))
            for rung in sorted(set(rungs) - set(held.rungs)):
                self.ask(i, want.target / len(rungs), want, rung)
        elif side != held.side:
            self.leave(self.lots, want.reason or ("reverse" if side else "rule"))
            if side:
                self.ask(i, want.target, want, 0)
        elif side:
            for lot in self.lots:
                lot.stop, lot.take, lot.note = want.stop, want.take, want.note
            more = abs(want.target) - abs(held.target)
            if more > SAME:
                self.ask(i, side * more, want, 0)
            elif more < -SAME:
                self.reduce(-more)

    def leave(self, lots: list[Lot], reason: str) -> None:
        """Ask to close lots whole."""
        for lot in lots:
            lot.leaves, lot.leaving = reason, abs(lot.size)

    def reduce(self, share: float) -> None:
        """Ask to close lots that stand for this share of the allocation, oldest first, the last in part."""
        for lot in self.lots:
            if share <= SAME:
                return
            if lot.share - share <= SAME:
                share -= lot.share
                self.leave([lot], "reduce")
            else:
                part = math.floor(abs(lot.size) * share / lot.share / self.terms.lot) * self.terms.lot
                if part > 0:
                    lot.leaves, lot.leaving = "reduce", part
                    lot.share -= share
                return

    def ask(self, i: int, target: float, want: Want, rung: int) -> None:
        """Ask for an entry, sized at this close, or refuse it."""
        size = self.sized(i, target, want)
        if len(self.lots) + len(self.asked) >= MOST_LOTS:
            self.refused.append("lots")
        elif isinstance(size, str):
            self.refused.append(size)
        else:
            signed = size if target > 0 else -size
            lot = Lot(signed, NONE, -1, want.stop, want.take, abs(target), rung, want.stop, note=want.note)
            lot.limit, lot.trigger, lot.left = want.limit, want.trigger, want.valid
            self.asked.append(lot)

    def sized(self, i: int, target: float, want: Want) -> float | str:
        """Return the units of an entry, or why there is none.

        What is closed at the same open is cash then, less the commission of closing it.
        """
        close, terms = self.market.close[i], self.terms
        at = next((price for price in (want.limit, want.trigger) if not math.isnan(price)), close)
        fill = at * (1 + (1 if target > 0 else -1) * terms.spread)
        below, above = (want.stop, want.take) if target > 0 else (want.take, want.stop)
        if below <= 0 or below >= fill or above <= fill or (at != close and (below >= at or above <= at)):
            return "bracket"
        sold = math.fsum(lot.leaving * close for lot in self.lots)
        fee = sold * terms.commission
        waiting = math.fsum(abs(lot.size) * at for lot in self.asked)
        equity, free = self.equity(close) - fee, self.free(close) + sold - fee - waiting
        share, unit = abs(target), fill + at * terms.commission
        units = min(share * terms.exposure * equity, terms.exposure * free) / unit
        stakes = [whole for whole in (terms.stake * equity, terms.stake_money) if whole]
        if stakes:
            units = min(units, share * min(stakes) / unit)
        elif not math.isnan(want.stop) and terms.risk is not None:
            units = min(units, share * terms.risk * equity / abs(at - want.stop))
        size = math.floor(units / terms.lot) * terms.lot if units > 0 else 0.0
        return size or "lot"


def differences(mine: Sequence[Any], theirs: Sequence[Any], lot: float) -> int:
    """Return how many trades differ: numbers by more than the last digits of two ways to compute them."""
    mine, theirs = sorted(mine), sorted(theirs)
    alike = sum(_alike(one, other, lot) for one, other in zip(mine, theirs, strict=False))
    return max(len(mine), len(theirs)) - alike


def _alike(one: Any, other: Any, lot: float) -> bool:
    same = (one[0], one[1], one[2], one[6]) == (other[0], other[1], other[2], other[6])
    near = all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(one[4:6], other[4:6], strict=True))
    return same and near and math.isclose(one[3], other[3], rel_tol=1e-9, abs_tol=2.5 * lot)
