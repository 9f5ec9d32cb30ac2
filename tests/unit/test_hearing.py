"""What the engine makes of hints: when it looks at once, and where stream and REST differ."""

from __future__ import annotations

from core.domain import Bar
from core.live.hearing import FILL_PATIENCE, KEPT, QUICK, SAY_EVERY, Hearing
from core.live.status import StreamChannelStatus
from core.streams.hints import CANDLES, ChannelState, OrderHint, StreamChannel, StreamGap, StreamState
from core.streams.inbox import Inbox
from tests.stream_help import BTC, MINUTE, OWN, bar


class Ears:
    """A hearing on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0
        self.inbox = Inbox()
        self.hearing = Hearing(self.inbox, lambda: self.now)

    def rest(self, minute: int, close: float = 1.0) -> list[str]:
        """Bring a bar by REST."""
        hint = bar(minute, close)
        end = hint.ts + MINUTE
        one = Bar("BTC/USDT", "1m", hint.ts, end, hint.open, hint.high, hint.low, hint.close, hint.volume)
        return self.hearing.compare([one])


def test_the_same_candle_on_both_sides_is_no_difference_whoever_is_first() -> None:
    ears = Ears()
    ears.inbox.put([bar(1, final=True)])
    ears.hearing.hear()
    assert ears.rest(1) == []
    assert ears.rest(2) == []
    ears.inbox.put([bar(2, final=True)])
    assert ears.hearing.attend().lines == ()
    assert ears.hearing.differences == 0
    assert len(ears.hearing.delays) == 2


def test_where_the_stream_said_something_else_it_is_told_counted_and_rest_counts() -> None:
    ears = Ears()
    ears.inbox.put([bar(1, 5.0, final=True)])
    ears.hearing.hear()
    (line,) = ears.rest(1, 6.0)
    assert line.endswith("the stream said high 5, REST 6, close 5, REST 6; REST counts")
    ears.rest(2, 2.0)
    ears.inbox.put([bar(2, 3.0, final=True)])
    assert len(ears.hearing.attend().lines) == 1
    assert ears.hearing.differences == 2


def test_what_the_stream_tells_of_the_past_is_no_news_and_what_rest_goes_past_is_a_difference() -> None:
    ears = Ears()
    ears.inbox.put([bar(1, final=True)])
    ears.hearing.hear()
    assert ears.rest(2) == []
    assert ears.hearing.pause(9 * MINUTE, 1.0) == 1.0
    ears.inbox.put([bar(3, final=True)])
    ears.hearing.hear()
    assert ears.rest(4)[0].endswith("00:03: the stream has it, REST has none")
    ears.inbox.put([bar(4, final=True)])
    assert ears.hearing.attend().lines == ()
    assert ears.hearing.differences == 1


def test_a_candle_that_is_final_too_early_by_the_clock_here_makes_the_exchange_be_asked_once() -> None:
    ears = Ears()
    ears.inbox.put([bar(1, final=True)])
    ears.hearing.hear()
    assert not ears.hearing.is_ahead(2 * MINUTE)
    assert ears.hearing.is_ahead(2 * MINUTE - 1)
    assert not ears.hearing.is_ahead(2 * MINUTE - 1)


def test_while_rest_owes_a_candle_the_loop_looks_often_and_then_as_usual() -> None:
    ears = Ears()
    assert ears.hearing.pause(0, 1.0) == 1.0
    ears.inbox.put([bar(1, final=True)])
    ears.hearing.hear()
    assert [ears.hearing.pause(2 * MINUTE, 1.0) for _ in QUICK] == list(QUICK)
    assert ears.hearing.pause(2 * MINUTE, 1.0) == 1.0
    ears.inbox.put([bar(2, final=True)])
    ears.hearing.hear()
    assert ears.hearing.pause(3 * MINUTE - 300, 1.0) == 0.3
    ears.rest(1)
    ears.rest(2)
    assert ears.hearing.pause(3 * MINUTE, 1.0) == 1.0


def test_a_gap_of_the_accounts_stream_makes_all_be_compared_and_one_of_candles_does_not() -> None:
    ears = Ears()
    ears.inbox.put_gap(StreamGap("1m candles", (BTC,), "no answer"))
    attention = ears.hearing.attend()
    assert not attention.is_everything
    assert attention.lines == ("the stream of 1m candles is dialled anew, REST fills the gap: no answer",)
    ears.inbox.put_gap(StreamGap("orders", (OWN,), "closed"))
    assert ears.hearing.attend().is_everything
    assert not ears.hearing.attend().is_everything


def test_a_connection_that_flaps_is_told_of_once_a_minute() -> None:
    ears = Ears()
    lines = list[str]()
    for _ in range(10):
        ears.inbox.put_gap(StreamGap("orders", (OWN,), "closed"))
        lines += ears.hearing.attend().lines
    assert len(lines) == 1
    ears.now += SAY_EVERY
    ears.inbox.put_gap(StreamGap("orders", (OWN,), "closed"))
    assert len(ears.hearing.attend().lines) == 1


def test_an_execution_that_rest_never_tells_is_a_difference() -> None:
    ears = Ears()
    ears.hearing.await_fills(
        [OrderHint("1", "a", "", "t1"), OrderHint("1", "a", "", "t2"), OrderHint("1", "a")]
    )
    ears.hearing.booked(["t1", "t3"])
    ears.hearing.await_fills([OrderHint("2", "b", "", "t3")])
    ears.now += FILL_PATIENCE
    assert ears.hearing.attend().lines == ()
    ears.now += 1
    assert ears.hearing.attend().lines == (
        "the stream told of execution t2 of order a, REST does not; REST counts",
    )
    assert ears.hearing.attend().lines == ()
    assert ears.hearing.differences == 1


def test_what_waits_for_the_other_side_is_bounded() -> None:
    ears = Ears()
    for minute in range(2 * KEPT):
        ears.inbox.put([bar(2 * minute, final=True)])
        ears.hearing.attend()
        ears.rest(2 * minute + 1)
        ears.hearing.await_fills([OrderHint("1", "a", "", str(minute))])
    sizes = [len(ears.hearing._final), len(ears.hearing._seen), len(ears.hearing._fills)]
    assert max(sizes) <= KEPT


def test_a_status_tells_data_in_the_exchanges_time_and_nothing_where_there_are_no_streams() -> None:
    ears = Ears()
    ears.now = 500
    assert ears.hearing.status(10_000) is None
    states = (ChannelState(StreamChannel(CANDLES, "BTC/USDT", "1m"), 400), ChannelState(OWN, None, "why"))
    ears.inbox.set_state(StreamState("on", "", 3, channels=states))
    ears.inbox.put_gap(StreamGap("orders", (OWN,), "closed"))
    status = ears.hearing.status(10_000)
    assert status is not None
    assert (status.mode, status.dials, status.gaps, status.differences, status.dropped) == ("on", 3, 1, 0, 0)
    assert status.channels == (
        StreamChannelStatus("BTC/USDT 1m", 9_900),
        StreamChannelStatus("orders", None, "why"),
    )
