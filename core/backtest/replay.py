"""Stored bars through a session: a portfolio backtest of several strategies on one account.

The clock is the bars' close time. Decisions come from columns computed once over all bars: they are causal,
which `run_backtest.py --verify` proves on any candles, so they equal what a live window gives.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.account.lots import Trade
from core.account.orders import Purpose, Refused
from core.account.values import SeriesKey
from core.domain import Bar, Bars, Costs, FloatArray, IntArray, PositionView
from core.engine import Decided, Decider, LiveDecider, Session, Step
from core.errors import UsageError
from core.execution import Executor, Plan
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.regime.conditions import gauges
from core.results.measures import Summary, as_summary, max_drawdown, measure, span_of
from core.risk.breakers import Trip
from core.risk_manager import RiskManager, wide_open
from core.sizing import PLAIN, Choices
from core.utils import timeframe_ms
from strategies.rule import StrategyRule, first_decision
from strategies.rule_check import check_decision, checked_columns, soundness_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.results.runs import LookedAt
    from strategies.base import BaseStrategy
    from strategies.registry import Strategy


class ReplayFeed(NamedTuple):
    """One strategy on one series of bars."""

    name: str
    """What the strategy is called on this account."""
    strategy: Strategy | type[BaseStrategy]
    """A class is run through its on_bar, whatever rule it has: there is one way to run it, and no proof."""
    params: Mapping[str, float]
    symbol: str
    timeframe: str
    bars: Bars
    looked_at: tuple[LookedAt, ...] = ()
    """The other candles that it looks at."""


class ReplayAccount(NamedTuple):
    """The account that is replayed."""

    cash: float
    costs: Costs
    risk: RiskManager | None = None
    """None: no limits but cash, as in a backtest."""
    volume_share: float | None = None
    """The most of a bar's volume that an order gets; None for no limit."""


class Replay(NamedTuple):
    """What a replay found."""

    trades: dict[str, tuple[Trade, ...]]
    """By strategy, in the order they were closed."""
    times: IntArray
    """Close times at which anything closed, ms UTC."""
    equity: FloatArray
    """The account's at these times, open profit included; 0 once it is ruined."""
    refusals: dict[str, Counter[str]]
    """How many entries were refused, by strategy and reason."""
    bounds: dict[str, Counter[str]]
    """How many entries were made, by strategy and what bound their size."""
    cuts: dict[str, Counter[str]]
    """How many of these a limit of the account cut, by strategy and limit."""
    trips: tuple[tuple[str, Trip], ...]
    """Breakers in the order they tripped."""
    bars: int
    """Of all feeds together."""
    session: Session
    """As it stands at the end, with portfolio and risk manager."""
    desk: PaperFills


class ColumnsDecider:
    """A rule deciding from columns of all bars, one bar after the other."""

    def __init__(self, rule: StrategyRule, params: Any, bars: Bars, choices: Choices = PLAIN) -> None:
        columns = checked_columns(rule, bars, params)
        self._rule, self._decide, self._params = rule, rule.decide, params
        self._is_sound = soundness_of(rule)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        self._rows = [type(columns)._make(row) for row in rows]
        self._first, self._next = first_decision(columns), 0
        self._measured = list(zip(*(column.tolist() for column in gauges(bars, choices)), strict=True))

    def decide(self, bar: Bar, held: PositionView) -> Decided:
        """Return what the rule wants at the next bar's close. Raises UsageError for what no rule may want."""
        i = self._next
        self._next = i + 1
        if i < self._first:
            return _WARMING_UP
        wanted = self._decide(self._rows[i], self._rows[i - 1], held, self._params)
        if not self._is_sound(wanted, held):
            check_decision(self._rule, wanted, held, bar.ts)
        return Decided(wanted, (), self._measured[i])


_WARMING_UP = Decided(None)


def replay(
    feeds: Sequence[ReplayFeed],
    account: ReplayAccount,
    on_step: Callable[[Step], object] | None = None,
    *,
    as_live: bool = False,
) -> Replay:
    """Run all feeds on one account; `on_step` is shown every step. What is open at the end is closed.

    `as_live`: decide as the live loop does, through BaseStrategy, which is slower and gives the same.
    Raises UsageError when a strategy is to trade a symbol twice.
    """
    portfolio = Portfolio(account.cash, commission=account.costs.commission)
    risk = account.risk or wide_open(account.costs)
    desk = PaperFills(portfolio.settled, account.costs, risk.markets, account.volume_share)
    session = Session(Executor(portfolio, risk, desk, account.costs))
    for feed in feeds:
        add(session, feed, as_live=as_live)
        desk.follow(feed.name, feed.symbol, feed.timeframe)
    record = _Record(on_step)
    for group in groups(feeds):
        record.add(session.on_bars(group), is_ruined=desk.is_ruined)
    if record.times and not desk.is_ruined:
        record.end(session.on_events(desk.close_at_the_end(), record.times[-1]))
    names = dict.fromkeys(feed.name for feed in feeds)
    return Replay(
        trades={name: tuple(trade for trade in record.trades if trade.strategy == name) for name in names},
        times=np.array(record.times, np.int64),
        equity=np.array(record.equity),
        refusals=record.refusals,
        bounds=record.bounds,
        cuts=record.cuts,
        trips=tuple(record.trips),
        bars=sum(int(feed.bars.ts.size) for feed in feeds),
        session=session,
        desk=desk,
    )


def account_summary(run: Replay) -> Summary:
    """Return the account's figures; exposure and buy and hold are of one series, so None here."""
    pnl = np.array([float(trade.pnl) for trades in run.trades.values() for trade in trades])
    drawdown = 100 * max_drawdown(run.equity)
    return as_summary(measure(span_of(run.times), run.equity, pnl, math.nan, drawdown, math.nan))


class _Record:
    """Collects what the steps bring."""

    def __init__(self, on_step: Callable[[Step], object] | None) -> None:
        self.on_step = on_step
        self.times: list[int] = []
        self.equity: list[float] = []
        self.trades: list[Trade] = []
        self.refusals: dict[str, Counter[str]] = {}
        self.bounds: dict[str, Counter[str]] = {}
        self.cuts: dict[str, Counter[str]] = {}
        self._cut_by: dict[str, str] = {}
        """By key of an order that waits: the limit that cut it."""
        self.trips: list[tuple[str, Trip]] = []

    def add(self, step: Step, *, is_ruined: bool) -> None:
        self.times.append(step.time)
        self.equity.append(0.0 if is_ruined else step.equity)
        self._note(step)

    def end(self, step: Step) -> None:
        """Take what closing everything brought; the last equity is then the cash."""
        self.equity[-1] = step.equity
        self._note(step)

    def _note(self, step: Step) -> None:
        self.trades += step.trades
        self.trips += step.tripped
        for outcome in step.outcomes:
            name = outcome.intent.strategy
            if isinstance(outcome, Refused):
                self.refusals.setdefault(name, Counter())[outcome.reason.value] += 1
            elif outcome.cut is not None:
                self._cut_by[outcome.intent.key] = outcome.cut.limit.value
        for intent in (one.intent for one in step.fills if one.intent.purpose is Purpose.ENTRY):
            self.bounds.setdefault(intent.strategy, Counter())[intent.bound] += 1
            if limit := self._cut_by.pop(intent.key, None):
                self.cuts.setdefault(intent.strategy, Counter())[limit] += 1
        if self.on_step is not None:
            self.on_step(step)


def add(session: Session, feed: ReplayFeed, *, as_live: bool = False) -> None:
    """Let a feed's strategy trade in a session. Raises UsageError when it trades that symbol already."""
    if isinstance(feed.strategy, type):
        session.add(feed.name, feed.symbol, plan_of(feed), LiveDecider(feed.symbol, _own(feed)))
        return
    rule = feed.strategy.rule
    params, choices = rule.make_params(feed.params), rule.make_choices(feed.params)
    decider: Decider = (
        LiveDecider(feed.symbol, feed.strategy.live({"params": rule.complete(feed.params)}))
        if as_live
        else ColumnsDecider(rule, params, feed.bars, choices)
    )
    session.add(feed.name, feed.symbol, plan_of(feed), decider)


def plan_of(feed: ReplayFeed) -> Plan:
    """Return how a feed's strategy trades."""
    if isinstance(feed.strategy, type):
        own = _own(feed)
        return Plan(feed.timeframe, own.sizing, hasattr(own, "rule") and own.rule.is_ladder)
    rule = feed.strategy.rule
    sizing = rule.sizing(rule.make_params(feed.params), rule.make_choices(feed.params))
    return Plan(feed.timeframe, sizing, rule.is_ladder)


def _own(feed: ReplayFeed) -> BaseStrategy:
    """Return a class of a person's own, with the entry of strategies.yaml that it would have."""
    kind: Any = feed.strategy
    made: BaseStrategy = kind(
        {"symbols": [feed.symbol], "timeframe": feed.timeframe, "params": dict(feed.params)}
    )
    return made


def groups(feeds: Sequence[ReplayFeed]) -> Iterator[list[Bar]]:
    """Yield the bars of all series that close at one time, oldest first, each bar once. Raises UsageError."""
    streams = [_stream(*key, bars) for key, bars in series_of(feeds).items()]
    if len(streams) == 1:
        yield from ([bar] for bar in streams[0])
        return
    for _, group in groupby(merge(*streams, key=_end), key=_end):
        yield list(group)


def series_of(feeds: Sequence[ReplayFeed]) -> dict[SeriesKey, Bars]:
    """Return the bars of each series. Raises UsageError for other bars than a strategy before has."""
    series: dict[SeriesKey, Bars] = {}
    for feed in feeds:
        known = series.setdefault((feed.symbol, feed.timeframe), feed.bars)
        if not np.array_equal(known.ts, feed.bars.ts):
            raise UsageError(
                f"{feed.symbol} {feed.timeframe}: {feed.name} has other bars than a strategy before it: "
                "give all of one series the same"
            )
    return series


def _stream(symbol: str, timeframe: str, bars: Bars) -> Iterator[Bar]:
    step = timeframe_ms(timeframe)
    for values in zip(*(column.tolist() for column in bars), strict=True):
        yield Bar(symbol, timeframe, values[0], values[0] + step, *values[1:])


_end = attrgetter("end")
