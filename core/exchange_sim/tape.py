"""The trades inside a bar: what a venue's public trade list shows, and what an open bar is made of."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.domain import FloatArray, IntArray
from core.exchange_sim.candles import MINUTE, TRADES_PER_BAR, VOLUME_SCALE, Candles
from core.exchange_sim.markets import SimMarket


class Trades(NamedTuple):
    """Public trades, oldest first; five arrays of one length."""

    id: IntArray
    ts: IntArray
    """ms UTC."""
    price: FloatArray
    amount: FloatArray
    """Base units."""
    sold: NDArray[np.bool_]
    """Whether the taker sold (the buyer was the maker)."""

    def where(self, keep: NDArray[np.bool_]) -> Trades:
        """Return the trades marked True."""
        return Trades._make(column[keep] for column in self)

    def last(self, count: int) -> Trades:
        """Return the newest `count` trades."""
        return Trades._make(column[max(0, self.id.size - count) :] for column in self)


def no_trades() -> Trades:
    """Return no trades."""
    whole = np.empty(0, np.int64)
    return Trades(whole, whole, np.empty(0), np.empty(0), np.empty(0, np.bool_))


def joined(parts: Iterable[Trades]) -> Trades:
    """Return the parts, which are in order, as one."""
    return Trades._make(np.concatenate(columns) for columns in zip(no_trades(), *parts, strict=True))


def first_id(opened: int) -> int:
    """Return the id of the first trade of the bar that opens at `opened` ms: the minute says it."""
    return opened // MINUTE * TRADES_PER_BAR


def opened_by(trade_id: int) -> int:
    """Return the open time, ms, of the minute that a trade id belongs to."""
    return trade_id // TRADES_PER_BAR * MINUTE


def tape(bar: Candles, step: int, market: SimMarket, seed: int) -> Trades:
    """Return the trades of one bar (row 0): they start at its open, touch high and low, end at its close."""
    opened = int(bar.ts[0])
    rng = np.random.default_rng((seed, zlib.crc32(market.symbol.encode()), opened // MINUTE))
    slot = step // TRADES_PER_BAR
    offsets = np.arange(TRADES_PER_BAR) * slot + rng.integers(0, slot, TRADES_PER_BAR)
    offsets[0] = 0
    prices = _prices(bar, market, rng)
    fell = np.diff(prices, prepend=prices[0]) < 0
    trades = Trades(
        first_id(opened) + np.arange(TRADES_PER_BAR),
        opened + offsets,
        prices,
        _amounts(float(bar.volume[0]), market, rng),
        fell ^ (rng.random(TRADES_PER_BAR) < 0.25),
    )
    return trades if bar.trades[0] else trades.last(0)


def started(bar: Candles, step: int, market: SimMarket, seed: int, now: int) -> Candles:
    """Return the bar as it stands at `now`, which lies within it: one row, or none if nothing traded."""
    trades = tape(bar, step, market, seed)
    so_far = trades.where(trades.ts <= now)
    if not so_far.id.size:
        return bar.rows(0, 0)
    high, low = float(so_far.price.max()), float(so_far.price.min())
    volume = float(np.rint(so_far.amount.sum() * VOLUME_SCALE) / VOLUME_SCALE)
    # The whole bar's turnover counts at its mean price, which may lie outside what was traded so far.
    share = float(bar.quote[0]) * volume / float(bar.volume[0])
    quote = round(min(max(share, low * volume), high * volume), 6)
    row = (bar.ts[0], bar.open[0], high, low, so_far.price[-1], volume, quote, so_far.id.size)
    return Candles._make(np.array([value], column.dtype) for value, column in zip(row, bar, strict=True))


def _prices(bar: Candles, market: SimMarket, rng: np.random.Generator) -> FloatArray:
    opened, high, low, close = (float(column[0]) for column in bar[1:5])
    early, late = np.sort(rng.choice(np.arange(1, TRADES_PER_BAR - 1), 2, replace=False))
    # The way to the close is shorter when the far extreme comes first.
    first, second = (low, high) if close >= opened else (high, low)
    line = np.interp(
        np.arange(TRADES_PER_BAR), (0, early, late, TRADES_PER_BAR - 1), (opened, first, second, close)
    )
    noise = rng.normal(0.0, (high - low) / 12, TRADES_PER_BAR)
    prices: FloatArray = np.clip(np.round(line + noise, market.price_decimals), low, high)
    prices[[0, early, late, -1]] = opened, first, second, close
    return prices


def _amounts(volume: float, market: SimMarket, rng: np.random.Generator) -> FloatArray:
    # Finer than the lot only for stored bars, whose volume need not be a multiple of it.
    scale = 10**market.lot_decimals
    if volume * scale < TRADES_PER_BAR or abs(volume * scale - round(volume * scale)) > 1e-6:
        scale = 10**8
    whole = round(volume * scale)
    parts = rng.random(TRADES_PER_BAR) + 0.05
    ends = np.floor(np.cumsum(parts / parts.sum()) * (whole - TRADES_PER_BAR)) + np.arange(
        1, TRADES_PER_BAR + 1
    )
    ends[-1] = whole
    return np.asarray(np.diff(ends, prepend=0.0) / scale)
