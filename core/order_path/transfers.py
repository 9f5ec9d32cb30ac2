"""What explains a difference of balances without a fill: booked once each, under its own name.

Deposits and withdrawals; conversions and dust swept together, each asset's part of them for itself.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from core.account.messages import Transfer, TransferKind
from core.account.money import minus, plus, total
from core.order_path.ledger import ZERO
from db.journal_rows import PostingRow, money_text

TRANSFERS, CONVERSIONS = "transfers", "conversions"
"""The cursors that name what the balances had in them before any was booked."""
KINDS: Mapping[TransferKind, str] = MappingProxyType(
    {"deposit": TRANSFERS, "withdrawal": TRANSFERS, "convert": CONVERSIONS, "dust": CONVERSIONS}
)
"""By kind the cursor that it belongs to: journals of before 2026-12 know nothing of conversions."""


def txn_of(one: Transfer, seq: int) -> str:
    """Return the name of a transfer's lines, which are told by this entry."""
    return f"{one.kind}|{seq}|{one.asset}|{one.id}"


def beginnings(listed: Sequence[Transfer], cursors: Mapping[str, str]) -> dict[str, str]:
    """Return the cursors that are missing, each with what its kinds have done to the balances so far."""

    def of_it(cursor: str) -> Iterator[Transfer]:
        return (one for one in listed if KINDS[one.kind] == cursor)

    return {
        cursor: json.dumps({name: money_text(amount) for name, amount in _effects(of_it(cursor)).items()})
        for cursor in (TRANSFERS, CONVERSIONS)
        if cursor not in cursors
    }


def counted(listed: Iterable[Transfer], cursors: Mapping[str, str]) -> list[Transfer]:
    """Return those of which it is known what the balances had in them before any was booked."""
    return [one for one in listed if KINDS[one.kind] in cursors]


def known(cursors: Mapping[str, str], postings: Iterable[PostingRow]) -> dict[str, Decimal]:
    """Return what is booked of each transfer, or was in the balances before, by the cursors and all lines."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for cursor in (TRANSFERS, CONVERSIONS):
        found |= {name: Decimal(amount) for name, amount in json.loads(cursors.get(cursor, "{}")).items()}
    for row in postings:
        kind, _, rest = row.txn.partition("|")
        if kind in KINDS and row.name.startswith("cash:"):
            name = f"{kind}|{rest.partition('|')[2]}"
            found[name] = plus(found[name], row.amount)
    return found


def explaining(
    listed: Iterable[Transfer], known: Mapping[str, Decimal], differences: Mapping[str, Decimal]
) -> list[Transfer]:
    """Return what of each transfer is to be booked now, its amount what it changes the books by.

    The oldest so many that add up to the difference of their asset, for a list is read after a balance and
    may be ahead of it; else all of them: they happened, and what is left is nobody knows what.
    """
    rows = list(listed)
    effects, found = _effects(rows), list[Transfer]()
    once = {_name(one): one for one in rows}
    for asset, difference in differences.items():
        new = [
            one._replace(amount=change)
            for name, one in once.items()
            if one.asset == asset and (change := minus(effects[name], known.get(name, ZERO)))
        ]
        fits = (n for n in range(len(new), 0, -1) if total(one.amount for one in new[:n]) == difference)
        found += new[: next(fits, len(new))]
    return found


def _effects(rows: Iterable[Transfer]) -> dict[str, Decimal]:
    """Return what the transfers of each name did together: a transaction can pay twice."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in rows:
        sums[_name(one)] = plus(sums[_name(one)], one.amount)
    return dict(sums)


def _name(one: Transfer) -> str:
    return f"{one.kind}|{one.asset}|{one.id}"
