"""Only closed candles are stored and decided on, whatever the clocks do and whenever they do it."""

from __future__ import annotations

import random
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.candles.frames import empty_bars
from core.domain import Bars, Series
from core.errors import ExchangeUnreachableError
from core.exchange.clock import MEASURE_EVERY_MS, UNSEEN_MS
from core.exchange.pages import CandleSpan, RawCandle, Source, concat, pages
from core.live.feed import Feed
from core.utils import on_grid, parse_time
from tests.clocks import DAY, HOUR, MINUTE, STEPS, Clocks
from tests.tiers import tries

START = parse_time("2024-03-05T10:00:30")
LAG = MEASURE_EVERY_MS // 1000 + 2 * 1000
"""Ms by which the time told may lag without sleep: what a fast and a slow clock make, and the way back."""

seeds = st.integers(0, 2**32)
drifts = st.sampled_from((-500, -20, 0, 20, 500))


class Exchange:
    """One series of one-minute candles; the one in progress changes with every moment."""

    def __init__(self, clocks: Clocks) -> None:
        self.clocks = clocks

    def candle(self, ts: int) -> list[float]:
        """Return a candle as it is now: its close says how far it has come."""
        grown = min(MINUTE, int(self.clocks.now) - ts)
        return [ts, 100.0, 200_000.0, 50.0, 100.0 + grown, 1.0]

    def ask(self, since: int | None, limit: int) -> list[RawCandle]:
        self.clocks.happens()
        newest = on_grid(int(self.clocks.now), MINUTE)
        first = newest - MINUTE * (limit - 1) if since is None else since
        rows: list[RawCandle] = [self.candle(ts) for ts in range(first, newest + 1, MINUTE)[:limit]]
        self.clocks.happens()
        if self.clocks.rng.random() < self.clocks.away:
            raise ExchangeUnreachableError("no answer")
        return rows


def final(bars: Bars) -> bool:
    return bool((bars.close == 100.0 + MINUTE).all())


@pytest.mark.unmeasured
@settings(max_examples=tries(60, 15), deadline=None)
@given(seeds, drifts, st.sampled_from((0.0, 0.02, 0.2)), st.sampled_from((0.0, 0.2)))
def test_the_time_told_is_never_ahead_of_the_exchanges(
    seed: int, ppm: int, trouble: float, away: float
) -> None:
    rng = random.Random(seed)
    clocks = Clocks(rng, START, rng.choice((0, -DAY, DAY)), ppm=ppm, trouble=trouble, away=away)
    clock = clocks.clock()
    for _ in range(200):
        with suppress(ExchangeUnreachableError):
            told = clock.now()
            assert told <= clocks.now
            assert clock.peek() <= clocks.now
            if not trouble:
                assert clocks.now - told <= LAG
        clocks.passes(rng.choice((5, 1000, 1000, 61_000)))


@pytest.mark.unmeasured
@settings(max_examples=tries(25, 7), deadline=None)
@given(seeds, drifts, st.sampled_from((0.01, 0.1)), st.sampled_from((0.0, 0.1)))
def test_the_loop_reads_no_candle_that_is_not_final_and_misses_none(
    seed: int, ppm: int, trouble: float, away: float
) -> None:
    rng = random.Random(seed)
    clocks = Clocks(rng, START, ppm=ppm, trouble=trouble, away=away)
    clock, exchange = clocks.clock(), Exchange(clocks)
    series, stored = Series("x", "BTC/USDT", "1m"), dict[int, float]()

    def read(series: Series, start: int, end: int) -> Bars:
        # As CandleReader does: the time is asked for anew, whatever the loop thinks it is.
        span = CandleSpan(start, min(end, on_grid(clock.now(), MINUTE)), MINUTE, 500)
        found = [page.bars for page in pages(Source(exchange.ask, clock.now), span)]
        bars = concat(found) if found else empty_bars()
        assert final(bars)
        stored.update(zip(bars.ts.tolist(), bars.close.tolist(), strict=True))
        return bars

    newest = on_grid(START, MINUTE) - MINUTE
    feed, decided = Feed(read, [series], {series: newest}), list[int]()
    for _ in range(40):
        with suppress(ExchangeUnreachableError):
            decided += [bar.ts for bar in feed.poll(clock.now()).bars]
        clocks.passes(rng.choice((1000, 1000, 30_000)))
    clocks.trouble = clocks.away = 0.0
    clocks.passes(MEASURE_EVERY_MS)
    decided += [bar.ts for bar in feed.poll(clock.now()).bars]
    first, most = newest + MINUTE, on_grid(int(clocks.now), MINUTE)
    # The newest may have closed within the lag, and may then be known or not.
    assert decided in [
        list(range(first, end, MINUTE)) for end in {most, on_grid(int(clocks.now) - LAG, MINUTE)}
    ]
    assert set(decided) <= stored.keys()


@pytest.mark.parametrize("step", [sign * size for size in STEPS for sign in (1, -1)])
def test_a_step_just_before_a_candle_closes_does_not_close_it(step: int) -> None:
    clocks = Clocks(random.Random(1), START)
    clock, exchange = clocks.clock(), Exchange(clocks)
    clock.now()
    clocks.step += step
    first = on_grid(START, MINUTE) - MINUTE
    found = pages(Source(exchange.ask, clock.now), CandleSpan(first, first + HOUR, MINUTE, 2))
    bars = concat([page.bars for page in found])
    assert bars.ts.tolist() == [first]
    assert final(bars)


@pytest.mark.unmeasured
@settings(max_examples=tries(40, 10), deadline=None)
@given(seeds, st.integers(0, 3000), st.sampled_from(("repeat", "smear")))
def test_a_leap_second_of_the_exchange_closes_no_candle_early(seed: int, before: int, how: str) -> None:
    rng, end = random.Random(seed), parse_time("2017-01-01")
    clocks = Clocks(rng, end - before - UNSEEN_MS)
    clock, repeated = clocks.clock(), False
    # Smeared over a day, the exchange's second is longer by a part in 86,400: ours runs that much faster.
    clocks.ppm = 12 if how == "smear" else 0
    while clocks.now < end + 10_000:
        assert clock.now() <= clocks.now
        clocks.passes(rng.choice((50, 300, 1000)))
        if how == "repeat" and clocks.now >= end and not repeated:
            # 23:59:59 comes twice, on both machines.
            clocks.now, repeated = clocks.now - 1000, True
    assert np.isclose(clock.now(), clocks.now, atol=LAG)
