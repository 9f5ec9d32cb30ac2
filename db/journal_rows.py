"""Rows of the order path's tables as values, and as what the database keeps: decimals are text there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from hashlib import sha256
from itertools import product
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_type_hints

import orjson

from core.errors import DatabaseError

MONEY = frozenset({"amount", "price", "stop", "take", "reserve", "filled", "fee", "share"}) | {
    "entry_limit",
    "entry_trigger",
}
_KEPT_AS = {Decimal: str}
BEGINNING = "0" * 64
"""What stands before the first entry of a journal."""


class IntentRow(NamedTuple):
    """See OrderIntent."""

    key: str
    strategy: str
    symbol: str
    timeframe: str
    bar: int
    purpose: str
    leg: str
    side: str
    amount: Decimal
    price: Decimal
    stop: Decimal | None
    take: Decimal | None
    reason: str
    created_at: int
    valid_until: int
    share: Decimal
    reserve: Decimal
    note: str | None = None
    entry_limit: Decimal | None = None
    entry_trigger: Decimal | None = None


class OrderRow(NamedTuple):
    """See Order."""

    client_order_id: str
    intent_key: str
    attempt: int
    symbol: str
    side: str
    kind: str
    amount: Decimal
    price: Decimal | None
    stop: Decimal | None
    state: str
    exchange_id: str | None
    filled: Decimal
    due_at: int
    sent_at: int | None
    absences: int
    cancel_at: int | None
    reason: str
    epoch: int


class FillRow(NamedTuple):
    """See OrderFill."""

    exchange: str
    symbol: str
    id: str
    client_order_id: str | None
    order_id: str
    side: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    time: int
    reason: str
    seq: int


class PostingRow(NamedTuple):
    """See Posting."""

    txn: str
    name: str
    asset: str
    amount: Decimal


class EntryRow(NamedTuple):
    """See JournalEntry; kind and reference are those of its first fact."""

    seq: int
    ts: int
    kind: str
    ref: str
    body: str
    hash: str


class CursorRow(NamedTuple):
    """See OrderCursor."""

    name: str
    value: str


Row = TypeVar("Row", IntentRow, OrderRow, FillRow, PostingRow, EntryRow, CursorRow)


def money_text(value: Decimal) -> str:
    """Return a decimal as plain digits, the same text for equal values.

    Raises ValueError for what is not finite, TypeError for what is no Decimal: a float is never money.
    """
    if not isinstance(value, Decimal):
        raise TypeError(f"money is a Decimal, got {type(value).__name__} {value!r}")
    if not value.is_finite():
        raise ValueError(f"money is a finite number, got {value}")
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def stored(name: str, value: Any) -> Any:
    """Return a field's value as the database keeps it."""
    return money_text(value) if name in MONEY and value is not None else value


def to_sql(row: NamedTuple) -> list[Any]:
    """Return a row as the database keeps it."""
    kept: list[Any] = list(row)
    for place in _money_of(row._fields):
        if kept[place] is not None:
            kept[place] = money_text(kept[place])
    return kept


def from_sql(kind: type[Row], values: Iterable[Any]) -> Row:
    """Return the row that the database keeps so. Raises DatabaseError for values that nobody stored."""
    kept, hashable = list(values), cast("Any", kind)
    if tuple(map(type, kept)) not in _types_of(hashable):
        raise _unreadable(kind, kept, "it has values of other kinds than were stored")
    for place in _money_of(kind._fields):
        if kept[place] is not None:
            kept[place] = _money(kind, kept, place)
    return kind._make(kept)


@cache
def _types_of(kind: Any) -> frozenset[tuple[type, ...]]:
    """Return the types that a row's values may have, all together, as the database returns them."""
    hints = get_type_hints(kind).values()
    return frozenset(
        product(*([_KEPT_AS.get(one, one) for one in get_args(hint) or (hint,)] for hint in hints))
    )


def _money(kind: type[Row], kept: list[Any], place: int) -> Decimal:
    try:
        amount = Decimal(kept[place])
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise _unreadable(kind, kept, f"its {kind._fields[place]} is {kept[place]!r}, not an amount")
    # Every amount has one text: another one of equal value was written by somebody else.
    if (text := money_text(amount)) != kept[place]:
        raise _unreadable(kind, kept, f"its {kind._fields[place]} is {kept[place]!r}, stored was {text}")
    return amount


def _unreadable(kind: type[Row], kept: list[Any], why: str) -> DatabaseError:
    what, row = kind.__name__.removesuffix("Row").lower(), " ".join(str(value) for value in kept[:3])
    return DatabaseError(f"the {what} {row} cannot be read: {why}")


@cache
def _money_of(fields: tuple[str, ...]) -> tuple[int, ...]:
    """Return which fields of a row are money."""
    return tuple(place for place, name in enumerate(fields) if name in MONEY)


Fact = tuple[str, str, dict[str, Any]]
"""What an entry tells of one row: its kind (intent, order, fill, cursor or adjustment), which one it is, and
its fields as the database keeps them: all when it is new, later those that changed."""


def body_of(facts: Sequence[Fact]) -> str:
    """Return an entry's body, JSON: a list of facts, each a list of its parts."""
    return orjson.dumps(facts).decode()


def facts_of(entry: EntryRow) -> list[Fact]:
    """Return what an entry tells; one of before 2026-11 told one fact, whose kind and reference it has.

    Raises DatabaseError when it cannot be read.
    """
    try:
        body = orjson.loads(entry.body)
        facts = [(entry.kind, entry.ref, body)] if isinstance(body, dict) else [(*one,) for one in body]
        return [(kind, ref, {**fields}) for kind, ref, fields in facts]
    except (TypeError, ValueError):
        raise DatabaseError(
            f"journal: entry {entry.seq} ({entry.kind} {entry.ref}) cannot be read: {str(entry.body)[:40]!r}"
        ) from None


def hash_of(before: str, account: str, seq: int, ts: int, kind: str, ref: str, body: str) -> str:
    """Return an entry's hash, in hex: it covers the entry and, by `before`, all earlier ones."""
    # With the lengths of what can hold anything, so that no two entries have one text.
    text = f"{before} {seq} {ts} {len(account)} {account} {kind} {len(ref)} {ref} {body}"
    return sha256(text.encode()).hexdigest()


def is_sound(before: str, account: str, entry: EntryRow) -> bool:
    """Return whether an entry's hash is its own; of values that no entry can have it never is."""
    try:
        return hash_of(before, account, *entry[:-1]) == entry.hash
    except (TypeError, UnicodeError):
        return False
