"""The order path: an approved intent in, at most one executed order out, every fill booked once.

    path = OrderPath(journal, gateway, instance)
    while not path.reconcile(symbols).done: ...   # the only start, and the way back after a crash
    path.submit(approved)                         # stored, not sent
    fills = path.step()                           # sends, looks up, books

Nothing here sleeps or reads a clock of its own: time is the gateway's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from core.account.money import decimal_of, minus, part_of
from core.account.orders import Approved, Fill, Intent, Purpose, Taken
from core.errors import RefusedError
from core.order_path.claims import taken_of
from core.order_path.journal_view import HALT, HOLD, Mirror
from core.order_path.ledger import ZERO
from core.order_path.reconciling import Reconciling
from core.order_path.states import TERMINAL, State
from core.order_path.store import Alert, OnAlert, Policy
from core.order_path.venue import MARKET, Terms, Venue
from db.journal import Journal
from db.journal_rows import FillRow, IntentRow, OrderRow
from db.journal_writing import Writing


def nobody(event: Alert) -> None:
    """Tell nobody."""
    del event


class OrderPath(Reconciling):
    """One account's orders, from approval to the books. One process per account: see core.order_path.lock."""

    def __init__(
        self,
        journal: Journal,
        gateway: Venue,
        instance: str,
        *,
        notify: OnAlert = nobody,
        policy: Policy | None = None,
    ) -> None:
        """Take a journal and a gateway; nothing is read, stored or sent yet.

        `instance` names a new account's orders; an account that is known keeps the name it has.
        """
        super().__init__(journal, gateway, instance, notify, policy or Policy())

    @property
    def ready(self) -> bool:
        """Whether the books agreed with the exchange once, so that orders may be sent."""
        return self._ready

    def submit(self, approved: Approved, terms: Terms = MARKET) -> OrderRow:
        """Store an approved intent and return its order; the same intent again returns the same order.

        What makes a position smaller is cut to what is left of it. An order that may not be is stored as
        `denied` with its reason. The next step sends it. Raises RefusedError before the first
        reconciliation, DatabaseError when it cannot be stored: then it is not sent either.
        """
        return self.submit_all([approved], terms)[0]

    def submit_all(self, approved: Sequence[Approved], terms: Terms = MARKET) -> list[OrderRow]:
        """Store several approved intents in one transaction, in this order, and return their orders.

        As `submit` does: all of them are stored, or none.
        """
        self._require_ready()
        mirror = self.mirror
        orders, unsent = [], []
        # One that fails has the mirror thrown away, with what it took of those before it.
        with self._writing() as tx:
            for one in approved:
                row = _row(one)
                if tx.intent(row):
                    orders.append(self._store_new(tx, mirror, one.intent, terms))
                    mirror.want(row)
                    if orders[-1].state == State.SENDING:
                        unsent.append(orders[-1].client_order_id)
                else:
                    orders.append(self.journal.orders(key=row.key)[-1])
        self._unsent.update(unsent)
        return orders

    def _store_new(self, tx: Writing, mirror: Mirror, intent: Intent, terms: Terms) -> OrderRow:
        amount, why = self._allowed(intent)
        order = self._first_attempt(intent, terms, amount, why)
        tx.new_order(order)
        mirror.take(order)
        return order

    def step(self) -> list[Fill]:
        """Look up what is out, send what is due, and return the fills booked since the last step.

        Trouble with the exchange is told to `notify` and tried again in the next step. Raises RefusedError
        before the first reconciliation, DatabaseError when something cannot be stored.
        """
        self._require_ready()
        if self.mirror.live:
            self._resolve()
            self._send_due()
        return self.take_fills()

    def book(self, symbol: str) -> list[Fill]:
        """Book what was executed in a symbol, for those who know that something was; return as `step` does.

        Raises RefusedError before the first reconciliation, DatabaseError when it cannot be stored.
        """
        self._require_ready()
        with self._tolerant():
            self._book_fills(symbol)
        return self.take_fills()

    def take_fills(self) -> list[Fill]:
        """Return the fills booked since they were last taken, those of `reconcile` too."""
        news, self._news = self._news, []
        return news

    def take_claims(self) -> list[Taken]:
        """Return what others took of positions since this was last asked."""
        gone, self._gone = self._gone, []
        return gone

    def cancel(self, key: str) -> OrderRow | None:
        """Cancel an intent's order and return it; it stays wanted until the order is dead.

        None when there is no such intent. What was not sent is never sent. Raises DatabaseError.
        """
        attempts = self.journal.orders(key=key)
        if not attempts or attempts[-1].state in TERMINAL:
            return attempts[-1] if attempts else None
        order = attempts[-1]
        if self._waits(order):
            return self._deny(order, "cancelled before it was sent")
        if order.cancel_at is None:
            order = self._store(order, cancel_at=self._stamp())
        with self._tolerant():
            self._finish_cancel(order)
        return self._again(order)

    def orders(self) -> list[OrderRow]:
        """Return the orders that can still change."""
        return list(self.mirror.live.values())

    def order(self, key: str) -> OrderRow | None:
        """Return the newest attempt at an intent, None when there is none."""
        return next(iter(self.journal.orders(key=key)[-1:]), None)

    def exits(self, strategy: str, symbol: str, bar: int) -> list[OrderRow]:
        """Return the exits that a strategy's decision on a bar wanted, the newest attempt at each."""
        found = self.journal.exits(strategy, symbol, bar)
        return list({order.intent_key: order for order in found}.values())

    def history(self) -> Iterator[tuple[FillRow, IntentRow | None]]:
        """Yield every fill ever booked, in order, with what it was for: None for a foreign one."""
        intents = {intent.key: intent for intent in self.journal.intents()}
        keys = {order.client_order_id: order.intent_key for order in self.journal.orders()}
        for fill in self.journal.fills():
            if fill.client_order_id is None:
                yield fill, None
            elif (key := keys.get(fill.client_order_id, "")) in intents:
                yield fill, intents[key]
            else:
                raise self.journal.lost(f"what fill {fill.id} was for")

    def taken(self) -> list[Taken]:
        """Return what others ever took of positions, in order."""
        return taken_of(self.journal.postings())

    def position(self, symbol: str, strategy: str | None = None) -> Decimal:
        """Return the base units held in a symbol, by one strategy or by all together."""
        if strategy is None:
            return self.mirror.books.position(symbol)
        return self.mirror.held(strategy, symbol)

    def positions(self) -> dict[tuple[str, str], Decimal]:
        """Return all positions by strategy and symbol."""
        return self.mirror.positions()

    def balances(self) -> dict[str, Decimal]:
        """Return what the account has of each asset by the books."""
        return self.mirror.books.totals()

    def reserved(self) -> dict[str, Decimal]:
        """Return the quote units still kept for live orders, by intent; in proportion to what is open."""
        kept = {}
        for order in self.mirror.live.values():
            reserve = self.mirror.intent(order.intent_key).reserve
            if reserve:
                left = max(minus(order.amount, order.filled), ZERO)
                kept[order.intent_key] = part_of(reserve, left, order.amount)
        return kept

    def in_the_way(self, symbol: str) -> str:
        """Return why nothing may be entered in a symbol now, blank when it may."""
        return self._barrier(symbol)

    def release(self, symbol: str | None = None) -> None:
        """Let entries in a symbol go on, or after a halt all of them: a person's decision."""
        self._flag(HALT if symbol is None else HOLD + symbol, "")

    def halt(self) -> str:
        """Return why nothing is entered at all, blank when it is."""
        return self.mirror.cursors.get(HALT, "")

    def holds(self) -> dict[str, str]:
        """Return the symbols in which entries wait for a person, and why."""
        cursors = sorted(self.mirror.cursors.items())
        return {name.removeprefix(HOLD): why for name, why in cursors if why and name.startswith(HOLD)}

    def cause(self, asset: str) -> str:
        """Return why the exchange came to have less of an asset than the books said, in a word of Taken's."""
        return self._causes.get(asset, "foreign")

    def doubts(self) -> dict[str, str]:
        """Return the symbols in which entries wait until books and exchange agree, and why."""
        return dict(self._doubted)

    def did_others(self) -> bool:
        """Return whether others did something since books and exchange were compared."""
        return self._others

    def foreign_orders(self) -> tuple[str, ...]:
        """Return the open orders of others on the account, as they were seen last."""
        return self._foreign

    def alert(self, kind: str, ref: str, text: str) -> None:
        """Tell a person something that waits for one."""
        self._notify(Alert(kind, ref, text, critical=True))

    def _require_ready(self) -> None:
        if not self._ready:
            raise RefusedError(
                "no order before the books agree with the exchange: call reconcile until it is done"
            )

    def _allowed(self, intent: Intent) -> tuple[Decimal, str]:
        """Return how much may be ordered, and why none."""
        if intent.purpose == Purpose.ENTRY:
            return intent.amount, self._barrier(intent.symbol)
        if not self.policy.reduce_only:
            return intent.amount, ""
        held = self.mirror.held(intent.strategy, intent.symbol)
        open_amount = held if intent.side == "sell" else held.copy_negate()
        closing = self.mirror.closing(intent.strategy, intent.symbol, intent.side)
        left = minus(open_amount, closing)
        if left <= 0:
            return intent.amount, f"nothing is left to close of {intent.symbol}"
        return min(intent.amount, left), ""

    def _first_state(self, due_at: int) -> tuple[State, int | None]:
        """Return how an order begins, and when it may leave."""
        now = self._stamp()
        return (State.SENDING, now) if due_at <= now else (State.NEW, None)

    def _first_attempt(self, intent: Intent, terms: Terms, amount: Decimal, why: str) -> OrderRow:
        state, sent_at = (State.DENIED, None) if why else self._first_state(intent.created_at)
        return OrderRow(
            client_order_id=self._name(intent.key, 0),
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
            epoch=self._epoch,
        )


def intent_of(row: IntentRow) -> Intent:
    """Return a stored intent as the value that paper and live share."""
    return Intent(
        strategy=row.strategy,
        symbol=row.symbol,
        timeframe=row.timeframe,
        bar=row.bar,
        purpose=Purpose(row.purpose),
        leg=row.leg,
        side="buy" if row.side == "buy" else "sell",
        amount=row.amount,
        price=row.price,
        reason=row.reason,
        created_at=row.created_at,
        valid_until=row.valid_until,
        stop=row.stop,
        take=row.take,
        share=float(row.share),
    )


def _row(approved: Approved) -> IntentRow:
    intent = approved.intent
    return IntentRow(
        key=intent.key,
        strategy=intent.strategy,
        symbol=intent.symbol,
        timeframe=intent.timeframe,
        bar=intent.bar,
        purpose=intent.purpose.value,
        leg=intent.leg,
        side=intent.side,
        amount=intent.amount,
        price=intent.price,
        stop=intent.stop,
        take=intent.take,
        reason=intent.reason,
        created_at=intent.created_at,
        valid_until=intent.valid_until,
        share=decimal_of(intent.share),
        reserve=approved.reserve,
    )
