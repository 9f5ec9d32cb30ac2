"""How often may be dialled: a venue bans addresses that connect too often (Binance: 300 in five minutes)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MOST = 60
"""Dials in any window."""
WINDOW_MS = 300_000


class DialBudget:
    """Counts dials of all connections of one venue; once spent, nobody dials until half of it is free."""

    def __init__(self, clock: Callable[[], int], most: int = MOST, window_ms: int = WINDOW_MS) -> None:
        """Take a steady clock in ms."""
        self._clock, self._most, self._window = clock, most, window_ms
        self._dials: deque[int] = deque()
        self.total = 0
        """All dials ever."""
        self.is_spent = False

    def may_dial(self) -> bool:
        """Return whether one more connection may be begun now."""
        self._forget()
        if len(self._dials) * 2 <= self._most:
            # A venue that flaps is not to be dialled again with every dial that grows old.
            self.is_spent = False
        return not self.is_spent

    def dial(self) -> bool:
        """Count one dial, and return whether it may be made."""
        if not self.may_dial():
            return False
        self._dials.append(self._clock())
        self.total += 1
        self.is_spent = len(self._dials) >= self._most
        return True

    def _forget(self) -> None:
        now = self._clock()
        while self._dials and self._dials[0] <= now - self._window:
            self._dials.popleft()
