"""Closed bars of several series, each handed on once, in the order in which they closed.

What a source may do wrong, and what comes of it: a bar it repeats is ignored; one that turns up after a later
bar of its series was handed on is reported and never decided on; one whose numbers changed after it was
handed on is reported, not decided again; one that never comes is a gap, and the next is decided on; a series
whose newest bar is too old is stale, and nobody should enter on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from core.domain import Bar, Bars, Series
from core.errors import ExchangeError
from core.utils import format_time, on_grid, timeframe_ms

OVERLAP = 5
"""Bars before the newest one that are read again, so that late and changed ones are seen."""
LATE = 1.5
"""Bars after which a missing newest bar makes a series stale, besides GRACE."""
GRACE = 30_000
"""Milliseconds that a venue may take to publish a bar."""

Read = Callable[[Series, int, int], Bars]
"""(series, start, end) -> the closed bars that open in [start, end), oldest first; may be empty."""


class Polled(NamedTuple):
    """What one look at the source brought."""

    bars: tuple[Bar, ...]
    """New, by close time, then by series."""
    reports: tuple[str, ...]
    """Late, changed and missing bars, one line each."""
    trouble: ExchangeError | None = None
    """Why not everything could be read; what was not comes with a later look."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How old the newest bar of a series is."""

    series: Series
    last: int | None
    """Its open time; None before the first."""
    behind_ms: int
    """Time since a newer bar should have been there; 0 when it is not due yet."""
    is_stale: bool


class Feed:
    """Follows series from a moment on; keeps the newest bars of each, by value."""

    def __init__(
        self, read: Read, series: Iterable[Series], since: Mapping[Series, int], wait_ms: int = GRACE
    ) -> None:
        """Take the newest open time already known of each series; only later bars are handed on.

        `wait_ms`: for how long a bar waits for those of other series.
        """
        self._read = read
        self._series = sorted(set(series))
        self._last = dict(since)
        self._partners: dict[Series, frozenset[Series]] = {}
        self._wait = wait_ms
        self._failed: set[Series] = set()
        """Could not be read at the last try; asked for after the others."""
        self._held: dict[Series, list[Bar]] = {}
        """New bars whose partner's are not there yet."""
        self._without: set[tuple[Series, Series]] = set()
        """Series, and partners whose newest bar was missing from its last one; said once."""
        self._seen: dict[Series, dict[int, Bar]] = {one: {} for one in self._series}

    def follow(self, series: Series, newest: int) -> None:
        """Follow one more series from the bar after this open time on; one that is followed goes on."""
        if series not in self._seen:
            self._series = sorted({*self._series, series})
            self._last[series], self._seen[series] = newest, {}

    def forget(self, series: Series) -> None:
        """Follow a series no longer."""
        if series in self._seen:
            self._series.remove(series)
            self._failed.discard(series)
            self._held.pop(series, None)
            del self._last[series], self._seen[series]

    @property
    def series(self) -> list[Series]:
        """Return what is followed."""
        return list(self._series)

    def wait_for(self, partners: Mapping[Series, Iterable[Series]]) -> None:
        """Hand a bar on only when the newest of its partners that close by then are there too.

        Or when they have had their time to be: what is not there then is missing from that decision. For
        these series, and for no others.
        """
        self._partners = {series: frozenset(others) for series, others in partners.items()}

    def poll(self, now: int) -> Polled:
        """Return the bars that closed since the last look; `now` is exchange time, ms UTC.

        A series that cannot be read ends the look, which hands on what it has; the next begins with others.
        """
        found, self._held = self._held, {}
        reports: list[str] = []
        trouble = None
        try:
            for series in sorted(self._series, key=self._failed.__contains__):
                self._ask(series, now, found, reports)
            for partner in self._awaited(found):
                # Published a moment after it was asked for, perhaps.
                self._ask(partner, now, found, reports)
        except ExchangeError as error:
            trouble = error
        for series in [series for series in self._partners if found.get(series)]:
            found[series], self._held[series] = self._parted(series, found[series], now)
            reports += self._decided_without(series, found[series])
        bars = (bar for some in found.values() for bar in some)
        ordered = sorted(bars, key=lambda bar: (bar.end, bar.symbol, bar.timeframe))
        return Polled(tuple(ordered), tuple(reports), trouble)

    def lags(self, now: int) -> list[Lag]:
        """Return how old each series is at this exchange time."""
        return [self._lag(series, now) for series in self._series]

    def _ask(self, series: Series, now: int, found: dict[Series, list[Bar]], reports: list[str]) -> None:
        """Add what is new of a series, and what is to be said of it."""
        self._failed.add(series)
        fresh, said = self._poll(series, now)
        self._failed.discard(series)
        found.setdefault(series, []).extend(fresh)
        reports += said

    def _awaited(self, found: Mapping[Series, list[Bar]]) -> list[Series]:
        """Return the partners whose newest bar is missing, in order."""
        waiting = [series for series in self._partners if found.get(series)]
        return sorted({one for series in waiting for one in self._missing(series, found[series][-1])})

    def _parted(self, series: Series, bars: list[Bar], now: int) -> tuple[list[Bar], list[Bar]]:
        """Return the bars that are handed on, and those from the first on that waits for a partner's."""
        for place, bar in enumerate(bars):
            if now - bar.end <= self._wait and self._missing(series, bar):
                return bars[:place], bars[place:]
        return bars, []

    def _decided_without(self, series: Series, bars: list[Bar]) -> list[str]:
        """Say which partners' bars were waited for in vain, of each once until it is in time again."""
        if not bars:
            return []
        missing = self._missing(series, bars[-1])
        fresh = [one for one in missing if (series, one) not in self._without]
        self._without -= {(series, one) for one in self._partners[series]}
        self._without |= {(series, one) for one in missing}
        names = ", ".join(f"{one.symbol} {one.timeframe}" for one in fresh)
        why = f"which had not come {self._wait / 1000:g} s after its close"
        return [f"{series} {format_time(bars[-1].ts)}: decided on without {names}, {why}"] if fresh else []

    def _missing(self, series: Series, newest: Bar) -> list[Series]:
        """Return the partners whose newest bar that closed by then is not there yet."""
        return [one for one in self._partners[series] if self._last.get(one, 0) < _due(one, newest.end)]

    def _lag(self, series: Series, now: int) -> Lag:
        step, last = timeframe_ms(series.timeframe), self._last.get(series)
        if last is None:
            return Lag(series, None, 0, is_stale=True)
        behind = max(0, now - (last + 2 * step))
        return Lag(series, last, behind, is_stale=behind > (LATE - 1) * step + GRACE)

    def _poll(self, series: Series, now: int) -> tuple[list[Bar], list[str]]:
        step, last = timeframe_ms(series.timeframe), self._last.get(series)
        if last is not None and now < last + 2 * step:
            return [], []
        closed = on_grid(now, step)
        start = closed - step if last is None else last - OVERLAP * step
        found = self._read(series, start, closed)
        rows = zip(*(column.tolist() for column in found), strict=True)
        given = [
            Bar(series.symbol, series.timeframe, int(row[0]), int(row[0]) + step, *row[1:]) for row in rows
        ]
        fresh = [bar for bar in given if last is None or bar.ts > last]
        reports = [
            line for bar in given if last is not None and bar.ts <= last for line in self._old(series, bar)
        ]
        reports += _gaps(series, fresh, last, step)
        self._keep(series, given, step)
        return fresh, reports

    def _old(self, series: Series, bar: Bar) -> list[str]:
        """Say what is wrong with a bar that is not new, nothing if it is as it was."""
        seen = self._seen[series]
        if seen.get(bar.ts) == bar:
            return []
        name = f"{series} {format_time(bar.ts)}"
        if bar.ts in seen:
            return [f"{name}: changed after it was decided on; not decided again"]
        # Before the first look nothing was seen: those bars warmed the strategies up.
        was_following = bool(seen) and bar.ts > min(seen)
        return [f"{name}: came after a later bar; stored, not decided on"] if was_following else []

    def _keep(self, series: Series, given: Iterable[Bar], step: int) -> None:
        seen = self._seen[series]
        seen.update({bar.ts: bar for bar in given})
        if seen:
            last = self._last[series] = max(max(seen), self._last.get(series, 0))
            for ts in [ts for ts in seen if ts < last - 2 * OVERLAP * step]:
                del seen[ts]


def _due(series: Series, end: int) -> int:
    """Return the open time of a series' newest bar that closes by this time."""
    step = timeframe_ms(series.timeframe)
    return on_grid(end, step) - step


def _gaps(series: Series, fresh: list[Bar], last: int | None, step: int) -> list[str]:
    lines = []
    for bar in fresh:
        if last is not None and (missing := (bar.ts - last) // step - 1) > 0:
            until = format_time(bar.ts)
            lines.append(f"{series} {until}: {missing} bar{'s' if missing > 1 else ''} missing before it")
        last = bar.ts
    return lines
