"""Streams by ccxt's own classes, which are given neither key nor questions: they listen, and that is all.

The account's streams need a key of their own (Binance.US) or a token (Kraken): the exchange client fetches
it, so that one client owns the nonce, and it is handed to ccxt for each new connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import ccxt.pro
import certifi

from core.errors import ExchangeUnreachableError, HotCryptoError, RateLimitedError, UnsupportedError
from core.exchange.stream_keys import StreamTerms
from core.exchange.urls import point_at
from core.streams.budget import DialBudget
from core.streams.feeder import Opened
from core.streams.guard import dial_permission, guarded_session
from core.streams.hints import CANDLES, ORDERS, CandleHint, Hint, StreamChannel, candle
from core.streams.inbox import Inbox
from core.streams.line import ChannelRefusedError, Emit, StreamError, StreamLine, Timing
from core.streams.readers import BinanceReader, KrakenReader, Reader, RefusedStream
from core.utils import TIMEFRAMES

T = TypeVar("T")
KEEP_EVERY = 30.0
"""Seconds between two looks at whether the key of the account's stream is still one: another process, or the
venue, may have ended it, and then nothing comes and nothing says so. It costs 1 of 1,200 a minute."""
PING_MS = 10_000
"""Between two pings: two without an answer end the connection."""
OTHER_HOSTS = {"kraken": {"private": "/auth", "privateV2": "/auth/v2"}}
"""Where a venue has a host of its own for the account, which one base address must tell apart by a path."""
NOT_OFFERED = (ccxt.BadSymbol, ccxt.NotSupported, ccxt.BadRequest)


class StreamKeys(Protocol):
    """Where the key of the account's stream comes from; both are asked in threads of their own."""

    def fetch(self) -> str:
        """Return a key that is valid now. Raises ExchangeError."""

    def keep(self, key: str) -> None:
        """Keep it valid. Raises ExchangeError when it is none any more."""


def opening(
    terms: StreamTerms,
    channels: Sequence[StreamChannel],
    keys: StreamKeys | None,
    inbox: Inbox,
    budget: DialBudget,
    clock: Callable[[], int],
    timing: Timing = Timing(),  # noqa: B008 - a value
) -> Callable[[], Any]:
    """Return what opens the lines inside the streams' thread: one for each timeframe, one for the account."""

    async def open_lines() -> Opened:
        if terms.venue not in ccxt.pro.exchanges:
            raise UnsupportedError(f"ccxt has no streams of {terms.venue}")
        trust = ssl.create_default_context(cafile=certifi.where())
        lines, keepers, sessions = [], [], []
        for name, some in _grouped(channels).items():
            exchange = _exchange(terms)
            tree = getattr(ccxt.pro, terms.venue)().urls["api"].get("ws", {})
            permission = dial_permission(terms.venue, tree, terms.domain, terms.base)
            session = guarded_session(permission, budget, trust)
            sessions.append(session)
            exchange.session, exchange.own_session = session, False
            source = CcxtSource(exchange, _reader(terms, exchange, clock), keys, clock)
            line = StreamLine(name, some, source, inbox, budget, clock, timing)
            source.break_off = line.break_off
            lines.append(line)
            if any(one.kind == ORDERS for one in some):
                keepers.append(source.keep_key)

        async def close() -> None:
            for session in sessions:
                await session.close()

        return Opened(lines, keepers, close)

    return open_lines


def _grouped(channels: Sequence[StreamChannel]) -> dict[str, list[StreamChannel]]:
    """Return the streams of each connection.

    ccxt keeps the candles of one timeframe alone apart at Kraken: a second one would get the first one's.
    """
    grouped: dict[str, list[StreamChannel]] = {}
    for channel in channels:
        name = f"{channel.timeframe} {CANDLES}" if channel.kind == CANDLES else channel.kind
        grouped.setdefault(name, []).append(channel)
    return grouped


def _exchange(terms: StreamTerms) -> Any:
    exchange = getattr(ccxt.pro, terms.venue)(
        {"enableRateLimit": True, "newUpdates": True, "options": dict(terms.options)}
    )
    if terms.sandbox:
        exchange.set_sandbox_mode(True)
    if terms.base is not None:
        exchange.urls["api"] = point_at(exchange.urls["api"], terms.base)
        for name, path in OTHER_HOSTS.get(terms.venue, {}).items():
            exchange.urls["api"]["ws"][name] = point_at(f"ws://host{path}", terms.base)
    if not exchange.has.get("watchOHLCV"):
        raise UnsupportedError(f"ccxt has no stream of candles of {terms.venue}")
    # Neither its own lines nor its debug log say anything: both would show keys.
    exchange.verbose, exchange.log = False, lambda *_: None
    exchange.logger = logging.Logger("ccxt.silent", logging.CRITICAL + 1)
    exchange.streaming = {**(exchange.streaming or {}), "keepAlive": min(PING_MS, _keep_alive(exchange))}
    exchange.set_markets(list(terms.markets.values()))
    return exchange


def _keep_alive(exchange: Any) -> int:
    return int((exchange.streaming or {}).get("keepAlive", PING_MS))


def _reader(terms: StreamTerms, exchange: Any, clock: Callable[[], int]) -> Reader | None:
    """Return what reads a venue's messages; None where ccxt's own results are all there is."""
    if terms.venue in ("binance", "binanceus"):
        return BinanceReader({market["id"]: symbol for symbol, market in terms.markets.items()}, clock)
    if terms.venue == "kraken":
        minutes = {int(value): name for name, value in exchange.timeframes.items() if name in TIMEFRAMES}
        return KrakenReader(minutes, clock)
    return None


class CcxtSource:
    """One object of ccxt.pro: the streams of one line."""

    def __init__(
        self, exchange: Any, reader: Reader | None, keys: StreamKeys | None, clock: Callable[[], int]
    ) -> None:
        """Take an object that was made ready, and where keys of the account's stream come from."""
        self._exchange, self._reader, self._keys, self._clock = exchange, reader, keys, clock
        self._emit: Emit = lambda _: None
        self._key: str | None = None
        self._asking = asyncio.Lock()
        self._refusals: dict[StreamChannel, asyncio.Future[None]] = {}
        self._handle, self._connected = exchange.handle_message, exchange.on_connected
        self.break_off: Callable[[str], object] = lambda _: None
        """Replaces the connection."""
        exchange.handle_message, exchange.on_connected = self._hear, self._on_connected
        exchange.authenticate = self._authenticate

    async def watch(self, channel: StreamChannel, emit: Emit) -> None:
        """Hand on what a stream brings until it is cancelled.

        Raises ChannelRefusedError when the venue does not offer it, StreamError in plain words for all else.
        """
        self._emit = emit
        refusal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refusals[channel] = refusal
        task = asyncio.ensure_future(self._follow(channel))
        try:
            await asyncio.wait({task, refusal}, return_when=asyncio.FIRST_COMPLETED)
            if refusal.done():
                refusal.result()
            await task
        except (StreamError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise _trouble(error) from None
        finally:
            for one in (task, refusal):
                one.cancel()
            await asyncio.gather(task, refusal, return_exceptions=True)

    async def drop(self) -> None:
        """Close all connections; the next one gets a key of its own."""
        self._key = None
        await self._exchange.close_ws_clients()

    async def close(self) -> None:
        """Close everything for good."""
        await self._exchange.close()

    async def keep_key(self, stop: asyncio.Event) -> None:
        """Look from time to time whether the key is still one, and replace the connection if it is not."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), KEEP_EVERY)
            key, keys = self._key, self._keys
            if key is None or keys is None or stop.is_set():
                continue
            try:
                await _aside(lambda: keys.keep(key))  # noqa: B023 - called at once
            except (ExchangeUnreachableError, RateLimitedError):
                # Nobody said anything of the key.
                continue
            except HotCryptoError:
                if self._key == key:
                    self.break_off("its key is none any more")

    async def _follow(self, channel: StreamChannel) -> None:
        # The next call follows at once: in between an event would wait for the one after it.
        while True:
            if channel.kind == ORDERS:
                await self._exchange.watch_orders()
                continue
            rows = await self._exchange.watch_ohlcv(channel.symbol, channel.timeframe)
            if self._reader is None:
                self._emit([self._candle(channel, row) for row in rows])

    def _candle(self, channel: StreamChannel, row: Sequence[Any]) -> CandleHint:
        return candle(channel.symbol, channel.timeframe, int(row[0]), row[1:6], heard_at=self._clock())

    def _hear(self, client: Any, message: Any) -> None:
        """Read a message before ccxt does; what cannot be read ends the connection, not the reader of it."""
        try:
            if self._reader is not None:
                said = self._reader(message)
                hints: list[Hint] = [one for one in said if not isinstance(one, RefusedStream)]
                for one in said:
                    if isinstance(one, RefusedStream):
                        self._refuse(one)
                if hints:
                    self._emit(hints)
            self._handle(client, message)
        except StreamError as trouble:
            self.break_off(str(trouble))
        except Exception:  # whatever a foreign message raises in ccxt
            self.break_off("a message could not be read")

    def _refuse(self, refusal: RefusedStream) -> None:
        for channel, future in self._refusals.items():
            if channel.symbol == refusal.symbol and not future.done():
                future.set_exception(ChannelRefusedError("the venue does not offer it"))

    def _on_connected(self, client: Any, message: Any = None) -> None:
        self._connected(client, message)
        self._emit(())

    async def _authenticate(self, _: object = None) -> str:
        """Do what ccxt does before the account's stream, with a key that the exchange client fetches."""
        if self._keys is None:
            raise ChannelRefusedError("nobody permitted to sign in")
        # Several streams begin at once, and one key serves all.
        async with self._asking:
            if self._key is None:
                self._key = await _aside(self._keys.fetch)
        if self._exchange.id == "kraken":
            return self._key
        spot = self._exchange.urls["api"]["ws"]["spot"]
        url = f"{spot}/{self._key}"
        self._exchange.urls["api"]["ws"]["ws-api"] = {"spot": url}
        self._exchange.client(url).subscriptions["spot"] = True
        return self._key


def _trouble(error: Exception) -> StreamError:
    """Return an error in this program's words; the venue's may hold keys."""
    if isinstance(error, NOT_OFFERED):
        return ChannelRefusedError("the venue does not offer it")
    if isinstance(error, UnsupportedError):
        # The guard's own words, which name a host alone.
        return StreamError(str(error))
    if isinstance(error, ccxt.RequestTimeout):
        return StreamError("no answer")
    if isinstance(error, ccxt.AuthenticationError | HotCryptoError):
        return StreamError("the account's stream could not be opened", pause=5.0)
    if isinstance(error, ccxt.NetworkError):
        code = re.search(r"closing code (\d{4})", str(error))
        return StreamError(f"the connection was closed{f' ({code[1]})' if code else ''}")
    return StreamError(f"the stream ended ({type(error).__name__})")


async def _aside(call: Callable[[], T]) -> T:
    """Return what a call returns that takes its time, without waiting for it at the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], what: Any) -> None:
        if not future.done():
            how(what)

    def work() -> None:
        try:
            how, what = future.set_result, call()
        except Exception as error:
            how, what = future.set_exception, error  # type: ignore[assignment]
        # Nobody waits any more once the loop is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, how, what)

    threading.Thread(target=work, name="stream-key", daemon=True).start()
    return await future
