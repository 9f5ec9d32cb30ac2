"""The JSON of Kraken's WebSocket v2: numbers with the pair's decimals, times as text."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.exchange_sim.candles import MINUTE, Interval
from core.exchange_sim.followers import BookChange, ShownBar
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.tape import Trades
from core.exchange_sim.ticker import Ticker
from core.exchange_sim.venue import Json
from core.exchange_sim.views import ShownBook, ShownSide

SNAPSHOT, UPDATE = "snapshot", "update"
CHECKED = 10
"""Levels of each side that a book's checksum covers."""


def stamp(ms: int, decimals: int = 6) -> str:
    """Return a time as the streams write it, with so many decimals of a second."""
    whole = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ms % 1000:03d}{'0' * (decimals - 3)}Z"


def number(value: float | str, decimals: int = 8) -> Decimal:
    """Return a number with all its decimals, which the checksum of a book needs."""
    return Decimal(f"{float(value):.{decimals}f}")


def message(channel: str, kind: str, data: list[Any]) -> Json:
    """Return a message of a channel."""
    return {"channel": channel, "type": kind, "data": data}


def status(system: str, connection: int) -> Json:
    """Return what is said to whoever connects, and when the venue's mode changes."""
    told = {"version": "2.0.10", "system": system, "api_version": "v2", "connection_id": connection}
    return message("status", UPDATE, [told])


def trades(told: Trades, market: SimMarket) -> list[Json]:
    """Return public trades."""
    return [
        {
            "symbol": market.symbol,
            "side": "sell" if sold else "buy",
            "price": number(price, market.price_decimals),
            "qty": number(amount),
            "ord_type": ("market", "limit")[id_ % 2],
            "trade_id": id_,
            "timestamp": stamp(ts),
        }
        for id_, ts, price, amount, sold in zip(*(column.tolist() for column in told), strict=True)
    ]


def candles(bars: Iterable[ShownBar], market: SimMarket, interval: Interval) -> list[Json]:
    """Return bars as they stand; none of them says whether it is over."""
    rows = (bar.candles for bar in bars)
    return [_candle(tuple(column[0].item() for column in row), market, interval) for row in rows]


def ticker(seen: Ticker, market: SimMarket, book: ShownBook) -> Json:
    """Return the statistics of the last 24 hours with best bid and ask."""
    decimals, change = market.price_decimals, seen.last - seen.open
    (bid, bid_amount), (ask, ask_amount) = (next(iter(side.items()), ("0", "0")) for side in book)
    return {
        "symbol": market.symbol,
        "bid": number(bid, decimals),
        "bid_qty": number(bid_amount),
        "ask": number(ask, decimals),
        "ask_qty": number(ask_amount),
        "last": number(seen.last, decimals),
        "volume": number(seen.volume),
        "vwap": number(seen.mean, decimals),
        "low": number(seen.low, decimals),
        "high": number(seen.high, decimals),
        "change": number(change, decimals),
        "change_pct": number(change / seen.open * 100, 2),
    }


def book_snapshot(book: ShownBook, market: SimMarket, now: int) -> Json:
    """Return the best levels of a book."""
    return _book(book.bids, book.asks, book, market, now)


def book_update(change: BookChange, market: SimMarket) -> Json:
    """Return what changed in the best levels; an amount of 0 for a level that is gone."""
    return _book(change.bids, change.asks, change.book, market, change.now)


def checksum(book: ShownBook) -> int:
    """Return the CRC32 of the best levels, asks first, their digits without point and leading zeros.

    Source: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
    """
    text = ""
    for side in (book.asks, book.bids):
        for price, amount in list(side.items())[:CHECKED]:
            text += price.replace(".", "").lstrip("0") + amount.replace(".", "").lstrip("0")
    return zlib.crc32(text.encode())


def _candle(row: tuple[Any, ...], market: SimMarket, interval: Interval) -> Json:
    opened, first, high, low, close, volume, quote, count = row
    mean = min(max(quote / volume, low), high) if volume else 0.0
    prices = zip(("open", "high", "low", "close"), (first, high, low, close), strict=True)
    return {
        "symbol": market.symbol,
        **{name: number(price, market.price_decimals) for name, price in prices},
        "trades": count,
        "volume": number(volume),
        "vwap": number(mean, market.price_decimals),
        "interval_begin": stamp(opened, 9),
        "interval": interval.ms // MINUTE,
        "timestamp": stamp(interval.after(opened)),
    }


def _book(bids: ShownSide, asks: ShownSide, whole: ShownBook, market: SimMarket, now: int) -> Json:
    return {
        "symbol": market.symbol,
        "bids": _levels(bids, market.price_decimals),
        "asks": _levels(asks, market.price_decimals),
        "checksum": checksum(whole),
        "timestamp": stamp(now),
    }


def _levels(side: ShownSide, decimals: int) -> list[Json]:
    return [{"price": number(price, decimals), "qty": number(amount)} for price, amount in side.items()]
