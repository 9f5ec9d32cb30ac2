"""TREND_EMA as one loop written by hand for it alone: the yardstick of what is compiled here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from core.domain import LOT, Bars, FloatArray
from core.fills import make_trades
from strategies.rule import first_decision

CASH, COMMISSION = 10_000.0, 0.001
ROOM = 200_000
"""Trades that it has room for, so that it does not grow its table."""


def hand_loop(bars: Bars, columns: Any) -> FloatArray:
    """Run the hand-written loop; return the equity curve."""
    curve = np.full(bars.close.size, CASH)
    prices = (bars.open, bars.high, bars.low, bars.close)
    lines = (columns.fast, columns.slow, columns.atr)
    _trend_ema(prices, lines, first_decision(columns), CASH, COMMISSION, curve, make_trades(ROOM))
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
