"""A compiled account (core.kernel.account): what it is given, and who answers what it asks in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core import fills
from core.account.orders import RefusalReason
from core.account.values import SeriesKey
from core.backtest.exact import ExactAnswers
from core.backtest.ledger import Ledger, Traded
from core.backtest.replay import ReplayAccount, ReplayFeed, plan_of, series_of
from core.domain import Bars, FloatArray, IntArray
from core.engine import Decided, Session
from core.execution import Executor
from core.kernel import account_pauses
from core.kernel import account_state as kernel
from core.kernel.account import DAY, account
from core.kernel.account_state import AllBars, BookArrays, FillLogs, FloatAccount, FloatLimits, Turns
from core.kernel.addresses import address_of
from core.kernel.frames import Group, frames_of
from core.kernel.scan import CODES, DEAR, DRIVEN, NUMBERS, STOPS, scan_of
from core.kernel.sets import SIZED_BY
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.regime.conditions import gauges
from core.risk.endings import ClosingScope
from core.risk.jumps import JumpTerms, jumps_of
from core.risk.limits import BREAKERS, Limits, active_pauses
from core.risk_manager import RiskManager, wide_open
from core.sizing import Gauges
from core.symbols import is_same_money, pair_of
from core.utils import timeframe_ms
from strategies.rule import StrategyRule, first_decision
from strategies.rule_check import checked_columns

if TYPE_CHECKING:
    from core.domain import Bar, PositionView

FIRST_ROOM = 4096
"""Trades that there is room for at first, beyond what a step can bring."""

WHY_NOT = {
    kernel.RUINED: "equity is gone",
    kernel.UNSURE: "a number is too near to a limit for floats to tell",
    kernel.UNSOUND: "a rule wants what no rule may want",
    kernel.PRICED: "an entry waits for a price",
}
"""Why a compiled account cannot go on."""


class _Decides:
    """Stands for a rule that decides in the compiled account."""

    def decide(self, bar: Bar, held: PositionView) -> Decided:  # noqa: ARG002 - this is asked nothing
        raise TypeError("the account has come to its end")


class CompiledAccount:
    """One account of compiled rules; it may be run once."""

    def __init__(self, feeds: Sequence[ReplayFeed], account: ReplayAccount) -> None:
        """Lay everything out. Raises UsageError as `replay` does."""
        self.feeds, self.account = feeds, account
        portfolio = Portfolio(account.cash, commission=account.costs.commission)
        self.risk = account.risk or wide_open(account.costs)
        self.desk = PaperFills(portfolio.settled, account.costs, self.risk.markets)
        self.session = Session(Executor(portfolio, self.risk, self.desk, account.costs))
        self.series = series_of(feeds)
        for feed in feeds:
            self.session.add(feed.name, feed.symbol, plan_of(feed), _Decides())
            self.desk.follow(feed.name, feed.symbol, feed.timeframe)
        self.turns = [feed for key in self.series for feed in feeds if _key(feed) == key]
        self.symbols = list(dict.fromkeys(symbol for symbol, _ in self.series))
        self.strategies = list(dict.fromkeys(feed.name for feed in feeds))
        self.kept: list[Any] = []
        """Arrays and code that the compiled account knows by address."""
        bars = _all_bars(self.series, self.symbols, self.risk.jump_terms)
        times = _times(bars)
        turns, firsts = self._turns()
        counters, numbers = np.zeros(kernel.COUNTERS, np.int64), np.zeros(kernel.NUMBERS)
        counters[[kernel.TURN, kernel.TODAY, kernel.ENDED]] = kernel.NOBODY, -1, -1
        numbers[kernel.SETTLED], numbers[kernel.BASE :] = portfolio.settled, -np.inf
        self.state = FloatAccount(
            *(times, bars, turns, _limits(self.risk, times), account.costs, self._books(firsts)),
            *(self._logs(times), counters, numbers),
        )
        self.ledger = Ledger(portfolio.deposits, account.costs.commission, self._traded())

    def run(self) -> str:
        """Run to the end; return why that cannot be, blank when it was."""
        run, exact = account().ready(self.state), ExactAnswers(self)
        while True:
            why = run()
            if why == kernel.DONE:
                return ""
            if why == kernel.NEEDS_ROOM:
                self.grow()
                run = account().ready(self.state)
            elif why == kernel.NEEDS_KEPT:
                exact.tell_kept()
            elif why == kernel.NEEDS_APPROVAL:
                exact.tell_approval()
            else:
                return WHY_NOT[why]

    def book(self) -> None:
        """Book exactly what was filled so far."""
        counters = self.state.counters
        self.ledger.catch_up(self.state.logs, int(counters[kernel.ENTERED]), int(counters[kernel.CLOSED]))

    def grow(self) -> None:
        """Make room for as much again in the logs."""
        logs = self.state.logs
        self.state = self.state._replace(
            logs=logs._replace(
                trades=_twice(logs.trades),
                of_trade=_twice(logs.of_trade),
                entries=_twice(logs.entries),
                orders=_twice(logs.orders),
            )
        )

    def _turns(self) -> tuple[Turns, IntArray]:
        """Return who trades what, and the first bar that each decides on."""
        keys, limits = list(self.series), self.risk.limits
        series = [keys.index(_key(feed)) for feed in self.turns]
        begins = [int(feed.bars.ts[0]) + timeframe_ms(feed.timeframe) for feed in self.turns]
        names = [(feed.name, feed.symbol) for feed in self.turns]
        rules = [_rule(feed) for feed in self.turns]
        plans = [self.session.executor.plans[feed.name] for feed in self.turns]
        counts = (is_same_money(pair_of(symbol).quote, limits.min_notional_currency) for _, symbol in names)
        codes, firsts = self._codes(rules)
        scans, frames, values = codes
        measured, volatility, fit = self._measures(rules)
        turns = Turns(
            np.searchsorted(series, np.arange(len(keys) + 1)),
            np.array(series),
            np.array([self.symbols.index(symbol) for _, symbol in names]),
            np.array([self.strategies.index(name) for name, _ in names]),
            np.array([int(rule.is_ladder) for rule in rules]),
            scans,
            frames,
            values,
            np.array([names.index((feed.name, feed.symbol)) for feed in self.feeds]),
            np.array(sorted(range(len(names)), key=lambda q: (begins[q], q))),
            np.array([self.session.executor.sizing(plan)[: len(SIZED_BY)] for plan in plans]),
            measured,
            volatility,
            fit,
            np.array([limits.min_notional or 0.0 if is_one else 0.0 for is_one in counts]),
        )
        return turns, firsts

    def _codes(self, rules: Sequence[StrategyRule]) -> tuple[list[IntArray], IntArray]:
        """Return the addresses of the rules' searches and of what they look at, and the first decisions."""
        rows, firsts = [], []
        for feed, rule in zip(self.turns, rules, strict=True):
            params = rule.make_params(feed.params)
            columns = checked_columns(rule, feed.bars, params)
            scan = scan_of(rule, type(columns), type(params))
            frames, held = frames_of(feed.bars, [Group(columns, Gauges(np.ones(1), np.ones(1)))])
            values = np.array(params, np.float64)
            self.kept += [scan, frames, held, values]
            rows.append([scan.address, address_of(frames), address_of(values)])
            firsts.append(first_decision(columns))
        return list(np.array(rows, np.int64).T.copy()), np.array(firsts)

    def _measures(self, rules: Sequence[StrategyRule]) -> tuple[IntArray, Any, Any]:
        """Return where the market's measures begin for each turn, and these."""
        places, length, volatility, fit = [], 0, [np.ones(0)], [np.ones(0)]
        for feed, rule in zip(self.turns, rules, strict=True):
            choices = rule.make_choices(feed.params)
            is_plain = choices.vol_target <= 0 and not choices.looks_at_regime
            places.append(-1 if is_plain else length)
            if not is_plain:
                found = gauges(feed.bars, choices)
                volatility.append(found.volatility)
                fit.append(found.fit)
                length += feed.bars.ts.size
        return np.array(places), np.concatenate(volatility), np.concatenate(fit)

    def _books(self, firsts: IntArray) -> BookArrays:
        turns, series, whose = len(self.turns), len(self.series), len(self.strategies)
        told, codes = np.zeros(NUMBERS), np.zeros(CODES, np.int64)
        # The account moves stops, and refuses what is too dear, itself.
        told[DEAR], codes[DRIVEN] = np.inf, STOPS
        return BookArrays(
            np.stack([fills.open_book(0.0) for _ in range(turns)]),
            *(np.zeros(turns), np.zeros(turns), np.zeros(turns)),
            *(np.full(turns, -np.inf), np.full(turns, np.inf)),
            firsts,
            np.zeros(turns),
            *(np.full(series, -1), np.zeros(series, np.int64)),
            *(np.full(len(self.symbols), np.nan), np.full(len(self.symbols), np.nan)),
            *(np.zeros(turns, np.int64), np.zeros(turns, np.int64), np.zeros(turns, np.int64)),
            np.full(whose, int(kernel.NEVER)),
            np.full((account_pauses.ROWS, turns), kernel.NEVER),
            np.full(len(self.symbols), kernel.NEVER),
            *(told, codes),
            fills.open_book(0.0),
            np.zeros((3, whose, kernel.BY_LIMIT + len(RefusalReason)), np.int64),
            np.zeros((3, whose), np.int64),
        )

    def _logs(self, times: IntArray) -> FillLogs:
        room = FIRST_ROOM + 128 * len(self.turns)
        days = int(times[-1] // DAY - times[0] // DAY) + 3
        return FillLogs(
            fills.make_trades(room),
            np.zeros(room, np.int64),
            np.zeros((room, 5)),
            np.zeros(room, np.int64),
            np.zeros((kernel.LOSSES * days, 3), np.int64),
            np.zeros(times.size),
        )

    def _traded(self) -> list[Traded]:
        return [
            Traded(feed.name, feed.symbol, feed.bars.ts, feed.bars.open, timeframe_ms(feed.timeframe))
            for feed in self.turns
        ]


def _twice(log: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([log, np.zeros_like(log)])


def _key(feed: ReplayFeed) -> SeriesKey:
    return feed.symbol, feed.timeframe


def _rule(feed: ReplayFeed) -> StrategyRule:
    if isinstance(feed.strategy, type):
        raise TypeError(f"{feed.name} has no rule to compile")
    return feed.strategy.rule


def _all_bars(series: dict[SeriesKey, Bars], symbols: Sequence[str], terms: JumpTerms) -> AllBars:
    ends = [bars.ts + timeframe_ms(timeframe) for (_, timeframe), bars in series.items()]
    several = list(series.values())
    jumps = jumps_of(series, terms) if terms.are_on else [np.zeros(0, bool)]
    return AllBars(
        np.concatenate(ends),
        np.concatenate([bars.open for bars in several]),
        np.concatenate([bars.high for bars in several]),
        np.concatenate([bars.low for bars in several]),
        np.concatenate([bars.close for bars in several]),
        np.cumsum([0, *(bars.ts.size for bars in several)]),
        np.array([symbols.index(symbol) for symbol, _ in series]),
        np.concatenate(jumps).astype(np.int64),
    )


def _times(bars: AllBars) -> IntArray:
    """Return when anything closes."""
    several = [bars.ends[first:last] for first, last in pairwise(bars.starts.tolist())]
    if all(np.array_equal(one, several[0]) for one in several):
        return several[0].copy()
    return np.unique(bars.ends)


def _limits(risk: RiskManager, times: IntArray) -> FloatLimits:
    limits = risk.limits
    return FloatLimits(
        *_losses(risk, times),
        _or_none(limits.max_exposure_pct),
        _or_none(limits.max_symbol_exposure_pct),
        _or_none(limits.max_strategy_exposure_pct),
        _or_none(limits.max_position_pct),
        _or_none(limits.max_correlated_exposure_pct),
        _or_none(limits.max_order),
        _or_none(limits.cash_reserve_pct),
        int(_or_none(limits.max_positions)),
        60_000.0 * (limits.cool_down_minutes or 0),
        int(_or_none(limits.max_orders_per_minute)),
        int(_or_none(limits.max_orders_per_day)),
        _or_none(limits.price_band_pct),
        int(limits.allow_short),
        limits.correlation_cut or 0.0,
        float(risk.jump_terms.length) if risk.jump_terms.are_on else -1.0,
        *(limits.recovery_minutes * 60_000.0, 1.0 - (limits.recovery_cut or 0.0)),
        *_pauses(limits),
    )


def _losses(
    risk: RiskManager, times: IntArray
) -> tuple[FloatArray, IntArray, int, IntArray, IntArray, IntArray]:
    """Return what is left at each loss that trips a breaker, the windows of all days, and the endings."""
    rows = [(row, row.loss) for row in risk.rows if row.loss is not None]
    days = range(int(times[0] // DAY), int(times[-1] // DAY) + 1)
    windows = [[loss.window.number(day * DAY) if loss.window else 0 for _, loss in rows] for day in days]
    closes, reasons = list(ClosingScope), list(RefusalReason)
    return (
        np.array([_left(risk.threshold(loss.setting)) for _, loss in rows]),
        np.array(windows),
        days.start,
        np.array([int(row.ending.is_by_name) for row, _ in rows]),
        np.array([closes.index(row.ending.closes) for row, _ in rows]),
        np.array([reasons.index(row.reason) for row, _ in rows]),
    )


def _pauses(limits: Limits) -> tuple[FloatArray, int]:
    """Return the terms of pauses, and whether any is on."""
    rows = [row.name for row in BREAKERS if row.pause is not None]
    terms = np.zeros((account_pauses.ROWS, account_pauses.COLUMNS))
    active = active_pauses(asdict(limits))
    for one in active:
        terms[rows.index(one.name)] = (1.0, *one.terms)
    return terms, int(bool(active))


def _left(loss_pct: float | None) -> float:
    """Return what is left of equity at a loss in percent, -1 for no limit."""
    return -1.0 if loss_pct is None else 1 - loss_pct / 100


def _or_none(limit: float | None) -> float:
    return -1.0 if limit is None else float(limit)
