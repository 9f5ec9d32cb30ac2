"""ccxt.pro's own classes on the local exchange's sockets: what is heard of the markets, through every fault.

The classes are ccxt's, unmodified. The exchange's clock is moved by the test; nothing here waits for time.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ccxt.pro
import pytest

from core.domain import Bar, Series
from core.exchange.pages import concat
from core.exchange.urls import leaves
from core.exchange_client import ExchangeClient
from core.exchange_sim.server import RunningSim
from core.exchange_sim.stream_faults import StreamFault
from core.exchange_sim.stream_spoiler import SocketFrame
from core.live.feed import Feed
from core.live.hearing import Hearing
from core.streams import ccxt_source
from core.streams.budget import DialBudget
from core.streams.ccxt_source import opening
from core.streams.feeder import Feeder
from core.streams.hints import CANDLES, ORDERS, CandleHint, StreamChannel
from core.streams.inbox import Inbox
from core.streams.line import Timing
from core.utils import steady_ms
from tests.exchange_help import FakeTime
from tests.sim import MINUTE, NOON
from tests.tiers import some, statistics
from tests.ws_help import streaming

SYMBOLS = {"binanceus": ("BTC/USDT", "ETH/USDT"), "kraken": ("BTC/USD", "ETH/USD")}
VENUES = pytest.mark.parametrize("venue", SYMBOLS)
QUICK = Timing(pause=0.01, most_pause=0.05)
WAIT = 20.0


class Market:
    """A local exchange whose clock the test moves, a client of it, and what its streams bring."""

    def __init__(
        self, sim: RunningSim, time: FakeTime, client: ExchangeClient, frames: tuple[str, ...]
    ) -> None:
        self.sim, self.time, self.client = sim, time, client
        self.woken = threading.Event()
        self.inbox, self.budget = Inbox(self.woken.set), DialBudget(steady_ms)
        self.symbols = SYMBOLS[client.name]
        self.channels = [StreamChannel(CANDLES, symbol, one) for symbol in self.symbols for one in frames]
        self.finals: list[CandleHint] = []
        self.gaps: list[str] = []
        self.notes: list[str] = []

    def feeder(self, timing: Timing = QUICK) -> Feeder:
        terms = self.client.streams.terms(self.symbols)
        begin = opening(terms, self.channels, None, self.inbox, self.budget, steady_ms, timing)
        return Feeder(begin, self.inbox, self.budget)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Take what comes until something is so."""
        while not is_so():
            assert self.woken.wait(WAIT), (self.inbox.state(), self.finals, self.gaps, self.notes)
            self.woken.clear()
            self.take()

    def take(self) -> None:
        letters = self.inbox.take()
        self.finals += [one for one in letters.candles if one.is_final]
        self.gaps += [gap.why for gap in letters.gaps]
        self.notes += letters.notes

    def connected(self) -> None:
        """Wait until the exchange has all subscriptions."""
        wait(lambda: self.subscribed() == len(self.channels))

    def subscribed(self) -> int:
        return sum(len(subscriptions(one.session)) for one in self.sim.streams.connections)

    def pass_bars(self, count: int, step: int = 20_000) -> None:
        """Let so many minutes pass, and the exchange's sockets look at each moment."""
        for _ in range(count * MINUTE // step):
            self.time.now += step
            wait(lambda: self.sim.streams._looked >= self.sim.now())

    def is_decided(self) -> bool:
        """Whether the streams are on, or something failed."""
        state = self.inbox.state()
        return state.gaps > 0 or state.mode in ("on", "REST")

    def has_notes(self) -> bool:
        self.take()
        return bool(self.notes)

    def final(self, symbol: str, ts: int) -> bool:
        return any((one.symbol, one.ts) == (symbol, ts) for one in self.finals)


def subscriptions(session: Any) -> dict[str, Any]:
    """Return the market streams of a connection, by name."""
    mine: dict[str, Any] = session._mine if hasattr(session, "_mine") else session._markets
    return mine


def wait(is_so: Callable[[], object]) -> None:
    """Wait until something is so that nobody tells of."""
    tick = threading.Event()
    for _ in range(int(WAIT / 0.005)):
        if is_so():
            return
        tick.wait(0.005)
    raise AssertionError("it never was so")


@contextmanager
def market(venue: str, *frames: str, start: int = NOON + 10_000) -> Iterator[Market]:
    time = FakeTime(start)
    with (
        streaming(clock=time.clock) as sim,
        ExchangeClient(
            venue, base_url=sim.url, clock=time.clock, ticks=time.clock, sleep=time.sleep
        ) as client,
    ):
        yield Market(sim, time, client, frames or ("1m",))


@contextmanager
def listening(venue: str, *frames: str, timing: Timing = QUICK) -> Iterator[Market]:
    with market(venue, *frames) as one:
        feeder = one.feeder(timing)
        feeder.start()
        try:
            one.connected()
            yield one
        finally:
            assert feeder.stop(WAIT)


@pytest.mark.unmeasured
@VENUES
def test_candles_are_final_in_the_stream_as_rest_has_them(venue: str) -> None:
    with listening(venue, "1m", "5m") as one:
        one.pass_bars(6)
        one.until(lambda: all(one.final(symbol, NOON + 4 * MINUTE) for symbol in one.symbols))
        for hint in one.finals:
            if hint.timeframe == "1m" and hint.ts >= NOON:
                (ts, *numbers) = (
                    column[0]
                    for column in one.client.newest_bars(hint.symbol, "1m", 1, start=hint.ts, end=hint.ts + 1)
                )
                assert (ts, *numbers) == hint[2:8]
        five = [hint for hint in one.finals if hint.timeframe == "5m" and hint.ts >= NOON]
        # W8: ccxt would hand the minutes of a connection on as its five minutes.
        assert {hint.ts for hint in five} == {NOON}
        assert one.sim.streams.unknown == {}
        assert one.budget.total == len(one.sim.streams.dials) == 2
        assert not one.gaps


FAULTS: dict[str, SocketFrame] = {
    "w1 cut": SocketFrame('{"e":"kline","k":{"t":17'),
    "w1 wrong type": SocketFrame("[]"),
    "w1 no candle": SocketFrame('{"e":"kline","E":1,"s":"BTCUSDT"}'),
    "w1 no list": SocketFrame('{"channel":"ohlc","type":"update","data":[{"symbol":5}]}'),
    "w1 bad utf8": SocketFrame(raw=b'{"e":"kline","s":"\xff\xfe"}'),
    "w3 1000": SocketFrame(close=1000),
    "w3 1001": SocketFrame(close=1001),
    "w3 1008": SocketFrame(close=1008),
    "w3 1012": SocketFrame(close=1012),
    "w3 reset": SocketFrame(end="reset"),
    "w3 fin": SocketFrame(end="fin"),
    "w15 end announced": SocketFrame('{"e":"serverShutdown","E":1}'),
}
ONE_VENUE = {"w1 no candle": "binanceus", "w15 end announced": "binanceus", "w1 no list": "kraken"}
"""What only one of them would say."""


@statistics
@pytest.mark.unmeasured
@VENUES
@pytest.mark.parametrize("fault", some([name for name in FAULTS if name != "w1 wrong type"], 4))
def test_whatever_ends_a_connection_it_is_a_gap_and_the_next_one_brings_what_follows(
    venue: str, fault: str
) -> None:
    if ONE_VENUE.get(fault, venue) != venue:
        pytest.skip("the other venue's words")
    with listening(venue) as one:
        feed = followed(one)
        one.pass_bars(1)
        bars = list(feed.poll(one.client.exchange_now(ask=True)).bars)
        for connection in list(one.sim.streams.connections):
            connection._outbox.append(FAULTS[fault])
            connection._wake()
        one.until(lambda: len(one.gaps) == 1)
        one.pass_bars(2)
        one.connected()
        one.pass_bars(1)
        last = NOON + 3 * MINUTE
        one.until(lambda: one.final(one.symbols[0], last))
        # W2 and the back-fill: REST is asked from the last mark on, and nothing comes twice or never.
        bars += feed.poll(one.client.exchange_now(ask=True)).bars
        assert [bar.ts for bar in bars if bar.symbol == one.symbols[0]] == [
            NOON + minute * MINUTE for minute in range(4)
        ]
        assert len(one.sim.streams.dials) == 2
        assert "wss:" not in one.gaps[0]
        assert "ws:" not in one.gaps[0]


@pytest.mark.unmeasured
@VENUES
def test_w5_data_without_pongs_is_a_connection_that_is_replaced_and_nothing_comes_twice(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt_source, "PING_MS", 200)
    with market(venue) as one:
        one.sim.set_stream_faults([StreamFault("no_pong")])
        feeder = one.feeder()
        feeder.start()
        try:
            one.connected()
            feed = followed(one)
            tick = threading.Event()
            while not one.gaps:
                one.pass_bars(1, MINUTE)
                one.take()
                tick.wait(0.05)
            one.pass_bars(1)
            one.connected()
            one.pass_bars(2)
            last = one.sim.now() // MINUTE * MINUTE - MINUTE
            one.until(lambda: one.final(one.symbols[0], last))
            bars = [
                bar.ts
                for bar in feed.poll(one.client.exchange_now(ask=True)).bars
                if bar.symbol == one.symbols[0]
            ]
            assert bars == list(range(NOON, last + MINUTE, MINUTE))
            finals = [hint.ts for hint in one.finals if hint.symbol == one.symbols[0]]
            assert len(finals) == len(set(finals))
            assert len(one.sim.streams.dials) == len(one.gaps) + 1
        finally:
            assert feeder.stop(WAIT)


@pytest.mark.unmeasured
@VENUES
def test_w9_what_a_stream_loses_without_a_drop_rest_brings_at_its_next_look(venue: str) -> None:
    with listening(venue) as one:
        one.sim.set_stream_faults(
            [StreamFault("lost", channel={"kraken": "ohlc"}.get(venue, "kline"), every=2, times=500)]
        )
        feed, seen = followed(one), list[Bar]()
        for _ in range(6):
            one.pass_bars(1)
            one.take()
            seen += feed.poll(one.client.exchange_now(ask=True)).bars
        assert "lost" in one.sim.streams.faults.met
        for symbol in one.symbols:
            assert [bar.ts for bar in seen if bar.symbol == symbol] == [NOON + n * MINUTE for n in range(6)]
        assert one.gaps == []
        assert len(one.sim.streams.dials) == 1


def followed(one: Market) -> Feed:
    """Return a feed of the market's bars by REST."""

    def read(series: Series, start: int, end: int) -> Any:
        return concat(list(one.client.ohlcv_pages(series.symbol, series.timeframe, start, end)))

    series = [Series("x", symbol, "1m") for symbol in one.symbols]
    return Feed(read, series, dict.fromkeys(series, NOON - MINUTE))


@pytest.mark.unmeasured
@VENUES
def test_w4_one_mute_market_is_noticed_while_the_other_talks(venue: str) -> None:
    with listening(venue, timing=QUICK._replace(silence=2.5)) as one:
        (connection,) = one.sim.streams.connections
        mine = subscriptions(connection.session)
        mine.pop(next(name for name in mine if "ETH" in name.upper()))
        watch = threading.Event()
        for _ in range(2_000):
            one.time.now += 5_000
            one.take()
            if any("ETH" in why for why in one.gaps):
                break
            watch.wait(0.01)
        assert any(why == f"no data of {one.symbols[1]} 1m" for why in one.gaps)


@VENUES
def test_w7_a_market_that_the_venue_does_not_stream_is_off_and_the_other_goes_on(venue: str) -> None:
    with market(venue) as one:
        terms = one.client.streams.terms(one.symbols)
        # Known to the client, not to the venue.
        odd = dict(terms.markets[one.symbols[1]]) | {
            "symbol": "ODD/USD",
            "id": "ODDUSD",
            "lowercaseId": "oddusd",
        }
        terms = terms._replace(markets={one.symbols[0]: terms.markets[one.symbols[0]], "ODD/USD": odd})
        channels = [StreamChannel(CANDLES, symbol, "1m") for symbol in (one.symbols[0], "ODD/USD")]
        feeder = Feeder(
            opening(
                terms,
                channels,
                None,
                one.inbox,
                one.budget,
                steady_ms,
                QUICK if venue == "kraken" else QUICK._replace(silence=0.4),
            ),
            *(one.inbox, one.budget),
        )
        feeder.start()
        if venue == "kraken":
            wait(lambda: one.has_notes())
            assert one.notes == ["the stream of ODD/USD 1m is off, REST goes on: the venue does not offer it"]
        else:
            # Binance takes every name and is silent about those that it does not know.
            one.until(lambda: bool(one.gaps))
            assert "ODD/USD" in one.gaps[0]
        assert feeder.stop(WAIT)


@statistics
@pytest.mark.unmeasured
@VENUES
def test_w19_whatever_address_of_ccxt_is_forgotten_nothing_is_dialled_elsewhere(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[str] = []
    real = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        hosts.append(str(host))
        return real("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    original = getattr(ccxt.pro, venue)().urls["api"]["ws"]
    for url in some(dict.fromkeys(leaves(original)), 3, "wss://ws-auth.kraken.com/v2"):
        with market(venue) as one, monkeypatch.context() as patched:
            terms = one.client.streams.terms(one.symbols)
            patched.setattr(ccxt_source, "OTHER_HOSTS", {})
            patched.setattr(ccxt_source, "point_at", lambda tree, base, url=url: forgetful(tree, base, url))
            channels = [*one.channels, StreamChannel(ORDERS)]
            begin = opening(terms, channels, Keys(), one.inbox, one.budget, steady_ms, QUICK)
            feeder = Feeder(begin, one.inbox, one.budget)
            feeder.start()
            wait(one.is_decided)
            assert feeder.stop(WAIT)
    assert {host for host in hosts if not host.startswith("127.")} == set()


class Keys:
    """A key for the account's stream that nobody checks."""

    def fetch(self) -> str:
        return "listen-key-canary"

    def keep(self, key: str) -> None:
        assert key == "listen-key-canary"


def forgetful(tree: Any, base: str, url: str) -> Any:
    """Point everything at a base but one address."""
    from core.exchange.urls import point_at

    if isinstance(tree, dict):
        return {key: forgetful(value, base, url) for key, value in tree.items()}
    return tree if tree == url else point_at(tree, base)


@pytest.mark.unmeasured
@VENUES
def test_the_hearing_of_a_loop_finds_no_difference_between_stream_and_rest(venue: str) -> None:
    with listening(venue) as one:
        hearing, feed, bars = Hearing(one.inbox), followed(one), 0
        for _ in range(3):
            one.pass_bars(1)
            one.woken.wait(WAIT)
            one.woken.clear()
            hearing.hear()
            polled = feed.poll(one.client.exchange_now(ask=True))
            bars += len(polled.bars)
            assert hearing.compare(polled.bars) == []
            assert hearing.attend().lines == ()
        assert bars == 6
        assert hearing.differences == 0
