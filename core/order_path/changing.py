"""Changes of orders that rest: stored before they can be executed, believed as the exchange tells them."""

from __future__ import annotations

from decimal import Decimal

from core.account.messages import Terms
from core.account.money import plus
from core.errors import ExchangeError
from core.order_path.alerts import Alert, OnAlert, Tolerant
from core.order_path.resolving import Resolving
from core.order_path.states import State
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import OrderRow


class Changing:
    """Changes what an order that rests asks for; it keeps its names and what was executed."""

    def __init__(self, store: Store, venue: Venue, resolving: Resolving, notify: OnAlert) -> None:
        """Take what changes are stored in and sent to, and what makes sense of the answer."""
        self._store = store
        self._venue = venue
        self._resolving = resolving
        self._notify = notify

    def change(self, key: str, left: Decimal, terms: Terms) -> OrderRow | None:
        """Have an intent's order execute so much more, at these terms, and return it; None when it has not.

        The same change twice is one. What came of one without an answer is seen when the order is looked at.
        """
        order = next(iter(self._store.journal.orders(key=key)[-1:]), None)
        if order is None or order.state not in (State.OPEN, State.PARTIAL) or order.cancel_at is not None:
            return None
        amount = plus(order.filled, left)
        if amount > order.amount:
            # A fill of the larger order may be seen before the answer, and is not too much.
            order = self._store.keep(order, amount=amount)
        try:
            self._venue.change(order.symbol, order.client_order_id, amount, terms)
        except ExchangeError as error:
            self._notify(Alert("stop", order.symbol, f"its stop was not changed: {error}"))
            with Tolerant(self._notify):
                self._resolving.look(order)
            return None
        order = self._store.again(order)
        return self._store.keep(order, amount=amount, price=terms.price, stop=terms.stop)
