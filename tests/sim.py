"""A small market by hand, and questions to the local exchange without a socket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.domain import Bars
from core.exchange_sim.binanceus import BinanceUS
from core.exchange_sim.candles import CandleSource
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.kraken import Kraken
from core.exchange_sim.limits import WeightCounter
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.stored import StoredSource
from core.exchange_sim.venue import SimAnswer, SimRequest

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_704_110_400_000
"""2024-01-01 12:00 UTC, a Monday."""
BTC = SimMarket("BTC/USDT", 2, 5)


def bars_of(rows: Sequence[tuple[int, float, float, float, float, float]]) -> Bars:
    """Return bars from rows of ts, open, high, low, close, volume."""
    ts, *columns = zip(*rows, strict=True)
    return Bars(np.array(ts, np.int64), *(np.array(column, np.float64) for column in columns))


def steps_of(count: int, length: int, start: int = NOON, price: float = 100.0) -> Bars:
    """Return `count` bars of `length` ms whose close is one higher each time, volume 16 each."""
    return bars_of(
        [
            (start + n * length, price + n, price + n + 1.5, price + n - 0.5, price + n + 1, 16.0)
            for n in range(count)
        ]
    )


def hand_made(bars: Bars, timeframe: str = "1m", symbol: str = "BTC/USDT") -> StoredSource:
    """Return a source of these bars alone."""
    return StoredSource("csv", {(symbol, timeframe): bars})


class Asked:
    """A venue that is asked at a time and answers with parsed JSON."""

    def __init__(
        self, source: CandleSource, now: int, limits: WeightCounter | None = None, venue: str = "us"
    ) -> None:
        self.now = now
        feed, markets = MarketFeed(source, 7), source.markets()
        self.venue = (
            BinanceUS(feed, markets, limits or WeightCounter()) if venue == "us" else Kraken(feed, markets)
        )
        self.root = "/api/v3/" if venue == "us" else "/0/public/"

    def raw(self, path: str, method: str = "GET", **params: Any) -> SimAnswer:
        """Return the answer as it goes over the wire."""
        path = path if path.startswith("/") else self.root + path
        return self.venue.answer(SimRequest(method, path, {k: str(v) for k, v in params.items()}), self.now)

    def __call__(self, path: str, **params: Any) -> Any:
        """Return what the answer says."""
        return json.loads(self.raw(path, **params).body)
