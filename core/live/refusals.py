"""Exits that the exchange refuses: tried again after a pause that doubles, then given to a person.

How often it was in a row follows from the journal, so a restart forgets none of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from core.account.orders import Executed, Intent, News, Purpose, RefusalReason, Taken
from core.account.values import Held
from core.figures import exact, how_many
from core.order_path.path import OrderPath
from core.order_path.states import TERMINAL, State
from core.utils import format_time
from db.journal_rows import OrderRow

FIRST: Final = 60_000
"""Milliseconds until a refused exit is tried again, doubled each time …"""
MOST: Final = 3_600_000
"""… up to this."""
TRIES: Final = 8
"""So many refusals in a row, and a person is asked."""

TAKEN_BACK: Final = "taken back"
"""How the reason begins of an order that somebody here did not want any more."""


class Streak(NamedTuple):
    """Refusals in a row."""

    times: int
    until: int
    """When the next one may go, ms UTC."""
    why: str
    """What the exchange said last."""
    key: str = ""
    """The intent that it refused last."""

    @property
    def is_over(self) -> bool:
        """Whether a person has to say that it goes on."""
        return self.times >= TRIES

    def words(self, *, is_wanted: bool = False) -> str:
        """Return it as a person reads it; `is_wanted`: what was refused is tried again by itself."""
        then = "tried again at" if is_wanted else "not tried again before"
        then = "not tried again" if self.is_over else f"{then} {format_time(self.until)} UTC"
        return f"its exit was refused {how_many(self.times, 'time')} in a row ({self.why}), {then}"


def refusal_of(order: OrderRow) -> tuple[RefusalReason, str]:
    """Return why nothing more comes of an order that is over, and in whose words."""
    why = order.reason or f"the exchange says {order.state}"
    if order.filled:
        why = f"{exact(order.filled)} of {exact(order.amount)} filled, then {order.state}"
    if order.state == State.CANCELED and order.cancel_at is not None:
        return RefusalReason.WITHDRAWN, f"{TAKEN_BACK}: {why}"
    if order.state == State.DENIED and why.startswith(TAKEN_BACK):
        return RefusalReason.WITHDRAWN, why
    late = order.state in (State.EXPIRED, State.CANCELED) or "expired" in order.reason
    return RefusalReason.EXPIRED if late else RefusalReason.EXCHANGE, why


def streak_of(path: OrderPath, held: Held) -> Streak | None:
    """Return how often the exits of a position were refused in a row, by the journal; None for never.

    A row begins anew with each fill of an exit, each taking by others and each acceptance by a person.
    """
    refused = []
    for order in path.closing_orders(*held):
        if order.state not in TERMINAL or order.state == State.FILLED:
            continue
        reason, why = refusal_of(order)
        if reason is RefusalReason.EXCHANGE:
            refused.append((order.sent_at or order.due_at, why, order.intent_key))
    if not refused:
        return None
    sent, why, key = max(refused)
    return Streak(len(refused), sent + min(FIRST << (len(refused) - 1), MOST), why, key)


class Refusals:
    """How often the exits of each position were refused in a row."""

    def __init__(self, path: OrderPath) -> None:
        """Take the path whose journal says so; it is not asked yet."""
        self._path = path
        self._rows: dict[Held, Streak] = {}

    def open(self) -> None:
        """Read what a former process left."""
        for held in self._path.positions():
            self._read(held)

    def rows(self) -> dict[Held, Streak]:
        """Return those that there are."""
        return dict(self._rows)

    def note(self, event: News) -> Streak | None:
        """Take what came of an order; return the row once it is for a person."""
        if isinstance(event, Taken):
            self._read((event.strategy, event.symbol))
            return None
        intent = event.intent
        if intent.purpose is Purpose.ENTRY:
            return None
        held = intent.strategy, intent.symbol
        if isinstance(event, Executed):
            if held in self._rows:
                self._read(held)
        elif event.reason is RefusalReason.EXCHANGE:
            row = self._read(held)
            return row if row and row.times == TRIES and row.key == intent.key else None
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

    def forget(self, symbol: str, now: int) -> None:
        """Let the exits of a symbol be tried again at once, after a restart too."""
        self._path.accept(symbol, now)
        self._rows = {held: row for held, row in self._rows.items() if held[1] != symbol}

    def _read(self, held: Held) -> Streak | None:
        row = streak_of(self._path, held)
        if row is None:
            self._rows.pop(held, None)
        else:
            self._rows[held] = row
        return row
