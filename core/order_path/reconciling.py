"""The only way to start, after a crash or not: what the exchange says against what the journal says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from core.account.money import minus, plus
from core.errors import DatabaseError, ExchangeError
from core.order_path.adjusting import OPENED, Adjusting
from core.order_path.ledger import ZERO, assets_of
from core.order_path.states import State
from core.order_path.store import Alert
from core.order_path.transfers import TRANSFERS
from db.journal_rows import OrderRow


class Reconciliation(NamedTuple):
    """How far the books agree with the exchange."""

    done: bool
    waiting: tuple[str, ...]
    """What has to be known first: call again later."""
    foreign: tuple[str, ...] = ()
    """Open orders that this program did not send and leaves alone."""
    adjusted: tuple[str, ...] = ()
    """What the books were changed by, because the exchange says so."""


class Doubt(NamedTuple):
    """A difference that is not believed yet."""

    differences: dict[str, Decimal]
    missing: dict[str, Decimal]
    """What the exchange has too little of for what strategies hold."""
    bookings: int
    """So many fills were booked when it was seen …"""
    foreign: int
    """… and so many of them were of others."""
    is_out: bool
    """Whether fills of ours could still come then."""
    since: int

    def goes_on(self, before: Doubt) -> bool:
        """Tell whether this is the difference that was seen before."""
        still = self.bookings == before.bookings or not (self.is_out or before.is_out)
        return still and self[:2] == before[:2] and self.foreign == before.foreign

    def words(self) -> str:
        """Return it as a person reads it."""
        amounts = ", ".join(f"{asset} {amount:+f}" for asset, amount in self.differences.items())
        told = (
            [f"the exchange differs from the books by {amounts or 'nothing'}"]
            if amounts or not self.missing
            else []
        )
        told += [
            f"{amount:f} {asset} of what strategies hold is not there"
            for asset, amount in self.missing.items()
        ]
        return "; ".join(told)


class Reconciling(Adjusting):
    """Makes the journal agree with the exchange, or says why it cannot yet."""

    _ready = False
    _seen: Doubt | None = None
    _foreign: tuple[str, ...] = ()
    """Open orders of others that were told."""

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
            self._notify(Alert("exchange", "", str(error)))
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
                if text not in self._foreign:
                    self._notify(Alert("foreign", report.symbol, f"open order of somebody else: {text}"))
            else:
                self._adopt(self._revived(order), report)
        self._foreign = tuple(foreign)
        return self._foreign

    def _revived(self, order: OrderRow) -> OrderRow:
        """Return an order that is open at the exchange, as living again if it was thought to be over."""
        if order.state not in (State.CANCELED, State.EXPIRED):
            return order
        why = f"order {order.client_order_id} was thought {order.state} and is open"
        self._notify(Alert("lost", order.client_order_id, why, critical=True))
        state = State.PARTIAL if order.filled else State.OPEN
        return self._store(order, sighted=True, state=state.value, reason=why)

    def _expire(self) -> None:
        now = self._stamp()
        for order in list(self.mirror.live.values()):
            if self._waits(order) and (why := self._useless(order, now)):
                self._deny(order, why)
                self._notify(Alert("expired", order.client_order_id, why))

    def _compare(self) -> tuple[list[str], tuple[str, ...]]:
        """Compare the balances with the books and return what to wait for and what was adjusted."""
        before = self.journal.length()
        balances = {asset: balance.total for asset, balance in self.gateway.balances().items()}
        if not self._book_all() or self.journal.length() != before:
            return ["the account is moving"], ()
        books = self.mirror.books.totals()
        found = {
            asset: minus(balances.get(asset, ZERO), books.get(asset, ZERO))
            for asset in sorted(balances.keys() | books.keys())
        }
        differences = {asset: amount for asset, amount in found.items() if amount}
        missing = self._shortages(differences)
        is_open = OPENED in self.mirror.cursors
        if differences or missing or not is_open:
            return self._doubt(differences, missing, "adjust" if is_open else "opening")
        self._seen, self._doubted, self._others = None, {}, False
        if TRANSFERS not in self.mirror.cursors and not self._lists_nothing:
            with self._tolerant():
                self._know_transfers()
        return [], ()

    def _shortages(self, differences: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what the exchange will have too little of for what strategies hold, by asset."""
        books, found = self.mirror.books, {}
        for asset in sorted({assets_of(symbol)[0] for _, symbol in self.mirror.positions()}):
            there = plus(books.cash(asset), differences.get(asset, ZERO))
            if there < 0:
                found[asset] = there.copy_negate()
        return found

    def _doubt(
        self, differences: dict[str, Decimal], missing: dict[str, Decimal], kind: str
    ) -> tuple[list[str], tuple[str, ...]]:
        """Believe in a difference only when it lasts: balances and fills need not appear together.

        Fills of others make it another difference, though it be the same: two equal trades make one. So do
        ours while an order of ours is out; an order that is over has all its fills booked.
        """
        moment = self.gateway.ask_time()
        mirror = self.mirror
        now = Doubt(differences, missing, mirror.bookings, mirror.foreign, self._is_out(), moment)
        if self._seen is None or not now.goes_on(self._seen):
            self._seen = now
        words = now.words()
        if moment - self._seen.since < self.policy.settle_ms:
            assets = differences.keys() | missing.keys()
            self._doubted = {one: words for one in mirror.symbols() if assets & {*assets_of(one)}}
            return [words], ()
        why = self._reasons(differences, missing, self._listed())
        if missing and not (why.takings or differences):
            return [f"{words}; orders that sell it are out"], ()
        self._seen, self._doubted = None, {}
        return [], self._adjust(differences, why, kind)

    def _is_out(self) -> bool:
        """Return whether fills of an order of ours may still come."""
        return any(not self._waits(order) for order in self.mirror.live.values())
