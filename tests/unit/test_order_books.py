"""What is wrong with an account's books is found, whatever was changed behind the program's back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.account.orders import Purpose
from core.order_path.audit import AtExchange, check_books
from db.journal_rows import BEGINNING, EntryRow, facts_of, hash_of, money_text
from tests.order_schedules import ACCOUNT
from tests.unit.test_order_path import FAR, NEAR, Bench

D = Decimal


@pytest.fixture
def bench() -> Bench:
    """Return books with a filled entry, an open one, an open exit and a deposit."""
    bench = Bench(settle_ms=0)
    bench.ready()
    bench.want()
    bench.path.step()
    bench.want(1, FAR)
    bench.want(2, FAR, purpose=Purpose.EXIT, side="sell", amount=D("0.004"))
    bench.market.totals["USDT"] += 5
    bench.path.step()
    bench.path.reconcile()
    assert check_books(bench.journal) == []
    return bench


TAMPERED = {
    "UPDATE postings SET amount = '7' WHERE name = 'cash:USDT' AND txn LIKE 'fill%'": "I1: fill|",
    "UPDATE postings SET amount = '0.011' WHERE name = 'pos:BTC/USDT'": "I2, I3, I11: fill|",
    "DELETE FROM postings WHERE name = 'fee:BTC'": "I2, I3, I11: fill|",
    "UPDATE postings SET name = 'fee:USDT' WHERE name = 'adjust:USDT' AND txn LIKE 'adjust%'": "I3: adjust|",
    "UPDATE orders SET filled = '0.001' WHERE state = 'filled'": "I4: order ",
    "UPDATE orders SET filled = '0' WHERE state = 'filled'": "is filled with nothing",
    "UPDATE orders SET amount = '0.001' WHERE state = 'filled'": "is overfilled and nobody was told",
    "UPDATE fills SET client_order_id = 'nobodys'": "I4: fills of order nobodys",
    "UPDATE orders SET amount = '3' WHERE side = 'sell'": "I9: trend is about to sell",
    "UPDATE orders SET due_at = 5": "I13: order ",
    "UPDATE order_cursors SET value = 'x' WHERE name = 'opened'": "I13: cursor opened",
    "DELETE FROM journal WHERE seq = 4": "journal: entry 4 is missing, 5 follows",
    "UPDATE journal SET ts = 5 WHERE seq = 4": "journal: entry 4 (",
    "ALTER TABLE fills ADD COLUMN profit REAL": "I15: fills.profit is REAL",
}


@pytest.mark.parametrize("change", TAMPERED)
def test_a_change_behind_the_journals_back_is_found(bench: Bench, change: str) -> None:
    connection = bench.journal._connection
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(change)
    assert any(TAMPERED[change] in line for line in check_books(bench.journal))


def test_two_orders_of_one_intent_are_found_where_the_database_let_them_in(bench: Bench) -> None:
    connection = bench.journal._connection
    connection.execute("DROP INDEX one_live_attempt")
    connection.execute(
        "INSERT INTO orders SELECT account, 'twin', intent_key, 9, symbol, side, kind, amount, price, stop, "
        "state, exchange_id, filled, due_at, sent_at, absences, cancel_at, reason, epoch "
        "FROM orders WHERE state = 'filled'"
    )
    assert any("I8: " in line and "has 2 orders" in line for line in check_books(bench.journal))


def test_a_cursor_that_went_back_is_found(bench: Bench) -> None:
    bench.policy["overlap"] = 0
    bench.restarted()
    bench.ready()
    bench.want(3, NEAR)
    bench.path.step()
    passed = []
    for _ in range(2):
        bench.market.execute(bench.market.orders[-1], D("0.005"))
        bench.path.step()
        passed.append(bench.journal.cursors()["fills:BTC/USDT"])
    with bench.journal.writing(4) as tx:
        tx.cursor("fills:BTC/USDT", passed[1])
    assert check_books(bench.journal) == []
    with bench.journal.writing(5) as tx:
        tx.cursor("fills:BTC/USDT", passed[0])
    [line] = check_books(bench.journal)
    assert line.startswith("I13: fills:BTC/USDT went back in entry ")


def there(bench: Bench, **changes: Any) -> list[str]:
    names = {one.request.client_order_id for one in bench.market.orders}
    is_open = {one.request.client_order_id for one in bench.market.orders if one.standing == "open"}
    told = AtExchange(names, is_open, dict(bench.market.totals))
    return check_books(bench.journal, told._replace(**changes))


def test_the_books_are_compared_with_the_exchange(bench: Bench) -> None:
    assert there(bench) == []
    filled = bench.market.orders[0].request.client_order_id
    assert "I7: order strange at the exchange is not in the journal" in there(bench, orders={"strange"})
    assert any(line.startswith("I6, not open at the exchange") for line in there(bench, open_orders=set()))
    assert any(line.startswith("I6, open at the exchange") for line in there(bench, open_orders={filled}))
    assert any(line.startswith("I5: BTC is") for line in there(bench, balances={}))
    bench.path.release("BTC/USDT")
    bench.line.next_fault = "drop"
    bench.want(5)
    bench.path.step()
    assert any(line.startswith("I6, older than it can be") for line in there(bench))
    name = bench.path.orders()[-1].client_order_id
    for _ in range(2):
        bench.wait(12_000)
        bench.path._looking.look_at_all()
    everything = {one.client_order_id for one in bench.journal.orders()}
    assert name in everything
    assert any(line.startswith("I8, it exists at the exchange") for line in there(bench, orders=everything))


def test_a_chain_can_be_verified_from_any_entry_on(bench: Bench) -> None:
    for last in (1, 3, 1000, None):
        assert bench.journal.verify_chain(last) == []
    bench.journal._connection.execute("UPDATE journal SET body = '{}' WHERE seq = 2")
    assert bench.journal.verify_chain(3) == []
    assert len(bench.journal.verify_chain()) == 1
    entry = EntryRow(1, 2, "k", "r", "{}", "")
    assert hash_of(BEGINNING, ACCOUNT, *entry[:-1]) != hash_of(BEGINNING, "other", *entry[:-1])


def test_entries_of_before_tell_one_fact_each() -> None:
    one = EntryRow(1, 2, "cursor", "fills:BTC/USDT", '{"value":"[\\"\\",\\"7\\"]"}', "")
    assert facts_of(one) == [("cursor", "fills:BTC/USDT", {"value": '["","7"]'})]
    many = one._replace(body='[["order","a",{"state":"open"}],["cursor","b",{"value":"c"}]]')
    assert facts_of(many) == [("order", "a", {"state": "open"}), ("cursor", "b", {"value": "c"})]


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.500", "1.5"), ("-0", "0"), ("0E+3", "0"), ("1E+3", "1000"), ("12E-9", "0.000000012")],
)
def test_money_has_one_text(value: str, text: str) -> None:
    assert money_text(D(value)) == text


def test_money_is_no_float_and_finite() -> None:
    with pytest.raises(TypeError, match=r"money is a Decimal, got float 0\.1"):
        money_text(0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="finite"):
        money_text(D("NaN"))
