"""A look at everything that is out, one order after the other.

A stop that rests may do so for weeks: it is looked up every few seconds, not in every step.
"""

from __future__ import annotations

from core.account.orders import RESTING_STOPS
from core.order_path.alerts import OnAlert, Tolerant
from core.order_path.canceling import Canceling
from core.order_path.outbox import Outbox
from core.order_path.resolving import Resolving
from core.order_path.states import State
from core.order_path.store import Store
from db.journal_rows import OrderRow


class Looking:
    """Looks up what can still change."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        resolving: Resolving,
        canceling: Canceling,
        resting_ms: int,
        notify: OnAlert,
    ) -> None:
        """Take what knows the orders, and what asks for them; `resting_ms` apart for a stop that rests."""
        self._store = store
        self._outbox = outbox
        self._resolving = resolving
        self._canceling = canceling
        self._resting_ms = resting_ms
        self._notify = notify
        self._looked_at: dict[str, int] = {}
        """When a stop that rests was last looked up, ms UTC."""

    def hurry(self) -> None:
        """Look up the stops that rest the next time, though it is not their turn."""
        self._looked_at.clear()

    def look_at_all(self, *, whole: bool = False) -> None:
        """Look up every order that can still change, and finish the cancels that were wanted.

        `whole`: stops that rest too, though it is not their turn.
        """
        now = self._store.now()
        self._looked_at = {
            name: at for name, at in self._looked_at.items() if name in self._store.mirror.live
        }
        for name in list(self._store.mirror.live):
            # As it is now: looking up another order may have booked a fill of this one.
            order = self._store.mirror.live.get(name)
            if order is not None and not self._outbox.waits(order) and (whole or self._is_due(order, now)):
                self._looked_at[name] = now
                with Tolerant(self._notify):
                    self._resolving.look(order)
                    if order.cancel_at is not None:
                        self._canceling.finish(self._store.again(order))

    def _is_due(self, order: OrderRow, now: int) -> bool:
        rests = order.kind in RESTING_STOPS and order.state in (State.OPEN, State.PARTIAL)
        before = self._looked_at.get(order.client_order_id)
        if not rests or order.cancel_at is not None or before is None:
            return True
        # Set back, the clock says nothing.
        return not before <= now < before + self._resting_ms
