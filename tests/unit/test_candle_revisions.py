"""Whoever changes a row of a series, however, ends its revision; whoever does not, leaves it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

from core.domain import Series
from db.base import open_engine
from db.candle_revisions import TRIGGERS, Revision, create_triggers, current_revision, issue_revision
from db.candles import upsert_bars
from db.init_db import init_db
from tests.stored import SERIES, START, bars_at, make_database, opened, run_sql, url_of

OTHER = Series("kraken", "ETH/USD", "1h")
VALUES = f"('kraken', 'ETH/USD', '1h', {START}, 1, 1, 1, 1, 1)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database with two series of five rows (ids 1 to 5 and 6 to 10), each with a revision."""
    path = make_database(tmp_path, bars_at(*range(5)))
    engine = opened(path)
    upsert_bars(engine, OTHER, bars_at(*range(5)))
    issue_revision(engine, SERIES)
    issue_revision(engine, OTHER)
    engine.dispose()
    return path


def revisions(path: Path) -> tuple[Revision | None, Revision | None]:
    engine = opened(path)
    found = current_revision(engine, SERIES), current_revision(engine, OTHER)
    engine.dispose()
    return found


def statements_of(engine: Engine) -> list[str]:
    """Return a list of what the engine's one connection runs from now on."""
    sent: list[str] = []
    with closing(engine.raw_connection()) as connection:
        driver: Any = connection.driver_connection
        driver.set_trace_callback(sent.append)
    return sent


ROW = "(exchange, symbol, timeframe, ts, open, high, low, close, volume)"


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("sql", "ends"),
    [
        ("UPDATE ohlcv SET volume = 3 WHERE id = 2", "first"),
        ("UPDATE ohlcv SET ts = ts + 1 WHERE id = 2", "first"),
        ("UPDATE OR IGNORE ohlcv SET close = 100.5 WHERE id = 2", "first"),
        ("UPDATE OR REPLACE ohlcv SET ts = ts + 3600000 WHERE id = 2", "first"),
        ("DELETE FROM ohlcv WHERE id = 1", "first"),
        ("DELETE FROM ohlcv WHERE exchange = 'kraken'", "second"),
        ("DELETE FROM ohlcv", "both"),
        (f"INSERT INTO ohlcv {ROW} VALUES ('kraken', 'ETH/USD', '1h', 0, 1, 1, 1, 1, 1)", "second"),
        (f"INSERT OR IGNORE INTO ohlcv {ROW} VALUES ('kraken', 'ETH/USD', '1h', 0, 1, 1, 1, 1, 1)", "second"),
        (f"INSERT OR IGNORE INTO ohlcv {ROW} VALUES {VALUES}", "none"),
        (f"INSERT OR REPLACE INTO ohlcv {ROW} VALUES {VALUES}", "second"),
        (f"INSERT INTO ohlcv {ROW} VALUES {VALUES} ON CONFLICT DO UPDATE SET volume = 9", "second"),
        (f"INSERT INTO ohlcv {ROW} VALUES {VALUES} ON CONFLICT DO NOTHING", "none"),
        # Rows that leave a series without a word about it: by their id, or into another series.
        ("REPLACE INTO ohlcv SELECT 3, 'x', 'y', '1h', 0, 1, 1, 1, 1, 1", "first"),
        ("UPDATE OR REPLACE ohlcv SET id = 3 WHERE id = 8", "both"),
        ("UPDATE OR REPLACE ohlcv SET rowid = 3 WHERE id = 8", "both"),
        ("UPDATE OR REPLACE ohlcv SET id = 99 WHERE id = 8", "second"),
        ("UPDATE ohlcv SET exchange = 'binanceus', symbol = 'BTC/USDT', ts = 0 WHERE id = 8", "both"),
        ("UPDATE ohlcv SET timeframe = '4h' WHERE id = 8", "second"),
        ("INSERT INTO ohlcv SELECT id + 50, 'x', symbol, timeframe, ts, 1, 1, 1, 1, 1 FROM ohlcv", "none"),
        # Nothing to do with candles.
        ("UPDATE candle_series SET source = 'x'", "none"),
        ("UPDATE ohlcv SET volume = 3 WHERE id = 77", "none"),
    ],
)
def test_any_change_of_a_row_ends_the_revision_of_its_series(path: Path, sql: str, ends: str) -> None:
    before = revisions(path)
    assert None not in before
    run_sql(path, sql)
    after = revisions(path)
    assert [a != b for a, b in zip(before, after, strict=True)] == [
        ends in ("first", "both"),
        ends in ("second", "both"),
    ]


def test_a_revision_that_ended_never_comes_back(path: Path) -> None:
    engine, seen = opened(path), set()
    for volume in (3, 2, 3, 2):
        seen.add(current_revision(engine, SERIES))
        run_sql(path, f"UPDATE ohlcv SET volume = {volume} WHERE id = 2")
        assert current_revision(engine, SERIES) is None
        issue_revision(engine, SERIES)
    assert len(seen) == 4


def test_a_second_issue_changes_nothing(path: Path) -> None:
    engine, before = opened(path), revisions(path)
    issue_revision(engine, SERIES)
    assert revisions(path) == before


def test_an_upsert_that_changes_nothing_keeps_it_and_another_ends_it(path: Path) -> None:
    engine, before = opened(path), revisions(path)
    upsert_bars(engine, SERIES, bars_at(*range(5)))
    assert revisions(path) == before
    upsert_bars(engine, SERIES, bars_at(5))
    after = revisions(path)
    assert after[0] not in (None, before[0])
    assert after[1] == before[1]


def test_an_upsert_to_rows_that_nobody_counted_gives_none(path: Path) -> None:
    engine = opened(path)
    run_sql(path, "UPDATE ohlcv SET volume = 3 WHERE id = 2")
    upsert_bars(engine, SERIES, bars_at(5))
    assert current_revision(engine, SERIES) is None


def test_a_change_that_was_undone_keeps_it(path: Path) -> None:
    before = revisions(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM ohlcv")
        connection.rollback()
    assert revisions(path) == before


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", TRIGGERS)
def test_without_one_of_the_triggers_nothing_is_promised(path: Path, name: str) -> None:
    run_sql(path, f"DROP TRIGGER {name}")
    assert revisions(path) == (None, None)


def test_another_trigger_of_that_name_is_not_ours(path: Path) -> None:
    fake = TRIGGERS["candles_deleted"].replace("OLD.symbol", "'x'")
    run_sql(path, "DROP TRIGGER candles_deleted", fake)
    assert revisions(path) == (None, None)


def test_triggers_that_were_away_for_a_while_are_noticed(path: Path) -> None:
    before = revisions(path)
    sql = TRIGGERS["candles_updated"]
    run_sql(path, "DROP TRIGGER candles_updated", "UPDATE ohlcv SET volume = 3", sql)
    after = revisions(path)
    assert None not in after
    assert not set(before) & set(after)


def test_a_table_that_was_replaced_is_noticed(path: Path) -> None:
    run_sql(
        path, "CREATE TABLE t AS SELECT * FROM ohlcv", "DROP TABLE ohlcv", "ALTER TABLE t RENAME TO ohlcv"
    )
    assert revisions(path) == (None, None)


def test_a_table_that_was_set_aside_is_noticed(path: Path) -> None:
    run_sql(path, "ALTER TABLE ohlcv RENAME TO old", "CREATE TABLE ohlcv AS SELECT * FROM old")
    assert revisions(path) == (None, None)


def test_a_database_that_is_being_written_is_not_waited_for(path: Path) -> None:
    run_sql(path, "DELETE FROM candle_revisions")
    engine = opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sent = statements_of(engine)
        issue_revision(engine, SERIES)
        assert [sql.split()[0] for sql in sent] == ["PRAGMA", "PRAGMA", "INSERT", "PRAGMA"]
        assert sent[1] == "PRAGMA busy_timeout = 0"
        other.execute("ROLLBACK")
    assert current_revision(engine, SERIES) is None
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 5000
    issue_revision(engine, SERIES)
    assert current_revision(engine, SERIES) is not None


def test_a_database_opened_for_reading_only_gets_none(path: Path) -> None:
    run_sql(path, "DELETE FROM candle_revisions")
    engine = open_engine(url_of(path) + "?mode=ro")
    issue_revision(engine, SERIES)
    assert current_revision(engine, SERIES) is None


def test_a_database_made_before_there_were_triggers_gets_them(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(0))
    run_sql(path, *[f"DROP TRIGGER {name}" for name in TRIGGERS], "DROP TABLE candle_revisions")
    run_sql(path, "UPDATE schema_info SET version = 1")
    engine = init_db(url_of(path))
    issue_revision(engine, SERIES)
    assert current_revision(engine, SERIES) is not None


def test_servers_get_no_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        monkeypatch.setattr(connection.dialect, "name", "postgresql")
        create_triggers(connection)  # would fail: there is no table
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() == 0
