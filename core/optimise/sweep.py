"""Many parameter sets over many series on all cores, with every statistic of every run.

Each run is that of `--engine fast`. What makes many of them cheap: an indicator that several sets need is
computed once, threads share the bars (compiled code holds no lock), memory to compute in is reused, and long
series are run in tiles, so that the bars of a tile stay in the processor's cache while one set after the
other runs over them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.domain import Bars, Costs, FloatArray, Refusal, Series
from core.fills import CASH, PNL, REFUSED, TRADES, grown, has_room, make_trades, open_book
from core.kernel.loop import FIRST_TRADES, kernel
from core.regime.conditions import gauges
from core.results.calendar import MarketCalendar, describe_market
from core.results.measures import RunTime, Summary, buy_and_hold, measure, span_of
from core.results.runs import STATISTICS
from core.results.statistics import Scratch, compute, make_scratch
from core.sizing import PLAIN, Choices, Gauges, Sizing
from core.utils import timeframe_ms
from strategies.memo import Memo, keeping
from strategies.pairing import bind
from strategies.registry import load_strategy
from strategies.rule import StrategyRule, can_trade, warm_up
from strategies.rule_check import check_computed, require

TILE = 65_536
"""Bars that every set of a batch runs over before the next tile."""

BATCH_BYTES = 32 * 2**20
"""Equity curves that a thread keeps at a time."""

MEMO_BYTES = 256 * 2**20
"""Indicator results that all threads keep together."""


REFUSALS = "Refused"
FIGURES = (*Summary._fields, *STATISTICS, REFUSALS)
"""What a run comes to, in the order in which it is kept."""
_DRAWDOWN, _EXPOSURE = STATISTICS.index("Max. Drawdown [%]"), STATISTICS.index("Exposure Time [%]")


class ParamSet(NamedTuple):
    """A rule's own parameters, and how its entries are sized."""

    own: Any
    choices: Choices


class Swept(NamedTuple):
    """What all runs of a sweep have in common."""

    rule: StrategyRule
    costs: Costs
    cash: float


class Task(NamedTuple):
    """Parameter sets that one thread runs together, tile by tile, over one series."""

    bars: Bars
    market: MarketCalendar
    span: RunTime
    hold: float
    """What buying and holding brings, a fraction."""
    rule: StrategyRule
    first_row: int
    """Row of the results that the first of them fills."""
    params: Sequence[ParamSet]


def sweep(
    markets: Mapping[Series, Bars],
    strategy: str,
    param_sets: Sequence[Mapping[str, float]],
    costs: Costs | None = None,
    cash: float = 10_000.0,
    threads: int | None = None,
    partners: Mapping[Series, Bars] | None = None,
) -> pd.DataFrame:
    """Run every parameter set over every series; return one row per run, in the order given.

    Columns: exchange, symbol, timeframe, every parameter, the figures of core.results.measures.Summary (NaN
    for none), Backtesting.py's statistics under their own names (durations as Timedelta), and `Refused`, the
    entries that were wanted and not made. A series that ends before a set has warmed up has none of them:
    NaN, no trades. `threads` None: as many as cores.
    `partners` holds the second symbol's candles, by the series traded, for a strategy that looks at two.
    Raises UsageError for a bad parameter or nothing to run.
    """
    chosen = load_strategy(strategy)
    rule = chosen.rule
    params = [ParamSet(rule.make_params(given), rule.make_choices(given)) for given in param_sets]
    swept = Swept(rule, costs or Costs(), cash)
    found = np.full((len(markets) * len(params), len(FIGURES)), np.nan)
    rules = {series: bind(chosen, (partners or {}).get(series)).rule for series in markets}
    tasks = _tasks(markets, rules, params, swept.costs)
    _work_off(tasks, swept, found, threads or os.cpu_count() or 1)
    return _table(markets, rule, params, found)


def _tasks(
    markets: Mapping[Series, Bars],
    rules: Mapping[Series, StrategyRule],
    params: Sequence[ParamSet],
    costs: Costs,
) -> Iterator[Task]:
    row = 0
    for series, bars in markets.items():
        length = bars.close.size
        # A short series is one tile: several sets at a time would only need more memory.
        batch = 1 if length <= TILE else max(1, BATCH_BYTES // (8 * length))
        market, hold = describe_market(bars), buy_and_hold(bars, costs)
        span = span_of(bars.ts + timeframe_ms(series.timeframe))
        for start in range(0, len(params), batch):
            chosen = params[start : start + batch]
            yield Task(bars, market, span, hold, rules[series], row, chosen)
            row += len(chosen)


def _work_off(tasks: Iterable[Task], swept: Swept, found: FloatArray, threads: int) -> None:
    """Let threads take one task after the other; stop them all when one fails or is interrupted."""
    waiting, lock, stopped, memo = iter(tasks), Lock(), Event(), Memo(MEMO_BYTES)

    def take() -> Task | None:
        with lock:
            return None if stopped.is_set() else next(waiting, None)

    def work() -> None:
        bench = Workbench(swept)
        try:
            with keeping(memo):
                while (task := take()) is not None:
                    bench.run(task, found)
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
    markets: Iterable[Series], rule: StrategyRule, params: Sequence[ParamSet], found: FloatArray
) -> pd.DataFrame:
    # A rule's own parameter may be called as one of the choices, and is the one that counts.
    extra = [name for name in Choices._fields if name not in rule.params._fields]
    varied = [
        name for name in extra if any(getattr(one.choices, name) != getattr(PLAIN, name) for one in params)
    ]
    chosen = [(*one.own, *(getattr(one.choices, name) for name in varied)) for one in params]
    keys = [(*series, *given) for series in markets for given in chosen]
    table = pd.DataFrame(keys, columns=[*Series._fields, *rule.params._fields, *varied])
    for name, values in zip(FIGURES, found.T, strict=True):
        if "Duration" in name:
            # Below two milliseconds it is no duration but Backtesting.py's depth of a drawdown without one.
            table[name] = pd.to_timedelta(np.where(values >= 2, values, np.nan), "ms")
        elif name in ("Start", "End"):
            table[name] = pd.to_datetime(values, unit="ms")
        else:
            table[name] = values
    counts = ["trades_count", "# Trades", REFUSALS]
    table[counts] = table[counts].fillna(0).astype(np.int64)
    return table


class SetRun:
    """One parameter set on its way through the bars."""

    def __init__(self, rule: StrategyRule, bars: Bars, given: ParamSet, plain: Gauges) -> None:
        self.columns, self.params = rule.columns(bars, given.own), given.own
        self.sizing: Sizing = rule.sizing(given.own, given.choices)
        self.measured = plain if given.choices == PLAIN else gauges(bars, given.choices)
        self.first = warm_up(self.columns)
        self.next = self.first + 1
        self.book = open_book(0.0)


class Workbench:
    """The memory of one thread, and the runs made in it."""

    def __init__(self, swept: Swept) -> None:
        self._swept = swept
        self._run = kernel(swept.rule)
        self._market: MarketCalendar | None = None
        self._trades: list[FloatArray] = []
        self._curves: FloatArray = np.empty((0, 0))
        self._scratch: Scratch
        self._plain: Gauges

    def run(self, task: Task, found: FloatArray) -> None:
        """Run the task's parameter sets and fill their rows of the results."""
        self._make_room(task)
        length = task.bars.close.size
        runs = [SetRun(task.rule, task.bars, params, self._plain) for params in task.params]
        # The first of them: a rule that is wrong is so with any set.
        require(check_computed(task.rule, runs[0].params, task.bars, runs[0].columns))
        for run, curve in zip(runs, self._curves, strict=False):
            run.book[0, CASH] = self._swept.cash
            curve[: run.next] = self._swept.cash
        for start in range(0, length, TILE):
            for number, run in enumerate(runs):
                self._advance(task.bars, run, number, min(start + TILE, length))
        for number, run in enumerate(runs):
            row = found[task.first_row + number]
            row[-1] = sum(run.book[0, REFUSED + refusal] for refusal in Refusal)
            if can_trade(length, run.first):
                row[:-1] = self._figures(task, run, number)

    def _figures(self, task: Task, run: SetRun, number: int) -> FloatArray:
        """Return what a run that is over has come to."""
        trades, curve = self._trades[number][: int(run.book[0, TRADES])], self._curves[number]
        stats = compute(task.market, trades, curve, run.first, self._scratch)
        shares = -stats[_DRAWDOWN], stats[_EXPOSURE]
        return np.concatenate([measure(task.span, curve, trades[:, PNL], task.hold, *shares), stats])

    def _advance(self, bars: Bars, run: SetRun, number: int, stop: int) -> None:
        while run.next < stop:
            given = (bars, run.columns, run.params, run.next, stop, run.book, self._trades[number])
            curve, swept = self._curves[number], self._swept
            run.next = self._run(*given, curve, run.sizing, swept.costs, run.measured)
            if not has_room(run.book, self._trades[number]):
                self._trades[number] = grown(run.book, self._trades[number])

    def _make_room(self, task: Task) -> None:
        """Have a table of trades and a curve for each set, and memory for this market's statistics."""
        count, length = len(task.params), task.bars.close.size
        while len(self._trades) < count:
            self._trades.append(make_trades(FIRST_TRADES))
        if self._curves.shape[0] < count or self._curves.shape[1] != length:
            self._curves = np.empty((count, length))
        if self._market is not task.market:
            self._market, self._scratch = task.market, make_scratch(task.market)
            self._plain = gauges(task.bars, PLAIN)
