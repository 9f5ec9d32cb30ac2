"""The journal of one account and what is remembered of it: all that the order path stores, it stores here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from core.errors import DatabaseError, ExchangeError
from core.order_path.client_ids import account_sign, client_order_id
from core.order_path.journal_view import Mirror
from core.order_path.states import State, check_move
from core.order_path.storage import Storage, Transaction
from core.order_path.venue import Venue
from db.journal_rows import OrderRow


class VenueClock:
    """The exchange's time, or when it was last known while the exchange is away."""

    def __init__(self, venue: Venue) -> None:
        """Take a venue; it is not asked yet."""
        self._venue = venue
        self._last = 0

    def now(self) -> int:
        """Return the time, ms UTC."""
        try:  # noqa: SIM105 -- at every transaction, and `suppress` takes longer than all the rest of this
            self._last = self._venue.now()
        except ExchangeError:
            pass
        return self._last


class Store:
    """What one account's journal says, and the only way to write to it."""

    def __init__(self, journal: Storage, instance: str, now: Callable[[], int]) -> None:
        """Take a journal; `instance` names a new account's orders, `now` (ms UTC) dates what is stored."""
        self.journal = journal
        self.epoch = 0
        """Number of this process among those that wrote; 0 before it took over."""
        self.now = now
        self._instance = instance
        self._kept: Mirror | None = None

    @property
    def mirror(self) -> Mirror:
        """What the journal says, read again after a write that failed. Raises DatabaseError."""
        if self._kept is None:
            self._kept = Mirror(self.journal)
        return self._kept

    def forget(self) -> None:
        """Read the journal again before anybody asks what it says."""
        self._kept = None

    def examine(self, tail: int) -> None:
        """Raise DatabaseError for damage in so many of the newest entries."""
        damage = self.journal.verify_chain(tail)
        if damage:
            raise DatabaseError(
                f"database {self.journal.name} is damaged: {damage[0]}: restore a backup, "
                "or begin anew with another file"
            )

    def take_over(self, moment: int) -> None:
        """Become the one who writes, at a time (ms UTC); a known account keeps the name of its orders."""
        claim = self.journal.claim(self._instance, moment)
        self._instance, self.epoch = claim.instance, claim.epoch
        self.forget()

    def writing(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction; whoever gets an error does not know what is stored, and reads it again."""
        return self.journal.writing(self.now(), self.forget)

    def keep(self, order: OrderRow, *, sighted: bool = False, **changes: Any) -> OrderRow:
        """Commit what became of an order and return it; `sighted` at the exchange, it can become anything."""
        new = order._replace(**changes)
        if new == order:
            return order
        if not sighted:
            check_move(State(order.state), State(new.state))
        mirror = self.mirror
        with self.writing() as tx:
            tx.order(order, new)
        mirror.take(new)
        return new

    def flag(self, name: str, why: str) -> None:
        """Commit what holds until somebody says otherwise."""
        mirror = self.mirror
        if mirror.cursors.get(name) == why:
            return
        with self.writing() as tx:
            tx.cursor(name, why)
        mirror.cursors[name] = why

    def name(self, key: str, attempt: int) -> str:
        """Return the client order id of an attempt at an intent."""
        return client_order_id(self.journal.account, self._instance, key, attempt)

    def is_own(self, name: str) -> bool:
        """Return whether an order of this name is the account's own, whether its journal knows it or not."""
        return name.startswith(account_sign(self.journal.account, self._instance))

    def again(self, order: OrderRow) -> OrderRow:
        """Return an order as it is now."""
        return self.mirror.order(order.client_order_id) or order
