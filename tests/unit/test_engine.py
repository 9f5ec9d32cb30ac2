"""Closed bars in, audited steps out: once, in order, whatever a strategy does."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from core.account.lots import Lot
from core.account.orders import Approved, Executed, Intent, News, Protection, RefusalReason, Refused
from core.bookkeeper import KEPT
from core.domain import Bar, Costs, Decision, PositionView, enter, flat
from core.engine import Decided, Followed, LiveDecider, Session, Slot
from core.errors import UsageError
from core.execution import Executor, Plan
from core.portfolio import Portfolio
from core.risk.limits import Limits
from core.risk_manager import RiskManager, wide_open
from core.sizing import Sizing
from strategies.base import StrategySignal
from tests.account_help import OTHER, SYMBOL, D, bar, fill_of, intent
from tests.markets import HOUR, START
from tests.scripted import ScriptedLive

FREE = Costs(0.0, 0.0)
PLAN = Plan("1h", Sizing(lot=1.0))


class Scripted:
    """Wants what it was told to want, bar by bar."""

    def __init__(self, *wants: Decision | BaseException | None) -> None:
        self.wants = list(wants)
        self.seen: list[PositionView] = []

    def decide(self, bar: Bar, held: PositionView) -> Decided:
        self.seen.append(held)
        want = self.wants.pop(0) if self.wants else None
        if isinstance(want, BaseException):
            raise want
        return Decided(want)


def session(risk: RiskManager | None = None, **deciders: Scripted) -> Session:
    made = Session(Executor(Portfolio(10_000), risk or wide_open(FREE), costs=FREE))
    for name, decider in deciders.items():
        made.add(name, SYMBOL, PLAN, decider)
    return made


def test_a_step_says_what_it_saw_filled_decided_and_ordered() -> None:
    made = session(A=Scripted(enter(1.0, 90.0), None, flat()))
    first, second, third, fourth = (made.on_bars([bar(n)]) for n in range(4))
    assert (first.time, first.equity, first.fills) == (START + HOUR, 10_000.0, ())
    assert [type(outcome) for outcome in first.outcomes] == [Approved]
    assert first.choices[0].decided.want == enter(1.0, 90.0)
    assert [event.fill.reason for event in second.fills] == ["entry"]
    assert (second.choices, second.outcomes) == ((), ())
    assert [outcome.intent.side for outcome in third.outcomes] == ["sell"]
    assert [trade.reason for trade in fourth.trades] == ["rule"]
    assert fourth.bars == (bar(3),)


class Told:
    """A desk and its market side, a decider and a follower that note in which order they are called."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.market = self

    def on_bars(self, bars: Sequence[Bar]) -> Sequence[News]:
        self.calls.append(("market", [one.ts for one in bars]))
        return [Refused(intent(), RefusalReason.CASH, "brought")]

    def booked(self, brought: Sequence[News]) -> Sequence[News]:
        self.calls.append(("booked", [one.detail for one in brought if isinstance(one, Refused)]))
        return [*brought, Refused(intent(), RefusalReason.EXCHANGE, "came meanwhile")]

    def submit(self, approved: Approved) -> Refused | None:
        self.calls.append(("order", approved.intent.side))
        return None

    def protect(self, move: Protection) -> None:
        raise AssertionError(move)

    def withdraw(self, held: tuple[str, str], keys: Collection[str], lots: Sequence[Lot]) -> None:
        raise AssertionError(keys)

    def waited(self, intent: Intent) -> int:
        raise AssertionError(intent)

    def decide(self, bar: Bar, held: PositionView) -> Decided:
        self.calls.append(("decide", held.side))
        return Decided(enter(1.0, 90.0))


def test_a_step_moves_the_market_then_books_then_decides_and_no_order_s_way_sees_a_bar() -> None:
    told = Told()
    made = Session(Executor(Portfolio(10_000), wide_open(FREE), told, FREE, live=True))
    followed = Followed(SYMBOL, "1h", lambda one: told.calls.append(("followed", one.ts, one.close)))
    made.add("A", SYMBOL, PLAN, told, [followed])
    step = made.on_bars([bar(0)])
    assert told.calls == [
        ("followed", START, 100.0),
        ("market", [START]),
        ("booked", ["brought"]),
        ("decide", 0),
        ("order", "buy"),
    ]
    assert [getattr(one, "detail", "ordered") for one in step.outcomes] == [
        "brought",
        "came meanwhile",
        "ordered",
    ]
    assert (step.bars, step.time) == ((bar(0),), START + HOUR)


def test_a_strategy_sees_its_own_position_counted_in_bars() -> None:
    decider, other = Scripted(enter(1.0, 90.0)), Scripted()
    made = session(A=decider, B=other)
    for n in (0, 1, 5, 6):
        made.on_bars([bar(n)])
    assert [seen.bars_held for seen in decider.seen] == [0, 0, 1, 2]
    assert [seen.side for seen in decider.seen] == [0, 1, 1, 1]
    assert {seen.side for seen in other.seen} == {0}


def test_another_rule_takes_over_only_where_the_strategy_trades() -> None:
    made, decider = session(A=Scripted(), B=Scripted()), Scripted()
    made.swap(Slot("A", SYMBOL, "1h", decider, is_ladder=False), PLAN)
    made.on_bars([bar(0)])
    assert [slot.strategy for slot in made.slots] == ["A", "B"]
    assert len(decider.seen) == 1
    for name, timeframe in (("C", "1h"), ("A", "4h")):
        with pytest.raises(UsageError, match=f"{name} does not trade {SYMBOL} on {timeframe}: add it"):
            made.swap(Slot(name, SYMBOL, timeframe, decider, is_ladder=False), Plan(timeframe, PLAN.sizing))


def test_a_repeated_bar_is_ignored_and_a_late_one_reported() -> None:
    decider = Scripted()
    made = session(A=decider)
    made.on_bars([bar(0)])
    made.on_bars([bar(2)])
    again, late = made.on_bars([bar(2)]), made.on_bars([bar(1)])
    assert (again.bars, again.late) == ((), ())
    assert again.equity == 10_000.0
    assert (late.bars, late.late, late.time) == ((), (bar(1),), START + 2 * HOUR)
    assert len(decider.seen) == 2
    assert made.on_bars([]).bars == ()


def test_bars_of_a_step_close_at_one_time() -> None:
    made = session()
    made.on_bars([bar(0), bar(0, symbol=OTHER)])
    with pytest.raises(UsageError, match="close at one time"):
        made.on_bars([bar(1), bar(2, symbol=OTHER)])


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), SystemExit(0)])
def test_a_strategy_that_raises_or_ends_itself_is_quarantined_and_the_others_trade(
    error: BaseException,
) -> None:
    failing, good = (
        Scripted(enter(1.0, 90.0), None, error),
        Scripted(*[None] * 3, enter(1.0)),
    )
    made = session(A=failing, B=good)
    steps = [made.on_bars([bar(n)]) for n in range(4)]
    assert [step.quarantined for step in steps] == [(), (), ("A",), ()]
    assert made.risk.state.quarantined == {"A": f"{type(error).__name__}: {error}"}
    assert made.portfolio.view("A", SYMBOL).side == 1
    assert len(failing.seen) == 3
    assert [outcome.intent.strategy for outcome in steps[3].outcomes] == ["B"]
    (stopped,) = made.on_bars([bar(4, (100.0, 101.0, 80.0, 85.0))]).trades
    assert (stopped.strategy, stopped.reason) == ("A", "stop")
    made.release("A")
    made.on_bars([bar(5)])
    assert len(failing.seen) == 4


def test_a_breaker_that_trips_is_told_once_and_holds_up_entries_alone() -> None:
    risk = RiskManager(1.0, None, Limits(max_drawdown_pct=5.0), FREE)
    made = session(risk, A=Scripted(enter(0.8), flat()), B=Scripted(None, enter(0.1)))
    made.on_bars([bar(0)])
    step, later = made.on_bars([bar(1, (100.0, 100.0, 90.0, 90.0))]), made.on_bars([bar(2)])
    assert step.equity == 9_240.0
    assert [name for name, _ in step.tripped] == ["drawdown"]
    leaving, refused = step.outcomes
    assert (leaving.intent.strategy, type(leaving)) == ("A", Approved)
    assert isinstance(refused, Refused)
    assert (refused.intent.strategy, refused.reason) == ("B", RefusalReason.DRAWDOWN)
    assert later.tripped == ()
    assert [trade.strategy for trade in later.trades] == ["A"]


def test_a_loss_is_told_to_risk() -> None:
    made = session(A=Scripted(enter(1.0, 99.5)))
    made.on_bars([bar(0)])
    made.on_bars([bar(1)])
    assert made.risk.state.losses == {"A": START + 2 * HOUR}


def test_what_a_desk_refuses_frees_its_cash_and_is_told() -> None:
    made = session()
    made.portfolio.reserve(Approved(intent(), D(101)))
    refused = Refused(intent(), RefusalReason.CASH, "none")
    step = made.on_events([refused], START)
    assert step.outcomes == (refused,)
    assert made.portfolio.reserved == 0


def test_fills_of_other_sources_are_booked_once_in_the_bar_they_happened() -> None:
    made = session(A=Scripted())
    made.warm([bar(n) for n in range(5)])
    for number, time in enumerate((START + HOUR + 5, START + 4 * HOUR, START + 5 * HOUR)):
        entry = intent(leg=f"rung-{number}", amount=D(1))
        event = Executed(entry, fill_of(entry, time=time), is_done=number > 0)
        made.portfolio.reserve(Approved(entry, D(101)))
        for _ in range(2):
            made.on_events([event], time)
    assert [lot.entry_bar for lot in made.portfolio.lots("A", SYMBOL)] == [1, 4, 5]
    unknown = intent(strategy="C", symbol=OTHER)
    made.on_events([Executed(unknown, fill_of(unknown))], START)
    assert made.portfolio.lots("C", OTHER)[0].entry_bar == 0


def test_bars_are_remembered_up_to_a_bound() -> None:
    made = session()
    made.warm(bar(n) for n in range(2 * KEPT + 10))
    track = made.books._tracks[SYMBOL, "1h"]
    assert len(track.stamps) < 2 * KEPT
    assert track.number(START + (2 * KEPT + 3) * HOUR) == 2 * KEPT + 3
    assert track.number(START) < KEPT
    assert track.newest == START + (2 * KEPT + 9) * HOUR


def test_a_strategy_trades_a_symbol_once() -> None:
    with pytest.raises(UsageError, match="A trades BTC/USDT already"):
        session(A=Scripted()).add("A", SYMBOL, PLAN, Scripted())


def test_a_live_class_decides_with_its_signals_on_record() -> None:
    made = session()
    made.add("LIVE", SYMBOL, PLAN, LiveDecider(SYMBOL, ScriptedLive({})))
    made.on_bars([bar(0, volume=0.0)])
    step = made.on_bars([bar(1, volume=1.0)])
    (choice,) = step.choices
    assert isinstance(choice.decided.signals[0], StrategySignal)
    assert choice.decided.signals[0].action == "OPEN_LONG"
    assert len(step.outcomes) == 1


def test_protection_of_nothing_changes_nothing() -> None:
    made = session(A=Scripted())
    made.portfolio.protect(Protection("A", SYMBOL, D(1), None))
    assert made.portfolio.view("A", SYMBOL).side == 0


def test_counting_goes_on_after_a_restart() -> None:
    made, again = session(), session()
    made.warm([bar(n) for n in range(3)])
    assert again.recount(made.counted()) == {(SYMBOL, "1h"): START + 2 * HOUR}
    assert again.counted() == made.counted()
    assert again.on_bars([bar(2)]).bars == ()
