"""Orders that an algorithm executes (core.execution_algos): what its machine wants, done on one order path.

    want: the intent is stored ─> parts of it, each an intent with an order ─> conclude: nothing more

A part is stored before it is sent, like every order, and named by its number; the state that a machine is
given is read from the journal each time. So nothing of a work is kept elsewhere, and after a kill it goes on
where it was: a part that rests is taken up, for its time counts from when it was placed. What is over before
all was executed has an order that was never sent, which says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from core.account.messages import Terms
from core.account.money import part_of, to_step
from core.account.orders import KINDS, Approved, Intent, Purpose, whole_key
from core.account.values import Held
from core.execution_algos.market import AtMarket
from core.execution_algos.values import (
    BOOK_PAUSE,
    AlgoAction,
    CancelChild,
    ChildOrder,
    ChildStanding,
    LocalBook,
    Machine,
    NewChild,
    OrderGrid,
    Sight,
    Work,
    WorkEnd,
)
from core.figures import exact
from core.order_path.path import OrderPath
from core.order_path.states import NEVER_WAS, State
from core.utils import timeframe_ms
from db.journal_rows import OrderRow

VALID: Final = 60_000
"""Milliseconds for which a part that was certainly not placed is tried again under another name."""
EXIT_SPAN: Final = 60_000
"""Milliseconds that an exit takes at most, whatever is set: no stop rests at the exchange meanwhile."""
ROUNDS: Final = 3
"""A cancel, what is placed in its stead, and a look at whether that is all."""
REST: Final = "the rest is less than the market's step"
MACHINE: Final = AtMarket()
_WAITS = frozenset({State.NEW, State.SENDING, State.UNKNOWN})


_NO_NAMES: Mapping[str, str] = MappingProxyType({})


def _at_market(_: str) -> Machine:
    return MACHINE


def _any_grid(_: str) -> OrderGrid:
    return OrderGrid()


def _no_book(_: str) -> LocalBook | None:
    return None


class WorkTerms(NamedTuple):
    """How orders are executed."""

    machine: Callable[[str], Machine] = _at_market
    """By strategy."""
    grid: Callable[[str], OrderGrid] = _any_grid
    """By symbol."""
    book: Callable[[str], LocalBook | None] = _no_book
    """What others offer in a symbol now; None when nobody says."""
    names: Mapping[str, str] = _NO_NAMES
    """By strategy: what settings call its algorithm, where it is not the market."""


class Working:
    """Executes approved orders by algorithms, on one account's order path."""

    def __init__(self, path: OrderPath, terms: WorkTerms) -> None:
        """Take the path that the orders go through; nothing is asked or ordered yet."""
        self._path = path
        self._terms = terms
        self._works: dict[str, Approved] = {}
        """By key of what is wanted, as it was stored."""
        self._hurried: set[str] = set()
        self._books: dict[str, tuple[int, LocalBook | None]] = {}

    def takes(self, intent: Intent) -> bool:
        """Return whether an order is executed here: by its strategy's settings, or because it was begun so.

        What protects goes at the market, whatever the settings are.
        """
        if intent.is_priced or intent.purpose not in (Purpose.ENTRY, Purpose.EXIT):
            return False
        return self._terms.machine(intent.strategy) != MACHINE or self.has_begun(intent)

    def has_begun(self, intent: Intent) -> bool:
        """Return whether an order is executed by parts and not over, by the journal."""
        return bool(self._path.journal.intents(intent.key)) and self._path.order(intent.key) is None

    def begin(self, approved: Approved) -> None:
        """Take an order, or one of a former process up again; it is stored, and nothing is sent yet."""
        now = self._path.now()
        wanted = replace(approved, intent=replace(approved.intent, created_at=now))
        self._works[approved.intent.key] = replace(approved, intent=self._path.want(wanted))

    def works(self) -> Iterable[tuple[Intent, Work]]:
        """Yield what is being executed, and how far it is."""
        for one in list(self._works.values()):
            yield one.intent, self._work(one.intent)

    @property
    def names(self) -> Mapping[str, str]:
        """Return what settings call the algorithm of each strategy, where it is not the market."""
        return self._terms.names

    def __contains__(self, key: object) -> bool:
        return key in self._works

    def of(self, held: Held, purpose: Purpose) -> list[str]:
        """Return the works for a position, by key."""
        found = (one.intent for one in self._works.values())
        return [one.key for one in found if (one.strategy, one.symbol, one.purpose) == (*held, purpose)]

    def forget(self, key: str) -> None:
        """Be told that somebody knows that nothing more comes of a work."""
        self._works.pop(key, None)
        self._hurried.discard(key)

    def is_whole(self, intent: Intent) -> bool:
        """Return whether everything of a work was executed and none of its orders is live."""
        work = self._work(intent)
        grid = self._terms.grid(intent.symbol)
        return work.live is None and to_step(work.left, grid.step) <= 0

    def hurry(self, key: str) -> None:
        """Have what is left of a work go at the market now."""
        self._hurried.add(key)

    def take_back(self, key: str, why: str) -> None:
        """End a work: what rests is cancelled until it is dead, and nothing more is placed."""
        intent = self._works[key].intent
        self._path.conclude(intent, why)
        self.drop_parts(key)
        self.forget(key)

    def drop_parts(self, key: str) -> None:
        """Cancel what may still be executed of a work, until it is dead."""
        for order in self._path.orders():
            if order.intent_key != key and whole_key(order.intent_key) == key:
                self._path.cancel(order.intent_key)

    def step(self, *, is_told: bool) -> None:
        """Do what the machines want; `is_told`: every fill that is booked is known to the account.

        Raises DatabaseError when something cannot be stored.
        """
        for key in list(self._works):
            self._advance(key, is_told=is_told)

    def _advance(self, key: str, *, is_told: bool) -> None:
        intent = self._works[key].intent
        if intent.purpose is Purpose.ENTRY and self._path.now() > intent.valid_until:
            self.take_back(key, "it expired before all of it was executed")
            return
        for _ in range(ROUNDS):
            work = self._work(intent)
            actions = self._terms.machine(intent.strategy).step(work, self._sight(key, work))
            for action in actions:
                self._do(key, action, work, is_told=is_told)
            if not actions or isinstance(actions[-1], WorkEnd):
                break

    def _sight(self, key: str, work: Work) -> Sight:
        intent, now = self._works[key].intent, self._path.now()
        reads = self._terms.machine(intent.strategy).reads_book and work.live is None
        book = self._book(intent.symbol, now) if reads else None
        return Sight(now, self._terms.grid(intent.symbol), book, key in self._hurried)

    def _book(self, symbol: str, now: int) -> LocalBook | None:
        asked_at, book = self._books.get(symbol, (now - BOOK_PAUSE, None))
        if not 0 <= now - asked_at < BOOK_PAUSE:
            book = self._terms.book(symbol)
            self._books[symbol] = now, book
        return book

    def _do(self, key: str, action: AlgoAction, work: Work, *, is_told: bool) -> None:
        intent = self._works[key].intent
        if isinstance(action, NewChild):
            self._place(self._works[key], action, len(work.children) + 1)
        elif isinstance(action, CancelChild):
            self._path.cancel(intent.part(action.number).key)
        elif action.why:
            done = f"{exact(work.filled)} of {exact(intent.amount)} executed: " if work.filled else ""
            self.take_back(key, f"{done}{action.why}")
        elif is_told:
            # The account knows every fill, and did not see that the last one was the last.
            self.take_back(key, REST)

    def _place(self, one: Approved, action: NewChild, number: int) -> None:
        now = self._path.now()
        part = replace(one.intent.part(number), amount=action.amount).timed(now, now + VALID)
        reserve = part_of(one.reserve, action.amount, one.intent.amount) if one.reserve else Decimal(0)
        self._path.submit(Approved(part, reserve), Terms(action.kind, action.price))
        self._path.send()

    def _work(self, intent: Intent) -> Work:
        children, number = [], 1
        while (order := self._path.order(intent.part(number).key)) is not None:
            children.append(child_of(order, number))
            number += 1
        is_exit, span = intent.purpose is not Purpose.ENTRY, timeframe_ms(intent.timeframe) // 2
        return Work(
            *(intent.side, intent.amount, intent.price, is_exit, intent.created_at),
            min(span, EXIT_SPAN) if is_exit else span,
            tuple(children),
        )


def child_of(order: OrderRow, number: int) -> ChildOrder:
    """Return how a machine sees an order."""
    state, is_wanted_gone = State(order.state), order.cancel_at is not None
    if state in _WAITS:
        standing = ChildStanding.WAITS
    elif state in NEVER_WAS:
        standing = ChildStanding.REFUSED
    elif state in (State.OPEN, State.PARTIAL) and not is_wanted_gone:
        standing = ChildStanding.RESTS
    elif state in (State.CANCELED, State.EXPIRED) and not is_wanted_gone and order.kind != "market":
        standing = ChildStanding.TAKEN
    elif state in (State.FILLED, State.CANCELED, State.EXPIRED):
        standing = ChildStanding.OVER
    else:
        standing = ChildStanding.LEAVES
    since = order.due_at if order.sent_at is None else order.sent_at
    reason = order.reason or f"the exchange says {order.state}"
    kind = KINDS[order.kind]
    return ChildOrder(number, kind, order.price, order.amount, order.filled, since, standing, reason)
