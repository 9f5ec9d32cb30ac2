"""health_check.py: exit codes and reasons from the database, and from the loop itself where it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.cli import health_command, live_recall
from core.errors import DatabaseError, NoDatabaseError, NoDataError
from core.live.records import ONE_LOOK
from core.live.status import AccountStatus, to_document
from core.order_path.lock import AccountLock
from core.page.health import Board, serve_health
from db import live
from db.journal_rows import BEGINNING
from scripts import health_check, run_live
from tests.page_help import begin
from tests.schemas import schema_of_status
from tests.status_help import CALM, DESK, FEED, HELD, NOON, STATUS
from tests.stored import new_database, run_sql, url_of

FRESH = FEED._replace(last=NOON - 3_600_000, behind_ms=0)
# The database of these tests has no journal, so a status that counts entries would be damage.
NO_BOOKS = DESK._replace(journal=0, fills=0, head=BEGINNING)
ILL = STATUS._replace(desk=NO_BOOKS, currency="USDT")
WELL = CALM._replace(
    feeds=(FRESH,), desk=NO_BOOKS._replace(disagreements=(), standing=()), positions=(HELD,), currency="USDT"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "account.db"


@pytest.fixture
def engine(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(health_command, "now_ms", lambda: NOON + 1_000)
    found = new_database(file)
    yield found
    found.dispose()


def said(engine: Engine, status: AccountStatus, ending: str = "") -> None:
    run = begin(engine)
    live.record(engine, run, status=to_document(status), now=NOON)
    if ending:
        live.end_run(engine, run, ending, NOON)


def check(file: Path, *more: str) -> int:
    return health_check.main(["--db-url", url_of(file), *more])


@pytest.mark.unmeasured
def test_a_loop_that_looks_is_healthy_in_one_line(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    with AccountLock(file, "paper"):
        assert check(file) == 0
    line = "healthy: account paper (paper), equity 10,000.00 USDT, 1 position\n"
    assert capsys.readouterr().out == line


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("status", "ending", "reason"),
    [
        (WELL, "told to stop", "no loop runs: it ended 2023-11-14 22:13 UTC: told to stop"),
        (WELL, "", "no loop runs: it left no word"),
        (ILL, ONE_LOOK, "halt: doubled (ends by --release halt)"),
    ],
)
def test_without_a_loop_it_is_not_healthy_and_says_why(
    status: AccountStatus,
    ending: str,
    reason: str,
    engine: Engine,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(engine, status, ending)
    assert check(file) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("NOT healthy: account paper (paper)")
    assert f"  reason: {reason}" in lines


@pytest.mark.unmeasured
def test_an_account_that_is_looked_at_now_and_then_is_healthy_while_its_candles_are(
    engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL, ONE_LOOK)
    monkeypatch.setattr(health_command, "now_ms", lambda: NOON + 1_500_000)
    assert check(file) == 0
    monkeypatch.setattr(health_command, "now_ms", lambda: NOON + 20_000_000)
    assert check(file) == 1
    assert "the newest candle is 273 min late" in capsys.readouterr().out


def test_a_loop_that_hangs_is_found_by_its_silence(
    engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    monkeypatch.setattr(health_command, "now_ms", lambda: NOON + 90_000)
    with AccountLock(file, "paper"):
        assert check(file) == 1
    assert "reason: it has not looked at the market for 90 s" in capsys.readouterr().out


def test_damage_is_named_with_its_own_exit_code(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL, ONE_LOOK)
    run_sql(file, "UPDATE live_runs SET status_json = replace(status_json, '10000', '90000')")
    with pytest.raises(DatabaseError, match="the status of run 1 cannot be read"):
        check(file)
    run_sql(file, "UPDATE live_runs SET status_json = '{\"desk\": 3}'")
    assert check(file, "--json", "--detailed", "--positions") == 3
    document = json.loads(capsys.readouterr().out)
    assert not document["healthy"]
    assert document["positions"] is None
    assert any("the status of run 1" in line for line in document["damage"])


def test_details_and_positions_are_told_when_they_are_asked_for(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, ILL, ONE_LOOK)
    assert check(file, "--detailed", "--positions") == 1
    told = capsys.readouterr().out
    for words in (
        "run 1, does not run, started",
        "asked: database",
        "binanceus BTC/USDT 1h: newest candle",
        "max_symbol_exposure_pct (BTC/USDT): 43.20 of 50",
        "1 order waiting, journal of 0 entries; books and exchange agree: BTC +1",
        f"database {file}, ",
        "TREND_EMA long 0.5 BTC/USDT at 43,210.5",
    ):
        assert words in told
    assert check(file, "--json") == 1
    assert json.loads(capsys.readouterr().out).keys().isdisjoint({"status", "positions"})
    assert check(file, "--json", "--detailed", "--positions") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["status"].keys() == schema_of_status()["properties"].keys()
    assert document["positions"][0]["amount"] == "0.5"


@pytest.mark.unmeasured
def test_an_account_that_holds_nothing_says_so(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL._replace(positions=()), ONE_LOOK)
    assert check(file, "--positions") == 0
    assert capsys.readouterr().out.endswith("\n  no position\n")


def test_a_loop_that_answers_is_believed_before_the_database(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    board = Board("paper", "paper", lambda: 0.0)
    board.tell(STATUS)
    with AccountLock(file, "paper"), serve_health(board, 0) as url:
        port = url.rpartition(":")[2]
        assert check(file, "--health-port", port, "--detailed") == 1
        told = capsys.readouterr().out
        assert f"asked: the loop itself, port {port}" in told
        assert "reason: halt: doubled" in told
        board.tell(WELL)
        assert check(file, "--health-port", port) == 0


def test_a_port_that_was_named_has_to_answer_for_this_account(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    with AccountLock(file, "paper"), serve_health(Board("other", "paper", lambda: 0.0), 0) as url:
        assert check(file, "--health-port", url.rpartition(":")[2]) == 1
        assert "which is of 'other'" in capsys.readouterr().out
    with AccountLock(file, "paper"):
        assert check(file, "--health-port", url.rpartition(":")[2]) == 1
        assert "which does not answer" in capsys.readouterr().out


def kept(engine: Engine, *words: str) -> None:
    """Store what a loop runs on that was begun with these options."""
    live_recall.keep(engine, run_live.parse(["--use-sql", *words]))


def test_a_loop_is_asked_at_the_port_that_it_stored(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    board = Board("paper", "paper", lambda: 0.0)
    board.tell(STATUS)
    with AccountLock(file, "paper"), serve_health(board, 0) as url:
        port = url.rpartition(":")[2]
        kept(engine, "--health-port", port)
        assert check(file, "--detailed") == 1
        told = capsys.readouterr().out
        assert f"asked: the loop itself, port {port}" in told
        assert "reason: halt: doubled" in told
        kept(engine)
        assert check(file, "--detailed") == 0
        assert "asked: database" in capsys.readouterr().out


def test_where_nobody_answers_at_the_stored_port_the_database_is_asked_and_that_is_said(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    with AccountLock(file, "paper"), serve_health(Board("other", "paper", lambda: 0.0), 0) as url:
        port = url.rpartition(":")[2]
        kept(engine, "--health-port", port)
        assert check(file) == 0
        note = f"the loop of paper was to answer on port {port}, which is of 'other': this is what it stored"
        assert f"note: {note}" in capsys.readouterr().out
    with AccountLock(file, "paper"):
        assert check(file, "--detailed") == 0
    told = capsys.readouterr().out
    assert f"port {port}, which does not answer: this is what it stored" in told
    assert "asked: database" in told
    assert check(file) == 1
    assert "port" not in capsys.readouterr().out


def test_a_port_in_rows_that_were_changed_is_not_asked(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(engine, WELL)
    with AccountLock(file, "paper"), serve_health(Board("paper", "paper", lambda: 0.0), 0) as url:
        kept(engine, "--health-port", "9")
        port = url.rpartition(":")[2]
        run_sql(file, f"UPDATE live_state SET value_json = replace(value_json, ': 9', ': {port}')")
        assert check(file, "--detailed") == 3
    told = capsys.readouterr().out
    assert "DAMAGED: " in told
    assert "asked: database" in told


def test_what_answers_with_something_else_is_nothing_of_ours() -> None:
    from core.errors import UsageError
    from core.serving import listen

    with listen("127.0.0.1", 0, UsageError, "") as socket:

        def answer() -> None:
            other, _ = socket.accept()
            other.recv(1000)
            other.sendall(b"HTTP/1.0 200 OK\r\n\r\n[1, 2]")
            other.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert health_command._answer(socket.getsockname()[1]) is None
        thread.join()


def test_what_never_ran_and_what_is_not_there_are_errors(engine: Engine, file: Path, tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="nothing has run on account paper"):
        check(file)
    with pytest.raises(NoDatabaseError, match="no account has run yet"):
        check(tmp_path / "none.db")
