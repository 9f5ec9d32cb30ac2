"""Where a loop's lines go: plain in a pipe, a picture on a terminal, JSON in the account's log file."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core import cli
from core.cli.live_output import LOG, note, say, shown, tell_step
from core.live.event_log import EventLog
from core.reports.screen import Screen
from tests.status_help import STATUS
from tests.unit.test_events import STEP


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    return tmp_path


def given(**changed: Any) -> Namespace:
    usual = {"log_file": None, "plain": False, "once": False, "db_url": None}
    return Namespace(**{**usual, "account": "mine", "orders": "paper", **changed})


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_in_a_pipe_lines_are_plain_and_the_log_lies_by_the_database(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown(given(), root / "hot.db") as show:
        say("hello")
        tell_step(STEP, STATUS)
        show(STATUS)
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith(" hello")
    assert said[-1].endswith(" equity 10,005.00 USDT")
    events = written(root / "logs" / "mine.jsonl")
    assert [event["event"] for event in events[:3]] == ["notice", "fill", "trade"]
    assert {event["account"] for event in events} == {"mine"}


@pytest.mark.parametrize("how", [{"plain": True}, {"once": True}])
def test_a_terminal_may_have_plain_lines_too(
    root: Path, how: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown(given(**how), root / "hot.db"):
        say("hello")
    assert terminal.getvalue().endswith(" hello\n")
    assert "account mine" not in terminal.getvalue()


def test_a_terminal_shows_the_account_and_what_was_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown(given(orders="exchange"), root / "hot.db") as show:
        say("hello")
        show(STATUS)
    assert "HOT-Crypto, account mine, orders: exchange" in terminal.getvalue()
    assert "equity 10,012.50" in terminal.getvalue()
    assert " hello" in terminal.getvalue()


def closed(*_: object, **__: object) -> None:
    raise BrokenPipeError


def test_a_loop_goes_on_when_nobody_reads_stderr_any_more_and_the_log_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=closed, flush=closed, isatty=lambda: False))
    with shown(given(), root / "hot.db") as show:
        say("one")
        say("two")
        show(STATUS)
    texts = [event["text"] for event in written(root / "logs" / "mine.jsonl")]
    assert texts == ["one", "nobody reads what is written to stderr any more; going on without it", "two"]


def test_a_loop_goes_on_when_its_terminal_is_gone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(Screen, "show", closed)
    with shown(given(), root / "hot.db") as show:
        show(STATUS)
        say("hello")
    assert [event["text"] for event in written(root / "logs" / "mine.jsonl")] == ["hello"]


def test_a_note_is_for_the_log_file_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with shown(given(), root / "hot.db"):
        note("aside")
    assert [event["text"] for event in written(root / "logs" / "mine.jsonl")] == ["aside"]
    assert capsys.readouterr().err == ""


def test_a_key_in_the_environment_never_reaches_the_log(root: Path) -> None:
    (root / ".env").write_text("EXCHANGE_API_SECRET=hush-hush\n")
    with shown(given(log_file=str(root / "own.jsonl")), root / "hot.db"):
        say("it was hush-hush")
    [event] = written(root / "own.jsonl")
    assert event["text"] == "it was ***"


def test_what_is_set_up_is_taken_down_again(root: Path) -> None:
    with pytest.raises(RuntimeError), shown(given(), root / "hot.db"):
        raise RuntimeError
    assert not any(isinstance(handler, EventLog) for handler in LOG.handlers)
