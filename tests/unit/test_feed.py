from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Bar, Bars, Series
from core.errors import ExchangeUnreachableError
from core.live.feed import GRACE, OVERLAP, Feed
from core.utils import format_time

HOUR, MINUTE = 3_600_000, 60_000
START = 1_700_000_000_000 // HOUR * HOUR
BTC, ETH, FAST = (
    Series("x", "BTC/USDT", "1h"),
    Series("x", "ETH/USDT", "1h"),
    Series("x", "BTC/USDT", "1m"),
)


class Venue:
    """What a source shows: bars by series and open time."""

    def __init__(self) -> None:
        self.bars: dict[Series, dict[int, float]] = {BTC: {}, ETH: {}, FAST: {}}
        self.reads = 0

    def show(self, series: Series, *opens: int, close: float = 100.0) -> None:
        self.bars[series] |= dict.fromkeys(opens, close)

    def read(self, series: Series, start: int, end: int) -> Bars:
        self.reads += 1
        shown = sorted((ts, close) for ts, close in self.bars[series].items() if start <= ts < end)
        ts = np.array([ts for ts, _ in shown], np.int64)
        close = np.array([close for _, close in shown])
        return Bars(ts, close, close + 1, close - 1, close, close)


def hour(number: int) -> int:
    return START + number * HOUR


def opens(bars: tuple[Bar, ...]) -> list[int]:
    return [(bar.ts - START) // HOUR for bar in bars]


def following(venue: Venue, last: int = 9) -> Feed:
    venue.show(BTC, *(hour(n) for n in range(last + 1)))
    return Feed(venue.read, [BTC], {BTC: hour(last)})


def test_a_bar_is_handed_on_once_when_it_has_closed() -> None:
    venue = Venue()
    feed = following(venue)
    venue.show(BTC, hour(10))
    assert feed.poll(hour(11) - 1).bars == ()
    assert venue.reads == 0
    polled = feed.poll(hour(11))
    assert opens(polled.bars) == [10]
    assert polled.bars == (Bar("BTC/USDT", "1h", hour(10), hour(11), 100.0, 101.0, 99.0, 100.0, 100.0),)
    assert polled.reports == ()
    assert feed.poll(hour(11)).bars == ()


def test_bars_of_several_series_come_in_the_order_in_which_they_closed() -> None:
    venue = Venue()
    last = {BTC: hour(9), ETH: hour(9), FAST: hour(11) - 3 * MINUTE}
    feed = Feed(venue.read, [ETH, BTC, FAST], last)
    venue.show(BTC, hour(10))
    venue.show(ETH, hour(10))
    venue.show(FAST, hour(11) - 2 * MINUTE, hour(11) - MINUTE)
    found = feed.poll(hour(11)).bars
    assert [(bar.symbol, bar.timeframe, bar.end - hour(11)) for bar in found] == [
        ("BTC/USDT", "1m", -MINUTE),
        ("BTC/USDT", "1h", 0),
        ("BTC/USDT", "1m", 0),
        ("ETH/USDT", "1h", 0),
    ]


def test_a_missing_bar_is_reported_and_the_next_one_decided_on() -> None:
    venue = Venue()
    feed = following(venue)
    venue.show(BTC, hour(12))
    polled = feed.poll(hour(13))
    assert opens(polled.bars) == [12]
    assert polled.reports == ("x BTC/USDT 1h 2023-11-15 10:00: 2 bars missing before it",)


def test_a_bar_that_comes_late_is_reported_and_never_handed_on() -> None:
    venue = Venue()
    feed = following(venue)
    venue.show(BTC, hour(11))
    assert opens(feed.poll(hour(12)).bars) == [11]
    venue.show(BTC, hour(10), hour(12))
    polled = feed.poll(hour(13))
    assert opens(polled.bars) == [12]
    assert polled.reports == (
        "x BTC/USDT 1h 2023-11-15 08:00: came after a later bar; stored, not decided on",
    )
    assert feed.poll(hour(14)).reports == ()


def test_a_changed_bar_is_reported_once_and_not_handed_on_again() -> None:
    venue = Venue()
    feed = following(venue)
    venue.show(BTC, hour(10))
    feed.poll(hour(11))
    venue.show(BTC, hour(10), close=101.0)
    venue.show(BTC, hour(11))
    polled = feed.poll(hour(12))
    assert opens(polled.bars) == [11]
    assert polled.reports == (
        "x BTC/USDT 1h 2023-11-15 08:00: changed after it was decided on; not decided again",
    )
    assert feed.poll(hour(13)).reports == ()


def test_without_any_known_bar_the_newest_closed_one_is_the_first() -> None:
    venue = Venue()
    venue.show(BTC, *(hour(n) for n in range(10)))
    feed = Feed(venue.read, [BTC], {})
    assert feed.lags(hour(10))[0].is_stale
    assert opens(feed.poll(hour(10)).bars) == [9]
    assert feed.poll(hour(10)).bars == ()


def test_a_source_without_bars_hands_on_none_and_is_asked_again() -> None:
    venue = Venue()
    feed = Feed(venue.read, [BTC], {})
    assert feed.poll(hour(10)) == ((), (), None)
    assert feed.poll(hour(10)) == ((), (), None)
    assert venue.reads == 2


def test_a_silent_series_becomes_stale_half_a_bar_and_a_grace_after_its_next_was_due() -> None:
    feed = following(Venue())
    due = hour(11)
    assert [(lag.behind_ms, lag.is_stale) for lag in feed.lags(due)] == [(0, False)]
    assert not feed.lags(due + HOUR // 2 + GRACE)[0].is_stale
    assert feed.lags(due + HOUR // 2 + GRACE + 1)[0].is_stale
    assert feed.lags(due + 5)[0].behind_ms == 5


@pytest.mark.unmeasured
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=60))
def test_however_bars_turn_up_each_is_handed_on_at_most_once_and_in_order(
    shown: list[tuple[int, int]],
) -> None:
    venue = Venue()
    feed = following(venue)
    handed: list[int] = []
    now = 10
    for bar, later in shown:
        now += later
        venue.show(BTC, hour(min(10 + bar, now - 1)))
        handed += opens(feed.poll(hour(now)).bars)
    assert handed == sorted(set(handed))
    assert len(feed._seen[BTC]) <= 3 * OVERLAP + 32


def pair(venue: Venue) -> Feed:
    """Return a feed of ether that waits for bitcoin."""
    for series in (BTC, ETH):
        venue.show(series, *(hour(n) for n in range(10)))
    feed = Feed(venue.read, [BTC, ETH], {BTC: hour(9), ETH: hour(9)})
    feed.wait_for({ETH: [BTC]})
    return feed


def names(bars: tuple[Bar, ...]) -> list[str]:
    return [f"{bar.symbol[:3]} {(bar.ts - START) // HOUR}" for bar in bars]


def test_a_bar_waits_for_its_partner_s_and_both_are_handed_on_together() -> None:
    venue = Venue()
    feed = pair(venue)
    venue.show(ETH, hour(10))
    assert feed.poll(hour(11) + 100).bars == ()
    venue.show(BTC, hour(10))
    assert names(feed.poll(hour(11) + 1100).bars) == ["BTC 10", "ETH 10"]
    assert feed.poll(hour(11) + 2100).bars == ()


def test_a_partner_s_bar_alone_waits_for_nobody() -> None:
    venue = Venue()
    feed = pair(venue)
    venue.show(BTC, hour(10))
    assert names(feed.poll(hour(11)).bars) == ["BTC 10"]
    venue.show(ETH, hour(10))
    assert names(feed.poll(hour(11) + 1).bars) == ["ETH 10"]


def test_a_partner_s_bar_that_never_comes_is_not_waited_for_longer_than_a_venue_takes() -> None:
    venue = Venue()
    feed = pair(venue)
    venue.show(ETH, hour(10))
    assert feed.poll(hour(11) + GRACE).bars == ()
    assert names(feed.poll(hour(11) + GRACE + 1).bars) == ["ETH 10"]


def test_what_is_decided_on_without_a_partner_is_said_once_until_the_partner_is_in_time_again() -> None:
    venue, said = Venue(), list[str]()
    feed = pair(venue)
    for number in (10, 11):
        venue.show(ETH, hour(number))
        said += feed.poll(hour(number + 1) + GRACE + 1).reports
    missing = "decided on without BTC/USDT 1h, which had not come 30 s after its close"
    assert said == [f"{ETH} {format_time(hour(10))}: {missing}"]
    for series in (BTC, ETH):
        venue.show(series, *(hour(number) for number in (10, 11, 12)))
    assert not any("without" in line for line in feed.poll(hour(13)).reports)
    venue.show(ETH, hour(13))
    assert feed.poll(hour(14) + GRACE + 1).reports[-1] == f"{ETH} {format_time(hour(13))}: {missing}"


def test_a_partner_s_bar_that_appears_while_it_is_asked_for_comes_in_the_same_look() -> None:
    venue = Venue()
    feed = pair(venue)
    venue.show(ETH, hour(10))
    read = venue.read

    def late(series: Series, start: int, end: int) -> Bars:
        found = read(series, start, end)
        venue.show(BTC, hour(10))
        return found

    feed._read = late
    assert names(feed.poll(hour(11)).bars) == ["BTC 10", "ETH 10"]


def test_two_that_wait_for_each_other_do_not_wait_for_ever() -> None:
    venue = Venue()
    feed = pair(venue)
    feed.wait_for({ETH: [BTC], BTC: [ETH]})
    venue.show(ETH, hour(10))
    venue.show(BTC, hour(10))
    assert names(feed.poll(hour(11)).bars) == ["BTC 10", "ETH 10"]


def test_a_series_that_is_forgotten_is_neither_read_nor_said_to_be_silent() -> None:
    venue = Venue()
    feed = pair(venue)
    venue.show(BTC, hour(10))
    venue.show(ETH, hour(10))
    feed.forget(ETH)
    assert names(feed.poll(hour(11)).bars) == ["BTC 10"]
    assert [lag.series for lag in feed.lags(hour(20))] == [BTC]
    feed.forget(FAST)
    assert [lag.series for lag in feed.lags(hour(20))] == [BTC]


def test_a_series_that_was_forgotten_can_be_followed_again_from_where_it_is_told() -> None:
    venue = Venue()
    feed = pair(venue)
    feed.forget(BTC)
    feed.follow(BTC, hour(11))
    feed.follow(BTC, hour(3))
    venue.show(BTC, hour(10), hour(11), hour(12))
    assert names(feed.poll(hour(13)).bars) == ["BTC 12"]


class Broken(Venue):
    """A source that cannot read some series."""

    def __init__(self, *broken: Series) -> None:
        super().__init__()
        self.broken, self.asked = set(broken), list[Series]()

    def read(self, series: Series, start: int, end: int) -> Bars:
        self.asked.append(series)
        if series in self.broken:
            raise ExchangeUnreachableError(f"{series}: no answer")
        return super().read(series, start, end)


def test_bars_read_before_another_series_failed_are_handed_on_and_the_rest_comes_later() -> None:
    venue = Broken(ETH)
    feed = Feed(venue.read, [BTC, ETH], {BTC: hour(9), ETH: hour(9)})
    venue.show(BTC, hour(10))
    venue.show(ETH, hour(10))
    polled = feed.poll(hour(11))
    assert names(polled.bars) == ["BTC 10"]
    assert str(polled.trouble) == f"{ETH}: no answer"
    venue.broken.clear()
    polled = feed.poll(hour(11) + 1000)
    assert names(polled.bars) == ["ETH 10"]
    assert polled.trouble is None


def test_series_that_can_never_be_read_keep_no_other_from_being_read() -> None:
    venue = Broken(BTC, ETH)
    last = {BTC: hour(9), ETH: hour(9), FAST: hour(11) - 2 * MINUTE}
    feed = Feed(venue.read, [BTC, ETH, FAST], last)
    venue.show(FAST, hour(11) - MINUTE)
    handed = [bar for _ in range(3) for bar in feed.poll(hour(11)).bars]
    assert [bar.timeframe for bar in handed] == ["1m"]
    assert {BTC, ETH, FAST} == set(venue.asked)


def test_a_bar_that_waits_for_its_partner_is_not_lost_when_reading_fails() -> None:
    venue = Broken(BTC)
    feed = Feed(venue.read, [BTC, ETH], {BTC: hour(9), ETH: hour(9)})
    feed.wait_for({ETH: [BTC]})
    venue.show(BTC, hour(10))
    venue.show(ETH, hour(10))
    assert [names(feed.poll(hour(11) + ms).bars) for ms in (0, 1000)] == [[], []]
    venue.broken.clear()
    assert names(feed.poll(hour(11) + 2000).bars) == ["BTC 10", "ETH 10"]


def test_a_series_followed_no_longer_hands_nothing_on() -> None:
    venue = Broken(BTC)
    feed = Feed(venue.read, [BTC, ETH], {BTC: hour(9), ETH: hour(9)})
    feed.wait_for({ETH: [BTC]})
    venue.show(ETH, hour(10))
    feed.poll(hour(11))
    feed.poll(hour(11))
    feed.forget(ETH)
    venue.broken.clear()
    assert feed.poll(hour(11) + GRACE + 1) == ((), (), None)
