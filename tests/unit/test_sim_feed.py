from __future__ import annotations

from core.domain import Bars
from core.exchange_sim.candles import Candles, Interval
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.stored import StoredSource
from tests.sim import BTC, DAY, HOUR, MINUTE, NOON, bars_of, hand_made, steps_of

M1, H1, H4, D1 = Interval(MINUTE), Interval(HOUR), Interval(4 * HOUR), Interval(DAY)


class Counting(StoredSource):
    """Counts how often it is asked."""

    def __init__(self, bars: Bars) -> None:
        super().__init__("csv", {("BTC/USDT", "1m"): bars})
        self.asked = 0

    def candles(self, symbol: str, step: int, start: int, end: int) -> Candles:
        self.asked += 1
        return super().candles(symbol, step, start, end)


def feed(count: int = 10) -> MarketFeed:
    return MarketFeed(hand_made(steps_of(count, MINUTE)), 7)


def opens(
    feed: MarketFeed, now: int, limit: int = 500, interval: Interval = M1, **window: int | None
) -> list[int]:
    window.setdefault("start", None)
    found = feed.candles(BTC, interval, now, limit, **window)  # type: ignore[arg-type]
    return [(ts - NOON) // MINUTE for ts in found.ts.tolist()]


def test_without_a_window_the_newest_bars_come_with_the_one_in_progress_last() -> None:
    assert opens(feed(), NOON + 5 * MINUTE + 30_000, 3) == [3, 4, 5]


def test_a_bar_that_opens_after_now_is_not_shown() -> None:
    assert opens(feed(), NOON + 5 * MINUTE - 1) == [0, 1, 2, 3, 4]
    assert opens(feed(), NOON - 1) == []


def test_with_a_start_the_oldest_bars_from_it_come_first() -> None:
    assert opens(feed(), NOON + 9 * MINUTE, 3, start=NOON + MINUTE) == [1, 2, 3]
    assert opens(feed(), NOON + 9 * MINUTE, 3, start=NOON + MINUTE + 1) == [2, 3, 4]


def test_an_end_within_a_bar_includes_that_bar() -> None:
    assert opens(feed(), NOON + 9 * MINUTE, 2, end=NOON + 3 * MINUTE) == [2, 3]
    assert opens(feed(), NOON + 9 * MINUTE, 2, end=NOON + 3 * MINUTE + 59_999) == [2, 3]
    assert opens(feed(), NOON + 9 * MINUTE, 9, start=NOON + 2 * MINUTE, end=NOON + 3 * MINUTE) == [2, 3]


def test_a_start_beyond_the_end_or_beyond_now_gives_nothing() -> None:
    assert opens(feed(), NOON + 9 * MINUTE, start=NOON + 3 * MINUTE, end=NOON + MINUTE) == []
    assert opens(feed(), NOON + 5 * MINUTE, start=NOON + 6 * MINUTE) == []


def test_the_limit_is_filled_across_a_gap_from_both_ends() -> None:
    rows = [(NOON + n * MINUTE, 1.0, 1.0, 1.0, 1.0, 16.0) for n in (0, 1, 500, 501)]
    gappy = MarketFeed(hand_made(bars_of(rows)), 7)
    assert opens(gappy, NOON + 600 * MINUTE, 3) == [1, 500, 501]
    assert opens(gappy, NOON + 600 * MINUTE, 3, start=0) == [0, 1, 500]


def test_a_gap_of_years_is_crossed_in_few_steps() -> None:
    rows = [(NOON + days * DAY, 1.0, 1.0, 1.0, 1.0, 16.0) for days in (0, 3000)]
    source = Counting(bars_of(rows))
    market = MarketFeed(source, 7)
    assert opens(market, NOON + 3001 * DAY, 2) == [0, 3000 * 1440]
    assert opens(market, NOON + 3001 * DAY, 2, start=NOON) == [0, 3000 * 1440]
    assert source.asked < 100


def test_the_bar_in_progress_moves_and_ends_as_the_whole_bar() -> None:
    market = feed()
    whole = market.source.candles("BTC/USDT", MINUTE, NOON, NOON + 1)
    seen = [market.running(BTC, M1, NOON + ms) for ms in (0, 20_000, 40_000, 59_999)]
    assert [float(bar.volume[0]) for bar in seen] == sorted({float(bar.volume[0]) for bar in seen})
    assert float(seen[0].close[0]) == 100.0
    assert [column.tolist() for column in seen[-1]] == [column.tolist() for column in whole]


def test_an_hour_in_progress_is_its_closed_minutes_and_the_running_one() -> None:
    bar = feed().running(BTC, H1, NOON + 2 * MINUTE)
    assert (float(bar.open[0]), float(bar.high[0]), float(bar.close[0])) == (100.0, 102.5, 102.0)
    assert 32.0 < float(bar.volume[0]) < 48.0


def test_a_minute_without_volume_shows_no_bar_until_it_is_over() -> None:
    quiet = MarketFeed(hand_made(bars_of([(NOON, 5.0, 5.0, 5.0, 5.0, 0.0)])), 7)
    assert opens(quiet, NOON + 30_000) == []
    assert opens(quiet, NOON + MINUTE) == [0]
    assert quiet.trades(BTC, NOON + 2 * MINUTE, 10).id.size == 0


def test_stored_timeframes_are_served_as_they_are_and_coarser_ones_from_the_coarsest_that_fits() -> None:
    hours, fours = steps_of(12, HOUR), steps_of(3, 4 * HOUR, price=500.0)
    both = MarketFeed(StoredSource("db", {("BTC/USDT", "1h"): hours, ("BTC/USDT", "4h"): fours}), 7)
    now = NOON + 2 * DAY
    assert both.candles(BTC, H4, now, 9, start=None).open.tolist() == [500.0, 501.0, 502.0]
    assert both.candles(BTC, H1, now, 9, start=None).open.tolist()[-1] == 111.0
    assert both.candles(BTC, D1, now, 9, start=None).open.tolist() == [500.0]
    assert both.candles(BTC, Interval(2 * HOUR), now, 9, start=NOON).open.tolist()[:2] == [100.0, 102.0]


def test_a_finer_timeframe_than_any_stored_one_is_empty() -> None:
    hourly = MarketFeed(hand_made(steps_of(3, HOUR), "1h"), 7)
    assert opens(hourly, NOON + 2 * HOUR, interval=M1) == []
    assert opens(hourly, NOON + 2 * HOUR, interval=M1, start=NOON) == []


def test_trades_come_newest_first_by_default_and_from_a_start_or_an_id_oldest_first() -> None:
    market, now = feed(), NOON + 5 * MINUTE - 1
    newest = market.trades(BTC, now, 20)
    assert newest.id.tolist() == list(range(newest.id[-1] - 19, newest.id[-1] + 1))
    assert market.trades_since(BTC, now, 20, 0, int(newest.id[0])).id.tolist() == newest.id.tolist()
    assert market.trades_since(BTC, now, 3, NOON + MINUTE).ts[0] == NOON + MINUTE
    assert market.trades_since(BTC, now, 3, now + 1).id.size == 0
    assert int(market.trades(BTC, now, 5, end=NOON + MINUTE - 1).ts[-1]) < NOON + MINUTE


def test_no_trade_lies_after_now() -> None:
    market, now = feed(), NOON + 90_000
    assert int(market.trades(BTC, now, 100).ts[-1]) <= now
    assert int(market.trades_since(BTC, now, 100, NOON).ts[-1]) <= now
