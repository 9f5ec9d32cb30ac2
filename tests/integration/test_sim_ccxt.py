"""ccxt's own tests of an exchange, which its wheel ships, against the local exchange.

The classes are ccxt's, unmodified; only their URLs and their clock are set.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET
from core.exchange_sim.faults import Fault
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import HOUR, NOON
from tests.tiers import some, statistics

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
PRIVATE: dict[str, dict[str, bool]] = {
    "fetch_balance": {},
    "fetch_open_orders": {},
    "fetch_orders": {},
    "fetch_closed_orders": {},
    "fetch_my_trades": {},
    # The venue does not say when they changed, and takes nothing for a deposit.
    "fetch_deposits": {"updated": True, "fee": True},
    "fetch_withdrawals": {"updated": True},
    "fetch_trading_fee": {},
    "fetch_trading_fees": {},
    "sign_in": {},
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


SOURCE = SyntheticSource(7)


@pytest.fixture(scope="module")
def sim() -> Iterator[RunningSim]:
    with serve(SimConfig(source=SOURCE, clock=lambda: NOON)) as running:
        yield running


def settings(sim: RunningSim, venue: str) -> dict[str, Any]:
    b = sim.url
    us = dict.fromkeys(("public", "private", "v3"), b + "/api/v3")
    urls = {"public": b, "private": b} if venue == "kraken" else us | {"web": b, "sapi": b + "/sapi/v1"}
    return {"urls": {"api": urls}, "enableRateLimit": False}


class Time:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = NOON


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def traded(time: Time) -> Iterator[RunningSim]:
    """Serve an account of its own on a clock that moves."""
    with serve(SimConfig(source=SOURCE, clock=lambda: time.now)) as running:
        yield running


def trader(sim: RunningSim, time: Any, module: Any = ccxt) -> Any:
    """Return unmodified ccxt with the account's key."""
    keys = {"apiKey": TEST_KEY, "secret": TEST_SECRET}
    quiet = {"options": {"fetchOpenOrders": {"warnWithoutSymbol": False}}}
    exchange = module.binanceus(settings(sim, "binanceus") | keys | quiet)
    exchange.milliseconds = lambda: time.now
    return exchange


def check_of(name: str, kind: str) -> Any:
    return getattr(importlib.import_module(f"ccxt.test.exchange.{kind}.test_{name}"), f"test_{name}")


def arguments(check: Any, exchange: Any, skipped: dict[str, bool]) -> list[Any]:
    symbol = "BTC/USDT"
    known = {"exchange": exchange, "skipped_properties": skipped, "symbol": symbol, "symbols": [symbol]}
    known["code"] = None
    return [known[name] for name in inspect.signature(check).parameters]


def venue_of(sim: RunningSim, name: str, module: Any = ccxt) -> Any:
    exchange = getattr(module, name)(settings(sim, name))
    exchange.milliseconds = lambda: NOON
    return exchange


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("venue", "name", "skipped"),
    [("binanceus", *row) for row in BINANCEUS.items()] + [("kraken", *row) for row in KRAKEN.items()],
)
def test_ccxt_is_content(sim: RunningSim, venue: str, name: str, skipped: dict[str, bool]) -> None:
    exchange, check = venue_of(sim, venue), check_of(name, "sync")
    with closing(exchange.session):
        exchange.load_markets()
        check(*arguments(check, exchange, skipped))


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
def test_ccxts_checks_do_find_faults(sim: RunningSim) -> None:
    exchange, check = venue_of(sim, "binanceus"), check_of("fetch_ticker", "sync")
    sound = exchange.fetch_ticker
    exchange.fetch_ticker = lambda symbol: sound(symbol) | {"quoteVolume": 1.0}
    with closing(exchange.session), pytest.raises(AssertionError, match="quoteVolume"):
        check(*arguments(check, exchange, {}))


@pytest.mark.unmeasured
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


def some_trading(exchange: Any) -> list[dict[str, Any]]:
    """Return orders of several kinds, some open and some executed."""
    last = exchange.fetch_ticker("BTC/USDT")["last"]

    def at(share: float) -> float:
        return float(round(last * share, 2))

    return [
        exchange.create_order("BTC/USDT", "market", "buy", 0.05),
        exchange.create_order("BTC/USDT", "limit", "buy", 0.01, at(0.9)),
        exchange.create_order("BTC/USDT", "limit", "sell", 0.01, at(1.001)),
        exchange.create_order("BTC/USDT", "limit", "sell", 0.01, at(1.2), {"postOnly": True}),
        exchange.create_order("BTC/USDT", "limit", "sell", 0.01, at(0.9), {"stopLossPrice": at(0.995)}),
        exchange.create_order("BTC/USDT", "limit", "sell", 0.01, at(0.9), {"takeProfitPrice": at(1.1)}),
        exchange.create_market_buy_order_with_cost("BTC/USDT", 100),
    ]


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(("name", "skipped"), some(PRIVATE.items(), 4))
def test_ccxt_is_content_with_an_account_that_traded(
    traded: RunningSim, time: Time, name: str, skipped: dict[str, bool]
) -> None:
    exchange, check = trader(traded, time), check_of(name, "sync")
    with closing(exchange.session):
        exchange.load_markets()
        some_trading(exchange)
        traded.deposit("USDT", "12.5")
        exchange.withdraw("USDT", 30, "an-address-elsewhere")
        time.now += 6 * HOUR
        assert len(exchange.fetch_my_trades("BTC/USDT")) > 2
        check(*arguments(check, exchange, skipped))


@pytest.mark.unmeasured
def test_asynchronous_ccxt_is_content_with_an_account_that_traded(traded: RunningSim, time: Time) -> None:
    with closing((exchange := trader(traded, time)).session):
        some_trading(exchange)
    time.now += 6 * HOUR

    async def run() -> None:
        exchange = trader(traded, time, ccxt.async_support)
        try:
            await exchange.load_markets()
            for name, skipped in PRIVATE.items():
                check = check_of(name, "async")
                await check(*arguments(check, exchange, skipped))
        finally:
            await exchange.close()

    asyncio.run(run())


@pytest.mark.unmeasured
def test_orders_through_ccxt_are_what_the_exchange_executed(traded: RunningSim, time: Time) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        placed = some_trading(exchange)
        assert [order["status"] for order in placed] == ["closed", *["open"] * 5, "closed"]
        assert [order["type"] for order in placed] == ["market", *["limit"] * 5, "market"]
        assert placed[0]["fee"] == {"currency": "BTC", "cost": pytest.approx(0.00005)}
        assert len(exchange.fetch_open_orders()) == 5
        time.now += 6 * HOUR
        books, balance = traded.books(), exchange.fetch_balance()
        for asset in ("BTC", "USDT"):
            kept = books.wallet.of(asset)
            assert (balance[asset]["free"], balance[asset]["used"]) == (float(kept.free), float(kept.locked))
        trades = exchange.fetch_my_trades("BTC/USDT")
        assert [trade["amount"] for trade in trades] == [float(t.amount) for t in books.trades["BTC/USDT"]]
        assert {trade["takerOrMaker"] for trade in trades} == {"taker", "maker"}
        for order in books.open_orders():
            exchange.cancel_order(str(order.id), "BTC/USDT")
        assert exchange.fetch_open_orders("BTC/USDT") == []
        assert exchange.fetch_balance()["USDT"]["used"] == 0


def test_a_pair_of_orders_through_ccxt(traded: RunningSim, time: Time) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        exchange.load_markets()
        exchange.create_order("ETH/USDT", "market", "buy", 0.5)
        last = exchange.fetch_ticker("ETH/USDT")["last"]
        prices = {"price": 1.3, "stopPrice": 0.7, "stopLimitPrice": 0.69}
        params = {name: exchange.price_to_precision("ETH/USDT", last * part) for name, part in prices.items()}
        form = {"symbol": "ETHUSDT", "side": "SELL", "quantity": "0.4", "stopLimitTimeInForce": "GTC"}
        made = exchange.private_post_order_oco(form | params)
        assert exchange.fetch_balance()["ETH"]["used"] == 0.4
        assert [order["type"] for order in exchange.fetch_open_orders("ETH/USDT")] == ["limit", "limit"]
        exchange.private_delete_orderlist({"symbol": "ETHUSDT", "orderListId": made["orderListId"]})
        assert exchange.fetch_open_orders("ETH/USDT") == []


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda e: e.create_order("BTC/USDT", "market", "buy", 10), ccxt.InsufficientFunds),
        (lambda e: e.create_order("BTC/USDT", "limit", "buy", 0.00001, 20_000), ccxt.BadRequest),
        (
            lambda e: e.create_order("BTC/USDT", "limit", "buy", 0.1, 90_000, {"postOnly": True}),
            ccxt.InvalidOrder,
        ),
        (lambda e: e.create_order("BTC/USDT", "limit", "sell", 1, 90_000), ccxt.InsufficientFunds),
        (lambda e: e.create_order("LTC/USD", "market", "buy", 1), ccxt.MarketClosed),
        (lambda e: e.cancel_order("99", "BTC/USDT"), ccxt.OrderNotFound),
        (lambda e: e.fetch_order("99", "BTC/USDT"), ccxt.OrderNotFound),
        (
            lambda e: e.create_order("BTC/USDT", "market", "buy", 0.1, None, {"stopLossPrice": 9e4}),
            ccxt.InvalidOrder,
        ),
    ],
)
def test_refusals_of_orders_become_ccxts_own_errors(
    traded: RunningSim, time: Time, call: Any, error: type[Exception]
) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        exchange.load_markets()
        with pytest.raises(error):
            call(exchange)
    assert traded.books().open_orders() == []


def test_a_wrong_secret_and_a_wrong_clock_are_told_apart(traded: RunningSim, time: Time) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        exchange.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError, match="Signature"):
            exchange.fetch_balance()
        exchange.secret = TEST_SECRET
        for skew in (-1001, 10_001):
            traded.skew_ms = skew
            with pytest.raises(ccxt.InvalidNonce):
                exchange.fetch_balance()
        traded.skew_ms = 0
        assert exchange.fetch_balance()["USDT"]["free"] == 10_000


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["empty", "cut_json", "html"])
def test_what_ccxt_takes_for_success_is_an_order_all_the_same(
    traded: RunningSim, time: Time, kind: str
) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        exchange.load_markets()
        traded.set_faults([Fault(kind, path="order", method="POST")])
        order = exchange.create_order("BTC/USDT", "limit", "buy", 0.01, 40_000)
    assert order["id"] is None
    assert len(traded.books().open_orders()) == 1


def free(exchange: Any, coin: str) -> Decimal:
    return Decimal(str(exchange.fetch_balance()[coin]["free"]))


def test_deposits_through_ccxt_are_pending_until_they_are_credited(traded: RunningSim, time: Time) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        assert exchange.fetch_deposits() == []
        traded.deposit("USDT", "1000.5")
        late = traded.deposit("SOL", "3", pending=True)
        sol, usdt = exchange.fetch_deposits()
        assert (usdt["currency"], usdt["amount"], usdt["status"]) == ("USDT", 1000.5, "ok")
        assert (sol["currency"], sol["status"], sol["type"], sol["timestamp"]) == (
            *("SOL", "pending", "deposit"),
            NOON,
        )
        assert free(exchange, "USDT") == Decimal("11000.5")
        assert "SOL" not in exchange.fetch_balance()["total"] or free(exchange, "SOL") == 0
        traded.credit(late)
        traded.credit(late)
        assert free(exchange, "SOL") == 3
        assert [one["status"] for one in exchange.fetch_deposits("SOL")] == ["ok"]
        assert exchange.fetch_deposits("SOL", NOON + 1) == []


def test_a_withdrawal_through_ccxt_is_gone_at_once_and_comes_back_when_it_fails(
    traded: RunningSim, time: Time
) -> None:
    exchange = trader(traded, time)
    with closing(exchange.session):
        asked = exchange.withdraw("USDT", 101, "an-address", {"network": "ERC20"})
        assert asked["id"] == "local-withdrawal-1"
        (told,) = exchange.fetch_withdrawals()
        assert (told["id"], told["currency"], told["status"]) == (asked["id"], "USDT", "pending")
        # What arrives elsewhere, and what the venue keeps.
        assert (told["amount"], told["fee"]["cost"], told["timestamp"]) == (100.0, 1.0, NOON)
        assert free(exchange, "USDT") == 9899
        time.now += 60_000
        assert [one["status"] for one in exchange.fetch_withdrawals()] == ["ok"]
        # One that is completed does not come back.
        traded.fail_withdrawal(1)
        exchange.withdraw("USDT", 50, "an-address")
        traded.fail_withdrawal(2)
        assert [one["status"] for one in exchange.fetch_withdrawals("USDT")] == ["ok", "failed"]
        assert free(exchange, "USDT") == 9899
        for amount in (0.5, 9900):
            with pytest.raises(ccxt.ExchangeError, match=r"-4003|-4026"):
                exchange.withdraw("USDT", amount, "an-address")
        assert free(exchange, "USDT") == 9899
