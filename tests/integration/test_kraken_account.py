"""A session that trades at the local Kraken: its own orders, a person's hand, and maintenance."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import Terms
from core.account.money import minus, plus, total
from core.exchange_sim.accounts import TEST_KEY, AccountConfig
from core.exchange_sim.kraken_gate import Tier, kraken_secret
from core.exchange_sim.kraken_names import order_txid
from core.exchange_sim.server import KRAKEN, RunningSim, SimConfig, serve
from core.order_path.audit import AtExchange, check_books
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.venue import Venue
from db.journal import memory_journal
from tests.exchange_help import bench
from tests.integration.test_others_at_the_exchange import Clock
from tests.order_schedules import intent
from tests.sim import HOUR, MINUTE, bars_of, hand_made
from tests.unit.test_exchange_desk import BTC, FIRST, FLAT, LONG, PRICE, World

D = Decimal
CASH = D(100_000)
PAIR = "XBTUSDT"
FREE = Tier(1e9, 1e9, 1e9, 1e9)


class KrakenWorld(World):
    """A session at the local Kraken, and a person at its web page."""

    def __init__(self, opened: ExitStack) -> None:
        bars = bars_of([(FIRST + n * MINUTE, *(self.price_at(n),) * 4, 160.0) for n in range(600)])
        time = self.exchange = Clock(FIRST + 30_000)  # type: ignore[assignment]
        funds = AccountConfig(balances={"USDT": CASH}, maker=D("0.0025"), taker=D("0.004"))
        config = SimConfig(source=hand_made(bars), clock=time.clock, account=funds, tier=FREE)
        self.sim: RunningSim = opened.enter_context(serve(config))
        keys = {"api_key": TEST_KEY, "api_secret": kraken_secret(funds)}
        self.client = opened.enter_context(bench(self.sim.url, "kraken", time, **keys)).client
        # The counter has a test of its own.
        self.client._transport._limiter._windows.clear()
        self.journal = memory_journal("test")
        self.number = 0
        self.begin(self.journal)
        self.events.clear()

    def price_at(self, minute: int) -> float:
        """Return the market's price, so that every number of it is known."""
        return PRICE

    def venue(self) -> Venue:
        return ExchangeVenue(self.client)

    def by_hand(self, what: str, **fields: str) -> Any:
        """Do something as a person does who is logged in."""
        return self.sim.kraken.by_hand(what, self.sim.now(), **fields)

    def settled(self) -> None:
        """Let the books be compared until they agree."""
        self.desk.look_again()
        for _ in range(4):
            self.look(6000)

    def sum(self, name: str) -> Decimal:
        """Return what the lines of a name add up to."""
        return self.path.mirror.books.sum(name, name.partition(":")[2])

    def told(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]

    def states(self) -> list[tuple[str, str]]:
        return [(order.side, order.state) for order in self.journal.orders()]

    def wrong(self) -> list[str]:
        """Return what the books and the exchange itself do not agree on, and what it did not know."""
        books = self.sim.books(KRAKEN)
        ours = {one.client_order_id for one in self.journal.orders()}
        orders = {one.client_id for kept in books.orders.values() for one in kept.values()}
        opened = {one.client_id for one in books.open_orders()}
        totals = {asset: one.free + one.locked for asset, one in books.wallet.all().items()}
        there = AtExchange(orders & ours, opened & ours, totals)
        unknown = [f"{name} was sent" for name in self.sim.kraken.unknown]
        return [*check_books(self.journal, there), *self.desk.disagreements(), *unknown]

    def holds(self) -> list[tuple[str, str]]:
        """Return what the status says is held up, with the command that ends it."""
        return [(one.ref, one.ends) for one in self.desk.status().standing]


@pytest.fixture
def account() -> Iterator[KrakenWorld]:
    with ExitStack() as opened:
        yield KrakenWorld(opened)


@pytest.mark.unmeasured
def test_an_entry_and_an_exit_are_booked_to_the_last_digit(account: KrakenWorld) -> None:
    account.entered()
    account.look()
    trades = account.sim.books(KRAKEN).trades[BTC]
    assert account.path.position(BTC) == total(one.amount for one in trades) > 0
    account.bar(FLAT)
    account.settled()
    assert account.states() == [("buy", "filled"), ("sell", "filled")]
    assert account.path.position(BTC) == 0
    assert account.wrong() == []
    kept = account.path.balances()["USDT"]
    assert kept == account.sim.books(KRAKEN).wallet.of("USDT").free
    fees = total(one.fee for one in account.journal.fills())
    assert minus(CASH, kept) == plus(fees, account.session.portfolio.results["SCRIPTED"].gross.copy_negate())
    assert account.told("adjusted") == []


@pytest.mark.unmeasured
def test_a_new_process_goes_on_where_the_old_one_was(account: KrakenWorld) -> None:
    account.entered()
    account.look()
    kept = account.kept()
    account.begin(account.journal, kept)
    assert account.path.position(BTC) > 0
    # The first bar of a new process only warms up.
    account.bar()
    account.bar(FLAT)
    account.settled()
    assert account.states() == [("buy", "filled"), ("sell", "filled")]
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_sale_by_hand_takes_the_claim_is_told_once_and_holds_entries_until_accepted(
    account: KrakenWorld,
) -> None:
    account.entered()
    account.look()
    held = account.path.position(BTC)
    account.by_hand("AddOrder", pair=PAIR, type="sell", ordertype="market", volume=f"{held}")
    account.settled()
    assert account.path.position(BTC) == 0
    assert account.sum("foreign:BTC") == held
    assert len(account.told("foreign")) == len(account.told("taken")) == 1
    assert account.holds() == [(BTC, f"--account test --accept {BTC}")]
    account.bar(LONG)
    account.look()
    assert account.states() == [("buy", "filled"), ("buy", "denied")]
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_purchase_by_hand_with_its_fee_in_coins_is_nobodys_and_exact(account: KrakenWorld) -> None:
    account.entered()
    account.look()
    held = account.path.position(BTC)
    account.by_hand("AddOrder", pair=PAIR, type="buy", ordertype="market", volume="0.1", oflags="fcib")
    account.settled()
    assert account.path.position(BTC) == held
    got = minus(account.sim.books(KRAKEN).wallet.of("BTC").free, held)
    assert account.sum("foreign:BTC") == got.copy_negate()
    assert D("0.0995") < got < D("0.1")
    # What such a purchase cost was cut, and its fee is in coins: the cent's part is left over.
    assert abs(account.sum("adjust:USDT") + CASH) < D("0.0000001")
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_cancel_by_hand_of_our_resting_order_is_somebody_elses_and_told_once(account: KrakenWorld) -> None:
    account.bar()
    now = account.exchange.now
    account.path.submit(intent(1, at=now, ttl=600_000), Terms("limit", D(30_000)))
    account.path.step()
    [order] = account.path.orders()
    assert order.state == "open"
    account.by_hand("CancelOrder", txid=order.exchange_id or "")
    account.look()
    [order] = account.journal.orders()
    assert (order.state, order.reason) == (
        *("canceled", "cancelled at the exchange, and not by this program"),
    )
    assert len(account.told("canceled")) == 1
    account.look()
    assert account.holds() == []
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_our_own_cancel_is_no_strangers(account: KrakenWorld) -> None:
    account.bar()
    one = intent(1, at=account.exchange.now, ttl=600_000)
    account.path.submit(one, Terms("limit", D(30_000)))
    account.path.step()
    found = account.path.cancel(one.intent.key)
    assert found is not None
    assert (found.state, account.told("canceled")) == ("canceled", [])
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_open_orders_of_others_are_named_told_once_and_left_alone(account: KrakenWorld) -> None:
    account.entered()
    account.by_hand("AddOrder", pair=PAIR, type="buy", ordertype="limit", volume="0.01", price="30000")
    for _ in range(2):
        account.settled()
    [theirs] = account.sim.books(KRAKEN).open_orders()
    text = f"buy 0.01 {BTC}, order {order_txid(theirs)}"
    assert account.desk.status().foreign_orders == (text,)
    assert account.told("foreign") == [f"open order of somebody else: {text}"]
    account.bar(FLAT)
    account.settled()
    assert account.states() == [("buy", "filled"), ("sell", "filled")]
    assert account.sim.books(KRAKEN).open_orders() == [theirs]
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_deposits_and_withdrawals_are_booked_by_name_while_the_account_trades(account: KrakenWorld) -> None:
    account.entered()
    account.look()
    held = account.path.position(BTC)
    account.sim.deposit("USDT", "1000.5", venue=KRAKEN)
    account.sim.deposit("SOL", "3", pending=True, venue=KRAKEN)
    account.by_hand("Withdraw", asset="USDT", key="mine", amount="2001")
    account.by_hand("Withdraw", asset="XXBT", key="mine", amount="0.01")
    account.settled()
    assert (account.sum("deposit:USDT"), account.sum("withdrawal:USDT")) == (D("-1000.5"), D(2001))
    assert (account.sum("withdrawal:BTC"), account.sum("deposit:SOL")) == (D("0.01"), D(0))
    assert account.path.position(BTC) == minus(held, D("0.01"))
    account.sim.credit(2, KRAKEN)
    account.sim.fail_withdrawal(2, KRAKEN)
    account.settled()
    assert (account.sum("withdrawal:BTC"), account.sum("deposit:SOL")) == (D(0), D(-3))
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_through_maintenance_an_exit_waits_and_is_sent_once(account: KrakenWorld) -> None:
    account.entered()
    account.look()
    held = account.path.position(BTC)
    account.sim.set_status("maintenance")
    account.bar(FLAT)
    for mode in ("maintenance", "cancel_only", "post_only", "limit_only"):
        account.sim.set_status(mode)
        for _ in range(3):
            account.look(20_000)
        assert account.path.position(BTC) == held
    assert account.states()[1:] == [("sell", "not_placed")] * (len(account.states()) - 2) + [("sell", "new")]
    account.sim.set_status("online")
    for _ in range(6):
        account.look(20_000)
    account.settled()
    assert account.path.position(BTC) == 0
    sold = [one for one in account.sim.books(KRAKEN).trades[BTC] if not one.buys]
    assert total(one.amount for one in sold) == held
    assert account.states()[-1] == ("sell", "filled")
    assert account.holds() == []
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_second_program_on_the_key_is_told_and_costs_time_only(
    account: KrakenWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account.entered()
    account.look()
    # It asked with a number a minute ahead of what ours will be.
    account.sim.kraken._gate._nonce = account.exchange.now + HOUR + 60_000
    account.bar(FLAT)
    account.look()
    said = " ".join(event.text for event in account.events)
    assert "another program uses this key" in said
    assert [state for side, state in account.states() if side == "sell"] != ["filled"]
    for _ in range(12):
        account.look(20_000)
    account.settled()
    assert account.path.position(BTC) == 0
    assert account.states()[-1] == ("sell", "filled")
    assert account.wrong() == []
    assert TEST_KEY not in caplog.text
