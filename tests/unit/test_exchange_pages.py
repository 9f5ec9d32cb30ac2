"""Pages of candles: holes, repeats, shuffled and bad rows, and bars that are not closed yet."""

from __future__ import annotations

from collections.abc import Callable

from core.candles.frames import empty_bars
from core.domain import Bars
from core.exchange.pages import CandleSpan, Page, RawCandle, Source, concat, newest, pages
from tests.exchange_help import NOON

HOUR = 3_600_000
FAR = NOON + 10_000 * HOUR


def row(hour: int, close: object = 10.0) -> list[object]:
    return [NOON + hour * HOUR, 10.0, 11.0, 9.0, close, 1.0]


class Venue:
    """Serves the first `limit` rows from `since` on, as Binance does; the newest two without `since`."""

    def __init__(self, hours: list[int], now: int = FAR) -> None:
        self.rows: list[RawCandle] = [row(hour) for hour in hours]
        self.now = now
        self.asked: list[tuple[int | None, int]] = []
        self.spoil: Callable[[int, list[RawCandle]], list[RawCandle]] = lambda _count, rows: rows

    def ask(self, since: int | None, limit: int) -> list[RawCandle]:
        self.asked.append((since, limit))
        rows = [one for one in self.rows if since is None or int(str(one[0])) >= since]
        return self.spoil(len(self.asked), rows[-limit:] if since is None else rows[:limit])

    def source(self) -> Source:
        return Source(self.ask, lambda: self.now)


class Windows(Venue):
    """Serves what is within `limit` hours from `since` on, as Coinbase does."""

    def ask(self, since: int | None, limit: int) -> list[RawCandle]:
        rows = super().ask(since, limit)
        return rows if since is None else [one for one in rows if int(str(one[0])) < since + limit * HOUR]


def span(start: int, end: int, page: int = 5) -> CandleSpan:
    return CandleSpan(NOON + start * HOUR, NOON + end * HOUR, HOUR, page)


def read(venue: Venue, wanted: CandleSpan) -> list[Page]:
    return list(pages(venue.source(), wanted))


def hours(found: list[Page]) -> list[int]:
    return [(int(ts) - NOON) // HOUR for page in found for ts in page.bars.ts]


def test_a_whole_history_takes_one_question_per_page() -> None:
    venue = Venue(list(range(12)))
    assert hours(read(venue, span(0, 12))) == list(range(12))
    assert [(int(since or 0) - NOON) // HOUR for since, _ in venue.asked] == [0, 5, 10]
    assert [limit for _, limit in venue.asked] == [5, 5, 2]


def test_an_empty_span_asks_nothing() -> None:
    venue = Venue([0, 1])
    assert read(venue, span(3, 3)) == []
    assert read(venue, span(3, 1)) == []
    assert venue.asked == []


def test_only_bars_of_the_span_come() -> None:
    assert hours(read(Venue(list(range(-5, 20))), span(2, 9))) == list(range(2, 9))


def test_a_hole_is_believed_once_a_second_answer_agrees() -> None:
    venue = Venue([0, 1, 3, 4, 5, 6])
    assert hours(read(venue, span(0, 7))) == [0, 1, 3, 4, 5, 6]
    assert len(venue.asked) == 3


def test_a_hole_that_only_one_answer_has_is_filled() -> None:
    venue = Venue(list(range(5)))
    venue.spoil = lambda count, rows: rows[:1] + rows[3:] if count == 1 else rows
    assert hours(read(venue, span(0, 5))) == list(range(5))


def test_two_answers_with_different_holes_are_joined() -> None:
    venue = Venue(list(range(5)))
    venue.spoil = lambda count, rows: [one for i, one in enumerate(rows) if i != count]
    found = read(venue, span(0, 5))
    assert hours(found) == list(range(5))
    assert len(venue.asked) == 2


def test_a_hole_longer_than_a_page_is_jumped_over() -> None:
    venue = Venue([0, 1, 40, 41])
    assert hours(read(venue, span(0, 42))) == [0, 1, 40, 41]


def test_a_hole_longer_than_a_page_is_crossed_where_windows_are_served() -> None:
    venue = Windows([0, 1, 40, 41])
    assert hours(read(venue, span(0, 42))) == [0, 1, 40, 41]


def test_an_empty_answer_is_not_the_end_when_newer_candles_exist() -> None:
    venue = Windows([30])
    assert hours(read(venue, span(0, 31))) == [30]


def test_how_far_the_candles_go_is_asked_once_however_many_windows_are_empty() -> None:
    venue = Windows([200])
    assert hours(read(venue, span(0, 201))) == [200]
    assert [since for since, _ in venue.asked].count(None) == 1


def test_after_the_last_candle_of_a_dead_market_nothing_more_is_asked() -> None:
    venue = Windows([0, 1])
    assert hours(read(venue, span(0, 10_000))) == [0, 1]
    assert len(venue.asked) == 5


def test_candles_that_all_come_after_the_span_end_it() -> None:
    venue = Venue([500])
    assert hours(read(venue, span(0, 400))) == []
    assert len(venue.asked) == 2


def test_a_window_is_asked_for_while_answers_bring_something_new_three_times_at_most() -> None:
    venue = Venue(list(range(9)))
    venue.spoil = lambda count, rows: rows[:count]
    found = next(pages(venue.source(), span(0, 9, page=9)))
    assert hours([found]) == [0, 1, 2]
    assert len(venue.asked) == 3


def test_shuffled_and_repeated_rows_come_out_in_order_and_once() -> None:
    venue = Venue(list(range(6)))
    venue.spoil = lambda _count, rows: [*reversed(rows), rows[0]]
    found = read(venue, span(0, 6, page=6))
    assert hours(found) == list(range(6))
    assert [page.refused for page in found] == [()]


def test_bars_that_are_not_closed_at_the_time_of_asking_are_left_out_silently() -> None:
    venue = Venue([0, 1, 2, 3], now=NOON + 2 * HOUR + 1)
    found = read(venue, span(0, 4))
    assert hours(found) == [0, 1]
    assert [reason for page in found for reason in page.refused] == []


def test_a_bar_is_closed_when_its_whole_time_has_passed() -> None:
    assert hours(read(Venue([0, 1], now=NOON + 2 * HOUR), span(0, 2))) == [0, 1]
    assert hours(read(Venue([0, 1], now=NOON + 2 * HOUR - 1), span(0, 2))) == [0]


def test_the_time_is_taken_before_the_question() -> None:
    venue = Venue([0, 1], now=NOON + 2 * HOUR - 1)

    def slow(_count: int, rows: list[RawCandle]) -> list[RawCandle]:
        venue.now += 10
        return rows

    venue.spoil = slow
    found = next(pages(venue.source(), span(0, 2)))
    # The first answer left before bar 1 was closed; only the second may bring it.
    assert [one[0] for one in venue.asked] == [NOON, NOON]
    assert hours([found]) == [0, 1]


def test_a_bad_row_is_refused_by_reason_and_the_others_kept() -> None:
    venue = Venue(list(range(5)))
    venue.rows[2] = row(2, close=99.0)
    found = read(venue, span(0, 5))
    assert hours(found) == [0, 1, 3, 4]
    assert found[0].refused == ("close 99 is outside low 9 to high 11",)


def test_a_row_that_is_good_in_the_second_answer_is_not_refused() -> None:
    venue = Venue(list(range(5)))
    venue.spoil = lambda count, rows: [row(0, close=None), *rows[1:]] if count == 1 else rows
    found = read(venue, span(0, 5))
    assert hours(found) == list(range(5))
    assert found[0].refused == ()


def test_a_row_that_is_bad_in_the_second_answer_only_is_not_refused() -> None:
    venue = Venue(list(range(6)))
    del venue.rows[5]
    venue.spoil = lambda count, rows: [row(0, close="x"), *rows[1:]] if count == 2 else rows
    found = read(venue, span(0, 6, page=6))
    assert hours(found) == list(range(5))
    assert found[0].refused == ()


def test_a_page_of_bad_rows_alone_is_passed_and_each_row_refused_once() -> None:
    venue = Venue(list(range(8)))
    venue.rows[:5] = [row(hour, close="nonsense") for hour in range(5)]
    found = read(venue, span(0, 8))
    assert hours(found) == [5, 6, 7]
    assert sum(len(page.refused) for page in found) == 5


def test_a_row_with_a_stamp_in_seconds_is_refused_and_does_not_move_the_window() -> None:
    venue = Venue([0, 1, 2])
    venue.spoil = lambda _count, rows: [[NOON // 1000, 1, 1, 1, 1, 1], *rows]
    found = read(venue, span(0, 3))
    assert hours(found) == [0, 1, 2]
    assert "not a plausible time" in found[0].refused[0]


def test_a_bar_from_the_future_is_refused() -> None:
    venue = Venue([0, 1], now=NOON + 2 * HOUR)
    venue.rows.append(row(20))
    found = read(venue, span(0, 2))
    assert hours(found) == [0, 1]
    assert found[0].refused == ()
    venue = Venue([0], now=NOON + 2 * HOUR)
    venue.rows.append(row(20))
    assert "not closed yet" in read(venue, span(0, 2))[0].refused[0]


def test_no_parts_make_no_bars() -> None:
    assert len(concat([]).ts) == 0
    assert len(concat([empty_bars(), empty_bars()]).ts) == 0


def newest_of(venue: Venue, wanted: CandleSpan, limit: int) -> list[int]:
    def bars(window: CandleSpan) -> list[Bars]:
        return [page.bars for page in pages(venue.source(), window) if len(page.bars.ts)]

    return [(int(ts) - NOON) // HOUR for ts in newest(bars, wanted, limit).ts]


def test_the_newest_bars_are_as_many_as_asked_for() -> None:
    venue = Venue(list(range(100)))
    assert newest_of(venue, span(0, 100), 7) == list(range(93, 100))
    assert len(venue.asked) == 2


def test_the_newest_bars_reach_further_back_over_holes() -> None:
    held = [*range(50), *range(53, 60)]
    assert newest_of(Venue(held), span(0, 60), 10) == [47, 48, 49, *range(53, 60)]


def test_the_newest_bars_are_fewer_when_there_are_no_more() -> None:
    assert newest_of(Venue([3, 4]), span(-1000, 5), 10) == [3, 4]
    assert newest_of(Venue(list(range(10))), span(8, 10), 5) == [8, 9]
    assert newest_of(Venue([]), span(0, 5), 5) == []


def test_the_newest_bars_are_found_before_an_outage_shorter_than_a_page() -> None:
    assert newest_of(Venue(list(range(50))), span(0, 53), 2) == [48, 49]
