"""The only way to start, after a crash or not: what the exchange says against what the journal says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from core.account.messages import OrderReport
from core.errors import ExchangeError
from core.figures import exact
from core.order_path.alerts import Alert, OnAlert, Tolerant
from core.order_path.barrier import Barrier
from core.order_path.booking import Booking
from core.order_path.comparing import Comparing
from core.order_path.looking import Looking
from core.order_path.outbox import Outbox
from core.order_path.resolving import Resolving
from core.order_path.sending import Sending
from core.order_path.states import State
from core.order_path.store import Store
from core.order_path.venue import Venue
from db.journal_rows import OrderRow

RIVAL = "another program trades this account with a copy of this database: end one of the two"


class Reconciliation(NamedTuple):
    """How far the books agree with the exchange."""

    done: bool
    waiting: tuple[str, ...]
    """What has to be known first: call again later."""
    foreign: tuple[str, ...] = ()
    """Open orders that this program did not send and leaves alone."""
    adjusted: tuple[str, ...] = ()
    """What the books were changed by, because the exchange says so."""


def text_of(report: OrderReport) -> str:
    """Return an open order as a person reads it."""
    return f"{report.side} {exact(report.amount)} {report.symbol}, order {report.id}"


class Reconciling:
    """Makes the journal agree with the exchange, or says why it cannot yet."""

    def __init__(
        self,
        store: Store,
        venue: Venue,
        outbox: Outbox,
        barrier: Barrier,
        booking: Booking,
        resolving: Resolving,
        looking: Looking,
        sending: Sending,
        comparing: Comparing,
        tail: int,
        notify: OnAlert,
    ) -> None:
        """Take all that knows a part of it; so many of the newest entries are verified at the start."""
        self._store = store
        self._venue = venue
        self._outbox = outbox
        self._barrier = barrier
        self._booking = booking
        self._resolving = resolving
        self._looking = looking
        self._sending = sending
        self._comparing = comparing
        self._tail = tail
        self._notify = notify
        self._is_ready = False
        self._foreign: tuple[OrderReport, ...] = ()
        self._lost: set[str] | None = None
        """Orders of ours that were open and not in the journal when this program first looked."""
        self._told: set[str] = set()
        """Those of which a person was told."""

    @property
    def ready(self) -> bool:
        """Whether the books agreed with the exchange once, so that orders may be sent."""
        return self._is_ready

    def foreign_orders(self) -> tuple[OrderReport, ...]:
        """Return the open orders of others on the account, as they were seen last."""
        return self._foreign

    def reconcile(self, symbols: Iterable[str] = ()) -> Reconciliation:
        """Look everything up once, for these symbols and those of live orders. Raises DatabaseError."""
        try:
            if not self._store.epoch:
                self._store.examine(self._tail)
                self._store.take_over(self._venue.ask_time())
            found = self._reconcile(symbols)
        except ExchangeError as error:
            self._notify(Alert("exchange", "", str(error)))
            return Reconciliation(False, (str(error),))
        self._is_ready = self._is_ready or found.done
        return found

    def _reconcile(self, symbols: Iterable[str]) -> Reconciliation:
        for symbol in dict.fromkeys((*symbols, *(one.symbol for one in self._store.mirror.live.values()))):
            self._booking.follow(symbol)
        foreign, lost = self._sight_open_orders()
        self._looking.look_at_all(whole=True)
        whole = self._booking.book_all()
        waiting = lost + [
            f"{one.symbol}: order {one.client_order_id} may still exist"
            for one in self._store.mirror.live.values()
            if self._outbox.may_exist(one)
        ]
        if not whole:
            waiting.append("some fills have no order yet")
        adjusted: tuple[str, ...] = ()
        if not waiting:
            waiting, adjusted = self._comparing.compare()
        self._sending.expire()
        return Reconciliation(not waiting, tuple(waiting), foreign, adjusted)

    def _sight_open_orders(self) -> tuple[tuple[str, ...], list[str]]:
        """Take in the open orders of ours; return those of others, and what is wrong with ours."""
        foreign, lost, known = [], [], {one.id for one in self._foreign}
        for report in self._venue.open_orders():
            order = self._store.journal.order(report.client_order_id)
            if order is not None:
                self._resolving.adopt(self._revived(order), report)
            elif self._store.is_own(report.client_order_id):
                lost.append(report)
            else:
                foreign.append(report)
                if report.id not in known:
                    text = f"open order of somebody else: {text_of(report)}"
                    self._notify(Alert("foreign", report.symbol, text))
        self._foreign = tuple(foreign)
        words = [self._end(report) for report in lost]
        # What appears later was not left behind: somebody sends it.
        self._lost = self._lost if self._lost is not None else {one.id for one in lost}
        return tuple(map(text_of, foreign)), words

    def _end(self, report: OrderReport) -> str:
        """Cancel an open order of ours that the journal does not know; return what is waited for.

        It was left behind by what a restored backup has forgotten. One that comes while this program runs is
        of another one with the same account: its orders are left alone, and nothing is entered any more.
        """
        is_left, ref = self._lost is None or report.id in self._lost, report.client_order_id
        what = f"{text_of(report)}, bears the name of this account and is not in its journal"
        why = f"{what}: {'it is cancelled' if is_left else RIVAL}"
        if is_left:
            # One that has ended meanwhile is not open when it is looked at again.
            with Tolerant(self._notify):
                self._venue.cancel(report.symbol, ref)
        if report.id not in self._told:
            self._told.add(report.id)
            if is_left:
                self._notify(Alert("lost", ref, why, critical=True))
            else:
                self._barrier.halt(ref, why)
        return why

    def _revived(self, order: OrderRow) -> OrderRow:
        """Return an order that is open at the exchange, as living again if it was thought to be over."""
        if order.state not in (State.CANCELED, State.EXPIRED):
            return order
        why = f"order {order.client_order_id} was thought {order.state} and is open"
        self._notify(Alert("lost", order.client_order_id, why, critical=True))
        state = State.PARTIAL if order.filled else State.OPEN
        return self._store.keep(order, sighted=True, state=state.value, reason=why)
