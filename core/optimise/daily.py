"""What each parameter set made day by day, on a part of the bars whose columns were warm when it began."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, IntArray
from core.fills import ENTRY_BAR, ENTRY_PRICE, EXIT_BAR, PNL, SIZE
from core.kernel.frames import Group
from core.kernel.sets import SIZED_BY, SetRunner, Sets
from core.optimise.column_groups import ColumnGroups
from core.optimise.param_sets import ParamSet, parse
from core.regime.conditions import short_gauges
from core.results.measures import DAY, hold_curve
from core.sizing import Gauges
from core.utils import timeframe_ms
from core.verdict.benchmarks import Spans
from strategies.memo import Memo, keeping
from strategies.rule import StrategyRule, can_trade
from strategies.rule_check import check_values, require

BLOCK_BYTES = 8 * 2**20
"""Equity curves and columns of the sets that run in one call."""
MEMO_BYTES = 128 * 2**20
"""Indicator results that all threads keep together."""


class Stretch(NamedTuple):
    """Bars of one series, and the part of them that is traded."""

    bars: Bars
    timeframe: str
    start: int = 0
    """Row of the first bar that is decided on; those before it warm the columns up, and no more."""

    @property
    def traded(self) -> Bars:
        """The bars that are traded."""
        return self.bars.since(self.start)

    @property
    def closes(self) -> IntArray:
        """When each of them closes, ms UTC."""
        return self.traded.ts + timeframe_ms(self.timeframe)


class DailyRuns(NamedTuple):
    """What runs came to, a row or a number for each set."""

    returns: FloatArray
    """Shape (sets, days): a day's equity over the day before's, less 1; the first is over the cash."""
    trades: IntArray
    """Closed trades."""


def day_ends(start: int, stop: int) -> IntArray:
    """Return the ends of the calendar days, UTC, from one moment to another, ms; the last may end early."""
    ends = np.arange(start // DAY + 1, -(-stop // DAY) + 1) * DAY
    return np.minimum(ends, stop)


def daily_returns(closes: IntArray, curves: FloatArray, ends: IntArray, first: float) -> FloatArray:
    """Return each day's return of curves at the closes, shape (rows, bars) to (rows, days).

    A day without a close carries the day before's; before the first close a curve is worth `first`. An
    account that has nothing left makes nothing.
    """
    places = np.searchsorted(closes, ends, side="right") - 1
    worth = np.where(places >= 0, curves[:, np.maximum(places, 0)], first)
    before = np.concatenate([np.full((len(curves), 1), first), worth[:, :-1]], axis=1)
    with np.errstate(all="ignore"):
        found: FloatArray = np.where(before > 0, worth / before - 1, 0.0)
    return found


def daily_runs(
    stretch: Stretch,
    rule: StrategyRule,
    sets: Sequence[Mapping[str, float]],
    costs: Costs,
    cash: float,
    ends: IntArray,
    threads: int | None = None,
) -> DailyRuns:
    """Run sets on a stretch, flat at its first bar and closed at its last, and return what each day made.

    Columns are computed over all of the stretch's bars, which end where it ends: each begins with warm
    columns and knows nothing of later. A set whose columns are not warm makes nothing. `ends` are the days'
    (`day_ends`). Raises UsageError for a wrong parameter or decision.
    """
    params = parse(rule, sets)
    found = DailyRuns(np.zeros((len(params), ends.size)), np.zeros(len(params), np.int64))
    closes, workers = stretch.closes, threads or os.cpu_count() or 1
    blocks, lock = _blocks(len(params), stretch.traded.ts.size, workers), Lock()

    def work() -> None:
        runner = _Runner(stretch, rule, costs, cash)
        with keeping(memo):
            while True:
                with lock:
                    block = next(blocks, None)
                if block is None:
                    return
                curves, counts = runner.run(params[block])
                found.returns[block] = daily_returns(closes, curves, ends, cash)
                found.trades[block] = counts

    if closes.size and params:
        memo, own = Memo(MEMO_BYTES), params[0].own
        # The first set: a rule whose columns are wrong is so with any.
        require(check_values(rule, own, stretch.bars, rule.columns_of(stretch.bars, own)))
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(work) for _ in range(workers)]:
                done.result()
    return found


def cut_columns(columns: Any, start: int) -> Any:
    """Return a rule's columns from a row on."""
    if start == 0:
        return columns
    return type(columns)(*[np.ascontiguousarray(column[start:]) for column in columns])


def cut_gauges(gauges: Gauges, start: int) -> Gauges:
    """Return gauges from a row on; those that are one number are so everywhere."""
    return Gauges(*(one if one.size == 1 else one[start:] for one in gauges))


class TradesMade(NamedTuple):
    """A set's trades as core.verdict wants them."""

    spans: Spans
    """Where they lie on the traded bars."""
    returns: FloatArray
    """What each made, as a fraction of the equity at its entry."""


def trades_made(
    stretch: Stretch, rule: StrategyRule, given: Mapping[str, float], costs: Costs, cash: float
) -> TradesMade:
    """Return a set's trades on the stretch's traded bars."""
    runner = _Runner(stretch, rule, costs, cash)
    curves, _ = runner.run(parse(rule, [given]))
    trades = runner.trades
    entries = trades[:, ENTRY_BAR].astype(np.int64)
    worth = np.concatenate([[cash], curves[0]])[entries]
    with np.errstate(all="ignore"):
        exposures = np.where(worth > 0, trades[:, SIZE] * trades[:, ENTRY_PRICE] / worth, 0.0)
        returns = np.where(worth > 0, trades[:, PNL] / worth, 0.0)
    paid = np.full(entries.size, 2 * costs.commission + costs.spread)
    return TradesMade(Spans(entries, trades[:, EXIT_BAR].astype(np.int64), exposures, paid), returns)


def hold_returns(stretch: Stretch, costs: Costs, ends: IntArray) -> FloatArray:
    """Return what buying at the first open and holding makes each day, shape (days,)."""
    curve = hold_curve(stretch.traded, costs)[None, :]
    found: FloatArray = daily_returns(stretch.closes, curve, ends, 1.0)[0]
    return found


def _blocks(count: int, length: int, workers: int) -> Iterator[slice]:
    most = max(1, BLOCK_BYTES // (8 * max(1, length)))
    size = max(1, min(most, -(-count // (2 * workers))))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


class _Runner:
    """Runs sets on one stretch; for one thread."""

    def __init__(self, stretch: Stretch, rule: StrategyRule, costs: Costs, cash: float) -> None:
        self._stretch, self._rule, self._cash = stretch, rule, cash
        self._runner = SetRunner(rule, costs, cash)
        self.trades: FloatArray = np.empty((0, 0))
        """Of the last run."""

    def run(self, params: Sequence[ParamSet]) -> tuple[FloatArray, IntArray]:
        """Return equity at each close, shape (sets, bars), and how many trades each set closed."""
        bars = self._stretch.traded
        groups, sets = self._table(params)
        curves = np.empty((len(params), bars.close.size))
        ran, trades = self._runner.run(bars, groups, sets, curves)
        # A run that never warmed up leaves its row as it was.
        curves[[not can_trade(bars.close.size, int(first)) for first in ran.firsts]] = self._cash
        ends = np.asarray(ran.ends, np.int64)
        self.trades = trades[: int(ends[-1])]
        return curves, np.diff(ends, prepend=0)

    def _table(self, params: Sequence[ParamSet]) -> tuple[list[Group], Sets]:
        """Return the sets as the compiled loop takes them, and what they look at."""
        rule, whole, start = self._rule, self._stretch.bars, self._stretch.start
        made = ColumnGroups(lambda own: cut_columns(rule.columns_of(whole, own), start))
        groups: list[Group] = []
        numbers: dict[Any, int] = {}
        of_set, sizings = [], []
        for own, choices in params:
            columns = made.find(own)
            key = id(columns), choices
            if key not in numbers:
                numbers[key] = len(groups)
                groups.append(Group(columns, cut_gauges(short_gauges(whole, choices), start)))
            of_set.append(numbers[key])
            sizing = rule.sizing(own, choices)
            sizings.append([float(getattr(sizing, name)) for name in SIZED_BY])
        values = np.array([own for own, _ in params], np.float64)
        return groups, Sets(np.array(of_set), values, np.array(sizings))
