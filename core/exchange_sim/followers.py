"""What happened in a market since one looked last: trades, bars, book and statistics, for any venue."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from core.exchange_sim.candles import Candles, Interval
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.tape import Trades
from core.exchange_sim.ticker import Ticker
from core.exchange_sim.views import MarketViews, Pulse, ShownBook, ShownSide

NOTHING = "0"
"""The amount of a price level that is gone."""


class ShownBar(NamedTuple):
    """One bar as it stands; `candles` has one row."""

    candles: Candles
    is_closed: bool


class BookChange(NamedTuple):
    """What changed in a book: amounts by price, `NOTHING` for a level that is gone."""

    after: int
    """The moment before the change, ms UTC."""
    now: int
    bids: ShownSide
    asks: ShownSide
    book: ShownBook
    """As it stands after the change."""


class TradeFollower:
    """The public trades of one market."""

    def __init__(self, views: MarketViews, market: SimMarket, now: int) -> None:
        self._views, self._market, self._seen = views, market, now
        self._pulse = views.pulse(market, now)

    def news(self, now: int) -> Trades | None:
        """Return what traded since the last look; None for nothing."""
        pulse = self._views.pulse(self._market, now)
        if pulse == self._pulse:
            return None
        told = self._views.trades(self._market, self._seen, now)
        self._seen, self._pulse = now, pulse
        return told if told.id.size else None


class BarFollower:
    """The bars of one market and interval."""

    def __init__(self, views: MarketViews, market: SimMarket, interval: Interval, now: int) -> None:
        self._views, self._market, self._interval = views, market, interval
        self._opened = interval.open_of(now)
        self._pulse: Pulse | None = None

    def news(self, now: int) -> Iterator[ShownBar]:
        """Yield every bar that ended since the last look, then the one in progress if it changed."""
        opened, before = self._interval.open_of(now), self._opened
        if opened > before:
            self._opened = opened
            over = self._views.closed(self._market, self._interval, before, now)
            yield from (ShownBar(over.rows(row, row + 1), is_closed=True) for row in range(over.ts.size))
        pulse = self._views.pulse(self._market, now)
        if pulse == self._pulse and opened == before:
            return
        self._pulse = pulse
        running = self._views.running(self._market, self._interval, now)
        if running.ts.size:
            yield ShownBar(running, is_closed=False)


class BookFollower:
    """The book of one market, or its best levels."""

    def __init__(self, views: MarketViews, market: SimMarket, now: int, levels: int | None = None) -> None:
        self._views, self._market, self._levels = views, market, levels
        self._mark = self._mark_at(now)
        self._seen, self.book = now, self._top(now)

    def news(self, now: int) -> BookChange | None:
        """Return what changed since the last look; None for nothing.

        Whoever took the whole book at any moment that was looked at can apply all changes after it.
        """
        mark = self._mark_at(now)
        if mark == self._mark:
            return None
        before, after = self.book, self._seen
        self._mark, self.book = mark, self._top(now)
        bids, asks = (_changes(old, new) for old, new in zip(before, self.book, strict=True))
        if not bids and not asks:
            return None
        self._seen = now
        return BookChange(after, now, bids, asks, self.book)

    def _top(self, now: int) -> ShownBook:
        whole = self._views.book(self._market, now)
        if self._levels is None:
            return whole
        return ShownBook(*(dict(islice(side.items(), self._levels)) for side in whole))

    def _mark_at(self, now: int) -> object:
        # The book changes with the last price and with the second.
        return self._views.pulse(self._market, now), now // 1000


class TickerFollower:
    """The statistics of one market, whenever it traded."""

    def __init__(self, views: MarketViews, market: SimMarket, now: int) -> None:
        self._views, self._market = views, market
        self._pulse = views.pulse(market, now)

    def news(self, now: int) -> Ticker | None:
        """Return the statistics if anything traded since the last look."""
        pulse = self._views.pulse(self._market, now)
        if pulse == self._pulse:
            return None
        self._pulse = pulse
        return self._views.ticker(self._market, now)


def _changes(old: ShownSide, new: ShownSide) -> ShownSide:
    gone = {price: NOTHING for price in old if price not in new}
    return gone | {price: amount for price, amount in new.items() if old.get(price) != amount}
