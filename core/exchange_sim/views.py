"""Markets as they stand at a moment, each figure worked out once however many streams show it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from core.exchange_sim.book import LEVELS, BookSide, book, no_book
from core.exchange_sim.candles import Candles, Interval
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.markets import TRADING, SimMarket, quoted
from core.exchange_sim.tape import Trades
from core.exchange_sim.ticker import Ticker, ticker

EVERY_TRADE = 2**31
EVERY_BAR = 100_000
"""More than there are between two looks."""
T = TypeVar("T")
ShownSide = dict[str, str]
"""Amounts by price, both as text, best first."""


class Pulse(NamedTuple):
    """What changes with every trade, and with nothing else."""

    opened: int
    """Of the newest base bar, ms UTC."""
    trades: int
    """In it so far."""
    last: float
    """Price."""


class ShownBook(NamedTuple):
    """Both sides of a book as they go over the wire."""

    bids: ShownSide
    asks: ShownSide


class MarketViews:
    """One feed, looked at by all streams."""

    def __init__(self, feed: MarketFeed) -> None:
        self._feed = feed
        self._kept: dict[Hashable, Any] = {}
        self._at = -1

    def pulse(self, market: SimMarket, now: int) -> Pulse | None:
        """Return the newest trade's mark; None before the first one."""
        return self._once(("pulse", market, now), now, lambda: self._pulse(market, now))

    def trades(self, market: SimMarket, after: int, now: int) -> Trades:
        """Return what traded after one moment and up to another, ms UTC."""
        return self._once(
            ("trades", market, after, now),
            now,
            lambda: self._feed.trades_since(market, now, EVERY_TRADE, after + 1),
        )

    def newest_trades(self, market: SimMarket, count: int, now: int) -> Trades:
        """Return the newest trades, oldest first."""
        return self._feed.trades(market, now, count)

    def ticker(self, market: SimMarket, now: int) -> Ticker | None:
        """Return the statistics of the last 24 hours."""
        return self._once(("ticker", market, now), now, lambda: ticker(self._feed, market, now))

    def book(self, market: SimMarket, now: int) -> ShownBook:
        """Return the whole book."""
        return self._once(("book", market, now), now, lambda: self._book(market, now))

    def closed(self, market: SimMarket, interval: Interval, since: int, now: int) -> Candles:
        """Return the bars that opened from `since` ms on and are over."""
        end = interval.open_of(now) - 1
        return self._once(
            ("closed", market, interval, since, now),
            now,
            lambda: self._feed.candles(market, interval, now, EVERY_BAR, start=since, end=end),
        )

    def running(self, market: SimMarket, interval: Interval, now: int) -> Candles:
        """Return the bar in progress: one row, or none if nothing traded in it."""
        return self._once(
            ("running", market, interval, now), now, lambda: self._feed.running(market, interval, now)
        )

    def recent(self, market: SimMarket, interval: Interval, count: int, now: int) -> Candles:
        """Return the newest bars, the one in progress included."""
        return self._feed.candles(market, interval, now, count, start=None)

    def _pulse(self, market: SimMarket, now: int) -> Pulse | None:
        newest = self._feed.last_bar(market, now)
        if not newest.ts.size:
            return None
        return Pulse(int(newest.ts[0]), int(newest.trades[0]), float(newest.close[0]))

    def _book(self, market: SimMarket, now: int) -> ShownBook:
        pulse = self.pulse(market, now)
        if pulse is None or market.status != TRADING:
            sides = no_book()
        else:
            sides = book(market, pulse.last, now, self._feed.seed, LEVELS)
        return ShownBook(*(_shown(side, market) for side in sides))

    def _once(self, key: Hashable, now: int, make: Callable[[], T]) -> T:
        if now != self._at:
            self._kept.clear()
            self._at = now
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


def _shown(side: BookSide, market: SimMarket) -> ShownSide:
    rows = zip(side.price.tolist(), side.amount.tolist(), strict=True)
    return {quoted(price, market.price_decimals): quoted(amount) for price, amount in rows}
