"""Bars as an exchange keeps them, the grids they stand on, and how finer ones make coarser ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.domain import Bars, FloatArray, IntArray
from core.exchange_sim.markets import SimMarket
from core.utils import grid_start

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

VOLUME_SCALE = 1e8
QUOTE_SCALE = 1e6
"""Sums are taken over whole multiples of 1/scale, which float64 adds exactly: any grouping agrees."""
TRADES_PER_BAR = 16
"""Each bar of the base step is told in so many trades, which makes trade ids countable."""


class Candles(NamedTuple):
    """Bars with what the venue adds to them; eight arrays of one length, oldest first."""

    ts: IntArray
    """Open time, ms UTC, strictly ascending."""
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    """Base units."""
    quote: FloatArray
    """Turnover, quote units."""
    trades: IntArray
    """Number of trades."""

    def between(self, start: int, end: int) -> Candles:
        """Return the bars opening in [start, end) ms (a view)."""
        first, last = np.searchsorted(self.ts, (start, end))
        return Candles._make(column[first:last] for column in self)

    def rows(self, start: int, stop: int | None) -> Candles:
        """Return rows [start, stop) (a view)."""
        return Candles._make(column[start:stop] for column in self)

    def last(self, count: int) -> Candles:
        """Return the newest `count` rows (a view)."""
        return self.rows(max(0, self.ts.size - count), None)

    def bars(self) -> Bars:
        """Return the bars without turnover and count."""
        return Bars(*self[:6])


class CandleSource(Protocol):
    """Where the exchange's history comes from. It knows the future; the feed does not show it."""

    @property
    def kind(self) -> str:
        """Return `synthetic`, `db` or `csv`."""

    def markets(self) -> tuple[SimMarket, ...]:
        """Return the markets there are candles for."""

    def steps(self, symbol: str) -> tuple[int, ...]:
        """Return the bar lengths kept, ms, ascending; empty for an unknown symbol."""

    def base_step(self, symbol: str, now: int) -> int:
        """Return the length, ms, of the bars that prices and trades at `now` come from."""

    def span(self, symbol: str) -> tuple[int, int]:
        """Return the open of the first bar and the end of the last, ms."""

    def candles(self, symbol: str, step: int, start: int, end: int) -> Candles:
        """Return the whole bars of a kept `step` that open in [start, end) ms."""


class Interval(NamedTuple):
    """A grid of bar openings."""

    ms: int
    """Length of a bar; 0 for calendar months."""
    offset: int = 0
    """Distance of the grid from 1970-01-01 UTC, ms."""

    def opens(self, stamps: IntArray) -> IntArray:
        """Return the open time of the bar that holds each stamp."""
        if self.ms:
            return (stamps - self.offset) // self.ms * self.ms + self.offset
        return _as_ms(_as_months(stamps))

    def open_of(self, stamp: int) -> int:
        """Return the open time of the bar that holds a moment, ms."""
        return int(self.opens(np.array([stamp], np.int64))[0])

    def after(self, opened: int, count: int = 1) -> int:
        """Return the open time `count` bars later (earlier if negative), ms."""
        if self.ms:
            return opened + count * self.ms
        return int(_as_ms(_as_months(np.array([opened], np.int64)) + count)[0])

    def built_from(self, step: int) -> bool:
        """Say whether whole bars of `step` ms make up whole bars of this grid."""
        return (self.ms or DAY) % step == 0 and (self.offset - grid_start(step)) % step == 0


def empty() -> Candles:
    """Return no candles."""
    whole, real = np.empty(0, np.int64), np.empty(0)
    return Candles(whole, real, real, real, real, real, real, whole)


def join(parts: Iterable[Candles]) -> Candles:
    """Return the parts, which are in order, as one."""
    kept = [part for part in parts if part.ts.size]
    if len(kept) == 1:
        return kept[0]
    return Candles._make(np.concatenate(columns) for columns in zip(*kept, strict=True)) if kept else empty()


def aggregate(candles: Candles, interval: Interval) -> Candles:
    """Return the bars of a coarser grid; a bar exists where at least one finer bar does."""
    if not candles.ts.size:
        return candles
    opens = interval.opens(candles.ts)
    starts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    lasts = np.concatenate((starts[1:], [opens.size])) - 1
    return Candles(
        opens[starts],
        candles.open[starts],
        np.maximum.reduceat(candles.high, starts),
        np.minimum.reduceat(candles.low, starts),
        candles.close[lasts],
        _sums(candles.volume, starts, VOLUME_SCALE),
        _sums(candles.quote, starts, QUOTE_SCALE),
        np.add.reduceat(candles.trades, starts),
    )


def with_turnover(bars: Bars) -> Candles:
    """Return bars with the turnover at their mean price; bars without volume have no trades."""
    mean = (bars.open + bars.high + bars.low + bars.close) / 4
    quote = np.rint(bars.volume * mean * QUOTE_SCALE) / QUOTE_SCALE
    return Candles(*bars, quote, np.where(bars.volume > 0, TRADES_PER_BAR, 0).astype(np.int64))


def _sums(column: FloatArray, starts: NDArray[np.intp], scale: float) -> FloatArray:
    return np.asarray(np.add.reduceat(np.rint(column * scale), starts) / scale)


def _as_months(stamps: IntArray) -> NDArray[np.datetime64]:
    return stamps.astype("datetime64[ms]").astype("datetime64[M]")


def _as_ms(months: NDArray[np.datetime64]) -> IntArray:
    return months.astype("datetime64[ms]").astype(np.int64)
