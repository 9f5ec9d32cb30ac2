"""Exits that the exchange refuses: tried again after a pause that doubles, then given to a person."""

from __future__ import annotations

from typing import Final, NamedTuple

from core.account.orders import Executed, Intent, News, Purpose, RefusalReason, Taken
from core.account.values import Held
from core.utils import format_time

FIRST: Final = 60_000
"""Milliseconds until a refused exit is tried again, doubled each time …"""
MOST: Final = 3_600_000
"""… up to this."""
TRIES: Final = 8
"""So many refusals in a row, and a person is asked."""


class Streak(NamedTuple):
    """Refusals in a row."""

    times: int
    until: int
    """When the next one may go, ms UTC."""
    why: str
    """What the exchange said last."""

    @property
    def is_over(self) -> bool:
        """Whether a person has to say that it goes on."""
        return self.times >= TRIES

    def words(self, *, is_wanted: bool = False) -> str:
        """Return it as a person reads it; `is_wanted`: what was refused is tried again by itself."""
        then = "tried again at" if is_wanted else "not tried again before"
        then = "not tried again" if self.is_over else f"{then} {format_time(self.until)} UTC"
        return f"its exit was refused {self.times} times in a row ({self.why}), {then}"


class Refusals:
    """How often the exits of each position were refused in a row."""

    def __init__(self) -> None:
        self._rows: dict[Held, Streak] = {}

    def rows(self) -> dict[Held, Streak]:
        """Return those that there are."""
        return dict(self._rows)

    def note(self, event: News, now: int) -> Streak | None:
        """Take what came of an order; return the row once it is for a person."""
        if isinstance(event, Taken):
            self._rows.pop((event.strategy, event.symbol), None)
            return None
        intent = event.intent
        if intent.purpose is Purpose.ENTRY:
            return None
        held = intent.strategy, intent.symbol
        if isinstance(event, Executed):
            self._rows.pop(held, None)
        elif event.reason is RefusalReason.EXCHANGE:
            count = self._rows[held].times + 1 if held in self._rows else 1
            self._rows[held] = row = Streak(count, now + min(FIRST << (count - 1), MOST), event.detail)
            return row if count == TRIES else None
        return None

    def backs_off(self, held: Held, now: int) -> bool:
        """Return whether exits of a position have to wait: for a time, or for a person."""
        row = self._rows.get(held)
        return row is not None and (row.is_over or now < row.until)

    def stands_in_the_way(self, intent: Intent, now: int) -> str:
        """Return why an order is not sent now, blank when it is; a person's own command always is.

        An entry waits as well: what is to be closed before it is still held.
        """
        held = intent.strategy, intent.symbol
        if intent.purpose is Purpose.FLATTEN or not self.backs_off(held, now):
            return ""
        return self._rows[held].words()

    def forget(self, symbol: str) -> None:
        """Let the exits of a symbol be tried again at once."""
        self._rows = {held: row for held, row in self._rows.items() if held[1] != symbol}
