"""Storing what is wanted: an intent with the first attempt at it, cut to what may be ordered."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.account.messages import MARKET, Terms
from core.account.money import minus
from core.account.orders import Approved, Intent, Purpose
from core.order_path.barrier import Barrier
from core.order_path.intents import intent_of, intent_row
from core.order_path.journal_view import Mirror
from core.order_path.ledger import ZERO
from core.order_path.outbox import Outbox
from core.order_path.states import State
from core.order_path.storage import Transaction
from core.order_path.store import Store
from db.journal_rows import OrderRow


class Submitting:
    """Stores approved intents and their orders; sends nothing."""

    def __init__(self, store: Store, outbox: Outbox, barrier: Barrier, *, reduce_only: bool) -> None:
        """Take where it is stored; with `reduce_only` what closes a position is cut to what is left of it."""
        self._store = store
        self._outbox = outbox
        self._barrier = barrier
        self._reduce_only = reduce_only

    def submit_all(self, approved: Sequence[Approved], terms: Terms) -> list[OrderRow]:
        """Store intents in one transaction, in this order, and return their orders: all of them, or none."""
        mirror = self._store.mirror
        orders, unsent = [], []
        # One that fails has the mirror thrown away, with what it took of those before it.
        with self._store.writing() as tx:
            for one in approved:
                row = intent_row(one)
                if tx.intent(row):
                    orders.append(self._store_new(tx, mirror, one.intent, terms))
                    mirror.want(row)
                    if orders[-1].state == State.SENDING:
                        unsent.append(orders[-1].client_order_id)
                else:
                    orders.append(self._store.journal.orders(key=row.key)[-1])
        self._outbox.add(unsent)
        return orders

    def want(self, approved: Approved) -> Intent:
        """Store an intent that others will execute part by part, and return it as it was stored first."""
        row = intent_row(approved)
        with self._store.writing() as tx:
            tx.intent(row)
        return intent_of(self._store.journal.intent(row.key))

    def conclude(self, intent: Intent, why: str) -> OrderRow:
        """Store that nothing more is ordered of an intent, and return what says so: an order never sent."""
        known = self._store.journal.orders(key=intent.key)
        if known:
            return known[-1]
        order = self._first_attempt(intent, MARKET, intent.amount, why)
        mirror = self._store.mirror
        with self._store.writing() as tx:
            tx.new_order(order)
        mirror.take(order)
        return order

    def _store_new(self, tx: Transaction, mirror: Mirror, intent: Intent, terms: Terms) -> OrderRow:
        amount, why = self._allowed(intent)
        order = self._first_attempt(intent, terms, amount, why)
        tx.new_order(order)
        mirror.take(order)
        return order

    def _allowed(self, intent: Intent) -> tuple[Decimal, str]:
        """Return how much may be ordered, and why none."""
        if intent.purpose == Purpose.ENTRY:
            return intent.amount, self._barrier.why(intent.symbol)
        if not self._reduce_only:
            return intent.amount, ""
        mirror = self._store.mirror
        held = mirror.held(intent.strategy, intent.symbol)
        open_amount = held if intent.side == "sell" else held.copy_negate()
        left = minus(open_amount, mirror.closing(intent.strategy, intent.symbol, intent.side))
        if left <= 0:
            return intent.amount, f"nothing is left to close of {intent.symbol}"
        return min(intent.amount, left), ""

    def _first_state(self, due_at: int) -> tuple[State, int | None]:
        """Return how an order begins, and when it may leave."""
        now = self._store.now()
        return (State.SENDING, now) if due_at <= now else (State.NEW, None)

    def _first_attempt(self, intent: Intent, terms: Terms, amount: Decimal, why: str) -> OrderRow:
        state, sent_at = (State.DENIED, None) if why else self._first_state(intent.created_at)
        return OrderRow(
            client_order_id=self._store.name(intent.key, 0),
            intent_key=intent.key,
            attempt=0,
            symbol=intent.symbol,
            side=intent.side,
            kind=terms.kind,
            amount=amount,
            price=terms.price,
            stop=terms.stop,
            state=state.value,
            exchange_id=None,
            filled=ZERO,
            due_at=intent.created_at,
            sent_at=sent_at,
            absences=0,
            cancel_at=None,
            reason=why,
            epoch=self._store.epoch,
        )
