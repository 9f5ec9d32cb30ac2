"""The exchange's time: measured, never ahead, measured again when it should be."""

from __future__ import annotations

from core.exchange.clock import MEASURE_EVERY_MS, ExchangeClock
from tests.exchange_help import NOON, FakeTime


class Remote:
    """An exchange whose clock is ahead by `ahead` ms and whose answer travels for `travel` ms."""

    def __init__(self, time: FakeTime, ahead: int | None, travel: int = 0) -> None:
        self.time, self.ahead, self.travel, self.asked = time, ahead, travel, 0

    def measure(self) -> int | None:
        self.asked += 1
        theirs = None if self.ahead is None else self.time.now + self.ahead
        self.time.now += self.travel
        return theirs


def test_before_it_is_measured_the_local_clock_counts() -> None:
    time = FakeTime()
    remote = Remote(time, 5000)
    assert ExchangeClock(time.clock, remote.measure).peek() == NOON
    assert remote.asked == 0


def test_the_estimate_lags_by_the_travel_time_and_is_never_ahead() -> None:
    time = FakeTime()
    clock = ExchangeClock(time.clock, Remote(time, 5000, travel=200).measure)
    assert clock.now() == NOON + 5000
    assert time.now + 5000 - clock.peek() == 200


def test_it_is_measured_again_after_five_minutes() -> None:
    time = FakeTime()
    remote = Remote(time, 0)
    clock = ExchangeClock(time.clock, remote.measure)
    clock.now()
    time.now += MEASURE_EVERY_MS - 1
    clock.now()
    assert remote.asked == 1
    time.now += 1
    clock.now()
    assert remote.asked == 2


def test_it_is_measured_again_when_the_local_clock_went_back() -> None:
    time = FakeTime()
    remote = Remote(time, 0)
    clock = ExchangeClock(time.clock, remote.measure)
    clock.now()
    time.now -= 1
    clock.now()
    assert remote.asked == 2


def test_a_forgotten_measurement_is_made_again() -> None:
    time = FakeTime()
    remote = Remote(time, 0)
    clock = ExchangeClock(time.clock, remote.measure)
    clock.now()
    remote.ahead = 700
    clock.forget()
    assert clock.now() == NOON + 700


def test_a_venue_that_tells_no_time_is_taken_to_agree() -> None:
    time = FakeTime()
    clock = ExchangeClock(time.clock, Remote(time, None).measure)
    assert clock.now() == NOON
    assert clock.offset_ms == 0
