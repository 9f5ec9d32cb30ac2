"""The HTTP server: one aiohttp application in a background thread, on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web

from core.errors import ExchangeError
from core.exchange_sim.binanceus import BinanceUS
from core.exchange_sim.candles import CandleSource
from core.exchange_sim.faults import Fault, FaultPlan, FaultSchedule, plan_of, spoiled
from core.exchange_sim.feed import Feed
from core.exchange_sim.kraken import Kraken
from core.exchange_sim.limits import RAW_LIMIT, WEIGHT_LIMIT, Limits
from core.exchange_sim.markets import LISTED, Market
from core.exchange_sim.synthetic import SyntheticSource
from core.exchange_sim.venue import Answer, Request, Venue
from core.utils import Clock, now_ms

Pause = Callable[[float], Awaitable[None]]
HOST = "127.0.0.1"
MOST_LOGGED = 50_000
MOST_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class SimConfig:
    """What to serve and how badly."""

    port: int = 0
    """0 takes any free port."""
    seed: int = 7
    """Of the synthetic candles, of trades and book."""
    source: CandleSource | None = None
    """None: synthetic candles from the seed."""
    markets: tuple[Market, ...] = ()
    """None given: those of the source."""
    clock: Clock = now_ms
    """The exchange's time, ms UTC: a bar later than it is not shown."""
    faults: Iterable[Fault] | FaultSchedule = ()
    weight_limit: int = WEIGHT_LIMIT
    raw_limit: int = RAW_LIMIT
    pause: Pause = asyncio.sleep
    """How the fault `delay` waits, seconds."""


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
    venues: dict[str, Venue]
    """By the beginning of the path they own."""
    clock: Clock
    plan: FaultPlan
    seed: int
    pause: Pause
    skew_ms: int = 0
    """Added to the clock."""
    requests: list[Logged] = field(default_factory=list, repr=False)
    faults_met: list[str] = field(default_factory=list)
    """Kinds of the faults that happened, in order."""
    previous: dict[tuple[str, str], Answer] = field(default_factory=dict, repr=False)
    """The last answer to each question, for the fault `stale`."""

    def now(self) -> int:
        """Return the exchange's time, ms UTC."""
        return self.clock() + self.skew_ms

    def set_faults(self, faults: Iterable[Fault] | FaultSchedule) -> None:
        """Start a new fault plan."""
        self.plan = plan_of(faults)

    def log(self, request: Request) -> None:
        """Remember a request; of very many only the newest."""
        self.requests.append(Logged(*request))
        if len(self.requests) > 2 * MOST_LOGGED:
            del self.requests[:MOST_LOGGED]

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Return the venue's answer with the fault done to it, and remember the sound one."""
        venue = next(venue for start, venue in self.venues.items() if request.path.startswith(start))
        question = (request.path, str(sorted(request.params.items())))
        answer, before = venue.answer(request, self.now()), self.previous.pop(question, None)
        self.previous[question] = answer
        if len(self.previous) > MOST_REMEMBERED:
            del self.previous[next(iter(self.previous))]
        if fault is None:
            return answer
        return spoiled(fault, answer, request, before, self.seed + len(self.faults_met))


@contextmanager
def serve(config: SimConfig) -> Iterator[RunningSim]:
    """Run the local exchange in a background thread until the block ends.

    Raises ExchangeError when the port cannot be listened on.
    """
    listener = _listen(config.port)
    sim = _sim(config, f"http://{HOST}:{listener.getsockname()[1]}")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="exchange-sim", daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(sim, listener), loop).result()
    try:
        yield sim
    finally:
        asyncio.run_coroutine_threadsafe(_stop(runner), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _sim(config: SimConfig, url: str) -> RunningSim:
    markets = config.markets or (config.source.markets() if config.source else LISTED)
    source = config.source or SyntheticSource(config.seed, markets)
    feed = Feed(source, config.seed)
    venues: dict[str, Venue] = {
        "/0/": Kraken(feed, markets),
        "": BinanceUS(feed, markets, Limits(config.weight_limit, config.raw_limit)),
    }
    plan = plan_of(config.faults)
    return RunningSim(url, source.kind, venues, config.clock, plan, config.seed, config.pause)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        why = "the port is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise ExchangeError(
            f"cannot serve on {HOST}:{port}: {why}; choose another port, or 0 for any free one"
        ) from None
    listener.listen()
    return listener


async def _start(sim: RunningSim, listener: socket.socket) -> web.AppRunner:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(sim, request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


async def _stop(runner: web.AppRunner) -> None:
    await runner.cleanup()
    # What is left waits for clients that are gone: delays that nobody outlasted.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _handle(sim: RunningSim, web_request: web.Request) -> web.StreamResponse:
    form = {name: str(value) for name, value in (await web_request.post()).items()}
    request = Request(web_request.method, web_request.path, {**form, **web_request.query})
    sim.log(request)
    fault = sim.plan.next(request.path)
    if fault is not None:
        sim.faults_met.append(fault.kind)
        if fault.kind == "delay":
            await sim.pause(fault.seconds)
        if fault.kind == "reset_before":
            return _reset(web_request)
    answer = sim.answer(request, fault)
    if fault is not None and fault.kind == "reset_after":
        return _reset(web_request)
    return await _send(sim, web_request, answer, cut=fault is not None and fault.kind == "cut")


async def _send(sim: RunningSim, request: web.Request, answer: Answer, *, cut: bool) -> web.StreamResponse:
    headers = dict(answer.headers) | {"X-Candle-Source": sim.kind}
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
    if cut and request.transport is not None:
        request.transport.close()
    else:
        await response.write_eof()
    return response


def _reset(request: web.Request) -> web.Response:
    if request.transport is not None:
        # Lingering for no time makes the kernel send RST instead of FIN.
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
