"""ccxt's own tests of an exchange, which its wheel ships, against the local exchange.

The classes are ccxt's, unmodified; only their URLs and their clock are set.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import HOUR, NOON

# A book has no time of its own on these venues.
BOOK = {"timestamp": True, "datetime": True}
BINANCEUS: dict[str, dict[str, bool]] = {
    "load_markets": {},
    "fetch_ohlcv": {},
    "fetch_ticker": {},
    "fetch_tickers": {},
    "fetch_order_book": BOOK,
    "fetch_l2_order_book": BOOK,
    "fetch_trades": {},
    "fetch_last_prices": {},
    "features": {},
    "after_construct": {},
}
KRAKEN: dict[str, dict[str, bool]] = {
    # ccxt puts its own code where Kraken's id of an asset belongs.
    "load_markets": {"currencyIdAndCode": True},
    "fetch_currencies": {"deposit": True, "withdraw": True, "activeMajorCurrencies": True},
    "fetch_ohlcv": {},
    "fetch_ticker": {},
    "fetch_tickers": {},
    "fetch_order_book": BOOK,
    "fetch_trades": {},
    "fetch_status": {},
    "features": {},
    "after_construct": {},
}


@pytest.fixture(scope="module")
def sim() -> Iterator[RunningSim]:
    with serve(SimConfig(source=SyntheticSource(7), clock=lambda: NOON)) as running:
        yield running


def settings(sim: RunningSim, venue: str) -> dict[str, Any]:
    b = sim.url
    us = dict.fromkeys(("public", "private", "v3"), b + "/api/v3")
    urls = {"public": b, "private": b} if venue == "kraken" else us | {"web": b, "sapi": b + "/sapi/v1"}
    return {"urls": {"api": urls}, "enableRateLimit": False}


def check_of(name: str, kind: str) -> Any:
    return getattr(importlib.import_module(f"ccxt.test.exchange.{kind}.test_{name}"), f"test_{name}")


def arguments(check: Any, exchange: Any, skipped: dict[str, bool]) -> list[Any]:
    symbol = "BTC/USDT"
    known = {"exchange": exchange, "skipped_properties": skipped, "symbol": symbol, "symbols": [symbol]}
    return [known[name] for name in inspect.signature(check).parameters]


def venue_of(sim: RunningSim, name: str, module: Any = ccxt) -> Any:
    exchange = getattr(module, name)(settings(sim, name))
    exchange.milliseconds = lambda: NOON
    return exchange


@pytest.mark.parametrize(
    ("venue", "name", "skipped"),
    [("binanceus", *row) for row in BINANCEUS.items()] + [("kraken", *row) for row in KRAKEN.items()],
)
def test_ccxt_is_content(sim: RunningSim, venue: str, name: str, skipped: dict[str, bool]) -> None:
    exchange, check = venue_of(sim, venue), check_of(name, "sync")
    with closing(exchange.session):
        exchange.load_markets()
        check(*arguments(check, exchange, skipped))


@pytest.mark.parametrize(("venue", "checks"), [("binanceus", BINANCEUS), ("kraken", KRAKEN)])
def test_asynchronous_ccxt_is_content(
    sim: RunningSim, venue: str, checks: dict[str, dict[str, bool]]
) -> None:
    async def run() -> None:
        exchange = venue_of(sim, venue, ccxt.async_support)
        try:
            for name, skipped in checks.items():
                check = check_of(name, "async")
                await check(*arguments(check, exchange, skipped))
        finally:
            await exchange.close()

    asyncio.run(run())


def test_ccxts_checks_do_find_faults(sim: RunningSim) -> None:
    exchange, check = venue_of(sim, "binanceus"), check_of("fetch_ticker", "sync")
    sound = exchange.fetch_ticker
    exchange.fetch_ticker = lambda symbol: sound(symbol) | {"quoteVolume": 1.0}
    with closing(exchange.session), pytest.raises(AssertionError, match="quoteVolume"):
        check(*arguments(check, exchange, {}))


def test_years_of_hours_page_without_loss_or_repeat(sim: RunningSim) -> None:
    exchange, since, rows = venue_of(sim, "binanceus"), NOON - 200 * 24 * HOUR, []
    with closing(exchange.session):
        while page := exchange.fetch_ohlcv("ETH/USDT", "1h", since, 1000, {"until": NOON}):
            rows += page
            since = page[-1][0] + 1
    stamps = [row[0] for row in rows]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] == NOON
    assert 4700 < len(stamps) <= 4801


def test_kraken_gives_720_bars_and_the_newest_ones(sim: RunningSim) -> None:
    exchange = venue_of(sim, "kraken")
    with closing(exchange.session):
        rows = exchange.fetch_ohlcv("BTC/USD", "1h", NOON - 2000 * HOUR)
        recent = exchange.fetch_ohlcv("BTC/USD", "1h", NOON - 3 * HOUR)
    assert len(rows) == 720
    assert [row[0] for row in recent] == [NOON - n * HOUR for n in (3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("venue", "call", "error"),
    [
        ("binanceus", lambda e: e.fetch_balance(), ccxt.AuthenticationError),
        ("binanceus", lambda e: e.public_get_klines({"symbol": "X", "interval": "1h"}), ccxt.BadSymbol),
        ("binanceus", lambda e: e.public_get_klines({"symbol": "BTCUSDT"}), ccxt.BadRequest),
        ("kraken", lambda e: e.fetch_balance(), ccxt.AuthenticationError),
        ("kraken", lambda e: e.public_get_ohlc({"pair": "X"}), ccxt.ExchangeError),
    ],
)
def test_refusals_become_ccxts_own_errors(
    sim: RunningSim, venue: str, call: Any, error: type[Exception]
) -> None:
    exchange = venue_of(sim, venue)
    exchange.apiKey, exchange.secret = "key", "c2VjcmV0"
    with closing(exchange.session):
        exchange.load_markets()
        with pytest.raises(error):
            call(exchange)
