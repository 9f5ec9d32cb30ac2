"""A look at everything that is out, one order after the other."""

from __future__ import annotations

from core.order_path.alerts import OnAlert, Tolerant
from core.order_path.canceling import Canceling
from core.order_path.outbox import Outbox
from core.order_path.resolving import Resolving
from core.order_path.store import Store


class Looking:
    """Looks up what can still change."""

    def __init__(
        self, store: Store, outbox: Outbox, resolving: Resolving, canceling: Canceling, notify: OnAlert
    ) -> None:
        """Take what knows the orders, and what asks for them."""
        self._store = store
        self._outbox = outbox
        self._resolving = resolving
        self._canceling = canceling
        self._notify = notify

    def look_at_all(self) -> None:
        """Look up every order that can still change, and finish the cancels that were wanted."""
        for name in list(self._store.mirror.live):
            # As it is now: looking up another order may have booked a fill of this one.
            order = self._store.mirror.live.get(name)
            if order is not None and not self._outbox.waits(order):
                with Tolerant(self._notify):
                    self._resolving.look(order)
                    if order.cancel_at is not None:
                        self._canceling.finish(self._store.again(order))
