"""A lock of another program is waited for, said once, and given up after the stated time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import DatabaseError, DatabaseLockedError
from db import live
from db.init_db import init_db
from db.journal import open_journal
from db.patience import Patience, patient
from tests.stored import url_of


class Locked:
    """Another program's lock, which ends when it was tried for so often; every try takes five seconds."""

    def __init__(self, other: sqlite3.Connection, tries: int) -> None:
        self.other, self.left, self.now, self.said = other, tries, 0.0, [""]
        other.execute("BEGIN IMMEDIATE")

    def clock(self) -> float:
        self.left -= 1
        if self.left == 0:
            self.other.execute("ROLLBACK")
        self.now += 5
        return self.now

    def patience(self) -> Patience:
        return Patience(20, self.said.append, self.clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    init_db(url_of(tmp_path / "hot.db")).dispose()
    return tmp_path / "hot.db"


def test_what_was_decided_is_held_and_stored_when_the_other_program_is_done(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        locked = Locked(other, 3)
        engine = init_db(url_of(file) + "?timeout=0")
        live.keep_state(patient(engine, locked.patience()), "paper", "session", {"cash": "1"}, 5)
        assert live.read_state(engine, "paper") == {"session": {"cash": "1"}}
        engine.dispose()
    held, free = locked.said[1:]
    assert "is locked: another program is writing to it" in held
    assert "what was decided is held for 20 s, nothing is sent" in held
    assert free == "the database is free again after 15 s; going on"


def test_a_journal_waits_as_well(file: Path) -> None:
    with (
        closing(open_journal(url_of(file) + "?timeout=0", "paper")) as journal,
        closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        journal.claim("paper-1", 1)
        journal.patience = (locked := Locked(other, 3)).patience()
        with journal.writing(2) as tx:
            tx.cursor("opened", "y")
        assert journal.length() == 1
    assert len(locked.said) == 3


def test_the_stated_time_ends_it_and_is_not_waited_for_twice(file: Path) -> None:
    engine = init_db(url_of(file) + "?timeout=0")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        locked = Locked(other, 99)
        waiting = patient(engine, locked.patience())
        for tried_until in (25, 30):
            with pytest.raises(DatabaseLockedError, match=r"is locked.*; it was waited for 20 s"):
                live.keep_state(waiting, "paper", "session", {}, 5)
            assert locked.now == tried_until
        other.execute("ROLLBACK")
        live.keep_state(waiting, "paper", "session", {}, 5)
    engine.dispose()
    assert len(locked.said) == 2


def test_what_is_no_lock_is_not_waited_for() -> None:
    def fail() -> None:
        raise DatabaseError("is damaged")

    with pytest.raises(DatabaseError, match="is damaged"):
        Patience(20, str, iter(range(9)).__next__)(fail)
