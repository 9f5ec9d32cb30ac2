"""The order path: an approved intent in, at most one executed order out, every fill booked once.

    path = OrderPath(journal, venue, instance)
    while not path.reconcile(symbols).done: ...   # the only start, and the way back after a crash
    path.submit(approved)                         # stored, not sent
    fills = path.step()                           # sends, looks up, books

Nothing here sleeps or reads a clock of its own: time is the venue's.

Each part has a file, and is handed the parts that it calls; `OrderPath` puts them together:

    Store        the journal of one account            <- all
    Outbox       what has certainly not left           <- Store
    Barrier      what keeps entries back               <- Store
    Submitting   stores what is wanted                 <- Outbox, Barrier
    Booking      reads fills and books them            <- Outbox, Barrier
    Resolving    what became of an order               <- Booking, Barrier
    Sending      sends what is due                     <- Outbox, Barrier, Booking, Resolving
    Canceling    cancels                               <- Outbox, Resolving
    Changing     changes what rests                    <- Resolving
    Looking      a look at everything that is out      <- Outbox, Resolving, Canceling
    Listing      lists of deposits and withdrawals
    Claiming     what strategies lose to others        <- Outbox
    Adjusting    makes the books follow the exchange   <- Outbox, Barrier, Claiming
    Comparing    balances against the books            <- Outbox, Barrier, Booking, Listing, Adjusting
    Reconciling  the only way to start                 <- Outbox, Barrier, Booking, Resolving, Looking,
                                                          Sending, Comparing
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.messages import MARKET, Terms
from core.account.money import minus, part_of, total
from core.account.orders import RESTING_KINDS, RESTING_STOPS, Approved, Fill, Intent, Taken, whole_key
from core.errors import RefusedError
from core.order_path.adjusting import Adjusting
from core.order_path.alerts import Alert, OnAlert, Tolerant, nobody
from core.order_path.barrier import Barrier
from core.order_path.booking import Booking
from core.order_path.canceling import Canceling
from core.order_path.changing import Changing
from core.order_path.claiming import Claiming
from core.order_path.claims import taken_of
from core.order_path.comparing import Comparing
from core.order_path.journal_view import ACCEPTED, Mirror
from core.order_path.ledger import ZERO, assets_of
from core.order_path.listing import Listing
from core.order_path.looking import Looking
from core.order_path.outbox import Outbox
from core.order_path.policy import Policy
from core.order_path.reconciling import Reconciliation, Reconciling, text_of
from core.order_path.resolving import Resolving
from core.order_path.sending import Sending
from core.order_path.states import State
from core.order_path.storage import Storage
from core.order_path.store import Store, VenueClock
from core.order_path.submitting import Submitting
from core.order_path.venue import Venue
from db.journal_rows import FillRow, IntentRow, OrderRow


class Parts(NamedTuple):
    """What a path is made of; that each does what it is there for is shown by weakening it."""

    store: type[Store] = Store
    submitting: type[Submitting] = Submitting
    booking: type[Booking] = Booking
    resolving: type[Resolving] = Resolving
    sending: type[Sending] = Sending
    canceling: type[Canceling] = Canceling
    changing: type[Changing] = Changing
    listing: type[Listing] = Listing
    claiming: type[Claiming] = Claiming
    comparing: type[Comparing] = Comparing


PARTS = Parts()


class OrderPath:
    """One account's orders, from approval to the books. One process per account: see core.order_path.lock."""

    def __init__(
        self,
        journal: Storage,
        venue: Venue,
        instance: str,
        *,
        notify: OnAlert = nobody,
        policy: Policy | None = None,
        parts: Parts = PARTS,
    ) -> None:
        """Take a journal and a venue; nothing is read, stored or sent yet.

        `instance` names a new account's orders; an account that is known keeps the name it has.
        """
        self._policy = how = policy or Policy()
        self._venue = venue
        self._notify = notify
        self._store = store = parts.store(journal, instance, VenueClock(venue).now)
        outbox = Outbox(store)
        self._barrier = barrier = Barrier(store, notify)
        self._submitting = parts.submitting(store, outbox, barrier, reduce_only=how.reduce_only)
        self._booking = booking = parts.booking(store, venue, outbox, barrier, how.overlap, notify)
        resolving = parts.resolving(store, venue, booking, barrier, how, notify)
        self._sending = sending = parts.sending(
            store, venue, outbox, barrier, booking, resolving, how, notify
        )
        self._canceling = parts.canceling(store, venue, outbox, resolving, notify)
        self._changing = parts.changing(store, venue, resolving, notify)
        self._looking = looking = Looking(store, venue, outbox, resolving, self._canceling, how, notify)
        listing = parts.listing(store, venue, how.lost_after)
        claiming = parts.claiming(store, outbox)
        self._adjusting = adjusting = Adjusting(store, outbox, barrier, claiming, how.dust, notify)
        self._comparing = comparing = parts.comparing(
            store, venue, outbox, barrier, booking, listing, adjusting, how.settle_ms, notify
        )
        self._reconciling = Reconciling(
            *(store, venue, outbox, barrier, booking, resolving, looking, sending, comparing),
            *(how.tail, notify),
        )

    @property
    def journal(self) -> Storage:
        """The account's journal."""
        return self._store.journal

    @property
    def policy(self) -> Policy:
        """How patient and how strict it is."""
        return self._policy

    @property
    def mirror(self) -> Mirror:
        """What the journal says. Raises DatabaseError."""
        return self._store.mirror

    def reconcile(self, symbols: Iterable[str] = ()) -> Reconciliation:
        """Look everything up once; nothing is sent before this was `done` for the first time.

        `symbols` are those that will be traded. It waits for nothing: call it again until it is done.
        Raises DatabaseError when the journal is damaged or cannot be written.
        """
        return self._reconciling.reconcile(symbols)

    @property
    def ready(self) -> bool:
        """Whether the books agreed with the exchange once, so that orders may be sent."""
        return self._reconciling.ready

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
        return self._submitting.submit_all(approved, terms)

    def want(self, approved: Approved) -> Intent:
        """Store an intent that is executed by parts of it, and return it as it was stored first.

        Raises RefusedError before the first reconciliation, DatabaseError when it cannot be stored.
        """
        self._require_ready()
        return self._submitting.want(approved)

    def conclude(self, intent: Intent, why: str) -> OrderRow:
        """Store that nothing more is ordered of an intent that `want` stored. Raises DatabaseError."""
        return self._submitting.conclude(intent, why)

    def step(self) -> list[Fill]:
        """Look up what is out, send what is due, and return the fills booked since the last step.

        Trouble with the exchange is told to `notify` and tried again in the next step. Raises RefusedError
        before the first reconciliation, DatabaseError when something cannot be stored.
        """
        self._require_ready()
        if self.mirror.live:
            self._looking.look_at_all()
            self._sending.send_due()
        return self.take_fills()

    def send(self) -> None:
        """Send what is due and look nothing up; the fills that it brings are taken later.

        Raises RefusedError before the first reconciliation, DatabaseError when something cannot be stored.
        """
        self._require_ready()
        self._sending.send_due()

    def hurry(self) -> None:
        """Look the stops that rest up in the next step, though it is not their turn."""
        self._looking.hurry()

    def now(self) -> int:
        """Return the venue's time, ms UTC, or when it was last known while the venue is away."""
        return self._store.now()

    def book(self, symbol: str) -> list[Fill]:
        """Book what was executed in a symbol, for those who know that something was; return as `step` does.

        Raises RefusedError before the first reconciliation, DatabaseError when it cannot be stored.
        """
        self._require_ready()
        with Tolerant(self._notify):
            self._booking.book_fills(symbol)
        return self.take_fills()

    def take_fills(self) -> list[Fill]:
        """Return the fills booked since they were last taken, those of `reconcile` too."""
        return self._booking.take_fills()

    def take_claims(self) -> list[Taken]:
        """Return what others took of positions since this was last asked."""
        return self._adjusting.take_claims()

    def cancel(self, key: str) -> OrderRow | None:
        """Cancel an intent's order and return it; it stays wanted until the order is dead.

        None when there is no such intent. What was not sent is never sent. Raises DatabaseError.
        """
        return self._canceling.cancel(key)

    def change(self, key: str, left: Decimal, terms: Terms) -> OrderRow | None:
        """Have an intent's order that rests execute so much more, at these terms, and return it.

        None when it has not, or nobody knows yet. Raises DatabaseError.
        """
        return self._changing.change(key, left, terms)

    def shut(self) -> str:
        """Return the mode in which the venue takes no market order now, blank if it does or nobody knows."""
        return self._venue.shut()

    def is_quiet(self) -> bool:
        """Return whether nothing is out but stops that are known to rest."""
        live = self.mirror.live.values()
        return all(one.kind in RESTING_STOPS and one.state == State.OPEN for one in live)

    def orders(self) -> list[OrderRow]:
        """Return the orders that can still change."""
        return list(self.mirror.live.values())

    def order(self, key: str) -> OrderRow | None:
        """Return the newest attempt at an intent, None when there is none."""
        return next(iter(self.journal.orders(key=key)[-1:]), None)

    def exits(self, strategy: str, symbol: str, bar: int) -> list[OrderRow]:
        """Return the exits that a strategy's decision on a bar wanted, the newest attempt at each.

        A stop that rests is none: it waits for a price. Of an exit by parts it is the newest part.
        """
        found = [one for one in self.journal.exits(strategy, symbol, bar) if one.kind not in RESTING_STOPS]
        return list({whole_key(order.intent_key): order for order in found}.values())

    def closing_orders(self, strategy: str, symbol: str) -> list[OrderRow]:
        """Return the exits of a position since one filled, others took of it or a person accepted the symbol.

        Of each the newest attempt at its newest part, and none that rests at the exchange for a price.
        """
        taken = [one.seq for one in self.taken() if (one.strategy, one.symbol) == (strategy, symbol)]
        since = max(
            self.journal.closed_at(strategy, symbol),
            self.journal.time_of(taken[-1]) + 1 if taken else 0,
            int(self.mirror.cursors.get(ACCEPTED + symbol, "0")),
        )
        found = self.journal.closing_orders(strategy, symbol, since)
        return list(
            {whole_key(one.intent_key): one for one in found if one.kind not in RESTING_KINDS}.values()
        )

    def accept(self, symbol: str, now: int) -> None:
        """Commit that a person lets the exits of a symbol be tried again, at a time in ms UTC."""
        self._store.flag(ACCEPTED + symbol, str(now + 1))

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
        return self._barrier.why(symbol)

    def release(self, symbol: str | None = None) -> None:
        """Let entries in a symbol go on, or after a halt all of them: a person's decision."""
        self._barrier.release(symbol)

    def halt(self) -> str:
        """Return why nothing is entered at all, blank when it is."""
        return self._barrier.halted()

    def holds(self) -> dict[str, str]:
        """Return the symbols in which entries wait for a person, and why."""
        return self._barrier.holds()

    def cause(self, asset: str) -> str:
        """Return why the exchange came to have less of an asset than the books said, in a word of Taken's."""
        return self._adjusting.cause(asset)

    def doubts(self) -> dict[str, str]:
        """Return the symbols in which entries wait for a while, and why: the venue's counter, the books."""
        return {**self._sending.waiting, **self._barrier.doubts()}

    def did_others(self) -> bool:
        """Return whether others did something since books and exchange were compared."""
        return self._barrier.did_others()

    def foreign_orders(self) -> tuple[str, ...]:
        """Return the open orders of others on the account, as they were seen last."""
        return tuple(map(text_of, self._reconciling.foreign_orders()))

    def kept_by_others(self, asset: str) -> tuple[Decimal, tuple[str, ...]]:
        """Return how much of an asset others' open orders sell, as they were seen last, and those orders."""
        selling = [
            one
            for one in self._reconciling.foreign_orders()
            if one.side == "sell" and assets_of(one.symbol)[0] == asset
        ]
        return total(minus(one.amount, one.filled) for one in selling), tuple(map(text_of, selling))

    def balances_agree(self) -> bool:
        """Ask the exchange for its balances once, and return whether they are those of the books.

        False also when it does not answer. What they differ by, and why, takes a reconciliation.
        """
        return self._comparing.glance()

    def free(self, asset: str) -> Decimal:
        """Return how much of an asset neither others' open orders nor our own sell, by the books."""
        own = (one for one in self.mirror.live.values() if assets_of(one.symbol)[0] == asset)
        selling = total(minus(one.amount, one.filled) for one in own if one.side == "sell")
        return minus(minus(self.balances().get(asset, ZERO), selling), self.kept_by_others(asset)[0])

    def tell(self, kind: str, ref: str, text: str) -> None:
        """Tell what goes as it should."""
        self._notify(Alert(kind, ref, text))

    def alert(self, kind: str, ref: str, text: str) -> None:
        """Tell a person something that waits for one."""
        self._notify(Alert(kind, ref, text, critical=True))

    def _require_ready(self) -> None:
        if not self.ready:
            raise RefusedError(
                "no order before the books agree with the exchange: call reconcile until it is done"
            )
