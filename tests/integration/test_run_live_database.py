"""run_live.py on databases that are locked, full, read-only, cut off, empty or foreign: one line, exit 3."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.cli import live_alerts, live_command
from core.engine import Step
from core.errors import DatabaseError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live import account
from core.live.loop import Loop
from core.order_path.policy import Policy
from db import sqlite
from scripts import run_live
from tests.exchange_help import NOON, FakeTime
from tests.own_files import project_in
from tests.stored import url_of

HOUR = 3_600_000
TRADED = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON)


@pytest.fixture(autouse=True)
def sim(time: FakeTime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    project_in(tmp_path, monkeypatch)
    with serve(SimConfig(clock=time.clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def once(file: Path, options: str = "") -> int:
    return run_live.main(["--once", *TRADED, "--db-url", url_of(file) + options])


def refused(file: Path, options: str = "") -> str:
    """Return the line that a person sees instead of a loop."""
    with pytest.raises(DatabaseError) as error:
        once(file, options)
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)
    return str(error.value)


def times(file: Path) -> list[int]:
    with closing(sqlite3.connect(file)) as connection:
        return [ts for (ts,) in connection.execute("SELECT ts FROM live_equity ORDER BY ts")]


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


def a_letter(file: Path) -> None:
    file.write_text("a letter, and no database at all\n" * 100)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "is damaged"),
        (emptied, "is empty (0 bytes)"),
        (foreign, "belongs to another program"),
        (a_letter, "is not an SQLite database"),
    ],
)
def test_a_file_that_is_no_sound_database_is_refused_and_left_as_it_is(
    file: Path, spoil: Callable[[Path], None], said: str
) -> None:
    once(file)
    for beside in file.parent.glob("live.db-*"):
        beside.unlink()
    spoil(file)
    before = file.read_bytes()
    assert said in refused(file)
    assert file.read_bytes() == before


@pytest.mark.unmeasured
def test_a_database_that_was_lost_is_not_begun_anew(file: Path) -> None:
    once(file)
    for beside in file.parent.glob("live.db*"):
        if beside.suffix != ".lock":
            beside.unlink()
    assert "the database does not know what instance paper-" in refused(file)
    assert "the database does not know what instance paper-" in refused(file)


@pytest.mark.unmeasured
def test_a_database_that_another_program_writes_to_is_waited_for_and_then_told(file: Path) -> None:
    once(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "is locked" in refused(file, "?timeout=0.2")
        # Who only looks is not held up by somebody who writes.
        assert run_live.main(["--status", "--db-url", url_of(file)]) == 0
        other.execute("ROLLBACK")
    assert once(file) == 0


@pytest.mark.unmeasured
def test_a_loop_holds_what_it_decided_while_another_program_writes(
    file: Path, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(file)
    time.now += HOUR
    step, said = Loop.step, []
    with closing(sqlite3.connect(file, isolation_level=None)) as other:

        def locked(loop: Loop, now: int, **given: bool) -> list[Step]:
            other.execute("BEGIN IMMEDIATE")
            return step(loop, now, **given)

        def heard(line: str) -> None:
            said.append(line)
            if "what was decided is held for 90 s" in line:
                other.execute("ROLLBACK")

        monkeypatch.setattr(Loop, "step", locked)
        monkeypatch.setattr(live_alerts, "say", heard)
        assert once(file, "?timeout=0.2") == 0
    assert times(file) == [NOON, NOON + HOUR]
    assert any(line.startswith("the database is free again after") for line in said)


@pytest.mark.unmeasured
@pytest.mark.parametrize("orders", ["paper", "exchange"])
def test_a_loop_whose_database_is_deleted_ends_with_its_next_step(
    file: Path, monkeypatch: pytest.MonkeyPatch, orders: str
) -> None:
    step, steps = Loop.step, []

    def deleted(loop: Loop, now: int, **given: bool) -> list[Step]:
        steps.append(now)
        if len(steps) == 2:
            file.unlink()
        assert len(steps) < 3, "a step was taken after the database was gone"
        return step(loop, now, **given)

    monkeypatch.setattr(Loop, "step", deleted)
    monkeypatch.setattr(live_command, "POLL", 0.0)
    # The exchange stands still here, and with it the time that its books have to agree for.
    monkeypatch.setattr(account, "EXCHANGE_POLICY", Policy(settle_ms=0))
    monkeypatch.setenv("EXCHANGE_API_KEY", TEST_KEY)
    monkeypatch.setenv("EXCHANGE_API_SECRET", TEST_SECRET)
    with pytest.raises(DatabaseError, match="was deleted or replaced while it was used"):
        run_live.main([*TRADED, "--db-url", url_of(file), "--account", orders, "--orders", orders])
    assert len(steps) == 2
    assert not file.exists()


def test_a_database_that_may_only_be_read_is_not_traded_with(file: Path) -> None:
    once(file)
    assert "cannot be written" in refused(file, "?mode=ro")


@pytest.mark.unmeasured
def test_a_full_disk_ends_the_loop_and_the_next_one_misses_nothing(
    file: Path, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(file)
    opener = sqlite.opener
    with closing(sqlite3.connect(file)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()

    def small(url: object) -> Callable[[], sqlite3.Connection]:
        def connect() -> sqlite3.Connection:
            connection = opener(url)()  # type: ignore[arg-type]
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        return connect

    monkeypatch.setattr(sqlite, "opener", small)
    time.now += 40 * HOUR
    assert "the disk is full" in refused(file)
    so_far = len(times(file))
    assert so_far < 41
    monkeypatch.setattr(sqlite, "opener", opener)
    assert once(file) == 0
    assert times(file) == [NOON + bar * HOUR for bar in range(41)]
