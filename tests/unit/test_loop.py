"""The loop of one paper account, on hand-made candles and with records in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.account.orders import Refused
from core.domain import Bars, Costs, Series
from core.engine import LiveDecider, Session, Step
from core.errors import ExchangeUnreachableError, UsageError
from core.execution import Executor, Plan
from core.live.decision_log import DecisionLine
from core.live.events import events_of, text_of
from core.live.feed import GRACE, Feed
from core.live.loop import LATEST, TICK, Command, Loop
from core.live.losses import LossWatch
from core.live.snapshot import restore
from core.live.standing import command as proposed
from core.live.status import AccountStatus, from_document, to_document
from core.order_path.audit import check_books
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import Limits
from core.risk_manager import RiskManager, wide_open
from db.journal import Journal, memory_journal
from scripts import run_live
from tests.desk_help import Account
from tests.markets import HOUR, START, random_bars
from tests.scripted import SCRIPTED
from tests.tiers import statistics, tries

BTC = Series("x", "BTC/USDT", "1h")
ETH = Series("x", "ETH/USDT", "1h")
FREE = Costs(0.0, 0.0)


class Memory:
    """Records that remember."""

    def __init__(self) -> None:
        self.given: list[Command] = []
        self.answers: list[tuple[str, str]] = []
        self.decided: list[DecisionLine] = []
        self.steps: list[Step] = []
        self.beats: list[int] = []

    def commands(self) -> Sequence[Command]:
        return list(self.given)

    def answer(self, command: Command, outcome: str, now: int) -> None:
        self.given.remove(command)
        self.answers.append((command.name, outcome))

    def keep(self, decided: Sequence[DecisionLine], step: Step, status: AccountStatus, now: int) -> None:
        check(status)
        self.decided += decided
        self.steps.append(step)

    def beat(self, status: AccountStatus, now: int) -> None:
        check(status)
        self.beats.append(now)


def check(status: AccountStatus) -> None:
    """Assert that a status is the same once it was stored."""
    assert from_document(json.loads(json.dumps(to_document(status), allow_nan=False))) == status


class World:
    """One account, its loop, and the candles shown so far."""

    def __init__(self, orders: dict[int, float], risk: RiskManager | None = None, count: int = 40) -> None:
        self.ts = START + HOUR * np.arange(count)
        price = np.full(count, 100.0)
        volume = np.zeros(count)
        for bar, order in orders.items():
            volume[bar] = order
        self.bars = Bars(self.ts, price, price + 1, price - 1, price, volume)
        self.memory, self.lines = Memory(), list[str]()
        self.account = account_of(risk, [BTC])
        self.account.open()
        self.session = self.account.session
        self.session.portfolio.mark(BTC.symbol, 100.0)
        feed = Feed(self.read, [BTC], {BTC: int(self.ts[1])})
        self.price: float | None = None
        self.loop = Loop(
            "x", self.session, feed, self.memory, self.lines.append, self.account.desk, lambda _: self.price
        )

    def read(self, series: Series, start: int, end: int) -> Bars:
        first, stop = np.searchsorted(self.bars.ts, [start, end])
        return self.bars.until(int(stop)).since(int(first))

    def at(self, bar: int, late: int = 0) -> list[Step]:
        """Look at the world when this bar has just closed."""
        return self.loop.step(START + (bar + 1) * HOUR + late)

    def tell(self, name: str, argument: str = "") -> str:
        self.memory.given.append(Command(len(self.memory.answers) + 1, name, argument))
        self.loop.step(int(self.session.risk.state.time) or START + 2 * HOUR)
        return self.memory.answers[-1][1]


def texts(world: World) -> list[str]:
    """Return what a person is told of the steps that were kept, up to the first number."""
    events = (event for step in world.memory.steps for event in events_of(step))
    return [re.split(r" [-\d]", text_of(event), maxsplit=1)[0] for event in events]


def account_of(risk: RiskManager | None, series: Sequence[Series], journal: Journal | None = None) -> Account:
    account = Account(journal, risk)
    for one in series:
        live = SCRIPTED.live({"params": {"stop_away": 5.0, "take_away": 5.0}})
        plan = Plan(one.timeframe, SCRIPTED.rule.sizing(live.params))
        account.session.add("SCRIPTED", one.symbol, plan, LiveDecider(one.symbol, live))
    return account


def test_a_closed_bar_is_decided_on_and_its_order_fills_at_the_next_open() -> None:
    world = World({3: 1.0})
    world.at(2)
    (step,) = world.at(3)
    assert [(one.action, one.outcome, one.bar_ts) for one in world.memory.decided] == [
        ("entry buy", "approved", world.ts[3])
    ]
    assert world.memory.decided[0].series == BTC
    assert world.memory.decided[0].detail["stop"] == "95"
    assert step.fills == ()
    (step,) = world.at(4)
    assert [float(event.fill.price) for event in step.fills] == [100.0]
    status = world.loop.status(START)
    assert [(one.strategy, one.side, one.stop) for one in status.positions] == [("SCRIPTED", "long", 95.0)]
    assert status.open_orders == ()


def test_an_order_that_waits_is_in_the_status() -> None:
    world = World({3: 1.0})
    world.at(2)
    world.at(3)
    (order,) = world.loop.status(START).open_orders
    assert order.side == "buy"


def test_a_bar_missed_while_nothing_ran_enters_nothing_and_says_why() -> None:
    world = World({3: 1.0, 5: 1.0})
    world.at(6)
    assert [one.outcome for one in world.memory.decided] == ["expired", "expired"]
    assert world.memory.decided[1].detail["why"] == "too late: the next bar closed 0 s ago"
    assert len(world.memory.steps) == 5


@pytest.mark.parametrize("late", [1, LATEST + 1, HOUR // 2, HOUR - 1])
def test_the_newest_closed_bar_is_decided_on_until_the_next_one_closes(late: int) -> None:
    world = World({3: 1.0})
    world.at(2)
    world.at(3, late=late)
    assert [one.outcome for one in world.memory.decided] == ["approved"]


def test_a_bar_is_too_late_from_the_moment_at_which_the_next_one_closes() -> None:
    world = World({3: 1.0})
    world.at(2)
    world.at(3, late=HOUR)
    assert [one.outcome for one in world.memory.decided] == ["expired"]
    assert len(world.memory.steps) == 3


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("price", "late", "outcome"),
    [
        (96.0, LATEST + 1, "approved"),
        (None, LATEST + 1, "approved"),
        (94.0, LATEST + 1, "bracket"),
        (105.0, LATEST + 1, "bracket"),
        (94.0, LATEST, "approved"),
    ],
)
def test_an_entry_that_comes_late_has_to_fit_the_price_of_now(
    price: float | None, late: int, outcome: str
) -> None:
    world = World({3: 1.0})
    world.at(2)
    world.price = price
    world.at(3, late=late)
    assert [one.outcome for one in world.memory.decided] == [outcome]


def test_a_feed_that_speaks_again_is_entered_on_at_once() -> None:
    world = World({}, count=6)
    world.at(5)
    world.loop.step(START + 8 * HOUR)
    assert world.lines[-1].startswith("BTC/USDT: the feed is silent")
    world.bars = World({8: 1.0}, count=9).bars
    world.at(8)
    assert [one.outcome for one in world.memory.decided] == ["approved"]


def test_a_missed_bar_still_closes_what_is_held() -> None:
    world = World({3: 1.0, 6: 3.0})
    for bar in (2, 3, 4):
        world.at(bar)
    world.price = 103.0
    steps = world.at(8)
    assert [one.action for one in world.memory.decided] == ["entry buy", "exit sell"]
    assert world.session.portfolio.lots("SCRIPTED", "BTC/USDT") == ()
    (fill,) = (event.fill for event in steps[-1].fills)
    assert (float(fill.price), fill.time) == (103.0, START + 9 * HOUR)


def test_an_entry_that_comes_late_fills_at_the_price_of_now_and_at_no_open_of_before() -> None:
    world = World({3: 1.0})
    world.at(2)
    world.price = 97.0
    steps = world.at(3, late=LATEST + 1)
    (fill,) = (event.fill for event in steps[-1].fills)
    now = START + 4 * HOUR + LATEST + 1
    assert (fill.side, float(fill.price), fill.time) == ("buy", 97.0, now)
    # The bar in progress reaches its take at 101 and no stop: what of it came before, nobody knows.
    world.price = None
    assert world.at(4)[0].fills == ()
    (lot,) = world.session.portfolio.lots("SCRIPTED", "BTC/USDT")
    assert lot.entry_time == now


def test_an_entry_that_comes_late_waits_for_a_price_until_its_bar_has_closed() -> None:
    world = World({3: 1.0})
    world.at(2)
    assert world.at(3, late=LATEST + 1)[-1].fills == ()
    world.price = 98.0
    (step,) = world.loop.step(START + 4 * HOUR + LATEST + 1 + TICK)
    assert [float(event.fill.price) for event in step.fills] == [98.0]


def test_an_entry_that_comes_late_and_sees_no_price_is_refused_when_its_bar_closes() -> None:
    world = World({3: 1.0})
    world.at(2)
    world.at(3, late=LATEST + 1)
    step = world.at(4)[0]
    assert step.fills == ()
    (refused,) = step.outcomes
    assert isinstance(refused, Refused)
    assert refused.reason.value == "expired"


def test_a_silent_feed_is_reported_once_and_enters_nothing_until_it_is_back() -> None:
    world = World({}, count=6)
    world.at(5)
    world.loop.step(START + 8 * HOUR)
    world.loop.step(START + 9 * HOUR)
    silent = "BTC/USDT: the feed is silent; nothing is entered until it speaks again"
    assert world.lines.count(silent) == 1
    more = World({}, count=20).bars
    world.bars = more
    world.loop.step(START + 20 * HOUR + GRACE)
    assert world.lines[-1] == "BTC/USDT: the feed is back"


def test_nothing_is_entered_on_a_symbol_of_which_another_feed_is_silent() -> None:
    world, quick = World({3: 1.0}), BTC._replace(timeframe="5m")

    def read(series: Series, start: int, end: int) -> Bars:
        return world.read(series, start, end) if series == BTC else world.bars.until(0)

    world.loop.feed = Feed(read, [BTC, quick], dict.fromkeys([BTC, quick], int(world.ts[1])))
    world.at(2)
    world.at(3)
    assert [one.outcome for one in world.memory.decided] == ["stale"]
    assert world.memory.decided[0].detail["why"] == "prices of BTC/USDT are too old"


def test_what_the_feed_reports_is_told() -> None:
    world = World({})
    world.at(2)
    keep = np.arange(40) != 3
    world.bars = Bars(*(column[keep] for column in world.bars))
    world.at(4)
    assert any("1 bar missing before it" in line for line in world.lines)


def test_a_pause_stops_entries_and_no_exit_until_it_is_lifted() -> None:
    world = World({3: 1.0, 5: 1.0, 6: 3.0, 8: 1.0})
    assert world.tell("pause") == "entries are paused; exits and stops go on"
    for bar in range(2, 6):
        world.at(bar)
    assert [one.outcome for one in world.memory.decided] == ["paused", "paused"]
    assert world.loop.status(START).paused == "paused by command"
    assert world.tell("resume") == "entries are allowed again"
    for bar in range(6, 9):
        world.at(bar)
    assert [one.outcome for one in world.memory.decided][-1] == "approved"
    assert world.lines[0] == "pause: entries are paused; exits and stops go on"


def test_flatten_closes_everything_at_the_next_price_and_pauses() -> None:
    world = World({3: 1.0, 7: 1.0})
    for bar in range(2, 5):
        world.at(bar)
    assert world.tell("flatten") == "closing 1 position at the next price; entries are paused until resume"
    world.at(5)
    assert world.session.portfolio.lots("SCRIPTED", "BTC/USDT") == ()
    assert [trade.reason for step in world.memory.steps for trade in step.trades] == ["flatten"]
    world.at(7)
    assert world.memory.decided[-1].outcome == "paused"


@pytest.mark.parametrize("is_with_the_market", [False, True])
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "flatten",
            "closing 1 position at the next price; 1 waiting entry taken back; entries are paused",
        ),
        ("pause", "entries are paused; exits and stops go on; 1 waiting entry taken back"),
    ],
)
def test_entries_that_wait_are_taken_back_by_whoever_pauses_them(
    command: str, said: str, *, is_with_the_market: bool
) -> None:
    world = World({3: 5.0, 5: 1.0})
    for bar in (2, 3, 4, 5):
        world.at(bar)
    (order,) = world.loop.status(START).open_orders
    if is_with_the_market:
        # A price between two bars hands what arrived to the fill model.
        world.price = 100.0
        world.loop.step(START + 6 * HOUR + TICK)
        world.price = None
    assert world.tell(command).startswith(said)
    assert [one for one in world.loop.status(START).open_orders if "entry" in one.key] == []
    refused = [one for step in world.memory.steps for one in step.outcomes if isinstance(one, Refused)]
    assert [(one.intent.key, one.reason.value) for one in refused] == [(order.key, "withdrawn")]
    for bar in (6, 7):
        world.at(bar)
    entered = [event for step in world.memory.steps for event in step.fills if event.fill.side == "buy"]
    assert len(entered) == 1
    assert len(world.session.portfolio.lots("SCRIPTED", "BTC/USDT")) == (1 if command == "pause" else 0)
    assert world.account.desk.disagreements() == []
    assert check_books(world.account.journal) == []


@pytest.mark.parametrize(
    ("price", "why"),
    [
        (None, "SCRIPTED BTC/USDT: nobody tells its price now"),
        (
            50.0,
            "SCRIPTED BTC/USDT: its price 50 is far from 100: believed once it stays there for 10 s "
            "or a candle says so",
        ),
        (98.0, ""),
    ],
)
def test_what_is_to_be_closed_and_is_not_says_why(price: float | None, why: str) -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    world.price = price
    world.memory.given.append(Command(1, "flatten", ""))
    world.loop.step(START + 5 * HOUR + TICK)
    assert world.loop.not_closed() == ([why] if why else [])
    standing = [one.kind for one in world.loop.desk.status().standing]
    assert standing == (["flatten"] if why else [])
    if why:
        world.loop._price = None
        assert "stored candles tell no price of now" in world.loop.not_closed()[0]


def test_stop_ends_the_loop_after_the_step_and_leaves_positions() -> None:
    world = World({})
    assert not world.loop.is_stopped
    assert world.tell("stop") == "stopping after this step; positions stay as they are"
    assert world.loop.is_stopped


def test_a_tripped_breaker_is_told_and_reset_by_name_only() -> None:
    risk = RiskManager(1.0, 0.5)
    world = World({3: 1.0}, risk)
    for bar in (2, 3, 4):
        world.at(bar)
    crash = world.bars.low.copy()
    crash[5:] = 60.0
    close = np.where(np.arange(40) >= 5, 60.0, 100.0)
    world.bars = world.bars._replace(low=crash, close=close)
    world.at(5)
    assert [line for line in texts(world) if "tripped" in line] == ["breaker daily_loss tripped: equity"]
    assert world.lines == []
    assert "daily_loss" in world.loop.status(START).breakers
    assert world.tell("reset-breaker", "drawdown") == (
        "refused: breaker 'drawdown' is not tripped; tripped are: daily_loss"
    )
    assert world.tell("reset-breaker", "dayly_loss").startswith(
        "refused: unknown breaker 'dayly_loss': did you mean daily_loss"
    )
    assert world.tell("reset-breaker", "daily_loss").startswith(
        "breaker daily_loss is reset; its loss is measured anew, from this equity, "
    )
    assert world.tell("reset-breaker", "daily_loss").endswith("tripped are: none")


@pytest.mark.parametrize(("every", "price", "trips"), [(60, 96.0, True), (0, 96.0, False), (60, None, False)])
def test_between_bars_a_loss_trips_a_breaker_where_that_is_asked_for_and_the_price_is_known(
    every: int, price: float | None, trips: bool
) -> None:
    world = World({3: 1.0}, RiskManager(1.0, 0.5))
    world.loop.losses = LossWatch(world.session, every * 1000)
    for bar in (2, 3, 4):
        world.at(bar)
    world.price = 99.0
    world.at(4, late=10_000)
    assert world.session.risk.state.trips == {}
    world.price = price
    for second in (70, 140, 150):
        world.at(4, late=second * 1000)
    tripped = [name for step in world.memory.steps for name, _ in step.tripped]
    assert tripped == (["daily_loss"] if trips else [])


def test_a_step_is_kept_and_told_before_its_orders_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world, order = World({3: 1.0}), list[str]()
    desk, keep = world.account.desk, world.memory.keep
    monkeypatch.setattr(desk, "send", lambda: order.append("sent"))

    def kept(*what: Any) -> None:
        keep(*what)
        order.append("kept")

    monkeypatch.setattr(world.memory, "keep", kept)
    world.at(2)
    world.at(3)
    assert order == ["sent", "kept", "sent", "kept", "sent"]


def test_a_command_that_the_loop_does_not_know_is_refused() -> None:
    assert World({}).tell("dance") == "refused: this loop knows no command 'dance'"
    assert World({}).tell("reload") == "refused: this loop cannot read its rules again"


def test_a_strategy_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({})
    slot = world.session.slots[0]

    def broken(bar: object, held: object) -> object:
        raise ZeroDivisionError("a rule went wrong")

    monkeypatch.setattr(slot.decider, "decide", broken)
    world.at(2)
    failed = world.loop.status(START).quarantined
    (line,) = [text_of(one) for one in events_of(world.memory.steps[-1], failed) if one["event"] != "equity"]
    assert line.startswith("SCRIPTED failed and enters nothing any more, the others go on: ZeroDivisionError")
    assert world.lines == []


def test_signs_of_life_come_every_second_in_which_no_step_was_kept() -> None:
    world = World({})
    world.at(2)
    now = START + 3 * HOUR
    for ms in (1, 999, 1000, 1500):
        world.loop.step(now + ms)
    assert world.memory.beats == [now + 1000]


@pytest.mark.unmeasured
@statistics
@pytest.mark.parametrize("seed", range(tries(6, 1)))
def test_a_restart_at_any_bar_goes_on_as_if_nothing_had_happened(seed: int) -> None:
    bars = ordered_bars(seed)
    whole = account_of(None, [BTC, ETH])
    whole.open()
    expected = run(whole, groups(bars))
    assert check_books(whole.journal) == []
    for cut in range(5 + seed, bars.close.size, 29):
        journal = memory_journal("test")
        first = account_of(None, [BTC, ETH], journal)
        first.open()
        run(first, groups(bars.until(cut)))
        kept = json.loads(json.dumps(first.snapshot(), allow_nan=False))
        again = account_of(None, [BTC, ETH], journal)
        restored = again.open(kept, int(bars.ts[cut - 1]) + HOUR)
        assert restored is not None
        assert set(restored.newest.values()) == {int(bars.ts[cut - 1])}
        # A strategy needs its candles; the scripted one needs the newest only.
        for slot in again.session.slots:
            decider = slot.decider
            assert isinstance(decider, LiveDecider)
            decider.strategy.state[slot.symbol] = first_state(first.session, slot.symbol)
        again.desk.send()
        found = run(again, groups(bars.since(cut)))
        assert [plain(step) for step in found] == [plain(step) for step in expected[cut:]]
        assert again.session.portfolio.cash == whole.session.portfolio.cash
        assert again.session.portfolio.results == whole.session.portfolio.results
        assert again.desk.path.balances() == whole.desk.path.balances()
        assert check_books(journal) == []


def ordered_bars(seed: int) -> Bars:
    bars = random_bars(seed, 120, volatility=0.02, price=100.0)
    rng = np.random.default_rng(seed)
    orders = rng.choice(10, bars.close.size, p=[0.4, 0.1, 0.1, 0.08, 0.02, 0.1, 0.08, 0.05, 0.05, 0.02])
    return bars._replace(volume=orders.astype(float))


def run(account: Account, given: list[list[Any]]) -> list[Step]:
    """Take bars as the loop does: the step first, then its orders."""
    steps = []
    for group in given:
        account.desk.at(group[0].end)
        steps.append(account.session.on_bars(group))
        account.desk.send()
    return steps


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(tries(4, 1)))
def test_a_journal_changes_nothing(seed: int) -> None:
    bars = ordered_bars(seed)
    account = account_of(None, [BTC, ETH])
    account.open()
    costs, risk = Costs(0.001), wide_open()
    portfolio = Portfolio(10_000.0, commission=costs.commission)
    paper = PaperFills(portfolio.settled, costs, risk.markets)
    session = Session(Executor(portfolio, risk, paper, costs))
    for slot in account_of(None, [BTC, ETH]).session.slots:
        session.add(slot.strategy, slot.symbol, account.session.executor.plans["SCRIPTED"], slot.decider)
    expected = [session.on_bars(group) for group in groups(bars)]
    found = run(account, groups(bars))
    assert [plain(step) for step in found] == [plain(step) for step in expected]
    assert account.model.cash == account.session.portfolio.settled == portfolio.settled
    assert sum(len(step.trades) for step in found) > 20
    held = account.desk.path.positions()
    assert account.positions() == held


def groups(bars: Bars) -> list[list[Any]]:
    from core.domain import Bar

    rows = zip(*(column.tolist() for column in bars), strict=True)
    return [
        [Bar(symbol, "1h", row[0], row[0] + HOUR, *row[1:]) for symbol in ("BTC/USDT", "ETH/USDT")]
        for row in rows
    ]


def first_state(session: Session, symbol: str) -> dict[str, Any]:
    (slot,) = (slot for slot in session.slots if slot.symbol == symbol)
    assert isinstance(slot.decider, LiveDecider)
    return dict(slot.decider.strategy.state[symbol])


def plain(step: Step) -> tuple[Any, ...]:
    """Return what a step brought, without numbers of bars, which a restart may count anew."""
    fills = [
        (event.fill.side, event.fill.amount, event.fill.price, event.fill.fee, event.intent.key)
        for event in step.fills
    ]
    trades = [trade._replace(entry_bar=0, exit_bar=0) for trade in step.trades]
    outcomes = [(outcome.intent.key, type(outcome).__name__) for outcome in step.outcomes]
    return step.time, step.equity, fills, trades, outcomes


def test_a_snapshot_of_another_format_or_venue_is_refused() -> None:
    account = account_of(None, [BTC])
    kept = account.snapshot()
    with pytest.raises(UsageError, match="format 99, this program reads 2"):
        restore(account.session, kept | {"format": 99})
    with pytest.raises(UsageError, match="trades on paper, not on exchange: choose --orders paper"):
        restore(account.session, kept, "exchange")


def test_while_the_time_is_not_sure_nothing_closes_but_stops_and_commands_go_on() -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    world.memory.given.append(Command(1, "pause", ""))
    world.price = 94.0
    (step,) = world.loop.step(START + 9 * HOUR, is_sure=False)
    assert [event.fill.reason for event in step.fills] == ["stop"]
    assert step.bars == ()
    assert world.memory.answers == [("pause", "entries are paused; exits and stops go on")]
    assert [len(world.at(bar)) for bar in (5,)] == [1]


def test_while_candles_cannot_be_read_stops_go_on() -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)

    def away(series: Series, start: int, end: int) -> Bars:
        raise ExchangeUnreachableError("no answer")

    world.loop.feed._read = away
    world.price = 94.0
    (step,) = world.at(5, late=TICK)
    assert [event.fill.reason for event in step.fills] == ["stop"]
    assert str(world.loop.trouble) == "no answer"


def test_what_a_missing_strategy_holds_is_never_forgotten() -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    kept = world.account.snapshot()
    other = account_of(None, [ETH])
    with pytest.raises(UsageError, match="holds BTC/USDT of SCRIPTED, which is not to trade it now"):
        restore(other.session, kept)


@pytest.mark.parametrize(("bars", "what"), [((2, 3, 4), "holds"), ((2, 3), "has an order in")])
def test_what_is_held_or_ordered_goes_on_with_the_same_bars(bars: tuple[int, ...], what: str) -> None:
    world = World({3: 1.0})
    for bar in bars:
        world.at(bar)
    kept = json.loads(json.dumps(world.account.snapshot()))
    other = account_of(None, [BTC._replace(timeframe="4h")])
    said = (
        rf"the account {what} BTC/USDT of SCRIPTED on 1h, and 4h is asked for: go on with --timeframe 1h, or"
    )
    start = proposed("a3", db_url="sqlite:///x.db", once=True)
    with pytest.raises(UsageError, match=said) as refused:
        restore(other.session, kept, start=start)
    typed = run_live.parse(str(refused.value).partition("run_live.py ")[2].split())
    assert (typed.account, typed.db_url, typed.timeframe) == ("a3", "sqlite:///x.db", "1h")
    assert typed.once
    assert typed.flatten
    restore(account_of(None, [BTC]).session, kept)


def test_a_bar_that_closed_before_the_entry_decides_nothing_about_it() -> None:
    world = World({3: 1.0, 5: 3.0, 6: 3.0})
    for bar in (2, 3, 4):
        world.at(bar)
    portfolio = world.session.portfolio
    (lot,) = portfolio.lots("SCRIPTED", "BTC/USDT")
    for bar, entered in ((5, world.ts[6]), (6, world.ts[7] - 1)):
        portfolio.adopt("SCRIPTED", "BTC/USDT", [replace(lot, entry_time=int(entered))])
        world.at(bar)
        found = [one.action for one in world.memory.decided]
        assert found == ["entry buy", "exit sell"][: 1 if bar == 5 else 2]


def test_a_price_that_jumps_past_a_stop_closes_once_it_stayed_there_and_one_wrong_price_never() -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    now = START + 5 * HOUR

    def looks(price: float, count: int) -> list[Step]:
        nonlocal now
        world.price, steps = price, []
        for _ in range(count):
            now += TICK
            steps += world.loop.step(now)
        return steps

    assert looks(55.0, 1) + looks(100.0, 2) == []
    told = "BTC/USDT: its price 55 is far from 100: believed once it stays there for 10 s or a candle says so"
    assert [line for line in world.lines if "far from" in line] == [
        f"{told}; until then its stops and takes see the price before"
    ]
    assert looks(55.0, 4) == []
    (step,) = looks(55.0, 1)
    ((event,),) = [step.fills]
    assert (event.fill.reason, float(event.fill.price)) == ("stop", 55.0)
    assert world.session.portfolio.marks["BTC/USDT"] == 55.0


def test_a_price_between_bars_closes_what_it_reaches_and_is_kept_as_a_step() -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    now = START + 5 * HOUR
    world.price = 94.0
    (step,) = world.loop.step(now + TICK)
    assert [event.fill.reason for event in step.fills] == ["stop"]
    assert step.bars == ()
    assert world.memory.steps[-1] == step
    assert world.session.portfolio.lots("SCRIPTED", "BTC/USDT") == ()
    assert world.account.desk.disagreements() == []


@pytest.mark.unmeasured
@pytest.mark.parametrize("price", [None, 0.0, 50.0, 99.0])
def test_a_price_that_nobody_knows_or_believes_closes_nothing(price: float | None) -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    world.price = price
    assert world.loop.step(START + 5 * HOUR + TICK) == []
    assert len(world.session.portfolio.lots("SCRIPTED", "BTC/USDT")) == 1


def test_prices_are_asked_for_every_few_seconds_and_of_what_is_held_only() -> None:
    world = World({3: 1.0})
    asked: list[str] = []
    world.loop._price = lambda symbol: asked.append(symbol)
    for bar in (2, 3):
        world.at(bar)
    assert asked == []
    world.at(4)
    now = START + 5 * HOUR
    for ms in (1, TICK - 1, TICK, TICK + 1, 2 * TICK):
        world.loop.step(now + ms)
    assert asked == ["BTC/USDT"] * 3


def test_what_a_person_wants_closed_closes_at_the_next_price() -> None:
    world = World({3: 1.0})
    for bar in (2, 3, 4):
        world.at(bar)
    world.tell("flatten")
    world.price = 98.0
    (step,) = world.loop.step(START + 5 * HOUR + TICK)
    assert [(event.fill.reason, float(event.fill.price)) for event in step.fills] == [("flatten", 98.0)]


def test_bars_that_close_at_one_time_may_come_one_after_the_other() -> None:
    bars = ordered_bars(0)
    account = account_of(None, [BTC, ETH])
    account.open()
    late = groups(bars)
    for group in late[:10]:
        for one in group:
            account.desk.at(one.end)
            account.session.on_bars([one])
            account.desk.send()
    assert account.desk.disagreements() == []
    assert check_books(account.journal) == []


def test_what_a_missing_strategy_ordered_is_never_forgotten() -> None:
    world = World({3: 1.0})
    for bar in (2, 3):
        world.at(bar)
    kept = world.account.snapshot()
    other = account_of(None, [ETH])
    with pytest.raises(UsageError, match="has an order in BTC/USDT of SCRIPTED, which is not to trade it"):
        restore(other.session, kept)


def test_flatten_without_anything_held_orders_nothing_and_pauses() -> None:
    world = World({})
    world.at(2)
    assert world.tell("flatten") == "closing 0 positions at the next price; entries are paused until resume"
    assert world.loop.status(START).open_orders == ()
    assert world.loop.status(START).paused == "flattened by command"


def test_an_entry_that_was_approved_and_is_refused_later_is_told_under_its_own_bar() -> None:
    world = World({3: 1.0, 4: 1.0})
    world.at(2)
    world.at(3)
    world.account.model.cash = 1.0
    (step,) = world.at(4)
    assert [type(outcome).__name__ for outcome in step.outcomes] == ["Refused", "Approved"]
    assert [(one.bar_ts, one.outcome) for one in world.memory.decided] == [
        (world.ts[3], "approved"),
        (world.ts[4], "approved"),
        (world.ts[3], "cash"),
    ]


def test_an_entry_that_a_limit_cut_is_kept_with_what_was_wanted_and_counted() -> None:
    limits = Limits(max_symbol_exposure_pct=5, max_risk_per_trade=0.005)
    world = World({3: 1.0}, RiskManager(0.01, None, limits, FREE))
    world.at(2)
    world.at(3)
    (one,) = world.memory.decided
    assert (one.outcome, one.detail["bound"]) == ("approved", "symbol_exposure")
    assert float(one.detail["amount"]) < float(one.detail["wanted"])
    status = world.loop.status(START + 4 * HOUR)
    assert status.cuts == {"SCRIPTED by symbol_exposure": 1}
    assert [line.split(":")[0] for line in status.limits] == [
        "risk.max_risk_per_trade",
        "SCRIPTED asks for 1 % of equity at risk and gets 0.5 %",
        "SCRIPTED may hold 95 % of equity, risk.max_symbol_exposure_pct leaves 5 %",
    ]


def fallen(risk: RiskManager, price: float) -> World:
    """Return an account that bought at 100 and whose bar 5 closes at this price."""
    world = World({3: 1.0, 4: 1.0}, risk)
    world.bars.close[5:], world.bars.low[5:], world.bars.open[6:] = price, price - 1, price
    for bar in range(2, 6):
        world.at(bar)
    return world


@pytest.mark.filterwarnings("ignore:.*is in percent")
def test_a_weekly_loss_closes_what_is_held_and_a_restart_carries_it_out_once() -> None:
    limits = Limits(max_weekly_loss_pct=0.5, allow_short=True)
    world = fallen(RiskManager(1.0, None, limits), 97.0)
    assert "breaker weekly_loss tripped: equity" in texts(world)
    (standing,) = world.loop.status(START).desk.standing  # type: ignore[union-attr]
    assert standing.told("run_live.py") == (
        "flatten BTC/USDT: SCRIPTED is ordered closed until it is, for weekly_loss; to keep it: "
        "run_live.py --account test --resume"
    )
    (order,) = world.loop.status(START).open_orders
    assert order.key.endswith("|flatten")
    kept = json.loads(json.dumps(world.account.snapshot()))
    again = account_of(RiskManager(1.0, None, limits), [BTC], world.account.journal)
    again.open(kept, START + 6 * HOUR)
    assert again.session.to_close == {("SCRIPTED", "BTC/USDT"): "weekly_loss"}
    memory, feed = Memory(), Feed(world.read, [BTC], {BTC: int(world.ts[5])})
    loop = Loop("x", again.session, feed, memory, world.lines.append, again.desk, lambda _: None)
    for bar in (6, 7):
        loop.step(START + (bar + 1) * HOUR)
    trades = [trade for step in memory.steps for trade in step.trades]
    assert [(trade.reason, trade.exit_price) for trade in trades] == [("breaker", 97.0)]
    assert again.session.to_close == {}
    assert loop.status(START).desk.standing == ()  # type: ignore[union-attr]
    assert check_books(world.account.journal) == []


@pytest.mark.filterwarnings("ignore:.*is in percent")
def test_a_daily_loss_closes_nothing() -> None:
    world = fallen(RiskManager(1.0, 0.5, Limits(allow_short=True)), 97.0)
    assert "breaker daily_loss tripped: equity" in texts(world)
    world.at(6)
    assert world.session.portfolio.lots("SCRIPTED", "BTC/USDT")


@pytest.mark.filterwarnings("ignore:.*is in percent")
def test_a_loss_that_a_fill_brings_between_two_bars_is_closed_by_the_loop() -> None:
    world = fallen(RiskManager(1.0, None, Limits(max_monthly_loss_pct=0.5, allow_short=True)), 100.0)
    world.price = 97.0
    world.session.portfolio.mark(BTC.symbol, 97.0)
    step = world.session.on_events([], START + 6 * HOUR)
    assert [name for name, _ in step.tripped] == ["monthly_loss"]
    for look in (1, 2, 3):
        world.loop.step(START + 6 * HOUR + look * TICK)
    trades = [trade for step in world.memory.steps for trade in step.trades]
    assert [(trade.reason, trade.exit_price) for trade in trades] == [("breaker", 97.0)]
