"""An order book around a price: seeded, never crossed, on the market's tick and lot."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray, IntArray
from core.exchange_sim.markets import SimMarket

SPREAD = 0.0002
"""Distance of best bid and best ask, as a fraction of the price; at least one tick."""
LEVELS = 500
"""Price levels on each side."""
TOP_VALUE = 2500.0
"""Usual value of one price level, quote units."""


class BookSide(NamedTuple):
    """Price levels, best first; two arrays of one length."""

    price: FloatArray
    amount: FloatArray
    """Base units."""


class OrderBook(NamedTuple):
    """Bids below, asks above."""

    bids: BookSide
    asks: BookSide


def no_book() -> OrderBook:
    """Return a book without levels."""
    nothing = BookSide(np.empty(0), np.empty(0))
    return OrderBook(nothing, nothing)


def book(market: SimMarket, last: float, now: int, seed: int, levels: int) -> OrderBook:
    """Return a book around the last price; it stays as it is within one second of `now`.

    It has at most LEVELS levels on each side; asking for fewer gives the top of the same book.
    """
    levels = min(levels, LEVELS)
    ticks = round(last * 10**market.price_decimals)
    spread = max(1, round(ticks * SPREAD))
    best_bid = max(1, ticks - spread // 2)
    rng = np.random.default_rng((seed, zlib.crc32(market.symbol.encode()), now // 1000))
    seeds = rng.integers(0, 2**32, 2)
    below, above = (_side(market, last, spread, np.random.default_rng(s), levels) for s in seeds)
    bids, asks = best_bid - below[0], best_bid + spread + above[0]
    priced = bids > 0
    return OrderBook(
        BookSide(bids[priced] / 10**market.price_decimals, below[1][priced]),
        BookSide(asks / 10**market.price_decimals, above[1]),
    )


def _side(
    market: SimMarket, last: float, spread: int, rng: np.random.Generator, levels: int
) -> tuple[IntArray, FloatArray]:
    # One row of draws per level, so that more levels only add to the same ones.
    draws = rng.random((levels, 2))
    gaps = 1 + np.floor(draws[:, 0] * max(1, spread // 4)).astype(np.int64)
    gaps[:1] = 0
    lots = np.exp(2.5 * (draws[:, 1] - 0.5)) * TOP_VALUE / last * 10**market.lot_decimals
    return np.cumsum(gaps), np.maximum(np.rint(lots), 1) / 10**market.lot_decimals
