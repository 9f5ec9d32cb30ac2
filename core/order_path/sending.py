"""Sending: stored first, sent once, and judged by three outcomes."""

from __future__ import annotations

from core.account.orders import Kind, Purpose, Side
from core.errors import (
    ExchangeError,
    ExchangeUnreachableError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
    UnsupportedError,
)
from core.order_path.resolving import Resolving
from core.order_path.states import State
from core.order_path.store import Alert
from core.order_path.venue import Placement, Report, Terms
from db.journal_rows import OrderRow

_SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}
_KINDS: dict[str, Kind] = {
    "market": "market",
    "limit": "limit",
    "maker": "maker",
    "stop_limit": "stop_limit",
    "take_limit": "take_limit",
}


class Sending(Resolving):
    """Sends orders and cancels."""

    def _send_due(self) -> None:
        """Send what is due, what makes a position smaller first."""
        fresh = [order for order in self.mirror.live.values() if self._waits(order)]
        for order in sorted(fresh, key=self._is_entry):
            with self._tolerant():
                self._send_one(order, self.gateway.now())

    def _is_entry(self, order: OrderRow) -> bool:
        return self.mirror.intent(order.intent_key).purpose == Purpose.ENTRY

    def _send_one(self, order: OrderRow, now: int) -> None:
        if why := self._useless(order, now):
            self._deny(order, why)
            self._notify(Alert("expired", order.client_order_id, why))
        elif order.due_at <= now:
            self._follow(order.symbol)
            self._send(order)

    def _useless(self, order: OrderRow, now: int) -> str:
        """Return why an order is not to be sent any more, blank when it is."""
        intent = self.mirror.intent(order.intent_key)
        if now > intent.valid_until:
            return "it was not sent before it expired"
        if order.attempt and any(one.exchange_id for one in self.journal.orders(key=order.intent_key)):
            return "an earlier attempt exists after all"
        return self._barrier(order.symbol) if intent.purpose == Purpose.ENTRY else ""

    def _send(self, order: OrderRow) -> None:
        """Send an order once it is committed that it is about to be sent, and take in what came of it."""
        order = self._committed(order)
        try:
            report = self._confirmed(order, self.gateway.place(request_of(order)))
        except ExchangeError as error:
            self._judge(order, error)
        else:
            self._adopt(order, report)

    def _committed(self, order: OrderRow) -> OrderRow:
        """Return an order of which it is stored that it may leave from now on: it is sent once, or never."""
        if order.client_order_id in self._unsent:
            self._unsent.discard(order.client_order_id)
            return order
        return self._store(order, state=State.SENDING.value, sent_at=self.gateway.now())

    def _confirmed(self, order: OrderRow, report: Report) -> Report:
        """Return a report that confirms this order. Raises OrderUnknownError for any other."""
        try:
            self._check_report(order, report)
        except ExchangeUnreachableError as error:
            raise OrderUnknownError(str(error)) from None
        return report

    def _judge(self, order: OrderRow, error: ExchangeError) -> None:
        """Store what an error of sending says: it may exist, it never will, or it is refused."""
        if isinstance(error, OrderUnknownError):
            # It may have left at any moment until now.
            sent_at = max(order.sent_at or 0, self.gateway.now())
            self._store(order, state=State.UNKNOWN.value, sent_at=sent_at, reason=str(error))
            self._notify(Alert("unknown", order.client_order_id, str(error)))
        elif isinstance(error, (OrderRefusedError, UnsupportedError)):
            self._store(order, state=State.REJECTED.value, reason=str(error))
            self._notify(Alert("refused", order.client_order_id, str(error)))
        else:
            self._not_placed(order, str(error), self._stamp() + self._pause(order, error))

    def _pause(self, order: OrderRow, error: ExchangeError) -> int:
        pause = min(self.policy.retry_ms << min(order.attempt, 20), self.policy.retry_most_ms)
        wanted = error.retry_after if isinstance(error, RateLimitedError) else None
        return max(pause, round((wanted or 0) * 1000))

    def _cancel(self, order: OrderRow) -> None:
        """Send a cancel, and believe that it is cancelled when the exchange says so."""
        order = self._store(order, state=State.CANCELING.value)
        try:
            report = self.gateway.cancel(order.symbol, order.client_order_id)
            self._check_report(order, report)
        except OrderRefusedError:
            # Not open: filled, cancelled, or not seen yet. Only a look at it tells.
            self._look(order)
        except ExchangeError as error:
            self._store(order, state=State.CANCEL_UNKNOWN.value)
            self._notify(Alert("unknown", order.client_order_id, str(error)))
        else:
            self._adopt(order, report)


def request_of(order: OrderRow) -> Placement:
    """Return what to send for an order."""
    terms = Terms(_KINDS[order.kind], order.price, order.stop)
    return Placement(order.client_order_id, order.symbol, _SIDES[order.side], order.amount, terms)
