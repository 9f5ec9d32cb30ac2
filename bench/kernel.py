"""What the compiled engine costs, against a loop written by hand and against Backtesting.py.

A whole fast run is everything between candles and answer: indicators, loop, equity curve and every statistic,
as BacktestResult presents them. On both sides the candles were described before (gaps and fingerprint: once
per series). Ours makes the table of trades when somebody looks at it, Backtesting.py always.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from backtesting._stats import compute_stats
from numba import njit

from bench.harness import Case
from core.backtest.fast_backtester import run_fast
from core.backtester import prepare_ohlcv_for_backtesting, run_backtest
from core.candles.frames import frame_from_bars
from core.domain import LOT, Bars, Costs, FloatArray, Series
from core.exchange_sim.synthetic import SyntheticSource
from core.fills import make_trades, open_book
from core.kernel.loop import kernel, simulate
from core.regime.conditions import short_gauges
from core.results import statistics
from core.results.calendar import describe_market
from core.results.runs import RunSpec, describe_data
from core.results.statistics import compute, make_scratch
from core.results.trades import trades_table
from core.sizing import PLAIN
from core.utils import parse_time, timeframe_ms
from strategies.rule import first_decision, warm_up
from strategies.trend_ema import RULE

CASH, COSTS = 10_000.0, Costs(0.001, 0.0)
PARAMS = RULE.params()
HOURS, RUNS = 35_000, 20
"""Bars of a series as sweeps use it."""
HAND = 3.0
"""Milliseconds of the hand-written loop on the machine that the targets are of: all are multiples of it."""
FIRST_RUN, SECOND_RUN = 12 / HAND, 8 / HAND
ROOM = 200_000
"""Trades that both loops have room for, so that neither grows its table."""


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the loop against the hand-written one, and the whole run against Backtesting.py."""
    bars = fixed(one_year())
    columns = RULE.columns(bars, PARAMS)
    spec = RunSpec(Series("bench", "BTC/USDT", "1m"), RULE.name, {}, COSTS, CASH)
    data = describe_data(bars, spec.series)
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
            "whole fast run TREND_EMA, 1 year of 1m",
            partial(run_fast, bars, spec, data),
            partial(run_backtest, bars, spec, data),
            1 / 150,
            3,
        ),
        statistics_case(bars.until(HOURS)),
    ]


def statistics_case(bars: Bars) -> Case:
    """Return all statistics of one run against Backtesting.py's, from the same table of trades."""
    run = simulate(bars, RULE, PARAMS, CASH, COSTS)
    market = describe_market(bars)
    scratch, first = make_scratch(market), warm_up(RULE.columns(bars, PARAMS))
    table = trades_table(run.trades, bars)
    candles = prepare_ohlcv_for_backtesting(frame_from_bars(bars))
    return Case(
        f"all statistics of {RUNS} runs of {HOURS:,} bars and {len(table):,} trades",
        lambda: [compute(market, run.trades, run.curve, first, scratch) for _ in range(RUNS)],
        lambda: [compute_stats(table, run.curve, candles, None) for _ in range(RUNS)],
        1 / 25,
        9,
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
    curve = np.full(bars.close.size, CASH)
    sizes, first = RULE.sizing(PARAMS), first_decision(columns)
    book, trades = open_book(CASH), make_trades(ROOM)
    given = bars, columns, PARAMS, first, bars.close.size, book, trades, curve, sizes, COSTS
    kernel(RULE)(*given, short_gauges(bars, PLAIN))
    return curve


def hand_loop(bars: Bars, columns: Any) -> FloatArray:
    """Run the hand-written loop; return the equity curve."""
    curve = np.full(bars.close.size, CASH)
    prices = (bars.open, bars.high, bars.low, bars.close)
    lines = (columns.fast, columns.slow, columns.atr)
    _trend_ema(prices, lines, first_decision(columns), CASH, COSTS.commission, curve, make_trades(ROOM))
    return curve


@njit(nogil=True, error_model="numpy")
def _trend_ema(  # type: ignore[no-untyped-def]
    prices, lines, first, cash, rate, curve, trades
):
    opens, highs, lows, closes = prices
    fast, slow, atr = lines
    size, entry, stop, take, asked, n = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for i in range(first, closes.size):
        price, reason = 0.0, 0
        if size == 0.0 and asked > 0.0:
            entry = opens[i]
            if asked * (entry + entry * rate) <= cash:
                size = asked
                cash -= size * entry * rate
            asked = 0.0
        if size > 0.0:
            if lows[i] <= stop:
                price, reason = min(opens[i], stop), 4
            elif highs[i] >= take:
                price, reason = max(opens[i], take), 5
        if reason:
            gross, fee = size * (price - entry), size * price * rate
            cash += gross - fee
            fees = fee + size * entry * rate
            trades[n, 0], trades[n, 1], trades[n, 3], trades[n, 4] = size, entry, stop, take
            trades[n, 6], trades[n, 7], trades[n, 8], trades[n, 9] = i, price, fees, gross - fees
            trades[n, 10], trades[n, 11] = price / entry - 1 - fees / (size * entry), reason
            n += 1
            size = 0.0
        worth = cash + (closes[i] * size - size * entry)
        curve[i] = worth
        if size == 0.0 and fast[i] > slow[i] and closes[i] > fast[i]:
            stop = closes[i] - 1.5 * atr[i]
            take = closes[i] + 2.0 * (closes[i] - stop)
            payable = 0.95 * worth / (closes[i] + closes[i] * rate)
            asked = np.floor(min(payable, 0.01 * worth / abs(closes[i] - stop)) / LOT) * LOT
    if size > 0.0:
        cash += size * (closes[-1] - entry) - size * closes[-1] * rate
    curve[-1] = cash


def one_year() -> Bars:
    """Return a year of generated one-minute bars, about 525,600."""
    start, end = parse_time("2024-01-01"), parse_time("2024-12-31")
    return SyntheticSource(seed=7).candles("BTC/USDT", timeframe_ms("1m"), start, end).bars()
