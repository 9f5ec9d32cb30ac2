"""Sending: stored first, sent once, and judged by three outcomes."""

from __future__ import annotations

from core.account.messages import OrderReport, OrderRequest, Terms
from core.account.orders import KINDS, SIDES, Purpose
from core.errors import (
    ExchangeError,
    ExchangeUnreachableError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
    UnsupportedError,
)
from core.order_path.alerts import Alert, OnAlert, Tolerant
from core.order_path.barrier import Barrier
from core.order_path.booking import Booking
from core.order_path.outbox import Outbox
from core.order_path.policy import Policy
from core.order_path.resolving import Resolving
from core.order_path.states import State
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import OrderRow


class Sending:
    """Sends orders that are due."""

    def __init__(
        self,
        store: Store,
        venue: Venue,
        outbox: Outbox,
        barrier: Barrier,
        booking: Booking,
        resolving: Resolving,
        policy: Policy,
        notify: OnAlert,
    ) -> None:
        """Take what is sent from and to, and what makes sense of the answer; `policy` has the pauses."""
        self._store = store
        self._venue = venue
        self._outbox = outbox
        self._barrier = barrier
        self._booking = booking
        self._resolving = resolving
        self._policy = policy
        self._notify = notify
        self.waiting: dict[str, str] = {}
        """Symbols whose entries wait for the venue's counter of orders, and why."""

    def send_due(self) -> None:
        """Send what is due, what makes a position smaller first."""
        fresh = [order for order in self._store.mirror.live.values() if self._outbox.waits(order)]
        self.waiting = {one.symbol: why for one in fresh if (why := self.waiting.get(one.symbol))}
        for order in sorted(fresh, key=self._is_entry):
            with Tolerant(self._notify):
                self._send_one(order, self._venue.now())

    def expire(self) -> None:
        """Deny what waits and is not to be sent any more."""
        now = self._store.now()
        for order in list(self._store.mirror.live.values()):
            if self._outbox.waits(order) and (why := self._useless(order, now)):
                self._deny(order, why)

    def _deny(self, order: OrderRow, why: str) -> None:
        self._outbox.deny(order, why)
        self._notify(Alert("expired", order.client_order_id, why))

    def _is_entry(self, order: OrderRow) -> bool:
        return self._store.mirror.intent(order.intent_key).purpose == Purpose.ENTRY

    def _send_one(self, order: OrderRow, now: int) -> None:
        if why := self._useless(order, now):
            self._deny(order, why)
        elif (order.state == State.SENDING or order.due_at <= now) and not self._must_wait(order):
            # What is stored as about to be sent was due then; a clock set back since does not keep it here.
            self._booking.follow(order.symbol)
            self._send(order)

    def _must_wait(self, order: OrderRow) -> bool:
        """Return whether an entry is kept back for a while, so that exits and stops are not refused."""
        if not self._is_entry(order):
            return False
        symbol, why = order.symbol, self._venue.crowded(order.symbol)
        if why and symbol not in self.waiting:
            self._notify(Alert("waits", symbol, why))
        if why:
            self.waiting[symbol] = why
        else:
            self.waiting.pop(symbol, None)
        return bool(why)

    def _useless(self, order: OrderRow, now: int) -> str:
        """Return why an order is not to be sent any more, blank when it is."""
        intent = self._store.mirror.intent(order.intent_key)
        if now > intent.valid_until:
            return "it was not sent before it expired"
        if order.attempt and any(one.exchange_id for one in self._store.journal.orders(key=order.intent_key)):
            return "an earlier attempt exists after all"
        return self._barrier.why(order.symbol) if intent.purpose == Purpose.ENTRY else ""

    def _send(self, order: OrderRow) -> None:
        """Send an order once it is committed that it is about to be sent, and take in what came of it."""
        order = self._committed(order)
        try:
            report = self._confirmed(order, self._venue.place(request_of(order)))
        except ExchangeError as error:
            self._judge(order, error)
        else:
            self._resolving.adopt(order, report)

    def _committed(self, order: OrderRow) -> OrderRow:
        """Return an order of which it is stored that it may leave from now on: it is sent once, or never."""
        if self._outbox.take(order):
            return order
        return self._store.keep(order, state=State.SENDING.value, sent_at=self._venue.now())

    def _confirmed(self, order: OrderRow, report: OrderReport) -> OrderReport:
        """Return a report that confirms this order. Raises OrderUnknownError for any other."""
        try:
            self._resolving.check_report(order, report)
        except ExchangeUnreachableError as error:
            raise OrderUnknownError(str(error)) from None
        return report

    def _judge(self, order: OrderRow, error: ExchangeError) -> None:
        """Store what an error of sending says: it may exist, it never will, or it is refused."""
        if isinstance(error, OrderUnknownError):
            # It may have left at any moment until now.
            sent_at = max(order.sent_at or 0, self._venue.now())
            self._store.keep(order, state=State.UNKNOWN.value, sent_at=sent_at, reason=str(error))
            self._notify(Alert("unknown", order.client_order_id, str(error)))
        elif isinstance(error, (OrderRefusedError, UnsupportedError)):
            self._store.keep(order, state=State.REJECTED.value, reason=str(error))
            self._notify(Alert("refused", order.client_order_id, str(error)))
        else:
            self._resolving.not_placed(order, str(error), self._store.now() + self._pause(order, error))

    def _pause(self, order: OrderRow, error: ExchangeError) -> int:
        pause = min(self._policy.retry_ms << min(order.attempt, 20), self._policy.retry_most_ms)
        wanted = error.retry_after if isinstance(error, RateLimitedError) else None
        return max(pause, round((wanted or 0) * 1000))


def request_of(order: OrderRow) -> OrderRequest:
    """Return what to send for an order."""
    terms = Terms(KINDS[order.kind], order.price, order.stop)
    return OrderRequest(order.client_order_id, order.symbol, SIDES[order.side], order.amount, terms)
