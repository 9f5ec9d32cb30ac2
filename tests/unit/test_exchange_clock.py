"""The exchange's time: measured, never ahead, measured again whenever it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from core.exchange.clock import DRIFT_PPM, LEAP_MS, MEASURE_EVERY_MS, SLOW_MS, UNSEEN_MS, ExchangeClock
from core.utils import parse_time
from tests.exchange_help import NOON

HOUR, DAY = 3_600_000, 86_400_000
STEPS = [sign * size for size in (1000, 58_000, HOUR, DAY) for sign in (1, -1)]


@dataclass
class World:
    """A machine and an exchange: three clocks that tests move, each on its own."""

    real: int = NOON
    """The exchange's clock."""
    local: int = NOON
    ticks: int = 5_000
    travel: int = 0
    sleep: int = 0
    """The machine sleeps for so long before it looks at an answer."""
    asked: int = 0
    tells: bool = True
    breaks: bool = False

    def passes(self, ms: int) -> None:
        self.real, self.local, self.ticks = self.real + ms, self.local + ms, self.ticks + ms

    def sleeps(self, ms: int) -> None:
        """Let the machine be suspended: the steady clock stands still."""
        self.real, self.local = self.real + ms, self.local + ms

    def measure(self) -> int | None:
        self.asked += 1
        if self.breaks:
            raise TimeoutError
        theirs = self.real
        self.passes(self.travel)
        self.sleeps(self.sleep)
        return theirs if self.tells else None

    def clock(self, moved: list[int] | None = None) -> ExchangeClock:
        told = [] if moved is None else moved
        return ExchangeClock(lambda: self.local, lambda: self.ticks, self.measure, told.append)


def test_before_it_is_measured_the_local_clock_counts() -> None:
    world = World(local=NOON - 77)
    assert world.clock().peek() == NOON - 77
    assert world.asked == 0


def test_the_estimate_lags_by_the_travel_time_and_is_never_ahead() -> None:
    world = World(local=NOON + 5000, travel=200)
    clock = world.clock()
    assert clock.now() == NOON
    assert world.real - clock.peek() == 200


def test_it_lags_by_what_a_fast_clock_may_have_gained() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.passes(20_000)
    assert clock.now() == world.real - 20_000 * DRIFT_PPM // 1_000_000
    assert world.asked == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_local_clock_changes_nothing_and_is_followed_by_a_measurement(step: int) -> None:
    world, moved = World(), list[int]()
    clock = world.clock(moved)
    clock.now()
    world.local += step
    assert clock.peek() == world.real
    assert (clock.now(), world.asked, moved) == (world.real, 2, [step])
    assert (clock.now(), world.asked, moved) == (world.real, 2, [step])


@pytest.mark.parametrize("length", [600, 60_000, 10 * HOUR])
def test_after_a_sleep_of_the_machine_it_is_measured_before_a_time_is_told(length: int) -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.sleeps(length)
    assert clock.peek() == world.real - length
    assert (clock.now(), world.asked) == (world.real, 2)


def test_after_a_time_without_a_look_it_is_measured() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.passes(UNSEEN_MS)
    clock.now()
    assert world.asked == 1
    world.passes(UNSEEN_MS + 1)
    clock.now()
    assert world.asked == 2


def test_it_is_measured_again_after_five_minutes() -> None:
    world = World()
    clock = world.clock()
    for _ in range(MEASURE_EVERY_MS // 10_000):
        clock.now()
        world.passes(10_000)
    assert world.asked == 1
    clock.now()
    assert world.asked == 2


def test_a_forgotten_measurement_is_made_again() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.real += 700
    clock.forget()
    assert clock.now() == NOON + 700


def test_what_cannot_be_measured_after_a_step_is_not_told_until_it_can() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.local += 58_000
    world.breaks = True
    for _ in range(3):
        with pytest.raises(TimeoutError):
            clock.now()
    world.breaks = False
    assert (clock.now(), world.asked) == (world.real, 5)


@pytest.mark.parametrize("sleeps", [True, False])
def test_an_answer_that_was_long_on_its_way_holds_for_seconds(sleeps: bool) -> None:
    world = World(travel=0 if sleeps else SLOW_MS + 1, sleep=HOUR if sleeps else 0)
    clock = world.clock()
    assert clock.now() == NOON
    world.travel = world.sleep = 0
    world.passes(5_000)
    assert (clock.now(), world.asked) == (world.real, 2)


@pytest.mark.parametrize("tells", [True, False])
def test_a_month_begins_late_for_its_first_second_may_be_a_repeated_one(tells: bool) -> None:
    end = parse_time("2017-01-01")
    world = World(real=end - 400, local=end - 400, tells=tells)
    clock = world.clock()
    assert clock.now() == end - 400
    world.passes(500)
    if tells:
        world.real -= 1000  # the leap second: 23:59:59 comes twice
        assert clock.now() == world.real < end
        world.passes(1000)
    assert clock.now() == end - 1
    world.passes(LEAP_MS)
    assert clock.now() >= end + 1000


def test_a_venue_that_tells_no_time_is_taken_to_agree() -> None:
    world = World(tells=False)
    clock = world.clock()
    assert clock.now() == NOON
    world.passes(1000)
    world.local += 400
    clock.forget()
    assert clock.now() == NOON + 1400


@pytest.mark.parametrize("step", STEPS)
def test_a_venue_that_tells_no_time_has_the_earlier_of_both_after_a_step(step: int) -> None:
    world = World(tells=False)
    clock = world.clock()
    clock.now()
    world.local += step
    assert clock.now() == NOON + min(step, 0)
    world.passes(20_000)
    assert clock.now() == NOON + min(step, 0) + 20_000 - 10
