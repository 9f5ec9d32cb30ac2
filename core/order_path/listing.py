"""The exchange's lists of deposits, withdrawals and conversions, as far as there are any."""

from __future__ import annotations

from collections.abc import Sequence

from core.account.messages import Transfer
from core.errors import ExchangeError
from core.order_path.store import Store
from core.order_path.transfers import CONVERSIONS, TRANSFERS, beginnings
from core.order_path.venue import Venue


class Listing:
    """Reads the lists, and knows when there is nothing to read."""

    def __init__(self, store: Store, venue: Venue, patience: int) -> None:
        """Take who lists; after so many tries in vain a list is done without."""
        self._store = store
        self._venue = venue
        self._patience = patience
        self._is_none = False
        self._in_vain = 0
        """So many times in a row they could not be read."""

    def is_unknown(self) -> bool:
        """Return whether it can and should be read what transfers had done before any was booked."""
        return not {TRANSFERS, CONVERSIONS} <= self._store.mirror.cursors.keys() and not self._is_none

    def transfers(self) -> Sequence[Transfer] | None:
        """Return what they say, None where none can be read. Raises ExchangeError a few times."""
        if self._is_none:
            return None
        try:
            found = self._venue.transfers()
        except ExchangeError:
            self._in_vain += 1
            if self._in_vain < self._patience:
                raise
            return None
        self._in_vain, self._is_none = 0, found is None
        return found

    def know(self) -> None:
        """Store what transfers did to balances that agree with the books. Raises ExchangeError."""
        listed = self.transfers()
        if listed is not None:
            for name, text in beginnings(listed, self._store.mirror.cursors).items():
                self._store.flag(name, text)
