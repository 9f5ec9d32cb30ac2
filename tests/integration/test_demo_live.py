"""The live demo: three processes that begin, trade and end together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
import requests

from core.cli import demo_live_command
from core.cli.demo_live_command import FILE, begin_anew, environment_of, free_port
from core.cli.together import Heard, Script, Together, ended
from core.errors import RefusedError, UsageError
from core.order_path.lock import AccountLock
from core.serving import listen
from db.base import open_engine
from db.init_db import init_db
from scripts import demo_live
from tests.page_help import begin
from tests.stored import url_of
from tests.tiers import programs

ROOT = Path(__file__).resolve().parents[2]
WAITS = """import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print('ready at 7', flush=True)
signal.sigwait([signal.SIGINT])
"""

PAUSES = """import signal
print('ready at 7', flush=True)
signal.pause()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    return tmp_path


def script(project: Path, name: str, text: str) -> Script:
    """Write a script and return it as a part that is ready once it says so."""
    (project / "scripts" / f"{name}.py").write_text(text)
    return Script(name, (f"{name}.py",), r"ready at (\d)")


def is_gone(pid: int) -> bool:
    """Tell whether no process of this number is there any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_parts_are_ready_one_by_one_and_none_is_left(project: Path) -> None:
    with Together(project) as parts:
        assert parts.start(script(project, "one", WAITS), os.environ) == "7"
        assert parts.start(script(project, "other", WAITS), os.environ) == "7"
        pids = [process.pid for process in parts._started]
    assert all(map(is_gone, pids))
    assert [process.returncode for process in parts._started] == [0, 0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print('error: no luck')\nprint('more')\nsys.exit(3)", r"exit code 3\): no luck; the others"),
        ("print('ready at 9')\nsys.exit('torn')", r"exit code 1\): torn; the others"),
        ("import os\nos.kill(os.getpid(), 9)", r"SIGKILL\); the others"),
    ],
)
def test_when_one_ends_the_others_end_with_its_reason(project: Path, text: str, why: str) -> None:
    with Together(project) as parts:
        parts.start(script(project, "good", WAITS), os.environ)
        bad = script(project, "bad", f"import sys\n{text}")
        try:
            parts.start(bad, os.environ)
            said = next(ended(heard) for heard in parts.news() if heard.line is None)
        except RefusedError as error:
            said = str(error)
    assert re.fullmatch(f"the bad ended .{why} ended with it", said)
    assert all(is_gone(process.pid) for process in parts._started)


def test_one_that_ends_while_another_begins_is_told_too(project: Path) -> None:
    short = "print('ready at 1', flush=True)\ninput()"
    never = script(project, "never", "import signal\nsignal.sigwait([signal.SIGINT])")
    with Together(project) as parts:
        parts.start(script(project, "short", short), os.environ)
        with pytest.raises(RefusedError, match="the short ended"):
            parts.start(never, os.environ)


def test_one_that_does_not_end_is_ended(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.cli.together.PATIENCE", 0.2)
    deaf = "import signal\nsignal.signal(2, signal.SIG_IGN)\nprint('ready at 1', flush=True)\nsignal.pause()"
    with Together(project) as parts:
        parts.start(script(project, "deaf", deaf), os.environ)
    assert parts._started[0].returncode == -signal.SIGKILL


def test_parts_end_when_whoever_started_them_is_gone(project: Path) -> None:
    with Together(project) as parts:
        parts.start(script(project, "one", WAITS), os.environ)
        assert parts._guard is not None
        assert parts._guard.stdin is not None
        # As the system does for a process that is killed.
        parts._guard.stdin.close()
        assert parts._started[0].wait(10) == 0
        parts._guard.stdin = None


def test_what_a_part_said_last_is_its_reason() -> None:
    part = Script("loop", ("x.py",), "")
    assert ended(Heard(part, None, 0, "")) == "the loop ended (exit code 0); the others ended with it"


def test_a_second_demo_begins_anew_and_touches_nobody_elses_database(tmp_path: Path) -> None:
    file = tmp_path / "demo" / FILE
    begin_anew(file)
    engine = init_db(url_of(file))
    begin(engine, "demo")
    engine.dispose()
    with AccountLock(file, "demo"):
        with pytest.raises(RefusedError, match=r"a demo runs already \(process 0\): end it first"):
            begin_anew(file)
        assert file.exists()
    begin_anew(file)
    assert list(file.parent.iterdir()) == []
    engine = init_db(url_of(file))
    begin(engine, "mine")
    engine.dispose()
    with pytest.raises(UsageError, match="is no demo's, mine traded from it"):
        begin_anew(file)
    open_engine(url_of(file)).dispose()


def test_a_port_that_is_taken_is_said_and_another_one_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0, UsageError, "") as socket:
        taken = socket.getsockname()[1]
        assert free_port(taken) == 0
    assert f"# port {taken} is in use" in capsys.readouterr().out
    assert free_port(taken) == taken


def test_what_a_script_starts_in_the_background_ends_by_the_same_key(project: Path) -> None:
    deaf = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Together(project) as parts, demo_live_command.ends_by_signals():
            parts.start(script(project, "one", PAUSES), os.environ)
        assert parts._started[0].returncode == -signal.SIGINT
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, deaf)


def test_keys_and_addresses_of_other_exchanges_are_not_handed_on() -> None:
    given = {"EXCHANGE_API_KEY": "k", "EXCHANGE_BASE_URL": "x", "HOME": "/h"}
    assert environment_of(given) == {"HOME": "/h"}
    assert environment_of(given, EXCHANGE_BASE_URL="y") == {"HOME": "/h", "EXCHANGE_BASE_URL": "y"}


@programs
def test_a_demo_whose_exchange_cannot_begin_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_live_command, "DAY", "1999-01-01")
    with pytest.raises(
        RefusedError, match=r"the local exchange ended \(exit code 2\): --start-at 1999-01-01: wanted"
    ):
        demo_live.main(["--folder", str(tmp_path / "demo"), "--port", "0"])


def until(lines: IO[str], words: str) -> str:
    """Read on until a line has these words and return it."""
    seen = []
    for line in lines:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"it ended without {words!r}: {''.join(seen)}")


@programs
def test_trades_arrive_on_the_page_and_one_key_ends_all_three(tmp_path: Path) -> None:
    words = ["scripts/demo_live.py", "--folder", str(tmp_path / "demo"), "--port", "0"]
    mine = tmp_path / "mine.db"
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "HOT_CRYPTO_DB_URL": url_of(mine)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    url = until(process.stdout, "open http").split()[1]
    until(process.stdout, " buy ")
    until(process.stdout, " at ")
    look = requests.get(f"{url}/api/look", timeout=10).json()
    assert (look["account"], look["run"]["mode"], look["run"]["ended_at"]) == ("demo", "paper", None)
    process.send_signal(signal.SIGINT)
    assert "ending page, loop and exchange" in process.stdout.read()
    assert process.wait(60) == 130
    process.stdout.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)
    assert not mine.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(look["run"]["pid"], 0)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="Not a directory; name a folder you may write to"):
        demo_live.main(["--folder", str(tmp_path / "file"), "--port", "0"])
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(UsageError, match="a name in it is longer than"):
        demo_live.main(["--folder", str(tmp_path / "new" / ("x" * 300)), "--port", "0"])
    assert not (tmp_path / "new").exists()
