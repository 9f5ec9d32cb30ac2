"""The market as seen at a moment: candles with the one in progress, trades, the last price."""

from __future__ import annotations

from dataclasses import dataclass

from core.exchange_sim.candles import (
    TRADES_PER_BAR,
    Candles,
    CandleSource,
    Interval,
    aggregate,
    empty,
    join,
)
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.tape import Trades, joined, no_trades, opened_by, started, tape
from core.utils import grid_start, on_grid

LATEST = 2**62
"""Later than any bar."""


@dataclass(frozen=True)
class MarketFeed:
    """Answers about one source; every method is a pure function of its arguments and the source."""

    source: CandleSource
    seed: int

    def candles(
        self,
        market: SimMarket,
        interval: Interval,
        now: int,
        limit: int,
        *,
        start: int | None,
        end: int = LATEST,
    ) -> Candles:
        """Return bars that open in [start, end] ms, the one in progress included.

        With `start` the oldest `limit` of them, without it the newest.
        """
        running = self.running(market, interval, now).between(start or 0, end + 1)
        stop = interval.open_of(now)
        if end < now:
            stop = min(stop, interval.after(interval.open_of(end)))
        if start is not None:
            return join((self.oldest(market, interval, start, stop, limit), running)).rows(0, limit)
        both = join((self.newest(market, interval, stop, limit), running))
        return both.last(limit)

    def running(self, market: SimMarket, interval: Interval, now: int) -> Candles:
        """Return the bar in progress at `now` as it stands: one row, or none if nothing traded in it."""
        step = self._base(market, now)
        if not interval.built_from(step):
            return empty()
        base_open = on_grid(now, step)
        closed = self.source.candles(market.symbol, step, interval.open_of(now), base_open)
        return aggregate(join((closed, self._base_running(market, step, now))), interval)

    def oldest(self, market: SimMarket, interval: Interval, start: int, stop: int, limit: int) -> Candles:
        """Return the first `limit` whole bars that open in [start, stop) ms; `stop` is on the grid."""
        step = self._step(market, interval)
        if step is None:
            return empty()
        first, last = self.source.span(market.symbol)
        cursor, stop = interval.open_of(max(start, first)), min(stop, interval.after(interval.open_of(last)))
        cursor = cursor if cursor >= start else interval.after(cursor)
        parts, missing, width = [], limit, limit
        while cursor < stop and missing > 0:
            upto = min(interval.after(cursor, width), stop)
            parts.append(aggregate(self.source.candles(market.symbol, step, cursor, upto), interval))
            missing, width = _narrowed(missing, width, parts[-1])
            cursor = upto
        return join(parts).rows(0, limit)

    def newest(self, market: SimMarket, interval: Interval, stop: int, limit: int) -> Candles:
        """Return the last `limit` whole bars that open before `stop` ms, which is on the grid."""
        step = self._step(market, interval)
        if step is None:
            return empty()
        first, last = self.source.span(market.symbol)
        cursor = min(stop, interval.after(interval.open_of(last)))
        parts: list[Candles] = []
        missing, width = limit, limit
        while cursor > first and missing > 0:
            since = interval.after(cursor, -width)
            parts.insert(0, aggregate(self.source.candles(market.symbol, step, since, cursor), interval))
            missing, width = _narrowed(missing, width, parts[0])
            cursor = since
        return join(parts).last(limit)

    def window(self, market: SimMarket, now: int, since: int) -> Candles:
        """Return the base bars that open from `since` ms on, the one in progress as it stands."""
        step = self._base(market, now)
        closed = self.source.candles(market.symbol, step, since, on_grid(now, step))
        return join((closed, self._base_running(market, step, now).between(since, now + 1)))

    def last_bar(self, market: SimMarket, now: int, before: int = LATEST) -> Candles:
        """Return the newest base bar that opens before `before` ms, as it stands at `now`."""
        step = self._base(market, now)
        return self.candles(market, _base_interval(step), now, 1, start=None, end=before - 1)

    def trades(self, market: SimMarket, now: int, limit: int, *, end: int | None = None) -> Trades:
        """Return the newest `limit` trades up to `end` (default `now`) ms."""
        stop = min(now, now if end is None else end)
        interval = _base_interval(self._base(market, now))
        bars = self.newest(
            market, interval, interval.after(interval.open_of(stop)), limit // TRADES_PER_BAR + 2
        )
        told = self._told(market, bars, interval.ms)
        return told.where(told.ts <= stop).last(limit)

    def trades_since(self, market: SimMarket, now: int, limit: int, start: int, from_id: int = 0) -> Trades:
        """Return the oldest `limit` trades from `start` ms and from a trade id on."""
        interval = _base_interval(self._base(market, now))
        begin = max(start, opened_by(from_id))
        if begin > now:
            return no_trades()
        since = interval.open_of(begin)
        stop = interval.after(interval.open_of(now))
        told = self._told(
            market, self.oldest(market, interval, since, stop, limit // TRADES_PER_BAR + 2), interval.ms
        )
        wanted = told.where((told.ts >= start) & (told.id >= from_id) & (told.ts <= now))
        return Trades._make(column[:limit] for column in wanted)

    def _told(self, market: SimMarket, bars: Candles, step: int) -> Trades:
        rows = (bars.rows(row, row + 1) for row in range(bars.ts.size))
        return joined(tape(row, step, market, self.seed) for row in rows)

    def _base_running(self, market: SimMarket, step: int, now: int) -> Candles:
        opened = on_grid(now, step)
        bar = self.source.candles(market.symbol, step, opened, opened + 1)
        return started(bar, step, market, self.seed, now) if bar.ts.size else bar

    def _base(self, market: SimMarket, now: int) -> int:
        return self.source.base_step(market.symbol, now)

    def _step(self, market: SimMarket, interval: Interval) -> int | None:
        fitting = [step for step in self.source.steps(market.symbol) if interval.built_from(step)]
        return max(fitting, default=None)


def _base_interval(step: int) -> Interval:
    return Interval(step, grid_start(step))


def _narrowed(missing: int, width: int, found: Candles) -> tuple[int, int]:
    """Return how many bars are still missing and how many bars far to look next: farther in a gap."""
    left = missing - found.ts.size
    return left, left if found.ts.size else 2 * width
