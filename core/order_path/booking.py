"""Fills are facts: each is booked once, whatever its order is thought to be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from core.account.messages import Execution
from core.account.money import plus
from core.account.orders import Fill
from core.figures import exact
from core.order_path.alerts import Alert, OnAlert
from core.order_path.barrier import Barrier
from core.order_path.journal_view import BASELINE, CURSOR, HALT, cursor_text, txn_of
from core.order_path.ledger import Posting, fill_postings
from core.order_path.outbox import Outbox
from core.order_path.states import NEVER_WAS, AfterFill, State, after_fill
from core.order_path.storage import Storage, Transaction
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import FillRow, OrderRow

DAY_MS: Final = 86_400_000


class Unowned(Exception):  # noqa: N818 -- no error: an order that may be the owner is not resolved yet
    """It is not known yet whose fill it is."""


class Sighting(NamedTuple):
    """What the exchange said of an order beside its fills."""

    client_order_id: str
    changes: Mapping[str, Any]
    """Of its fields, the exchange's id among them."""


class Booking:
    """Reads fills and books them."""

    def __init__(
        self, store: Store, venue: Venue, outbox: Outbox, barrier: Barrier, overlap: int, notify: OnAlert
    ) -> None:
        """Take what fills are read from and booked to; of those that are booked `overlap` are read again."""
        self._store = store
        self._venue = venue
        self._outbox = outbox
        self._barrier = barrier
        self._overlap = overlap
        self._notify = notify
        self._news: list[Fill] = []

    def take_fills(self) -> list[Fill]:
        """Return the fills booked since they were last taken."""
        news, self._news = self._news, []
        return news

    def follow(self, symbol: str) -> None:
        """Begin to follow the fills of a symbol: what came before belongs to the opening balance."""
        mirror = self._store.mirror
        if CURSOR + symbol in mirror.cursors:
            return
        first = self._venue.newest_fill(symbol)
        cursors = {CURSOR + symbol: cursor_text(first), BASELINE + symbol: first}
        with self._store.writing() as tx:
            self._write_around(tx, None, None, cursors)
        mirror.cursors.update(cursors)

    def book_fills(self, symbol: str, since: int | None = None) -> bool:
        """Read and book the fills of a symbol; return whether every one has found its order.

        Only the newest are read, among them some that are booked; with `since` (ms UTC) all from then on, for
        one that appeared late.
        """
        after = self._store.mirror.cursor(symbol) if since is None else self._before(symbol, since)
        sound, whole, known = [after], True, self.known(symbol)
        for execution in self._venue.fills(symbol, after or None):
            fill = execution.fill
            if fill.id not in known and fill.id != after:
                read_on = self._read_on([*sound, fill.id]) if whole and since is None else ""
                try:
                    self.book(execution, read_on)
                except Unowned:
                    whole = False
            if whole:
                sound.append(fill.id)
        return whole

    def book_all(self) -> bool:
        """Book the fills of every symbol and return whether all have found their orders."""
        found = [self.book_fills(symbol) for symbol in self._store.mirror.symbols()]
        return all(found)

    def _read_on(self, sound: Sequence[str]) -> str:
        """Return the fill after which to read from now on, blank for the one until now.

        `sound` are fills in a row that are booked. Some stay behind it, to be read again: a fill may appear
        after newer ones. It moves seldom, since every move is stored.
        """
        overlap = self._overlap
        return sound[-overlap - 1] if len(sound) > 2 * overlap + 1 else ""

    def _before(self, symbol: str, since: int) -> str:
        """Return the newest fill before a time, or where the fills of the symbol began for us."""
        found = self._store.journal.fill_before(self._venue.exchange, symbol, since)
        return self._store.mirror.cursors[BASELINE + symbol] if found is None else found

    def known(self, symbol: str) -> Collection[str]:
        """Return the newest fills that are booked; of an older one its row in the journal says so."""
        return self._store.mirror.newest_fills(symbol)

    def book(self, execution: Execution, read_on: str, seen: Sighting | None = None) -> None:
        """Book one fill, once: its row, its lines, its order and how far was read, all or nothing.

        `seen`: its order, where the same answer told both.
        """
        order = self._owner(execution) if seen is None else self._store.mirror.order(seen.client_order_id)
        fill, name = execution.fill, order.client_order_id if order else ""
        if fill.client_order_id != name:
            fill = fill.of(name)
        lines = fill_postings(fill, own=order is not None)
        told = None if order is None else self._filled(order, fill, execution.order_id, seen)
        mirror = self._store.mirror
        row = row_of(fill, execution.order_id)
        why = "" if told is None else self._odd(told[0], told[1])
        cursors = {CURSOR + fill.symbol: cursor_text(read_on)} if read_on else {}
        if why:
            cursors[HALT] = why
        if not self._write_fill(row, lines, order, told[0] if told else None, cursors):
            return
        strategy = None if told is None else mirror.intent(told[0].intent_key).strategy
        mirror.take_fill(strategy, fill, lines)
        mirror.cursors.update(cursors)
        if told is not None:
            mirror.take(told[0])
        self._tell(fill, order, execution.order_id, why)

    def _write_fill(
        self,
        row: FillRow,
        lines: Sequence[Posting],
        old: OrderRow | None,
        new: OrderRow | None,
        cursors: dict[str, str],
    ) -> bool:
        """Store a fill with what follows from it; False when it was booked before."""
        with self._store.writing() as tx:
            if not tx.fill(row):
                return False
            tx.post(txn_of(row), lines)
            self._write_around(tx, old, new, cursors)
        return True

    def _write_around(
        self, tx: Transaction, old: OrderRow | None, new: OrderRow | None, cursors: dict[str, str]
    ) -> None:
        if old is not None and new is not None:
            tx.order(old, new)
        for name, value in cursors.items():
            tx.cursor(name, value)

    def _owner(self, execution: Execution) -> OrderRow | None:
        """Return the order of a fill, None for a foreign one. Raises Unowned when that cannot be said yet."""
        fill = execution.fill
        if fill.client_order_id:
            return self._store.mirror.order(fill.client_order_id)
        order = self._store.journal.order_at(fill.symbol, execution.order_id)
        if order is not None:
            return order
        live = self._store.mirror.live.values()
        if any(one.symbol == fill.symbol and self._outbox.may_exist(one) for one in live):
            raise Unowned
        for one in self._store.journal.suspects(fill.symbol, fill.side, fill.time - DAY_MS):
            report = self._venue.find(fill.symbol, one.client_order_id)
            if report is not None and report.id == execution.order_id:
                return one
        return None

    def _filled(
        self, order: OrderRow, fill: Fill, order_id: str, seen: Sighting | None
    ) -> tuple[OrderRow, AfterFill]:
        """Return the order with the fill in it, and with what was seen of it."""
        if seen is not None:
            order = order._replace(**seen.changes)
        filled = plus(order.filled, fill.amount)
        after = after_fill(State(order.state), filled, order.amount)
        state = order.state if is_replaced(self._store.journal, order) else after.state.value
        return order._replace(state=state, filled=filled, exchange_id=order.exchange_id or order_id), after

    def _odd(self, order: OrderRow, after: AfterFill) -> str:
        """Return why a fill should stop all entries, blank when it is as expected."""
        what = f"order {order.client_order_id} of {order.intent_key}"
        if after.unexpected:
            return f"{what} was executed although it was thought never to exist: check the account"
        if after.overfilled:
            most = exact(order.amount)
            return f"{what} was executed for {exact(order.filled)}, more than the {most} that were ordered"
        return ""

    def _tell(self, fill: Fill, order: OrderRow | None, order_id: str, why: str) -> None:
        self._news.append(fill)
        if order is None:
            text = f"{fill.side} of {fill.symbol} by no order of this program (order {order_id})"
            self._barrier.others_did("foreign", fill.symbol, text)
        if why:
            self._notify(Alert("halt", fill.client_order_id, why, critical=True))


def is_replaced(journal: Storage, order: OrderRow) -> bool:
    """Return whether an order that never was has a successor: the database lets only one of them live."""
    if order.state not in NEVER_WAS:
        return False
    return any(one.state not in NEVER_WAS for one in journal.orders(key=order.intent_key))


def row_of(fill: Fill, order_id: str) -> FillRow:
    """Return a fill as it is stored."""
    return FillRow(
        exchange=fill.exchange,
        symbol=fill.symbol,
        id=fill.id,
        client_order_id=fill.client_order_id or None,
        order_id=order_id,
        side=fill.side,
        amount=fill.amount,
        price=fill.price,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        time=fill.time,
        reason=fill.reason,
        seq=0,
    )
