"""What an account made is shown, and an account begins anew without anything being lost."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from core.account.messages import OrderNews, OrderRequest
from core.account.money import total
from core.cli import archive_command
from core.cli.account_tables import print_closed_trades, print_results
from core.engine import Step
from core.errors import DatabaseError, NoDataError, RefusedError, UsageError
from core.live.records import RunBook
from core.live.round_trips import merged
from core.order_path.audit import check_books
from core.order_path.lock import AccountLock
from db import live
from db.archive import copy_account, count_rows
from db.base import open_engine
from db.init_db import init_db
from db.journal import open_journal, read_journal
from db.live_history import ClosedTrade, OrderedFill, PaidFee, closed_trades
from scripts import archive_account, run_live, show_trades
from tests.account_help import D
from tests.markets import START
from tests.order_model import PRICES, Placed
from tests.status_help import CALM
from tests.stored import url_of
from tests.traded import trade
from tests.unit.test_exchange_desk import BTC, FLAT, LONG, World


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("traded") / "hot.db"
    trade(database)
    trade(database, "other")
    return database


@pytest.fixture
def database(traded: Path, tmp_path: Path) -> Path:
    """A copy of what the accounts paper and other made."""
    with closing(sqlite3.connect(traded)) as source, closing(sqlite3.connect(tmp_path / "hot.db")) as copy:
        source.backup(copy)
    return tmp_path / "hot.db"


def rows(database: Path, account: str) -> dict[str, int]:
    return count_rows(database, account)


@pytest.mark.unmeasured
def test_trades_results_and_fees_of_an_account_are_shown(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = open_engine(url_of(database))
    first, second = closed_trades(engine, "paper")
    engine.dispose()
    # From the candles: bought at 100, sold at 100 and at 102, with a thousandth of the notional as fee.
    assert (first.entry_price, first.exit_price, second.exit_price) == (100.0, 100.0, 102.0)
    assert first.gross == 0
    assert second.gross == 2 * second.amount
    assert float(second.fees) == pytest.approx(0.202 * float(second.amount))
    assert show_trades.main(["--db-url", url_of(database), "--wide"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "account paper: 2 closed trades, 5 fills, amounts in USDT"
    assert lines[2].split()[-3:] == ["profit", "fees", "paid"]
    assert lines[3].split()[:4] == ["SCRIPTED", "5", "2", "50.00"]
    assert lines[3].endswith(" USDT")
    assert lines[4].startswith("open: SCRIPTED long ")
    profit = float(second.gross - second.fees)
    assert lines[-1].split()[:7] == ["SCRIPTED", "BTC/USDT", "LONG", "2023-11-15", "10:00", "3", "h"]
    assert lines[-1].endswith(f" {profit:,.2f}")


@pytest.mark.unmeasured
def test_the_newest_trades_are_shown_and_all_are_in_the_document(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "trades.json"
    url = ["--db-url", url_of(database)]
    assert show_trades.main([*url, "--limit", "1", "--json", str(document)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "… and 1 older trades: --limit 2 shows them"
    contents = json.loads(document.read_text())
    assert [row["exit_price"] for row in contents["trades"]] == [100.0, 102.0]
    assert len(contents["fees"]) == 5
    assert show_trades.main([*url, "--json", "-", "--strategy", "mr_bb"]) == 0
    assert json.loads(capsys.readouterr().out) == {"account": "paper", "trades": [], "fees": []}
    assert show_trades.main([*url, "--symbol", "ETH/USDT"]) == 0
    assert capsys.readouterr().out == "account paper: 0 closed trades, 0 fills\n"


@pytest.mark.unmeasured
def test_an_account_that_does_not_exist_is_named_with_those_that_do(database: Path) -> None:
    for command in (show_trades, archive_account):
        with pytest.raises(
            UsageError, match=r"unknown account 'papper': did you mean paper\? known: other, paper"
        ):
            command.main(["--account", "papper", "--db-url", url_of(database)])


@pytest.mark.unmeasured
def test_an_archived_account_stays_readable_and_its_name_begins_anew(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, others = rows(database, "paper"), rows(database, "other")
    target = tmp_path / "kept" / "first.db"
    assert (
        archive_account.main(["--account", "paper", "--to", str(target), "--db-url", url_of(database)]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("account paper: 1 runs, 2 trades, 5 fills, ")
    assert lines[0].endswith(f"journal entries moved to {target}")
    assert lines[3].startswith("it held SCRIPTED long ")
    assert rows(database, "paper") == {}
    assert rows(database, "other") == others
    assert rows(target, "paper") == before
    with closing(read_journal(url_of(target), "paper")) as journal:
        assert check_books(journal) == []
    assert show_trades.main(["--db-url", url_of(target)]) == 0
    assert "2 closed trades, 5 fills" in capsys.readouterr().out
    assert run_live.main(["--status", "--db-url", url_of(target)]) == 0
    assert "checked: unbroken" in capsys.readouterr().out
    trade(database)
    assert rows(database, "paper").keys() == before.keys()
    with pytest.raises(DatabaseError, match="exists and is left as it is"):
        archive_account.main(["--account", "paper", "--to", str(target), "--db-url", url_of(database)])
    assert rows(database, "paper") != {}


@pytest.mark.unmeasured
def test_an_archive_has_a_file_of_its_own_beside_the_database(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert archive_account.main(["--account", "other", "--db-url", url_of(database)]) == 0
    (target,) = (database.parent / "archive").glob("other-*.db")
    assert str(target) in capsys.readouterr().out
    assert rows(target, "other") != {}


def test_nothing_is_deleted_without_being_told_to(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = ["--account", "paper", "--db-url", url_of(database)]
    assert archive_account.main([*url, "--delete-for-good"]) == 0
    assert "5 fills, " in capsys.readouterr().out
    assert rows(database, "paper") == {}
    assert not (database.parent / "archive").exists()
    with pytest.raises(SystemExit):
        archive_account.main([*url, "--delete-for-good", "--to", "x.db"])


def test_a_copy_that_differs_leaves_the_account_where_it_was(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from db import archive

    before, whole = rows(database, "paper"), archive._copy

    def forgetful(name: str, where: str) -> str:
        return whole(name, where) + (" AND id > 1" if name == "live_trades" else "")

    monkeypatch.setattr(archive, "_copy", forgetful)
    with pytest.raises(DatabaseError, match=r"the copy of live_trades in .* differs"):
        copy_account(database, "paper", tmp_path / "half.db")
    assert rows(database, "paper") == before


@pytest.mark.unmeasured
def test_an_account_that_runs_is_not_archived(database: Path) -> None:
    with AccountLock(database, "paper"), pytest.raises(DatabaseError, match="stop it first"):
        archive_account.main(["--account", "paper", "--db-url", url_of(database)])
    assert rows(database, "paper") != {}


def test_an_account_with_open_orders_at_an_exchange_is_not_archived(database: Path) -> None:
    run = "UPDATE live_runs SET mode = 'live' WHERE account = 'paper'"
    order = (
        "UPDATE orders SET state = 'open' WHERE client_order_id = "
        "(SELECT max(client_order_id) FROM orders WHERE account = 'paper' AND state = 'filled')"
    )
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(run)
        connection.execute(order)
        connection.commit()
    with pytest.raises(RefusedError, match="1 order of account paper may be open at the exchange"):
        archive_account.main(["--account", "paper", "--db-url", url_of(database)])
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE orders SET kind = 'stop_limit' WHERE state = 'open'")
        connection.commit()
    told = (
        r"rests at the exchange, a stop; .*: run_live\.py --once --db-url \S+ --orders exchange "
        r"--flatten closes everything and cancels what rests; to keep the coins, run_live\.py --once \S+ \S+ "
        r"--orders exchange with live\.resting_stops: false"
    )
    with pytest.raises(RefusedError, match=told):
        archive_account.main(["--account", "paper", "--db-url", url_of(database)])
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE orders SET state = 'filled'")
        connection.commit()
    assert archive_account.main(["--account", "paper", "--db-url", url_of(database)]) == 0


def test_an_account_at_an_exchange_whose_journal_lacks_its_end_is_not_archived(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE live_runs SET mode = 'live' WHERE account = 'paper'")
        connection.commit()
    with AccountLock(database, "paper") as lock:
        lock.sign("paper-1", 1)
        lock.anchor(1_000_000, "a head of later")
    with pytest.raises(RefusedError, match=r"what rests at the exchange .* --accept-restore"):
        archive_account.main(["--account", "paper", "--db-url", url_of(database)])


def test_accounts_are_kept_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = init_db("sqlite://")
    live.start_run(engine, "paper", "paper", pid=1, code_version="x", settings={}, now=1)
    monkeypatch.setattr(archive_command, "existing", lambda _: engine)
    with pytest.raises(UsageError, match="an account is kept in a file"):
        archive_account.main(["--account", "paper", "--db-url", "sqlite://"])


def test_before_any_account_has_run_the_way_to_start_one_is_said(tmp_path: Path) -> None:
    init_db(url_of(tmp_path / "empty.db")).dispose()
    with pytest.raises(NoDataError, match=r"start it with run_live\.py"):
        show_trades.main(["--db-url", url_of(tmp_path / "empty.db")])


def test_results_of_several_strategies_are_added_up_and_times_have_their_unit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def closed(strategy: str, side: str, gross: str, minutes: float) -> ClosedTrade:
        times = (START, START + round(minutes * 60_000) - 1, 100.0, 101.0)
        return ClosedTrade(strategy, "BTC/USDT", side, D("0.5"), *times, D(gross), D("0.25"), "take")

    trades = [closed("A", "LONG", "10", 30), closed("A", "SHORT", "-4", 90), closed("B", "LONG", "1", 4320)]
    fees = [PaidFee("A", "BTC/USDT", D("0.5"), "USDT"), PaidFee("B", "BTC/USDT", D("0.125"), "BNB")]
    print_results(trades, fees)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:4] for row in rows[1:]] == [
        ["A", "1", "2", "50.00"],
        ["B", "1", "1", "100.00"],
        ["all", "2", "3", "66.67"],
    ]
    assert [float(row[6]) for row in rows[1:]] == [5.5, 0.75, 6.25]
    assert (rows[3][-3], rows[3][-1]) == ("USDT,", "BNB")
    print_closed_trades(trades)
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(r"  +", line)[2] for line in lines[1:]] == ["LONG", "SHORT", "LONG"]
    assert [re.split(r"  +", line)[4] for line in lines[1:]] == ["30 min", "1.5 h", "3 d"]
    assert [float(re.split(r"  +", line)[6]) for line in lines[1:]] == [0.5, 0.5, 0.5]


class Recorded(World):
    """A session at an exchange that keeps its steps in a database."""

    def recorded(self, url: str) -> None:
        """Begin anew with everything on the disk."""
        engine = init_db(url)
        self.journal = open_journal(url, "test")
        self.begin(self.journal)
        run = live.start_run(engine, "test", "live", pid=1, code_version="x", settings={}, now=1)
        self.book = RunBook(engine, "test", run, self.kept)

    def keep(self, step: Step) -> None:
        self.book.keep([], step, CALM, self.exchange.now)


def in_three_parts(world: Recorded, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Decimal, Decimal]]:
    """Close the position by one order: two parts at once, the third later; return prices and amounts."""
    parts: list[tuple[Decimal, Decimal]] = []

    def execute(order: Placed, price: str, amount: Decimal) -> None:
        monkeypatch.setitem(PRICES, BTC, D(price))
        world.exchange.execute(order, amount)
        parts.append((D(price), amount))

    def place(request: OrderRequest, stamp: int) -> Placed:
        order = Placed("2", request, stamp)
        world.exchange.orders.append(order)
        execute(order, "40100.5", D("0.3"))
        execute(order, "40050.25", D("0.2"))
        return order

    world.exchange.place = place  # type: ignore[method-assign]
    world.keep(world.bar(FLAT))
    world.keep(world.look())
    order = world.exchange.orders[-1]
    assert order.standing is OrderNews.OPEN
    execute(order, "40200", order.request.amount - order.filled)
    world.keep(world.look())
    return parts


def test_a_position_that_one_order_closed_in_three_parts_is_one_trade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, world = url_of(tmp_path / "hot.db"), Recorded()
    world.recorded(url)
    for step in (world.bar(), world.bar(LONG), world.look()):
        world.keep(step)
    parts = in_three_parts(world, monkeypatch)
    world.journal.close()
    assert show_trades.main(["--account", "test", "--db-url", url, "--json", "-"]) == 0
    (trade_,) = json.loads(capsys.readouterr().out)["trades"]
    sold = total(amount for _, amount in parts)
    value = total(price * amount for price, amount in parts)
    assert D(trade_["amount"]) == sold
    assert trade_["exit_price"] == pytest.approx(float(value / sold), rel=1e-15)
    assert float(D(trade_["gross"])) == pytest.approx(float(value - sold * D("40000.01")), rel=1e-12)
    # A thousandth at both ends: the entry's was in coins, of which a little more was bought than sold.
    assert float(trade_["fees"]) == pytest.approx(0.001 * float(value + sold * D("40000.01")), rel=0.002)
    assert show_trades.main(["--account", "test", "--db-url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("account test: 1 closed trades, 4 fills")
    assert lines[3].split()[:4] == ["SCRIPTED", "4", "1", "100.00"]


def test_two_orders_make_two_trades_and_one_order_for_two_entries_too() -> None:
    def part(entry: int, amount: str, exit_ts: int = 9) -> ClosedTrade:
        prices = (100.0, 101.0)
        sums = D(amount), D("0.1")
        return ClosedTrade("A", BTC, "LONG", D(amount), entry, exit_ts, *prices, *sums, "rule")

    def fill(amount: str, order: str, ts: int = 9) -> OrderedFill:
        return OrderedFill("A", BTC, "sell", ts, 101.0, D(amount), order)

    # Half of an entry now, half by another order at the same moment and price.
    assert len(merged([part(1, "1"), part(1, "1")], [fill("1", "x"), fill("1", "y")])) == 2
    assert [one.amount for one in merged([part(1, "1"), part(1, "2")], [fill("1", "x"), fill("2", "x")])] == [
        D(3)
    ]
    # One fill that closes two entries, and a second one of the same order.
    found = merged([part(1, "1"), part(2, "1"), part(2, "1", 10)], [fill("2", "x"), fill("1", "x", 10)])
    assert [(one.entry_ts, one.amount, one.fees) for one in found] == [
        (1, D(1), D("0.1")),
        (2, D(2), D("0.2")),
    ]
    # Of orders that the journal does not know each part stays what it was.
    assert len(merged([part(1, "1"), part(1, "1")], [])) == 2
