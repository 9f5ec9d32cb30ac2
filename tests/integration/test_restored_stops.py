"""A backup put back while newer stops of the account rest at the exchange, over real ccxt at both venues."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import OrderRequest, Terms
from core.exchange_sim.faults import Fault
from core.order_path.client_ids import account_sign, client_order_id, is_name_of
from core.order_path.reconciling import RIVAL
from core.order_path.storage import Storage
from core.risk.limits import Limits
from db.journal import Journal
from tests.integration.test_breakers_at_the_exchange import BinanceFalling, Falling, KrakenFalling
from tests.unit.test_exchange_desk import BTC

D = Decimal
NEARER = 8.0


class BinanceStanding(BinanceFalling):
    """A market that stands still."""

    limits = Limits()
    falls_at = 100_000


class KrakenStanding(KrakenFalling):
    """The same at Kraken."""

    limits = Limits()
    falls_at = 100_000


class Backup:
    """What of an account is in a database, as it is at one moment."""

    def __init__(self, account: Any) -> None:
        self._rows = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        account.path.journal._connection.backup(self._rows)
        self._kept = json.loads(json.dumps(account.kept()))
        self._account = account

    def put_back(self) -> Storage:
        """Let a new process begin on it."""
        journal = Journal(self._rows, ":memory:", "test")
        self._account.exchange.advance(1000)
        self._account.begin(journal, self._kept)
        self._account.journal = journal
        self._account.desk.send()
        return journal


@pytest.fixture(params=[BinanceStanding, KrakenStanding])
def account(request: pytest.FixtureRequest) -> Iterator[Any]:
    with ExitStack() as opened:
        yield request.param(opened)


def names(account: Falling) -> list[str]:
    return [one.client_id for one in account.stops_there()]


def lost(account: Any) -> list[str]:
    return [event.ref for event in account.events if event.kind == "lost" and event.critical]


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["", "reset_before", "reset_after"])
def test_a_stop_that_a_restored_backup_does_not_know_is_ours_and_makes_room_for_one_that_it_knows(
    account: Any, fault: str
) -> None:
    account.entered()
    backup = Backup(account)
    account.desk.send()
    [theirs] = names(account)
    if fault:
        path, method = (
            ("CancelOrder", "POST") if isinstance(account, KrakenStanding) else ("/order", "DELETE")
        )
        account.sim.set_faults([Fault(fault, path=path, method=method)])
    backup.put_back()
    [now] = names(account)
    assert now != theirs
    assert lost(account) == [theirs]
    assert account.path.foreign_orders() == ()
    assert account.wrong() == []
    (status,) = account.desk.status().stops
    assert status.where == "exchange"


def test_a_stop_that_was_moved_since_rests_once_and_where_the_backup_has_it() -> None:
    with ExitStack() as opened:
        account: Any = BinanceStanding(opened)
        account.protected()
        [first] = account.stops_there()
        backup = Backup(account)
        account.bar(NEARER)
        account.settled()
        [moved] = account.stops_there()
        assert moved.stop > first.stop
        backup.put_back()
        account.settled()
        [last] = account.stops_there()
        assert (last.stop, last.quantity) == (first.stop, first.quantity)
        assert lost(account) == [moved.client_id]
        assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_stop_of_what_was_bought_since_is_cancelled_and_the_coins_are_nobodys(account: Any) -> None:
    backup = Backup(account)
    account.protected()
    [theirs] = names(account)
    backup.put_back()
    assert names(account) == []
    assert lost(account) == [theirs]
    account.settled()
    assert account.session.portfolio.lots("SCRIPTED", BTC) == ()
    assert [one.asset for one in account.desk.status().outside] == ["BTC"]
    assert account.wrong() == []


def test_an_order_of_ours_that_appears_while_we_trade_is_of_a_second_program_and_is_left_alone(
    account: Any,
) -> None:
    account.protected()
    (instance,) = account.journal._connection.execute("SELECT instance FROM trading_accounts").fetchone()
    name = account_sign("test", instance) + "f" * 24
    is_kraken = isinstance(account, KrakenStanding)
    terms = Terms("stop", None, D(30_000)) if is_kraken else Terms("stop_limit", D(29_900), D(30_000))
    other = OrderRequest(name, BTC, "sell", D("0.001"), terms)
    [ours] = account.stops_there()
    account.path.cancel(next(one.intent_key for one in account.path.orders() if one.kind == terms.kind))
    account.client.orders.place(other)
    account.settled()
    assert name in names(account)
    assert account.path.halt().endswith(RIVAL)
    assert account.path.ready
    assert ours.client_id not in names(account)
    # It is told once, and looked at until somebody ends it.
    assert len([event for event in account.events if event.kind == "halt"]) == 1
    account.client.orders.cancel(BTC, name)
    account.path.release()
    account.settled()
    assert account.wrong() == []


def test_names_of_an_account_begin_alike_and_those_of_others_do_not() -> None:
    one, two = (client_order_id("live", "live-1", key, 0) for key in ("a", "b"))
    assert one != two
    assert one[:8] == two[:8] == account_sign("live", "live-1")
    assert (
        len({account_sign("live", "live-1"), account_sign("live", "live-2"), account_sign("b", "live-1")})
        == 3
    )
    assert is_name_of(one, "live", "live-1", "a", 0)
    assert not is_name_of(two, "live", "live-1", "a", 0)
    # As it was named before names of an account began alike.
    assert is_name_of("917cddd7fbe94e045b6c00647dd0e0ce", "live", "live-1", "a", 0)
