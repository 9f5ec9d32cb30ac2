"""Candles that were stored before: served in their own timeframes, and aggregated to coarser ones.

The exchange never shows a bar later than its clock. With the machine's clock stored history is simply
the past; `replay.replay_clock` moves the exchange's present into it, and the history then looks live.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from core.candles.columns import Options
from core.candles.files import read_candle_file
from core.domain import Bars
from core.errors import NoDataError
from core.exchange_sim.candles import Candles, with_turnover
from core.exchange_sim.markets import SimMarket, market_for
from core.symbols import symbol_name
from core.utils import TIMEFRAMES, timeframe_name
from db.base import open_engine
from db.candles import read_bars
from db.stored_series import stored_ranges


class StoredSpan(NamedTuple):
    """How far one stored series reaches."""

    symbol: str
    timeframe: str
    first: int
    """Open of the first bar, ms UTC."""
    end: int
    """End of the last bar, ms UTC."""


class StoredSource:
    """Candles of one venue held in memory; keys are symbol and timeframe."""

    def __init__(self, kind: str, series: Mapping[tuple[str, str], Bars]) -> None:
        """Take at least one series that is not empty. Raises NoDataError without one."""
        self.kind = kind
        self._kept: dict[str, dict[int, Candles]] = {}
        for (symbol, timeframe), bars in series.items():
            if bars.ts.size:
                self._kept.setdefault(symbol, {})[TIMEFRAMES[timeframe]] = with_turnover(bars)
        if not self._kept:
            raise NoDataError("there are no candles to serve: load some first, or serve synthetic ones")

    def steps(self, symbol: str) -> tuple[int, ...]:
        """Return the bar lengths stored, ms, ascending."""
        return tuple(sorted(self._kept.get(symbol, {})))

    def base_step(self, symbol: str, now: int) -> int:
        """Return the length, ms, of the finest bars that reach up to `now`, or come nearest to it."""
        return min(self.steps(symbol), key=lambda step: (-min(self._end(symbol, step, now), now), step))

    def span(self, symbol: str) -> tuple[int, int]:
        """Return the open of the first and the end of the last bar of any timeframe, ms."""
        kept = self._kept[symbol]
        ends = (int(candles.ts[-1]) + step for step, candles in kept.items())
        return min(int(candles.ts[0]) for candles in kept.values()), max(ends)

    def candles(self, symbol: str, step: int, start: int, end: int) -> Candles:
        """Return the stored bars of `step` ms that open in [start, end) ms."""
        return self._kept[symbol][step].between(start, end)

    def markets(self) -> tuple[SimMarket, ...]:
        """Return the markets to list, with a tick that suits the newest price."""
        return tuple(market_for(symbol, self._newest_close(symbol)) for symbol in sorted(self._kept))

    def spans(self) -> tuple[StoredSpan, ...]:
        """Return what is served, by symbol and timeframe."""
        names = {ms: name for name, ms in TIMEFRAMES.items()}
        return tuple(
            StoredSpan(symbol, names[step], int(kept[step].ts[0]), int(kept[step].ts[-1]) + step)
            for symbol, kept in sorted(self._kept.items())
            for step in sorted(kept)
        )

    def _newest_close(self, symbol: str) -> float:
        step = self.steps(symbol)[-1]
        return float(self._kept[symbol][step].close[-1])

    def _end(self, symbol: str, step: int, now: int) -> int:
        """Return the end of the last bar that opens at or before `now`; 0 if there is none."""
        stamps = self._kept[symbol][step].ts
        row = int(stamps.searchsorted(now, side="right")) - 1
        return int(stamps[row]) + step if row >= 0 else 0


def from_database(db_url: str, exchange: str) -> StoredSource:
    """Return all stored candles of one exchange's label (`binanceus`).

    Raises DatabaseError when the database cannot be used, NoDataError when it has none of them.
    """
    engine = open_engine(db_url)
    try:
        stored = [found.series for found in stored_ranges(engine)]
        series = {
            (one.symbol, one.timeframe): read_bars(engine, one)
            for one in stored
            if one.exchange == exchange and one.timeframe in TIMEFRAMES
        }
    finally:
        engine.dispose()
    if not series:
        there = ", ".join(sorted({one.exchange for one in stored})) or "nothing"
        raise NoDataError(
            f"no stored candles of exchange {exchange!r} to serve: name one that is stored: {there}"
        )
    return StoredSource("db", series)


def from_files(
    files: Iterable[tuple[Path, str, str]], now: int, zone: tzinfo | None = None
) -> tuple[StoredSource, int]:
    """Return the candles of files, given with symbol and timeframe, and how many rows were refused.

    `now` (ms UTC) is when they are read: a bar that was not closed then is refused; `zone` is that of times
    that name none. Of two files for
    one series the later replaces the earlier. Raises UsageError for a symbol that is not BASE/QUOTE, and
    what read_candle_file raises.
    """
    series, refused = {}, 0
    for path, symbol, timeframe in files:
        name, frame = symbol_name(symbol), timeframe_name(timeframe)
        found = read_candle_file(path, frame, now, options=Options(name, zone))
        series[name, frame] = found.good
        refused += len(found.refused)
    return StoredSource("csv", series), refused
