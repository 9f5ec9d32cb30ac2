"""The JSON of Binance.US's market streams: short names, numbers as strings with 8 decimals, times in ms."""

from __future__ import annotations

from collections.abc import Iterator

from core.exchange_sim.candles import Interval
from core.exchange_sim.followers import BookChange, ShownBar
from core.exchange_sim.markets import SimMarket, quoted
from core.exchange_sim.tape import Trades, first_id
from core.exchange_sim.ticker import Ticker
from core.exchange_sim.venue import Json
from core.exchange_sim.views import ShownBook, ShownSide


def trades(told: Trades, market: SimMarket) -> Iterator[Json]:
    """Yield a message for each trade."""
    for id_, ts, price, amount, sold in zip(*(column.tolist() for column in told), strict=True):
        yield {
            "e": "trade",
            "E": ts,
            "s": market.id,
            "t": id_,
            "p": quoted(price),
            "q": quoted(amount),
            "T": ts,
            "m": sold,
            "M": True,
        }


def aggregate_trades(told: Trades, market: SimMarket) -> Iterator[Json]:
    """Yield a message for each trade, which stands alone, as in /aggTrades."""
    for said in trades(told, market):
        id_ = said.pop("t")
        yield said | {"e": "aggTrade", "a": id_, "f": id_, "l": id_}


def kline(bar: ShownBar, market: SimMarket, interval: Interval, name: str, now: int) -> Json:
    """Return a bar as it stands; half of every volume counts as bought by takers."""
    opened, volume, quote, count = (bar.candles[column][0].item() for column in (0, 5, 6, 7))
    end = interval.after(opened)
    prices = {key: quoted(float(column[0])) for key, column in zip("ohlc", bar.candles[1:5], strict=True)}
    return {
        "e": "kline",
        "E": end if bar.is_closed else now,
        "s": market.id,
        "k": {
            "t": opened,
            "T": end - 1,
            "s": market.id,
            "i": name,
            "f": first_id(opened),
            "L": first_id(opened) + count - 1,
            **prices,
            "v": quoted(volume),
            "n": count,
            "x": bar.is_closed,
            "q": quoted(quote),
            "V": quoted(volume / 2),
            "Q": quoted(quote / 2),
            "B": "0",
        },
    }


def depth_update(change: BookChange, market: SimMarket) -> Json:
    """Return what changed in the book since the message before; `U` follows that one's `u`."""
    return {
        "e": "depthUpdate",
        "E": change.now,
        "s": market.id,
        "U": change.after + 1,
        "u": change.now,
        "b": _levels(change.bids),
        "a": _levels(change.asks),
    }


def partial_depth(change: BookChange) -> Json:
    """Return the best levels."""
    book = change.book
    return {"lastUpdateId": change.now, "bids": _levels(book.bids), "asks": _levels(book.asks)}


def book_ticker(book: ShownBook, market: SimMarket, now: int) -> Json:
    """Return best bid and ask."""
    (bid, bid_amount), (ask, ask_amount) = (_first(side) for side in book)
    return {"u": now, "s": market.id, "b": bid, "B": bid_amount, "a": ask, "A": ask_amount}


def mini_ticker(seen: Ticker, market: SimMarket) -> Json:
    """Return the statistics of the last 24 hours without change and book."""
    return {
        "e": "24hrMiniTicker",
        "E": seen.close_time,
        "s": market.id,
        "c": quoted(seen.last),
        "o": quoted(seen.open),
        "h": quoted(seen.high),
        "l": quoted(seen.low),
        "v": quoted(seen.volume),
        "q": quoted(seen.quote),
    }


def full_ticker(seen: Ticker, market: SimMarket, book: ShownBook) -> Json:
    """Return the statistics of the last 24 hours with best bid and ask."""
    change = seen.last - seen.open
    best = book_ticker(book, market, seen.close_time)
    return {
        **mini_ticker(seen, market),
        "e": "24hrTicker",
        "p": quoted(change),
        "P": f"{change / seen.open * 100:.3f}",
        "w": quoted(seen.mean),
        "x": quoted(seen.previous_close),
        "Q": quoted(seen.last_amount),
        **{name: best[name] for name in "bBaA"},
        "O": seen.open_time,
        "C": seen.close_time,
        "F": seen.first_id,
        "L": seen.last_id,
        "n": seen.trades,
    }


def _levels(side: ShownSide) -> list[list[str]]:
    return [[quoted(float(price)), quoted(float(amount))] for price, amount in side.items()]


def _first(side: ShownSide) -> tuple[str, str]:
    price, amount = next(iter(side.items()), ("0", "0"))
    return quoted(float(price)), quoted(float(amount))
