"""The account's own stream on the local exchange: its keys, what it makes the loop look at, and no secret."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from core.errors import AuthenticationError, UnsupportedError
from core.exchange_client import ExchangeClient
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.kraken_gate import kraken_secret
from core.exchange_sim.server import RunningSim
from core.live.hearing import Hearing
from core.live.loop import Loop
from core.streams import ccxt_source
from core.streams.budget import DialBudget
from core.streams.ccxt_source import opening
from core.streams.feeder import Feeder
from core.streams.hints import ORDERS, OrderHint, StreamChannel
from core.streams.inbox import Inbox
from core.utils import steady_ms
from tests.exchange_help import FakeTime
from tests.integration.test_others_at_the_exchange import Account
from tests.integration.test_streams_market import QUICK, SYMBOLS, VENUES, WAIT, wait
from tests.sim import NOON
from tests.unit.test_exchange_desk import BTC
from tests.ws_help import streaming

OWN = [StreamChannel(ORDERS)]
SECRETS = {"binanceus": TEST_SECRET, "kraken": kraken_secret(AccountConfig())}


FUNDS = AccountConfig(balances=dict.fromkeys(("USDT", "USD"), Decimal(100_000)))


class Keys:
    """The keys of a client, remembered."""

    def __init__(self, client: ExchangeClient) -> None:
        self.client, self.all, self.kept = client, list[str](), 0
        self.first: str | None = None
        """Handed out once instead."""

    def fetch(self) -> str:
        key, self.first = self.first or self.client.streams.fetch(), None
        self.all.append(key)
        return key

    def keep(self, key: str) -> None:
        self.client.streams.keep(key)
        self.kept += 1


class Person:
    """A local exchange, a client with a key, and the account's stream."""

    def __init__(self, sim: RunningSim, client: ExchangeClient) -> None:
        self.sim, self.client, self.keys = sim, client, Keys(client)
        self.symbol = SYMBOLS[client.name][0]
        self.inbox, self.budget = Inbox(), DialBudget(steady_ms)
        self.orders: list[OrderHint] = []
        self.gaps: list[str] = []
        terms = client.streams.terms([self.symbol])
        begin = opening(terms, OWN, self.keys, self.inbox, self.budget, steady_ms, QUICK)
        self.feeder = Feeder(begin, self.inbox, self.budget)

    def subscribed(self) -> bool:
        """Whether a connection is told of the account."""
        sessions: list[Any] = [one.session for one in self.sim.streams.connections]
        return any(getattr(one, "_keys", None) or getattr(one, "_private", None) for one in sessions)

    def hears(self, name: str) -> bool:
        letters = self.inbox.take()
        self.orders += letters.orders
        self.gaps += [gap.why for gap in letters.gaps]
        return any(one.client_order_id == name for one in self.orders)

    def buy(self, name: str) -> None:
        self.client.create_order(self.symbol, "buy", "market", "0.001", params={"clientOrderId": name})


@contextmanager
def listening(venue: str, *, first: str | None = None) -> Iterator[Person]:
    time = FakeTime(NOON + 10_000)
    clocks: dict[str, Any] = {"clock": time.clock, "ticks": time.clock, "sleep": time.sleep}
    with (
        streaming(clock=time.clock, account=FUNDS) as sim,
        ExchangeClient(venue, TEST_KEY, SECRETS[venue], base_url=sim.url, **clocks) as client,
    ):
        person = Person(sim, client)
        person.keys.first = first
        person.feeder.start()
        try:
            wait(person.subscribed)
            yield person
        finally:
            assert person.feeder.stop(WAIT)


@pytest.mark.unmeasured
@VENUES
def test_an_order_of_the_account_is_heard_with_its_names_and_its_execution(venue: str) -> None:
    with listening(venue) as person:
        person.buy("a" * 32)
        wait(lambda: person.hears("a" * 32) and any(one.fill_id for one in person.orders))
        (fill,) = {one.fill_id for one in person.orders if one.fill_id}
        assert fill in {
            one.fill.id for one in person.client.orders.fills(person.symbol, after_id=None, source="x")
        }
        assert person.sim.streams.unknown == person.sim.kraken.unknown == {}
        assert person.gaps == []


def test_w14_a_listen_key_that_another_program_ended_is_replaced_without_anybody_saying_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ccxt_source, "KEEP_EVERY", 0.02)
    with listening("binanceus") as person:
        wait(lambda: person.keys.kept > 0)
        person.sim.account.listen_keys.end()
        wait(lambda: len(person.keys.all) == 2 and person.subscribed())
        person.buy("b" * 32)
        wait(lambda: person.hears("b" * 32))
        assert person.gaps == ["its key is none any more"]
        assert not [one for one in person.sim.requests if one.method == "DELETE"]


def test_w16_a_token_that_kraken_refuses_is_replaced_by_a_fresh_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("kraken", first="stale-token-canary") as person:
        person.buy("c" * 32)
        wait(lambda: person.hears("c" * 32))
        assert person.keys.all[0] == "stale-token-canary"
        assert person.gaps == ["the venue refused the account's stream"]
        assert len(set(person.keys.all)) == 2


@pytest.mark.unmeasured
@VENUES
def test_each_connection_has_a_key_of_its_own_and_all_questions_are_the_clients(venue: str) -> None:
    with listening(venue) as person:
        for connection in list(person.sim.streams.connections):
            connection.close(1001)
        wait(lambda: len(person.keys.all) == 2 and person.subscribed())
        # K1: the exchange takes no nonce that is not higher; the streams ask nothing by themselves.
        person.buy("d" * 32)
        wait(lambda: person.hears("d" * 32))
        assert person.gaps == ["the connection was closed (1001)"]


@VENUES
def test_w21_no_key_leaves_the_streams_by_any_way(
    venue: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = ccxt_source._exchange

    def talkative(terms: Any) -> Any:
        exchange = made(terms)
        exchange.verbose = True
        return exchange

    monkeypatch.setattr(ccxt_source, "_exchange", talkative)
    caplog.set_level(logging.DEBUG)
    with listening(venue) as person:
        for connection in list(person.sim.streams.connections):
            connection.close(1008)
        wait(lambda: len(person.keys.all) == 2 and person.subscribed())
        person.buy("e" * 32)
        wait(lambda: person.hears("e" * 32))
        # What ccxt itself says of a connection has its address, and with it the key.
        key = person.keys.all[-1]
        said = str(ccxt_source._trouble(ccxt.RequestTimeout(f"Connection to ws://x/{key} timed out")))
        told = [said, str(person.inbox.state()), *person.gaps, *(map(str, person.orders))]
    out, err = capfd.readouterr()
    # The local exchange's own lines are not the streams'.
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp.access")]
    everything = "\n".join((*told, *lines, out, err))
    for secret in (*person.keys.all, TEST_KEY, SECRETS[venue]):
        assert secret not in everything


def test_keys_of_venues_without_an_account_stream_are_not_asked_for() -> None:
    time = FakeTime(NOON)
    clocks: dict[str, Any] = {"clock": time.clock, "ticks": time.clock, "sleep": time.sleep}
    with streaming(clock=time.clock) as sim:
        with ExchangeClient("binance", TEST_KEY, TEST_SECRET, base_url=sim.url, **clocks) as client:
            assert not client.streams.has_account
            with pytest.raises(UnsupportedError):
                client.streams.fetch()
        with (
            ExchangeClient("binanceus", "", "", base_url=sim.url, **clocks) as client,
            pytest.raises(AuthenticationError),
        ):
            client.streams.fetch()


@pytest.mark.parametrize("hears", [True, False])
def test_a_sale_by_hand_is_booked_soon_after_the_message_that_tells_of_it_not_a_minute_later(
    hears: bool,
) -> None:
    with ExitStack() as opened:
        account = Account(opened)
        account.entered()
        account.settled()
        nothing: Any = None
        loop = Loop("x", account.session, nothing, nothing, lambda _: None, account.desk)
        woken = threading.Event()
        inbox, budget = Inbox(woken.set), DialBudget(steady_ms)
        loop.hearing = Hearing(inbox)
        if hears:
            terms = account.client.streams.terms(["BTC/USDT"])
            feeder = Feeder(
                opening(terms, OWN, account.client.streams, inbox, budget, steady_ms, QUICK), inbox, budget
            )
            feeder.start()
            opened.callback(feeder.stop, WAIT)
            wait(lambda: any(getattr(one.session, "_keys", None) for one in account.sim.streams.connections))
        account.person.create_order(BTC, "market", "sell", float(account.path.position(BTC)))
        if hears:
            assert woken.wait(WAIT)
        loop._listen()
        # Balances that differ are believed after five seconds; without a word nobody looks at them for sixty.
        taken = [one for _ in range(7) for one in account.look(1000).taken]
        assert bool(taken) == hears
