"""The streams over real sockets, and ccxt's own WebSocket tests, which its wheel ships, against them.

The classes are ccxt's, unmodified; only their addresses and their clock are set, and the exchange's clock
runs fast enough for data to be steady.
"""

from __future__ import annotations

import asyncio
import importlib
from itertools import cycle
from typing import Any

import aiohttp
import pytest

from core.exchange_sim.server import RunningSim
from core.exchange_sim.sessions import BINANCEUS, KRAKEN
from tests.exchange_help import FakeTime
from tests.sim import MINUTE, NOON
from tests.ws_help import listening, streaming, watching

# A book has no time of its own on these venues.
BOOK = {"timestamp": True, "datetime": True}
PUBLIC: dict[str, dict[str, bool]] = {"ohlcv": {}, "ticker": {}, "trades": {}, "order_book": BOOK}
SPEED = 20
MOST_SECONDS = 20


def check_of(name: str) -> Any:
    return getattr(importlib.import_module(f"ccxt.pro.test.Exchange.test_watch_{name}"), f"test_watch_{name}")


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("venue", ["binanceus", "kraken"])
def test_ccxts_own_tests_of_the_markets_are_content(venue: str, name: str) -> None:
    async def run() -> None:
        async with watching(sim, venue) as exchange:
            async with asyncio.timeout(MOST_SECONDS):
                assert await check_of(name)(exchange, PUBLIC[name], "BTC/USDT")

    with streaming(SPEED) as sim:
        asyncio.run(run())
        assert len(sim.streams.dials) == 1
        assert sim.streams.unknown == sim.kraken.unknown == {}


def test_ccxts_checks_of_the_streams_do_find_faults() -> None:
    async def run() -> None:
        async with watching(sim) as exchange:
            sound = exchange.watch_trades

            async def of_another(symbol: str) -> list[Any]:
                return [trade | {"symbol": "ETH/USDT"} for trade in await sound(symbol)]

            exchange.watch_trades = of_another
            with pytest.raises(AssertionError, match="symbol"):
                await check_of("trades")(exchange, {}, "BTC/USDT")

    with streaming(SPEED) as sim:
        asyncio.run(run())


@pytest.mark.parametrize("venue", ["binanceus", "kraken"])
def test_several_streams_of_one_exchange_are_what_http_says(venue: str) -> None:
    async def run() -> None:
        async with watching(sim, venue) as exchange, asyncio.timeout(MOST_SECONDS):
            calls = [exchange.watch_ohlcv, exchange.watch_trades, exchange.watch_ticker]
            told = await asyncio.gather(*(call("BTC/USDT") for call in calls))
            bar, trade = told[0][-1], told[1][-1]
            rows = {row[0]: row for row in await exchange.fetch_ohlcv("BTC/USDT", "1m")}
            assert rows[bar[0]][1] == bar[1]
            assert rows[bar[0]][2] >= bar[2] >= bar[3] >= rows[bar[0]][3]
            known = await exchange.fetch_trades("BTC/USDT", trade["timestamp"] - MINUTE)
            assert trade["id"] in [one["id"] for one in known]
            assert told[2]["last"] == pytest.approx(bar[4], rel=0.05)

    with streaming(SPEED) as sim:
        asyncio.run(run())
        assert sim.streams.unknown == sim.kraken.unknown == {}


async def trade_and_watch(sim: RunningSim, venue: str, name: str, skipped: dict[str, bool]) -> None:
    """Run one of ccxt's own tests of an account while it trades."""
    made = listening() if venue == BINANCEUS else None
    async with watching(sim, venue, made) as exchange:
        await exchange.load_markets()

        async def trade() -> None:
            await exchange.create_order("BTC/USDT", "market", "buy", 0.03)
            for side in cycle(("buy", "sell")):
                await exchange.create_order("BTC/USDT", "market", side, 0.01)
                await asyncio.sleep(0.05)

        trading = asyncio.create_task(trade())
        try:
            async with asyncio.timeout(MOST_SECONDS):
                check = check_of(name)
                await check(exchange, skipped, "USDT" if name == "balance" else "BTC/USDT")
        finally:
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)


@pytest.mark.parametrize(
    ("venue", "name", "skipped"),
    [
        (BINANCEUS, "my_trades", {}),
        (BINANCEUS, "balance", {}),
        (BINANCEUS, "orders", {}),
        # ccxt makes one fee of Kraken's list and no list.
        (KRAKEN, "my_trades", {"fees": True}),
    ],
)
def test_ccxts_own_tests_of_an_account_are_content(venue: str, name: str, skipped: dict[str, bool]) -> None:
    with streaming(SPEED) as sim:
        asyncio.run(trade_and_watch(sim, venue, name, skipped))
        assert sim.streams.unknown == sim.kraken.unknown == {}


@pytest.mark.parametrize(
    ("venue", "name", "words"),
    [
        # Kraken's stream says nothing of what is kept for orders, so ccxt's `free` is None.
        (KRAKEN, "balance", "free"),
        # Of Kraken's orders ccxt gives the cost of the fee as text.
        (KRAKEN, "orders", "fee"),
    ],
)
def test_ccxts_other_tests_of_an_account_fail_by_what_ccxt_makes_of_messages(
    venue: str, name: str, words: str
) -> None:
    with streaming(SPEED) as sim:
        with pytest.raises(AssertionError, match=words):
            asyncio.run(trade_and_watch(sim, venue, name, {}))
        assert sim.streams.unknown == sim.kraken.unknown == {}


def test_streams_follow_a_clock_that_only_a_test_moves() -> None:
    time = FakeTime()

    async def run() -> None:
        address = sim.ws_url + "/ws/btcusdt@kline_1m"
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            time.now += 1000
            first = await socket.receive_json(timeout=10)
            time.now += MINUTE
            final, running = [await socket.receive_json(timeout=10) for _ in range(2)]
            assert [row["k"]["x"] for row in (first, final, running)] == [False, True, False]
            assert (final["k"]["t"], running["k"]["t"]) == (NOON, NOON + MINUTE)

    with streaming(clock=time.clock) as sim:
        asyncio.run(run())
    assert sim.streams.connections == []


def test_pings_of_both_kinds_are_answered() -> None:
    async def run() -> None:
        address = sim.ws_url + "/v2"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, autoping=False) as socket,
        ):
            assert (await socket.receive_json(timeout=10))["channel"] == "status"
            await socket.ping(b"there?")
            frame = await socket.receive(timeout=10)
            assert (frame.type, frame.data) == (aiohttp.WSMsgType.PONG, b"there?")
            await socket.send_json({"method": "ping"})
            assert (await socket.receive_json(timeout=10))["method"] == "pong"

    with streaming() as sim:
        asyncio.run(run())


def test_an_address_that_no_venue_has_is_no_websocket() -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
                await session.ws_connect(sim.ws_url + "/nothing")

    with streaming() as sim:
        asyncio.run(run())
        assert sim.streams.dials == []


def test_krakens_mode_reaches_whoever_is_connected() -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(sim.ws_url + "/v2") as socket:
            assert (await socket.receive_json(timeout=10))["data"][0]["system"] == "online"
            sim.set_status("post_only")
            assert (await socket.receive_json(timeout=10))["data"][0]["system"] == "post_only"

    with streaming() as sim:
        asyncio.run(run())


def test_the_exchange_stops_while_somebody_is_connected() -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            with streaming() as sim:
                socket = await session.ws_connect(sim.ws_url + "/v2")
                await socket.receive_json(timeout=10)
                closing = asyncio.get_running_loop().run_in_executor(None, lambda: None)
                await closing
            frame = await socket.receive(timeout=10)
            assert frame.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            await socket.close()

    asyncio.run(run())


@pytest.mark.parametrize("name", ["future", "order_book", "client_reset", "cache", "cache_native"])
def test_ccxts_own_tests_without_a_network_are_content(name: str) -> None:
    module = importlib.import_module(f"ccxt.pro.test.base.test_{name}")
    checks = [
        getattr(module, one)
        for one in dir(module)
        if one.startswith("test_") and callable(getattr(module, one))
    ]
    assert checks
    for check in checks:
        done = check()
        if asyncio.iscoroutine(done):
            asyncio.run(done)
