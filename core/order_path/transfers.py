"""Deposits and withdrawals that explain a difference of balances: booked once each, under their own name."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from core.account.messages import Transfer
from core.account.money import minus, plus, total
from core.order_path.ledger import ZERO
from db.journal_rows import PostingRow, money_text

TRANSFERS = "transfers"
"""The cursor that names what the balances had in them before any was booked."""
KINDS = ("deposit|", "withdrawal|")


def txn_of(one: Transfer, seq: int) -> str:
    """Return the name of a transfer's lines, which are told by this entry."""
    return f"{one.kind}|{seq}|{one.asset}|{one.id}"


def text_of(before: Iterable[Transfer]) -> str:
    """Return as text what transfers have done to the balances so far."""
    return json.dumps({name: money_text(amount) for name, amount in _effects(before).items()})


def known(text: str, postings: Iterable[PostingRow]) -> dict[str, Decimal]:
    """Return what is booked of each transfer, or was in the balances before: of text_of, and of all lines."""
    found = defaultdict(Decimal, {name: Decimal(amount) for name, amount in json.loads(text).items()})
    for row in postings:
        if row.txn.startswith(KINDS) and row.name.startswith("cash:"):
            kind, _, rest = row.txn.split("|", 2)
            name = f"{kind}|{rest}"
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
