from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from core.errors import DatabaseError, DatabaseLockedError
from db import live
from db.base import open_engine
from db.driver import Statements, WritingStatements
from db.patience import patient
from db.state_rows import opened, sealed
from tests.stored import new_database, url_of

GIVE = "INSERT INTO live_state (account, name, value_json, updated_at, checksum) VALUES (?, ?, '1', 1, '')"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    new_database(tmp_path / "live.db").dispose()
    made = open_engine(url_of(tmp_path / "live.db") + "?timeout=0.01")
    yield made
    made.dispose()


def names(engine: Engine) -> list[str]:
    with Statements(engine) as statements:
        return [name for (name,) in statements.run("SELECT name FROM live_state ORDER BY name")]


def write(engine: Engine, *rows: str, then: Callable[[WritingStatements], object] = lambda _: None) -> None:
    with WritingStatements(engine) as transaction:
        transaction.run_all(GIVE, [("paper", name) for name in rows or ("a",)])
        then(transaction)


def test_what_a_transaction_writes_is_there_at_its_end_and_for_nobody_before(engine: Engine) -> None:
    with WritingStatements(engine) as transaction:
        transaction.run_all(GIVE, [("paper", "a"), ("paper", "b")])
        assert names(engine) == []
    assert names(engine) == ["a", "b"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_transaction_that_fails_is_undone_as_a_whole(engine: Engine, error: type[BaseException]) -> None:
    def fail(*_: object) -> None:
        raise error

    with pytest.raises(error):
        write(engine, then=fail)
    with pytest.raises(DatabaseError, match="nothing of this step was stored"):
        write(engine, "b", "b")
    assert names(engine) == []


def test_a_transaction_waits_as_long_as_the_engine_is_patient(engine: Engine) -> None:
    tries = []

    def twice(attempt: Any) -> Any:
        try:
            return attempt()
        except DatabaseLockedError as error:
            tries.append(error)
            other.rollback()
            return attempt()

    with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLockedError, match="is locked"), WritingStatements(engine):
            pytest.fail("it is not begun")
        with WritingStatements(patient(engine, twice)) as transaction:
            transaction.run(GIVE, ("paper", "a"))
    assert (len(tries), names(engine)) == (1, ["a"])


def test_errors_of_opening_and_of_the_end_are_told_as_all_others(engine: Engine) -> None:
    def full() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def fail_at_its_end(transaction: WritingStatements) -> None:
        transaction._connection.commit = full  # type: ignore[method-assign]

    with pytest.raises(DatabaseError, match="cannot be used: disk I/O error"):
        write(engine, then=fail_at_its_end)
    assert names(engine) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.pool, "connect", full)
        with pytest.raises(DatabaseError, match="disk I/O error"):
            names(engine)


@pytest.mark.parametrize(
    "status",
    [{}, {"equity": 1.5}, {"a": [{"b": {10: 1, 9: None}}], "é": True}, {"a": [(1, 2)], "now": Path("x")}],
)
def test_a_status_is_read_as_it_was_sealed_whatever_its_keys_are(status: dict[str, Any]) -> None:
    text = sealed(status)
    assert opened(text).keys() == status.keys()
    with pytest.raises(ValueError, match="its checksum is another"):
        opened(text.replace('"checksum": "', '"checksum": "0'))


def test_a_fill_with_other_columns_than_its_table_is_refused(engine: Engine) -> None:
    given: dict[str, Any] = {"pid": 1, "code_version": "test", "settings": {}, "now": 1}
    run = live.start_run(engine, "paper", "paper", **given)
    with pytest.raises(DatabaseError, match="no column named colour"):
        live.record(engine, run, fills=[{"colour": "red"}], now=1)
