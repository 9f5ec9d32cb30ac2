"""The balances against the books: a difference is doubted first, and believed when it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from core.account.money import minus, plus
from core.figures import exact
from core.order_path.adjusting import OPENED, Adjusting
from core.order_path.alerts import OnAlert, Tolerant
from core.order_path.barrier import Barrier
from core.order_path.booking import Booking
from core.order_path.ledger import ZERO, assets_of
from core.order_path.listing import Listing
from core.order_path.outbox import Outbox
from core.order_path.store import Store
from core.order_path.venue import Venue


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
        amounts = ", ".join(
            f"{asset} {exact(amount, sign=True)}" for asset, amount in self.differences.items()
        )
        told = (
            [f"the exchange differs from the books by {amounts or 'nothing'}"]
            if amounts or not self.missing
            else []
        )
        told += [
            f"{exact(amount)} {asset} of what strategies hold is not there"
            for asset, amount in self.missing.items()
        ]
        return "; ".join(told)


class Comparing:
    """Compares the exchange's balances with the books."""

    def __init__(
        self,
        store: Store,
        venue: Venue,
        outbox: Outbox,
        barrier: Barrier,
        booking: Booking,
        listing: Listing,
        adjusting: Adjusting,
        settle_ms: int,
        notify: OnAlert,
    ) -> None:
        """Take the two sides and what changes the books; a difference must last for `settle_ms`."""
        self._store = store
        self._venue = venue
        self._outbox = outbox
        self._barrier = barrier
        self._booking = booking
        self._listing = listing
        self._adjusting = adjusting
        self._settle_ms = settle_ms
        self._notify = notify
        self._seen: Doubt | None = None

    def glance(self) -> bool:
        """Return whether the balances are those of the books and enough for every claim."""
        with Tolerant(self._notify):
            return not self._differences(self._balances()) and not self._shortages({})
        return False

    def _balances(self) -> dict[str, Decimal]:
        return {asset: balance.total for asset, balance in self._venue.balances().items()}

    def _differences(self, balances: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what these balances have more than the books, by asset."""
        books = self._store.mirror.books.totals()
        found = {
            asset: minus(balances.get(asset, ZERO), books.get(asset, ZERO))
            for asset in sorted(balances.keys() | books.keys())
        }
        return {asset: amount for asset, amount in found.items() if amount}

    def compare(self) -> tuple[list[str], tuple[str, ...]]:
        """Compare the balances with the books and return what to wait for and what was adjusted."""
        before = self._store.journal.length()
        balances = self._balances()
        if not self._booking.book_all() or self._store.journal.length() != before:
            return ["the account is moving"], ()
        differences = self._differences(balances)
        missing = self._shortages(differences)
        is_open = OPENED in self._store.mirror.cursors
        if differences or missing or not is_open:
            return self._doubt(differences, missing, "adjust" if is_open else "opening")
        self._seen = None
        self._barrier.agreed()
        if self._listing.is_unknown():
            with Tolerant(self._notify):
                self._listing.know()
        return [], ()

    def _shortages(self, differences: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return what the exchange will have too little of for what strategies hold, by asset."""
        books, found = self._store.mirror.books, {}
        for asset in sorted({assets_of(symbol)[0] for _, symbol in self._store.mirror.positions()}):
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
        moment = self._venue.ask_time()
        mirror = self._store.mirror
        now = Doubt(differences, missing, mirror.bookings, mirror.foreign, self._outbox.is_out(), moment)
        if self._seen is None or not now.goes_on(self._seen):
            self._seen = now
        words = now.words()
        if moment - self._seen.since < self._settle_ms:
            assets = differences.keys() | missing.keys()
            self._barrier.doubt((one for one in mirror.symbols() if assets & {*assets_of(one)}), words)
            return [words], ()
        why = self._adjusting.reasons(differences, missing, self._listing.transfers())
        if missing and not (why.takings or differences):
            return [f"{words}; orders that sell it are out"], ()
        self._seen = None
        self._barrier.doubt((), "")
        return [], self._adjusting.adjust(differences, why, kind)
