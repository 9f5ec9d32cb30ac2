"""What somebody did to an account's rows behind the program's back is told by row, and nothing is traded."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.cli import live_status
from core.errors import DatabaseError
from core.order_path.audit import check_books
from core.order_path.damage import damage_of, examine
from core.order_path.journal_view import Mirror
from core.order_path.lock import AccountLock, lock_file, mark_of, marked_accounts
from db.journal import Journal, open_journal, read_journal
from db.journal_rows import MONEY
from scripts import db_status, run_live
from tests.desk_help import Account
from tests.schemas import checked_status
from tests.stored import run_sql, url_of
from tests.tiers import measured, some, statistics, tries
from tests.traded import trade

PAPER = "paper"


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("damage") / "hot.db"
    trade(database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


@pytest.fixture
def database(traded: Path, tmp_path: Path) -> Path:
    for file in (traded, lock_file(traded, PAPER)):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "hot.db"


def check(database: Path) -> int:
    return db_status.main(["--db-url", url_of(database), "--check"])


CUT_STATE = "UPDATE live_state SET value_json = substr(value_json, 1, 50)"
LAST_FIVE = "SELECT max(seq) - 5 FROM journal"
CHANGES = {
    "DELETE FROM journal": "is not what the journal tells",
    f"DELETE FROM journal WHERE seq > ({LAST_FIVE})": "the last ones are gone, or a backup was restored",
    "UPDATE fills SET amount = '77' WHERE side = 'buy'": "I13: fill ",
    "UPDATE fills SET price = 'x1' WHERE side = 'buy'": "its price is 'x1', not an amount",
    "UPDATE postings SET amount = '77' WHERE name LIKE 'pos:%'": "I2, I3, I11: fill|",
    "DELETE FROM postings WHERE name LIKE 'pos:%'": "I2, I3, I11: fill|",
    "UPDATE orders SET amount = '77'": "I13: order ",
    "UPDATE orders SET filled = 'Infinity'": "its filled is 'Infinity', not an amount",
    "DELETE FROM orders": "which is not there",
    "DELETE FROM order_intents": "I13: intent ",
    "DELETE FROM order_cursors": "I13: cursor ",
    "UPDATE journal SET body = substr(body, 1, 9) WHERE seq = 3": "journal: entry 3 (",
    "UPDATE journal SET body = 'no json'": "cannot be read: 'no json'",
    "UPDATE journal SET body = '7', ref = ''": "cannot be read: '7'",
    "UPDATE fills SET reason = CAST(x'ff' AS TEXT)": "I13: fill ",
    "UPDATE journal SET ref = CAST(x'ff' AS TEXT) WHERE seq = 3": "journal: entry 3 (",
    "DELETE FROM trading_accounts": "belongs to no row of trading_accounts",
    "UPDATE live_runs SET status_json = '{'": "the status of run 1 cannot be read: '{'",
    CUT_STATE: "the state session of account paper was",
    "UPDATE live_state SET value_json = ''": "the state session of account paper was changed",
    "UPDATE live_state SET updated_at = 7": "the state session of account paper was changed",
    "UPDATE live_state SET account = 'qaper'": "the state session of account qaper was changed",
    "DELETE FROM live_state": "the state session of account paper is gone",
    "DROP INDEX one_live_attempt": "the index one_live_attempt is gone",
    "UPDATE live_runs SET status_json = '[]'": "the status of run 1 cannot be read: '[]'",
    "UPDATE live_runs SET status_json = replace(status_json, '100', '900')": "the status of run 1 cannot",
    "UPDATE live_runs SET status_json = replace(status_json, 'equity', 'e')": "the status of run 1 cannot",
    "UPDATE trading_accounts SET instance = 'other'": "was not named by instance 'other', which the account",
}


MEASURED = ("SET instance", "FROM order_intents", "'qaper'", "'[]'", "'7', ref", "DROP INDEX")
"""Changes of which each runs lines of its own."""


def test_what_nobody_changed_is_sound(database: Path) -> None:
    assert check(database) == 0


@pytest.mark.parametrize("change", measured(CHANGES, *MEASURED))
def test_a_changed_row_is_named_by_the_check_and_by_the_start_which_trades_nothing(
    database: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    run_sql(database, "PRAGMA ignore_check_constraints = ON", change)
    capsys.readouterr()
    assert check(database) == 1
    assert CHANGES[change] in capsys.readouterr().err
    with pytest.raises(DatabaseError) as error:
        examine(url_of(database), PAPER, mark_of(database, PAPER))
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)
    assert "nothing is traded" in str(error.value)


@pytest.mark.unmeasured
def test_a_dropped_table_is_told_and_not_made_anew(database: Path) -> None:
    run_sql(database, "DROP TABLE postings")
    for command in (["--status"], ["--once"], ["--pause"]):
        with pytest.raises(DatabaseError, match="has lost the table 'postings'") as error:
            run_live.main([*command, "--db-url", url_of(database)])
        assert error.value.exit_code == 3


def test_state_that_was_cut_is_not_traded_on(database: Path) -> None:
    run_sql(database, CUT_STATE)
    with pytest.raises(
        DatabaseError, match="the state session of account paper was changed: restore a backup"
    ):
        run_live.main(["--once", "--db-url", url_of(database)])


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE live_runs SET status_json = 'hello'", "the status of run 1 cannot be read: 'hello'"),
        ("UPDATE live_runs SET status_json = '7'", "the status of run 1 cannot be read: '7'"),
        (
            "UPDATE live_runs SET status_json = replace(status_json, '100', '900')",
            "the status of run 1 cannot be read: ",
        ),
        # Statuses of before had no checksum, and can be anything.
        (
            "UPDATE live_runs SET status_json = '{\"desk\": 3}'",
            "the status of run 1 cannot be shown: the status says nothing of time",
        ),
        (
            "UPDATE live_runs SET status_json = "
            "json_remove(json_set(status_json, '$.equity', 'x'), '$.checksum')",
            "cannot be shown: the status, equity is 'x', which is not a number: it is not what was stored",
        ),
        (
            "DELETE FROM live_runs",
            "no run of account paper is there, and the database is damaged: a row of live",
        ),
    ],
)
def test_a_status_that_is_none_is_one_line(database: Path, change: str, said: str) -> None:
    run_sql(database, change)
    with pytest.raises(DatabaseError) as error:
        run_live.main(["--status", "--db-url", url_of(database)])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_status_that_is_none_is_damage_in_the_document(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sql(database, "UPDATE live_runs SET status_json = '{\"desk\": 3}'")
    assert run_live.main(["--status", "--json", "--db-url", url_of(database)]) == 3
    document = checked_status(capsys.readouterr().out)
    assert document["status"] is None
    assert "the status of run 1 cannot be shown: the status says nothing of time" in document["damage"][-1]


@pytest.mark.unmeasured
def test_a_status_of_before_they_had_a_checksum_is_shown(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sql(database, "UPDATE live_runs SET status_json = json_remove(status_json, '$.checksum')")
    assert run_live.main(["--status", "--db-url", url_of(database)]) == 0
    assert "checked: unbroken" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_the_status_names_damage_and_where_the_journal_ends(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = mark_of(database, PAPER)
    assert mark is not None
    assert run_live.main(["--status", "--db-url", url_of(database)]) == 0
    said = capsys.readouterr().out
    assert f"journal: {mark.entries} entries (head {mark.head[:12]})" in said
    run_sql(database, f"DELETE FROM journal WHERE seq > ({LAST_FIVE})")
    assert run_live.main(["--status", "--db-url", url_of(database)]) == 3
    assert (
        f"DAMAGED: the journal of paper ends at entry {mark.entries - 5}, but {mark.entries} were written"
        in (capsys.readouterr().out)
    )


def test_last_entries_that_are_gone_with_their_rows_and_their_mark_are_missed_by_the_run(
    database: Path,
) -> None:
    lock_file(database, PAPER).unlink()
    assert damage_of(url_of(database), PAPER) == []
    run_sql(database, f"DELETE FROM journal WHERE seq > ({LAST_FIVE})")
    assert any("were written" in line for line in damage_of(url_of(database), PAPER))
    run_sql(database, "DELETE FROM live_runs")
    assert not any("were written" in line for line in damage_of(url_of(database), PAPER))


def test_a_chain_that_was_made_anew_is_not_the_one_of_the_mark(database: Path) -> None:
    mark = mark_of(database, PAPER)
    assert mark is not None
    examine(url_of(database), PAPER, mark)
    with pytest.raises(
        DatabaseError, match=r"entry \d+ of the journal of paper is not the one that was written"
    ):
        examine(url_of(database), PAPER, mark._replace(head="0" * 64))


def test_a_backup_is_accepted_when_asked_and_only_then(database: Path) -> None:
    mark = mark_of(database, PAPER)
    assert mark is not None
    later = mark._replace(entries=mark.entries + 3)
    with pytest.raises(DatabaseError, match="--accept-restore, which compares it with the exchange first"):
        examine(url_of(database), PAPER, later)
    examine(url_of(database), PAPER, later, accept_restore=True)
    with pytest.raises(DatabaseError, match="leave --accept-restore out"):
        examine(url_of(database), PAPER, mark, accept_restore=True)
    run_sql(database, "UPDATE orders SET amount = '77'")
    with pytest.raises(DatabaseError, match=r"is damaged: .* \(and [0-9]+ more"):
        examine(url_of(database), PAPER, later, accept_restore=True)


def test_the_mark_follows_every_entry_and_survives_the_next_signature(database: Path) -> None:
    with AccountLock(database, PAPER) as lock, closing(open_journal(url_of(database), PAPER)) as journal:
        before = lock.mark
        lock.sign("paper-1", 7)
        assert lock.mark == before == journal.head()
        journal.claim("paper-1", 7)
        journal.anchor = lock.anchor
        with journal.writing(8) as tx:
            tx.cursor("opened", "y")
        assert lock.mark == journal.head() == (journal.length(), journal.hash_at(journal.length()))
        assert lock.instance == "paper-1"
    assert marked_accounts(database) == [PAPER]


def test_a_mark_that_cannot_be_read_or_written_is_told(database: Path) -> None:
    path = lock_file(database, PAPER)
    with AccountLock(database, PAPER) as lock:
        path.unlink()
        path.symlink_to(path)
        with pytest.raises(DatabaseError, match=r"cannot look at the mark .*symbolic links"):
            mark_of(database, PAPER)
        lock._file, before = 10_000, lock._file
        with pytest.raises(DatabaseError, match="cannot write the mark"):
            lock.anchor(1, "x")
        lock._file = before


TABLES = ("orders", "order_intents", "fills", "postings", "journal", "order_cursors", "live_state")


def rows_of(database: Path) -> dict[str, Any]:
    """Return every row of the tables that count, or what reading them raises."""
    with closing(read_journal(url_of(database), PAPER)) as journal:
        return {name: journal._all(f"SELECT * FROM {name} ORDER BY 1, 2") for name in TABLES}


def looked_at(database: Path) -> tuple[list[str], dict[str, Any]]:
    """Return the damage and the rows of a file; what keeps it from being read is damage."""
    try:
        return damage_of(url_of(database), PAPER), rows_of(database)
    except DatabaseError as error:
        return [str(error)], {}


def flipped(database: Path, place: int) -> Callable[[], None]:
    """Flip a bit of a file and return what flips it back."""

    def flip() -> None:
        with database.open("r+b") as file:
            file.seek(place // 8)
            byte = file.read(1)[0]
            file.seek(place // 8)
            file.write(bytes([byte ^ 1 << place % 8]))

    flip()
    return flip


def places(database: Path) -> Iterator[int]:
    """Yield the bits to flip: of pages that hold rows of the tables that count."""
    page, contents = 4096, database.read_bytes()
    marks = (b"BTC/USDT", b"opened", b"fill|")
    kept = [
        n
        for n in range(len(contents) // page)
        if any(m in contents[n * page : n * page + page] for m in marks)
    ]
    rng = random.Random(1)
    for _ in range(tries(2000, 100)):
        yield rng.choice(kept) * page * 8 + rng.randrange(page * 8)


@statistics
def test_every_flipped_bit_that_changes_a_row_is_noticed(database: Path) -> None:
    before, noticed, harmless = rows_of(database), 0, 0
    for place in places(database):
        back = flipped(database, place)
        found, after = looked_at(database)
        assert found or after == before, f"bit {place} changed a row and nobody noticed"
        assert all("\n" not in line for line in found)
        noticed, harmless = noticed + bool(found), harmless + (not found)
        back()
    assert noticed > harmless / 10
    assert damage_of(url_of(database), PAPER) == []


SAME_VALUE = ("{0} || '0'", "{0} || '.0'", "'+' || {0}", "'0' || {0}", "{0} || ' '", "{0} || 'E0'")
"""Other texts of a decimal, which are often of equal value."""


def changes_of(connection: sqlite3.Connection) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield changes of one value in one row, for every column of the tables that count."""
    for table in TABLES:
        columns = [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]
        this = " AND ".join(f"{name} IS ?" for name, _ in columns)
        for name, kind in columns:
            for form in ("{0} + 1000003",) if kind in ("INTEGER", "BIGINT") else SAME_VALUE:
                changed = form.format(name)
                rows = connection.execute(f"SELECT * FROM {table} WHERE {changed} IS NOT {name} LIMIT 1")
                if (row := rows.fetchone()) is not None:
                    yield f"UPDATE {table} SET {name} = {changed} WHERE {this}", row


def missed(database: Path, changes: Iterable[tuple[str, tuple[Any, ...]]]) -> tuple[int, list[str]]:
    """Return how many changes changed what is read, and which of these nobody noticed."""
    tried, unnoticed, before = 0, [], rows_of(database)
    for change, row in changes:
        copy = Path(shutil.copy(database, database.with_name("copy.db")))
        run_with(copy, change, row)
        if rows_of(copy) != before:
            tried += 1
            unnoticed += [] if looked_at(copy)[0] else [change]
    return tried, unnoticed


def test_an_amount_that_another_text_stands_for_is_noticed(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        changes = [
            (change, row)
            for change, row in changes_of(connection)
            if re.search(rf" SET ({'|'.join(MONEY)}) = \1 \|\| '0' ", change)
        ]
    assert {change.split()[1] for change, _ in changes} == {"order_intents", "orders", "fills", "postings"}
    tried, unnoticed = missed(database, changes)
    assert unnoticed == []
    assert tried == len(changes) >= 10


@pytest.mark.unmeasured
@statistics
def test_every_value_that_has_another_text_is_noticed_though_it_counts_the_same(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        changes = some(changes_of(connection), 80)
    tried, unnoticed = missed(database, changes)
    assert unnoticed == []
    assert tried > tries(200, 70)


def run_with(database: Path, statement: str, values: tuple[Any, ...]) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement, values).rowcount == 1


def test_books_that_lack_an_intent_are_compared_to_the_end(database: Path) -> None:
    run_sql(database, "DELETE FROM order_intents")
    with closing(read_journal(url_of(database), PAPER)) as journal:
        assert any("which nobody wanted" in line for line in check_books(journal))


def test_a_database_that_is_deleted_or_replaced_while_it_is_used_is_not_written(database: Path) -> None:
    with closing(open_journal(url_of(database), PAPER)) as journal:
        claim = journal.claimed()
        assert claim is not None
        journal.claim(claim.instance, 7)
        journal.prove_place()
        aside = database.rename(database.with_name("aside"))
        for name in ("opened", "others"):
            with pytest.raises(DatabaseError, match="was deleted or replaced while it was used"):
                write(journal, name)
            shutil.copy(aside, database)
        aside.replace(database)
        journal.prove_place()
        database.with_name("hot.db-wal").unlink()
        with pytest.raises(DatabaseError, match=r"hot.db-wal is not it any more"):
            journal.prove_place()


def write(journal: Journal, value: str) -> None:
    with journal.writing(8) as tx:
        tx.cursor("opened", value)


def test_a_second_name_of_a_database_is_no_second_database(database: Path, tmp_path: Path) -> None:
    link = tmp_path / "else" / "other.db"
    link.parent.mkdir()
    link.symlink_to(database)
    with AccountLock(database, PAPER), pytest.raises(DatabaseError, match=r"another process .* trades this"):
        AccountLock(link, PAPER).__enter__()
    link.unlink()
    link.hardlink_to(database)
    with pytest.raises(DatabaseError, match=r"has another name on this disk \(a hard link\)"):
        open_journal(url_of(link), PAPER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM orders", "is damaged: what '.*' names is gone"),
        ("DELETE FROM order_intents", "is damaged: what '.*' names is gone"),
    ],
)
def test_a_row_that_goes_while_the_account_is_traded_ends_it_with_one_line(
    database: Path, change: str, said: str
) -> None:
    run_sql(database, change)
    with closing(open_journal(url_of(database), PAPER)) as journal, pytest.raises(DatabaseError, match=said):
        Mirror(journal)


def test_what_an_order_or_a_fill_is_of_is_named_when_it_is_gone(database: Path) -> None:
    run_sql(database, "DELETE FROM order_intents")
    with closing(open_journal(url_of(database), PAPER)) as journal:
        account = Account(journal)
        with pytest.raises(DatabaseError, match=r"what fill .* was for is gone"):
            list(account.desk.path.history())
        with pytest.raises(DatabaseError, match="the intent a-key is gone; restore a backup"):
            journal.intent("a-key")


def test_of_a_long_journal_the_status_reads_the_newest_entries(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_status, "CHECKED", 3)
    run_sql(database, "UPDATE orders SET amount = '77'")
    assert run_live.main(["--status", "--db-url", url_of(database)]) == 0
    assert "the newest 3 entries (db_status.py --check reads all) were checked" in capsys.readouterr().out
    run_sql(database, "UPDATE journal SET ts = 5 WHERE seq = (SELECT max(seq) FROM journal)")
    assert run_live.main(["--status", "--db-url", url_of(database)]) == 3


def test_an_account_that_nobody_traded_has_no_mark(tmp_path: Path) -> None:
    assert mark_of(tmp_path / "new.db", "nobody") is None
