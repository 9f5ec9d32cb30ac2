"""Orders that have certainly not left: stored as about to be sent, by the process that has not sent them."""

from __future__ import annotations

from collections.abc import Iterable

from core.order_path.states import UNRESOLVED, State
from core.order_path.store import Store
from db.journal_rows import OrderRow


class Outbox:
    """What this process knows of its orders and no other can: whether they were sent."""

    def __init__(self, store: Store) -> None:
        """Begin with nothing: what a former process stored may have left."""
        self._store = store
        self._names: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Be told which orders were stored as about to be sent, and are not sent yet."""
        self._names.update(names)

    def take(self, order: OrderRow) -> bool:
        """Be told that an order is sent now, and return whether it was stored as about to be."""
        known = order.client_order_id in self._names
        self._names.discard(order.client_order_id)
        return known

    def note(self, order: OrderRow) -> None:
        """Be told what becomes of an order: a denied one never leaves."""
        if order.state == State.DENIED:
            self._names.discard(order.client_order_id)

    def waits(self, order: OrderRow) -> bool:
        """Return whether an order is certain not to have been sent."""
        return order.state == State.NEW or order.client_order_id in self._names

    def may_exist(self, order: OrderRow) -> bool:
        """Return whether an order may exist without anybody knowing."""
        return order.state in UNRESOLVED and order.client_order_id not in self._names

    def is_out(self) -> bool:
        """Return whether fills of an order of ours may still come."""
        return any(not self.waits(order) for order in self._store.mirror.live.values())

    def deny(self, order: OrderRow, why: str) -> OrderRow:
        """Commit that what was not sent never is, and return it."""
        order = self._store.keep(order, state=State.DENIED.value, sent_at=None, reason=why)
        self.note(order)
        return order
