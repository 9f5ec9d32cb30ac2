"""What the compiled engine costs, against a loop written by hand and against Backtesting.py.

A whole fast run is everything between candles and answer: indicators, loop, equity curve and every statistic,
as BacktestResult presents them. On both sides the candles were described before (gaps and fingerprint: once
per series). Ours makes the table of trades when somebody looks at it, Backtesting.py always.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from backtesting._stats import compute_stats

from bench.by_hand import hand_loop
from bench.harness import Case
from core.backtest.fast_backtester import run_fast
from core.backtester import prepare_ohlcv_for_backtesting, run_backtest
from core.candles.frames import frame_from_bars
from core.domain import Bars, Costs, FloatArray, Series
from core.exchange_sim.synthetic import SyntheticSource
from core.kernel.sets import simulate
from core.results import statistics
from core.results.calendar import describe_market
from core.results.runs import RunSpec, describe_data
from core.results.statistics import compute, make_scratch
from core.results.trades import trades_table
from core.utils import parse_time, timeframe_ms
from strategies.rule import warm_up
from strategies.trend_ema import RULE

CASH, COSTS = 10_000.0, Costs(0.001, 0.0)
PARAMS = RULE.params()
HOURS, RUNS = 35_000, 20
"""Bars of a series as sweeps use it."""
HAND = 3.0
"""Milliseconds of the hand-written loop on the machine that the targets are of: all are multiples of it."""
FIRST_RUN, SECOND_RUN = 12 / HAND, 8 / HAND
THEIRS = 60_000
"""Bars that Backtesting.py takes; each takes it as long as another."""
ROOM = 200_000
"""Trades that both loops have room for, so that neither grows its table."""


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the loop against the hand-written one, and the whole run against Backtesting.py."""
    bars = fixed(one_year())
    columns = RULE.columns(bars, PARAMS)
    spec = RunSpec(Series("bench", "BTC/USDT", "1m"), RULE.name, {}, COSTS, CASH)
    data = describe_data(bars, spec.series)
    few = bars.until(THEIRS)
    return [
        Case(
            "bar loop TREND_EMA, 1 year of 1m",
            partial(our_loop, bars, columns),
            partial(hand_loop, bars, columns),
            2.0,
            9,
        ),
        Case(
            "first fast run on a series, 1 year of 1m, against the hand-written loop",
            partial(run_fast, bars, spec, data),
            partial(hand_loop, bars, columns),
            FIRST_RUN,
            9,
            forget,
        ),
        Case(
            "second fast run on a series, 1 year of 1m, against the hand-written loop",
            partial(run_fast, bars, spec, data),
            partial(hand_loop, bars, columns),
            SECOND_RUN,
            9,
        ),
        Case(
            "whole fast run TREND_EMA, 1 year of 1m, a bar",
            partial(run_fast, bars, spec, data),
            partial(run_backtest, few, spec, describe_data(few, spec.series)),
            1 / 150,
            3,
            units=(bars.close.size, few.close.size),
        ),
        Case(
            f"all statistics of {RUNS} runs of {HOURS:,} bars",
            lambda: [_finished(HOURS).ours() for _ in range(RUNS)],
            lambda: [_finished(HOURS).theirs() for _ in range(RUNS)],
            1 / 25,
            5,
            partial(_finished, HOURS),
        ),
    ]


class _Finished(NamedTuple):
    """A run that is over, whose statistics are wanted."""

    ours: Callable[[], object]
    theirs: Callable[[], object]
    """Backtesting.py's, from the same table of trades."""


@cache
def _finished(length: int) -> _Finished:
    bars = one_year().until(length)
    run = simulate(bars, RULE, PARAMS, CASH, COSTS)
    market = describe_market(bars)
    scratch, first = make_scratch(market), warm_up(RULE.columns(bars, PARAMS))
    table = trades_table(run.trades, bars)
    candles = prepare_ohlcv_for_backtesting(frame_from_bars(bars))
    return _Finished(
        partial(compute, market, run.trades, run.curve, first, scratch),
        partial(compute_stats, table, run.curve, candles, None),
    )


def forget() -> None:
    """Forget what statistics prepared of the series before."""
    vars(statistics._last).clear()


def fixed(bars: Bars) -> Bars:
    """Return bars that cannot change, as the column cache gives them."""
    for column in bars:
        column.flags.writeable = False
    return bars


def our_loop(bars: Bars, columns: Any) -> FloatArray:
    """Run the kernel; return the equity curve."""
    return simulate(bars, RULE, PARAMS, CASH, COSTS, columns).curve


@cache
def one_year() -> Bars:
    """Return a year of generated one-minute bars, about 525,600."""
    start, end = parse_time("2024-01-01"), parse_time("2024-12-31")
    return SyntheticSource(seed=7).candles("BTC/USDT", timeframe_ms("1m"), start, end).bars()
