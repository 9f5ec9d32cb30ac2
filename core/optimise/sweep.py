"""Many parameter sets over many series on all cores, with every statistic of every run or six figures of it.

Each run is that of `--engine fast`. What makes many of them cheap: sets run in blocks, each in one compiled
call that holds no lock; an indicator or a column that several sets need is computed once; threads share the
bars; and memory to compute in is reused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.domain import Bars, Costs, FloatArray, Refusal, Series
from core.errors import UsageError
from core.fills import REFUSED
from core.kernel.frames import Group
from core.kernel.loop import Ran
from core.kernel.sets import BRIEF, SIZED_BY, SetRunner, Sets
from core.optimise.column_groups import ColumnGroups, attributes
from core.optimise.daily import Stretch, cut_columns, cut_gauges
from core.optimise.param_sets import ParamSet, parse
from core.regime.conditions import short_gauges
from core.results.calendar import MarketCalendar, describe_market
from core.results.measures import RunTime, Summary, buy_and_hold, fields, risk_of_all, span_of
from core.results.runs import STATISTICS
from core.results.statistics import Computed, Scratch, compute_all, make_scratch
from core.results.sums import COUNT, LOST, WINS, WON
from core.sizing import PLAIN, Choices
from core.utils import over
from strategies.memo import Memo, keeping
from strategies.pairing import Partners, bind
from strategies.registry import UNPROVABLE, load_strategy
from strategies.rule import StrategyRule, can_trade
from strategies.rule_check import check_values, require

BLOCK_BYTES = 2**20
"""Equity curves of the sets that run in one call, so that they stay in the processor's cache."""
COLUMN_BYTES = 32 * 2**20
"""Columns of the sets that run in one call, if no two have the same."""
COLUMNS = 8
"""Columns that a rule is taken to have."""

MEMO_BYTES = 256 * 2**20
"""Indicator results that all threads keep together."""

REFUSALS = "Refused"
FIGURES = (*Summary._fields, *STATISTICS, REFUSALS)
"""What a run comes to, in the order in which it is kept."""
BRIEF_FIGURES = (*BRIEF, REFUSALS)
"""What it comes to when nothing else is asked for."""
_DRAWDOWN, _EXPOSURE = STATISTICS.index("Max. Drawdown [%]"), STATISTICS.index("Exposure Time [%]")


class Swept(NamedTuple):
    """What all runs of a sweep have in common."""

    params: Sequence[ParamSet]
    costs: Costs
    cash: float
    is_brief: bool


class Market(NamedTuple):
    """One series, and what its statistics need to know about it."""

    stretch: Stretch
    bars: Bars
    """Those that are traded."""
    rule: StrategyRule
    calendar: MarketCalendar
    span: RunTime
    hold: float
    """What buying and holding brings, a fraction."""


class Task(NamedTuple):
    """Parameter sets that one thread runs together over one series."""

    market: Market
    first_row: int
    """Row of the results that the first of them fills."""
    start: int
    stop: int
    """The sets."""


def ignore(runs: int) -> None:
    """Take no notice of runs that have ended."""


def sweep(
    markets: Mapping[Series, Bars],
    strategy: str,
    param_sets: Sequence[Mapping[str, float]],
    costs: Costs | None = None,
    cash: float = 10_000.0,
    threads: int | None = None,
    partners: Mapping[Series, Partners] | None = None,
    *,
    brief: bool = False,
    advance: Callable[[int], object] = ignore,
    starts: Mapping[Series, int] | None = None,
) -> pd.DataFrame:
    """Run every parameter set over every series; return one row per run, in the order given.

    Columns: exchange, symbol, timeframe, every parameter, the figures of core.results.measures.Summary (NaN
    for none), Backtesting.py's statistics under their own names (durations as Timedelta), and `Refused`, the
    entries that were wanted and not made. A series that ends before a set has warmed up has none of them:
    NaN, no trades. `brief`: only the six of Summary that need no equity curve (core.kernel.sets.BRIEF), and
    `Refused`. `threads` None: as many as cores.
    `advance` is told of runs as they end, from any thread.
    `partners` holds what the strategy looks at besides, by the series traded. `starts`: rows of the first
    bars that are traded; those before them warm the columns up, and no more (core.optimise.daily.Stretch).
    Raises UsageError for a bad parameter or nothing to run.
    """
    chosen = load_strategy(strategy)
    if chosen.backtest is None:
        raise UsageError(f"{strategy} {UNPROVABLE}, and not swept")
    rule = chosen.rule
    swept = Swept(parse(rule, param_sets), costs or Costs(), cash, brief)
    names = BRIEF_FIGURES if brief else FIGURES
    found = np.full((len(markets) * len(swept.params), len(names)), np.nan)
    workers = threads or os.cpu_count() or 1
    rules = {series: bind(chosen, (partners or {}).get(series)).rule for series in markets}
    stretches = {
        series: Stretch(bars, series.timeframe, (starts or {}).get(series, 0))
        for series, bars in markets.items()
    }
    tasks = _tasks(stretches, rules, swept, workers)
    _work_off(tasks, lambda: Workbench(rule, swept), found, workers, advance)
    return _table(markets, rule, swept.params, names, found)


def _tasks(
    stretches: Mapping[Series, Stretch], rules: Mapping[Series, StrategyRule], swept: Swept, workers: int
) -> Iterator[Task]:
    count, row = len(swept.params), 0
    for series, stretch in stretches.items():
        bars = stretch.traded
        length = 8 * bars.close.size
        most = COLUMN_BYTES // (length * COLUMNS)
        if not swept.is_brief:
            most = min(most, BLOCK_BYTES // length)
        # No thread is to wait for the other's last block.
        block = max(1, min(most, math.ceil(count / (2 * workers))))
        span, hold = span_of(stretch.closes), buy_and_hold(bars, swept.costs)
        market = Market(stretch, bars, rules[series], describe_market(bars), span, hold)
        for start in range(0, count, block):
            yield Task(market, row + start, start, min(start + block, count))
        row += count


def _work_off(
    tasks: Iterable[Task],
    make_bench: Callable[[], Workbench],
    found: FloatArray,
    threads: int,
    advance: Callable[[int], object],
) -> None:
    """Let threads take one task after the other; stop them all when one fails or is interrupted."""
    waiting, lock, stopped, memo = iter(tasks), Lock(), Event(), Memo(MEMO_BYTES)

    def take() -> Task | None:
        with lock:
            return None if stopped.is_set() else next(waiting, None)

    def work() -> None:
        bench = make_bench()
        try:
            with keeping(memo):
                while (task := take()) is not None:
                    bench.run(task, found)
                    advance(task.stop - task.start)
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
        finally:
            stopped.set()


def _table(
    markets: Iterable[Series],
    rule: StrategyRule,
    params: Sequence[ParamSet],
    names: Sequence[str],
    found: FloatArray,
) -> pd.DataFrame:
    series, count = list(markets), len(params)
    columns: dict[str, Any] = {
        name: np.repeat(np.array([one[place] for one in series], object), count)
        for place, name in enumerate(Series._fields)
    }
    for place, name in enumerate(rule.params._fields):
        columns[name] = np.tile(np.array([one.own[place] for one in params]), len(series))
    if any(one.choices is not PLAIN for one in params):
        # A rule's own parameter may be called as one of the choices, and is the one that counts.
        for name in Choices._fields:
            values = [getattr(one.choices, name) for one in params]
            if name not in columns and any(value != getattr(PLAIN, name) for value in values):
                columns[name] = np.tile(np.array(values), len(series))
    columns.update((name, _typed(name, values)) for name, values in zip(names, found.T, strict=True))
    return pd.DataFrame(columns, copy=False)


def _typed(name: str, values: FloatArray) -> Any:
    if "Duration" in name:
        # Below two milliseconds it is no duration but Backtesting.py's depth of a drawdown without one.
        return _moments(np.where(values >= 2, values, np.nan), "timedelta64[ns]")
    if name in ("Start", "End"):
        return _moments(values, "datetime64[ns]")
    if name in ("trades_count", "# Trades", REFUSALS):
        return np.nan_to_num(values).astype(np.int64)
    return values


def _moments(ms: FloatArray, kind: str) -> Any:
    known = ~np.isnan(ms)
    found = np.full(ms.size, np.iinfo(np.int64).min)
    found[known] = ms[known].astype(np.int64) * 1_000_000
    return found.view(kind)


class Workbench:
    """The memory of one thread, and the runs made in it."""

    def __init__(self, rule: StrategyRule, swept: Swept) -> None:
        self._swept, self._runner = swept, SetRunner(rule, swept.costs, swept.cash)
        self._market: Market | None = None
        self._curves: FloatArray = np.empty((0, 0))
        self._scratch: Scratch
        self._sizings: dict[Any, list[float]] = {}
        self._sized_by = attributes([name for name in SIZED_BY if name in rule.params._fields])

    def run(self, task: Task, found: FloatArray) -> None:
        """Run the task's parameter sets and fill their rows of the results."""
        market, swept = task.market, self._swept
        params = swept.params[task.start : task.stop]
        groups, sets = self._table_of(market, params)
        if task.start == 0:
            # The first set: a rule that is wrong is so with any. Decisions are looked at as they are made.
            require(check_values(market.rule, params[0].own, market.bars, groups[0].columns))
        ran, trades = self._runner.run(market.bars, groups, sets, self._room(market, len(params)))
        rows = found[task.first_row : task.first_row + len(params)]
        rows[:, -1] = ran.heads[:, REFUSED : REFUSED + len(Refusal)].sum(axis=1)
        if swept.is_brief:
            rows[:, :-1] = ran.brief
        else:
            self._fill(market, ran, trades, rows)

    def _table_of(self, market: Market, params: Sequence[ParamSet]) -> tuple[list[Group], Sets]:
        """Return the sets as the compiled loop takes them, and what they look at."""
        rule, bars, start = market.rule, market.stretch.bars, market.stretch.start
        made = ColumnGroups(lambda own: cut_columns(rule.columns_of(bars, own), start))
        measured = {PLAIN: cut_gauges(short_gauges(bars, PLAIN), start)}
        groups: list[Group] = []
        numbers: dict[Any, int] = {}
        of_set, sizings = [], []
        for own, choices in params:
            if choices not in measured:
                measured[choices] = cut_gauges(short_gauges(bars, choices), start)
            columns = made.find(own)
            key = id(columns), choices
            if key not in numbers:
                numbers[key] = len(groups)
                groups.append(Group(columns, measured[choices]))
            of_set.append(numbers[key])
            sizings.append(self._sizing(rule, own, choices))
        values = np.array([own for own, _ in params], np.float64)
        return groups, Sets(np.array(of_set), values, np.array(sizings))

    def _sizing(self, rule: StrategyRule, own: Any, choices: Choices) -> list[float]:
        key = choices, self._sized_by(own)
        if key not in self._sizings:
            sizing = rule.sizing(own, choices)
            self._sizings[key] = [float(getattr(sizing, name)) for name in SIZED_BY]
        return self._sizings[key]

    def _room(self, market: Market, count: int) -> FloatArray:
        """Return a curve for each set, if any is wanted, and have memory for this market's statistics."""
        length = market.bars.close.size
        if self._swept.is_brief:
            return np.empty((count, 0))
        if self._curves.shape[0] < count or self._curves.shape[1] != length:
            self._curves = np.empty((count, length))
        if self._market is not market:
            self._market, self._scratch = market, make_scratch(market.calendar)
        return self._curves[:count]

    def _fill(self, market: Market, ran: Ran, trades: FloatArray, rows: FloatArray) -> None:
        """Fill in what the runs have come to; those that never warmed up stay as they are."""
        curves, length = self._curves[: len(rows)], market.bars.close.size
        done = compute_all(market.calendar, trades, ran.ends, curves, ran.firsts, self._scratch)
        for row, values in enumerate(_summaries(market, curves, done)):
            if can_trade(length, int(ran.firsts[row])):
                rows[row, : len(values)] = values
                rows[row, len(values) : -1] = done.stats[row]


def _summaries(market: Market, curves: FloatArray, done: Computed) -> Iterator[tuple[float, ...]]:
    """Yield the fields of Summary of each run."""
    falls, exposed = (-done.stats[:, _DRAWDOWN]).tolist(), done.stats[:, _EXPOSURE].tolist()
    risks = risk_of_all(market.span, curves, [fall / 100 for fall in falls])
    ends = zip(curves[:, 0].tolist(), curves[:, -1].tolist(), falls, exposed, risks, strict=True)
    sums = done.sums[:, [COUNT, WINS, WON, LOST]].tolist()
    for (first, final, fall, share, risk), (count, wins, won, lost) in zip(ends, sums, strict=True):
        trades = wins / count if count else math.nan, over(won, -lost), int(count)
        yield fields(first, final, market.hold, (fall, share), trades, risk)
