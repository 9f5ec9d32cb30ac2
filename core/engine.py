"""One account trading: closed bars in; fills, decisions, orders and refusals out, one audit value a step.

The same for paper, live and replay, which differ in the desk, in where bars come from and in where a
strategy's decision comes from. Synchronous: no I/O, no clock, no chance; the same bars give the same steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from core.account.lots import Trade
from core.account.orders import Executed, News, Purpose, Taken
from core.account.values import Held, SeriesKey
from core.bookkeeper import Booked
from core.domain import Bar, Decision, PositionView, Reason, enters
from core.errors import UsageError
from core.execution import Executor, Outcome, Plan
from core.intents import Moment
from core.risk.breakers import Trip, closed_by, withdrawing
from core.risk.endings import ClosingScope
from core.risk.present import AT_THE_CLOSE, Present
from core.secrecy import words_of
from core.symbols import pair_of
from strategies.signal_meaning import decision_of

if TYPE_CHECKING:
    from strategies.base import BaseStrategy, StrategySignal


class Decided(NamedTuple):
    """What a strategy wants of a symbol."""

    want: Decision | None
    """None while warming up."""
    signals: Sequence[StrategySignal] = ()
    """As a live strategy says it."""
    measured: tuple[float, float] = (1.0, 1.0)
    """Volatility and fit, for sizing: core.regime.conditions."""


class Decider(Protocol):
    """Decides for one strategy on one symbol."""

    def decide(self, bar: Bar, held: PositionView) -> Decided:
        """Return what is wanted at the close of this bar, given what is held then."""
        ...


class LiveDecider:
    """A BaseStrategy deciding on the candles it is shown."""

    def __init__(self, symbol: str, strategy: BaseStrategy) -> None:
        self.symbol, self.strategy = symbol, strategy

    def decide(self, bar: Bar, held: PositionView) -> Decided:
        """Tell the strategy its position, show it the candle, return the decision its signals stand for."""
        self.strategy.set_position(self.symbol, held)
        candle = {
            "time": bar.ts,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
        }
        signals = self.strategy.signals(self.symbol, candle)
        want = decision_of(signals, held, bar.close)
        # Measuring takes longer than deciding, and only entries are sized.
        if any(signal.action.startswith("OPEN") for signal in signals):
            return Decided(want, signals, self.strategy.measured(self.symbol))
        return Decided(want, signals)


class Followed(NamedTuple):
    """Another series that a strategy looks at, and what takes its bars as they close."""

    symbol: str
    timeframe: str
    take: Callable[[Bar], object]


class Slot(NamedTuple):
    """One strategy on one symbol."""

    strategy: str
    symbol: str
    timeframe: str
    decider: Decider
    is_ladder: bool
    followed: Sequence[Followed] = ()
    """The other series that it looks at."""


class Choice(NamedTuple):
    """What a strategy decided at a bar."""

    strategy: str
    symbol: str
    bar: int
    """Its open time."""
    held: PositionView
    decided: Decided


class Step(NamedTuple):
    """What one moment brought: the audit of a step."""

    time: int
    """Close time of the bars, ms UTC."""
    equity: float
    """At their closes, open profit included."""
    bars: tuple[Bar, ...] = ()
    late: tuple[Bar, ...] = ()
    """Older than the newest of their series, and not traded on."""
    fills: tuple[Executed, ...] = ()
    trades: tuple[Trade, ...] = ()
    choices: tuple[Choice, ...] = ()
    """Those that change something, or say something."""
    outcomes: tuple[Outcome, ...] = ()
    """Orders approved, and refused with the reason, at the desk too."""
    quarantined: tuple[str, ...] = ()
    """Strategies that failed at this step."""
    tripped: tuple[tuple[str, Trip], ...] = ()
    """Breakers that tripped at this step."""
    taken: tuple[Taken, ...] = ()
    """What others took of positions and cash."""


class _Made(NamedTuple):
    """What the decisions of one step add up to, while they are made."""

    choices: list[Choice]
    outcomes: list[Outcome]
    failed: list[str]
    """Strategies that raised something."""


class _Wanted(NamedTuple):
    """What is to be ordered for a strategy at this step."""

    slot: Slot
    want: Decision
    held: PositionView
    moment: Moment


FLATTEN = "flatten"
"""Why a position is to be closed that a person wants closed."""


def closing_reason(why: str) -> str:
    """Return what a trade that is to be closed for this is called."""
    return FLATTEN if why == FLATTEN else Reason.BREAKER.name.lower()


class Session:
    """Steps strategies and one account through closed bars of several series."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.portfolio, self.risk, self.desk = executor.portfolio, executor.risk, executor.desk
        self.slots: list[Slot] = []
        self.books = executor.books
        self.to_close: dict[Held, str] = {}
        """Positions that are to be closed and are not yet, and why: a breaker's name, or a person's wish."""
        self._of_series: dict[SeriesKey, list[Slot]] = {}
        self._followers: dict[SeriesKey, list[Callable[[Bar], object]]] = {}

    @property
    def currency(self) -> str:
        """What the account counts in: the quote of what it trades, empty before anything is."""
        return pair_of(self.slots[0].symbol).quote if self.slots else ""

    def add(
        self,
        strategy: str,
        symbol: str,
        plan: Plan,
        decider: Decider,
        followed: Sequence[Followed] = (),
    ) -> None:
        """Let a strategy trade a symbol; what it follows takes its bars before anything is decided then.

        Raises UsageError when it trades that symbol already.
        """
        if (strategy, symbol) in self.books.series_of:
            raise UsageError(f"{strategy} trades {symbol} already: name every symbol once")
        slot = Slot(strategy, symbol, plan.timeframe, decider, plan.is_ladder, followed)
        self.executor.plans[strategy] = plan
        self.slots.append(slot)
        self.books.series_of[strategy, symbol] = symbol, plan.timeframe
        self._of_series.setdefault((symbol, plan.timeframe), []).append(slot)
        self._listen()

    def swap(self, slot: Slot, plan: Plan) -> None:
        """Let a strategy that trades a symbol already decide anew; its position and its turn stay.

        Raises UsageError when it does not trade it, or on another timeframe.
        """
        series = self.books.series_of.get((slot.strategy, slot.symbol))
        if series != (slot.symbol, plan.timeframe):
            raise UsageError(f"{slot.strategy} does not trade {slot.symbol} on {plan.timeframe}: add it")
        for slots in (self.slots, self._of_series[series]):
            slots[:] = [slot if (one.strategy, one.symbol) == slot[:2] else one for one in slots]
        self.executor.plans[slot.strategy] = plan
        self._listen()

    def drop(self, strategy: str, symbol: str) -> None:
        """Let a strategy decide no more on a symbol; what it holds stays."""
        series = self.books.series_of.pop((strategy, symbol))
        for slots in (self.slots, self._of_series[series]):
            slots[:] = [one for one in slots if (one.strategy, one.symbol) != (strategy, symbol)]
        self._listen()

    def needs(self, symbol: str, timeframe: str) -> bool:
        """Tell whether anybody looks at the bars of a series."""
        series = symbol, timeframe
        return bool(self._of_series.get(series) or self._followers.get(series))

    def warm(self, bars: Iterable[Bar]) -> None:
        """Count bars that were traded on before, or never will be, and take their closes as last prices."""
        self.books.see(bars)

    def on_bars(self, bars: Iterable[Bar], present: Present = AT_THE_CLOSE) -> Step:
        """Take bars that closed at one time, each traded on once: let the market move, book, decide.

        A bar seen before is ignored, one older than the newest of its series reported as late. Entries have
        to fit `present`, what whoever follows the market knows by now.
        """
        new, late = self.books.sorted_out(bars)
        if not new:
            time = max((bar.end for bar in late), default=self.risk.state.time)
            return Step(time, self.risk.state.equity, late=late)
        brought = self._advance(new)
        came = self._book(brought, new[0].end)
        ended = [*self._end(came.tripped), *self._close(new, present)]
        made = self._decide(new, present)
        told = tuple(made.choices), (*came.refused, *ended, *made.outcomes), tuple(made.failed)
        return Step(
            new[0].end, came.equity, new, late, came.fills, came.trades, *told, came.tripped, came.taken
        )

    def on_events(self, events: Iterable[News], time: int) -> Step:
        """Book fills, refusals and what others took; tell risk what that leaves."""
        came = self.books.take(events, time)
        refused = (*came.refused, *self._end(came.tripped))
        told = came.fills, came.trades, (), refused, (), came.tripped, came.taken
        return Step(time, came.equity, (), (), *told)

    def counted(self) -> list[tuple[str, str, int, int]]:
        """Return symbol, timeframe, newest open time and number of bars seen of every series."""
        return self.books.counted()

    def recount(self, counted: Iterable[Sequence[Any]]) -> dict[SeriesKey, int]:
        """Go on counting bars where `counted` stopped; return the newest open time of each series."""
        return self.books.recount(counted)

    def release(self, strategy: str) -> None:
        """Trust a strategy that failed again, from the next bar on."""
        self.risk.quarantine(strategy, None)

    def _listen(self) -> None:
        """Know who takes the bars of which series."""
        self._followers.clear()
        for slot in self.slots:
            for series in slot.followed:
                self._followers.setdefault(series[:2], []).append(series.take)

    def _advance(self, bars: Sequence[Bar]) -> Sequence[News]:
        """Count bars, take their closes as last prices, and let the market move; return what that brought."""
        self.books.see(bars)
        for bar in bars:
            for take in self._followers.get((bar.symbol, bar.timeframe), ()):
                take(bar)
        return self.desk.market.on_bars(bars)

    def _book(self, brought: Sequence[News], time: int) -> Booked:
        """Have the desk book what the market brought, and take it into the account."""
        return self.books.take(self.desk.booked(brought), time)

    def entering(self) -> set[Held]:
        """Return the positions that orders out now may still open."""
        orders = (one.intent for one in self.portfolio.pending.values())
        return {(one.strategy, one.symbol) for one in orders if one.purpose is Purpose.ENTRY}

    def forget_closed(self) -> None:
        """Drop what was to be closed and is, and of which no entry may still fill."""
        if self.to_close:
            kept = self.entering().union(held for held in self.to_close if self.portfolio.lots(*held))
            self.to_close = {held: why for held, why in self.to_close.items() if held in kept}

    def _end(self, tripped: Sequence[tuple[str, Trip]]) -> list[Outcome]:
        """Withdraw what waits for a price once a breaker tripped that does so, and note what it closes."""
        if not tripped:
            return []
        names, rows = {name for name, _ in tripped}, self.risk.rows
        closes, entering, withdraws = closed_by(names, rows), self.entering(), withdrawing(names, rows)
        withdrawn: list[Outcome] = []
        for slot in self.slots:
            held = slot.strategy, slot.symbol
            if withdraws:
                withdrawn += self.executor.withdraw(*held, f"the breaker {withdraws} tripped")
            why = closes.get(ClosingScope.ALL) or (
                None if slot.is_ladder else closes.get(ClosingScope.DIRECTIONAL)
            )
            if why and (held in entering or self.portfolio.lots(*held)):
                self.to_close.setdefault(held, why)
        return withdrawn

    def _close(self, bars: Sequence[Bar], present: Present) -> list[Outcome]:
        """Order closed, at the close of its own bar, what is to be closed and is not ordered so yet."""
        self.forget_closed()
        outcomes: list[Outcome] = []
        for bar in bars if self.to_close else ():
            for slot in self._of_series.get((bar.symbol, bar.timeframe), ()):
                if why := self.to_close.get((slot.strategy, slot.symbol)):
                    moment = Moment(bar.ts, bar.close, bar.end, present=present)
                    outcomes += self.executor.flatten(slot.strategy, slot.symbol, moment, closing_reason(why))
        return outcomes

    def _decide(self, bars: Iterable[Bar], present: Present) -> _Made:
        """Let every strategy of these bars' series decide, in turn, and order what it wants.

        What only makes positions smaller is ordered first: whoever enters at this close finds it on its way
        out, whichever symbol's turn came before.
        """
        made, wanted = _Made([], [], []), list[_Wanted]()
        for bar in bars:
            for slot in self._of_series.get((bar.symbol, bar.timeframe), ()):
                wanted += self._decide_one(slot, bar, present, made)
        for one in sorted(wanted, key=_is_entering):
            slot = one.slot
            made.outcomes.extend(
                self.executor.execute(slot.strategy, slot.symbol, one.want, one.held, one.moment)
            )
        return made

    def _decide_one(self, slot: Slot, bar: Bar, present: Present, made: _Made) -> list[_Wanted]:
        """Note what one strategy decides; return what is to be ordered for it, if anything."""
        if slot.strategy in self.risk.state.quarantined:
            return []
        number = self.books.newest(bar.symbol, bar.timeframe)
        held = self.portfolio.view(slot.strategy, slot.symbol, number)
        try:
            decided = slot.decider.decide(bar, held)
        except (Exception, SystemExit) as error:  # Whatever a strategy raises must not end the others.
            self.risk.quarantine(slot.strategy, words_of(error))
            made.failed.append(slot.strategy)
            return []
        if held.side and self.portfolio.lots(slot.strategy, slot.symbol)[-1].entry_time >= bar.end:
            # It closed before what is held was entered: of that it says nothing.
            return []
        if held.side and (slot.strategy, slot.symbol) in self.to_close:
            # What is being closed is not decided on.
            return []
        want = decided.want
        is_change = want is not None and self.executor.changes(slot.strategy, slot.symbol, want, held)
        if is_change or decided.signals:
            made.choices.append(Choice(slot.strategy, slot.symbol, bar.ts, held, decided))
        if not is_change or want is None:
            return []
        return [_Wanted(slot, want, held, Moment(bar.ts, bar.close, bar.end, *decided.measured, present))]


def _is_entering(one: _Wanted) -> bool:
    return enters(one.want, one.held, one.slot.is_ladder)
