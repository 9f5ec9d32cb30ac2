"""A database of every former version is brought up to date, whatever ends that in between, and loses nothing.

`tests/golden/schemas` has the tables as the programs of then made them.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, event

from core import cli
from core.errors import DatabaseError
from core.order_path.damage import damage_of
from core.order_path.lock import lock_file, mark_of
from db import live
from db.base import SCHEMA_VERSION, open_engine, schema_version
from db.candles import read_bars, upsert_bars
from db.init_db import init_db
from db.journal import open_journal
from db.journal_rows import BEGINNING, hash_of
from db.state_rows import as_text, opened, sealed
from scripts import run_live
from tests.stored import NOW, SERIES, bars_at, url_of
from tests.tiers import WHOLE, programs, statistics, tries
from tests.traded import trade

FORMER = cli.ROOT / "tests" / "golden" / "schemas"
VERSIONS = sorted(path.stem for path in FORMER.glob("*.sql"))
ORDERS = ("2", "2-shares", "3", "4", "5", "6")
"""Those in which an account could trade."""
NOTED = ("5", "6")
"""Those of them whose journal told of an intent's note."""
PAPER = "paper"
Rows = dict[str, list[tuple[object, ...]]]


class Killed(BaseException):
    """What no program catches, as a kill."""


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of today with candles and an account that traded."""
    path = tmp_path_factory.mktemp("today") / "hot.db"
    trade(path)
    engine = open_engine(url_of(path))
    upsert_bars(engine, SERIES, bars_at(0, 1, 5), clock=lambda: NOW)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO backtest_runs (created_at, exchange, symbol, timeframe, strategy_name, "
            "initial_cash, final_equity, max_drawdown_pct, trades_count, stats_json) "
            "VALUES (1, 'x', 'BTC/USDT', '1h', 'A', 1, 2, 3, 0, '{}')"
        )
    return path


def former(version: str, today: Path, folder: Path) -> Path:
    """Make a database of a former version with what one of today holds, as far as it had a place for it."""
    path = folder / "hot.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((FORMER / f"{version}.sql").read_text("utf-8"))
        connection.execute("ATTACH ? AS today", (str(today),))
        connection.execute("BEGIN")
        for table in tables(connection):
            here = names(connection, f"main.{table}")
            # A row that had no share yet can be none: nobody had sent an order then.
            if table != "order_intents" or "share" in here:
                columns = ", ".join(here)
                connection.execute(
                    f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}"
                )
        if version not in ORDERS and version.startswith("2"):
            for table in ("postings", "fills", "orders", "journal", "order_cursors", "trading_accounts"):
                connection.execute(f"DELETE FROM main.{table}")
        others = told_less(connection) if version in ORDERS and version not in NOTED else {}
        connection.execute("COMMIT")
    if version in ORDERS:
        marked = lock_file(today, PAPER).read_text("utf-8")
        lock_file(path, PAPER).write_text(renamed(marked, others), "utf-8")
    return path


def told_less(connection: sqlite3.Connection) -> dict[str, str]:
    """Let the journal tell of intents what it told before they had a note; return new hashes by the old."""
    others, before = {BEGINNING: BEGINNING}, BEGINNING
    rows = connection.execute("SELECT account, seq, ts, kind, ref, body, hash FROM journal ORDER BY seq")
    for account, seq, ts, kind, ref, body, hashed in rows.fetchall():
        facts = json.loads(body)
        for what, _, fields in facts:
            for name in ("note", "entry_limit", "entry_trigger") if what == "intent" else ():
                del fields[name]
        less = orjson.dumps(facts).decode()
        before = others[hashed] = hash_of(before, account, seq, ts, kind, ref, less)
        connection.execute("UPDATE journal SET body = ?, hash = ? WHERE seq = ?", (less, before, seq))
    for number, status in connection.execute("SELECT id, status_json FROM live_runs").fetchall():
        told = sealed(json.loads(renamed(as_text(opened(status)), others)))
        connection.execute("UPDATE live_runs SET status_json = ? WHERE id = ?", (told, number))
    return others


def renamed(text: str, others: dict[str, str]) -> str:
    for old, new in others.items():
        text = text.replace(old, new)
    return text


def tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found if name not in ("schema_info", "candle_revisions")]


def names(connection: sqlite3.Connection, table: str) -> list[str]:
    schema, _, name = table.partition(".")
    return [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({name})")]


def rows_of(path: Path, like: Path | None = None) -> Rows:
    """Return all rows, of the tables and columns that another database has if one is given."""
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(like or path)) as other:
        columns = {table: ", ".join(names(other, f"main.{table}")) for table in tables(other)}
        return {
            table: connection.execute(f"SELECT {some} FROM {table} ORDER BY 1, 2").fetchall()
            for table, some in columns.items()
        }


def schema_of(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        told = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        return [*told, *connection.execute("SELECT * FROM schema_info").fetchall()]


def check_whole(path: Path, before: Path, version: str) -> None:
    """Assert that a database is of today's version, sound, and has all that it had."""
    assert rows_of(path, before) == rows_of(before)
    with closing(open_journal(url_of(path), PAPER)) as journal:
        assert {intent.note for intent in journal.intents()} == ({None} if version in ORDERS else set())
    engine = open_engine(url_of(path))
    assert schema_version(engine) == SCHEMA_VERSION
    assert len(read_bars(engine, SERIES).ts) == 3
    if version in ORDERS:
        assert live.read_state(engine, PAPER)["session"]
        assert damage_of(url_of(path), PAPER, mark_of(path, PAPER)) == []
    engine.dispose()
    with closing(open_journal(url_of(path), "new")) as journal:
        assert journal.intents() == []


@contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """Let the block be killed when it is about to run its statement of this number; yield all that ran."""
    ran: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        ran.append(statement)
        if len(ran) > number:
            raise Killed(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield ran
    finally:
        event.remove(Engine, "before_cursor_execute", look)


def copied(path: Path, folder: Path) -> Path:
    folder.mkdir()
    target = folder / path.name
    with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
    return target


@pytest.mark.unmeasured
@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_a_former_version_keeps_all_it_has(version: str, today: Path, tmp_path: Path) -> None:
    path = former(version, today, tmp_path)
    before = copied(path, tmp_path / "before")
    with pytest.raises(DatabaseError, match="lacks tables: add them with"):
        open_engine(url_of(path))
    for _ in range(2):
        init_db(url_of(path)).dispose()
        check_whole(path, before, version)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("version", VERSIONS)
def test_a_migration_that_ends_at_any_statement_is_undone_and_completes_the_next_time(
    version: str, today: Path, tmp_path: Path
) -> None:
    path = former(version, today, tmp_path)
    before = copied(path, tmp_path / "before")
    # Of the statements a sample, at other places for each version; the last is one that is left alone.
    was, number = schema_of(path), 0 if WHOLE else VERSIONS.index(version) % 5
    while True:
        with killed_at(number) as ran:
            try:
                init_db(url_of(path)).dispose()
                break
            except Killed:
                pass
        assert (schema_of(path), rows_of(path)) == (was, rows_of(before)), f"left by {ran[-1]}"
        number += tries(1, 5)
    assert any("INSERT INTO schema_info" in statement for statement in ran)
    assert number > 20
    check_whole(path, before, version)


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from db.init_db import init_db

left = int(sys.argv[2])

@event.listens_for(Engine, "after_cursor_execute")
def look(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

init_db(sys.argv[1]).dispose()
"""


@programs
@statistics
@pytest.mark.parametrize("version", VERSIONS[: tries(9, 1)])
def test_a_migration_whose_process_is_killed_completes_the_next_time(
    version: str, today: Path, tmp_path: Path
) -> None:
    path = former(version, today, tmp_path)
    before = copied(path, tmp_path / "before")
    was, number, ended = schema_of(path), tries(1, 12), -signal.SIGKILL
    while ended == -signal.SIGKILL:
        words = [sys.executable, "-c", KILLED, url_of(path), str(number)]
        ended = subprocess.run(words, cwd=cli.ROOT, check=False).returncode
        if ended:
            assert (schema_of(path), rows_of(path)) == (was, rows_of(before))
        number += tries(3, 1000)
    assert ended == 0
    check_whole(path, before, version)


def test_an_account_of_the_version_before_is_told_how_to_bring_it_up_to_date_and_is_shown_then(
    today: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = former("2", today, tmp_path)
    with pytest.raises(DatabaseError, match=r"python -m db\.init_db --db-url"):
        run_live.main(["--status", "--db-url", url_of(path)])
    init_db(url_of(path)).dispose()
    assert run_live.main(["--status", "--db-url", url_of(path)]) == 0
    assert "checked: unbroken" in capsys.readouterr().out
