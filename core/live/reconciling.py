"""The only way to start, after a crash or not: what the exchange says against what the journal says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from core.errors import DatabaseError, ExchangeError
from core.live.desk import Event
from core.live.ledger import ZERO, Posting, adjustment_postings, assets_of
from core.live.order_states import State
from core.live.sending import Sending
from core.money import minus
from db.journal_rows import OrderRow

OPENED = "opened"


class Reconciliation(NamedTuple):
    """How far the books agree with the exchange."""

    done: bool
    waiting: tuple[str, ...]
    """What has to be known first: call again later."""
    foreign: tuple[str, ...] = ()
    """Open orders that this program did not send and leaves alone."""
    adjusted: tuple[str, ...] = ()
    """What the books were changed by, because the exchange says so."""


class Reconciling(Sending):
    """Makes the journal agree with the exchange, or says why it cannot yet."""

    _ready = False
    _seen: tuple[dict[str, Decimal], int, int] | None = None
    """A difference, how many fills were booked then, and since when it lasts."""

    def reconcile(self, symbols: Iterable[str] = ()) -> Reconciliation:
        """Look everything up once; nothing is sent before this was `done` for the first time.

        `symbols` are those that will be traded. It waits for nothing: call it again until it is done.
        Raises DatabaseError when the journal is damaged or cannot be written.
        """
        try:
            if not self._epoch:
                self._take_over()
            found = self._reconcile(symbols)
        except ExchangeError as error:
            self._notify(Event("exchange", "", str(error)))
            return Reconciliation(False, (str(error),))
        self._ready = self._ready or found.done
        return found

    def _take_over(self) -> None:
        """Become the one who writes."""
        damage = self.journal.verify_chain(self.policy.tail)
        if damage:
            raise DatabaseError(
                f"database {self.journal.name} is damaged: {damage[0]}: restore a backup, "
                "or begin anew with another file"
            )
        moment = self.gateway.ask_time()
        claim = self.journal.claim(self._instance, moment)
        self._instance, self._epoch, self._kept = claim.instance, claim.epoch, None

    def _reconcile(self, symbols: Iterable[str]) -> Reconciliation:
        for symbol in dict.fromkeys((*symbols, *(one.symbol for one in self.mirror.live.values()))):
            self._follow(symbol)
        foreign = self._sight_open_orders()
        self._resolve()
        whole = self._book_all()
        waiting = [
            f"{one.symbol}: order {one.client_order_id} may still exist"
            for one in self.mirror.live.values()
            if self._may_exist(one)
        ]
        if not whole:
            waiting.append("some fills have no order yet")
        adjusted: tuple[str, ...] = ()
        if not waiting:
            waiting, adjusted = self._compare()
        self._expire()
        return Reconciliation(not waiting, tuple(waiting), foreign, adjusted)

    def _book_all(self) -> bool:
        """Book the fills of every symbol and return whether all have found their orders."""
        found = [self._book_fills(symbol) for symbol in self.mirror.symbols()]
        return all(found)

    def _resolve(self) -> None:
        """Look up every order that can still change, and finish the cancels that were wanted."""
        for name in list(self.mirror.live):
            # As it is now: looking up another order may have booked a fill of this one.
            order = self.mirror.live.get(name)
            if order is not None and not self._waits(order):
                with self._tolerant():
                    self._look(order)
                    if order.cancel_at is not None:
                        self._finish_cancel(self._again(order))

    def _finish_cancel(self, order: OrderRow) -> None:
        if order.state in (State.OPEN, State.PARTIAL):
            self._cancel(order)

    def _sight_open_orders(self) -> tuple[str, ...]:
        """Take in the open orders of ours and return the others."""
        foreign = []
        for report in self.gateway.open_orders():
            order = self.journal.order(report.client_order_id)
            if order is None:
                text = f"{report.side} {report.amount:f} {report.symbol}, order {report.id}"
                foreign.append(text)
                self._notify(Event("foreign", report.symbol, f"open order of somebody else: {text}"))
            else:
                self._adopt(self._revived(order), report)
        return tuple(foreign)

    def _revived(self, order: OrderRow) -> OrderRow:
        """Return an order that is open at the exchange, as living again if it was thought to be over."""
        if order.state not in (State.CANCELED, State.EXPIRED):
            return order
        why = f"order {order.client_order_id} was thought {order.state} and is open"
        self._notify(Event("lost", order.client_order_id, why, critical=True))
        state = State.PARTIAL if order.filled else State.OPEN
        return self._store(order, sighted=True, state=state.value, reason=why)

    def _expire(self) -> None:
        now = self._stamp()
        for order in list(self.mirror.live.values()):
            if self._waits(order) and (why := self._useless(order, now)):
                self._deny(order, why)
                self._notify(Event("expired", order.client_order_id, why))

    def _compare(self) -> tuple[list[str], tuple[str, ...]]:
        """Compare the balances with the books and return what to wait for and what was adjusted."""
        before = self.journal.length()
        balances = {asset: balance.total for asset, balance in self.gateway.balances().items()}
        if not self._book_all() or self.journal.length() != before:
            return ["the account is moving"], ()
        books = self.mirror.books.totals()
        differences = {
            asset: minus(balances.get(asset, ZERO), books.get(asset, ZERO))
            for asset in sorted(balances.keys() | books.keys())
        }
        differences = {asset: amount for asset, amount in differences.items() if amount}
        is_open = OPENED in self.mirror.cursors
        if differences or not is_open:
            return self._doubt(differences, "adjust" if is_open else "opening")
        self._seen = None
        return [], ()

    def _doubt(self, differences: dict[str, Decimal], kind: str) -> tuple[list[str], tuple[str, ...]]:
        """Believe in a difference only when it lasts: balances and fills need not appear together."""
        moment = self.gateway.ask_time()
        # Once a fill was booked it is another difference, though it be the same: two equal trades make one.
        read = self.mirror.bookings
        if self._seen is None or self._seen[:2] != (differences, read):
            self._seen = differences, read, moment
        if moment - self._seen[2] < self.policy.settle_ms:
            told = ", ".join(f"{asset} {amount:+f}" for asset, amount in differences.items()) or "nothing"
            return [f"the exchange differs from the books by {told}"], ()
        self._seen = None
        return [], self._adjust(differences, kind)

    def _adjust(self, differences: dict[str, Decimal], kind: str) -> tuple[str, ...]:
        """Believe the exchange, in lines of their own; what is more than dust holds up entries."""
        mirror = self.mirror
        lines: list[Posting] = []
        for asset, amount in differences.items():
            positions = mirror.books.positions(asset)
            lines += adjustment_postings(asset, amount, mirror.books.cash(asset), positions)
        with self._writing() as tx:
            tx.post(f"{kind}|{self.journal.length() + 1}", lines, told=True)
            if kind == "opening":
                tx.cursor(OPENED, json.dumps({asset: f"{amount:f}" for asset, amount in differences.items()}))
        self._kept = None
        told = tuple(f"{asset} {amount:+f}" for asset, amount in differences.items())
        if kind != "opening":
            self._alarm(differences)
        return told

    def _alarm(self, differences: dict[str, Decimal]) -> None:
        for asset, amount in differences.items():
            why = f"{asset}: the exchange had {amount:+f} beside what the books said; they follow it now"
            small = amount.copy_abs() <= self.policy.dust.get(asset, ZERO)
            self._notify(Event("adjusted", asset, why, critical=not small))
            for symbol in self.mirror.symbols():
                if not small and asset in assets_of(symbol):
                    self._hold(symbol, why)
