"""A loop never ends without saying why."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from core.cli import live_ending
from core.cli.live_ending import HUNG, SIGNALS, Asked, Ending, listen, silent_end
from core.cli.live_output import LOG
from core.errors import DatabaseError, ExchangeUnreachableError
from db import live
from db.init_db import init_db
from tests.stored import url_of


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.levelno, record.getMessage()))


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard, level = Heard(), LOG.level
    LOG.addHandler(heard)
    LOG.setLevel(logging.DEBUG)
    yield heard
    LOG.removeHandler(heard)
    LOG.setLevel(level)


@pytest.fixture
def signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_end_that_was_wanted_is_said_and_stored(heard: Heard) -> None:
    stored: list[str] = []
    with Ending(Asked()) as ending:
        ending.record, ending.why = stored.append, "told to stop"
    assert heard.said == [(logging.INFO, "ended: told to stop")]
    assert stored == ["told to stop"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ExchangeUnreachableError("it is away"), "failed: it is away"),
        (
            ZeroDivisionError("a fault of ours"),
            "failed: ZeroDivisionError: a fault of ours (test_live_ending.py:",
        ),
        (OSError(5, "no such device"), "failed: OSError: [Errno 5] no such device (test_live_ending.py:"),
        (MemoryError(), "failed: MemoryError (test_live_ending.py:"),
        (SystemExit(3), "failed: SystemExit: 3 (test_live_ending.py:"),
        (KeyboardInterrupt(), "interrupted by SIGHUP before it traded"),
    ],
)
def test_every_error_is_written_into_the_log_and_goes_on(
    heard: Heard, error: BaseException, why: str
) -> None:
    stored: list[str] = []
    asked = Asked()
    asked.by = "SIGHUP"
    ending = Ending(asked)
    ending.record = stored.append
    with pytest.raises(type(error)), ending:
        raise error
    [(level, text)] = heard.said
    assert level == logging.DEBUG  # stderr has it from whoever runs the script
    assert text.startswith(f"ended: {why}")
    assert stored[0].startswith(why)


def test_an_end_that_cannot_be_stored_is_said_and_hides_no_error(heard: Heard) -> None:
    def lost(why: str) -> None:
        raise DatabaseError("the database is gone")

    ending = Ending(Asked())
    ending.record = lost
    with pytest.raises(ZeroDivisionError), ending:
        raise ZeroDivisionError
    assert [text.partition(":")[0] for _, text in heard.said] == ["ended", "why it ended could not be stored"]


def test_a_loop_that_hangs_says_where(heard: Heard) -> None:
    stored, left = list[str](), list[int]()
    ending = Ending(Asked(), left.append)
    ending.record = stored.append
    ending.hung()
    assert left == [HUNG]
    [(_, text)] = heard.said
    assert text.startswith("ended: hung: no step came to its end, the last thing it did was live_ending.py:")
    assert "test_live_ending.py" in text
    assert stored == [text.removeprefix("ended: ")]


def test_a_loop_that_hangs_on_its_own_log_ends_all_the_same(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    never, left, stored = Event(), list[int](), list[str]()
    monkeypatch.setattr(live_ending, "LAST_WORDS", 0.2)
    monkeypatch.setattr(live_ending, "say", lambda _: never.wait(30))
    ending = Ending(Asked(), left.append)
    ending.record = stored.append
    ending.hung()
    never.set()
    assert left == [HUNG]
    assert len(stored) == 1


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("signals")
def test_every_signal_that_asks_is_named(number: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    asked = listen()
    assert not asked.is_set()
    os.kill(os.getpid(), number)
    assert asked.wait(10)
    assert asked.by == number.name


@pytest.mark.usefixtures("signals")
def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asked = listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not asked.is_set()


@pytest.mark.usefixtures("signals")
def test_a_step_that_takes_too_long_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_ending, "PATIENCE", 0.2)
    live_ending.hurry(Asked(), "SIGTERM")
    with pytest.raises(KeyboardInterrupt):
        signal.pause()


def test_the_next_loop_says_that_the_one_before_was_killed(tmp_path: Path) -> None:
    engine = init_db(url_of(tmp_path / "live.db"))
    assert silent_end(live.newest_run(engine, "paper")) == ""
    run = live.start_run(engine, "paper", "paper", pid=77, code_version="x", settings={}, now=1)
    assert silent_end(live.newest_run(engine, "paper")) == (
        "the loop before this one (pid 77) left no word of its end here: it was killed, the machine stopped, "
        "or this is a copy made while it ran"
    )
    live.end_run(engine, run, "told to stop", 2)
    assert silent_end(live.newest_run(engine, "paper")) == ""
    engine.dispose()
