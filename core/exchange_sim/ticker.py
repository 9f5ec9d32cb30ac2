"""The statistics of a symbol over a window up to now: sums over its base bars, nothing of their own."""

from __future__ import annotations

from typing import NamedTuple

from core.exchange_sim.candles import DAY, Candles
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.tape import first_id


class Ticker(NamedTuple):
    """Prices in quote units, volume in base units, turnover in quote units, times in ms UTC."""

    last: float
    last_amount: float
    open: float
    high: float
    low: float
    previous_close: float
    """Of the bar before the window."""
    volume: float
    quote: float
    trades: int
    first_id: int
    """-1 when nothing traded."""
    last_id: int
    open_time: int
    close_time: int

    @property
    def mean(self) -> float:
        """Return the volume-weighted mean price; 0 without volume."""
        return self.quote / self.volume if self.volume else 0.0


def ticker(feed: MarketFeed, market: SimMarket, now: int, since: int | None = None) -> Ticker | None:
    """Return the statistics from `since` ms (default: 24 hours ago) to `now`.

    None when the symbol has never traded before `now`. Without a trade in the window all prices are
    the last one and the volume is 0.
    """
    opened = now - DAY + 1 if since is None else since
    bars = feed.window(market, now, opened)
    if not bars.ts.size:
        return _quiet(feed.last_bar(market, now), opened, now)
    before = feed.last_bar(market, now, before=int(bars.ts[0]))
    newest = feed.trades(market, now, 1)
    return Ticker(
        last=float(bars.close[-1]),
        last_amount=float(newest.amount[-1]) if newest.id.size else 0.0,
        open=float(bars.open[0]),
        high=float(bars.high.max()),
        low=float(bars.low.min()),
        previous_close=float(before.close[0]) if before.ts.size else float(bars.open[0]),
        volume=round(float(bars.volume.sum()), 8),
        quote=round(float(bars.quote.sum()), 6),
        trades=int(bars.trades.sum()),
        first_id=first_id(int(bars.ts[0])),
        last_id=int(newest.id[-1]) if newest.id.size else -1,
        open_time=opened,
        close_time=now,
    )


def _quiet(bar: Candles, opened: int, now: int) -> Ticker | None:
    if not bar.ts.size:
        return None
    price = float(bar.close[0])
    return Ticker(price, 0.0, price, price, price, price, 0.0, 0.0, 0, -1, -1, opened, now)
