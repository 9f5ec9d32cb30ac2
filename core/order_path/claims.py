"""Claims: what a strategy holds is a claim on what the exchange has, and others on the account can take it.

Whatever the exchange has too little of is taken

1. from what no strategy claims (`cash:` of the asset),
2. from the claims of symbols that others sold in since the last time, the oldest lot of any strategy first,
3. from those of the other symbols of the same asset, the oldest lot first.

What is in an order that sells it is there: the exchange keeps it for that order. A short position claims
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.lots import LOT_LEG, lot_name
from core.account.money import minus, part_of, plus, signed, times, to_step, total
from core.account.orders import Fill, Purpose, Taken, whole_leg
from core.order_path.ledger import ZERO, Posting, assets_of, fill_postings
from db.journal_rows import FillRow, IntentRow, PostingRow

CLAIM = "claim|"
"""How the lines of what was taken are named: entry, strategy, symbol and cause follow."""
CENT = Decimal("0.00000001")
"""Shared proceeds are cut to it."""
Owner = tuple[str, str]
"""Strategy and symbol."""


class LotKey(NamedTuple):
    """Whose lot it is."""

    strategy: str
    symbol: str
    lot: str


def claim_txn(taken: Taken) -> str:
    """Return the name of the lines of what was taken."""
    return f"{CLAIM}{taken.seq}|{taken.strategy}|{taken.symbol}|{taken.cause}"


def claim_postings(taken: Taken) -> list[Posting]:
    """Return the lines: a position became smaller, and what others got for it is the account's."""
    base, quote = assets_of(taken.symbol)
    lines = (
        Posting(f"pos:{taken.symbol}", base, taken.amount.copy_negate()),
        Posting(f"cash:{base}", base, taken.amount),
        Posting(f"claim:{quote}", quote, taken.proceeds.copy_negate()),
        Posting(f"foreign:{quote}", quote, taken.proceeds),
    )
    return [line for line in lines if line.amount]


def taken_of(postings: Iterable[PostingRow]) -> list[Taken]:
    """Return what was ever taken, as the journal has it, in the order in which it was."""
    sums: dict[str, dict[str, Decimal]] = {}
    for row in postings:
        if row.txn.startswith(CLAIM):
            sums.setdefault(row.txn, {})[row.name] = row.amount
    return sorted((_taken(txn, lines) for txn, lines in sums.items()), key=in_turn)


def in_turn(taken: Taken) -> tuple[int, str, str]:
    """Return what orders takings: several can be of one entry."""
    return taken.seq, taken.symbol, taken.strategy


def _taken(txn: str, lines: Mapping[str, Decimal]) -> Taken:
    _, seq, strategy, symbol, cause = txn.split("|")
    amount = lines[f"pos:{symbol}"].copy_negate()
    proceeds = lines.get(f"claim:{assets_of(symbol)[1]}", ZERO).copy_negate()
    return Taken(strategy, symbol, amount, proceeds, cause, int(seq))


def open_lots(
    history: Iterable[tuple[FillRow, Fill, IntentRow | None]], taken: Iterable[Taken]
) -> dict[LotKey, Decimal]:
    """Return the long lots that strategies hold, base units, oldest first: as the account counts them."""
    lots: dict[LotKey, Decimal] = {}
    gone = list(taken)
    for row, fill, intent in history:
        while gone and gone[0].seq < row.seq:
            one = gone.pop(0)
            _leave(lots, (one.strategy, one.symbol), one.amount)
        if intent is not None:
            _fill(lots, fill, intent)
    for one in gone:
        _leave(lots, (one.strategy, one.symbol), one.amount)
    return {key: amount for key, amount in lots.items() if amount > 0}


def _fill(lots: dict[LotKey, Decimal], fill: Fill, intent: IntentRow) -> None:
    owner, name = (intent.strategy, intent.symbol), f"pos:{fill.symbol}"
    moved = next((line.amount for line in fill_postings(fill, own=True) if line.name == name), ZERO)
    if intent.purpose != Purpose.ENTRY:
        side = 1 if moved < 0 else -1
        left = _leave(lots, owner, moved.copy_abs(), whole_leg(intent.leg).removeprefix(LOT_LEG), side)
        moved = signed(-side, left)
    if moved:
        key = LotKey(*owner, lot_name(intent.bar, intent.leg))
        lots[key] = plus(lots.get(key, ZERO), moved)


def _leave(
    lots: dict[LotKey, Decimal], owner: Owner, amount: Decimal, named: str = "", side: int = 1
) -> Decimal:
    """Take from one strategy's lots of a side, the named one first, then the oldest; return what is left."""
    own = [key for key, held in lots.items() if key[:2] == owner and signed(side, held) > 0]
    for key in sorted(own, key=lambda one: one.lot != named):
        part = min(amount, lots[key].copy_abs())
        lots[key], amount = minus(lots[key], signed(side, part)), minus(amount, part)
    return amount


def taken_from(
    lots: Mapping[LotKey, Decimal],
    missing: Decimal,
    asset: str,
    free: Mapping[Owner, Decimal],
    sold: Collection[str],
) -> dict[Owner, Decimal]:
    """Return how much each claim loses of what is missing of an asset, by the rule above.

    `free`: what of each claim no order is selling; `sold`: symbols in which others sold.
    """
    left, rest, found = missing, dict(free), dict[Owner, Decimal]()
    of_asset = [key for key in lots if assets_of(key.symbol)[0] == asset]
    for key in sorted(of_asset, key=lambda one: one.symbol not in sold):
        owner = key.strategy, key.symbol
        part = min(left, lots[key], max(rest.get(owner, ZERO), ZERO))
        if part > 0:
            left, rest[owner] = minus(left, part), minus(rest[owner], part)
            found[owner] = plus(found.get(owner, ZERO), part)
    return found


def takings_of(parts: Mapping[Owner, Decimal], sales: Sequence[Fill], cause: str, seq: int) -> list[Taken]:
    """Return what claims on one asset lose, with what others' sales (newest first) brought for it."""
    found = []
    for symbol in sorted({symbol for _, symbol in parts}):
        own = {owner: part for owner, part in parts.items() if owner[1] == symbol}
        whole = total(own.values())
        explained, brought = proceeds_of((one for one in sales if one.symbol == symbol), whole)
        why = "foreign" if explained == whole else cause
        for (strategy, _), share in shared(brought, own).items():
            found.append(Taken(strategy, symbol, own[strategy, symbol], share, why, seq))
    return found


def proceeds_of(sales: Iterable[Fill], amount: Decimal) -> tuple[Decimal, Decimal]:
    """Return how much of an amount others' newest sales explain, and what they brought for that.

    `sales`: of one symbol, newest first.
    """
    explained, brought = ZERO, ZERO
    for fill in sales:
        quote = assets_of(fill.symbol)[1]
        part = min(minus(amount, explained), fill.amount)
        if part > 0:
            value = times(fill.amount, fill.price)
            value = minus(value, fill.fee) if fill.fee_asset == quote else value
            explained, brought = plus(explained, part), plus(brought, _share(value, part, fill.amount))
    return explained, brought


def shared(whole: Decimal, parts: Mapping[Owner, Decimal]) -> dict[Owner, Decimal]:
    """Return a sum of money shared out in proportion, to the last digit."""
    found, left, among = dict[Owner, Decimal](), whole, total(parts.values())
    for owner, part in parts.items():
        found[owner] = _share(left, part, among)
        left, among = minus(left, found[owner]), minus(among, part)
    return found


def _share(whole: Decimal, part: Decimal, among: Decimal) -> Decimal:
    return whole if part == among else to_step(part_of(whole, part, among), CENT)
