"""What a driver raises becomes one line that says what to do and shows no secret."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.engine import make_url

from core.errors import DatabaseError
from db.base import open_engine
from db.faults import database_error, database_name, driver_errors


def raised(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(f"said by\n  {name}")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("SQLITE_BUSY", "wait until it is done"),
        ("SQLITE_BUSY_SNAPSHOT", "wait until it is done"),
        ("SQLITE_LOCKED_SHAREDCACHE", "wait until it is done"),
        ("SQLITE_NOTADB", "name another file"),
        ("SQLITE_CORRUPT_INDEX", "restore a backup"),
        ("SQLITE_READONLY_DIRECTORY", "give this user the right"),
        ("SQLITE_CANTOPEN", "check that it is there"),
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_IOERR_WRITE", "file system reports an error"),
        ("SQLITE_CONSTRAINT_CHECK", "refused a row"),
        ("SQLITE_ERROR", "tables this program expects"),
    ],
)
def test_every_fault_of_sqlite_has_its_advice_on_one_line(name: str, advice: str) -> None:
    line = str(database_error(raised(name), "/x.db"))
    assert line.startswith("database /x.db ")
    assert advice in line
    assert line.endswith(f"(said by {name})")


def test_another_drivers_error_is_passed_on() -> None:
    assert str(database_error(OSError("no route to host"), "pg")) == (
        "database pg cannot be used: no route to host"
    )
    assert str(database_error(TimeoutError(), "pg")) == "database pg cannot be used: TimeoutError"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite://", ":memory:"),
        ("postgresql://me:hunter2@host:5/db", "postgresql://me:***@host:5/db"),
        ("postgresql://host/db?user=me&password=hunter2", "postgresql://host/db"),
    ],
)
def test_a_database_is_named_without_any_secret(url: str, name: str) -> None:
    assert database_name(make_url(url)) == name


def test_an_error_of_the_drivers_own_cursor_is_translated_and_others_pass() -> None:
    engine = open_engine("sqlite://", create=True)
    with pytest.raises(DatabaseError, match="database :memory: is damaged"), driver_errors(engine):
        raise raised("SQLITE_CORRUPT")
    with pytest.raises(KeyboardInterrupt), driver_errors(engine):
        raise KeyboardInterrupt
