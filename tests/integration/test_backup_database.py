"""A database is copied while somebody writes to it; a copy that is put back is compared before it trades."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import DatabaseError, UsageError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.order_path.audit import check_books
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.lock import AccountLock, mark_of
from core.order_path.opening import trading
from db.backup import back_up
from db.base import open_engine
from db.init_db import init_db
from scripts import backup_database
from tests.exchange_help import NOON, FakeTime, bench
from tests.order_schedules import intent
from tests.sim import MINUTE, bars_of, hand_made
from tests.stored import run_sql, url_of

D = Decimal
ACCOUNT = "an-account"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    init_db(url_of(tmp_path / "orders.db")).dispose()
    return tmp_path / "orders.db"


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON + 30_000)


@pytest.fixture
def sim(time: FakeTime) -> Iterator[RunningSim]:
    bars = [(NOON + n * MINUTE, 100.0, 100.0, 100.0, 100.0, 160.0) for n in range(3)]
    account = AccountConfig(balances={"USDT": D(10_000)})
    with serve(SimConfig(source=hand_made(bars_of(bars)), clock=time.clock, account=account)) as running:
        yield running


@pytest.fixture
def venue(sim: RunningSim, time: FakeTime) -> Iterator[ExchangeVenue]:
    with bench(sim.url, time=time, api_key=TEST_KEY, api_secret=TEST_SECRET) as one:
        yield ExchangeVenue(one.client)


def buy(database: Path, venue: ExchangeVenue, time: FakeTime, number: int, **given: Any) -> None:
    """Let a process begin, buy once, and end."""
    with trading(url_of(database), ACCOUNT, "first", venue, time.clock, **given) as path:
        while not path.reconcile(["BTC/USDT"]).done:
            time.now += 6000
        path.submit(intent(number, amount=D("0.5"), at=time.now))
        path.step()


def run(database: Path, *options: str) -> int:
    return backup_database.main(["--db-url", url_of(database), *options])


def test_a_restored_backup_lies_behind_its_mark_and_is_compared_with_the_exchange_first(
    database: Path,
    venue: ExchangeVenue,
    time: FakeTime,
    sim: RunningSim,
    capsys: pytest.CaptureFixture[str],
) -> None:
    buy(database, venue, time, 1)
    backup = database.with_name("backup.db")
    assert run(database, "--to", str(backup)) == 0
    assert "checked: no damage found" in capsys.readouterr().out
    buy(database, venue, time, 2)
    mark = mark_of(database, ACCOUNT)
    assert mark is not None
    assert run(database, "--restore", str(backup)) == 0
    said = capsys.readouterr().out
    assert f"but {mark.entries} were written" in said
    assert f"run_live.py --db-url {url_of(database)} --account {ACCOUNT} --accept-restore" in said
    with pytest.raises(DatabaseError, match="the last ones are gone, or a backup was restored"):
        buy(database, venue, time, 3)
    buy(database, venue, time, 3, accept_restore=True)
    buy(database, venue, time, 4)
    with trading(url_of(database), ACCOUNT, "first", venue, time.clock) as path:
        assert path.reconcile().done
        assert path.balances() == {asset: one.free for asset, one in sim.books().wallet.all().items()}
        assert check_books(path.journal) == []
    [aside] = database.parent.glob("orders.db.replaced-*")
    open_engine(url_of(aside)).dispose()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.unmeasured
def test_a_copy_is_made_while_somebody_writes_and_is_its_owners_alone(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO trading_accounts VALUES ('paper', 'x', 1, 1)")
        assert run(database) == 0
        other.execute("COMMIT")
    [backup] = (database.parent / "backups").iterdir()
    assert backup.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM trading_accounts").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_nothing_is_replaced_that_is_used_or_by_what_is_damaged(database: Path) -> None:
    backup = database.with_name("backup.db")
    back_up(database, backup)
    with pytest.raises(DatabaseError, match="exists and is left as it is"):
        run(database, "--to", str(backup))
    with AccountLock(database, ACCOUNT), pytest.raises(DatabaseError, match="stop it first"):
        run(database, "--restore", str(backup))
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO trading_accounts VALUES ('paper', 'x', 1, 1)")
        with pytest.raises(DatabaseError, match="is used by another program: end it first"):
            run(database, "--restore", str(backup))
    run_sql(backup, "INSERT INTO live_state VALUES ('paper', 'session', '{}', 1, 'x')")
    with pytest.raises(DatabaseError, match=r"is damaged itself: the state session of account paper"):
        run(database, "--restore", str(backup))
    with pytest.raises(DatabaseError, match=r"there is no backup .*none\.db: name a file that") as missing:
        run(database, "--restore", "none.db")
    assert "init_db" not in str(missing.value)
    with pytest.raises(UsageError, match="pg_dump"):
        backup_database.main(["--db-url", "sqlite://"])
    assert {path.name for path in database.parent.iterdir()} == {
        "orders.db",
        "orders.db.an-account.lock",
        "backup.db",
    }


@pytest.mark.unmeasured
@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b"x" * 5000), Path.unlink])
def test_a_backup_takes_the_place_of_what_is_no_database_any_more(database: Path, spoil: Any) -> None:
    backup = database.with_name("backup.db")
    back_up(database, backup)
    spoil(database)
    assert run(database, "--restore", str(backup)) == 0
    open_engine(url_of(database)).dispose()


def test_a_damaged_database_is_copied_and_told(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_sql(database, "INSERT INTO live_state VALUES ('paper', 'session', '{}', 1, 'x')")
    assert run(database) == 1
    assert "damaged: the state session of account paper was changed" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = database.with_name("backup.db")
    back_up(database, backup)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("db.backup.os.link", full)
    with pytest.raises(DatabaseError, match=r"cannot be put in the place of .*: No space left"):
        run(database, "--restore", str(backup))
    open_engine(url_of(database)).dispose()
