"""The local exchange with its streams, a connection without a socket, and ccxt.pro against it."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.candles import CandleSource
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.kraken_gate import kraken_secret
from core.exchange_sim.replay import replay_clock
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.exchange_sim.sessions import BINANCEUS, KRAKEN
from core.exchange_sim.stream_faults import StreamFaults
from core.exchange_sim.stream_spoiler import SocketFrame
from core.exchange_sim.streams import SimConnection, SimStreams
from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import NOON

SOURCE = SyntheticSource(7)


@contextmanager
def streaming(speed: float = 60.0, start: int = NOON, **config: Any) -> Iterator[RunningSim]:
    """Run the local exchange with a clock that runs so many times as fast as the machine's.

    With `clock=` another one is used. Its WebSockets are at `RunningSim.ws_url`: for Binance.US
    below /ws, for Kraken at /v2 and, with a token, at /auth/v2.
    """
    values: dict[str, Any] = {"source": SOURCE, "clock": replay_clock(start, speed=speed)} | config
    with serve(replace(SimConfig(), **values)) as sim:
        yield sim


def addresses(sim: RunningSim, venue: str) -> dict[str, Any]:
    """Return the addresses that ccxt is to use, WebSockets included; none is left as it was."""
    http, ws = sim.url, sim.ws_url
    if venue == KRAKEN:
        private = {"private": f"{ws}/auth", "privateV2": f"{ws}/auth/v2", "beta-private": f"{ws}/none"}
        public = {"public": f"{ws}/none", "publicV2": f"{ws}/v2", "beta": f"{ws}/none"}
        return {"public": http, "private": http, "ws": public | private}
    rest = dict.fromkeys(("public", "private", "v3"), f"{http}/api/v3")
    streams = {"spot": f"{ws}/ws", "ws-api": {"spot": f"{ws}/none"}}
    return rest | {"web": http, "sapi": f"{http}/sapi/v1", "ws": streams}


@asynccontextmanager
async def watching(sim: RunningSim, venue: str = BINANCEUS, made: Any = None) -> AsyncIterator[Any]:
    """Open an unmodified ccxt.pro exchange with the account's key, on the exchange's clock.

    `made` is another class than ccxt's own. No request of it leaves this machine.
    """
    secret = kraken_secret(AccountConfig()) if venue == KRAKEN else TEST_SECRET
    async with aiohttp.ClientSession(trace_configs=[_at_home()]) as session:
        exchange = (made or getattr(importlib.import_module("ccxt.pro"), venue))(
            {
                "apiKey": TEST_KEY,
                "secret": secret,
                "urls": {"api": addresses(sim, venue)},
                "enableRateLimit": False,
                # On a fast clock a request is soon too old.
                "options": {"recvWindow": 60_000},
                "session": session,
            }
        )
        exchange.milliseconds = sim.now
        try:
            yield exchange
        finally:
            await exchange.close()


def listening() -> Any:
    """Return ccxt's binanceus with one change: private messages come from the stream of a listen key.

    ccxt itself asks binance.com for them, which Binance.US does not have.
    """

    class ByListenKey(importlib.import_module("ccxt.pro").binanceus):  # type: ignore[misc] # ccxt has no types
        async def authenticate(self, params: Mapping[str, Any] = {}) -> None:
            base = self.urls["api"]["ws"]["spot"]
            if self.urls["api"]["ws"]["ws-api"]["spot"] not in (self.clients or {}):
                key = (await self.publicPostUserDataStream())["listenKey"]
                self.urls["api"]["ws"]["ws-api"] = {"spot": f"{base}/{key}"}
                self.client(f"{base}/{key}").subscriptions["spot"] = True

    return ByListenKey


def _at_home() -> aiohttp.TraceConfig:
    async def check(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        if params.url.host != "127.0.0.1":
            raise OSError(f"a request for {params.url.host} was about to leave this machine")

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(check)
    return trace


class Wire:
    """One connection without a socket: what is said to it and what it says, as JSON."""

    def __init__(self, streams: SimStreams, path: str, now: int) -> None:
        connection = streams.connect(path, now, lambda: None)
        assert connection is not None
        self.streams, self.now = streams, now
        self.connection: SimConnection = connection

    def say(self, message: object) -> list[Any]:
        """Send a message and return what is said then."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.streams.hear(self.connection, text, self.now)
        return self.take()

    def at(self, now: int) -> list[Any]:
        """Let the time come and return what is said until then."""
        self.now = now
        self.streams.advance(now)
        return self.take()

    def frames(self, now: int) -> list[SocketFrame]:
        """Let the time come and return what is done to the socket until then."""
        self.now = now
        self.streams.advance(now)
        return self.connection.take()

    def take(self) -> list[Any]:
        """Return what was said."""
        return [json.loads(frame.text) for frame in self.connection.take() if frame.text]


def public_streams(
    source: CandleSource = SOURCE, status: Any = None, faults: StreamFaults = ()
) -> SimStreams:
    """Return the streams of markets without an account."""
    markets = source.markets()
    return SimStreams(MarketFeed(source, 7), markets, status or (lambda: "online"), None, faults)


async def heard(sim: RunningSim, path: str, messages: list[Mapping[str, Any]], count: int) -> list[Any]:
    """Connect as a client that hides nothing, and return the first messages that come."""
    async with aiohttp.ClientSession() as session, session.ws_connect(sim.ws_url + path) as socket:
        for message in messages:
            await socket.send_json(message)
        return [json.loads(await asyncio.wait_for(socket.receive_str(), 10)) for _ in range(count)]


def port_of(sim: RunningSim) -> int:
    """Return the port it listens on."""
    return urlsplit(sim.url).port or 0
