"""The streams over real sockets, and ccxt's own WebSocket tests, which its wheel ships, against them.

The classes are ccxt's, unmodified; only their addresses and their clock are set, and the exchange's clock
runs fast enough for data to be steady.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import replace
from itertools import cycle
from typing import Any

import aiohttp
import ccxt
import pytest

from core.exchange_sim.server import RunningSim
from core.exchange_sim.sessions import BINANCEUS, KRAKEN
from core.exchange_sim.stream_faults import StreamFault
from tests.exchange_help import FakeTime
from tests.sim import MINUTE, NOON
from tests.tiers import WHOLE, statistics
from tests.ws_help import listening, streaming, watching

# A book has no time of its own on these venues.
BOOK = {"timestamp": True, "datetime": True}
PUBLIC: dict[str, dict[str, bool]] = {"ohlcv": {}, "ticker": {}, "trades": {}, "order_book": BOOK}
SPEED = 20
MOST_SECONDS = 20


def check_of(name: str) -> Any:
    return getattr(importlib.import_module(f"ccxt.pro.test.Exchange.test_watch_{name}"), f"test_watch_{name}")


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
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

        check = check_of(name)(exchange, skipped, "USDT" if name == "balance" else "BTC/USDT")
        both = [asyncio.create_task(one) for one in (check, trade(exchange))]
        try:
            async with asyncio.timeout(MOST_SECONDS):
                done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)


async def trade(exchange: Any) -> None:
    """Buy and sell in turn, whenever the market trades."""
    await exchange.create_order("BTC/USDT", "market", "buy", 0.03)
    for side in cycle(("buy", "sell")):
        await exchange.create_order("BTC/USDT", "market", side, 0.01)
        await exchange.watch_trades("BTC/USDT")


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
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


async def every_call(sim: RunningSim, venue: str) -> None:
    """Ask with ccxt for everything that the streams offer."""
    made = listening() if venue == BINANCEUS else None
    async with watching(sim, venue, made) as exchange, asyncio.timeout(MOST_SECONDS):
        symbols = ["BTC/USDT", "ETH/USDT"]
        for call in (exchange.watch_tickers, exchange.watch_bids_asks, exchange.watch_trades_for_symbols):
            await call(symbols)
        await exchange.watch_ohlcv("BTC/USDT", "5m")
        await exchange.watch_ticker("BTC/USDT", {} if venue == KRAKEN else {"name": "ticker"})
        async with asyncio.TaskGroup() as group:
            calls = (exchange.watch_orders, exchange.watch_my_trades, exchange.watch_balance)
            orders, trades, balance = own = [group.create_task(call()) for call in calls]
            while not all(task.done() for task in own):
                await exchange.create_order("BTC/USDT", "market", "buy", 0.001)
                await exchange.watch_trades("BTC/USDT")
        # Of Kraken's later events ccxt knows no symbol.
        assert {one["symbol"] for one in orders.result()} <= {"BTC/USDT", None}
        assert trades.result()[-1]["symbol"] == "BTC/USDT"
        assert balance.result()["USDT"]["total"] > 0
        if venue == BINANCEUS:
            await exchange.un_watch_trades_for_symbols(symbols)
        # Last, since ccxt is busy with all changes of a whole book from then on.
        await exchange.watch_order_book("BTC/USDT", 25 if venue == KRAKEN else 20)


@pytest.mark.unmeasured
@pytest.mark.parametrize("venue", [BINANCEUS, KRAKEN])
def test_ccxt_asks_for_nothing_that_the_venue_does_not_know(venue: str) -> None:
    with streaming(SPEED) as sim:
        asyncio.run(every_call(sim, venue))
        assert sim.streams.unknown == sim.kraken.unknown == {}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (StreamFault("close", code=1000), 1000),
        (StreamFault("close", code=1001), 1001),
        (StreamFault("close", code=1008), 1008),
        (StreamFault("close"), 1012),
        (StreamFault("reset"), 1006),
        (StreamFault("fin"), 1006),
    ],
)
def test_a_connection_ends_in_every_way_there_is(fault: StreamFault, code: int) -> None:
    """The pending call of ccxt fails with the code, and the next one is connected again."""

    async def run() -> None:
        async with watching(sim) as exchange, asyncio.timeout(MOST_SECONDS):
            assert await exchange.watch_trades("BTC/USDT")
            with pytest.raises(ccxt.NetworkError, match=f"{code}"):
                await exchange.watch_trades("BTC/USDT")
            assert await exchange.watch_trades("BTC/USDT")

    with streaming(SPEED, stream_faults=[replace(fault, after=1)]) as sim:
        asyncio.run(run())
        assert len(sim.streams.dials) == 2
        assert sim.streams.faults.met == [fault.kind]


def test_a_frame_that_is_no_text_ends_the_clients_connection() -> None:
    async def run() -> None:
        address = sim.ws_url + "/ws/btcusdt@trade"
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            frame = await socket.receive(timeout=10)
            assert frame.type is aiohttp.WSMsgType.ERROR

    with streaming(SPEED, stream_faults=[StreamFault("bad_utf8")]) as sim:
        asyncio.run(run())


def test_whoever_is_not_answered_hears_no_pong() -> None:
    async def run() -> None:
        address = sim.ws_url + "/v2"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, autoping=False) as socket,
        ):
            assert (await socket.receive_json(timeout=10))["channel"] == "status"
            await socket.ping()
            await socket.send_json({"method": "ping"})
            await socket.send_json({"method": "hello"})
            assert "hello" in (await socket.receive_json(timeout=10))["error"]

    with streaming(stream_faults=[StreamFault("no_pong")]) as sim:
        asyncio.run(run())


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


@statistics
@pytest.mark.parametrize(
    "name",
    # The last one sleeps for five seconds.
    ["order_book", "client_reset", "cache", "cache_native", *(["future"] if WHOLE else [])],
)
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
