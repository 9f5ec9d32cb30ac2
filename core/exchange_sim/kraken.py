"""Kraken's REST: assets and pairs under Kraken's own names, and never more than 720 bars.

What is below a key is in kraken_signed.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from core.exchange_sim.book import BookSide, OrderBook, book, no_book
from core.exchange_sim.candles import DAY, MINUTE, Candles, Interval
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.kraken_gate import PRIVATE
from core.exchange_sim.kraken_names import KrakenPair, pair_of
from core.exchange_sim.kraken_rules import LEAST_COST, least_of
from core.exchange_sim.kraken_signed import KrakenAccount, error
from core.exchange_sim.kraken_wire import asset, stamp
from core.exchange_sim.markets import TRADING, SimMarket, quoted
from core.exchange_sim.tape import Trades
from core.exchange_sim.ticker import ticker
from core.exchange_sim.venue import Json, RequestRefused, SimAnswer, SimRequest, as_json

ROOT = "/0/public/"
MOST_BARS = 720
MOST_TRADES = 1000
MINUTES = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Candle intervals."""
TAKER = [[0, 0.4], [10000, 0.35], [50000, 0.24], [100000, 0.22]]
MAKER = [[0, 0.25], [10000, 0.2], [50000, 0.14], [100000, 0.12]]


class Kraken:
    """The venue over one feed; without an account it is public only."""

    def __init__(
        self, feed: MarketFeed, markets: tuple[SimMarket, ...], account: KrakenAccount | None = None
    ) -> None:
        self._feed, self._account = feed, account
        self._pairs = [pair_of(market) for market in markets]
        self._by_name = {name: pair for pair in self._pairs for name in (pair.id, pair.altname, pair.wsname)}
        self._routes: dict[str, Callable[[dict[str, str], int], Json]] = {
            "Time": _time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": self._asset_pairs,
            "OHLC": self._ohlc,
            "Ticker": self._ticker,
            "Depth": self._depth,
            "Trades": self._trades,
        }

    def answer(self, request: SimRequest, now: int) -> SimAnswer:
        """Return the answer at `now`; errors come with HTTP 200, as Kraken sends them."""
        if request.path.startswith(PRIVATE):
            return self._account.answer(request, now) if self._account else error("EAPI:Invalid key")
        route = self._routes.get(request.path.removeprefix(ROOT))
        if route is None or request.method not in ("GET", "POST"):
            return error("EGeneral:Unknown method")
        try:
            return as_json({"error": [], "result": route(request.params, now)})
        except RequestRefused as refusal:
            return error(refusal.message)

    def arrive(self, request: SimRequest, now: int) -> None:
        """Take notice of a request that is processed later."""
        if self._account and request.path.startswith(PRIVATE):
            self._account.arrive(request, now)

    def _status(self, params: dict[str, str], now: int) -> Json:
        del params
        return {"status": self._account.status if self._account else "online", "timestamp": stamp(now)}

    def _assets(self, params: dict[str, str], now: int) -> Json:
        del params, now
        names = {name for pair in self._pairs for name in (pair.base, pair.quote)}
        return {name: asset(name) for name in sorted(names)}

    def _asset_pairs(self, params: dict[str, str], now: int) -> Json:
        del now
        return {pair.id: _described(pair) for pair in self._chosen(params)}

    def _ohlc(self, params: dict[str, str], now: int) -> Json:
        pair, minutes, since = self._pair(params), _whole(params, "interval", 1), _whole(params, "since", 0)
        if minutes not in MINUTES:
            raise _invalid("interval")
        interval = Interval(minutes * MINUTE)
        bars = self._feed.candles(pair.market, interval, now, MOST_BARS, start=None)
        rows = _ohlc_rows(bars, pair.market)
        committed = rows[-2][0] if len(rows) > 1 else 0
        # The last entry comes whatever `since` says.
        return {pair.id: [row for row in rows[:-1] if row[0] > since] + rows[-1:], "last": committed}

    def _ticker(self, params: dict[str, str], now: int) -> Json:
        found = {pair.id: self._seen(pair.market, now) for pair in self._chosen(params)}
        return {name: seen for name, seen in found.items() if seen}

    def _seen(self, market: SimMarket, now: int) -> Json:
        day, today = ticker(self._feed, market, now), ticker(self._feed, market, now, now // DAY * DAY)
        if day is None or today is None:
            return {}
        both, decimals = (today, day), market.price_decimals
        bids, asks = self._book(market, day.last, now, 1)
        return {
            "a": _top(asks, decimals),
            "b": _top(bids, decimals),
            "c": [quoted(day.last, decimals), quoted(day.last_amount)],
            "v": [quoted(seen.volume) for seen in both],
            "p": [quoted(seen.mean, 5) for seen in both],
            "t": [seen.trades for seen in both],
            "l": [quoted(seen.low, decimals) for seen in both],
            "h": [quoted(seen.high, decimals) for seen in both],
            "o": quoted(today.open, decimals),
        }

    def _depth(self, params: dict[str, str], now: int) -> Json:
        pair, levels = self._pair(params), _count(params, 100, 500)
        newest = self._feed.last_bar(pair.market, now)
        sides = self._book(pair.market, float(newest.close[0]), now, levels) if newest.ts.size else no_book()
        bids, asks = (_levels(side, pair.market.price_decimals, now) for side in sides)
        return {pair.id: {"asks": asks, "bids": bids}}

    def _trades(self, params: dict[str, str], now: int) -> Json:
        pair, count = self._pair(params), _count(params, MOST_TRADES, MOST_TRADES)
        if "since" in params:
            told = self._feed.trades_since(pair.market, now, count, _since_ms(_whole(params, "since", 0)))
        else:
            told = self._feed.trades(pair.market, now, count)
        last = f"{int(told.ts[-1]) * 1_000_000}" if told.ts.size else params.get("since", "0")
        return {pair.id: _trade_rows(told, pair.market.price_decimals), "last": last}

    def _book(self, market: SimMarket, last: float, now: int, levels: int) -> OrderBook:
        return book(market, last, now, self._feed.seed, levels) if market.status == TRADING else no_book()

    def _chosen(self, params: dict[str, str]) -> list[KrakenPair]:
        if "pair" not in params:
            return self._pairs
        return [self._named(name) for name in params["pair"].split(",")]

    def _pair(self, params: dict[str, str]) -> KrakenPair:
        if "pair" not in params:
            raise _invalid("pair")
        return self._named(params["pair"])

    def _named(self, name: str) -> KrakenPair:
        if name not in self._by_name:
            raise RequestRefused(0, "EQuery:Unknown asset pair")
        return self._by_name[name]


def _time(params: dict[str, str], now: int) -> Json:
    del params
    moment = datetime.fromtimestamp(now // 1000, UTC)
    return {"unixtime": now // 1000, "rfc1123": moment.strftime("%a, %d %b %y %H:%M:%S +0000")}


def _described(pair: KrakenPair) -> Json:
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base,
        "aclass_quote": "currency",
        "quote": pair.quote,
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": pair.market.price_decimals,
        "lot_decimals": pair.market.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": TAKER,
        "fees_maker": MAKER,
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": least_of(pair.market),
        "costmin": f"{LEAST_COST}",
        "tick_size": quoted(pair.market.tick, pair.market.price_decimals),
        "status": "online" if pair.market.status == TRADING else "cancel_only",
    }


def _ohlc_rows(bars: Candles, market: SimMarket) -> list[list[Any]]:
    rows = []
    for ts, opened, high, low, close, volume, quote, count in zip(*(c.tolist() for c in bars), strict=True):
        mean = min(max(quote / volume, low), high) if volume else 0.0
        prices = [quoted(price, market.price_decimals) for price in (opened, high, low, close, mean)]
        rows.append([ts // 1000, *prices, quoted(volume), count])
    return rows


def _trade_rows(told: Trades, decimals: int) -> list[list[Any]]:
    return [
        [quoted(price, decimals), quoted(amount), ts / 1000, "s" if sold else "b", "ml"[id_ % 2], "", id_]
        for id_, ts, price, amount, sold in zip(*(column.tolist() for column in told), strict=True)
    ]


def _levels(side: BookSide, decimals: int, now: int) -> list[list[Any]]:
    return [
        [quoted(price, decimals), quoted(amount, 3), now // 1000]
        for price, amount in zip(side.price.tolist(), side.amount.tolist(), strict=True)
    ]


def _top(side: BookSide, decimals: int) -> list[str]:
    if not side.price.size:
        return [quoted(0, decimals), "0", "0.000"]
    amount = float(side.amount[0])
    return [quoted(float(side.price[0]), decimals), str(max(1, int(amount))), quoted(amount, 3)]


def _count(params: dict[str, str], default: int, most: int) -> int:
    count = _whole(params, "count", default)
    if count < 1:
        raise _invalid("count")
    return min(count, most)


def _whole(params: dict[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise _invalid(name)
    return int(text)


def _since_ms(since: int) -> int:
    """Read a stamp in ns, as `last` gives it, or in s."""
    return since // 1_000_000 if since > 10**14 else since * 1000


def _invalid(name: str) -> RequestRefused:
    return RequestRefused(0, f"EGeneral:Invalid arguments:{name}")
