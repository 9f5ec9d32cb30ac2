"""What an order can be, and what it can become. Fills are facts: they are booked in any state.

    new ──> sending ──> open ──> partial ──> filled
     │         │          └──> canceling ──> canceled, expired
     │         ├──> unknown ──> any of these, or not_placed once nothing can come of it any more
     │         ├──> rejected, not_placed
     └─────────┴──> denied

An order that is due at once begins as `sending`: one commit stores what is wanted and that it is about
to leave.

`rejected`, `not_placed` and `denied` mean that no order exists; after `not_placed` the same intent may be
tried once more, under another name.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from core.account.messages import OrderNews
from core.errors import HotCryptoError


class State(StrEnum):
    """Of one attempt at the exchange. A row's text is equal to it, and found in sets of it."""

    NEW = "new"
    """Approved and stored, not due yet or kept back."""
    SENDING = "sending"
    """Stored as about to be sent: whether it left is known to the process that sends it alone."""
    UNKNOWN = "unknown"
    """Sent, and no answer says what came of it."""
    OPEN = "open"
    PARTIAL = "partial"
    CANCELING = "canceling"
    CANCEL_UNKNOWN = "cancel_unknown"
    NEEDS_OPERATOR = "needs_operator"
    """The exchange knows nothing of an order that it had accepted."""
    DENIED = "denied"
    """Never sent."""
    REJECTED = "rejected"
    NOT_PLACED = "not_placed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    FILLED = "filled"


_AT_THE_EXCHANGE = {State.OPEN, State.PARTIAL, State.FILLED, State.CANCELED, State.EXPIRED}
_LOST = {State.NEEDS_OPERATOR}
MOVES = MappingProxyType(
    {
        State.NEW: {State.DENIED, State.SENDING},
        # Denied only by the process that stored it and knows that it has not sent it.
        State.SENDING: _AT_THE_EXCHANGE | {State.DENIED, State.REJECTED, State.UNKNOWN, State.NOT_PLACED},
        State.UNKNOWN: _AT_THE_EXCHANGE | {State.REJECTED, State.NOT_PLACED, State.NEEDS_OPERATOR},
        State.OPEN: _AT_THE_EXCHANGE | {State.CANCELING, State.REJECTED} | _LOST,
        State.PARTIAL: _AT_THE_EXCHANGE - {State.OPEN} | {State.CANCELING} | _LOST,
        State.CANCELING: _AT_THE_EXCHANGE | {State.CANCEL_UNKNOWN} | _LOST,
        State.CANCEL_UNKNOWN: _AT_THE_EXCHANGE | {State.CANCELING} | _LOST,
        State.NEEDS_OPERATOR: _AT_THE_EXCHANGE | {State.REJECTED},
        State.DENIED: set[State](),
        State.REJECTED: set[State](),
        State.NOT_PLACED: set[State](),
        State.CANCELED: set[State](),
        State.EXPIRED: set[State](),
        State.FILLED: set[State](),
    }
)
"""By command or answer; a fill or a sighting at the exchange brings any order back."""
UNRESOLVED = frozenset({State.SENDING, State.UNKNOWN})
"""It may exist without anybody knowing."""
NEVER_WAS = frozenset({State.DENIED, State.REJECTED, State.NOT_PLACED})
TERMINAL = NEVER_WAS | {State.CANCELED, State.EXPIRED, State.FILLED}
_ENDED = MappingProxyType(
    {
        OrderNews.FILLED: State.FILLED,
        OrderNews.CANCELED: State.CANCELED,
        OrderNews.EXPIRED: State.EXPIRED,
        OrderNews.REJECTED: State.REJECTED,
    }
)


class AfterFill(NamedTuple):
    """What a fill makes of an order."""

    state: State
    overfilled: bool
    """More was executed than was ordered."""
    unexpected: bool
    """It was thought never to have existed."""


def check_move(old: State, new: State) -> None:
    """Raise HotCryptoError unless an order may go from one state to the other: a mistake in this program."""
    if new is not old and new not in MOVES[old]:
        raise HotCryptoError(f"an order cannot go from {old} to {new}: nothing was stored; report this")


def after_fill(state: State, filled: Decimal, amount: Decimal) -> AfterFill:
    """Return what an order is when `filled` of `amount` base units are booked, whatever it was before."""
    reached = State.FILLED if filled >= amount else State.PARTIAL
    return AfterFill(reached, filled > amount, state in NEVER_WAS)


def after_report(standing: OrderNews, booked: Decimal, told: Decimal) -> State:
    """Return what an order is when the exchange says `standing` and that `told` base units are executed.

    It has not ended for us before all those fills are booked.
    """
    if standing is OrderNews.OPEN or booked < told:
        return State.PARTIAL if booked else State.OPEN
    if standing is OrderNews.REJECTED and booked:
        return State.CANCELED
    return _ENDED[standing]
