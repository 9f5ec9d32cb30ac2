"""What the journal says, as far as every step needs it, in memory: read once, then kept in step with it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

from core.account.money import minus, plus, total
from core.account.orders import Fill, Purpose
from core.order_path.claims import CLAIM
from core.order_path.ledger import ZERO, Books, Posting
from core.order_path.states import TERMINAL
from core.order_path.storage import Storage
from db.journal_rows import FillRow, IntentRow, OrderRow

HALT = "halt"
HOLD = "hold:"
ACCEPTED = "accepted:"
"""When a person last let the exits of a symbol be tried again: ms UTC, the first at which one counts."""
CURSOR = "fills:"
BASELINE = "baseline:"
KEPT = 100
"""So many orders that ended are remembered: those that somebody may ask for next …"""
KEPT_FILLS = 1000
"""… and so many fills of each symbol, which are seen again and again."""


class Mirror:
    """One account's live orders, books, positions and flags. It is thrown away when a write fails."""

    def __init__(self, journal: Storage) -> None:
        self.cursors = journal.cursors()
        self.live = {order.client_order_id: order for order in journal.orders(settled=False)}
        self.ended: dict[str, OrderRow] = {}
        self.books = Books()
        self._journal = journal
        self.bookings = 0
        """Fills booked ever."""
        self.foreign = 0
        """Those of them that no order of this program made."""
        self.is_mixed = False
        """Whether some of these are booked as if they were ours, as journals of before 2026-12 have them."""
        self._booked: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._intents: dict[str, IntentRow] = {}
        self._held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._load_books()

    def take(self, order: OrderRow) -> None:
        """Take in what became of an order."""
        if order.state in TERMINAL:
            self.live.pop(order.client_order_id, None)
            self._intents.pop(order.intent_key, None)
            self.ended[order.client_order_id] = order
            if len(self.ended) > KEPT:
                del self.ended[next(iter(self.ended))]
        else:
            self.ended.pop(order.client_order_id, None)
            self.live[order.client_order_id] = order

    def order(self, client_order_id: str) -> OrderRow | None:
        """Return an order as it is now."""
        found = self.live.get(client_order_id) or self.ended.get(client_order_id)
        return found or self._journal.order(client_order_id)

    def take_fill(self, strategy: str | None, fill: Fill | FillRow, postings: Sequence[Posting]) -> None:
        """Take in a fill of a strategy, None for a foreign one, and its lines."""
        self.bookings += 1
        booked = self._booked[fill.symbol]
        booked[fill.id] = None
        if len(booked) > KEPT_FILLS:
            del booked[next(iter(booked))]
        self.books.add(postings)
        if strategy is None:
            self.foreign += 1
            self.is_mixed = self.is_mixed or any(name.startswith("market:") for name, _, _ in postings)
        else:
            self._move(strategy, fill.symbol, postings)

    def _move(self, strategy: str, symbol: str, postings: Sequence[Posting]) -> None:
        position = f"pos:{symbol}"
        for name, _, amount in postings:
            if name == position:
                self._held[strategy, symbol] = plus(self._held[strategy, symbol], amount)

    def newest_fills(self, symbol: str) -> Collection[str]:
        """Return the ids of the newest fills of a symbol that are booked."""
        return self._booked[symbol]

    def want(self, row: IntentRow) -> None:
        """Take in what a new order is for."""
        self._intents[row.key] = row

    def intent(self, key: str) -> IntentRow:
        """Return what an order is for."""
        if key not in self._intents:
            self._intents[key] = self._journal.intent(key)
        return self._intents[key]

    def held(self, strategy: str, symbol: str) -> Decimal:
        """Return a strategy's position in base units, negative when short."""
        return self._held.get((strategy, symbol), ZERO)

    def positions(self) -> dict[tuple[str, str], Decimal]:
        """Return all positions by strategy and symbol."""
        return {key: amount for key, amount in self._held.items() if amount}

    def exits(self, strategy: str, symbol: str, side: str) -> list[OrderRow]:
        """Return the live orders of a strategy that close something."""
        found = (order for order in self.live.values() if (order.symbol, order.side) == (symbol, side))
        return [order for order in found if self._closes(self.intent(order.intent_key), strategy)]

    def _closes(self, intent: IntentRow, strategy: str) -> bool:
        return intent.strategy == strategy and intent.purpose != Purpose.ENTRY

    def closing(self, strategy: str, symbol: str, side: str) -> Decimal:
        """Return the base units that live orders of a strategy are about to close."""
        return open_amount(self.exits(strategy, symbol, side))

    def cursor(self, symbol: str) -> str:
        """Return the id of the fill after which those of a symbol are read; blank for all."""
        text = self.cursors.get(CURSOR + symbol)
        return "" if text is None else id_of(text)

    def symbols(self) -> list[str]:
        """Return the symbols whose fills are followed."""
        return sorted(name.removeprefix(CURSOR) for name in self.cursors if name.startswith(CURSOR))

    def stands_in_the_way(self, symbol: str) -> str:
        """Return why nothing may be entered in a symbol, blank when it may."""
        return self.cursors.get(HALT) or self.cursors.get(HOLD + symbol) or ""

    def _load_books(self) -> None:
        try:
            self._load_rows()
        except KeyError as error:
            raise self._journal.lost(f"what {error} names") from None

    def _load_rows(self) -> None:
        strategies = {intent.key: intent.strategy for intent in self._journal.intents()}
        owners = {order.client_order_id: strategies[order.intent_key] for order in self._journal.orders()}
        lines: defaultdict[str, list[Posting]] = defaultdict(list)
        for row in self._journal.postings():
            lines[row.txn].append(Posting(*row[1:]))
        for fill in self._journal.fills():
            owner = None if fill.client_order_id is None else owners[fill.client_order_id]
            self.take_fill(owner, fill, lines.pop(txn_of(fill), []))
        for txn, rest in lines.items():
            self.books.add(rest)
            if txn.startswith(CLAIM):
                _, _, strategy, symbol, _ = txn.split("|")
                self._move(strategy, symbol, rest)


def open_amount(orders: Iterable[OrderRow]) -> Decimal:
    """Return the base units of orders that are not executed yet."""
    return total(max(minus(order.amount, order.filled), ZERO) for order in orders)


def cursor_text(fill_id: str) -> str:
    """Return a cursor as it is stored: a list, since journals of before 2026-11 hold more than one id."""
    return json.dumps([fill_id])


@lru_cache(1000)
def id_of(cursor: str) -> str:
    """Return the fill that a stored cursor names."""
    return str(json.loads(cursor)[0])


def txn_of(fill: Fill | FillRow) -> str:
    """Return the name of a fill's lines in the books."""
    return f"fill|{fill.exchange}|{fill.symbol}|{fill.id}"
