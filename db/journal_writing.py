"""One transaction of a journal: rows and the entry that tells of them, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from db.journal_rows import (
    BEGINNING,
    EntryRow,
    Fact,
    FillRow,
    IntentRow,
    OrderRow,
    body_of,
    hash_of,
    money_text,
    stored,
    to_sql,
)

if TYPE_CHECKING:
    from db.journal import Journal


class Writing:
    """One transaction of a journal, and the one entry that tells what it changes."""

    def __init__(self, journal: Journal, now: int, lost: Callable[[], None]) -> None:
        """See Journal.writing."""
        self._journal = journal
        self._now = now
        self._lost = lost
        self._head = (0, BEGINNING)
        self._facts: list[Fact] = []

    def __enter__(self) -> Self:
        try:
            self._head = self._journal.begin()
        except BaseException:
            self._lost()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._lost()
            self._journal.end()
            return
        try:
            self._journal.end(self._tell() if self._facts else self._head)
        except BaseException:
            self._lost()
            self._journal.end()
            raise

    def _tell(self) -> tuple[int, str]:
        (kind, ref, _), (seq, before) = self._facts[0], self._head
        told = (seq + 1, self._now, kind, ref, body_of(self._facts))
        hashed = hash_of(before, self._journal.account, *told)
        self._journal.tell(EntryRow(*told, hashed))
        return seq + 1, hashed

    def note(self, kind: str, ref: str, fields: dict[str, Any]) -> None:
        """Tell a fact about something: its fields as the database keeps them."""
        self._facts.append((kind, ref, fields))

    def intent(self, row: IntentRow) -> bool:
        """Store what is wanted; False when it was before."""
        return self._new("intent", row.key, row)

    def new_order(self, row: OrderRow) -> None:
        """Store an attempt."""
        values = to_sql(row)
        self._journal.put(OrderRow, values)
        self.note("order", row.client_order_id, dict(zip(row._fields, values, strict=True)))

    def order(self, old: OrderRow, new: OrderRow) -> None:
        """Store what became of an attempt."""
        triples = zip(new._fields, old, new, strict=True)
        changed = {name: stored(name, after) for name, before, after in triples if before != after}
        self._journal.change(new.client_order_id, changed)
        self.note("order", new.client_order_id, changed)

    def fill(self, row: FillRow) -> bool:
        """Store an execution under the entry's number; False when it was before."""
        ref = f"{row.exchange}|{row.symbol}|{row.id}"
        return self._new("fill", ref, row._replace(seq=self._head[0] + 1))

    def post(self, txn: str, lines: Iterable[tuple[str, str, Any]], *, told: bool = False) -> None:
        """Store a transaction's lines; `told` when no other fact implies them."""
        kept = [(txn, name, asset, money_text(amount)) for name, asset, amount in lines]
        self._journal.put_all(kept)
        if told:
            self.note("adjustment", txn, {"lines": [list(line[1:]) for line in kept]})

    def cursor(self, name: str, value: str) -> None:
        """Store how far something was read, or what holds from now on."""
        self._journal.set_cursor(name, value)
        self.note("cursor", name, {"value": value})

    def _new(self, kind: str, ref: str, row: IntentRow | FillRow) -> bool:
        values = to_sql(row)
        if not self._journal.put_new(type(row), values):
            return False
        self.note(kind, ref, dict(zip(row._fields, values, strict=True)))
        return True
