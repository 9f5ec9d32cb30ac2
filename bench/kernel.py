"""What the compiled engine costs, against a loop written by hand and against Backtesting.py."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from bench.harness import Case
from core.backtester import run_backtest
from core.domain import LOT, Bars, Costs, FloatArray, Series
from core.exchange_sim.synthetic import SyntheticSource
from core.fast_backtester import run_fast
from core.fills import make_trades, open_book
from core.kernel import compiled, kernel
from core.results import RunSpec
from core.utils import parse_time, timeframe_ms
from strategies.rule import first_decision
from strategies.trend_ema import RULE

CASH, COSTS = 10_000.0, Costs(0.001, 0.0)
PARAMS = RULE.params()
ROOM = 200_000
"""Trades that both loops have room for, so that neither grows its table."""


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the loop against the hand-written one, and the whole run against Backtesting.py."""
    bars = one_year()
    columns = RULE.columns(bars, PARAMS)
    spec = RunSpec(Series("bench", "BTC/USDT", "1m"), RULE.name, {}, COSTS, CASH)
    return [
        Case(
            "bar loop TREND_EMA, 1 year of 1m",
            partial(our_loop, bars, columns),
            partial(hand_loop, bars, columns),
            2.0,
            9,
        ),
        Case(
            "fast run TREND_EMA, 1 year of 1m, all statistics",
            partial(run_fast, bars, spec),
            partial(run_backtest, bars, spec),
            1 / 150,
            3,
        ),
    ]


def our_loop(bars: Bars, columns: Any) -> FloatArray:
    """Run the kernel; return the equity curve."""
    curve = np.full(bars.close.size, CASH)
    sizes, first = RULE.sizing(PARAMS), first_decision(columns)
    book, trades = open_book(CASH), make_trades(ROOM)
    decide = compiled(RULE.decide)
    kernel()(decide, bars, columns, PARAMS, first, book, trades, curve, sizes, COSTS, RULE.is_ladder)
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
