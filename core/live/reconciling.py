"""The only way to start, after a crash or not: what the exchange says against what the journal says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from core.errors import DatabaseError, ExchangeError
from core.live.books import fill_of_row
from core.live.claims import claim_postings, claim_txn, in_turn, open_lots, taken_from, taken_of, takings_of
from core.live.desk import Event
from core.live.ledger import ZERO, Posting, adjustment_postings, assets_of
from core.live.order_states import State
from core.live.sending import Sending
from core.money import minus, plus
from core.orders import Taken
from db.journal_rows import OrderRow, money_text

OPENED = "opened"
COUNTED = "counted"
"""Number of the entry up to which others' sales are counted for claims."""


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


class Reconciling(Sending):
    """Makes the journal agree with the exchange, or says why it cannot yet."""

    _ready = False
    _seen: Doubt | None = None

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
        found = {
            asset: minus(balances.get(asset, ZERO), books.get(asset, ZERO))
            for asset in sorted(balances.keys() | books.keys())
        }
        differences = {asset: amount for asset, amount in found.items() if amount}
        missing = self._shortages(differences)
        is_open = OPENED in self.mirror.cursors
        if differences or missing or not is_open:
            return self._doubt(differences, missing, "adjust" if is_open else "opening")
        self._seen, self._doubted = None, {}
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
        takings = self._takings(missing, differences)
        if missing and not (takings or differences):
            return [f"{words}; orders that sell it are out"], ()
        self._seen, self._doubted = None, {}
        return [], self._adjust(differences, takings, kind)

    def _is_out(self) -> bool:
        """Return whether fills of an order of ours may still come."""
        return any(not self._waits(order) for order in self.mirror.live.values())

    def _takings(self, missing: Mapping[str, Decimal], differences: Mapping[str, Decimal]) -> list[Taken]:
        """Return what each claim loses of what is missing."""
        if not missing:
            return []
        mirror, fills = self.mirror, self.journal.fills()
        intents = {intent.key: intent for intent in self.journal.intents()}
        owners = {order.client_order_id: intents[order.intent_key] for order in self.journal.orders()}
        lots = open_lots(
            ((row, fill_of_row(row), owners.get(row.client_order_id or "")) for row in fills),
            taken_of(self.journal.postings()),
        )
        free = {
            owner: minus(held, mirror.closing(*owner, "sell")) for owner, held in mirror.positions().items()
        }
        counted = int(mirror.cursors.get(COUNTED, "0"))
        sales = [
            fill_of_row(row)
            for row in reversed(fills)
            if row.client_order_id is None and row.side == "sell" and row.seq > counted
        ]
        seq = self.journal.length() + 1
        found: list[Taken] = []
        for asset, amount in missing.items():
            cause = "adjust" if differences.get(asset, ZERO) < 0 else "foreign"
            parts = taken_from(lots, amount, asset, free, {one.symbol for one in sales})
            found += takings_of(parts, sales, cause, seq)
        return sorted(found, key=in_turn)

    def _adjust(self, differences: dict[str, Decimal], takings: list[Taken], kind: str) -> tuple[str, ...]:
        """Believe the exchange, in lines of their own; what is more than dust holds up entries."""
        lines: list[Posting] = []
        for asset, amount in differences.items():
            lines += adjustment_postings(asset, amount)
        seq = self.journal.length() + 1
        with self._writing() as tx:
            if lines:
                tx.post(f"{kind}|{seq}", lines, told=True)
            for one in takings:
                tx.post(claim_txn(one), claim_postings(one), told=True)
            if takings:
                tx.cursor(COUNTED, str(seq))
            if kind == "opening":
                tx.cursor(OPENED, json.dumps({asset: f"{amount:f}" for asset, amount in differences.items()}))
        self._kept = None
        self._gone += takings
        told = tuple(f"{asset} {amount:+f}" for asset, amount in differences.items())
        if kind != "opening":
            self._alarm(differences)
        for one in takings:
            self._alarm_owner(one)
        return (*told, *(f"{one.symbol} of {one.strategy} -{money_text(one.amount)}" for one in takings))

    def _alarm(self, differences: dict[str, Decimal]) -> None:
        for asset, amount in differences.items():
            why = f"{asset}: the exchange had {amount:+f} beside what the books said; they follow it now"
            small = amount.copy_abs() <= self.policy.dust.get(asset, ZERO)
            self._notify(Event("adjusted", asset, why, critical=not small))
            for symbol in self.mirror.symbols():
                if not small and asset in assets_of(symbol):
                    self._hold(symbol, why)

    def _alarm_owner(self, one: Taken) -> None:
        """Tell that a position became smaller by others' doing; what is more than dust holds up entries."""
        base, quote = assets_of(one.symbol)
        brought = f", {money_text(one.proceeds)} {quote} of it came to cash" if one.proceeds else ""
        amount = money_text(one.amount)
        why = f"others took {amount} {one.symbol} of what {one.strategy} held ({one.cause}){brought}"
        small = one.amount <= self.policy.dust.get(base, ZERO)
        self._notify(Event("taken", one.symbol, why, critical=not small))
        if not small:
            self._hold(one.symbol, why)
