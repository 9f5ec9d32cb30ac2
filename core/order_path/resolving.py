"""What became of an order: looked up by its name, believed only as far as it is proven."""

from __future__ import annotations

from typing import Final

from core.account.messages import OrderReport
from core.account.orders import PART, RESTING_STOPS, Purpose
from core.errors import ExchangeUnreachableError
from core.figures import exact
from core.order_path.alerts import Alert, OnAlert
from core.order_path.barrier import Barrier
from core.order_path.booking import Booking, Sighting, is_replaced
from core.order_path.policy import Policy
from core.order_path.states import NEVER_WAS, TERMINAL, UNRESOLVED, State, after_report
from core.order_path.storage import Transaction
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import OrderRow

SLACK_MS: Final = 60_000
"""A fill's time and an order's are compared no finer than this."""


class Resolving:
    """Looks orders up, and takes in what is said of them."""

    def __init__(
        self, store: Store, venue: Venue, booking: Booking, barrier: Barrier, policy: Policy, notify: OnAlert
    ) -> None:
        """Take what is asked and what is told of it; `policy` says how often an order must be missing."""
        self._store = store
        self._venue = venue
        self._booking = booking
        self._barrier = barrier
        self._policy = policy
        self._notify = notify

    def look(self, order: OrderRow) -> None:
        """Look an order up and take in what the exchange says, and nothing if it says nothing."""
        # Asked for before the look-up: what is missing after its last moment never comes.
        moment = self._fence_time() if order.state in UNRESOLVED else None
        if moment is not None and order.state == State.SENDING:
            # Of a process that was killed, or of a write that failed: it may have left until now.
            sent_at = max(order.sent_at or 0, moment)
            why = "nobody knows whether it was sent"
            order = self._store.keep(order, state=State.UNKNOWN.value, sent_at=sent_at, reason=why)
        report = self._venue.find(order.symbol, order.client_order_id)
        if report is not None:
            self.adopt(order, report)
        elif moment is not None:
            self._absent(order, moment)
        else:
            self._missing(order)

    def _fence_time(self) -> int:
        return self._venue.ask_time()

    def adopt(self, order: OrderRow, report: OrderReport) -> None:
        """Take in what the exchange says of an order, and book what was executed of it."""
        self.check_report(order, report)
        if order.state in TERMINAL - NEVER_WAS:
            return
        if order.state in NEVER_WAS:
            order = self._risen(order, report)
        seen = _sighting(order, report)
        if report.filled > order.filled:
            order = self._executed(order, report, seen)
        if report.filled > order.filled and order.sent_at is not None:
            # Passed over, because it appeared after newer ones, or not there yet.
            self._booking.book_fills(order.symbol, order.sent_at - SLACK_MS)
            order = self._store.again(order)
        if order.state not in TERMINAL:
            state = after_report(report.standing, order.filled, report.filled)
            self._settle(order, seen, state)

    def _settle(self, order: OrderRow, seen: Sighting, state: State) -> None:
        """Store how an order stands; a cancel that nobody here wanted is somebody else's."""
        changes = {**seen.changes, "state": state.value}
        if state is State.EXPIRED and order.kind in RESTING_STOPS and order.cancel_at is None:
            text = f"the stop of {order.symbol} (order {order.client_order_id}) expired at the exchange"
            self._notify(Alert("stop", order.symbol, text, critical=True))
        if state is State.EXPIRED and order.kind == "market":
            what = f"{order.side} {exact(order.amount)} {order.symbol} (order {order.client_order_id})"
            text = f"{what}: the market took {exact(order.filled)} of it, the rest expired at the exchange"
            self._notify(Alert("refused", order.symbol, text))
        if state is not State.CANCELED or order.cancel_at is not None:
            self._store.keep(order, **changes)
            return
        why = "cancelled at the exchange, and not by this program"
        self._store.keep(order, **changes, reason=why)
        what = f"{order.side} {exact(order.amount)} {order.symbol}"
        self._barrier.others_did(
            "canceled", order.symbol, f"order {order.client_order_id} ({what}) was {why}"
        )

    def _executed(self, order: OrderRow, report: OrderReport, seen: Sighting) -> OrderRow:
        """Book what was executed of an order, and return it.

        Fills that the answer itself tells are stored with what else it says. Where they have to be asked for,
        that the order exists is stored first: asking may fail, or end with the process.
        """
        if not report.executions:
            state = State.PARTIAL if order.filled else State.OPEN
            told = state.value if order.state in UNRESOLVED else order.state
            order = self._store.keep(order, **seen.changes, state=told)
            self._booking.book_fills(order.symbol)
        known = self._booking.known(order.symbol)
        for execution in report.executions:
            if execution.fill.id not in known:
                self._booking.book(execution, "", seen)
        return self._store.again(order)

    def check_report(self, order: OrderRow, report: OrderReport) -> None:
        """Raise ExchangeUnreachableError unless a report is about this very order."""
        told = (report.client_order_id, report.symbol, report.side)
        if told != (order.client_order_id, order.symbol, order.side) or not report.id:
            raise ExchangeUnreachableError(
                f"asked for order {order.client_order_id} ({order.side} {order.symbol}), the answer is about "
                f"order {report.id or '(no id)'}, {report.client_order_id} ({report.side} {report.symbol})"
            )

    def _risen(self, order: OrderRow, report: OrderReport) -> OrderRow:
        """Return an order that exists although it was thought never to; it stops all entries."""
        changes = _sighting(order, report).changes
        if not is_replaced(self._store.journal, order):
            changes = {**changes, "state": State.OPEN.value}
        why = f"order {order.client_order_id} of {order.intent_key} exists, which was thought impossible"
        self._barrier.halt(order.client_order_id, why)
        return self._store.keep(order, sighted=True, **changes)

    def _absent(self, order: OrderRow, moment: int) -> None:
        """Count an order as never placed once it is missing after its last moment, twice."""
        if moment < self._venue.absence_is_final_at(order.sent_at or moment):
            return
        if order.absences + 1 < self._policy.absences:
            self._store.keep(order, absences=order.absences + 1)
            return
        self.not_placed(order, "the exchange does not have it", moment)

    def _missing(self, order: OrderRow) -> None:
        """Give an order that had been accepted to a person once it is missing for long."""
        absences = order.absences + 1
        if absences < self._policy.lost_after:
            self._store.keep(order, absences=absences)
        elif order.state != State.NEEDS_OPERATOR:
            why = f"the exchange no longer knows order {order.client_order_id} ({order.symbol})"
            self._store.keep(order, state=State.NEEDS_OPERATOR.value, absences=absences, reason=why)
            self._notify(Alert("lost", order.client_order_id, why, critical=True))
            self._barrier.hold(order.symbol, why)

    def not_placed(self, order: OrderRow, why: str, due_at: int) -> None:
        """Store that no order exists, and with it the next attempt if there is to be one."""
        mirror = self._store.mirror
        old = order._replace(state=State.NOT_PLACED.value, reason=why)
        with self._store.writing() as tx:
            tx.order(order, old)
            new = self._next_attempt(tx, order, due_at, why)
        mirror.take(old)
        if new is not None:
            mirror.take(new)
            self._notify(Alert("retried", new.client_order_id, f"{order.client_order_id}: {why}"))

    def _next_attempt(self, tx: Transaction, order: OrderRow, due_at: int, why: str) -> OrderRow | None:
        intent = self._store.mirror.intent(order.intent_key)
        if due_at > intent.valid_until or order.cancel_at is not None or order.filled:
            return None
        is_limited = intent.purpose == Purpose.ENTRY or PART in intent.leg
        if is_limited and order.attempt >= self._policy.retries:
            what = f"{order.side} {exact(order.amount)} {order.symbol}"
            text = f"{what}: given up after {order.attempt + 1} attempts: {why}"
            self._notify(Alert("failed", order.client_order_id, text, critical=True))
            return None
        attempt = order.attempt + 1
        new = order._replace(
            client_order_id=self._store.name(order.intent_key, attempt),
            attempt=attempt,
            state=State.NEW.value,
            due_at=due_at,
            sent_at=None,
            absences=0,
            reason="",
            epoch=self._store.epoch,
        )
        tx.new_order(new)
        return new


def _sighting(order: OrderRow, report: OrderReport) -> Sighting:
    """Return what a report says of an order beside its fills."""
    amount = report.amount if report.amount > 0 else order.amount
    seen = {"exchange_id": report.id, "absences": 0, "amount": amount, "stop": report.stop or order.stop}
    return Sighting(order.client_order_id, seen)
