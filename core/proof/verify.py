"""The proof: one strategy three ways over the same bars, equal in every field to the last bit.

Backtesting.py, the compiled kernel, and the live class bar by bar in a session on paper. Also: no column
looks ahead, and a live window of `memory` bars is long enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from core.backtest.fast_backtester import simulate_fast
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.backtester import simulate
from core.domain import FLAT, NAN, Bars, FloatArray, PositionView
from core.engine import Step
from core.errors import UsageError
from core.regime.conditions import gauges, history
from core.results.runs import DataRange, RunSpec, TradeRecord, describe_data, trade_records
from core.results.trades import trades_table
from core.sizing import PLAIN, Choices
from strategies.base import BaseStrategy
from strategies.registry import UNPROVABLE, Strategy, load_strategy
from strategies.rule import StrategyRule, first_decision, row

SAMPLED = 200
"""Bars at which look-ahead and the live window are checked, besides those around trades."""


class DriverRun(NamedTuple):
    """One way's trades and equity, and how long it took."""

    way: str
    trades: tuple[TradeRecord, ...]
    equity: FloatArray
    seconds: float


class Verification(NamedTuple):
    """What a verification found."""

    spec: RunSpec
    runs: tuple[DriverRun, ...]
    differences: tuple[str, ...]
    """One line each; none when all is equal."""
    checks: int
    """Bars at which columns and decisions were compared with those of cut histories."""


Advance = Callable[[float], object]
"""Takes the part of a verification, from 0 to 1, that was done since the last call."""
STEPS, LIVE_DONE = 64, 48
"""A verification advances in so many steps, and at so many its live run is over."""


class Meter:
    """Says how far a verification is, in steps that add up to exactly 1."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self._step = advance, 0
        self._first, self._last, self._ticks, self._expected = 0, 0, 0, 1

    def to(self, step: int) -> None:
        """Advance to this step."""
        if step > self._step:
            self._advance((step - self._step) / STEPS)
            self._step = step

    def expect(self, ticks: int, last: int) -> None:
        """Advance to the step `last` over so many calls of `tick` from now on."""
        self._first, self._last, self._ticks, self._expected = self._step, last, 0, ticks

    def tick(self, *_: object) -> None:
        """Note that one thing more is done."""
        self._ticks += 1
        self.to(self._first + (self._last - self._first) * self._ticks // self._expected)


def verify(
    bars: Bars,
    spec: RunSpec,
    strategy: Strategy | type[BaseStrategy] | None = None,
    sampled: int = SAMPLED,
    data: DataRange | None = None,
    advance: Advance = lambda _: None,
) -> Verification:
    """Run a strategy three ways and compare; check cut histories at `sampled` bars and around as many trades.

    Raises NoDataError, UsageError.
    """
    meter = Meter(advance)
    chosen = strategy or load_strategy(spec.strategy)
    if isinstance(chosen, type) or chosen.backtest is None:
        raise UsageError(
            f"{spec.strategy} {UNPROVABLE}; write it as a rule (strategies/sma_cross.py is a short one)"
        )
    data = data or describe_data(bars, spec.series)
    meter.expect(bars.ts.size, LIVE_DONE)
    # First: a rule that keeps what it saw knows no later bar yet, as in a loop that has just begun.
    live = _timed("live", lambda: run_live(bars, spec, chosen, meter.tick))
    # Compiled before anything else is timed.
    simulate_fast(bars, spec, chosen, data)
    runs = (
        _timed("backtesting", lambda: _plain(simulate(bars, spec, chosen, data))),
        _timed("fast", lambda: _plain(simulate_fast(bars, spec, chosen, data))),
        live,
    )
    differences = [line for run in runs[1:] for line in compare_runs(runs[0], run)]
    params = chosen.rule.make_params(spec.params)
    checked = sorted(_bars_to_check(bars, chosen.rule, params, runs[0].trades[:sampled], sampled))
    choices = chosen.rule.make_choices(spec.params)
    meter.expect(2 * len(checked), STEPS)
    differences += check_columns(bars, chosen.rule, params, checked, choices, meter.tick)
    meter.to(STEPS)
    return Verification(spec, runs, tuple(differences), len(checked))


def run_live(
    bars: Bars, spec: RunSpec, strategy: Strategy, on_step: Callable[[Step], object] | None = None
) -> tuple[tuple[TradeRecord, ...], FloatArray]:
    """Run the live class bar by bar in a session on paper; return trades and equity at each close."""
    symbol, timeframe = spec.series.symbol, spec.series.timeframe
    feed = ReplayFeed(spec.strategy, strategy, spec.params, symbol, timeframe, bars)
    run = replay([feed], ReplayAccount(spec.cash, spec.costs), on_step, as_live=True)
    trades = run.desk.trades(spec.strategy, symbol)
    return trade_records(trades_table(trades, bars)), run.equity


def compare_runs(expected: DriverRun, found: DriverRun) -> Iterator[str]:
    """Yield the first difference between two runs' trades, and the first between their equity curves."""
    for i, (one, other) in enumerate(zip(expected.trades, found.trades, strict=False), start=1):
        if one != other:
            fields = zip(TradeRecord._fields, one, other, strict=True)
            what = ", ".join(f"{name} {a!r} against {b!r}" for name, a, b in fields if a != b)
            yield f"{expected.way} and {found.way} differ in trade {i}: {what}"
            break
    if len(expected.trades) != len(found.trades):
        counts = f"{len(expected.trades)} against {len(found.trades)}"
        yield f"{expected.way} and {found.way} differ in the number of trades: {counts}"
    if differing := np.flatnonzero(expected.equity != found.equity).tolist():
        i = differing[0]
        values = f"{float(expected.equity[i])!r} against {float(found.equity[i])!r}"
        yield f"{expected.way} and {found.way} differ in equity at bar {i}: {values}"


def check_columns(
    bars: Bars,
    rule: StrategyRule,
    params: Any,
    checked: Iterable[int],
    choices: Choices = PLAIN,
    tick: Callable[[], object] = lambda: None,
) -> Iterator[str]:
    """Yield a line for the first bar at which a cut history gives other columns or decisions, per cut.

    `tick` is called at every bar.
    """
    whole, memory = rule.columns_of(bars, params), max(rule.memory(params), history(choices))
    measured = gauges(bars, choices)
    cuts: dict[str, Callable[[int], Bars]] = {
        "looks ahead: with later bars cut off": lambda i: bars.until(i + 1),
        f"needs more history than its live window of {memory} bars: with that": lambda i: bars.until(
            i + 1
        ).since(max(0, i + 1 - memory)),
    }
    for what, cut in cuts.items():
        for i in checked:
            tick()
            seen = cut(i)
            columns = rule.columns_of(seen, params)
            if choices != PLAIN and not _same(row(measured, i), row(gauges(seen, choices), -1)):
                yield f"{rule.name} {what}, what its size looks at differs at bar {i}"
                break
            rows = (row(whole, i), row(whole, i - 1)), (row(columns, -1), row(columns, -2))
            if not all(_same(a, b) for a, b in zip(*rows, strict=True)):
                why = "mend it" if what.startswith("looks") else _remedy(bars, rule, params, memory)
                names = ", ".join(_differing(columns, *rows))
                yield f"{rule.name} {what}, its columns at bar {i} differ ({names}): {why}"
                break
            wanted = [[rule.decide(*pair, held, params) for held in _positions(bars, i)] for pair in rows]
            if not all(_same(a, b) for a, b in zip(*wanted, strict=True)):
                yield f"{rule.name} {what}, its decision at bar {i} differs"
                break


def _differing(columns: Any, *rows: Sequence[Any]) -> Iterator[str]:
    """Yield the columns whose newest values, or those before, differ in two pairs of rows."""
    for place, name in enumerate(columns._fields):
        if not _same(*([row[place] for row in pair] for pair in rows)):
            yield name


_AGAIN = "; if more is asked for then, its past has no bounds (pandas' rolling has none): take sma, std, ta"


def _remedy(bars: Bars, rule: StrategyRule, params: Any, memory: int) -> str:
    """Return what to do about a live window that is too short: how long is enough, if anything is."""
    whole, size, have = row(rule.columns_of(bars, params), -1), 2 * memory, bars.close.size
    while size < have:
        if _same(whole, row(rule.columns_of(bars.since(have - size), params), -1)):
            return f"give the rule history=lambda p: {size}, or fewer if that is enough{_AGAIN}"
        size *= 2
    if not _same(whole, row(rule.columns_of(bars.since(1), params), -1)):
        return (
            "without the very first candle it is another one, so its past has no bounds: compute it from a "
            "window of its own (sma, std, highest, lowest in strategies.indicators; ta in indicators_talib)"
        )
    return f"give the rule history=lambda p: {have}, or fewer if that is enough{_AGAIN}"


def _bars_to_check(
    bars: Bars, rule: StrategyRule, params: Any, trades: Iterable[TradeRecord], sampled: int
) -> set[int]:
    first, length = first_decision(rule.columns_of(bars, params)), bars.close.size
    chosen = np.random.default_rng(0).integers(first, length, sampled).tolist()
    stamps = [stamp for trade in trades for stamp in (trade.entry_ts, trade.exit_ts)]
    at = np.searchsorted(bars.ts, np.array(stamps, np.int64)).tolist()
    return {i for i in (*chosen, *at, *(i - 1 for i in at), length - 1) if first <= i < length}


def _positions(bars: Bars, i: int) -> tuple[PositionView, ...]:
    price = float(bars.close[i])
    held = PositionView(1, price, 0.9 * price, 1.1 * price, 3, 0b10, 1.0, price, 5, 0.01, price)
    return FLAT, FLAT._replace(since_exit=2, last_result=-0.01), held, held._replace(note=NAN)


def _plain(result: Any) -> tuple[tuple[TradeRecord, ...], FloatArray]:
    return result.records, result.equity


def _timed(way: str, run: Callable[[], tuple[tuple[TradeRecord, ...], FloatArray]]) -> DriverRun:
    start = perf_counter()
    trades, equity = run()
    return DriverRun(way, trades, equity, perf_counter() - start)


def _same(one: Iterable[float], other: Iterable[float]) -> bool:
    return bool(np.array_equal(np.array(one, float), np.array(other, float), equal_nan=True))
