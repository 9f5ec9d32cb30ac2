"""An account's desk: what a session orders goes through the journal, and what comes of it comes back once.

    session ──submit──> waiting ──(the step is stored)──> send ──> order path ──> paper or exchange
       ^                                                               │
       └─────────────── events <── fills booked in the journal <───────┘

`submit` stores and sends nothing: whoever runs the session stores the step with what it approved, then calls
`send`. So nothing is in the journal that no stored decision wanted, and a bar is decided on once. A snapshot
says how many of the journal's fills the account had; after a restart the others are told first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from core.account.lots import Lot
from core.account.money import minus, plus
from core.account.orders import (
    Approved,
    Executed,
    Fill,
    Intent,
    News,
    Protection,
    Purpose,
    RefusalReason,
    Refused,
    Taken,
    whole_key,
)
from core.account.values import Held
from core.engine import FLATTEN, Session
from core.errors import HotCryptoError
from core.figures import exact
from core.live.fitting import still_held, works_of
from core.live.refusals import TAKEN_BACK, refusal_of
from core.live.snapshot import Restored
from core.live.standing import USUAL, command, command_of
from core.live.status import DeskStatus, JournalOrder, Standing
from core.order_path.audit import fill_of_row
from core.order_path.intents import intent_of
from core.order_path.journal_view import HALT
from core.order_path.path import OrderPath
from core.order_path.states import TERMINAL
from core.order_path.working import Working, WorkTerms
from core.portfolio import DUST

DeskEvent = News


class JournalledDesk(ABC):
    """What the desks of paper and of an exchange share."""

    def __init__(self, path: OrderPath, works: WorkTerms | None = None) -> None:
        """Take an order path that may not be ready yet, and how orders are executed: None at the market."""
        self.path = path
        self._works = Working(path, works or WorkTerms())
        self.waiting: dict[str, Approved] = {}
        """Handed over and not done, by key, in the order of approval."""
        self.applied = 0
        """So many of the journal's fills were told to the account."""
        self.claims = 0
        """So many of the journal's takings were told to the account."""
        self.time = 0
        self._unsent: dict[str, Approved] = {}
        self._withdrawn: list[str] = []
        self._owed: list[Executed | Taken] = []
        self._skipped = 0
        self._fresh: list[Fill] = []
        self._session: Session | None = None
        self.has_foreign = False
        """Whether somebody else trades on the account."""
        self.start = command(USUAL)
        """How a command begins that reaches the account's database."""

    def at(self, now: int) -> None:
        """Be told the time, ms UTC; it never goes back. Raises DatabaseError when the database is gone."""
        self.path.journal.prove_place()
        self.time = max(self.time, now)

    def submit(self, approved: Approved) -> Refused | None:
        """Take an order; it is stored and sent by `send`, and refused, if at all, by an event."""
        self.waiting[approved.intent.key] = self._unsent[approved.intent.key] = approved
        return None

    def withdraw(self, held: Held, keys: Collection[str], lots: Sequence[Lot]) -> None:  # noqa: ARG002 - as elsewhere
        """Cancel entries that wait for their price, by key, once the step is stored."""
        for key in keys:
            self.waiting.pop(key, None)
            if self._unsent.pop(key, None) is None:
                self._withdrawn.append(key)

    @abstractmethod
    def waited(self, intent: Intent) -> int:
        """Return for how many bars an entry has waited for its price."""

    @abstractmethod
    def protect(self, move: Protection) -> None:
        """Move the stops and takes of the lots that a strategy holds of a symbol."""

    @abstractmethod
    def follow(self, strategy: str, symbol: str, timeframe: str) -> None:
        """Be told that a strategy trades a symbol from now on."""

    @abstractmethod
    def fill_at_most(self, volume_share: float | None) -> None:
        """Be told how much of a bar's volume an order gets, None for all."""

    def send(self) -> None:
        """Store what was approved since the last time, and send what is due.

        Raises DatabaseError when it cannot be stored; then it was not sent either.
        """
        while self._withdrawn:
            self.path.cancel(self._withdrawn[0])
            del self._withdrawn[0]
        if due := {key: one for key, one in self._unsent.items() if self._is_due(one.intent)}:
            self._unsent = {key: one for key, one in self._unsent.items() if key not in due}
            self.path.submit_all(self._fitted([self._timely(one) for one in due.values()]))
        if self.path.mirror.live:
            self._step()

    def take_back(self, why: str, *, sent: bool = True) -> Sequence[News]:
        """Take back the entries that wait, those already `sent` too; return what came of them.

        What may still fill is cancelled, and told as it ends; what an algorithm has half done does not go on.
        """
        for intent, _ in self._works.works():
            if intent.purpose is Purpose.ENTRY:
                self._works.take_back(intent.key, f"{TAKEN_BACK}: {why}")
        gone: list[News] = []
        for key, one in list(self.waiting.items()):
            if one.intent.purpose is not Purpose.ENTRY:
                continue
            if key in self._unsent:
                del self._unsent[key], self.waiting[key]
                gone.append(Refused(one.intent, RefusalReason.WITHDRAWN, why))
            elif sent:
                self.path.cancel(key)
        return [*gone, *self.news()] if sent else gone

    @abstractmethod
    def news(self) -> list[DeskEvent]:
        """Return what came since the last step without a bar or price."""

    def _fitted(self, due: list[Approved]) -> list[Approved]:
        """Return what is sent of these orders: all of it, where nobody else trades."""
        return due

    def _is_due(self, intent: Intent) -> bool:  # noqa: ARG002 - where exits fill first by themselves
        """Return whether an approved order may be stored and sent now."""
        return True

    def resume(self, session: Session, kept: Restored | None) -> list[Executed | Taken]:
        """Take over from a former process once the path is ready; return what it did not live to tell.

        They are told again, as events, by whatever is called first.
        """
        self._session = session
        self.path.take_fills()
        self.path.take_claims()
        self.applied, self.claims = (0, 0) if kept is None else (kept.fills, kept.claims)
        for approved in () if kept is None else kept.waiting:
            self.waiting[approved.intent.key] = approved
            if self.path.order(approved.intent.key) is None:
                self._unsent[approved.intent.key] = approved
        rows = list(self.path.history())
        self.has_foreign = any(intent is None for _, intent in rows)
        live = {order.intent_key for order in self.path.orders()}
        fills = [
            (fill.seq, self._executed(intent_of(intent), fill_of_row(fill), live))
            for fill, intent in rows[self.applied :]
            if intent is not None
        ]
        gone = [(one.seq, one) for one in self.path.taken()[self.claims :]]
        both: list[tuple[int, Executed | Taken]] = [*fills, *gone]
        self._owed = [one for _, one in sorted(both, key=lambda pair: pair[0])]
        self._skipped = len(rows) - self.applied - len(fills)
        return list(self._owed)

    @property
    def session(self) -> Session:
        """Whose desk it is. Raises HotCryptoError before `resume`."""
        if self._session is None:
            raise HotCryptoError("the desk belongs to no session yet: open it first")
        return self._session

    def disagreements(self) -> list[str]:
        """Return where account, journal and exchange differ, a line each; none when they agree."""
        if self._fresh or self._owed:
            return []
        found, portfolio, books = self._differences(), self.session.portfolio, self.path.mirror.books
        held = {symbol for _, symbol in (*portfolio.held(), *self.path.positions())}
        for symbol in sorted(held):
            mine, theirs = portfolio.amount(symbol), self.path.position(symbol)
            if mine != theirs:
                found.append(f"{symbol}: the account holds {exact(mine)}, the journal {exact(theirs)}")
            for name in (
                () if portfolio.amount(symbol, DUST) else {slot.strategy for slot in self.session.slots}
            ):
                if portfolio.amount(symbol, name) != self.path.position(symbol, name):
                    found.append(f"{symbol}: account and journal differ on what {name} holds")
        for quote in {symbol.partition("/")[2] for symbol in held} if not self.path.mirror.is_mixed else ():
            spent = plus(books.sum(f"market:{quote}", quote), books.sum(f"fee:{quote}", quote))
            spent = minus(spent, portfolio.taken)
            mine = minus(portfolio.deposits, portfolio.cash)
            if mine != spent:
                found.append(f"{quote}: the account spent {exact(mine)}, the journal {exact(spent)}")
        return found

    def standing(self) -> list[Standing]:
        """Return all that keeps orders back until a person says otherwise."""
        halt = self.path.halt()
        found = [Standing("halt", "", halt, self._ending(f"--release {HALT}"))] if halt else []
        holds = self.path.holds().items()
        found += [Standing("hold", symbol, why, self._accepting(symbol)) for symbol, why in holds]
        return found + [
            Standing(
                "flatten",
                symbol,
                f"{strategy} is ordered closed until it is{'' if why == FLATTEN else f', for {why}'}; "
                "to keep it",
                self._ending("--resume"),
            )
            for (strategy, symbol), why in sorted(self.session.to_close.items())
        ]

    @property
    def account(self) -> str:
        """The account's name."""
        return self.path.journal.account

    def _accepting(self, symbol: str) -> str:
        return self._ending(f"--accept {symbol}")

    def _ending(self, option: str) -> str:
        return command_of(option, self.account)

    def accept(self, symbol: str) -> str:
        """Let entries in a symbol go on, for a person knows why; return what came of it."""
        if self._accepting(symbol) not in {one.ends for one in self.standing()}:
            return f"refused: nothing is held up in {symbol}"
        self.path.release(symbol)
        return f"{symbol} is accepted as it is: entries and exits go on"

    def release(self) -> str:
        """Let entries go on after a halt; return what came of it."""
        if not self.path.halt():
            return f"refused: there is no {HALT}"
        self.path.release()
        return "the halt is over: entries go on"

    @abstractmethod
    def _differences(self) -> list[str]:
        """Return where journal and exchange differ."""

    def owns(self, order_id: str, client_order_id: str) -> bool:
        """Return whether an order is one of this account's, by the name the venue or this program gave it."""
        mirror = self.path.mirror
        if client_order_id:
            return mirror.order(client_order_id) is not None
        known = (*mirror.live.values(), *mirror.ended.values())
        return any(order.exchange_id == order_id for order in known)

    def hurry(self) -> None:
        """Look up the stops that rest at the next `news` too: a stream said that one of them changed."""
        self.path.hurry()

    def look_now(self) -> None:  # noqa: B027 - on paper nothing happens that it does not do itself
        """Compare the account with the exchange at the next `news`: a stream says that something happened."""

    def backs_off(self, held: Held) -> bool:  # noqa: ARG002 - where exits are not refused
        """Return whether exits of a position have to wait, for they were refused."""
        return False

    def status(self) -> DeskStatus:
        """Return how the journal stands."""
        entries, head = self.path.journal.head()
        return DeskStatus(
            journal=entries,
            head=head,
            fills=self.applied,
            disagreements=tuple(self.disagreements()),
            standing=tuple(self.standing()),
            orders=tuple(
                JournalOrder(order.intent_key, order.state, order.filled) for order in self.path.orders()
            ),
            algorithms=dict(self._works.names),
            works=tuple(works_of(self._works)),
        )

    def _timely(self, approved: Approved) -> Approved:
        """Return it with times that an order can have: due now, and an exit not too late at once."""
        intent = approved.intent
        due, valid = min(intent.created_at, self.time), intent.valid_until
        if intent.purpose is not Purpose.ENTRY:
            valid = max(valid, self.time + self._patience(intent))
        if (due, valid) == (intent.created_at, intent.valid_until):
            return approved
        return Approved(intent.timed(due, valid), approved.reserve)

    @abstractmethod
    def _patience(self, intent: Intent) -> int:
        """Return for how long what makes a position smaller stays worth sending, ms."""

    def _told_late(self) -> list[Executed | Taken]:
        """Return what a former process did not live to tell, once."""
        if not (self._owed or self._skipped):
            return []
        owed, self._owed = self._owed, []
        gone = sum(isinstance(event, Taken) for event in owed)
        self.applied += len(owed) - gone + self._skipped
        self.claims += gone
        self._skipped = 0
        for event in owed:
            self._done(event)
        return owed

    def _done(self, event: DeskEvent) -> None:
        if isinstance(event, Refused) or (isinstance(event, Executed) and event.is_done):
            self.waiting.pop(event.intent.key, None)
        if not isinstance(event, Taken) and event.intent.key not in self.waiting:
            self._works.forget(event.intent.key)
            self._unsent.pop(event.intent.key, None)

    def _end_works(self, held: Held) -> None:
        """Have a position that is being closed at once not entered further, and its exits not wait."""
        for key in self._works.of(held, Purpose.ENTRY):
            self._works.take_back(key, f"{TAKEN_BACK}: what it entered is being closed")
        for key in self._works.of(held, Purpose.EXIT):
            self._works.hurry(key)

    def _given_up(self) -> list[Refused]:
        """Refuse the entries of decisions whose exits did not fill, or not before the entry expired."""
        refused = []
        for approved in [one for one in self._unsent.values() if one.intent.purpose is Purpose.ENTRY]:
            intent, reason = approved.intent, RefusalReason.EXCHANGE
            why = "" if self._is_closing(intent) else still_held(intent, self.path)
            if not why and self._is_closing(intent) and self.time > intent.valid_until:
                reason, why = RefusalReason.EXPIRED, "what was to be closed before it is not closed yet"
            if why:
                del self._unsent[intent.key], self.waiting[intent.key]
                refused.append(Refused(intent, reason, why))
        return refused

    def _is_closing(self, entry: Intent) -> bool:
        """Return whether what an entry's strategy closes of its symbol is not closed yet."""
        closing = (one.intent for one in self.waiting.values() if one.intent.purpose is not Purpose.ENTRY)
        return any((one.strategy, one.symbol) == (entry.strategy, entry.symbol) for one in closing)

    def _step(self) -> None:
        """Let the path send and book; its fills wait to be told."""
        self._fresh += self.path.step()

    def _take_fresh(self) -> list[Fill]:
        """Return what was booked and not told; from now on it counts as told."""
        fresh, self._fresh = self._fresh, []
        self.applied += len(fresh)
        return fresh

    def _booked(self) -> list[Executed]:
        """Return fills that the path booked with what they were for, but those of nobody's orders."""
        live = {order.intent_key for order in self.path.orders()}
        events = []
        for fill in self._take_fresh():
            order = self.path.mirror.order(fill.client_order_id) if fill.client_order_id else None
            if order is None:
                self.has_foreign = True
            else:
                wanted = self.path.journal.intent(order.intent_key)
                events.append(self._executed(intent_of(wanted), fill, live))
                self._done(events[-1])
        return events

    def _executed(self, ordered: Intent, fill: Fill, live: Collection[str]) -> Executed:
        """Return a fill with what it was wanted for; `live`: keys of orders that may still be executed."""
        known = self.waiting.get(whole_key(ordered.key))
        whole = ordered.whole() if known is None else known.intent
        return Executed(whole, fill, self._is_done(whole, ordered, live))

    def _is_done(self, whole: Intent, ordered: Intent, live: Collection[str]) -> bool:
        """Return whether nothing more comes of what is wanted, an order of which was executed."""
        return self._works.is_whole(whole) if ordered.is_part else ordered.key not in live

    def _ended(self) -> list[Refused]:
        """Return the orders of which nothing more can come."""
        if not self.waiting:
            return []
        live = {whole_key(order.intent_key) for order in self.path.orders()}
        events = []
        for key in [key for key in self.waiting if key not in live and key not in self._unsent]:
            order = self.path.order(key)
            if order is not None and order.state in TERMINAL:
                events.append(Refused(self.waiting.pop(key).intent, *refusal_of(order)))
        return events
