"""Kraken's public channels: what each tells at first and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.exchange_sim import kraken_stream_wire as wire
from core.exchange_sim.candles import MINUTE, Interval
from core.exchange_sim.followers import BarFollower, BookFollower, ShownBar, TickerFollower, TradeFollower
from core.exchange_sim.kraken_names import KrakenPair
from core.exchange_sim.kraken_stream_wire import SNAPSHOT, UPDATE
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.venue import Json
from core.exchange_sim.views import MarketViews

MINUTES = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
DEPTHS = (10, 25, 100, 500, 1000)
TRIGGERS = ("trades", "bbo")
RECENT = 50
"""Trades, or candles, in a snapshot."""
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "ticker": {"event_trigger": "trades", "snapshot": True},
    "trade": {"snapshot": False},
    "ohlc": {"interval": 1, "snapshot": True},
    "book": {"depth": 10, "snapshot": True},
}
"""What may be asked of each channel beside its symbols, and what holds unasked."""


@dataclass(frozen=True)
class FollowedChannel:
    """One channel of one pair."""

    channel: str
    first: Iterable[Json]
    """The snapshot."""
    news: Callable[[int], Iterable[Json]]
    """Returns the messages since it was asked last, ms UTC."""


class WrongValueError(Exception):
    """A field has a value that the channel does not know."""


class PublicChannels:
    """Makes subscriptions to the markets."""

    def __init__(self, views: MarketViews, pairs: Iterable[KrakenPair]) -> None:
        self._views = views
        self.markets: Mapping[str, SimMarket] = {pair.market.symbol: pair.market for pair in pairs}

    def follow(
        self, channel: str, market: SimMarket, options: Mapping[str, Any], now: int
    ) -> FollowedChannel:
        """Return a subscription, with every option given. Raises WrongValueError for a wrong one."""
        makers: Mapping[str, Callable[[SimMarket, Mapping[str, Any], int], FollowedChannel]] = {
            "ticker": self._ticker,
            "trade": self._trade,
            "ohlc": self._ohlc,
            "book": self._book,
        }
        if not isinstance(options["snapshot"], bool):
            raise WrongValueError("snapshot")
        return makers[channel](market, options, now)

    def _ticker(self, market: SimMarket, options: Mapping[str, Any], now: int) -> FollowedChannel:
        trigger = _one_of("event_trigger", options, TRIGGERS)
        seen = TickerFollower(self._views, market, now)
        best = BookFollower(self._views, market, now, 1)

        def told(now: int, kind: str) -> list[Json]:
            day = self._views.ticker(market, now)
            book = self._views.book(market, now)
            return [wire.message("ticker", kind, [wire.ticker(day, market, book)])] if day else []

        def news(now: int) -> list[Json]:
            changed = best.news(now) if trigger == "bbo" else seen.news(now)
            return told(now, UPDATE) if changed else []

        return FollowedChannel("ticker", told(now, SNAPSHOT) if options["snapshot"] else (), news)

    def _trade(self, market: SimMarket, options: Mapping[str, Any], now: int) -> FollowedChannel:
        follower = TradeFollower(self._views, market, now)
        first = wire.trades(self._views.newest_trades(market, RECENT, now), market)

        def news(now: int) -> list[Json]:
            told = follower.news(now)
            return [wire.message("trade", UPDATE, wire.trades(told, market))] if told else []

        # An empty list is never sent.
        snapshot = [wire.message("trade", SNAPSHOT, first)] if options["snapshot"] and first else []
        return FollowedChannel("trade", snapshot, news)

    def _ohlc(self, market: SimMarket, options: Mapping[str, Any], now: int) -> FollowedChannel:
        interval = Interval(_one_of("interval", options, MINUTES) * MINUTE)
        follower = BarFollower(self._views, market, interval, now)
        recent = self._views.recent(market, interval, RECENT, now)
        bars = [ShownBar(recent.rows(row, row + 1), is_closed=False) for row in range(recent.ts.size)]
        first = wire.candles(bars, market, interval)
        shown = first[-1:]

        def news(now: int) -> list[Json]:
            rows = wire.candles(follower.news(now), market, interval)
            # A bar that is over is told again only if a trade in it was not told yet.
            fresh = [row for row in rows if row not in shown]
            shown[:] = rows[-1:] or shown
            return [wire.message("ohlc", UPDATE, [row]) for row in fresh]

        return FollowedChannel(
            "ohlc", [wire.message("ohlc", SNAPSHOT, first)] if options["snapshot"] else [], news
        )

    def _book(self, market: SimMarket, options: Mapping[str, Any], now: int) -> FollowedChannel:
        follower = BookFollower(self._views, market, now, _one_of("depth", options, DEPTHS))
        first = wire.message("book", SNAPSHOT, [wire.book_snapshot(follower.book, market, now)])

        def news(now: int) -> list[Json]:
            change = follower.news(now)
            return [wire.message("book", UPDATE, [wire.book_update(change, market)])] if change else []

        return FollowedChannel("book", [first] if options["snapshot"] else [], news)


def _one_of(name: str, options: Mapping[str, Any], allowed: tuple[Any, ...]) -> Any:
    value = options[name]
    if isinstance(value, bool) or value not in allowed:
        raise WrongValueError(name)
    return value
