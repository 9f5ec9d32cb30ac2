"""The HTTP server: one aiohttp application in a background thread, on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from core.errors import ExchangeError
from core.exchange_sim.account_news import AccountFollower
from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.binanceus import BinanceUS
from core.exchange_sim.candles import CandleSource
from core.exchange_sim.faults import UNPROCESSED, Fault, FaultPlan, Faults, instead, plan_of, spoiled
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.kraken import Kraken
from core.exchange_sim.kraken_gate import PRIVATE, STARTER, Gate, Tier
from core.exchange_sim.kraken_names import pair_of
from core.exchange_sim.kraken_rules import KrakenRules
from core.exchange_sim.kraken_signed import KrakenAccount
from core.exchange_sim.kraken_tokens import KrakenTokens
from core.exchange_sim.limits import ORDER_LIMIT, RAW_LIMIT, WEIGHT_LIMIT, OrderLimit, WeightCounter
from core.exchange_sim.markets import LISTED, SimMarket
from core.exchange_sim.matching import Matching
from core.exchange_sim.sessions import BINANCEUS as BINANCEUS
from core.exchange_sim.sessions import KRAKEN as KRAKEN
from core.exchange_sim.signed import Signed
from core.exchange_sim.sockets import SocketHost, is_socket, reset, serve_socket
from core.exchange_sim.state import StateFile
from core.exchange_sim.stream_faults import StreamFaults, stream_plan_of
from core.exchange_sim.streams import SimAccounts, SimStreams
from core.exchange_sim.synthetic import SyntheticSource
from core.exchange_sim.trading import Trading
from core.exchange_sim.transfers import CREDITED, PENDING
from core.exchange_sim.venue import SimAnswer, SimRequest, SimVenue
from core.serving import listen, serving
from core.utils import Clock, now_ms

Pause = Callable[[float], Awaitable[None]]
HOST = "127.0.0.1"
MOST_LOGGED = 50_000
MOST_REMEMBERED = 64
RESET = ("reset_before", "reset_after", "late")
"""Faults that end in a reset connection."""


@dataclass(frozen=True, slots=True)
class SimConfig:
    """What to serve and how badly."""

    port: int = 0
    """0 takes any free port."""
    seed: int = 7
    """Of the synthetic candles, of trades and book."""
    source: CandleSource | None = None
    """None: synthetic candles from the seed."""
    markets: tuple[SimMarket, ...] = ()
    """None given: those of the source."""
    clock: Clock = now_ms
    """The exchange's time, ms UTC: a bar later than it is not shown."""
    faults: Faults = ()
    trading_faults: Faults = ()
    """Further ones, which come first."""
    account: AccountConfig = field(default_factory=AccountConfig)
    """Of Binance.US; one with the same key, balances and fees is at Kraken."""
    state: Path | None = None
    """A file to keep the account in, so that it outlives the exchange; None: in memory."""
    weight_limit: int = WEIGHT_LIMIT
    raw_limit: int = RAW_LIMIT
    order_limit: int = ORDER_LIMIT
    pause: Pause = asyncio.sleep
    """How the faults `delay` and `late_answer` wait, seconds."""
    tier: Tier = STARTER
    """How much the account may ask at Kraken."""
    stream_faults: StreamFaults = ()
    """Of WebSockets."""


class Logged(NamedTuple):
    """One request the server received, faulty or not."""

    method: str
    path: str
    params: dict[str, str]


@dataclass
class RunningSim:
    """A running local exchange. Its clock, skew and faults may be changed at any time."""

    url: str
    kind: str
    """`synthetic`, `db` or `csv`."""
    venues: dict[str, SimVenue]
    """By the beginning of the path they own."""
    clock: Clock
    plan: FaultPlan
    seed: int
    pause: Pause
    trading: Trading
    account: Signed
    kraken_trading: Trading
    kraken: KrakenAccount
    streams: SimStreams
    state: StateFile | None = None
    skew_ms: int = 0
    """Added to the clock."""
    requests: list[Logged] = field(default_factory=list, repr=False)
    faults_met: list[str] = field(default_factory=list)
    """Kinds of the faults that happened, in order."""
    previous: dict[tuple[str, str], SimAnswer] = field(default_factory=dict, repr=False)
    """The last answer to each question, for the fault `stale`."""
    delayed: list[tuple[int, SimRequest]] = field(default_factory=list, repr=False)
    """Requests on their way, and when (ms UTC) they arrive: those of the fault `late`."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def ws_url(self) -> str:
        """Return the address of its WebSockets."""
        return self.url.replace("http://", "ws://")

    def now(self) -> int:
        """Return the exchange's time, ms UTC."""
        return self.clock() + self.skew_ms

    def set_faults(self, faults: Faults, trading: Faults = ()) -> None:
        """Start a new fault plan."""
        self.plan = plan_of(faults, trading)

    def set_stream_faults(self, faults: StreamFaults) -> None:
        """Start a new plan of faults of streams; those that a connection met already stay with it."""
        with self.lock:
            self.streams.faults.plan = stream_plan_of(faults)

    def end_listen_key(self) -> None:
        """End the key of Binance.US's user stream, as another program can, without anybody being told."""
        with self.lock:
            self.streams.end_listen_key()

    def books(self, venue: str = BINANCEUS) -> Matching:
        """Return the account's orders, trades and balances as they stand now: what no fault can hide."""
        with self.lock:
            self._deliver()
            if venue == KRAKEN:
                self.kraken.play(self.now())
                return self.kraken_trading.matching
            self.trading.play(self.now())
            return self.trading.matching

    def deposit(self, coin: str, amount: str, *, pending: bool = False, venue: str = BINANCEUS) -> int:
        """Let coins come from outside, credited at once unless pending, and return the deposit's number."""
        status = str(PENDING if pending else CREDITED)
        made = self._by_hand(venue, "deposit", coin=coin, amount=amount, status=status)
        return int(made["id"])

    def credit(self, deposit: int, venue: str = BINANCEUS) -> None:
        """Credit a deposit that was pending."""
        self._by_hand(venue, "credit", id=str(deposit))

    def fail_withdrawal(self, withdrawal: int, venue: str = BINANCEUS) -> None:
        """Let a withdrawal (the first is 1) fail while it is processed: it comes back."""
        self._by_hand(venue, "fail", id=str(withdrawal))

    def set_status(self, mode: str) -> None:
        """Put Kraken into one of its modes: online, limit_only, post_only, cancel_only, maintenance."""
        self._by_hand(KRAKEN, "status", status=mode)

    def _by_hand(self, venue: str, what: str, **told: str) -> Any:
        with self.lock:
            account, now = self.kraken if venue == KRAKEN else self.account, self.now()
            self.streams.advance(now)
            done = account.by_hand(what, now, **told)
            self.streams.advance(now)
            return done

    def convert(self, gone: tuple[str, str], came: tuple[str, str], *, dust: bool = False) -> None:
        """Turn an amount of a coin into another, or sweep it as dust: what a person does without an order."""
        (coin, amount), (into, brings) = gone, came
        told = {"coin": coin, "amount": amount, "into": into, "brings": brings, "dust": str(dust).lower()}
        self._by_hand(BINANCEUS, "convert", **told)

    def log(self, request: SimRequest) -> None:
        """Remember a request; of very many only the newest."""
        self.requests.append(Logged(*request[:3]))
        if len(self.requests) > 2 * MOST_LOGGED:
            del self.requests[:MOST_LOGGED]

    def answer(self, request: SimRequest, fault: Fault | None) -> SimAnswer:
        """Return the venue's answer with the fault done to it, and remember the sound one."""
        with self.lock:
            self._deliver()
            if fault is not None and fault.kind in UNPROCESSED:
                return self._unprocessed(request, fault)
            question = (request.path, str(sorted(request.params.items())))
            answer, before = self._process(request, self.now()), self.previous.pop(question, None)
            if fault is not None and fault.kind == "twice":
                answer = self._process(request, self.now())
            self.previous[question] = answer
            if len(self.previous) > MOST_REMEMBERED:
                del self.previous[next(iter(self.previous))]
            if fault is None:
                return answer
            return spoiled(fault, answer, before, self.seed + len(self.faults_met), request.path)

    def _unprocessed(self, request: SimRequest, fault: Fault) -> SimAnswer:
        if fault.kind == "late":
            self._venue_of(request).arrive(request, self.now())
            self.delayed.append((self.now() + round(fault.seconds * 1000), request))
        return instead(fault, request, self.now())

    def _deliver(self) -> None:
        """Process what was on its way and has arrived since, each at its own moment."""
        arrived = sorted((one for one in self.delayed if one[0] <= self.now()), key=itemgetter(0))
        self.delayed = [one for one in self.delayed if one not in arrived]
        for moment, request in arrived:
            self._process(request, moment)

    def _process(self, request: SimRequest, now: int) -> SimAnswer:
        # Before and after: what time brought and what the request did are told apart.
        self.streams.advance(now)
        answer = self._venue_of(request).answer(request, now)
        self.streams.advance(now)
        return answer

    def _venue_of(self, request: SimRequest) -> SimVenue:
        return next(venue for start, venue in self.venues.items() if request.path.startswith(start))


@contextmanager
def serve(config: SimConfig) -> Iterator[RunningSim]:
    """Run the local exchange in a background thread until the block ends.

    Raises ExchangeError when the port cannot be listened on.
    """
    listener = listen(HOST, config.port, ExchangeError, "choose another port, or 0 for any free one")
    try:
        sim = _sim(config, f"http://{HOST}:{listener.getsockname()[1]}")
    except BaseException:
        listener.close()
        raise
    try:
        with serving(_application(sim), listener, "exchange-sim"):
            yield sim
    finally:
        if sim.state is not None:
            sim.state.close()


def _sim(config: SimConfig, url: str) -> RunningSim:
    markets = config.markets or (config.source.markets() if config.source else LISTED)
    source = config.source or SyntheticSource(config.seed, markets)
    feed = MarketFeed(source, config.seed)
    trading = Trading(feed, config.account)
    account = Signed(trading, markets, config.seed)
    there = Trading(feed, config.account, KrakenRules(config.account))
    gate, tokens = Gate(config.account, config.tier), KrakenTokens(config.seed)
    kraken = KrakenAccount(there, map(pair_of, markets), gate, tokens)
    limits = WeightCounter(config.weight_limit, config.raw_limit)
    state = None
    if config.state is not None:
        state = StateFile(config.state, source.kind, config.seed, config.account)
        ours = [change for change in state.changes if not change.path.startswith(PRIVATE)]
        account.remember(ours, state.append)
        kraken.remember((change for change in state.changes if change not in ours), state.append)
    venues: dict[str, SimVenue] = {
        "/0/": Kraken(feed, markets, kraken),
        "": BinanceUS(feed, markets, limits, account, OrderLimit(config.order_limit)),
    }
    plan = plan_of(config.faults, config.trading_faults)
    accounts = _accounts(account, trading, kraken, there)
    streams = SimStreams(feed, markets, lambda: kraken.status, accounts, config.stream_faults)
    return RunningSim(
        *(url, source.kind, venues, config.clock, plan, config.seed, config.pause),
        *(trading, account, there, kraken, streams, state),
    )


def _accounts(account: Signed, trading: Trading, kraken: KrakenAccount, there: Trading) -> SimAccounts:
    def play(now: int) -> None:
        trading.play(now)
        kraken.play(now)

    both = {BINANCEUS: trading.matching, KRAKEN: there.matching}
    return SimAccounts(account, kraken, play, {name: AccountFollower(one) for name, one in both.items()})


def _application(sim: RunningSim) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(sim, request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def _handle(sim: RunningSim, web_request: web.Request) -> web.StreamResponse:
    if is_socket(web_request):
        return await serve_socket(SocketHost(sim.streams, sim.now, sim.lock), web_request)
    try:
        request = await _read(web_request)
    except ConnectionResetError:
        # Whoever asked was gone before all of it was sent.
        return web.Response()
    sim.log(request)
    fault = sim.plan.next(request.path, request.method)
    kind = fault.kind if fault else ""
    if fault is not None:
        sim.faults_met.append(kind)
        if kind == "delay":
            await sim.pause(fault.seconds)
    answer = sim.answer(request, fault)
    if kind in RESET:
        reset(web_request)
        return web.Response()
    if fault is not None and kind == "late_answer":
        await sim.pause(fault.seconds)
    return await _send(sim, web_request, answer, cut=kind == "cut")


async def _read(web_request: web.Request) -> SimRequest:
    body = await web_request.text()
    form = {name: str(value) for name, value in (await web_request.post()).items()}
    if web_request.content_type == "application/json":
        form = _flat(body)
    query = web_request.raw_path.partition("?")[2]
    params = {**form, **web_request.query}
    headers = web_request.headers
    key = headers.get("X-MBX-APIKEY", headers.get("API-Key", ""))
    signature = headers.get("API-Sign", "")
    return SimRequest(web_request.method, web_request.path, params, query + body, key, signature)


def _flat(body: str) -> dict[str, str]:
    """Return the fields of a JSON body as text."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    return {name: str(value) for name, value in told.items()} if isinstance(told, dict) else {}


async def _send(sim: RunningSim, request: web.Request, answer: SimAnswer, *, cut: bool) -> web.StreamResponse:
    headers = dict(answer.headers) | {"X-Candle-Source": sim.kind}
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    # Whoever asked may be gone before all of it was taken.
    with suppress(ConnectionResetError):
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        if cut and request.transport is not None:
            request.transport.close()
        else:
            await response.write_eof()
    return response
