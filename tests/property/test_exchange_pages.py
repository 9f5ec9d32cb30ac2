"""Whatever the holes, the page size and the faults: every bar of the source once, in order, and no other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Bars
from core.exchange.pages import CandleSpan, RawCandle, Source, newest, pages

STEP = 60_000
START = 1_704_067_200_000
NOW = START + 10_000 * STEP


class Venue:
    """Serves candles at `minutes`, first come or within a window; every second answer may be spoiled."""

    def __init__(self, minutes: Sequence[int], *, windows: bool, seed: int | None) -> None:
        self.minutes = sorted(minutes)
        self.windows = windows
        self.random = None if seed is None else random.Random(seed)
        self.count = 0

    def ask(self, since: int | None, limit: int) -> list[RawCandle]:
        self.count += 1
        if since is None:
            return [candle(minute) for minute in self.minutes[-limit:]]
        first = -(-(since - START) // STEP)
        held = [minute for minute in self.minutes if minute >= first]
        if self.windows:
            held = [minute for minute in held if minute < first + limit]
        rows = [candle(minute) for minute in held[:limit]]
        return self.spoiled(rows) if self.random is not None and self.count % 2 else rows

    def spoiled(self, rows: list[RawCandle]) -> list[RawCandle]:
        chance = self.random or random.Random(0)
        kept = [row for row in rows if chance.random() > 0.1]
        kept += [row for row in kept if chance.random() < 0.1]
        chance.shuffle(kept)
        return [] if chance.random() < 0.2 else kept


def candle(minute: int) -> RawCandle:
    return [START + minute * STEP, 5.0, 6.0, 4.0, 5.0 + (minute % 7) / 10, float(minute)]


HELD = st.sets(st.integers(0, 400), max_size=150) | st.builds(
    lambda first, length: set(range(first, first + length)), st.integers(0, 100), st.integers(0, 200)
)


@pytest.mark.unmeasured
@given(
    held=HELD,
    start=st.integers(-50, 300),
    length=st.integers(0, 450),
    page=st.integers(1, 60),
    windows=st.booleans(),
    seed=st.none() | st.integers(0, 10_000),
)
def test_the_pages_of_a_span_are_the_source_without_loss_or_repeat(
    held: set[int], start: int, length: int, page: int, *, windows: bool, seed: int | None
) -> None:
    venue = Venue(sorted(held), windows=windows, seed=seed)
    span = CandleSpan(START + start * STEP, START + (start + length) * STEP, STEP, page)
    found = list(pages(Source(venue.ask, lambda: NOW), span))
    stamps = [int(ts) for one in found for ts in one.bars.ts]
    wanted = [START + minute * STEP for minute in sorted(held) if start <= minute < start + length]
    assert stamps == wanted
    volumes = [float(volume) for one in found for volume in one.bars.volume]
    assert volumes == [float((ts - START) // STEP) for ts in wanted]
    assert all(one.refused == () for one in found)


@pytest.mark.unmeasured
@given(held=HELD, end=st.integers(0, 450), page=st.integers(150, 400), limit=st.integers(1, 150))
def test_the_newest_bars_are_the_end_of_the_source(held: set[int], end: int, page: int, limit: int) -> None:
    venue = Venue(sorted(held), windows=False, seed=None)
    span = CandleSpan(START - 500 * STEP, START + end * STEP, STEP, page)

    def read(window: CandleSpan) -> list[Bars]:
        return [one.bars for one in pages(Source(venue.ask, lambda: NOW), window) if len(one.bars.ts)]

    before = [minute for minute in sorted(held) if minute < end]
    found = [(int(ts) - START) // STEP for ts in newest(read, span, limit).ts]
    assert found == before[len(before) - len(found) :]
    assert len(found) == min(limit, len(before)) or reaches_over_an_outage(before, end, page)


def reaches_over_an_outage(before: list[int], end: int, page: int) -> bool:
    """Return whether there is a hole that the way into the past may take for the beginning."""
    edges = [*before, end]
    return any(b - a > page for a, b in pairwise(edges))
