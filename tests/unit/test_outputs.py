"""Where a program may write is known before its work begins."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from core import cli
from core.cli import outputs
from core.errors import UsageError
from core.live.event_log import EventLog


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of each kind of file, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.json").write_text("mine")
    (tmp_path / "link.json").symlink_to("mine.json")
    os.link(tmp_path / "mine.json", tmp_path / "second-name.json")
    (tmp_path / "nowhere.json").symlink_to("later.json")
    with sqlite3.connect(tmp_path / "candles.db") as connection:
        connection.execute("CREATE TABLE candles (ts)")
    connection.close()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("loop", "cannot write loop: Too many levels of symbolic links"),
        ("loop/out.json", "cannot write loop/out.json: Too many levels"),
        ("x" * 300, "File name too long"),
        ("new/" + "x" * 300 + "/out.json", "File name too long|longer than 255 bytes"),
        ("folder", "cannot write folder: it is a folder"),
        ("mine.json/out.json", r"Not a directory|mine\.json is a file"),
        ("candles.db", r"candles\.db is a database and is left as it is"),
        ("a\0b", "null byte"),
    ],
)
def test_what_could_not_be_written_later_is_refused_at_once(here: Path, path: str, why: str) -> None:
    before = sorted(here.iterdir())
    with pytest.raises(UsageError, match=why):
        cli.check_free(path, force=True)
    assert sorted(here.iterdir()) == before


def test_a_socket_and_a_disk_are_no_files(here: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(UsageError, match="it is a socket"):
            cli.check_free("socket", force=True)


PAGE = '<!DOCTYPE html>\n<head>\n<meta name="generator" content="HOT-Crypto">\n'
OLD_PAGE = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">"""
DOCUMENTS = (
    '{\n  "runs": []\n}',
    '{"search": 3, "strategy": "X"}',
    '{"strategy": "X", "ranked_by": "return_pct"}',
    '{"account": "paper", "trades": []}',
    '{"account": "paper", "decisions": []}',
    '{"name": "a.db", "size": 3, "schema_version": 5}',
    "exchange,symbol,timeframe,strategy\n",
    "ema_fast,ema_slow,sharpe BTC/USDT,sortino BTC/USDT,trades BTC/USDT\n10,20,1,2,3\n",
    '{"run": 3, "detail": "1m"}',
    '{"one": "run 1", "other": "run 2", "total": {}}',
)
FOREIGN = (
    "mine",
    "<!DOCTYPE html><title>HOT-Crypto</title>",
    '{"name": "package", "version": "1"}',
    '{"strategy": "X"}',
    "risk: {}\n",
    "timestamp,open\n",
    "\0\1\2",
)


@pytest.mark.parametrize("text", ["", PAGE, OLD_PAGE, *DOCUMENTS])
def test_force_replaces_what_this_program_wrote(here: Path, text: str) -> None:
    Path("out").write_text(text)
    cli.check_free("out", force=True)
    if text in ("", PAGE, OLD_PAGE):
        cli.check_free(page="out", force=True)
    else:
        with pytest.raises(UsageError, match=r"^out is no page of this program and is left as it is: name"):
            cli.check_free(page="out", force=True)


@pytest.mark.parametrize("text", FOREIGN)
def test_force_replaces_nothing_else(here: Path, text: str) -> None:
    Path("out").write_text(text)
    with pytest.raises(UsageError, match=r"^out is no output of this program and is left as it is: name"):
        cli.check_free("out", force=True)
    with pytest.raises(UsageError, match=r"^out is no page of this program"):
        cli.check_free(page="out", force=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("new.json", "./new.json"),
        ("new.json", "folder/../new.json"),
        ("mine.json", "link.json"),
        ("mine.json", "second-name.json"),
        ("nowhere.json", "later.json"),
        ("/dev/null", "/dev/../dev/null"),
    ],
)
def test_two_spellings_of_one_file_are_one_place(here: Path, one: str, other: str) -> None:
    with pytest.raises(UsageError, match="two outputs go to"):
        cli.check_free(one, None, other, force=True)


def test_stdout_is_one_place_under_all_its_names(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="two outputs go to"):
        cli.check_free("-", "-", force=True)
    with Path("both.txt").open("w") as file:
        # As the shell does for `> both.txt`.
        monkeypatch.setattr("sys.stdout", file)
        with pytest.raises(UsageError, match=r"two outputs go to both\.txt, which is - too"):
            cli.check_free("-", "both.txt", force=True)


def test_the_longest_name_there_is_can_be_written(here: Path) -> None:
    longest = "x" * os.pathconf(here, "PC_NAME_MAX")
    cli.check_free(longest, force=False)
    cli.write_output(longest, "{}\n")
    assert Path(longest).read_text() == "{}\n"


@pytest.mark.parametrize("path", ["loop", "loop/x.db", "x" * 300, "mine.json/x.db"])
def test_a_file_that_cannot_be_made_is_known_before(here: Path, path: str) -> None:
    outputs.check_room("/")
    outputs.check_room("new/x.db")
    with pytest.raises(UsageError, match="cannot write"):
        outputs.check_room(path)


def test_new_folders_are_no_obstacle(here: Path) -> None:
    cli.check_free("a/b/c.json", "a/b/d.json", force=False)
    assert not Path("a").exists()


@pytest.mark.parametrize(
    "path", ["/", "folder", "candles.db", "loop", "x" * 300, "mine.json/y", "mine.json", "settings.yaml"]
)
def test_a_log_goes_to_a_log_a_new_file_or_a_device_and_into_nothing_else(here: Path, path: str) -> None:
    Path("settings.yaml").write_text("risk: {}\n")
    Path("empty").touch()
    log = EventLog(here / "loop.jsonl", {"account": "paper"})
    log.handle(logging.makeLogRecord({"msg": "it began"}))
    log.close()
    for right in ("loop.jsonl", "empty", "/dev/null", "new/folder/log.jsonl"):
        outputs.check_appended(right)
    with pytest.raises(UsageError, match=r"cannot write|is a database|is no log of this program"):
        outputs.check_appended(path)
