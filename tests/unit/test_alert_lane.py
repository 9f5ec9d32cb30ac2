"""One channel's messages: folded, bounded, tried again, and what was missed is told later."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from core.alerts.lane import (
    FIRST,
    FOLD,
    LISTED,
    LONGEST,
    MOST,
    ROOM,
    TOGETHER,
    TRIES,
    Lane,
    Letter,
    Missed,
    NotSentError,
    as_stored,
    from_stored,
)
from core.alerts.levels import KINDS, AlertLevel, message
from core.alerts.mailbox import Mailbox
from core.utils import format_time
from tests.alert_help import Noted, Ticking, warning
from tests.exchange_help import NOON

AWAY = "no connection"


class World:
    """A lane whose clock a test sets."""

    def __init__(self, *fails: NotSentError) -> None:
        self.channel, self.clock, self.said = Noted(*fails), Ticking(), list[str]()
        self.lane = Lane("telegram", self.channel, self.clock, self.said.append)


def test_a_message_is_sent_once_and_then_nothing_is_due() -> None:
    world = World()
    world.lane.put(warning())
    assert world.lane.step() is None
    assert world.lane.step() is None
    assert world.channel.texts == ["near"]
    assert world.lane.waiting() == []


def test_messages_of_one_subject_that_wait_are_folded_and_the_newest_text_counts() -> None:
    world = World()
    for n in range(3):
        world.lane.put(warning(f"near {n}", "BTC/USDT"))
    world.lane.put(warning("other", "ETH/USDT"))
    world.lane.step()
    ((first, second),) = world.channel.sent
    assert (first.message.text, first.times) == ("near 2", 3)
    assert first.line() == f"⚠️ {format_time(NOON)} UTC near 2 (and 2 more like it)"
    assert second.line() == f"⚠️ {format_time(NOON)} UTC other"


def test_what_was_just_sent_is_counted_for_a_while_and_told_together() -> None:
    world = World()
    world.lane.put(warning("a", "BTC"))
    world.lane.step()
    for n in range(4):
        world.clock.now += 10
        world.lane.put(warning(f"b{n}", "BTC"))
    assert world.lane.step() == pytest.approx(FOLD - 40)
    assert world.channel.texts == ["a"]
    world.clock.now = 1_000 + FOLD
    assert world.lane.step() is None
    assert [(one.message.text, one.times) for one in world.channel.sent[1]] == [("b3", 4)]


def test_a_message_that_comes_while_its_subject_is_sent_is_told_later() -> None:
    world = World()

    class Slow(Noted):
        def send(self, letters: Sequence[Letter]) -> None:
            super().send(letters)
            if len(self.sent) == 1:
                world.lane.put(warning("while", "BTC"))

    world.lane = Lane("slow", Slow(), world.clock, world.said.append)
    world.lane.put(warning("first", "BTC"))
    assert world.lane.step() == FOLD
    ((letter,),) = [world.lane.waiting()]
    assert (letter.message.text, letter.times) == ("while", 1)


def test_a_failure_is_tried_again_after_pauses_that_double_up_to_a_limit_and_said_once() -> None:
    world = World(*[NotSentError(AWAY)] * 3)
    world.lane.put(warning())
    pauses = []
    for _ in range(3):
        pause = world.lane.step()
        assert pause is not None
        pauses.append(pause)
        assert world.lane.step() == pause
        world.clock.now += pause
    assert pauses == [FIRST, 2 * FIRST, 4 * FIRST]
    assert world.lane.step() is None
    assert world.channel.texts == ["near"]
    assert world.said == [
        "an alert by telegram could not be sent, it is tried again: no connection",
        "alerts by telegram arrive again",
    ]


def test_what_was_given_up_is_listed_as_soon_as_the_channel_works_again() -> None:
    world = World(*[NotSentError(AWAY)] * (TRIES + 3))
    world.lane.put(warning("lost", time=NOON + 60_000))
    for _ in range(TRIES):
        world.clock.now += LONGEST
        world.lane.step()
    assert (world.lane.waiting(), world.lane.missed.number) == ([], 1)
    world.lane.put(warning("newer", "ETH"))
    while world.channel.fails:
        world.clock.now += LONGEST
        assert world.lane.step() is not None
    world.clock.now += LONGEST
    assert world.lane.step() is None
    since = format_time(NOON + 60_000)
    ((told, newer),) = world.channel.sent
    assert told.line() == f"⚠️ 1 message could not be sent since {since} UTC:\n⚠️ {since} UTC lost"
    assert newer.message.text == "newer"
    assert world.lane.missed == Missed()


def test_a_channel_that_was_away_for_long_is_asked_at_most_every_few_minutes() -> None:
    world = World(*[NotSentError(AWAY)] * 40)
    world.lane.put(warning())
    pauses = []
    for _ in range(40):
        pause = world.lane.step()
        assert pause is not None
        pauses.append(pause)
        world.clock.now += pause
    assert max(pauses) == pauses[-1] == LONGEST


def test_a_channel_that_is_away_for_weeks_is_still_asked() -> None:
    fails = 3_000
    world = World(*[NotSentError(AWAY)] * fails)
    world.lane.put(warning("lost"))
    for _ in range(fails):
        world.clock.now += LONGEST
        assert world.lane.step() == LONGEST or world.lane._fails < 9
    world.clock.now += LONGEST
    assert world.lane.step() is None
    assert "1 message could not be sent since" in world.channel.texts[0]


@pytest.mark.parametrize(
    "error", [RecursionError("deep"), KeyError("x"), OverflowError("CANARY"), UnicodeError()]
)
def test_whatever_a_channel_raises_is_a_failure_like_others(error: Exception) -> None:
    world = World()
    world.channel.fails += [error] * TRIES
    world.lane.put(warning("lost"))
    for n in range(TRIES):
        assert world.lane.careful_step() == FIRST * 2**n
        world.clock.now += LONGEST
    assert (world.lane.waiting(), world.lane.missed.number) == ([], 1)
    assert world.lane.careful_step() is None
    assert world.channel.texts[0].endswith("⚠️ 2024-01-01 12:00 UTC lost")
    kind = type(error).__name__
    assert world.said == [
        f"an alert by telegram could not be sent, it is tried again: a fault of this program ({kind})",
        "alerts by telegram arrive again",
    ]


def test_a_step_that_goes_wrong_ends_no_thread_and_is_done_again_after_a_pause() -> None:
    world, times = World(), iter([1_000.0])
    world.lane.put(warning("first"))
    world.lane._clock = lambda: next(times, 1_001.0) if said else _broken()
    said = world.said
    assert world.lane.careful_step() == FIRST - 1
    assert said == [SLIP]
    world.lane._clock = lambda: 1_002.0
    assert world.lane.careful_step() is None
    assert world.channel.texts == ["first"]


def _broken() -> float:
    raise ZeroDivisionError


SLIP = (
    "an alert by telegram could not be sent, it is tried again: a fault of this program (ZeroDivisionError)"
)


def test_a_time_that_no_calendar_has_is_told_as_it_is() -> None:
    assert Letter(warning("x", time=10**30)).line() == f"⚠️ {10**30} ms x"
    assert "since -" in Missed(1, -(10**30), ("x",)).letter().message.text


def test_a_channel_that_wants_silence_gets_it_and_one_that_refuses_for_good_is_not_asked_twice() -> None:
    world = World(NotSentError("429", wait=77), NotSentError("400", is_final=True))
    world.lane.put(warning())
    assert world.lane.step() == 77
    world.clock.now += 77
    assert world.lane.step() == 2 * FIRST
    assert (world.lane.waiting(), world.lane.missed.number) == ([], 1)


def test_a_full_queue_drops_the_least_of_the_oldest_and_counts_it() -> None:
    world = World()
    world.lane.put(message("halt", "halted", NOON))
    for n in range(MOST + 4):
        world.lane.put(message("fill", f"fill {n}", NOON))
    waiting = [one.message.text for one in world.lane.waiting()]
    assert (len(waiting), waiting[0], waiting[1]) == (MOST, "halted", "fill 5")
    assert world.lane.missed.number == 5
    assert world.lane.missed.lines[0].endswith("fill 0")


def test_many_missed_messages_are_counted_and_some_of_them_shown() -> None:
    letters = [Letter(warning(f"{n} " + "x" * 500, str(n))) for n in range(LISTED + 5)]
    text = Missed().with_more(letters).letter().message.text
    assert text.startswith(f"{LISTED + 5} messages could not be sent since")
    assert text.endswith("\n… and 5 more")
    assert len(text) < ROOM / 2


def test_what_is_missed_while_the_missed_are_told_is_told_next() -> None:
    world = World()
    world.lane.missed = Missed(2, NOON, ("a", "b"))

    class Slow(Noted):
        def send(self, letters: Sequence[Letter]) -> None:
            super().send(letters)
            world.lane.missed = world.lane.missed.with_more([Letter(warning("c"))])

    world.lane._channel = Slow()
    world.lane.step()
    assert (world.lane.missed.number, len(world.lane.missed.lines)) == (1, 1)
    assert world.lane.missed.lines[0].endswith(" c")


def test_together_go_as_many_as_there_is_room_for() -> None:
    world = World()
    for n in range(TOGETHER + 3):
        world.lane.put(warning(f"m{n}", str(n)))
    for n in range(3):
        world.lane.put(warning("x" * 2_000, f"long {n}"))
    world.lane.put(warning("y" * 9_000, "longest"))
    while world.lane.step() == 0:
        pass
    assert [len(letters) for letters in world.channel.sent] == [TOGETHER, 4, 1, 1, 1]
    longest = world.channel.sent[-1][0].line()
    assert (longest[-1], len(longest) < ROOM + 40) == ("…", True)


@pytest.mark.unmeasured
def test_a_channel_that_hangs_keeps_nobody_waiting_and_the_end_waits_only_as_long_as_it_is_told() -> None:
    hangs, entered = threading.Event(), threading.Event()

    class Hanging(Noted):
        def send(self, letters: Sequence[Letter]) -> None:
            entered.set()
            hangs.wait()
            super().send(letters)

    channel = Hanging()
    box = Mailbox({"critical": [Lane("hanging", channel, Ticking(), str)]})
    box.start()
    box.put(message("halt", "first", NOON))
    assert entered.wait(10)
    for n in range(10 * MOST):
        box.put(message("halt", f"{n}", NOON))
    missed = box.end(0.01)
    assert missed.number == 10 * MOST + 1
    assert channel.sent == []
    hangs.set()


def test_the_end_sends_what_waits_even_what_is_held_back() -> None:
    channel, clock = Noted(), Ticking()
    lane = Lane("telegram", channel, clock, str)
    lane.put(warning("a", "BTC"))
    lane.step()
    lane.put(warning("held", "BTC"))
    lane.start()
    assert lane.end(10) == Missed()
    assert channel.texts == ["a", "held"]


def test_the_end_tries_once_more_and_returns_what_was_not_sent_for_the_next_start_to_tell() -> None:
    world = World(NotSentError(AWAY), NotSentError(AWAY), NotSentError(AWAY))
    world.lane.put(warning("lost"))
    world.lane.step()
    world.lane.start()
    missed = world.lane.end(10)
    assert (missed.number, len(world.channel.fails)) == (1, 1)
    kept = from_stored(as_stored(missed))
    assert kept == missed
    after = World()
    box = Mailbox({"critical": [after.lane]})
    box.owe(kept)
    assert after.lane.step() is None
    assert after.channel.texts == [kept.letter().message.text]


@pytest.mark.parametrize(
    "plain", [None, 3, {}, {"number": "3", "since": 1, "lines": []}, {"number": 1, "since": 1}]
)
def test_what_is_no_record_of_missed_messages_is_none(plain: object) -> None:
    assert from_stored(plain) == Missed()


def test_each_level_goes_to_its_channels_and_the_report_to_its_own() -> None:
    clock = Ticking()
    lanes = [Lane(str(n), Noted(), clock, str) for n in range(3)]
    box = Mailbox({"warning": lanes[:1], "critical": lanes[:2], "report": lanes[2:]})
    for kind in KINDS:
        box.put(message(kind, kind, NOON))
    heard = [{one.message.kind for one in lane.waiting()} for lane in lanes]
    by_level = {level: {kind for kind in KINDS if KINDS[kind].level is level} for level in AlertLevel}
    assert heard[0] == by_level[AlertLevel.WARNING] | by_level[AlertLevel.CRITICAL]
    assert heard[1] == by_level[AlertLevel.CRITICAL]
    assert heard[2] == {"report"}
    assert Mailbox({}).end(0) == Missed()


def test_a_report_is_sent_as_it_is() -> None:
    assert Letter(message("report", "📊 Daily Report", NOON)).line() == "📊 Daily Report"


def test_the_end_waits_once_for_all_channels_together_and_not_for_each_by_itself() -> None:
    waited: list[float] = []

    class Slow(Lane):
        def end(self, seconds: float) -> Missed:
            waited.append(seconds)
            return Missed()

    Mailbox({"critical": [Slow(str(n), Noted(), Ticking(), str) for n in range(3)]}).end(0.0)
    assert waited == [0.0, 0.0, 0.0]
    Mailbox({"critical": [Slow("one", Noted(), Ticking(), str)]}).end(5.0)
    assert 0.0 < waited[-1] <= 5.0
