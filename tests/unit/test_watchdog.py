from __future__ import annotations

from threading import Event

from core.live.watchdog import Watchdog


def test_a_loop_that_goes_on_is_left_alone_and_one_that_hangs_is_given_up() -> None:
    now, gave_up = [0.0], []
    dog = Watchdog(60.0, lambda: gave_up.append(now[0]), lambda: now[0])
    now[0] = 60.0
    assert not dog.check()
    dog.alive()
    now[0] = 120.0
    assert not dog.check()
    now[0] = 120.5
    assert dog.check()
    assert gave_up == [120.5]


def test_the_watching_thread_gives_up_by_itself() -> None:
    now, gave_up = [0.0], Event()
    dog = Watchdog(60.0, gave_up.set, lambda: now[0])
    now[0] = 61.0
    dog.watch(0.001)
    assert gave_up.wait(30)
    dog.end()


def test_nothing_is_given_up_after_the_end() -> None:
    gave_up: list[int] = []
    dog = Watchdog(60.0, lambda: gave_up.append(1), lambda: 0.0)
    dog.end()
    dog.watch(0.001)
    assert gave_up == []
