"""Where a loop's candles, its time and its prices come from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Engine

from core.candles.frames import empty_bars
from core.domain import Bars, Series
from core.errors import ExchangeError
from core.exchange.pages import concat
from core.exchange_client import ExchangeClient
from core.execution_algos.values import LocalBook
from core.live.feed import Read
from core.utils import as_ms, now_ms
from db.candles import last_ts, read_bars, upsert_bars


class World(NamedTuple):
    """The market as a loop sees it."""

    label: str
    read: Read
    now: Callable[[], int]
    client: ExchangeClient | None = None
    """None where stored candles are all there is."""

    def about(self) -> int:
        """Return about what time it is, ms UTC, while the exchange does not tell."""
        return self.now() if self.client is None else as_ms(self.client.now())

    def asked(self) -> int:
        """Return the exchange's time, ms UTC, asked for now. Raises ExchangeError."""
        return self.now() if self.client is None else self.client.exchange_now(ask=True)

    def price(self, symbol: str) -> float | None:
        """Return the last price of a symbol, None when nobody says."""
        if self.client is None:
            return None
        with suppress(ExchangeError):
            return self.client.last_price(symbol)
        return None

    def book(self, symbol: str) -> LocalBook | None:
        """Return what others offer in a symbol now, None when nobody says."""
        if self.client is None:
            return None
        with suppress(ExchangeError):
            return self.client.books.read(symbol)
        return None


def stored_world(label: str, engine: Engine) -> World:
    """Return a world of stored candles alone, of an exchange by this name."""
    return World(label, lambda series, start, end: read_bars(engine, series, start=start, end=end), now_ms)


def exchange_world(client: ExchangeClient, keep_in: Engine | None) -> World:
    """Return the world of an exchange; its candles are kept in a database, if one is given."""

    def fetched(series: Series, start: int, end: int) -> Bars:
        pages = list(client.ohlcv_pages(series.symbol, series.timeframe, start, end))
        return concat(pages) if pages else empty_bars()

    def kept(series: Series, start: int, end: int) -> Bars:
        if keep_in is None:
            return fetched(series, start, end)
        last = last_ts(keep_in, series)
        since = start if last is None else max(start, last)
        for bars in client.ohlcv_pages(series.symbol, series.timeframe, since, end):
            upsert_bars(keep_in, series, bars, source=repr(client))
        return read_bars(keep_in, series, start=start, end=end)

    return World(client.label, kept, client.exchange_now, client)
