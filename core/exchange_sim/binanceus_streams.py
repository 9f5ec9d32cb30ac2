"""Binance.US's market streams: which names there are, and a connection that subscribes to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from core.exchange_sim import binanceus_stream_wire as wire
from core.exchange_sim.account_news import AccountNews
from core.exchange_sim.binanceus_params import INTERVALS
from core.exchange_sim.binanceus_user_stream import key_expired, user_events
from core.exchange_sim.candles import DAY
from core.exchange_sim.followers import BarFollower, BookFollower, TickerFollower, TradeFollower
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.sessions import BINANCEUS, REPLY, SimMessage, UnknownAsked
from core.exchange_sim.signed import Signed
from core.exchange_sim.venue import Json
from core.exchange_sim.views import MarketViews

NAME = re.compile(
    r"(?P<market>[a-z0-9]+)@(?P<channel>trade|aggTrade|bookTicker|ticker|miniTicker|kline|depth)"
    r"(?P<levels>5|10|20)?(_(?P<interval>\w+))?(?P<speed>@100ms|@1000ms)?"
)
FIELDS = ("method", "params", "id")
MOST_STREAMS = 1024
StreamNews = Callable[[int], Iterable[Json]]


class MarketStream(NamedTuple):
    """One subscription."""

    channel: str
    news: StreamNews
    """Returns the messages since it was asked last, ms UTC."""


class BinanceStreams:
    """Makes subscriptions from their names."""

    def __init__(self, views: MarketViews, markets: Iterable[SimMarket]) -> None:
        self._views = views
        self._markets = {market.id.lower(): market for market in markets}

    def stream(self, name: str, now: int) -> MarketStream | None:
        """Return the subscription of a name such as `btcusdt@kline_1m`; None where there is none."""
        match = NAME.fullmatch(name)
        market = self._markets.get(match["market"]) if match else None
        if match is None or market is None:
            return None
        channel, interval, levels = match["channel"], match["interval"], match["levels"]
        if (interval in INTERVALS) != (channel == "kline") or (interval and channel != "kline"):
            return None
        if channel != "depth" and (levels or match["speed"]):
            return None
        return MarketStream(channel, self._news(channel, market, interval, levels, now))

    def _news(
        self, channel: str, market: SimMarket, interval: str, levels: str | None, now: int
    ) -> StreamNews:
        if channel in ("trade", "aggTrade"):
            return self._trades(market, channel, now)
        if channel == "kline":
            return self._klines(market, interval, now)
        if channel == "depth":
            return self._depth(market, int(levels) if levels else None, now)
        return self._best(market, now) if channel == "bookTicker" else self._statistics(market, channel, now)

    def _trades(self, market: SimMarket, channel: str, now: int) -> StreamNews:
        follower = TradeFollower(self._views, market, now)
        message = wire.trades if channel == "trade" else wire.aggregate_trades

        def news(now: int) -> Iterable[Json]:
            told = follower.news(now)
            return message(told, market) if told else ()

        return news

    def _klines(self, market: SimMarket, name: str, now: int) -> StreamNews:
        interval = INTERVALS[name]
        follower = BarFollower(self._views, market, interval, now)
        return lambda now: (wire.kline(bar, market, interval, name, now) for bar in follower.news(now))

    def _depth(self, market: SimMarket, levels: int | None, now: int) -> StreamNews:
        follower = BookFollower(self._views, market, now, levels)

        def news(now: int) -> Iterator[Json]:
            change = follower.news(now)
            if change:
                yield wire.partial_depth(change) if levels else wire.depth_update(change, market)

        return news

    def _best(self, market: SimMarket, now: int) -> StreamNews:
        follower = BookFollower(self._views, market, now, 1)

        def news(now: int) -> Iterator[Json]:
            change = follower.news(now)
            if change:
                yield wire.book_ticker(change.book, market, now)

        return news

    def _statistics(self, market: SimMarket, channel: str, now: int) -> StreamNews:
        follower = TickerFollower(self._views, market, now)

        def news(now: int) -> Iterator[Json]:
            seen = follower.news(now)
            if seen and channel == "miniTicker":
                yield wire.mini_ticker(seen, market)
            elif seen:
                yield wire.full_ticker(seen, market, self._views.book(market, now))

        return news


class BinanceSession:
    """One connection to the streams of Binance.US."""

    def __init__(
        self,
        streams: BinanceStreams,
        names: Iterable[str],
        unknown: UnknownAsked,
        now: int,
        account: Signed | None = None,
    ) -> None:
        """Take the names that its address asks for; more are subscribed to by messages.

        A name without a channel is a key of the user stream, or nothing.
        """
        self._streams, self._unknown, self._account = streams, unknown, account
        self._mine: dict[str, MarketStream] = {}
        self._keys: list[str] = []
        self.venue, self.closes_at = BINANCEUS, now + DAY
        self._subscribe([name for name in names if "@" in name], now)
        self._keys = [name for name in names if account and account.listen_keys.is_valid(name, now)]

    def open(self, now: int) -> Iterable[SimMessage]:
        """Say nothing to whoever connects."""
        del now
        return ()

    def hear(self, text: str, now: int) -> Iterable[SimMessage]:
        """Return the answer to a message."""
        asked = _read(text)
        if asked is None:
            return [_error(None, 3, "Invalid JSON: expected an object with a method")]
        self._unknown.update(f"binanceus {field}" for field in asked if field not in FIELDS)
        method, names, id_ = asked.get("method"), asked.get("params", []), asked.get("id")
        if method == "LIST_SUBSCRIPTIONS":
            return [SimMessage(REPLY, {"result": list(self._mine), "id": id_})]
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            self._unknown[f"binanceus {method}"] += 1
            return [_error(id_, 2, f"Invalid request: unknown variant `{method}`")]
        if not _are_names(names):
            return [_error(id_, 2, "Invalid request: params wants a list of stream names")]
        if method == "UNSUBSCRIBE":
            for name in names:
                self._mine.pop(name, None)
        else:
            self._subscribe(names, now)
        return [SimMessage(REPLY, {"result": None, "id": id_})]

    def refuse(self, text: str, now: int) -> Iterable[SimMessage]:
        """Return a refusal of a request to subscribe."""
        del now
        asked = _read(text) or {}
        return [_error(asked.get("id"), 2, "Invalid request: unknown stream")]

    def advance(self, news: Mapping[str, AccountNews], now: int) -> Iterable[SimMessage]:
        """Return what happened since the last look."""
        markets = [
            SimMessage(stream.channel, body)
            for stream in list(self._mine.values())
            for body in stream.news(now)
        ]
        return markets + list(self._user_events(news.get(BINANCEUS), now))

    def _user_events(self, news: AccountNews | None, now: int) -> Iterator[SimMessage]:
        if self._account is None or news is None:
            return
        for key in list(self._keys):
            if self._account.listen_keys.is_valid(key, now):
                for event in user_events(news, self._account.canceller):
                    yield SimMessage(event["e"], event)
            elif self._account.listen_keys.has_expired(key, now):
                self._keys.remove(key)
                yield SimMessage("listenKeyExpired", key_expired(key, now))

    def _subscribe(self, names: list[str], now: int) -> None:
        for name in names:
            if name in self._mine:
                continue
            stream = self._streams.stream(name, now)
            # The venue takes names that it does not know and is silent about them.
            if stream is None or len(self._mine) >= MOST_STREAMS:
                self._unknown[f"binanceus {name}"] += 1
            else:
                self._mine[name] = stream


def _read(text: str) -> Mapping[str, Any] | None:
    try:
        asked = json.loads(text)
    except ValueError:
        return None
    return asked if isinstance(asked, dict) else None


def _are_names(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _error(id_: object, code: int, message: str) -> SimMessage:
    return SimMessage(REPLY, {"error": {"code": code, "msg": message}, "id": id_})
