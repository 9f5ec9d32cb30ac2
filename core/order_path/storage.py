"""What the order path stores in: one account's orders, fills and postings, and what happened to them.

`db.journal` is the one there is, in SQLite. Another takes its place where it is opened (`opening.trading`,
and `damage_of`, which looks at a file that nobody trades on); nothing else here knows which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from core.errors import DatabaseError
from db.journal_rows import EntryRow, FillRow, IntentRow, OrderRow, PostingRow


class WriterClaim(Protocol):
    """Who writes an account."""

    @property
    def instance(self) -> str:
        """The name of its orders."""

    @property
    def epoch(self) -> int:
        """Its number among those that wrote."""


class Transaction(Protocol):
    """Changes that are stored as a whole or not at all, and told in one entry; errors are DatabaseError."""

    def intent(self, row: IntentRow) -> bool:
        """Store what is wanted; False when it was before."""

    def new_order(self, row: OrderRow) -> None:
        """Store an attempt."""

    def order(self, old: OrderRow, new: OrderRow) -> None:
        """Store what became of an attempt."""

    def fill(self, row: FillRow) -> bool:
        """Store an execution; False when it was before."""

    def post(self, txn: str, lines: Iterable[tuple[str, str, Any]], *, told: bool = False) -> None:
        """Store a transaction of the books; `told` when no other fact implies it."""

    def cursor(self, name: str, value: str) -> None:
        """Store how far something was read, or what holds from now on."""


class Storage(Protocol):
    """What is stored of one account, and its one writer; errors are DatabaseError."""

    name: str
    """How messages name the database."""
    account: str

    def claimed(self) -> WriterClaim | None:
        """Return who wrote last, None when nobody ever did."""

    def intents(self, key: str | None = None) -> list[IntentRow]:
        """Return what was wanted."""

    def intent(self, key: str) -> IntentRow:
        """Return what was wanted under this key."""

    def lost(self, what: object) -> DatabaseError:
        """Return the error for a row that has to be there."""

    def orders(self, *, key: str | None = None, settled: bool = True) -> list[OrderRow]:
        """Return attempts, of one intent if given; without those that ended unless `settled`."""

    def order(self, client_order_id: str) -> OrderRow | None:
        """Return the attempt of this name."""

    def order_at(self, symbol: str, exchange_id: str) -> OrderRow | None:
        """Return the attempt that the exchange names so."""

    def exits(self, strategy: str, symbol: str, bar: int) -> list[OrderRow]:
        """Return what was sent to close a position at a bar."""

    def closing_orders(self, strategy: str, symbol: str, since: int) -> list[OrderRow]:
        """Return what was sent to close a position from a time on."""

    def closed_at(self, strategy: str, symbol: str) -> int:
        """Return when a position was closed last."""

    def time_of(self, number: int) -> int:
        """Return the time of an entry, ms UTC."""

    def suspects(self, symbol: str, side: str, since: int) -> list[OrderRow]:
        """Return the attempts that an unknown order could be."""

    def fill_before(self, exchange: str, symbol: str, time: int) -> str | None:
        """Return the id of the newest execution before a time."""

    def fills(self) -> list[FillRow]:
        """Return all executions."""

    def postings(self) -> list[PostingRow]:
        """Return all lines of the books."""

    def cursors(self) -> dict[str, str]:
        """Return how far things were read, and what holds."""

    def entries(self, after: int = 0) -> list[EntryRow]:
        """Return the entries after one."""

    def head(self) -> tuple[int, str]:
        """Return number and hash of the newest entry."""

    def length(self) -> int:
        """Return how many entries there are."""

    def hash_at(self, number: int) -> str | None:
        """Return the hash of an entry."""

    def verify_chain(self, last: int | None = None) -> list[str]:
        """Return what is wrong with the newest entries, or all."""

    def told_head(self) -> tuple[int, str] | None:
        """Return the newest head that the account's runs told of."""

    def columns(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Return the columns of each table and their kinds."""

    patience: Callable[[Callable[[], Any]], Any]
    """Begins a transaction that writes, as long as that takes."""

    def claim(self, instance: str, now: int) -> WriterClaim:
        """Become the one who writes."""

    def writing(self, now: int, lost: Callable[[], None]) -> AbstractContextManager[Transaction]:
        """Begin a transaction at a time; `lost` is called when nobody knows whether it is stored."""

    def prove_place(self) -> None:
        """Raise DatabaseError when what is written to is not where its name leads to any more."""
