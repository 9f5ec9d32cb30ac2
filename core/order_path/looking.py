"""A look at everything that is out, one order after the other.

What rests may do so for weeks: it is looked up every few seconds, not in every step.
"""

from __future__ import annotations

from core.account.messages import OrderReport
from core.account.orders import RESTING_KINDS
from core.order_path.alerts import OnAlert, Tolerant
from core.order_path.canceling import Canceling
from core.order_path.outbox import Outbox
from core.order_path.policy import Policy
from core.order_path.resolving import Resolving
from core.order_path.states import State
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import OrderRow


class Looking:
    """Looks up what can still change."""

    def __init__(
        self,
        store: Store,
        venue: Venue,
        outbox: Outbox,
        resolving: Resolving,
        canceling: Canceling,
        policy: Policy,
        notify: OnAlert,
    ) -> None:
        """Take what knows the orders, and what asks for them; `policy` says how often for what rests."""
        self._store = store
        self._outbox = outbox
        self._resolving = resolving
        self._canceling = canceling
        self._venue = venue
        self._policy = policy
        self._notify = notify
        self._looked_at: dict[str, int] = {}
        """When what rests was last looked up, ms UTC."""

    def hurry(self) -> None:
        """Look up what rests the next time, though it is not their turn."""
        self._looked_at.clear()

    def look_at_all(self, *, whole: bool = False) -> None:
        """Look up every order that can still change, and finish the cancels that were wanted.

        `whole`: what rests too, though it is not their turn.
        """
        now = self._store.now() if any(map(_rests, self._store.mirror.live.values())) else 0
        self._looked_at = {
            name: at for name, at in self._looked_at.items() if name in self._store.mirror.live
        }
        listed = self._listed(now, whole=whole)
        for name in list(self._store.mirror.live):
            # As it is now: looking up another order may have booked a fill of this one.
            order = self._store.mirror.live.get(name)
            if order is not None and not self._outbox.waits(order) and (whole or self._is_due(order, now)):
                self._looked_at[name] = now
                with Tolerant(self._notify):
                    if name in listed:
                        self._resolving.adopt(order, listed[name])
                    else:
                        self._resolving.look(order)
                    if order.cancel_at is not None:
                        self._canceling.finish(self._store.again(order))

    def _listed(self, now: int, *, whole: bool) -> dict[str, OrderReport]:
        """Return the open orders by name, asked for at once where many stops that rest are due."""
        due = [
            one
            for one in self._store.mirror.live.values()
            if _rests(one) and (whole or self._is_due(one, now))
        ]
        if len(due) >= self._policy.list_from:
            with Tolerant(self._notify):
                return {one.client_order_id: one for one in self._venue.open_orders()}
        return {}

    def _is_due(self, order: OrderRow, now: int) -> bool:
        before = self._looked_at.get(order.client_order_id)
        if not _rests(order) or before is None:
            return True
        # Set back, the clock says nothing.
        return not before <= now < before + self._policy.resting_ms


def _rests(order: OrderRow) -> bool:
    """Tell whether an order is known to rest and to be left there."""
    rests = order.kind in RESTING_KINDS and order.state in (State.OPEN, State.PARTIAL)
    return rests and order.cancel_at is None
