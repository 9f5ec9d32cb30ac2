"""Whether an account's books hold together: the chain, the tables as it tells them, every invariant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, get_args

from core.account.messages import TransferKind
from core.account.money import minus, plus, total
from core.account.orders import Fill, Purpose
from core.errors import DatabaseError
from core.figures import exact
from core.order_path.claims import taken_of
from core.order_path.client_ids import is_name_of
from core.order_path.journal_view import CURSOR, id_of, txn_of
from core.order_path.ledger import ZERO, Books, Posting, fill_postings, unbalanced
from core.order_path.states import NEVER_WAS, TERMINAL, UNRESOLVED, State
from core.order_path.storage import Storage
from db.journal_rows import (
    EntryRow,
    FillRow,
    IntentRow,
    OrderRow,
    PostingRow,
    facts_of,
    money_text,
    to_sql,
)

_LATER = {"note": None, "entry_limit": None, "entry_trigger": None}
"""What an intent has that those of before 2026-12 had not."""
_WITHOUT_A_FILL = (
    "adjust:",
    *(f"{kind}:" for kind in get_args(TransferKind)),
    "cash:",
    "pos:",
    "claim:",
    "foreign:",
)
"""What a transaction can have lines of that no fill made."""


class AtExchange(NamedTuple):
    """What the exchange itself has, where somebody can say: an oracle for tests, a reconciliation live."""

    orders: Collection[str]
    """Client order ids of all orders that it ever accepted from this program."""
    open_orders: Collection[str]
    balances: dict[str, Decimal]


class _Tables(NamedTuple):
    account: str
    instance: str | None
    """By which the account's orders are named; None when nobody ever wrote its books."""
    intents: dict[str, IntentRow]
    orders: list[OrderRow]
    fills: list[FillRow]
    postings: list[PostingRow]
    cursors: dict[str, str]
    entries: list[EntryRow]


def check_books(journal: Storage, exchange: AtExchange | None = None) -> list[str]:
    """Return what is wrong, a line each with the invariant's number; none when the books are sound.

    With what the exchange has also what only shows once nothing moves: orders, balances.
    """
    found = journal.verify_chain()
    tables = _tables_of(journal)
    for check in _CHECKS:
        found += check(tables)
    found += _no_floats(journal)
    return found + ([] if exchange is None else list(_at_exchange(tables, exchange)))


def changed_rows(journal: Storage) -> list[str]:
    """Return which rows are not what was stored in them, a line each; none when nobody changed any.

    Less than `check_books`, which also asks whether what happened may have happened. Of what cannot be read
    the first is told.
    """
    found: list[str] = []
    try:
        found += journal.verify_chain()
        tables = _tables_of(journal)
        for check in _OF_ROWS:
            found += check(tables)
    except DatabaseError as error:
        found.append(str(error))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # What an entry tells that was changed can be anything; that it was is among the lines.
        found.append(f"what the journal tells cannot be compared any further: {error}")
    return found


def _tables_of(journal: Storage) -> _Tables:
    claim = journal.claimed()
    return _Tables(
        journal.account,
        None if claim is None else claim.instance,
        {intent.key: intent for intent in journal.intents()},
        journal.orders(),
        journal.fills(),
        journal.postings(),
        journal.cursors(),
        journal.entries(),
    )


def _zero_sums(tables: _Tables) -> Iterator[str]:
    lines: defaultdict[str, list[Posting]] = defaultdict(list)
    for row in tables.postings:
        lines[row.txn].append(Posting(*row[1:]))
    for txn, rows in lines.items():
        for asset, amount in unbalanced(rows).items():
            yield f"I1: {txn} is off by {exact(amount)} {asset}"


def _lines_follow_from_fills(tables: _Tables) -> Iterator[str]:
    wanted = {}
    booked = {(row.txn, row.name, row.asset): row.amount for row in tables.postings}
    markets = {txn for txn, name, _ in booked if name.startswith("market:")}
    for row in tables.fills:
        own, txn = row.client_order_id is not None, txn_of(row)
        lines = _fill_lines_before_2026_12 if not own and txn in markets else fill_postings
        for line in lines(fill_of_row(row), own=own):
            wanted[txn, line.name, line.asset] = line.amount
    fills = {key: amount for key, amount in booked.items() if key[0].startswith("fill|")}
    for key in sorted(wanted.keys() | fills.keys()):
        if wanted.get(key) != fills.get(key):
            yield f"I2, I3, I11: {' '.join(key)} is {fills.get(key)}, its fill says {wanted.get(key)}"
    for txn, name, _ in booked.keys() - fills.keys():
        if not name.startswith(_WITHOUT_A_FILL):
            yield f"I3: {txn} without a fill has a line {name}"


def _fill_lines_before_2026_12(fill: Fill, *, own: bool) -> list[Posting]:
    """Return the lines of a fill of others as they were booked once: as ours, but for the position."""
    position, cash = f"pos:{fill.symbol}", f"cash:{fill.symbol.partition('/')[0]}"
    lines = fill_postings(fill, own=not own)
    return [line._replace(name=cash) if line.name == position else line for line in lines]


def _filled_is_the_sum(tables: _Tables) -> Iterator[str]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in tables.fills:
        sums[fill.client_order_id or ""] = plus(sums[fill.client_order_id or ""], fill.amount)
    for order in tables.orders:
        if order.filled != sums[order.client_order_id]:
            whole = sums[order.client_order_id]
            yield f"I4: order {order.client_order_id} has {exact(order.filled)} of {exact(whole)}"
    known = {order.client_order_id for order in tables.orders}
    for name in sums.keys() - known - {""}:
        yield f"I4: fills of order {name}, which is not there"


def _overfilled(tables: _Tables) -> Iterator[str]:
    halted = bool(tables.cursors.get("halt"))
    for order in tables.orders:
        if order.filled > order.amount and not halted:
            yield f"I4: order {order.client_order_id} is overfilled and nobody was told"


def _one_order_per_intent(tables: _Tables) -> Iterator[str]:
    real: defaultdict[str, list[str]] = defaultdict(list)
    for order in tables.orders:
        if order.state not in NEVER_WAS:
            real[order.intent_key].append(order.client_order_id)
        if order.state == State.FILLED and order.filled <= 0:
            yield f"I4: order {order.client_order_id} is filled with nothing"
    for key, names in real.items():
        if len(names) > 1:
            yield f"I8: {key} has {len(names)} orders"


def _exits_fit(tables: _Tables) -> Iterator[str]:
    """Σ open exits ≤ position, per strategy and symbol."""
    held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    intents = {one.client_order_id: tables.intents.get(one.intent_key) for one in tables.orders}
    strategies = {name: intent.strategy for name, intent in intents.items() if intent is not None}
    for fill in tables.fills:
        for line in fill_postings(fill_of_row(fill), own=True):
            if fill.client_order_id in strategies and line.name == f"pos:{fill.symbol}":
                key = strategies[fill.client_order_id], fill.symbol
                held[key] = plus(held[key], line.amount)
    for one in taken_of(tables.postings):
        held[one.strategy, one.symbol] = minus(held[one.strategy, one.symbol], one.amount)
    closing: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for order in tables.orders:
        intent = intents[order.client_order_id]
        if intent is None:
            yield f"I9: order {order.client_order_id} is for {order.intent_key}, which nobody wanted"
        elif order.state not in TERMINAL and intent.purpose != Purpose.ENTRY:
            left = max(minus(order.amount, order.filled), ZERO)
            three = intent.strategy, order.symbol, order.side
            closing[three] = plus(closing[three], left)
    for (strategy, symbol, side), amount in closing.items():
        held_now = held[strategy, symbol]
        if amount > max(held_now if side == "sell" else held_now.copy_negate(), ZERO):
            yield f"I9: {strategy} is about to {side} {exact(amount)} {symbol} and holds {exact(held_now)}"


def _journal_tells_the_tables(tables: _Tables) -> Iterator[str]:
    """Every row is what the journal's entries add up to."""
    told: defaultdict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for entry in tables.entries:
        for kind, ref, fields in facts_of(entry):
            told[kind, ref] |= fields if told[kind, ref] or kind != "intent" else _LATER | fields
    for (kind, _), body in told.items():
        if kind == "adjustment":
            body["lines"] = sorted(body["lines"])
    rows = _rows(tables)
    for key in sorted(told.keys() | rows.keys()):
        if told.get(key) != rows.get(key):
            yield f"I13: {' '.join(key)} is not what the journal tells"


def _rows(tables: _Tables) -> dict[tuple[str, str], dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for intent in tables.intents.values():
        rows["intent", intent.key] = _as_told(intent)
    for order in tables.orders:
        rows["order", order.client_order_id] = _as_told(order)
    for fill in tables.fills:
        rows["fill", f"{fill.exchange}|{fill.symbol}|{fill.id}"] = _as_told(fill)
    for name, value in tables.cursors.items():
        rows["cursor", name] = {"value": value}
    for txn, lines in _adjustments(tables.postings).items():
        rows["adjustment", txn] = {"lines": lines}
    return rows


def _as_told(row: IntentRow | OrderRow | FillRow) -> dict[str, Any]:
    return dict(zip(row._fields, to_sql(row), strict=True))


def _cursors_go_on(tables: _Tables) -> Iterator[str]:
    passed: defaultdict[str, list[str]] = defaultdict(list)
    for entry in tables.entries:
        for kind, ref, fields in facts_of(entry):
            if kind == "cursor" and ref.startswith(CURSOR):
                now, before = id_of(fields["value"]), passed[ref]
                if now in before[:-1]:
                    yield f"I13: {ref} went back in entry {entry.seq}"
                if now not in before[-1:]:
                    before.append(now)


def _adjustments(postings: list[PostingRow]) -> dict[str, list[list[str]]]:
    found: defaultdict[str, list[list[str]]] = defaultdict(list)
    for row in postings:
        if not row.txn.startswith("fill|"):
            found[row.txn].append([row.name, row.asset, money_text(row.amount)])
    return {txn: sorted(lines) for txn, lines in found.items()}


def _no_floats(journal: Storage) -> list[str]:
    return [
        f"I15: {table}.{name} is {kind}"
        for table, columns in journal.columns().items()
        for name, kind in columns
        if kind not in ("TEXT", "INTEGER")
    ]


def _orders_have_their_names(tables: _Tables) -> Iterator[str]:
    """Tell an account whose next orders would not be known as its own."""
    if tables.instance is None:
        return
    for row in tables.orders:
        about = tables.account, tables.instance, row.intent_key, row.attempt
        if not is_name_of(row.client_order_id, *about):
            yield (
                f"order {row.client_order_id} was not named by instance {tables.instance!r}, which the "
                f"account {tables.account} has"
            )
            return


def _at_exchange(tables: _Tables, exchange: AtExchange) -> Iterator[str]:
    names = {order.client_order_id for order in tables.orders}
    for name in exchange.orders:
        if name not in names:
            yield f"I7: order {name} at the exchange is not in the journal"
    for order in tables.orders:
        if why := _disagreement(order, exchange):
            yield f"{why}: order {order.client_order_id} is {order.state} here"
    books = Books()
    books.add(Posting(*row[1:]) for row in tables.postings)
    totals = books.totals()
    for asset in sorted(totals.keys() | exchange.balances.keys()):
        here, there = totals.get(asset, ZERO), exchange.balances.get(asset, ZERO)
        if here != there or here < 0:
            yield f"I5: {asset} is {exact(here)} in the books and {exact(there)} at the exchange"
        claims = total(books.positions(asset).values())
        if claims > max(there, ZERO):
            hold = f"strategies hold {exact(claims)} {asset}"
            yield f"I16: {hold} by the books, {exact(there)} is at the exchange"


def _disagreement(order: OrderRow, exchange: AtExchange) -> str:
    state, is_open = State(order.state), order.client_order_id in exchange.open_orders
    if state in UNRESOLVED:
        return "I6, older than it can be"
    if state in NEVER_WAS and order.client_order_id in exchange.orders:
        return "I8, it exists at the exchange"
    if state is not State.NEW and is_open == (state in TERMINAL):
        return f"I6, {'open' if is_open else 'not open'} at the exchange"
    return ""


def fill_of_row(row: FillRow) -> Fill:
    """Return a stored fill as the value that paper and live share."""
    return Fill(
        exchange=row.exchange,
        symbol=row.symbol,
        id=row.id,
        client_order_id=row.client_order_id or "",
        side="buy" if row.side == "buy" else "sell",
        amount=row.amount,
        price=row.price,
        fee=row.fee,
        fee_asset=row.fee_asset,
        time=row.time,
        reason=row.reason,
    )


_CHECKS: tuple[Callable[[_Tables], Iterator[str]], ...] = (
    _zero_sums,
    _lines_follow_from_fills,
    _filled_is_the_sum,
    _overfilled,
    _one_order_per_intent,
    _exits_fit,
    _journal_tells_the_tables,
    _cursors_go_on,
)
_OF_ROWS = (
    _zero_sums,
    _lines_follow_from_fills,
    _filled_is_the_sum,
    _journal_tells_the_tables,
    _orders_have_their_names,
)
