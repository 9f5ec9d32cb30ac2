"""What holds for every window, timeframe, moment and seed of the local exchange."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain import FloatArray
from core.exchange_sim.binanceus_params import INTERVALS
from core.exchange_sim.book import book
from core.exchange_sim.candles import DAY, MINUTE, Candles, Interval
from core.exchange_sim.feed import LATEST, MarketFeed
from core.exchange_sim.markets import LISTED, SimMarket, quoted
from core.exchange_sim.synthetic import FIRST_DAY, SyntheticSource
from core.exchange_sim.tape import started, tape
from tests.tiers import tries

pytestmark = pytest.mark.unmeasured

FEED = MarketFeed(SyntheticSource(7), 7)
FIRST, LAST = FIRST_DAY * DAY, 22_000 * DAY
"""2017-01-01 to 2030-03-27."""
MOMENTS = st.integers(FIRST, LAST)
MARKETS = st.sampled_from(LISTED)
M1 = Interval(MINUTE)
EXAMPLES = settings(max_examples=tries(60, 15))


def minutes(market: SimMarket, start: int, end: int) -> list[tuple[Any, ...]]:
    found = FEED.source.candles(market.symbol, MINUTE, start, end)
    return list(zip(*(column.tolist() for column in found), strict=True))


def on_grid(column: FloatArray, decimals: int) -> bool:
    values: list[float] = column.tolist()
    return values == [float(quoted(value, decimals)) for value in values]


def by_hand(rows: list[tuple[Any, ...]], interval: Interval) -> list[tuple[Any, ...]]:
    """Add minutes up one by one, sums in Decimal."""
    bars: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        bars.setdefault(interval.open_of(row[0]), []).append(row)
    return [
        (
            opened,
            part[0][1],
            max(row[2] for row in part),
            min(row[3] for row in part),
            part[-1][4],
            float(sum(Decimal(quoted(row[5])) for row in part)),
            float(sum(Decimal(quoted(row[6], 6)) for row in part)),
            sum(row[7] for row in part),
        )
        for opened, part in bars.items()
    ]


def rows_of(candles: Candles) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in candles), strict=True))


@EXAMPLES
@given(MARKETS, st.sampled_from(sorted(set(INTERVALS) - {"1M"})), MOMENTS, st.integers(1, 4))
def test_every_timeframe_is_exactly_the_sum_of_its_minutes(
    market: SimMarket, name: str, moment: int, count: int
) -> None:
    interval = INTERVALS[name]
    start = interval.open_of(moment)
    end = interval.after(start, count)
    served = FEED.candles(market, interval, LAST + 40 * DAY, 1000, start=start, end=end - 1)
    assert rows_of(served) == by_hand(minutes(market, start, end), interval)


@settings(max_examples=tries(3, 2))
@given(MARKETS, MOMENTS)
def test_a_month_is_exactly_the_sum_of_its_minutes(market: SimMarket, moment: int) -> None:
    interval = INTERVALS["1M"]
    start = interval.open_of(moment)
    served = FEED.candles(market, interval, LAST + 40 * DAY, 1, start=start, end=start)
    assert rows_of(served) == by_hand(minutes(market, start, interval.after(start)), interval)


@EXAMPLES
@given(
    MARKETS,
    st.sampled_from(["1m", "5m", "1h", "4h", "1d"]),
    MOMENTS,
    st.integers(0, 300),
    st.integers(0, 300),
    st.integers(1, 300),
)
def test_any_window_within_a_window_gives_the_same_bars(
    market: SimMarket, name: str, moment: int, before: int, inside: int, count: int
) -> None:
    interval = INTERVALS[name]
    start = interval.open_of(moment)
    wide_start, wide_end = interval.after(start, -before), interval.after(start, inside + count + 1)
    wide = FEED.candles(market, interval, LATEST // 2, 1000, start=wide_start, end=wide_end)
    narrow = FEED.candles(
        market, interval, LATEST // 2, count, start=interval.after(start, inside), end=wide_end
    )
    first = int(np.searchsorted(wide.ts, interval.after(start, inside)))
    assert rows_of(narrow) == rows_of(wide)[first : first + count]


@EXAMPLES
@given(MARKETS, st.sampled_from(["1m", "15m", "1h", "6h"]), MOMENTS, st.integers(1, 400))
def test_paging_forwards_and_backwards_sees_the_same_bars(
    market: SimMarket, name: str, now: int, limit: int
) -> None:
    interval = INTERVALS[name]
    newest = FEED.candles(market, interval, now, limit, start=None)
    if newest.ts.size:
        again = FEED.candles(market, interval, now, limit, start=int(newest.ts[0]))
        assert rows_of(newest) == rows_of(again)


@EXAMPLES
@given(st.integers(1, 2**32), MARKETS, MOMENTS)
def test_bars_are_valid_on_the_grid_and_on_the_tick(seed: int, market: SimMarket, moment: int) -> None:
    start = moment // DAY * DAY
    bars = SyntheticSource(seed).candles(market.symbol, MINUTE, start, start + DAY)
    assert (np.diff(bars.ts) >= MINUTE).all()
    assert (bars.ts % MINUTE == 0).all()
    assert (bars.low > 0).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.volume > 0).all()
    assert on_grid(bars.close, market.price_decimals)
    assert on_grid(bars.volume, market.lot_decimals)


@EXAMPLES
@given(MARKETS, MOMENTS)
def test_the_trades_of_a_bar_make_the_bar_and_a_bar_in_progress_only_grows(
    market: SimMarket, moment: int
) -> None:
    bar = FEED.source.candles(market.symbol, MINUTE, moment // MINUTE * MINUTE, moment // MINUTE * MINUTE + 1)
    if not bar.ts.size:
        return
    opened = int(bar.ts[0])
    told = tape(bar, MINUTE, market, 7)
    assert (np.diff(told.ts) > 0).all()
    assert opened == told.ts[0] <= told.ts[-1] < opened + MINUTE
    prices = told.price
    assert [prices[0], prices.max(), prices.min(), prices[-1]] == [float(column[0]) for column in bar[1:5]]
    assert (told.amount > 0).all()
    assert round(float(told.amount.sum()), 8) == bar.volume[0]
    assert on_grid(told.amount, market.lot_decimals)
    assert on_grid(told.price, market.price_decimals)
    seen = [rows_of(started(bar, MINUTE, market, 7, opened + ms))[0] for ms in range(0, MINUTE, 3000)]
    for one, next_ in pairwise(seen):
        assert one[2] <= next_[2]
        assert one[3] >= next_[3]
        assert one[5] <= next_[5]
    assert all(
        low * volume - 1e-6 <= quote <= high * volume + 1e-6 for _, _, high, low, _, volume, quote, _ in seen
    )


@EXAMPLES
@given(MARKETS, MOMENTS, st.integers(1, 300), st.floats(0.5, 2.0))
def test_a_book_is_never_crossed_and_fewer_levels_are_its_top(
    market: SimMarket, now: int, levels: int, factor: float
) -> None:
    last = round(0.1 * factor if market.base == "DOGE" else 100 * factor, market.price_decimals)
    seen, deep = book(market, last, now, 7, levels), book(market, last, now, 7, levels + 50)
    assert seen.bids.price[0] <= last <= seen.asks.price[0]
    assert seen.bids.price[0] < seen.asks.price[0]
    assert (np.diff(seen.bids.price) < 0).all()
    assert (np.diff(seen.asks.price) > 0).all()
    for side in seen:
        assert on_grid(side.price, market.price_decimals)
        assert on_grid(side.amount, market.lot_decimals)
        assert (side.amount > 0).all()
    assert deep.asks.price[:levels].tolist() == seen.asks.price.tolist()
    assert deep.bids.amount[: seen.bids.price.size].tolist() == seen.bids.amount.tolist()
