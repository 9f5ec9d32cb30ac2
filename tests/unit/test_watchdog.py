from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from core.live.watchdog import Watchdog


def dog_of(now: list[float], give_up: Callable[[], object]) -> Watchdog:
    return Watchdog(60.0, give_up, lambda: now[0])


def passes(dog: Watchdog, now: list[float], seconds: int) -> bool:
    """Let time pass, with a look every second; return whether the last one gave up."""
    hangs = False
    for _ in range(seconds):
        now[0] += 1.0
        hangs = dog.check()
    return hangs


def test_a_loop_that_goes_on_is_left_alone_and_one_that_hangs_is_given_up() -> None:
    now, gave_up = [0.0], []
    dog = dog_of(now, lambda: gave_up.append(now[0]))
    assert not passes(dog, now, 60)
    dog.alive()
    assert not passes(dog, now, 60)
    assert passes(dog, now, 1)
    assert gave_up == [121.0]


@pytest.mark.parametrize("seconds", [61.0, 150.0, 86_400.0])
def test_a_process_that_was_stopped_as_a_whole_is_not_given_up(seconds: float) -> None:
    now, gave_up = [0.0], list[int]()
    dog = dog_of(now, lambda: gave_up.append(1))
    passes(dog, now, 20)
    now[0] += seconds
    assert not dog.check()
    assert passes(dog, now, 60)
    assert gave_up


def test_the_watching_thread_gives_up_by_itself() -> None:
    now, gave_up = [0.0], Event()

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    dog = Watchdog(60.0, gave_up.set, clock)
    dog.watch(0.0001)
    assert gave_up.wait(30)
    dog.end()


def test_nothing_is_given_up_after_the_end() -> None:
    gave_up: list[int] = []
    dog = Watchdog(60.0, lambda: gave_up.append(1), lambda: 0.0)
    dog.end()
    dog.watch(0.001)
    assert gave_up == []
