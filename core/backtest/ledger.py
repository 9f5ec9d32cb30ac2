"""The exact books of a compiled account: decimals made of what it filled, as a portfolio books them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.lots import Trade, price_or_none
from core.account.money import decimal_of, minus, part_of, plus, signed, times
from core.account.values import Result
from core.domain import FloatArray, IntArray, Reason
from core.fills import ENTRY_BAR, ENTRY_PRICE, EXIT_BAR, EXIT_PRICE, REASON, RUNG, SIZE, STOP, TAKE
from core.kernel.account_state import FillLogs

WORDS = {int(reason): reason.name.lower() for reason in Reason}
LotPlace = tuple[int, int, int]
"""Turn, number of the entry's bar, rung."""


class Traded(NamedTuple):
    """What the ledger needs to know of a turn."""

    strategy: str
    symbol: str
    stamps: IntArray
    """Open times of its bars, ms UTC."""
    opens: FloatArray
    step: int
    """Length of a bar, ms."""


class LotLeft(NamedTuple):
    """What is left of an entry, exact."""

    amount: Decimal
    cost: Decimal
    fees: Decimal


class Ledger:
    """Cash, lots and trades, booked in the order in which an account filled them."""

    def __init__(self, cash: Decimal, commission: float, turns: Sequence[Traded]) -> None:
        """Start with a deposit."""
        self.cash = cash
        self.lots: dict[LotPlace, LotLeft] = {}
        self.trades: list[Trade] = []
        self.results: dict[str, Result] = {}
        """By strategy, in the order of their first fills."""
        self._entered, self._closed = 0, 0
        self._commission, self._turns = commission, turns

    def catch_up(self, logs: FillLogs, entered: int, closed: int) -> None:
        """Book what was filled since the last time, up to so many entries and trades."""
        for turn, bar, rung, size, price in logs.entries[self._entered : entered].tolist():
            self.enter(int(turn), int(bar), int(rung), size, price)
        rows = logs.trades[self._closed : closed].tolist()
        for turn, row in zip(logs.of_trade[self._closed : closed].tolist(), rows, strict=True):
            self.leave(turn, row)
        self._entered, self._closed = entered, closed

    def enter(self, turn: int, bar: int, rung: int, size: float, price: float) -> None:
        """Book an entry."""
        amount = Decimal(abs(size))
        cost, fee = times(amount, decimal_of(price)), decimal_of(abs(size) * price * self._commission)
        self.lots[turn, bar, rung] = LotLeft(amount, cost, fee)
        self.cash = minus((minus if size > 0 else plus)(self.cash, cost), fee)
        result = self.results.setdefault(self._turns[turn].strategy, Result())
        result.fees = plus(result.fees, fee)

    def leave(self, turn: int, row: Sequence[float]) -> None:
        """Book a trade, a row of core.fills: a lot that was closed, or a part of one."""
        traded, size, price = self._turns[turn], row[SIZE], row[EXIT_PRICE]
        entry_bar, exit_bar, rung = int(row[ENTRY_BAR]), int(row[EXIT_BAR]), int(row[RUNG])
        side = 1 if size > 0 else -1
        part = self._taken((turn, entry_bar, rung), abs(size))
        fee, notional = (
            decimal_of(abs(size) * price * self._commission),
            times(part.amount, decimal_of(price)),
        )
        self.cash = minus((plus if side > 0 else minus)(self.cash, notional), fee)
        gross = signed(side, minus(notional, part.cost))
        result = self.results[traded.strategy]
        result.gross, result.fees = plus(result.gross, gross), plus(result.fees, fee)
        opened = traded.stamps.item(exit_bar)
        closed = opened if price == traded.opens.item(exit_bar) else opened + traded.step - 1
        when = traded.stamps.item(entry_bar), closed, entry_bar, exit_bar
        prices = row[ENTRY_PRICE], price, gross, plus(part.fees, fee)
        self.trades.append(
            Trade(
                *(traded.strategy, traded.symbol, side, part.amount),
                *when,
                *prices,
                *(WORDS[int(row[REASON])], rung),
                *(price_or_none(row[STOP]), price_or_none(row[TAKE])),
            )
        )

    def held(self, turn: int) -> list[tuple[LotPlace, LotLeft]]:
        """Return the lots that a turn holds."""
        return [(key, lot) for key, lot in self.lots.items() if key[0] == turn]

    def _taken(self, key: LotPlace, size: float) -> LotLeft:
        """Take a part of a lot, which keeps the rest."""
        lot = self.lots.pop(key)
        if size == float(lot.amount):
            return lot
        amount = Decimal(size)
        part = LotLeft(amount, *(part_of(sum_of, amount, lot.amount) for sum_of in (lot.cost, lot.fees)))
        self.lots[key] = LotLeft(*(minus(whole, some) for whole, some in zip(lot, part, strict=True)))
        return part
