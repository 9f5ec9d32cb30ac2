"""The JSON of Binance.US: numbers as strings with 8 decimals, times in ms."""

from __future__ import annotations

from typing import Any

from core.exchange_sim.book import BookSide, OrderBook
from core.exchange_sim.candles import Candles, Interval
from core.exchange_sim.filters import published
from core.exchange_sim.markets import TRADING, SimMarket, quoted
from core.exchange_sim.orders import MARKET_STOPS
from core.exchange_sim.tape import Trades
from core.exchange_sim.ticker import Ticker
from core.exchange_sim.venue import Json

ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]


def exchange_info(
    markets: list[SimMarket], now: int, weight_limit: int, raw_limit: int, order_limit: int
) -> Json:
    """Return the trading rules of these markets."""
    limits = [
        ("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
        ("ORDERS", "SECOND", 1, order_limit),
        ("RAW_REQUESTS", "MINUTE", 5, raw_limit),
    ]
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [
            {"rateLimitType": kind, "interval": unit, "intervalNum": count, "limit": most}
            for kind, unit, count, most in limits
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(market) for market in markets],
    }


def klines(candles: Candles, interval: Interval) -> list[list[Any]]:
    """Return candle rows; half of every volume counts as bought by takers."""
    rows = []
    for ts, opened, high, low, close, volume, quote, count in zip(
        *(column.tolist() for column in candles), strict=True
    ):
        prices = [quoted(price) for price in (opened, high, low, close)]
        end = interval.after(ts) - 1
        bought = [quoted(volume / 2), quoted(quote / 2)]
        rows.append([ts, *prices, quoted(volume), end, quoted(quote), count, *bought, "0"])
    return rows


def full_ticker(market: SimMarket, ticker: Ticker, book: OrderBook) -> Json:
    """Return the 24-hour statistics with best bid and ask."""
    change = ticker.last - ticker.open
    mini = mini_ticker(market, ticker)
    times = {name: mini.pop(name) for name in ("openTime", "closeTime", "firstId", "lastId", "count")}
    best = best_prices(market, book)
    return {
        **mini,
        "priceChange": quoted(change),
        "priceChangePercent": f"{change / ticker.open * 100:.3f}",
        "weightedAvgPrice": quoted(ticker.mean),
        "prevClosePrice": quoted(ticker.previous_close),
        "lastQty": quoted(ticker.last_amount),
        **best,
        **times,
    }


def mini_ticker(market: SimMarket, ticker: Ticker) -> Json:
    """Return the 24-hour statistics without change and book."""
    return {
        "symbol": market.id,
        "openPrice": quoted(ticker.open),
        "highPrice": quoted(ticker.high),
        "lowPrice": quoted(ticker.low),
        "lastPrice": quoted(ticker.last),
        "volume": quoted(ticker.volume),
        "quoteVolume": quoted(ticker.quote),
        "openTime": ticker.open_time,
        "closeTime": ticker.close_time,
        "firstId": ticker.first_id,
        "lastId": ticker.last_id,
        "count": ticker.trades,
    }


def best_prices(market: SimMarket, book: OrderBook) -> Json:
    """Return the first level of both sides; zeros for an empty side."""
    (bid, bid_amount), (ask, ask_amount) = (_first(side) for side in book)
    return {
        "symbol": market.id,
        "bidPrice": bid,
        "bidQty": bid_amount,
        "askPrice": ask,
        "askQty": ask_amount,
    }


def depth(book: OrderBook, now: int) -> Json:
    """Return both sides of the book; its changes are numbered by the ms they happened at."""
    return {"lastUpdateId": now, "bids": _levels(book.bids), "asks": _levels(book.asks)}


def trades(told: Trades) -> list[Json]:
    """Return the rows of /trades."""
    return [
        {
            "id": id_,
            "price": quoted(price),
            "qty": quoted(amount),
            "quoteQty": quoted(price * amount),
            "time": ts,
            "isBuyerMaker": sold,
            "isBestMatch": True,
        }
        for id_, ts, price, amount, sold in zip(*(column.tolist() for column in told), strict=True)
    ]


def aggregate_trades(told: Trades) -> list[Json]:
    """Return the rows of /aggTrades; every trade stands alone."""
    return [
        {
            "a": id_,
            "p": quoted(price),
            "q": quoted(amount),
            "f": id_,
            "l": id_,
            "T": ts,
            "m": sold,
            "M": True,
        }
        for id_, ts, price, amount, sold in zip(*(column.tolist() for column in told), strict=True)
    ]


def _symbol(market: SimMarket) -> Json:
    return {
        "symbol": market.id,
        "status": market.status,
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES + (list(MARKET_STOPS) if market.market_stops else []),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": market.status == TRADING,
        "isMarginTradingAllowed": False,
        "filters": published(market),
        "permissions": ["SPOT"],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _levels(side: BookSide) -> list[list[str]]:
    return [
        [quoted(price), quoted(amount)]
        for price, amount in zip(*(column.tolist() for column in side), strict=True)
    ]


def _first(side: BookSide) -> tuple[str, str]:
    return (quoted(side.price[0]), quoted(side.amount[0])) if side.price.size else (quoted(0), quoted(0))
