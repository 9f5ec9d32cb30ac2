"""The live page's server over HTTP: answers from the database, a stream of changes, commands for who may."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from core import cli
from core.cli import dashboard_command
from core.errors import NoDatabaseError, UsageError
from core.live.status import to_document
from core.order_path.lock import AccountLock
from core.page.account import Watched, look
from core.page.guard import Keys
from core.page.server import FILES, PageTerms, serve
from core.page.updates import changes
from db import live
from db.init_db import init_db
from scripts import start_dashboard
from tests.markets import START
from tests.page_help import SAVED, seeded
from tests.status_help import STATUS
from tests.stored import url_of
from tests.tiers import programs

KEYS = Keys(token="a-token")
GIVEN = {"X-Dashboard-Token": "Bearer a-token"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = seeded(tmp_path_factory.mktemp("page"))
    yield found
    found.dispose()


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=KEYS, pause=0.05)) as address:
        yield address


def get(url: str, path: str, **more: Any) -> Any:
    answer = requests.get(f"{url}/api/{path}", timeout=10, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_and_its_files_are_served_and_nothing_else(url: str) -> None:
    page = requests.get(url, timeout=10)
    assert page.text.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for name in FILES:
        assert requests.get(f"{url}/files/{name}", timeout=10).status_code == 200
        assert name in page.text or name == "live.css"
    for name in ("server.py", "../server.py", "%2e%2e/server.py", "report.js"):
        assert requests.get(f"{url}/files/{name}", timeout=10).status_code == 404
    assert requests.get(f"{url}/api/settings", timeout=10).status_code == 404


def test_the_account_is_what_the_loop_said(url: str) -> None:
    found = get(url, "look")
    assert found["run"]["mode"] == "paper"
    assert found["status"]["equity"] == STATUS.equity
    assert found["status"]["cash"] == "9000.25"
    assert found["status"]["uses"] == to_document(STATUS)["uses"]
    assert "flatten" in found["commands"]
    assert "reload" not in found["commands"]


def test_health_says_why_an_account_is_not_well(url: str) -> None:
    well = get(url, "health")["well"]
    assert well["reasons"][0] == "no loop runs: it left no word"
    assert "halt: doubled (ends by --release halt)" in well["reasons"]
    assert "entries are paused: by me" in well["notes"]


def test_lists_are_leafed_through_from_the_newest_on(url: str) -> None:
    first = get(url, "decisions")["rows"]
    assert len(first) == 50
    second = get(url, f"decisions?before={first[-1]['id']}")["rows"]
    assert [row["id"] for row in first + second] == list(range(120, 20, -1))
    refused = get(url, "decisions?refused=yes")["rows"]
    assert {row["outcome"] for row in refused} == {"cash"}
    assert refused[0]["detail"]["amount"] == "0.01"
    assert "detail_json" not in refused[0]
    trades = get(url, "trades?most=3")["rows"]
    assert [row["id"] for row in trades] == [60, 59, 58]
    assert [row["pnl"] for row in trades] == ["8.5", "-11.5", "8.5"]
    assert get(url, "journal")["rows"] == []


def test_closed_trades_have_the_stop_and_take_that_their_entries_were_decided_with(url: str) -> None:
    rows = {row["id"]: row for row in get(url, "trades?most=1000")["rows"]}
    brackets = [(rows[number]["stop"], rows[number]["take"]) for number in range(1, 9)]
    assert brackets == [
        (None, None),  # There was no decision before it.
        (49_000.5, None),
        (49_000.5, 52_000.0),  # The one on the bar before was refused.
        (49_000.5, None),
        (49_000.5, None),
        (49_000.5, 52_000.0),
        (49_000.5, None),
        (None, None),  # The last one that was decided is too long ago to be its.
    ]


def test_sums_are_those_of_the_stored_trades(url: str) -> None:
    found = get(url, "strategies")
    assert found["members"][0]["params"] == {"bb_period": 20}
    assert found["results"] == [
        {"strategy": "MR_BB", "trades": 60, "won": 30, "pnl": "-90.0", "fees": "90.0"}
    ]


def test_the_curve_is_thinned_and_keeps_its_end(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = get(url, "equity")
    assert len(whole["equity"]) == 120
    monkeypatch.setattr("core.page.account.POINTS", 10)
    thin = get(url, "equity")
    assert 10 <= len(thin["equity"]) <= 12
    assert (thin["times"][-1], thin["equity"][-1]) == (whole["times"][-1], whole["equity"][-1])


def test_candles_come_packed_with_regimes_on_request(url: str) -> None:
    series = {"exchange": "binanceus", "symbol": "BTC/USDT", "timeframe": "1h", "count": "2000"}
    plain = get(url, "candles", params=series)
    assert sum(count for _, _, count in plain["times"]) == 2000
    assert plain["spans"] == []
    assert get(url, "candles", params={**series, "regimes": "yes"})["spans"]
    assert len(get(url, "series")["series"]) == 2


QUESTION = "candles?exchange=x&symbol=BTC/USDT&timeframe=1h"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (QUESTION, 404, "no candles of x BTC/USDT 1h are stored"),
        ("candles?exchange=x&symbol=nope&timeframe=1h", 400, "wanted a symbol"),
        ("candles?exchange=x&symbol=BTC/USDT&timeframe=5h", 400, "timeframe"),
        (f"{QUESTION}&count=9", 400, "wanted 50 to 20,000 candles, got 9"),
        (f"{QUESTION}&count=0", 400, "wanted 50 to 20,000 candles, got 0"),
        ("outcome", 400, "id: wanted a whole number, got nothing"),
        ("outcome?id=x", 400, "id: wanted a whole number, got 'x'"),
        ("trades?most=0", 400, "most: wanted 1 or more, got 0"),
        ("decisions?before=1;DROP", 400, "before: wanted a whole number, got '1;DROP'"),
    ],
)
def test_a_question_that_has_no_answer_says_why(url: str, path: str, status: int, words: str) -> None:
    answer = requests.get(f"{url}/api/{path}", timeout=10)
    assert words in answer.json()["error"]
    assert answer.status_code == status


def test_before_the_first_row_there_is_none(url: str) -> None:
    for name in ("decisions", "trades", "journal"):
        assert get(url, f"{name}?before=0")["rows"] == []


def test_saved_runs_are_shown_as_a_terminal_shows_them(url: str) -> None:
    found = get(url, "runs")
    assert [run["strategy"] for run in found["runs"]] == [name for name, _ in reversed(SAVED)]
    assert len(found["figures"]) == len(found["runs"][0]["cells"])


def test_a_name_from_elsewhere_is_refused(url: str) -> None:
    for path in ("", "/api/look", "/events", "/files/live.js"):
        answer = requests.get(url + path, headers={"Host": "evil.example"}, timeout=10)
        assert answer.status_code == 403
        assert "paper" not in answer.text


def test_a_request_that_names_no_host_is_refused(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    for head in (b"HTTP/1.0\r\n", b"HTTP/1.1\r\nHost:\r\n", b"HTTP/1.1\r\nHost: [::1].evil\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(b"GET /api/look " + head + b"Connection: close\r\n\r\n")
            answer = b"".join(iter(partial(line.recv, 65_536), b""))
        assert answer.split(b"\r\n")[0].endswith(b" 403 Forbidden")


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
def test_a_command_that_is_not_packed_as_it_says_is_answered_by_400(
    url: str, packed: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Origin": url, **GIVEN, "Content-Encoding": packed, "Content-Type": "application/json"}
    answer = requests.post(f"{url}/command", data=b'{"name": "pause"}', headers=headers, timeout=10)
    assert answer.status_code == 400
    assert caplog.text == ""


def test_a_password_is_asked_for(engine: Engine) -> None:
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=Keys(password="open"))) as url:
        assert requests.get(url, timeout=10).status_code == 401
        assert requests.get(f"{url}/api/look", auth=("me", "shut"), timeout=10).status_code == 401
        assert requests.get(f"{url}/api/look", auth=("me", "open"), timeout=10).status_code == 200


def test_a_password_that_is_no_text_is_a_wrong_one(engine: Engine) -> None:
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=Keys(password="open"))) as url:
        for given in ("Basic é".encode(), b"Basic \xe9", b"Basic ="):
            answer = requests.get(url, headers={"Authorization": given}, timeout=10)
            assert (answer.status_code, answer.text) == (401, "the password is wanted")


def test_wrong_passwords_and_tokens_are_slowed_down(engine: Engine) -> None:
    now = [5.0]
    keys = Keys(password="open", token="a-token")
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=keys, clock=lambda: now[0])) as url:

        def status(password: str) -> int:
            return requests.get(f"{url}/api/look", auth=("me", password), timeout=10).status_code

        assert [status("shut") for _ in range(7)] == [401] * 5 + [429] * 2
        assert status("open") == 429
        assert requests.get(url, timeout=10).status_code == 401
        now[0] += 1.01
        assert [status("open"), status("shut"), status("shut")] == [200, 401, 429]
        now[0] += 1.01
        allowed = {"Authorization": "Basic bWU6b3Blbg=="}
        assert post(url, "pause", **allowed, **{"X-Dashboard-Token": "Bearer no"}).status_code == 403
        refused = post(url, "pause", **allowed)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_wrong_tokens_of_one_address_keep_no_other_out(engine: Engine) -> None:
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=KEYS, clock=lambda: 5.0)) as url:
        port = int(url.rpartition(":")[2])

        def status(source: str, token: str) -> int:
            connection = HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
            with closing(connection):
                headers = {"Origin": url, "X-Dashboard-Token": f"Bearer {token}"}
                connection.request("POST", "/command", json.dumps({"name": "pause"}), headers)
                return connection.getresponse().status

        try:
            assert [status("127.0.0.2", "no") for _ in range(6)] == [403] * 5 + [429]
        except OSError:
            pytest.skip("this machine has no second address of its own")
        assert status("127.0.0.2", KEYS.token) == 429
        assert status("127.0.0.1", KEYS.token) not in (403, 429)


def post(url: str, name: str, argument: Any = "", **headers: str) -> requests.Response:
    told = {"name": name, "argument": argument}
    return requests.post(f"{url}/command", json=told, headers={"Origin": url, **GIVEN, **headers}, timeout=10)


def test_commands_need_token_origin_and_a_running_loop(url: str, engine: Engine) -> None:
    before = live.waiting_commands(engine, "paper")
    assert post(url, "pause", **{"X-Dashboard-Token": "Bearer wrong"}).status_code == 403
    assert post(url, "pause", Origin="http://evil.example").status_code == 403
    assert post(url, "pause").json()["refused"] == "no loop runs on account paper: nothing was done"
    assert post(url, "reload").json()["refused"] == "'reload' is no command of this page"
    assert requests.post(
        f"{url}/command", data="x" * 9_000, headers={"Origin": url, **GIVEN}, timeout=10
    ).status_code in (400, 413)
    assert requests.get(f"{url}/command", timeout=10).status_code == 405
    assert live.waiting_commands(engine, "paper") == before


@pytest.mark.parametrize("name", ["stop", "flatten", "pause", "resume"])
@pytest.mark.parametrize("argument", ["x", {"a": 1}, 7, "\0"])
def test_a_command_about_nothing_takes_no_argument(
    url: str, engine: Engine, name: str, argument: Any
) -> None:
    before = live.waiting_commands(engine, "paper")
    with AccountLock(Path(str(engine.url.database)), "paper"):
        answer = post(url, name, argument)
    assert answer.status_code == 400
    assert "\n" not in answer.json()["refused"]
    assert live.waiting_commands(engine, "paper") == before


@pytest.mark.parametrize("argument", ["\0\ud800<script>", "\ud800", "a\nb"])
def test_an_argument_that_cannot_be_printed_is_refused_in_one_line(url: str, argument: str) -> None:
    answer = post(url, "accept", argument)
    assert answer.status_code == 400
    assert answer.json()["refused"].startswith("the argument of accept: wanted plain text in one line, got '")
    assert answer.json()["refused"].isprintable()


@pytest.mark.parametrize(
    "body", [b"{}", b"[" * 4_000, b'{"name": 3}', b"\xff", b'{"name": "pause", "argument": null}']
)
def test_what_is_no_command_is_refused(url: str, body: bytes) -> None:
    for kind in ("application/json", "application/json; charset=nope"):
        headers = {"Origin": url, "Content-Type": kind, **GIVEN}
        answer = requests.post(f"{url}/command", data=body, headers=headers, timeout=10)
        assert answer.status_code == 400
        assert answer.json()["refused"] == "wanted a command's name and argument as JSON"


def test_a_loop_that_died_without_a_word_is_said_though_nothing_else_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = seeded(tmp_path)
    books, ended = Watched(engine, "paper"), subprocess.Popen(["true"])
    assert ended.wait(30) == 0
    live.start_run(engine, "paper", "paper", pid=ended.pid, code_version="c0de", settings={}, now=START)
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: ended.pid)
        with AccountLock(tmp_path / "page.db", "paper") as held:
            held.sign("paper-1", 1)
            before = look(books)
            assert look(books, before) is before
    after = look(books, before)
    assert changes(before.document, after.document) == {"run": {"gone": [True]}}
    assert look(books, after) is after
    engine.dispose()


def test_a_database_that_was_taken_away_is_said(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    file = Path(str(engine.url.database))
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=KEYS, pause=0.05)) as url:
        stream = events(url)
        assert next(stream)[0] == "whole"
        file.rename(tmp_path / "away.db")
        name, said = next(stream)
        assert (name, "is gone" in said["why"]) == ("trouble", True)
        stream.close()
        for path in ("health", "look", "series", "trades"):
            answer = requests.get(f"{url}/api/{path}", timeout=10)
            assert answer.status_code == 503
            assert f"the database {file} is gone" in answer.json()["error"]
        assert post(url, "pause").status_code == 503
        with serve(PageTerms(Watched(engine, "paper"), port=0)) as late:
            name, said = next(events(late))
            assert (name, "is gone" in said["why"]) == ("trouble", True)
        (tmp_path / "away.db").rename(file)
        assert get(url, "health")["database"] == str(file)
    engine.dispose()


@pytest.mark.unmeasured
def test_a_database_that_was_replaced_is_said_and_never_mixed_with_the_one_before(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    file = Path(str(engine.url.database))
    with serve(PageTerms(Watched(engine, "paper"), port=0, keys=KEYS, pause=0.05)) as url:
        stream = events(url)
        assert next(stream)[0] == "whole"
        init_db(url_of(tmp_path / "other.db")).dispose()
        (tmp_path / "other.db").replace(file)
        name, said = next(stream)
        assert name == "trouble"
        assert said["why"] == (
            f"the database {file} was replaced by another one since this page began: start the page again"
        )
        stream.close()
        assert requests.get(f"{url}/api/trades", timeout=10).status_code == 503
        assert post(url, "pause").status_code == 503
    engine.dispose()


ALL_QUESTIONS = """
import pathlib, sys, urllib.parse, urllib.request
from core.page.account import Watched
from core.page.server import PageTerms, serve
from db.base import open_engine

wanted = {"exchange": "binanceus", "symbol": "BTC/USDT", "timeframe": "1h", "count": 3000}
series = urllib.parse.urlencode(wanted)
asked = ["look", "equity", "decisions", "trades", "strategies", "journal", "health", "series", "runs"]
with serve(PageTerms(Watched(open_engine(sys.argv[1]), "paper"), port=0)) as url:
    for path in (*asked, f"candles?{series}&regimes=yes"):
        assert urllib.request.urlopen(f"{url}/api/{path}").status == 200
print(sorted({"pandas", "numba", "ccxt", "backtesting", "bokeh", "pyarrow"} & sys.modules.keys()))
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0 kB"]
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""


@programs
def test_the_process_of_the_page_stays_small_whatever_is_looked_at(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    engine.dispose()
    words = [sys.executable, "-c", ALL_QUESTIONS, str(engine.url)]
    done = subprocess.run(words, cwd=cli.ROOT, capture_output=True, text=True, check=True)
    heavy, megabytes = done.stdout.splitlines()
    assert heavy == "[]"
    assert int(megabytes) <= 120


def test_a_command_is_stored_for_the_loop_and_its_outcome_comes_back(
    url: str, engine: Engine, tmp_path: Path
) -> None:
    file = Path(str(engine.url.database))
    with AccountLock(file, "paper"):
        told = post(url, "set-weight", "ENSEMBLE.turtle_weight=0.5").json()
    (waiting,) = live.waiting_commands(engine, "paper")
    assert (waiting.id, waiting.name, waiting.argument) == (
        told["id"],
        "set-weight",
        "ENSEMBLE.turtle_weight=0.5",
    )
    assert waiting.origin == "live page"
    assert get(url, f"outcome?id={told['id']}") == {"outcome": None}
    live.take_command(engine, told["id"], "done", START)
    assert get(url, f"outcome?id={told['id']}") == {"outcome": "done"}
    assert get(url, "health")["commands"][0]["outcome"] == "done"


def events(url: str) -> Generator[tuple[str, Any]]:
    with requests.get(f"{url}/events", stream=True, timeout=10) as stream:
        name = ""
        for line in map(bytes.decode, stream.iter_lines(chunk_size=1)):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_the_stream_tells_all_at_first_and_then_only_what_has_changed(url: str, engine: Engine) -> None:
    stream = events(url)
    name, whole = next(stream)
    assert (name, whole["status"]["equity"]) == ("whole", STATUS.equity)
    status = to_document(STATUS._replace(equity=10_500.5, time=STATUS.time + 1))
    live.record(engine, whole["run"]["id"], status=status, now=START + 999)
    name, change = next(stream)
    assert name == "change"
    assert change["status"]["equity"] == [10_500.5]
    assert change["run"] == {"beat_at": [START + 999]}
    stream.close()


@pytest.mark.unmeasured
def test_an_update_of_twenty_positions_is_small(engine: Engine) -> None:
    held = STATUS.positions[0]
    twenty = [held._replace(symbol=f"C{i}/USDT", price=100.0 + i) for i in range(20)]
    moved = [one._replace(price=(one.price or 0) * 1.01, open_profit=12.75) for one in twenty]
    books, run = Watched(engine, "paper"), live.newest_run(engine, "paper")
    assert run
    seen = None
    for n, positions in enumerate((twenty, moved) * 10):
        status = to_document(STATUS._replace(positions=tuple(positions), time=STATUS.time + n))
        live.record(engine, run.id, status=status, now=START + n)
        new = look(books, seen)
        change = changes(seen.document if seen else {}, new.document)
        size = len(json.dumps(change, separators=(",", ":")))
        seen = new
        if n:
            # Twenty prices that all moved at once are the most there is to say.
            assert size < 1_000
    quiet = to_document(STATUS._replace(positions=tuple(moved), time=STATUS.time + 99, equity=1.0))
    live.record(engine, run.id, status=quiet, now=START + 99)
    assert seen
    assert len(json.dumps(changes(seen.document, look(books, seen).document))) < 200
    now = look(books, seen)
    assert look(books, now) is now


def test_an_account_that_never_ran_has_a_page(tmp_path: Path) -> None:
    engine = init_db(url_of(tmp_path / "empty.db"))
    with serve(PageTerms(Watched(engine, "paper"), port=0)) as url:
        found = get(url, "look")
        assert (found["run"], found["status"], found["commands"]) == (None, None, [])
        assert get(url, "equity") == {"times": [], "equity": []}
        assert get(url, "strategies") == {"members": [], "results": []}
        assert get(url, "health")["accounts"] == []
        assert "looking only" in post(url, "stop").json()["refused"]
    engine.dispose()


def test_an_address_that_others_reach_needs_a_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(dashboard_command, "environment", lambda _: {})
    with pytest.raises(UsageError, match="set HOT_CRYPTO_DASHBOARD_PASSWORD too"):
        start_dashboard.main(["--host", "0.0.0.0"])


@pytest.mark.parametrize("name", [dashboard_command.PASSWORD, dashboard_command.TOKEN])
def test_where_others_reach_it_a_short_password_or_token_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {dashboard_command.PASSWORD: "twelve-chars", name: "eleven-char"}
    monkeypatch.setattr(dashboard_command, "environment", lambda _: given)
    with pytest.raises(UsageError, match=f"{name}: wanted 12 characters or more .*, got 11") as refused:
        start_dashboard.main(["--host", "0.0.0.0"])
    assert refused.value.exit_code == 2


def test_what_cannot_be_served_is_one_line(engine: Engine, url: str) -> None:
    taken = int(url.rpartition(":")[2])
    with (
        pytest.raises(UsageError, match="the port is in use; choose another with --port"),
        serve(PageTerms(Watched(engine, "paper"), port=taken)),
    ):
        pass


@pytest.mark.parametrize("host", ["nowhere.invalid", "a\0b", "x" * 300])
def test_an_address_that_is_none_is_one_line(host: str, engine: Engine) -> None:
    terms = PageTerms(Watched(engine, "paper"), host=host, port=0, keys=Keys(password="open"))
    with pytest.raises(UsageError, match="cannot serve on"), serve(terms):
        pass


def test_no_database_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoDatabaseError, match=r"page\.db"):
        start_dashboard.main(["--db-url", "sqlite:////nowhere/page.db"])


def test_the_command_serves_until_ctrl_c(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Ended:
        def wait(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(dashboard_command, "Event", Ended)
    monkeypatch.setattr(dashboard_command, "environment", lambda _: {"HOT_CRYPTO_DASHBOARD_TOKEN": "x"})
    assert start_dashboard.main(["--port", "0", "--db-url", f"sqlite:///{engine.url.database}"]) == 130
    out = capsys.readouterr().out
    assert "account paper: http://127.0.0.1:" in out
    assert "commands: with the token" in out
