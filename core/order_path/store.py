"""What all of the order path stands on: the journal, the gateway, and the mirror of one in the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from core.account.orders import Fill, Taken
from core.errors import ExchangeError
from core.order_path.client_ids import client_order_id
from core.order_path.journal_view import HALT, HOLD, Mirror
from core.order_path.states import UNRESOLVED, State, check_move
from core.order_path.venue import Venue
from db.journal import Journal
from db.journal_rows import OrderRow
from db.journal_writing import Writing

TOLD = 1000
"""So much of what others did is remembered, to be told once."""


class Alert(NamedTuple):
    """Something that a person or a log should know."""

    kind: str
    """exchange, unknown, refused, expired, retried, foreign, canceled, halt, adjusted, taken, exits, lost."""
    ref: str
    """The order, symbol or asset it is about; may be blank."""
    text: str
    critical: bool = False


OnAlert = Callable[[Alert], None]


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient and how strict the order path is."""

    absences: int = 2
    """So many times an order must be missing, once its absence is final, to count as never placed."""
    lost_after: int = 10
    """So many times an accepted order must be missing to be given to a person, a list to be done without."""
    overlap: int = 20
    """So many booked fills are read again each time, for late ones among them."""
    settle_ms: int = 5000
    """A difference of balances must last so long to be believed."""
    retry_ms: int = 1000
    """Pause before an order that was certainly not placed is tried again; doubled each time …"""
    retry_most_ms: int = 60_000
    """… up to this."""
    tail: int = 1000
    """So many of the newest journal entries are verified at the start."""
    reduce_only: bool = True
    """Cut what makes a position smaller to what is left of it."""
    dust: Mapping[str, Decimal] = field(default_factory=dict)
    """By asset: a smaller difference of balances is adjusted without holding anything."""


class Tolerant:
    """Tells trouble with the exchange instead of raising it."""

    def __init__(self, notify: OnAlert) -> None:
        self._notify = notify

    def __enter__(self) -> None:
        """Begin what may fail."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if not isinstance(error, ExchangeError):
            return False
        self._notify(Alert("exchange", "", str(error)))
        return True


class Store:
    """The journal and the gateway of one account."""

    def __init__(
        self, journal: Journal, gateway: Venue, instance: str, notify: OnAlert, policy: Policy
    ) -> None:
        self.journal = journal
        self.gateway = gateway
        self.policy = policy
        self._instance = instance
        self._notify = notify
        self._epoch = 0
        self._stamped = 0
        self._kept: Mirror | None = None
        self._unsent: set[str] = set()
        """Stored as about to be sent, by this process, which has not sent them yet."""
        self._news: list[Fill] = []
        self._gone: list[Taken] = []
        """What others took of claims since somebody asked."""
        self._causes: dict[str, str] = {}
        """Why the newest difference of each asset was there, in a word of Taken's."""
        self._doubted: dict[str, str] = {}
        """Symbols where nothing is entered until books and exchange agree, and why: they differ on its coins
        or its cash, or others did something there."""
        self._told: dict[str, None] = {}
        """What others did and a person was told, the newest of it."""
        self._others = False
        """Whether others did something since books and exchange were compared."""

    @property
    def mirror(self) -> Mirror:
        """What the journal says, read again after a write that failed. Raises DatabaseError."""
        if self._kept is None:
            self._kept = Mirror(self.journal)
        return self._kept

    def _stamp(self) -> int:
        """Return the exchange's time, or when it was last known while the exchange is away, ms UTC."""
        try:  # noqa: SIM105 -- at every transaction, and `suppress` takes longer than all the rest of this
            self._stamped = self.gateway.now()
        except ExchangeError:
            pass
        return self._stamped

    def _writing(self) -> Writing:
        """Begin a transaction; whoever gets an error does not know what is stored, and reads it again."""
        return self.journal.writing(self._stamp(), self._forget)

    def _forget(self) -> None:
        self._kept = None

    def _tolerant(self) -> Tolerant:
        """Let trouble with the exchange about one thing not keep the others waiting."""
        return Tolerant(self._notify)

    def _store(self, order: OrderRow, *, sighted: bool = False, **changes: Any) -> OrderRow:
        """Commit what became of an order and return it; `sighted` at the exchange, it can become anything."""
        new = order._replace(**changes)
        if new == order:
            return order
        if not sighted:
            check_move(State(order.state), State(new.state))
        mirror = self.mirror
        with self._writing() as tx:
            tx.order(order, new)
        mirror.take(new)
        return new

    def _flag(self, name: str, why: str) -> None:
        """Commit what holds until a person says otherwise."""
        mirror = self.mirror
        if mirror.cursors.get(name) == why:
            return
        with self._writing() as tx:
            tx.cursor(name, why)
        mirror.cursors[name] = why

    def _barrier(self, symbol: str) -> str:
        """Return why nothing may be entered in a symbol now, blank when it may."""
        return self.mirror.stands_in_the_way(symbol) or self._doubted.get(symbol, "")

    def _halt(self, ref: str, why: str) -> None:
        self._flag(HALT, why)
        self._notify(Alert("halt", ref, why, critical=True))

    def _others_did(self, kind: str, symbol: str, text: str) -> None:
        """Tell what others did, once, and keep entries of the symbol back until the books agree again."""
        self._others = True
        self._doubted[symbol] = f"{text}: nothing is entered until books and exchange agree"
        # An order of theirs can have many fills.
        if text not in self._told:
            self._notify(Alert(kind, symbol, text))
            self._told[text] = None
            if len(self._told) > TOLD:
                del self._told[next(iter(self._told))]

    def _hold(self, symbol: str, why: str) -> None:
        """Keep entries of a symbol back until a person accepts; who calls this tells why, once."""
        self._flag(HOLD + symbol, why)

    def _name(self, key: str, attempt: int) -> str:
        return client_order_id(self.journal.account, self._instance, key, attempt)

    def _waits(self, order: OrderRow) -> bool:
        """Return whether an order is certain not to have been sent."""
        return order.state == State.NEW or order.client_order_id in self._unsent

    def _may_exist(self, order: OrderRow) -> bool:
        """Return whether an order may exist without anybody knowing."""
        return order.state in UNRESOLVED and order.client_order_id not in self._unsent

    def _deny(self, order: OrderRow, why: str) -> OrderRow:
        """Commit that what was not sent never is, and return it."""
        order = self._store(order, state=State.DENIED.value, sent_at=None, reason=why)
        self._unsent.discard(order.client_order_id)
        return order

    def _again(self, order: OrderRow) -> OrderRow:
        """Return an order as it is now."""
        return self.mirror.order(order.client_order_id) or order
