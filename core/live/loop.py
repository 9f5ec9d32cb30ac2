"""The loop of one account: commands, closed bars, decisions, records; `step` is one look at the world.

It holds no clock and does no waiting: whoever calls it says what time it is at the exchange. The newest
closed bar is decided on whenever it is first seen: until the next one closes, its decision is the one that
holds. An older bar that was missed while nothing ran is traded on late for what protects the account (stops,
takes, the rule's exits), and enters nothing: its decision has expired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from core.account.orders import Approved, News, Purpose, Refused
from core.domain import Bar
from core.engine import Session, Step
from core.errors import ExchangeError
from core.figures import how_many
from core.live.closing import Closing, Patient, dust_words
from core.live.decision_log import DecisionLine, decision_lines
from core.live.feed import Feed, Polled
from core.live.hearing import Hearing
from core.live.losses import LossWatch
from core.live.outside import Price
from core.live.prices import PriceCheck
from core.live.standing import Holder, released, reset, resumed
from core.live.status import AccountStatus, DeskStatus
from core.live.status_of import status_of
from core.paper.lots import is_late
from core.risk.present import Present

LATEST = 60_000
"""Milliseconds after a bar's close from which on its entries are checked against the price of now."""
BEAT = 1_000
"""Milliseconds between two signs of life."""
TICK = 3_000
"""Milliseconds between two looks at the price of what is held."""


class Command(NamedTuple):
    """What a person wants of the loop."""

    id: int
    name: str
    argument: str


class Records(Protocol):
    """Where the loop keeps what happened and finds its commands."""

    def commands(self) -> Sequence[Command]:
        """Return the commands that nobody has carried out, oldest first."""
        ...

    def answer(self, command: Command, outcome: str, now: int) -> None:
        """Keep what came of a command."""
        ...

    def keep(self, decided: Sequence[DecisionLine], step: Step, status: AccountStatus, now: int) -> None:
        """Keep one step, whole or not at all."""
        ...

    def beat(self, status: AccountStatus, now: int) -> None:
        """Keep how the account stands."""
        ...


class Desk(Holder, Patient, Protocol):
    """Where the session's orders go once a step is kept, and what comes of them between bars."""

    def at(self, now: int) -> None:
        """Take the time, ms UTC."""
        ...

    def send(self) -> None:
        """Send what was approved; the step that approved it is kept."""
        ...

    def news(self) -> Sequence[News]:
        """Return what came since the last look without a bar or price."""
        ...

    def on_price(self, symbol: str, price: float) -> Sequence[News]:
        """Return what a price between two bars brings."""
        ...

    def follow(self, strategy: str, symbol: str, timeframe: str) -> None:
        """Note that a strategy trades a symbol from now on."""
        ...

    def fill_at_most(self, volume_share: float | None) -> None:
        """Set how much of a bar's volume an order gets, None for all."""
        ...

    def status(self) -> DeskStatus:
        """Return how the orders stand."""
        ...

    def owns(self, order_id: str, client_order_id: str) -> bool:
        """Return whether an order is one of this account's, by the name the venue or this program gave it."""
        ...

    def hurry(self) -> None:
        """Look up orders that rest at the next `news`: a stream says that something happened to one."""
        ...

    def look_now(self) -> None:
        """Compare the account with the exchange at the next `news`: a stream says that something happened."""
        ...

    def take_back(self, why: str, *, sent: bool = True) -> Sequence[News]:
        """Take back the entries that wait, those already `sent` too; return what came of them."""
        ...

    def accept(self, symbol: str) -> str:
        """Let a symbol's entries and exits go on; return what came of it."""
        ...


class Loop:
    """Runs a session on a feed."""

    def __init__(
        self,
        exchange: str,
        session: Session,
        feed: Feed,
        records: Records,
        notify: Callable[[str], object],
        desk: Desk,
        price: Price | None = None,
    ) -> None:
        """Take the exchange's label; `notify` takes lines that a person should read.

        `desk` is the session's own; without `price` what is held is looked at when a bar closes.
        """
        self.session, self.feed, self.desk = session, feed, desk
        self.closing = Closing(session, desk)
        self._price, self._ticked, self._beat = price, 0, 0
        self._exchange, self._records, self._notify = exchange, records, notify
        self._check = PriceCheck(notify)
        self._unpriced: dict[str, str] = {}
        """By symbol: why the last price of now closed nothing, blank where it could."""
        self.reload: Callable[[str, int], str] | None = None
        self.set_weight: Callable[[str, int], str] | None = None
        """Reads rules and parameters again, with what to do with positions; returns what came of it."""
        self.losses = LossWatch(session)
        self.hearing = Hearing()
        """What streams say, if there are any."""
        self.looked_at = 0
        """When the last step was taken, ms UTC."""
        self._silent: frozenset[str] = frozenset()
        """Symbols whose feed says nothing."""
        self._cuts: Counter[str] = Counter()
        """Entries that limits have cut since the loop began, by strategy and limit."""
        self.is_stopped = False
        self.trouble: ExchangeError | None = None
        """Why the last step could not look at every series."""

    def step(self, now: int, *, is_sure: bool = True) -> list[Step]:
        """Carry out commands, take what has closed, and say that the loop is alive.

        Nothing counts as closed unless the time is sure; commands, news of orders and stops go on.
        """
        self.desk.at(now)
        if not self.looked_at:
            # What a former process approved and did not live to send.
            self.desk.send()
        self.looked_at = now
        self._listen()
        self._carry_out(self._records.commands(), now)
        steps = self._bars(now, is_sure=is_sure)
        steps += self._between(now)
        if steps:
            self._beat = now
        elif now - self._beat >= BEAT:
            self._beat = now
            self._records.beat(self.status(now), now)
        return steps

    def _bars(self, now: int, *, is_sure: bool) -> list[Step]:
        """Take what has closed since the last look, as far as the time is sure."""
        polled = self.feed.poll(now) if is_sure else Polled((), ())
        self.trouble = polled.trouble
        for report in (*polled.reports, *self.hearing.compare(polled.bars)):
            self._notify(report)
        self._watch(now)
        return [self._take(list(group), now) for _, group in groupby(polled.bars, key=lambda bar: bar.end)]

    def _listen(self) -> None:
        """Do what streams ask for: orders that were told of are looked at, by REST, in this step."""
        attention = self.hearing.attend()
        for line in attention.lines:
            self._notify(line)
        own = [one for one in attention.orders if self.desk.owns(one.order_id, one.client_order_id)]
        if attention.is_everything or len(own) < len(attention.orders):
            self.desk.look_now()
        if own:
            self.desk.hurry()
        self.hearing.await_fills(own)

    def _carry_out(self, commands: Sequence[Command], now: int) -> None:
        for command in commands:
            outcome = self.carry_out(command, now)
            self._records.answer(command, outcome, now)
            self.desk.send()
            self._notify(f"{command.name} {command.argument}".rstrip() + f": {outcome}")

    def carry_out(self, command: Command, now: int) -> str:
        """Do what a command says; return what came of it in a line."""
        known: dict[str, Callable[[], str]] = {
            "stop": self._stop,
            "pause": lambda: self._pause(now),
            "resume": lambda: resumed(self.session, self.desk),
            "accept": lambda: self.desk.accept(command.argument),
            "release": lambda: released(self.session, self.desk, command.argument),
            "reset-breaker": lambda: reset(self.session, command.argument),
            "flatten": lambda: self._flatten(now),
            "reload": lambda: self._reload(command.argument, now),
            "set-weight": lambda: self._set_weight(command.argument, now),
        }
        if command.name not in known:
            return f"refused: this loop knows no command {command.name!r}"
        return known[command.name]()

    def status(self, now: int) -> AccountStatus:
        """Return how the account stands."""
        lags, streams = self.feed.lags(now), self.hearing.status(now)
        return status_of(self.session, self.desk.status(), lags, self._cuts, now, streams)

    def not_closed(self) -> list[str]:
        """Return what is to be closed and is not, a line each with the reason."""
        unknown = "stored candles tell no price of now, so it closes at the open of the next one"
        return [
            f"{strategy} {symbol}: "
            + (unknown if self._price is None else self._unpriced.get(symbol) or "its order has not filled")
            for strategy, symbol in sorted(self.session.to_close)
            if self.session.portfolio.lots(strategy, symbol)
        ]

    def _take(self, bars: list[Bar], now: int) -> Step:
        """Trade on bars that closed at one time; what comes late has to fit the price of now, and gets it."""
        is_late = self._price is not None and now - bars[0].end > LATEST
        prices = self._prices(bars) if is_late else {}
        step = self.session.on_bars(bars, Present(now, self._silent, prices, now if is_late else 0))
        self._keep(step, now)
        return step

    def _prices(self, bars: list[Bar]) -> dict[str, float]:
        """Return the last prices of these bars' symbols, as far as somebody knows them."""
        if self._price is None:
            return {}
        prices = {symbol: self._price(symbol) for symbol in sorted({bar.symbol for bar in bars})}
        return {symbol: price for symbol, price in prices.items() if price is not None}

    def _between(self, now: int) -> list[Step]:
        """Take what happened without a bar: fills in their own time, and prices that matter now."""
        steps = [self._events(self.desk.news(), now), self._close_again(now)]
        if self._price is not None and now - self._ticked >= TICK:
            self._ticked = now
            portfolio = self.session.portfolio
            priced = sorted(self._priced())
            for symbol in priced:
                price = self._price(symbol)
                why = self._check.why_not(symbol, price, portfolio.marks.get(symbol), now)
                self._unpriced[symbol] = why
                if not why and price is not None:
                    portfolio.mark(symbol, price)
                    steps.append(self._events(self.desk.on_price(symbol, price), now))
            is_sure = not any(self._unpriced[symbol] for symbol in priced)
            if step := self.losses.look(now, is_sure=is_sure):
                self._keep(step, now)
                steps.append(step)
        return [step for step in steps if step is not None]

    def _priced(self) -> set[str]:
        """Return the symbols whose price of now matters: what is held, and what was ordered late."""
        portfolio = self.session.portfolio
        held = {symbol for name, symbol in portfolio.held() if portfolio.lots(name, symbol)}
        return held | {one.intent.symbol for one in portfolio.pending.values() if is_late(one.intent)}

    def _close_again(self, now: int) -> Step | None:
        outcomes = self.closing.again(now)
        if not outcomes:
            return None
        step = Step(now, self.session.risk.state.equity, outcomes=tuple(outcomes))
        self._keep(step, now)
        return step

    def _events(self, events: Sequence[News], now: int) -> Step | None:
        if not events:
            return None
        step = self.session.on_events(events, now)
        self._keep(step, now)
        return step

    def _keep(self, step: Step, now: int) -> None:
        """Keep a step, then send what it approved."""
        self.session.forget_closed()
        for outcome in step.outcomes:
            if isinstance(outcome, Approved) and outcome.cut is not None:
                self._cuts[f"{outcome.intent.strategy} by {outcome.cut.limit}"] += 1
        self.hearing.booked(executed.fill.id for executed in step.fills)
        self._records.keep(tuple(decision_lines(self._exchange, step)), step, self.status(now), now)
        if step.tripped:
            self._events(self.desk.take_back("a breaker tripped before it was sent", sent=False), now)
        self.desk.send()

    def _watch(self, now: int) -> None:
        """Let nobody enter on a symbol whose feed is silent, and say so once."""
        silent = frozenset(lag.series.symbol for lag in self.feed.lags(now) if lag.is_stale)
        for symbol in sorted(silent - self._silent):
            self._notify(f"{symbol}: the feed is silent; nothing is entered until it speaks again")
        for symbol in sorted(self._silent - silent):
            self._notify(f"{symbol}: the feed is back")
        self._silent = silent

    def _stop(self) -> str:
        self.is_stopped = True
        return "stopping after this step; positions stay as they are"

    def _pause(self, now: int) -> str:
        self.session.risk.pause("paused by command")
        return (
            f"entries are paused; exits and stops go on{self._take_back('paused', 'stays if it fills', now)}"
        )

    def _take_back(self, why: str, then: str, now: int) -> str:
        """Take back the entries that wait; return how many, and what becomes of those that may still fill."""
        step = self._events(self.desk.take_back(f"taken back: {why} by command"), now)
        entries = [one.intent.purpose is Purpose.ENTRY for one in step.outcomes] if step else []
        out = [one for one in self.session.portfolio.pending.values() if one.intent.purpose is Purpose.ENTRY]
        gone = how_many(sum(entries), "waiting entry", "waiting entries")
        return (f"; {gone} taken back" if any(entries) else "") + (
            f"; {how_many(len(out), 'entry is', 'entries are')} on the way, and {then}" if out else ""
        )

    def _reload(self, policy: str, now: int) -> str:
        if self.reload is None:
            return "refused: this loop cannot read its rules again"
        return self.reload(policy, now)

    def _set_weight(self, argument: str, now: int) -> str:
        if self.set_weight is None:
            return "refused: this loop's weights cannot be set"
        return self.set_weight(argument, now)

    def _flatten(self, now: int) -> str:
        self.session.risk.pause("flattened by command")
        back = self._take_back("flattened", "is closed if it fills", now)
        count, outcomes = self.closing.close(self.session.slots, now)
        refused = sum(isinstance(outcome, Refused) for outcome in outcomes)
        rest = f", {how_many(refused, 'order')} refused" if refused else ""
        what = how_many(count, "position")
        dust = dust_words(self.session.portfolio)
        return f"closing {what} at the next price{rest}{back}{dust}; entries are paused until resume"
