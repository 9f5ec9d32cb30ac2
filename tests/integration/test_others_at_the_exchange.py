"""A person at the same account, by unmodified ccxt over real HTTP, while strategies trade on it.

All of it is noticed, booked under its own name, told once, and no strategy's profit or loss.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from core.account.messages import Terms
from core.account.money import total
from core.cli.live_status import agreement
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.orders import OwnTrade
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.figures import exact
from core.live.feed import Polled
from core.live.loop import Command, Loop
from core.live.status import to_document
from core.order_path.audit import AtExchange, check_books
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.venue import Venue
from core.utils import format_time
from db.journal import memory_journal
from tests.exchange_help import FakeTime, bench
from tests.integration.test_sim_ccxt import trader
from tests.order_schedules import intent
from tests.sim import MINUTE, bars_of, hand_made
from tests.unit.test_exchange_desk import BTC, FIRST, FLAT, LONG, PRICE, World

D = Decimal
CASH = D(100_000)


class Clock(FakeTime):
    """The exchange's time, with what World asks of a market."""

    def advance(self, ms: int) -> None:
        self.now += ms


class Account(World):
    """A session at the local exchange, and a person with the same key."""

    def __init__(self, opened: ExitStack) -> None:
        bars = bars_of([(FIRST + n * MINUTE, *(self.price_at(n),) * 4, 160.0) for n in range(600)])
        time = self.exchange = Clock(FIRST + 30_000)  # type: ignore[assignment]
        funds = AccountConfig(balances={"USDT": CASH})
        config = SimConfig(source=hand_made(bars), clock=time.clock, account=funds)
        self.sim: RunningSim = opened.enter_context(serve(config))
        keys = {"api_key": TEST_KEY, "api_secret": TEST_SECRET}
        self.client = opened.enter_context(bench(self.sim.url, time=time, **keys)).client
        self.person: Any = trader(self.sim, self.exchange)
        opened.callback(self.person.session.close)
        self.journal = memory_journal("test")
        self.number = 0
        self.begin(self.journal)
        self.events.clear()

    def price_at(self, minute: int) -> float:
        """Return the market's price, so that every number of it is known."""
        return PRICE

    def venue(self) -> Venue:
        return ExchangeVenue(self.client)

    def settled(self) -> None:
        """Let the books be compared until they agree."""
        self.desk.look_again()
        for _ in range(4):
            self.look(6000)

    def tell(self, name: str, argument: str = "") -> str:
        """Give the loop a command."""
        nothing: Any = None
        loop = Loop("x", self.session, nothing, nothing, print, self.desk)
        return loop.carry_out(Command(1, name, argument), self.exchange.now)

    def sum(self, name: str) -> Decimal:
        """Return what the lines of a name add up to."""
        return self.path.mirror.books.sum(name, name.partition(":")[2])

    def told(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]

    def wrong(self) -> list[str]:
        """Return what the books and the exchange itself do not agree on."""
        books = self.sim.books()
        orders = {one.client_id for kept in books.orders.values() for one in kept.values()}
        opened = {one.client_id for one in books.open_orders()}
        ours = {one.client_order_id for one in self.journal.orders()}
        totals = {asset: one.free + one.locked for asset, one in books.wallet.all().items()}
        there = AtExchange(orders & ours, opened & ours, totals)
        return [*check_books(self.journal, there), *self.desk.disagreements()]

    def holds(self) -> list[tuple[str, str]]:
        """Return what the status says is held up, with the command that ends it."""
        return [(one.ref, one.ends) for one in self.desk.status().standing]


@pytest.fixture
def account() -> Iterator[Account]:
    with ExitStack() as opened:
        yield Account(opened)


@pytest.mark.unmeasured
def test_deposits_and_withdrawals_are_booked_by_name_while_the_account_trades(account: Account) -> None:
    account.entered()
    held = account.path.position(BTC)
    assert held > 0
    account.sim.deposit("USDT", "1000.5")
    account.person.withdraw("USDT", 2001, "an-address-elsewhere")
    account.desk.look_again()
    account.look()
    # The first look only doubts; the account sells and buys before the second.
    account.bar(FLAT)
    account.settled()
    assert account.path.position(BTC) < held
    assert (account.sum("deposit:USDT"), account.sum("withdrawal:USDT")) == (D("-1000.5"), D(2001))
    assert account.sum("adjust:USDT") == -CASH
    [told] = account.told("adjusted")
    assert told.startswith("USDT: the exchange had -1000.5 beside what the books said (")
    assert "deposit local-deposit-1 +1000.5" in told
    assert "withdrawal local-withdrawal-1 -2001" in told
    assert abs(account.session.portfolio.results["SCRIPTED"].gross - gross(account)) < D("1e-20")
    assert account.holds() == [(BTC, f"--account test --accept {BTC}")]
    account.bar(LONG)
    account.look()
    assert sides(account) == ["buy", "sell"]
    assert account.tell("accept", BTC).startswith(f"{BTC} is accepted as it is")
    account.bar(LONG)
    account.look()
    assert sides(account) == ["buy", "sell", "buy"]
    assert account.wrong() == []


def theirs(account: Account) -> list[OwnTrade]:
    """Return what was executed of the person's orders."""
    ours = {order.exchange_id for order in account.journal.orders()}
    return [one for one in account.sim.books().trades[BTC] if str(one.order_id) not in ours]


def gross(account: Account) -> Decimal:
    """Return what our own fills made before fees, from the exchange's own trades."""
    ours = {order.exchange_id for order in account.journal.orders()}
    trades = [one for one in account.sim.books().trades[BTC] if str(one.order_id) in ours]
    bought = [one for one in trades if one.buys]
    sold = [one for one in trades if not one.buys]
    cost, amount = total(one.turnover for one in bought), total(one.amount for one in bought)
    return total(one.turnover - one.amount * cost / amount for one in sold)


def sides(account: Account) -> list[str]:
    return [order.side for order in account.journal.orders() if order.state == "filled"]


@pytest.mark.unmeasured
def test_a_deposit_that_is_credited_later_is_booked_then_and_holds_nothing_up(account: Account) -> None:
    account.entered()
    late = account.sim.deposit("SOL", "3", pending=True)
    account.settled()
    assert account.told("adjusted") == []
    account.sim.credit(late)
    account.settled()
    assert (account.sum("deposit:SOL"), account.sum("adjust:SOL")) == (D(-3), D(0))
    assert len(account.told("adjusted")) == 1
    assert account.holds() == []
    assert [one.asset for one in account.desk.status().outside or ()] == ["SOL"]
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_coins_withdrawn_reduce_the_claim_and_come_back_as_nobodys_when_it_fails(account: Account) -> None:
    account.entered()
    held = account.path.position(BTC)
    account.person.withdraw("BTC", 0.01, "an-address-elsewhere")
    account.settled()
    assert account.path.position(BTC) == account.session.portfolio.amount(BTC) == held - D("0.01")
    assert (account.sum("withdrawal:BTC"), account.sum("adjust:BTC")) == (D("0.01"), D(0))
    assert account.told("taken") == ["others took 0.01 BTC/USDT of what SCRIPTED held (withdrawal)"]
    assert [event.kind for event in account.events if event.critical] == ["taken"]
    account.sim.fail_withdrawal(1)
    account.settled()
    assert account.sum("withdrawal:BTC") == 0
    assert account.path.position(BTC) == held - D("0.01")
    assert account.wrong() == []


def test_conversions_and_dust_swept_together_are_booked_under_their_names(account: Account) -> None:
    account.sim.deposit("SOL", "0.003")
    account.entered()
    account.settled()
    account.events.clear()
    held, cash = account.path.position(BTC), account.session.portfolio.cash
    account.sim.convert(("BTC", "0.01"), ("USDT", "701.5"))
    account.sim.convert(("SOL", "0.002"), ("BNB", "0.0004"), dust=True)
    account.sim.convert(("SOL", "0.001"), ("BNB", "0.0002"), dust=True)
    account.settled()
    assert (account.sum("convert:BTC"), account.sum("convert:USDT")) == (D("0.01"), D("-701.5"))
    assert (account.sum("dust:SOL"), account.sum("dust:BNB")) == (D("0.003"), D("-0.0006"))
    assert [account.sum(f"adjust:{asset}") for asset in ("BTC", "BNB")] == [0, 0]
    # What the coins of a claim became is nobody's, as it is with a withdrawal.
    assert account.path.position(BTC) == account.session.portfolio.amount(BTC) == held - D("0.01")
    assert account.session.portfolio.cash == cash
    assert account.told("taken") == ["others took 0.01 BTC/USDT of what SCRIPTED held (convert)"]
    assert (
        "USDT: the exchange had +701.5 beside what the books said (convert local-otc-1 +701.5)"
        in " ".join(account.told("adjusted"))
    )
    assert account.holds() == [(BTC, f"--account test --accept {BTC}")]
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_sale_by_hand_takes_the_claim_is_told_once_and_holds_entries_until_accepted(
    account: Account,
) -> None:
    account.entered()
    held, cash = account.path.position(BTC), account.session.portfolio.cash
    account.person.create_order(BTC, "market", "sell", float(held.quantize(D("0.00001"), "ROUND_DOWN")))
    sold = theirs(account)
    amount = total(one.amount for one in sold)
    account.settled()
    assert account.path.position(BTC) == held - amount < D("0.00001")
    assert account.sum("foreign:BTC") == amount
    # What it brought is the account's cash.
    assert account.session.portfolio.cash == cash + total(one.turnover - one.fee for one in sold)
    assert account.session.portfolio.results["SCRIPTED"].gross == 0
    assert len(account.told("foreign")) == len(account.told("taken")) == 1
    assert account.holds() == [(BTC, f"--account test --accept {BTC}")]
    account.bar(LONG)
    account.look()
    assert sides(account) == ["buy"]
    account.tell("accept", BTC)
    account.bar(LONG)
    account.look()
    assert sides(account) == ["buy", "buy"]
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_purchase_by_hand_is_nobodys_and_costs_no_strategy_anything(account: Account) -> None:
    account.entered()
    held = account.path.position(BTC)
    account.person.create_order(BTC, "market", "buy", 0.1)
    bought = theirs(account)
    got = total(one.amount - one.fee for one in bought)
    account.settled()
    assert account.path.position(BTC) == account.session.portfolio.amount(BTC) == held
    assert account.sum("foreign:BTC") == -got
    assert account.sum("foreign:USDT") == total(one.turnover for one in bought)
    assert account.session.portfolio.results["SCRIPTED"].gross == 0
    assert len(account.told("foreign")) == 1
    [outside] = account.desk.status().outside or ()
    assert (outside.asset, outside.amount) == ("BTC", got)
    assert account.holds() == []
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_open_orders_of_others_are_named_told_once_and_left_alone(account: Account) -> None:
    account.entered()
    theirs = account.person.create_order(BTC, "limit", "buy", 0.01, 30_000)
    for _ in range(2):
        account.settled()
    text = f"buy 0.01 {BTC}, order {theirs['id']}"
    assert account.desk.status().foreign_orders == (text,)
    assert account.told("foreign") == [f"open order of somebody else: {text}"]
    # What their order keeps is still the account's: nothing differs, nothing is cancelled.
    account.bar(FLAT)
    account.settled()
    assert sides(account) == ["buy", "sell"]
    assert [one["id"] for one in account.person.fetch_open_orders(BTC)] == [theirs["id"]]
    account.person.cancel_order(theirs["id"], BTC)
    account.settled()
    assert account.desk.status().foreign_orders == ()
    assert account.told("canceled") == []
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_cancel_by_hand_of_our_resting_order_is_somebody_elses_and_told_once(account: Account) -> None:
    account.bar()
    now = account.exchange.now
    account.path.submit(intent(1, at=now, ttl=600_000), Terms("limit", D(30_000)))
    account.path.step()
    [order] = account.path.orders()
    assert order.state == "open"
    account.person.cancel_order(order.exchange_id, BTC)
    account.look()
    [order] = account.journal.orders()
    assert (order.state, order.reason) == (
        "canceled",
        "cancelled at the exchange, and not by this program",
    )
    assert len(account.told("canceled")) == 1
    assert account.holds() == [(BTC, "")]
    # The books are compared at the next look, and agree.
    account.look()
    assert account.holds() == []
    assert account.person.fetch_open_orders(BTC) == []
    assert account.wrong() == []


def looping(account: Account) -> Loop:
    """Return the loop of an account, to which no candle comes."""
    records: Any = SimpleNamespace(commands=list, answer=nothing_said, keep=nothing_said, beat=nothing_said)
    feed: Any = SimpleNamespace(poll=lambda _: Polled((), ()), lags=lambda _: ())
    return Loop("x", account.session, feed, records, print, account.desk)


def nothing_said(*_: object) -> None:
    """Keep nothing."""


def flatten(account: Account) -> Loop:
    """Give the command and let the loop look; return the loop."""
    loop = looping(account)
    loop.carry_out(Command(1, "flatten", ""), account.exchange.now)
    account.desk.send()
    stepped(account, loop)
    return loop


def stepped(account: Account, loop: Loop, ms: int = 1000) -> None:
    """Let the loop look twice, for what it orders at one look is told at the next."""
    for wait in (ms, 1000):
        account.exchange.advance(wait)
        loop.step(account.exchange.now)


def keeping(account: Account, amount: Decimal) -> str:
    """Let the person sell at a price that nobody pays; return the order's id."""
    order = account.person.create_order(BTC, "limit", "sell", float(on_step(amount)), PRICE * 2)
    return str(order["id"])


def on_step(amount: Decimal) -> Decimal:
    return amount.quantize(D("0.00001"), "ROUND_DOWN")


def sales(account: Account) -> list[tuple[str, Decimal]]:
    return [(one.state, one.amount) for one in account.journal.orders() if one.side == "sell"]


@pytest.mark.unmeasured
def test_a_refused_flatten_is_ordered_again_until_flat_also_after_a_restart(account: Account) -> None:
    account.entered()
    held = account.session.portfolio.amount(BTC)
    theirs = keeping(account, held)
    loop = flatten(account)
    assert [state for state, _ in sales(account)] == ["rejected"]
    until = format_time(account.exchange.now + MINUTE - 2000)
    wish, refused = account.desk.status().standing
    assert wish.told(account.desk.start) == (
        f"flatten {BTC}: SCRIPTED is ordered closed until it is; to keep it: "
        "run_live.py --account test --resume"
    )
    assert "its exit was refused 1 time in a row" in refused.why
    assert f"tried again at {until} UTC" in refused.why
    # It names the order that is in the way.
    assert f"sell {exact(on_step(held))} {BTC}, order {theirs}" in refused.why
    stepped(account, loop, 50_000)
    assert len(sales(account)) == 1
    stepped(account, loop, 10_000)
    assert [state for state, _ in sales(account)] == ["rejected"] * 2
    stepped(account, loop, MINUTE)
    assert len(sales(account)) == 2
    account.begin(account.journal, json.loads(json.dumps(account.kept())))
    account.person.cancel_order(theirs, BTC)
    loop = looping(account)
    # The second refusal's two minutes go on where they were.
    stepped(account, loop)
    assert len(sales(account)) == 2
    stepped(account, loop, MINUTE)
    assert [state for state, _ in sales(account)] == ["rejected", "rejected", "filled"]
    assert account.session.portfolio.lots("SCRIPTED", BTC) == ()
    stepped(account, loop, MINUTE)
    assert account.holds() == []
    assert len(sales(account)) == 3
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_person_who_resumes_wants_nothing_closed_any_more(account: Account) -> None:
    account.entered()
    keeping(account, account.session.portfolio.amount(BTC))
    loop = flatten(account)
    account.tell("resume")
    assert [one.kind for one in account.desk.status().standing] == ["exits"]
    assert "not tried again before" in account.desk.status().standing[0].why
    for _ in range(3):
        stepped(account, loop, MINUTE)
    assert [state for state, _ in sales(account)] == ["rejected"]


def test_an_exit_sells_what_others_orders_leave_free_and_says_which_order_keeps_the_rest(
    account: Account,
) -> None:
    account.entered()
    held = account.session.portfolio.amount(BTC)
    theirs = keeping(account, D("0.02"))
    account.settled()
    loop = flatten(account)
    left = held - on_step(held - D("0.02"))
    assert sales(account) == [("filled", held - left)]
    assert account.session.portfolio.amount(BTC) == account.path.position(BTC) == left
    order = f"sell 0.02 {BTC}, order {theirs}"
    assert account.told("exits") == [
        f"{BTC}, SCRIPTED: {exact(held - left)} of {exact(on_step(held))} are "
        f"closed now, coins are kept for orders of somebody else: {order}"
    ]
    # What is left is tried once more, and is not free: the exchange says so, the status says whose it is.
    stepped(account, loop, MINUTE)
    assert [state for state, _ in sales(account)] == ["filled", "rejected"]
    assert any(order in one.why for one in account.desk.status().standing if one.kind == "exits")
    account.person.cancel_order(theirs, BTC)
    stepped(account, loop, MINUTE)
    assert [state for state, _ in sales(account)] == ["filled", "rejected", "filled"]
    assert account.session.portfolio.lots("SCRIPTED", BTC) == ()
    assert account.wrong() == []


def test_the_status_says_when_books_and_exchange_were_found_to_agree(account: Account) -> None:
    account.entered()
    account.settled()
    seen = account.desk.status().agreed_at
    assert seen is not None
    account.look(30_000)
    assert account.desk.status().agreed_at == seen
    asked = len(account.sim.requests)
    account.look(30_000)
    now = account.exchange.now
    assert account.desk.status().agreed_at == now
    assert agreement(account.desk.status()) == f"books and exchange agree: yes, as of {format_time(now)} UTC"
    paths = [one.path for one in account.sim.requests[asked:]]
    assert [one for one in paths if not one.endswith("/time")] == ["/api/v3/account"]
    account.sim.deposit("USDT", "5")
    account.look(60_000)
    assert agreement(account.desk.status()).endswith(f", they did as of {format_time(now)} UTC")
    assert to_document_of(account)["agreed_at"] == now


def to_document_of(account: Account) -> dict[str, Any]:
    """Return the desk's status as it is stored."""
    desk: dict[str, Any] = to_document(looping(account).status(account.exchange.now))["desk"]
    return desk


@pytest.mark.unmeasured
def test_a_flatten_that_is_refused_eight_times_is_for_a_person_and_goes_on_once_accepted(
    account: Account,
) -> None:
    account.entered()
    theirs = keeping(account, account.session.portfolio.amount(BTC))
    loop = flatten(account)
    for minutes in (1, 2, 4, 8, 16, 32, 60):
        assert account.told("exits") == []
        stepped(account, loop, minutes * MINUTE)
    (asked,) = account.told("exits")
    assert "its exit was refused 8 times in a row" in asked
    assert asked.endswith(f"order {theirs}; run_live.py --account test --accept {BTC}")
    account.person.cancel_order(theirs, BTC)
    stepped(account, loop, 60 * MINUTE)
    assert [state for state, _ in sales(account)] == ["rejected"] * 8
    assert account.tell("accept", BTC).startswith(f"{BTC} is accepted")
    stepped(account, loop)
    assert [state for state, _ in sales(account)] == [*["rejected"] * 8, "filled"]
    assert account.session.portfolio.lots("SCRIPTED", BTC) == ()
