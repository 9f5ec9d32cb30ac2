"""A database is opened as it is or refused with a line that helps; nothing is made or replaced unasked."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from core.errors import DatabaseError
from db import base, live, sqlite
from db.base import SCHEMA_VERSION, database_file, open_engine, schema_version, writing
from db.candles import read_bars, upsert_bars
from db.init_db import init_db
from db.models import BacktestRun, SchemaInfo
from db.order_models import ORDER_TABLES
from tests.stored import SERIES, bars_at, make_database, opened, run_sql, url_of

ORDER_TABLE_NAMES = [model.__tablename__ for model in reversed(ORDER_TABLES)]


def refused(db_url: str, *, create: bool = False) -> str:
    with pytest.raises(DatabaseError) as error:
        open_engine(db_url, create=create)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_file_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    assert f"python -m db.init_db --db-url {url_of(path)}" in refused(url_of(path))
    assert list(tmp_path.iterdir()) == []


def test_every_hint_to_make_a_database_names_this_one_and_can_be_typed_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "my own $data"
    folder.mkdir()
    missing, cut, foreign, bare = (folder / f"{name}.db" for name in ("missing", "cut", "foreign", "bare"))
    cut.touch()
    foreign.write_text("a letter, and no database at all\n" * 100)
    with closing(sqlite3.connect(bare)) as connection:
        connection.execute("VACUUM")
    for path in (missing, cut, foreign, bare):
        assert f"python -m db.init_db --db-url '{url_of(path)}'" in refused(url_of(path))


def test_a_new_file_has_all_tables_in_wal_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "new.db"
    open_engine(url_of(path), create=True).dispose()
    assert list(path.parent.iterdir()) == [path]
    engine = opened(path)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 5000
    assert schema_version(engine) == SCHEMA_VERSION
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("create", [False, True])
def test_an_empty_file_is_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "cut.db"
    path.touch()
    assert "empty (0 bytes)" in refused(url_of(path), create=create)
    assert path.stat().st_size == 0


@pytest.mark.parametrize("create", [False, True])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear all, " * 200)
    assert "is not an SQLite database and was left alone" in refused(url_of(path), create=create)
    assert path.read_text() == "Dear all, " * 200


@pytest.mark.unmeasured
@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("left", [100, 20_000])
def test_a_cut_file_is_refused_and_left_alone(tmp_path: Path, create: bool, left: int) -> None:
    path = make_database(tmp_path, bars_at(*range(2000)))
    path.write_bytes(path.read_bytes()[:left])
    assert "is damaged" in refused(url_of(path), create=create)
    assert path.stat().st_size == left


def test_damage_further_on_is_told_when_it_is_read_or_written(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(*range(2000)))
    with closing(sqlite3.connect(path)) as connection:
        pages = connection.execute("SELECT max(rootpage) FROM sqlite_master").fetchone()[0]
    # A few more hold what the schema has no room for in its own.
    content, begin = bytearray(path.read_bytes()), (pages + 8) * 4096
    content[begin:-40_960] = b"\xa5" * (len(content) - 40_960 - begin)
    path.write_bytes(content)
    engine = opened(path)
    with pytest.raises(DatabaseError, match="is damaged"):
        read_bars(engine, SERIES)
    with pytest.raises(DatabaseError, match="is damaged"):
        upsert_bars(engine, SERIES, bars_at(*range(2000)))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refused(url_of(tmp_path), create=True)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    file = make_database(tmp_path)
    assert "Not a directory" in refused(url_of(file / "x.db"))
    assert "Not a directory" in refused(url_of(file / "x" / "y.db"), create=True)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_folder(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", no_folder)
    assert "Permission denied; name a file in a directory you can write" in refused(
        url_of(tmp_path / "x.db"), create=True
    )


def test_a_disk_that_fails_while_a_file_is_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(base, "_fill", full)
    assert "database or disk is full" in refused(url_of(tmp_path / "x.db"), create=True)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_a_file_is_made_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(base, "_fill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_engine(url_of(tmp_path / "x.db"), create=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_made_meanwhile_by_another_process_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = make_database(tmp_path, bars_at(1, 2, 3))
    monkeypatch.setattr(sqlite, "check_file", lambda _: False)
    engine = open_engine(url_of(theirs), create=True)
    assert len(read_bars(engine, SERIES).ts) == 3
    assert sorted(tmp_path.glob(".new-*")) == []


def test_a_file_system_without_hard_links_gets_its_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    path = make_database(tmp_path, bars_at(1))
    assert len(read_bars(opened(path), SERIES).ts) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_database_opened_for_reading_is_read_and_never_written(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(1, 2))
    engine = open_engine(url_of(path) + "?mode=ro")
    assert len(read_bars(engine, SERIES).ts) == 2
    with pytest.raises(DatabaseError, match=r"cannot be written: .* read-only"):
        upsert_bars(engine, SERIES, bars_at(3))
    assert len(read_bars(opened(path), SERIES).ts) == 2


def test_sqlites_own_file_form_is_understood(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(1))
    engine = open_engine(f"sqlite:///file:{path}?uri=true&mode=ro")
    assert len(read_bars(engine, SERIES).ts) == 1
    assert database_file(engine) == path


def test_odd_characters_in_a_path_are_part_of_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "a #b ü&c=d"
    folder.mkdir()
    path = make_database(folder, bars_at(1))
    assert len(read_bars(opened(path), SERIES).ts) == 1
    assert [file.name for file in folder.iterdir() if file.suffix == ".db"] == ["candles.db"]


def test_a_relative_path_is_relative_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_database(tmp_path)
    monkeypatch.setattr(sqlite, "ROOT", tmp_path)
    monkeypatch.chdir("/")
    assert database_file(open_engine("sqlite:///candles.db")) == tmp_path / "candles.db"


def test_a_locked_database_is_read_but_not_written(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(1))
    engine = open_engine(url_of(path) + "?timeout=0.01")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert len(read_bars(engine, SERIES).ts) == 1
        with pytest.raises(DatabaseError, match="is locked: another program is writing"):
            upsert_bars(engine, SERIES, bars_at(2))
        other.execute("ROLLBACK")
    assert upsert_bars(engine, SERIES, bars_at(2)).inserted == 1


def test_a_newer_database_is_refused_naming_both_versions(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    run_sql(path, f"UPDATE schema_info SET version = {SCHEMA_VERSION + 1}")
    for create in (False, True):
        said = refused(url_of(path), create=create)
        assert f"schema version {SCHEMA_VERSION + 1}" in said
        assert f"this program has {SCHEMA_VERSION}" in said
        assert "it is newer" in said


def test_a_database_of_before_the_orders_is_refused_with_the_command_that_completes_it(
    tmp_path: Path,
) -> None:
    path = make_database(tmp_path, bars_at(1, 2))
    run_sql(path, *(f"DROP TABLE {name}" for name in ORDER_TABLE_NAMES), "UPDATE schema_info SET version = 1")
    assert f"add them with `python -m db.init_db --db-url {url_of(path)}`, which keeps" in refused(
        url_of(path)
    )
    engine = open_engine(url_of(path), create=True)
    assert schema_version(engine) == SCHEMA_VERSION
    assert len(read_bars(engine, SERIES).ts) == 2
    engine.dispose()
    open_engine(url_of(path)).dispose()


def test_an_older_version_with_all_tables_is_brought_up_to_date_when_asked(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    run_sql(path, "UPDATE schema_info SET version = 1")
    assert "lacks tables" in refused(url_of(path))
    engine = open_engine(url_of(path), create=True)
    assert schema_version(engine) == SCHEMA_VERSION


@pytest.mark.parametrize("change", ["UPDATE schema_info SET version = 0", "DELETE FROM schema_info"])
def test_a_version_that_cannot_be_is_refused(tmp_path: Path, change: str) -> None:
    path = make_database(tmp_path)
    run_sql(path, change)
    assert "not one that this program can read" in refused(url_of(path))


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    run_sql(path, "CREATE TABLE invoices (id INTEGER)")
    before = path.read_bytes()
    assert "belongs to another program (it has the table 'invoices')" in refused(url_of(path), create=True)
    assert path.read_bytes() == before


def test_a_table_that_was_there_is_never_made_anew(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(1, 2))
    run_sql(path, "DROP TABLE postings")
    for create in (False, True):
        assert "has lost the table 'postings' with all that was in it" in refused(url_of(path), create=create)
    run_sql(path, "UPDATE schema_info SET version = 1")
    assert "lacks tables" in refused(url_of(path))
    engine = open_engine(url_of(path), create=True)
    assert len(read_bars(engine, SERIES).ts) == 2
    engine.dispose()
    open_engine(url_of(path)).dispose()


def test_a_table_that_came_later_is_added_to_a_database_of_before_and_lost_to_one_of_after(
    tmp_path: Path,
) -> None:
    path = make_database(tmp_path, bars_at(1, 2))
    run_sql(path, "DROP TABLE trial_entries")
    for create in (False, True):
        assert "has lost the table 'trial_entries'" in refused(url_of(path), create=create)
    younger = ("trial_heads", "account_snapshots", "daily_metrics")
    run_sql(path, *(f"DROP TABLE {name}" for name in younger), "UPDATE schema_info SET version = 5")
    open_engine(url_of(path), create=True).dispose()
    open_engine(url_of(path)).dispose()


def test_state_of_version_two_gets_its_checksums_and_is_read_as_it_was(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    engine = opened(path)
    live.keep_state(engine, "paper", "session", {"cash": "1"}, 5)
    live.keep_state(engine, "other", "session", {"cash": "2"}, 6)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT * FROM live_state").fetchall()
    run_sql(path, "ALTER TABLE live_state DROP COLUMN checksum", "UPDATE schema_info SET version = 2")
    assert "lacks tables" in refused(url_of(path))
    for _ in range(2):
        engine = open_engine(url_of(path), create=True)
        assert live.read_state(engine, "paper") == {"session": {"cash": "1"}}
        engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM live_state").fetchall() == before


def test_a_table_lost_while_open_is_told(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    engine = opened(path)
    run_sql(path, "DROP TABLE ohlcv")
    with pytest.raises(DatabaseError, match="does not have the tables"):
        read_bars(engine, SERIES)


def test_a_file_deleted_while_open_does_not_come_back_empty(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    engine = opened(path)
    engine.dispose()
    path.unlink()
    with pytest.raises(DatabaseError, match="check that it is there"):
        read_bars(engine, SERIES)
    assert not path.exists()


@pytest.mark.parametrize(
    ("db_url", "said"),
    [
        ("", "cannot read the database URL"),
        ("data/hot.db", "cannot read the database URL"),
        ("postgresql://me:hunter2@host:port/x", "cannot read the database URL"),
        ("nodb://me:hunter2@host/x", "unknown kind of database 'nodb'"),
        ("sqlite+aiosqlite:///x.db", "unknown kind of database 'sqlite+aiosqlite'"),
        ("mysql+pymysql://me:hunter2@host/x", "needs the Python package 'pymysql'"),
        ("sqlite://", "lacks tables"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_its_password(db_url: str, said: str) -> None:
    told = refused(db_url)
    assert said in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "option",
    [
        "mode=rwc",
        "mode=memory",
        "timeout=soon",
        "timeout=-1",
        "immutable=1",
        "timeout=1e9",
        "timeout=9999999",
    ],
)
def test_options_that_could_make_or_hide_a_file_are_refused(tmp_path: Path, option: str) -> None:
    path = make_database(tmp_path)
    assert "cannot use the options" in refused(f"{url_of(path)}?{option}")


def test_an_old_sqlite_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_database(tmp_path)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    assert "too old" in refused(url_of(path))


def test_memory_serves_as_a_database_that_is_made_each_time() -> None:
    engine = open_engine("sqlite://", create=True)
    assert upsert_bars(engine, SERIES, bars_at(1)).inserted == 1
    assert database_file(engine) is None


def test_a_writing_transaction_takes_the_lock_before_its_first_statement(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    engine = opened(path)
    with (
        writing(engine),
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_a_writing_transaction_is_undone_as_a_whole(tmp_path: Path) -> None:
    engine = opened(make_database(tmp_path))

    def interrupted() -> None:
        with writing(engine) as connection:
            connection.execute(text("UPDATE schema_info SET version = 77"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert schema_version(engine) == SCHEMA_VERSION


def test_a_mapped_session_reports_a_refused_row_as_a_database_error(tmp_path: Path) -> None:
    engine = opened(make_database(tmp_path))
    with Session(engine) as session:
        session.add(SchemaInfo(id=1, version=5, created_at=0))
        with pytest.raises(DatabaseError, match=r"refused a row.*UNIQUE"):
            session.flush()
    with Session(engine) as session:
        session.add(BacktestRun(symbol="BTC/USDT"))
        with pytest.raises(DatabaseError, match=r"refused a row.*NOT NULL"):
            session.commit()


def test_a_mistake_in_this_program_keeps_its_traceback(tmp_path: Path) -> None:
    engine = opened(make_database(tmp_path))
    with engine.connect() as connection, pytest.raises(ProgrammingError):
        connection.exec_driver_sql("SELECT ?", (1, 2))


def test_a_server_may_hold_other_programs_tables_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An SQLite file that calls itself a server stands in for one.
    path = make_database(tmp_path)
    run_sql(path, "CREATE TABLE invoices (id INTEGER)")
    engine = create_engine(url_of(path))
    engine.dialect.name = "postgresql"
    monkeypatch.setattr(base, "create_engine", lambda _: engine)
    assert database_file(open_engine("postgresql://me@host/db")) is None
    run_sql(path, "DROP TABLE schema_info")
    assert "lacks tables" in refused("postgresql://me@host/db")


def test_two_set_ups_at_once_write_one_version(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    run_sql(path, "DROP TABLE candle_series", "UPDATE schema_info SET version = 1")
    init_db(url_of(path)).dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM schema_info").fetchone() == (1,)


@pytest.mark.parametrize(
    "url", ["sqlite:///a\0b", "sqlite:///%00x", "sqlite:///~nobody-of-this-name/x.db", "sqlite:////dev/zero"]
)
@pytest.mark.parametrize("create", [False, True])
def test_a_name_that_no_file_has_is_told(url: str, create: bool) -> None:
    with pytest.raises(DatabaseError, match=r"NUL in its name|home of nobody|a pipe or a device") as told:
        open_engine(url, create=create)
    assert "\0" not in str(told.value)
