"""Cancels: wanted until the order is dead, and believed when the exchange says so."""

from __future__ import annotations

from core.errors import ExchangeError, OrderRefusedError
from core.order_path.alerts import Alert, OnAlert, Tolerant
from core.order_path.outbox import Outbox
from core.order_path.resolving import Resolving
from core.order_path.states import TERMINAL, State
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import OrderRow


class Canceling:
    """Cancels orders."""

    def __init__(
        self, store: Store, venue: Venue, outbox: Outbox, resolving: Resolving, notify: OnAlert
    ) -> None:
        """Take what cancels are stored in and sent to, and what makes sense of the answer."""
        self._store = store
        self._venue = venue
        self._outbox = outbox
        self._resolving = resolving
        self._notify = notify

    def cancel(self, key: str) -> OrderRow | None:
        """Cancel an intent's order and return it; None when there is no such intent."""
        attempts = self._store.journal.orders(key=key)
        if not attempts or attempts[-1].state in TERMINAL:
            return attempts[-1] if attempts else None
        order = attempts[-1]
        if self._outbox.waits(order):
            return self._outbox.deny(order, "cancelled before it was sent")
        if order.cancel_at is None:
            order = self._store.keep(order, cancel_at=self._store.now())
        with Tolerant(self._notify):
            self.finish(order)
        return self._store.again(order)

    def finish(self, order: OrderRow) -> None:
        """Send the cancel that is wanted of an order, if it can be cancelled now. Raises ExchangeError."""
        if order.state in (State.OPEN, State.PARTIAL):
            self._send(order)

    def _send(self, order: OrderRow) -> None:
        """Send a cancel, and believe that it is cancelled when the exchange says so."""
        order = self._store.keep(order, state=State.CANCELING.value)
        try:
            report = self._venue.cancel(order.symbol, order.client_order_id)
            self._resolving.check_report(order, report)
        except OrderRefusedError:
            # Not open: filled, cancelled, or not seen yet. Only a look at it tells.
            self._resolving.look(order)
        except ExchangeError as error:
            self._store.keep(order, state=State.CANCEL_UNKNOWN.value)
            self._notify(Alert("unknown", order.client_order_id, str(error)))
        else:
            self._resolving.adopt(order, report)
