"""One strategy's orders and lots in one symbol on the paper exchange, laid out for core.fills."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from core import fills
from core.account.lots import LOT_LEG, lot_id
from core.account.money import NOTHING, decimal_of, float_of
from core.account.orders import Approved, Intent, Purpose, RefusalReason, Refused
from core.domain import MOST_LOTS, REASON_WORDS, Bar, FloatArray, Reason
from core.utils import format_time, timeframe_ms

LotNumber = tuple[int, int]
"""Number of the bar that a lot was filled in, and its rung: one of a book."""

UNASKED = {
    Reason.STOP: Purpose.STOP,
    Reason.TRAIL: Purpose.STOP,
    Reason.TAKE: Purpose.TAKE,
    Reason.END: Purpose.FLATTEN,
    Reason.RUIN: Purpose.FLATTEN,
}
"""Why a lot closes although no order asks for it, and what its order would be for."""
# An order that says one of these is an order all the same; its own word is told with its fill.
_REASONS = {word: number for number, word in REASON_WORDS.items() if number not in UNASKED}


class HeldLot(NamedTuple):
    """A lot's name and exact amount, base units."""

    id: str
    amount: Decimal
    since: int
    """When it was entered, ms UTC: what came before concerns it not."""


class Aside(NamedTuple):
    """What takes no part in a fill, until it is put back."""

    rows: dict[LotNumber, FloatArray]
    exits: dict[LotNumber, tuple[Intent, Decimal]]
    asked: list[Approved]


class PaperBook:
    """One strategy's orders and lots in one symbol, as core.fills lays them out, and their exact amounts."""

    def __init__(self, strategy: str, symbol: str, timeframe: str) -> None:
        self.strategy, self.symbol, self.timeframe = strategy, symbol, timeframe
        self.rows = fills.open_book(0.0)
        self.trades = fills.make_trades(2 * MOST_LOTS + 64)
        self.asked: list[Approved] = []
        self.exits: dict[LotNumber, tuple[Intent, Decimal]] = {}
        self.lots: dict[LotNumber, HeldLot] = {}
        self.got: dict[str, Decimal] = {}
        """By an entry's key: how much of it the bar's volume fills."""
        self.waited: dict[str, int] = {}
        """By key of an entry at a price: for how many bars it has waited."""
        self.size, self.cost, self.bound = 0.0, 0.0, 0.0
        self.lowest, self.highest = -math.inf, math.inf
        """A bar that stays between them reaches no stop and no take."""

    @property
    def waits_for_price(self) -> bool:
        """Whether what is asked for waits for a price."""
        return bool(self.asked) and not fills.is_at_open(self.rows)

    @property
    def is_idle(self) -> bool:
        """Whether it holds nothing and waits for nothing."""
        return not self.lots and not self.asked

    def waits_for(self, bar: Bar) -> bool:
        """Return whether a bar can change anything: most can not, and to see that is cheaper than to try."""
        if self.asked or self.exits:
            return True
        return bool(self.lots) and (bar.low <= self.lowest or bar.high >= self.highest)

    def sum_up(self) -> None:
        """Note what the lots are together, in the order of core.fills.equity, and their nearest prices."""
        self.size, self.cost, self.bound = 0.0, 0.0, 0.0
        self.lowest, self.highest = -math.inf, math.inf
        for row in self.held_rows():
            size, price = row[fills.SIZE].item(), row[fills.ENTRY_PRICE].item()
            self.size += size
            self.cost += size * price
            self.bound += abs(size)
            stop, take = row[fills.STOP].item(), row[fills.TAKE].item()
            below, above = (stop, take) if size > 0 else (take, stop)
            # NaN, which stands for none, is neither more nor less.
            self.lowest = below if below > self.lowest else self.lowest
            self.highest = above if above < self.highest else self.highest

    def held_rows(self) -> FloatArray:
        """Return the rows of the lots held, a view."""
        return self.rows[fills.HELD : fills.HELD + int(self.rows[0, fills.LOTS])]


def lot_key(row: Sequence[float]) -> LotNumber:
    """Return what tells a lot, or the trade that closed it, from the others of its book."""
    return int(row[fills.ENTRY_BAR]), int(row[fills.RUNG])


def rung_of(intent: Intent) -> int:
    """Return the rung that an entry is for; 0 for what is no ladder."""
    return int(lot_id(intent).rpartition("-")[2])


def valid_bars(intent: Intent) -> int:
    """Return for how many bars an entry waits; 1 at the open."""
    step = timeframe_ms(intent.timeframe)
    return (intent.valid_until - intent.bar) // step - 1


def ask_entry(book: PaperBook, approved: Approved) -> Refused | None:
    """Let an entry wait for the next open, or refuse one lot too many."""
    intent, head = approved.intent, book.rows[0]
    if head[fills.LOTS] + head[fills.ASKED] >= MOST_LOTS:
        return Refused(intent, RefusalReason.LOTS, f"{MOST_LOTS} lots are held and asked for")
    row = book.rows[fills.WANTED + int(head[fills.ASKED])]
    row[fills.SIZE] = float(intent.amount) if intent.side == "buy" else -float(intent.amount)
    row[fills.STOP], row[fills.TAKE] = float_of(intent.stop), float_of(intent.take)
    row[fills.RUNG], row[fills.SHARE] = rung_of(intent), intent.share
    row[fills.LIMIT], row[fills.TRIGGER] = float_of(intent.limit), float_of(intent.trigger)
    row[fills.BARS] = valid_bars(intent) - book.waited.get(intent.key, 0)
    head[fills.ASKED] += 1
    book.asked.append(approved)
    return None


def ask_exit(book: PaperBook, intent: Intent) -> Refused | None:
    """Let an exit of one lot wait for the next open, or refuse one of a lot that is not there."""
    key = next((key for key, lot in book.lots.items() if LOT_LEG + lot.id == intent.leg), None)
    if key is None or key in book.exits:
        return Refused(intent, RefusalReason.LOT, "that lot is not held, or closing already")
    row = next(row for row in book.held_rows() if lot_key(row.tolist()) == key)
    amount = min(intent.amount, book.lots[key].amount)
    row[fills.EXIT] = _REASONS.get(intent.reason, int(Reason.RULE))
    row[fills.EXIT_SIZE] = float(amount)
    if amount < book.lots[key].amount:
        row[fills.SHARE] = intent.share
    book.rows[0, fills.EXITS] += 1
    book.exits[key] = intent, amount
    return None


def set_aside(
    book: PaperBook, exits: Collection[LotNumber], lots: Collection[LotNumber], asked: Sequence[Approved] = ()
) -> Aside:
    """Let these exits, these lots, and all entries or none (`asked`) take no part for now.

    A lot whose exit alone is set aside still has its stop and its take.
    """
    head = book.rows[0]
    kept = Aside({}, {key: one for key, one in book.exits.items() if key in exits}, list(asked))
    for row in book.held_rows():
        key = lot_key(row.tolist())
        if key in exits or key in lots:
            kept.rows[key] = row.copy()
            row[fills.EXIT] = 0.0
        if key in lots:
            row[[fills.STOP, fills.TAKE]] = math.nan
    book.exits = {key: one for key, one in book.exits.items() if key not in exits}
    if asked:
        book.asked = []
    head[fills.ASKED], head[fills.EXITS] = len(book.asked), len(book.exits)
    return kept


def put_back(book: PaperBook, kept: Aside) -> list[Refused]:
    """Let what was set aside take part again; return the exits of lots that were closed meanwhile."""
    for row in book.held_rows():
        key = lot_key(row.tolist())
        if key in kept.rows:
            row[:] = kept.rows[key]
    book.sum_up()
    book.asked = book.asked + kept.asked
    book.exits = {key: one for key, one in kept.exits.items() if key in book.lots}
    book.rows[0, [fills.ASKED, fills.EXITS]] = len(book.asked), len(book.exits)
    why = "its lot was closed by its stop or take before"
    gone = [intent for key, (intent, _) in kept.exits.items() if key not in book.lots]
    return [Refused(intent, RefusalReason.LOT, why) for intent in gone]


def drop_entries(book: PaperBook, keys: Collection[str]) -> list[Intent]:
    """Drop the entries with these keys, the others wait on; return those dropped."""
    head, gone = book.rows[0], [one.intent for one in book.asked if one.intent.key in keys]
    rows = book.rows[fills.WANTED : fills.WANTED + len(book.asked)].copy()
    left = [(row, one) for row, one in zip(rows, book.asked, strict=True) if one.intent.key not in keys]
    for number, (row, _) in enumerate(left):
        book.rows[fills.WANTED + number] = row
    book.asked = [one for _, one in left]
    head[fills.ASKED] = len(left)
    return gone


def forgotten(book: PaperBook) -> list[Refused]:
    """Drop all orders that wait for a bar."""
    orders = [approved.intent for approved in book.asked] + [intent for intent, _ in book.exits.values()]
    book.asked.clear()
    book.exits.clear()
    book.rows[0, fills.ASKED] = book.rows[0, fills.EXITS] = 0
    book.held_rows()[:, fills.EXIT] = 0.0
    return [Refused(intent, RefusalReason.EXPIRED, "no bar came after it") for intent in orders]


def take_back(book: PaperBook, keys: Collection[str], shares: Mapping[str, float]) -> None:
    """Drop the orders with these keys, the others wait on; `shares` of the lots held, by id."""
    asked, exits = list(book.asked), [intent for intent, _ in book.exits.values()]
    for key in keys:
        book.waited.pop(key, None)
    forgotten(book)
    for row in book.held_rows():
        # An exit of a part lessens it, and is asked for again below where it stays.
        row[fills.SHARE] = shares[book.lots[lot_key(row.tolist())].id]
    for approved in asked:
        if approved.intent.key not in keys:
            ask_entry(book, approved)
    for intent in exits:
        if intent.key not in keys:
            ask_exit(book, intent)


def passed_over(book: PaperBook, bar: Bar) -> list[Refused]:
    """Drop the entries that were ordered after this bar opened: the open that they were for has passed."""
    late = {one.intent.key for one in book.asked if one.intent.created_at > bar.ts}
    if not late:
        return []
    when = format_time(bar.ts)
    return [
        Refused(one, RefusalReason.EXPIRED, f"it was ordered after the bar of {when} UTC had opened")
        for one in drop_entries(book, late)
    ]


def is_late(intent: Intent) -> bool:
    """Return whether it was ordered so long after its bar's close that the open it was for has passed."""
    return not intent.is_priced and intent.created_at > intent.bar + timeframe_ms(intent.timeframe)


def in_time(book: PaperBook) -> set[LotNumber]:
    """Return the exits that fill at their bar's open, once it is known, and at no price before."""
    orders = book.exits.items()
    return {key for key, (one, _) in orders if one.purpose is not Purpose.FLATTEN and not is_late(one)}


def comes_late(book: PaperBook) -> bool:
    """Return whether the entries asked for, all of one decision, came after the open that they were for."""
    return any(is_late(one.intent) for one in book.asked)


def younger(book: PaperBook, bar: Bar) -> tuple[set[LotNumber], set[LotNumber]]:
    """Return the exits that this bar does not concern, and the lots: they came after it had opened."""
    lots = {key for key, lot in book.lots.items() if lot.since > bar.ts}
    return {key for key, one in book.exits.items() if key in lots or one[0].created_at > bar.ts}, lots


def limited(book: PaperBook, most: Decimal | None, *, has_entries: bool = True) -> Iterator[Refused]:
    """Cut orders to what a bar's volume fills; the rest of each is cancelled.

    Without `has_entries` those wait, and are cut by the bar that reaches their price. Where an exit is cut
    its strategy enters nothing: a reversal must not become two positions.
    """
    if most is None:
        return
    small = "the bar's volume is too small for any of it"
    is_cut = any(wanted > most for _, wanted in book.exits.values())
    why = "the bar's volume is too small to close first what it follows" if is_cut else small
    waiting = list(book.asked) if has_entries else []
    head, rows = book.rows[0], book.rows[fills.WANTED : fills.WANTED + len(waiting)].copy()
    if has_entries:
        book.asked.clear()
        head[fills.ASKED] = 0
    for row, approved in zip(rows, waiting, strict=True):
        amount = NOTHING if is_cut else min(approved.intent.amount, most)
        if amount > 0:
            row[fills.SIZE] = math.copysign(float(amount), row[fills.SIZE])
            book.rows[fills.WANTED + len(book.asked)] = row
            book.got[approved.intent.key] = amount
            book.asked.append(approved)
            head[fills.ASKED] += 1
        else:
            yield Refused(approved.intent, RefusalReason.LOT, why)
    for row in book.held_rows():
        key = lot_key(row.tolist())
        if key in book.exits:
            intent, wanted = book.exits[key]
            book.exits[key] = intent, min(wanted, most)
            row[fills.EXIT_SIZE] = float(min(wanted, most))
            if not most:
                row[fills.EXIT] = 0.0
                head[fills.EXITS] -= 1
                del book.exits[key]
                yield Refused(intent, RefusalReason.LOT, small)


def protective(book: PaperBook, lot: HeldLot, row: list[float], reason: Reason, bar: Bar) -> Intent:
    """Return what the exchange did by itself as the intent it stands for."""
    purpose = UNASKED[reason]
    side = "sell" if row[fills.SIZE] > 0 else "buy"
    price = decimal_of(row[fills.EXIT_PRICE])
    named = (book.strategy, book.symbol, book.timeframe, bar.ts, purpose, LOT_LEG + lot.id)
    return Intent(*named, side, lot.amount, price, REASON_WORDS[reason], bar.end, bar.end)  # type: ignore[arg-type]
