"""The journal in a file: what it takes to trade on one, and what is said when it cannot be."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.account.messages import OrderRequest, Terms
from core.errors import DatabaseError, ExchangeUnreachableError, OrderUnknownError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.order_path.audit import check_books
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.ledger import adjustment_postings
from core.order_path.lock import AccountLock, holder
from core.order_path.opening import trading
from core.order_path.path import OrderPath
from db import journal as journals
from db.init_db import init_db
from db.journal import Journal, open_journal
from tests.exchange_help import NOON, FakeTime, Reply, bench, said, tiny_exchange
from tests.order_schedules import intent
from tests.sim import MINUTE, bars_of, hand_made
from tests.stored import run_sql, url_of

D = Decimal
ACCOUNT = "an-account"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.db"
    init_db(url_of(path)).dispose()
    return path


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


def opened(path: Path, venue: ExchangeVenue, time: FakeTime) -> Any:
    return trading(url_of(path), ACCOUNT, "first", venue, time.clock)


def ready(path: OrderPath, time: FakeTime) -> OrderPath:
    while not path.reconcile(["BTC/USDT"]).done:
        time.now += 6000
    return path


@pytest.mark.unmeasured
def test_orders_go_over_the_wire_and_end_in_the_file(
    database: Path, venue: ExchangeVenue, time: FakeTime, sim: RunningSim
) -> None:
    approved = intent(1, amount=D("0.5"), at=time.now)
    resting = intent(2, amount=D("0.25"), at=time.now)
    with opened(database, venue, time) as path:
        ready(path, time)
        path.submit(approved)
        path.submit(resting, Terms("limit", D(90)))
        assert [fill.amount for fill in path.step()] == [D("0.5")]
        assert path.cancel(resting.intent.key).state == "canceled"
        assert venue.exchange == "binanceus-replay"
    with opened(database, venue, time) as path:
        assert not path.ready
        assert path.reconcile().done
        assert path.position("BTC/USDT", "trend") == D("0.4995")
        assert path.balances() == {asset: one.free for asset, one in sim.books().wallet.all().items()}
        assert check_books(path.journal) == []
        assert path.journal.claimed() == ("first", 4)


def test_the_file_is_written_to_the_disk_at_every_commit(database: Path) -> None:
    with closing(open_journal(url_of(database), ACCOUNT)._connection) as connection:
        told = [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
    assert told == ["wal", 2]


@pytest.mark.unmeasured
def test_a_second_process_is_turned_away_and_told_by_whom(
    database: Path, venue: ExchangeVenue, time: FakeTime
) -> None:
    with (
        opened(database, venue, time),
        pytest.raises(DatabaseError, match=rf"another process \(pid {os.getpid()}\) trades this account"),
        opened(database, venue, time),
    ):
        pass
    with opened(database, venue, time):
        pass


def test_a_lost_database_is_not_taken_for_a_new_account(
    database: Path, venue: ExchangeVenue, time: FakeTime
) -> None:
    with opened(database, venue, time):
        pass
    for file in database.parent.glob("orders.db*"):
        if file.suffix != ".lock":
            file.unlink()
    init_db(url_of(database)).dispose()
    with (
        pytest.raises(DatabaseError, match="does not know what instance first did"),
        opened(database, venue, time),
    ):
        pass


def test_a_look_at_a_lock_says_who_holds_it_and_takes_nothing(database: Path, tmp_path: Path) -> None:
    assert holder(database, ACCOUNT) is None
    assert list(tmp_path.glob("*.lock")) == []
    with AccountLock(database, ACCOUNT) as lock:
        assert holder(database, ACCOUNT) == 0
        lock.sign("paper-1", 5)
        assert holder(database, ACCOUNT) == os.getpid()
        lock.forget()
        assert lock.instance is None
    assert holder(database, ACCOUNT) is None
    lock.path.unlink()
    lock.path.symlink_to(lock.path.name)
    with pytest.raises(DatabaseError, match="cannot look at the lock"):
        holder(database, ACCOUNT)


def test_a_lock_that_says_nothing_is_a_lock(database: Path) -> None:
    lock = AccountLock(database, ACCOUNT)
    for text in ("half a li", "[]", ""):
        lock.path.write_text(text)
        with lock:
            assert lock.instance is None
            lock.check(None)
        lock.__exit__()
    with pytest.raises(DatabaseError, match="is not held"):
        lock.sign("first", 1)
    with pytest.raises(DatabaseError, match=r"cannot lock .*: Not a directory"):
        AccountLock(database / "not" / "there", ACCOUNT).__enter__()


def test_another_writer_is_waited_for_and_then_told(database: Path) -> None:
    journal = open_journal(url_of(database) + "?timeout=0.01", ACCOUNT)
    journal.claim("first", 1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="is locked"), journal.writing(1):
            pass
        other.execute("ROLLBACK")
    with journal.writing(2) as tx:
        tx.note("test", "", {})
    journal.close()


def test_a_reader_never_makes_a_write_wait(database: Path) -> None:
    journal = open_journal(url_of(database) + "?timeout=0.0", ACCOUNT)
    journal.claim("first", 1)
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM journal").fetchall()
        for number in range(50):
            with journal.writing(number) as tx:
                tx.note("test", str(number), {})
        assert reader.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    assert journal.verify_chain() == []
    journal.close()


def test_a_full_disk_stores_nothing_and_is_told(database: Path) -> None:
    journal = open_journal(url_of(database), ACCOUNT)
    journal.claim("first", 1)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill_up() -> None:
        with journal.writing(1) as tx:
            for number in range(2000):
                tx.note("test", str(number), {"text": "x" * 100})

    with pytest.raises(DatabaseError, match="the disk is full; nothing"):
        fill_up()
    assert journal.length() == 0
    journal._connection.execute("PRAGMA max_page_count = 100000")
    with journal.writing(2) as tx:
        tx.note("test", "", {})
    assert journal.verify_chain() == []
    journal.close()


def refused(database: Path, query: str = "") -> str:
    with pytest.raises(DatabaseError) as error:
        open_journal(url_of(database) + query, ACCOUNT)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_that_cannot_keep_orders_is_refused_in_one_line(database: Path, tmp_path: Path) -> None:
    assert "cannot be written" in refused(database, "?mode=ro")
    assert "there is no database" in refused(tmp_path / "none.db")
    for name, content in (
        ("empty", b""),
        ("letter", b"Dear all, " * 200),
        ("cut", database.read_bytes()[:9000]),
    ):
        path = tmp_path / f"{name}.db"
        path.write_bytes(content)
        refused(path)
        assert path.read_bytes() == content
    run_sql(database, "DROP TABLE fills")
    assert "has lost the table 'fills'" in refused(database)


def test_what_is_no_file_is_refused(monkeypatch: pytest.MonkeyPatch, database: Path) -> None:
    made = init_db("sqlite://")
    monkeypatch.setattr(journals, "open_engine", lambda _: made)
    with pytest.raises(DatabaseError, match="kept in a file"):
        open_journal("sqlite://", ACCOUNT)
    made.dialect.name = "postgresql"
    with pytest.raises(DatabaseError, match="cannot keep orders yet"):
        open_journal("postgresql://me@host/db", ACCOUNT)


class Stubborn(sqlite3.Connection):
    """A connection to a database that takes no setting."""

    answer: Any = ("delete",)

    def execute(self, *args: Any) -> sqlite3.Cursor:
        if "PRAGMA" in args[0] and args[0].split()[1] == self.answer[-1]:
            return super().execute("SELECT 'other'")
        return super().execute(*args)


@pytest.mark.parametrize(
    ("setting", "said"), [("journal_mode", "cannot have a write-ahead log"), ("synchronous", "did not take")]
)
def test_a_database_that_takes_no_setting_is_refused(tmp_path: Path, setting: str, said: str) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", factory=Stubborn, isolation_level=None)
    connection.answer = (setting,)
    journal = Journal(connection, "x", ACCOUNT)
    with pytest.raises(DatabaseError, match=said):
        journal.prepare()
    journal.close()


@pytest.mark.unmeasured
def test_the_database_itself_forbids_two_orders_of_one_intent_and_money_that_is_none(
    database: Path, venue: ExchangeVenue, time: FakeTime
) -> None:
    with opened(database, venue, time) as path:
        ready(path, time)
        order = path.submit(intent(1, at=time.now))
        journal = path.journal
        claim = journal.claimed()
        assert claim is not None
        for twin in (order._replace(attempt=1, client_order_id="t"), order._replace(attempt=0)):
            with pytest.raises(DatabaseError, match="refused a row"), journal.writing(1) as tx:
                tx.new_order(twin)
        for bad in ("nan", "1e5", "-1", "0", "", "0.1.2", "abc"):
            with pytest.raises(DatabaseError, match="refused a row"):
                journal._run("UPDATE orders SET amount = ?", bad)


def test_an_answer_without_a_status_says_nothing(venue: ExchangeVenue, monkeypatch: Any) -> None:
    monkeypatch.setattr(venue._orders, "_create", lambda *_: {"id": "1"})
    with pytest.raises(OrderUnknownError, match="status '' means; look again; it may exist"):
        venue.place(OrderRequest("c", "BTC/USDT", "buy", D(1)))
    assert venue.find("BTC/USDT", "nobodys") is None
    assert venue.open_orders() == []
    assert venue.absence_is_final_at(5) == 16_005


def test_lines_of_the_books_that_cannot_be_stored_take_everything_back(database: Path) -> None:
    run_sql(database, "CREATE TRIGGER no BEFORE INSERT ON postings BEGIN SELECT raise(ABORT, 'no'); END")
    with closing(open_journal(url_of(database), ACCOUNT)) as journal:
        journal.claim("first", 1)
        lines = adjustment_postings("USDT", D(100))

        def store() -> None:
            with journal.writing(1) as tx:
                tx.note("test", "", {})
                tx.post("opening|1", lines, told=True)

        with pytest.raises(DatabaseError, match="refused a row"):
            store()
        assert (journal.length(), journal.postings()) == (0, [])


DEPOSITS = "/sapi/v1/capital/deposit/hisrec"


def test_deposits_are_read_page_by_page(
    venue: ExchangeVenue, sim: RunningSim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.exchange.transfers.PAGE", 2)
    for amount in ("1", "2", "3"):
        sim.deposit("USDT", amount)
    found = venue.transfers()
    assert found is not None
    assert sorted(one.amount for one in found) == [1, 2, 3]


def test_lists_that_a_key_may_not_read_are_none_and_those_that_do_not_answer_are_trouble() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        venue = ExchangeVenue(one.client)
        exchange.standing[DEPOSITS] = said(
            {"code": -2015, "msg": "Invalid API-key, IP, or permissions."}, 401
        )
        assert venue.transfers() is None
        for reply in (Reply(fate="reset"), said([{"coin": "USDT", "amount": "1", "status": 1}])):
            exchange.standing[DEPOSITS] = reply
            with pytest.raises(ExchangeUnreachableError):
                venue.transfers()
