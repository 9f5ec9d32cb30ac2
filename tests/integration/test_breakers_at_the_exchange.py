"""Breakers that close positions whose stops rest at the exchange, over real ccxt at both local venues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from core.account.money import total
from core.domain import Bars
from core.engine import Step
from core.exchange_sim.faults import Fault
from core.exchange_sim.orders import SimOrder
from core.exchange_sim.server import BINANCEUS, KRAKEN
from core.live.feed import Polled
from core.live.loop import Loop
from core.live.losses import LossWatch
from core.live.standing import reset
from core.order_path.protecting import StopTerms
from core.order_path.storage import Storage
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from tests.integration.test_kraken_account import KrakenWorld
from tests.integration.test_others_at_the_exchange import Account, looping, nothing_said
from tests.sim import HOUR, MINUTE, bars_of
from tests.unit.test_exchange_desk import BTC, FIRST, FLAT, LONG, PRICE, World

D = Decimal
FALLS_AT, LOWER = 200, 0.95 * PRICE
DROPS_AT = 300
"""The minute from which on the market is lower, between the entry's bar and the next one's end."""
WEEKLY = Limits(max_weekly_loss_pct=2.0)
"""Half of equity is in a position that loses 5 %."""
STOP = D(36_000)
HELD = "SCRIPTED", BTC


class Falling(World):
    """A market that falls after the entry, and not as far as the stop, which rests."""

    limits = WEEKLY
    params = {"stop_away": 4000.0, "take_away": 8000.0, "max_exposure": 0.5, "risk_per_trade": 0.05}
    falls_at = FALLS_AT
    name = BINANCEUS
    stop_kind = "stop_limit"

    def begin(self, journal: Storage, kept: dict[str, Any] | None = None) -> None:
        """Be a new process whose stops rest."""
        it: Any = self
        self.stops = StopTerms(it.client.orders.stop_rules)
        super().begin(journal, kept)

    def price_at(self, minute: int) -> float:
        return PRICE if minute < self.falls_at else LOWER if minute < DROPS_AT else 0.899 * PRICE

    def protected(self) -> World:
        """Enter, and let the stop rest."""
        self.entered()
        self.desk.send()
        (stop,) = self.stops_there()
        assert stop.stop is not None
        assert 0 <= stop.stop - STOP <= D("0.1")
        assert 0 <= self.path.position(BTC) - stop.quantity < D("0.00001")
        return self

    def stops_there(self) -> list[SimOrder]:
        """Return the orders that are open at the exchange itself."""
        it: Any = self
        return [one for one in it.sim.books(self.name).open_orders() if one.stop]

    def falls(self) -> Step:
        """Let the bar close in which the market fell, and take what comes of it."""
        return self.bar(low=LOWER, close=LOWER)


class BinanceFalling(Falling, Account):
    """Binance.US: a stop is cancelled before anything else is sold."""


class KrakenFalling(Falling, KrakenWorld):
    """Kraken: so is one there."""

    name = KRAKEN
    stop_kind = "stop"


class Limited(KrakenFalling):
    """A market that stands still."""

    limits = Limits()
    falls_at = 100_000


@pytest.fixture(params=[BinanceFalling, KrakenFalling])
def account(request: pytest.FixtureRequest) -> Iterator[Any]:
    with ExitStack() as opened:
        yield request.param(opened)


def quiet_hours() -> Bars:
    """Return a day of hours whose price moves by a tenth of a percent."""
    rows = [(FIRST - n * HOUR, PRICE, 1.001 * PRICE, PRICE, PRICE, 1.0) for n in range(30, 0, -1)]
    return bars_of(rows)


def sales(account: Any) -> list[tuple[str, str]]:
    """Return what sold or was to sell, and how it ended, in the order in which it left."""
    orders = [one for one in account.journal.orders() if one.side == "sell"]
    return [(one.kind, one.state) for one in sorted(orders, key=lambda one: (one.sent_at or 0, one.kind))]


def is_closed(account: Any) -> bool:
    """Tell whether nothing is held, open or wanted any more, and everything agrees."""
    assert account.wrong() == []
    assert account.stops_there() == []
    account.session.forget_closed()
    assert account.session.to_close == {}
    return not account.session.portfolio.lots(*HELD)


@pytest.mark.unmeasured
def test_a_breaker_that_closes_cancels_the_stop_and_sells_all_of_it_once(account: Any) -> None:
    account.protected()
    held = account.path.position(BTC)
    step = account.falls()
    assert [name for name, _ in step.tripped] == ["weekly_loss"]
    account.settled()
    stop = sales(account)[0]
    assert stop == (account.stop_kind, "canceled")
    assert sales(account)[1:] == [("market", "filled")]
    sold = [one for one in account.sim.books(account.name).trades[BTC] if not one.buys]
    assert held - total(one.amount for one in sold) < D("0.00001")
    assert is_closed(account)
    # Of the week nothing is entered any more.
    refused = account.bar(LONG, close=LOWER).outcomes
    assert [one.reason.value for one in refused] == ["weekly_loss"]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("limits", "is_left"),
    [
        (Limits(max_drawdown_pct=2.0, drawdown_closes="all"), False),
        (Limits(max_weekly_loss_pct=2.0, weekly_loss_closes="nothing", weekly_loss_ends="settings"), True),
    ],
)
def test_what_a_breaker_closes_there_is_what_settings_say(
    account: Any, limits: Limits, is_left: bool
) -> None:
    account.session.risk.take_settings(RiskManager(0.01, None, limits))
    account.protected()
    (name, _) = account.falls().tripped[0]
    account.settled()
    if not is_left:
        assert (name, is_closed(account)) == ("drawdown", True)
        return
    # Its stop rests on, and the name alone ends nothing.
    assert (name, sales(account)) == ("weekly_loss", [(account.stop_kind, "open")])
    assert reset(account.session, name).startswith("refused: weekly_loss ends by its settings")
    account.session.risk.take_settings(RiskManager(0.01, None, replace(limits, max_weekly_loss_pct=3.0)))
    assert reset(account.session, name).startswith("breaker weekly_loss is reset; its loss is measured")


@pytest.mark.unmeasured
def test_a_loss_between_bars_closes_at_once_where_that_is_asked_for(account: Any) -> None:
    account.protected()
    records: Any = SimpleNamespace(commands=list, answer=nothing_said, keep=nothing_said, beat=nothing_said)
    feed: Any = SimpleNamespace(poll=lambda _: Polled((), ()), lags=lambda _: ())
    price = account.client.last_price
    loop = Loop("x", account.session, feed, records, print, account.desk, price)
    loop.losses = LossWatch(account.session, 60_000)
    account.exchange.now = FIRST + FALLS_AT * MINUTE + 30_000
    for _ in range(4):
        account.exchange.advance(4000)
        loop.step(account.exchange.now)
    account.settled()
    assert list(account.session.risk.state.trips) == ["weekly_loss"]
    assert sales(account) == [(account.stop_kind, "canceled"), ("market", "filled")]
    assert is_closed(account)


@pytest.mark.unmeasured
def test_what_is_sold_so_is_called_breaker_in_the_books(account: Any) -> None:
    account.protected()
    account.falls()
    trades = [trade for _ in range(4) for trade in account.look().trades]
    assert {trade.reason for trade in trades} == {"breaker"}


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_an_answer_to_the_cancel_that_is_lost_sells_nothing_twice(account: Any, fault: str) -> None:
    account.protected()
    path, method = ("CancelOrder", "POST") if account.name == KRAKEN else ("/order", "DELETE")
    account.sim.set_faults([Fault(fault, path=path, method=method)])
    account.falls()
    for _ in range(3):
        account.settled()
    assert [state for _, state in sales(account)] == ["canceled", "filled"]
    assert is_closed(account)


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["reset_after", "late"])
def test_an_answer_to_the_sale_that_is_lost_sells_nothing_twice(account: Any, fault: str) -> None:
    account.protected()
    path = "AddOrder" if account.name == KRAKEN else "/order"
    account.sim.set_faults([Fault(fault, path=path, method="POST", seconds=2)])
    account.falls()
    for _ in range(8):
        account.settled()
    filled = [state for _, state in sales(account) if state == "filled"]
    assert filled == ["filled"]
    assert is_closed(account)


@pytest.mark.unmeasured
def test_a_kill_between_cancel_and_sale_closes_after_the_restart(account: Any) -> None:
    account.protected()
    account.bar(low=LOWER, close=LOWER, send=False)
    kept = json.loads(json.dumps(account.kept()))
    # The cancel left, and nothing after it.
    (order,) = [one for one in account.path.orders() if one.kind == account.stop_kind]
    account.path.cancel(order.intent_key)
    assert account.stops_there() == []
    account.begin(account.journal, kept)
    assert account.session.to_close == {HELD: "weekly_loss"}
    loop = looping(account)
    for _ in range(4):
        account.exchange.advance(2000)
        loop.step(account.exchange.now)
    account.settled()
    assert [state for _, state in sales(account)] == ["canceled", "filled"]
    assert is_closed(account)


@pytest.mark.unmeasured
def test_a_stop_that_sells_first_leaves_nothing_to_the_breaker(account: Any) -> None:
    account.protected()
    account.bar(low=LOWER, close=LOWER, send=False)
    # The market goes on to the stop before the program sends.
    account.exchange.now = FIRST + DROPS_AT * MINUTE + 30_000
    account.desk.at(account.exchange.now)
    account.desk.send()
    account.settled()
    assert account.path.position(BTC) < D("0.00001")
    assert is_closed(account)


@pytest.mark.unmeasured
def test_a_daily_loss_leaves_the_stop_where_it_rests(account: Any) -> None:
    account.session.risk.take_settings(RiskManager(0.01, 2.0, Limits()))
    account.protected()
    before = account.stops_there()
    step = account.falls()
    assert [name for name, _ in step.tripped] == ["daily_loss"]
    account.settled()
    assert account.stops_there() == before
    assert account.session.to_close == {}
    assert account.wrong() == []


@pytest.mark.unmeasured
def test_a_flash_crash_pauses_entries_and_leaves_the_stop_where_it_rests(account: Any) -> None:
    account.session.risk.take_settings(RiskManager(0.01, None, Limits(flash_crash_ranges=3.0)))
    account.session.risk.remember(BTC, "1h", quiet_hours())
    account.protected()
    before = account.stops_there()
    account.falls()
    assert list(account.session.risk.standing(account.exchange.now)) == [f"flash_crash in {BTC}"]
    account.settled()
    assert account.stops_there() == before
    assert account.wrong() == []


def test_while_a_market_takes_no_orders_the_stop_stays_and_is_sold_after_it() -> None:
    with ExitStack() as opened:
        account: Any = KrakenFalling(opened)
        account.protected()
        before = account.stops_there()
        account.sim.set_status("cancel_only")
        account.falls()
        for mode in ("cancel_only", "post_only", "limit_only"):
            account.sim.set_status(mode)
            for _ in range(3):
                account.look(20_000)
            assert account.stops_there() == before
            assert sales(account) == [("stop", "open")]
        told = [text for text in account.told("stop") if "its exit waits" in text]
        assert told == [
            f"{BTC}, SCRIPTED: its exit waits and its stop stays at the exchange, whose market is {mode} now"
            for mode in ("cancel_only", "post_only", "limit_only")
        ]
        account.sim.set_status("online")
        for _ in range(3):
            account.settled()
        assert sales(account) == [("stop", "canceled"), ("market", "filled")]
        assert is_closed(account)


def test_k6_near_the_engine_s_limit_entries_wait_exits_and_stops_go_on_and_the_status_says_so() -> None:
    with ExitStack() as opened:
        account: Any = Limited(opened)
        account.protected()
        account.bar(FLAT, send=False)
        for number in range(30):
            account.client.orders._counter.placed(BTC, str(number))
        account.desk.send()
        account.settled()
        assert sales(account) == [("stop", "canceled"), ("market", "filled")]
        account.bar(LONG, send=False)
        for number in range(40):
            account.client.orders._counter.placed(BTC, str(number))
        account.desk.send()
        [hold] = [one for one in account.desk.status().standing if one.ref == BTC]
        assert hold.why.startswith(f"the venue's counter of orders in {BTC} stands at ")
        assert len(account.told("waits")) == 1
        account.look(1000)
        assert account.path.position(BTC) < D("0.00001")
        for _ in range(20):
            account.look(1000)
        assert account.path.position(BTC) > 1
        assert account.desk.status().standing == ()
        assert account.sim.kraken.unknown == {}
        assert account.wrong() == []
