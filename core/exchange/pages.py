"""Years of candles, one page after another, from a source that may leave out, repeat or shuffle rows.

What the source must do: return candles with open times from `since` on, as many as it likes, of which
some are the oldest it has from there. Both common readings of `since` and `limit` serve: the first
`limit` candles from there on, and those within `limit` timeframes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from core.candles.checks import RefusedRow, check_candles
from core.candles.frames import empty_bars
from core.domain import Bars
from core.utils import Clock, on_grid

RawCandle = Sequence[object]
"""Open time, open, high, low, close, volume, as the source gave them."""

ASK_AGAIN = 2
"""A hole is believed when an answer to the same question brings nothing new; so often is it asked again."""


class Source(NamedTuple):
    """Where pages come from."""

    ask: Callable[[int | None, int], Sequence[RawCandle]]
    """Takes `since` (ms, None for the newest candles) and the greatest number of rows."""
    now: Clock
    """The source's own time, ms UTC."""


class CandleSpan(NamedTuple):
    """Which candles are wanted."""

    start: int
    """Open time of the first, on the timeframe's grid."""
    end: int
    """Open times are below it."""
    step: int
    """Timeframe in ms."""
    page: int
    """Rows to ask for at once."""


class Page(NamedTuple):
    """What one window of time brought."""

    bars: Bars
    """Good closed bars of the span, ascending."""
    refused: tuple[str, ...]
    """Why each row that may not be stored was refused."""
    next: int
    """Where the next window starts."""


def pages(source: Source, span: CandleSpan) -> Iterator[Page]:
    """Yield the pages of a span, oldest first: no bar of the source is left out and none comes twice.

    A page may be empty. Bars that were not closed when they were asked for are left out.
    """
    start, reach = span.start, _Reach(source)
    while start < span.end:
        page = _read_page(source, span._replace(start=start), reach)
        yield page
        start = page.next


def newest(read: Callable[[CandleSpan], list[Bars]], span: CandleSpan, limit: int) -> Bars:
    """Return the newest `limit` bars of a span.

    Holes make the first window too short; then it goes on into the past until there is nothing more.
    """
    window = span._replace(start=max(span.start, span.end - limit * span.step))
    found = read(window)
    while (missing := limit - sum(len(bars.ts) for bars in found)) > 0 and window.start > span.start:
        start = max(span.start, window.start - max(missing, span.page) * span.step)
        window = window._replace(start=start, end=window.start)
        older = read(window)
        if not older:
            break
        found = older + found
    bars = concat(found)
    return bars.since(max(0, len(bars.ts) - limit))


def concat(parts: Sequence[Bars]) -> Bars:
    """Return bars one after another."""
    return Bars._make(map(np.concatenate, zip(*parts, strict=True))) if parts else empty_bars()


@dataclass(slots=True)
class _Reach:
    """How far a source's candles go, asked for only when it matters."""

    source: Source
    newest: int | None = None

    def ends_before(self, start: int) -> bool:
        """Return whether the newest candle is before `start`: nothing is left to wait for then.

        An empty answer alone does not say so: the hole may be longer than a page.
        """
        if self.newest is None or self.newest < start:
            stamps = _as_bars(self.source.ask(None, 2)).ts
            self.newest = int(stamps.max()) if len(stamps) else None
        return self.newest is not None and self.newest < start


@dataclass(slots=True)
class _Agreed:
    """What several answers to one question agree to."""

    span: CandleSpan
    bars: Bars = field(default_factory=empty_bars)
    refused: dict[int, str] = field(default_factory=dict)
    beyond: bool = False
    """Whether there are candles, and all of them are after the span."""

    @property
    def wanted(self) -> int:
        """Bars this window has when none is missing."""
        return min(self.span.page, -(-(self.span.end - self.span.start) // self.span.step))

    @property
    def is_whole(self) -> bool:
        """Whether the bars follow each other from the start on."""
        held = len(self.bars.ts)
        return (
            held >= self.wanted
            and int(self.bars.ts[held - 1] - self.span.start) == (held - 1) * self.span.step
        )

    def add(self, rows: Sequence[RawCandle], now: int) -> bool:
        """Take an answer in; return whether it brought a bar that was not there."""
        given = _as_bars(rows)
        # The candle in progress, and one that began while the answer travelled, are no fault.
        given = _where(given, (given.ts <= now - self.span.step) | (given.ts > now + self.span.step))
        checked = check_candles(given, self.span.step, now)
        self._note(given, checked.refused)
        inside = (checked.good.ts >= self.span.start) & (checked.good.ts < self.span.end)
        fresh = _where(checked.good, inside & ~np.isin(checked.good.ts, self.bars.ts))
        self.beyond = bool(len(checked.good.ts)) and bool((checked.good.ts >= self.span.end).all())
        if not len(fresh.ts):
            return False
        both = concat([self.bars, fresh])
        order = np.argsort(both.ts, kind="stable")
        self.bars = Bars._make(column[order] for column in both)
        for ts in fresh.ts.tolist():
            self.refused.pop(ts, None)
        return True

    def _note(self, given: Bars, refused: tuple[RefusedRow, ...]) -> None:
        held = set(self.bars.ts.tolist())
        for row, reason in refused:
            ts = int(given.ts[row])
            if ts not in held:
                self.refused.setdefault(ts, reason)

    def last(self) -> int | None:
        """Return the newest open time in the span that any row claimed, good or refused."""
        claimed = [ts for ts in self.refused if self._fits(ts)] + self.bars.ts[-1:].tolist()
        return max(claimed, default=None)

    def _fits(self, ts: int) -> bool:
        return self.span.start <= ts < self.span.end and on_grid(ts, self.span.step) == ts


def _read_page(source: Source, span: CandleSpan, reach: _Reach) -> Page:
    window = _Agreed(span)
    limit = window.wanted
    for again in range(1 + ASK_AGAIN):
        # The time is taken before the question: what was closed then is final in the answer.
        now = source.now()
        news = window.add(source.ask(span.start, limit), now)
        if window.is_whole or (again and not news):
            break
    return Page(window.bars, tuple(window.refused.values()), _next_start(window, reach))


def _next_start(window: _Agreed, reach: _Reach) -> int:
    span, last = window.span, window.last()
    if last is not None:
        return last + span.step
    if window.beyond or reach.ends_before(span.start):
        return span.end
    return span.start + span.page * span.step


def _as_bars(rows: Sequence[RawCandle]) -> Bars:
    ts = np.array([row[0] for row in rows], dtype=np.int64)
    values = np.array([[_number(value) for value in row[1:6]] for row in rows], dtype=np.float64)
    return Bars(ts, *values.reshape(-1, 5).T.copy())


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _where(bars: Bars, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Bars:
    return Bars._make(column[keep] for column in bars)
