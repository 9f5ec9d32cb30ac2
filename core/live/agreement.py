"""When an account's books are compared with its exchange, and how both stood then."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from core.account.money import NOTHING, minus
from core.account.orders import Taken
from core.order_path.path import OrderPath

AGAIN: Final = 300_000
"""Milliseconds between two comparisons of everything with the exchange …"""
GLANCE: Final = 60_000
"""… and of balances alone, which is one request: 10 of the 1,200 that Binance.US allows a minute."""
SOON: Final = 1_000
"""Milliseconds until the next one while they differ, at least."""
HINTED: Final = 5_000
"""Milliseconds between two that streams ask for, at least: a busy account of somebody else costs no more."""


class Agreement:
    """What one account knows of its books and the exchange being the same; times are ms UTC."""

    def __init__(self, path: OrderPath) -> None:
        """Take the path that compares; nothing is asked yet."""
        self._path = path
        self._compare_at = 0
        self._glance_at = 0
        self._hinted_at = -HINTED
        self._agreed_at: int | None = None
        """So many fills of others were booked when all agreed, None once cash was looked at since."""
        self.at: int | None = None
        """When they were last found to agree."""
        self.difference = ""
        """What they differ by, blank while they do not."""

    def open(self, now: int) -> None:
        """Be told that they agree as an account is taken up."""
        self._compare_at, self._agreed_at = now + AGAIN, self._path.mirror.foreign
        self._agree(now)

    def look_now(self, now: int) -> None:
        """Compare at the next look, but for what others do not every time."""
        self._compare_at = min(self._compare_at, max(now, self._hinted_at + HINTED))
        self._hinted_at = self._compare_at

    def look_again(self, now: int) -> None:
        """Compare at the next look."""
        self._compare_at = now

    def is_due(self, now: int) -> bool:
        """Return whether all is to be compared now; balances alone are where their time has come."""
        if now >= self._glance_at and not self._glance(now):
            self.look_again(now)
        return now >= self._compare_at

    def compare(self, now: int) -> None:
        """Compare the books with the exchange; what differs for long is believed, and holds up entries."""
        found = self._path.reconcile()
        self._compare_at = now + (AGAIN if found.done else max(self._path.policy.settle_ms, SOON))
        self._agreed_at = self._path.mirror.foreign if found.done else None
        self.difference = "; ".join(found.waiting)
        self._glance_at = now + GLANCE
        if found.done:
            self._agree(now)

    def cash_taken(self, cash: Decimal, quote: str, *, is_told: bool) -> list[Taken]:
        """Return what others took of the account's cash: that which the exchange has too little of for it.

        It follows from the journal and the account once they agree with the exchange and everything was told.
        """
        agreed, mirror = self._agreed_at, self._path.mirror
        if agreed is None or not is_told:
            return []
        self._agreed_at = None
        short = minus(cash, max(mirror.books.cash(quote), NOTHING))
        if agreed != mirror.foreign or short <= 0:
            return []
        return [Taken("", "", short, NOTHING, self._path.cause(quote))]

    def _glance(self, now: int) -> bool:
        """Return whether the balances are those of the books; what else they can be takes more requests."""
        self._glance_at = now + GLANCE
        # While an order is out the two may differ for a moment.
        is_equal = self._path.is_quiet() and not self.difference and self._path.balances_agree()
        if is_equal:
            self._agree(now)
        return is_equal

    def _agree(self, now: int) -> None:
        self.at, self._glance_at = now, now + GLANCE
