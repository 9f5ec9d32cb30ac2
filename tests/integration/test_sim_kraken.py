"""Unmodified ccxt trades at the local Kraken: orders, refusals, nonce, pages, modes, and unknown fields."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from core.exchange_sim.accounts import TEST_KEY, AccountConfig
from core.exchange_sim.faults import Fault
from core.exchange_sim.kraken_gate import Tier, kraken_secret
from core.exchange_sim.kraken_names import order_txid, trade_txid
from core.exchange_sim.server import KRAKEN, RunningSim, SimConfig, serve
from core.exchange_sim.synthetic import SyntheticSource
from tests.integration.test_sim_ccxt import arguments, check_of
from tests.sim import HOUR, NOON
from tests.tiers import some, statistics

D = Decimal
BTC, LOCAL = "BTC/USD", Tier(1e6, 1e6, 1e6, 1e6)
SOURCE = SyntheticSource(7)
ACCOUNT = AccountConfig(
    balances={"USD": D(100_000), "USDT": D(10_000), "BTC": D(1)}, maker=D("0.0025"), taker=D("0.004")
)
CHECKS: dict[str, dict[str, bool]] = {
    "fetch_balance": {},
    "fetch_open_orders": {},
    "fetch_closed_orders": {},
    "fetch_my_trades": {},
    # Kraken names no network of a deposit.
    "fetch_deposits": {"updated": True, "network": True},
    "fetch_withdrawals": {"updated": True},
    "fetch_trading_fee": {},
    # ccxt says nothing of the account.
    "fetch_ledger": {"account": True},
    "fetch_status": {},
    "sign_in": {},
}


class Time:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = NOON


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def sim(time: Time) -> Iterator[RunningSim]:
    """Serve an account that may ask as often as it likes."""
    config = SimConfig(source=SOURCE, clock=lambda: time.now, account=ACCOUNT, tier=LOCAL)
    with serve(config) as running:
        running.kraken.rights += ("withdraw-funds",)
        yield running


@pytest.fixture
def kraken(sim: RunningSim, time: Time) -> Iterator[Any]:
    exchange = trader(sim, time)
    with closing(exchange.session):
        exchange.load_markets()
        yield exchange


def trader(sim: RunningSim, time: Any, module: Any = ccxt, account: AccountConfig = ACCOUNT) -> Any:
    """Return unmodified ccxt with the account's key."""
    urls = {"api": {"public": sim.url, "private": sim.url}}
    keys = {"apiKey": TEST_KEY, "secret": kraken_secret(account)}
    exchange = module.kraken({"urls": urls, "enableRateLimit": False} | keys)
    exchange.milliseconds = lambda: time.now
    return exchange


def price(exchange: Any, share: float = 1.0) -> float:
    return float(round(exchange.fetch_ticker(BTC)["last"] * share, 1))


def some_trading(exchange: Any) -> list[dict[str, Any]]:
    """Return orders of all kinds, some open and some executed."""
    last = price(exchange)
    at = {share: float(round(last * share, 1)) for share in (0.8, 0.9, 0.995, 1.001, 1.1, 1.2)}
    name = {"clientOrderId": "0123456789abcdef0123456789abcdef"}
    return [
        exchange.create_order(BTC, "market", "buy", 0.05, None, name),
        exchange.create_order(BTC, "limit", "buy", 0.01, at[0.9], {"oflags": "fcib"}),
        exchange.create_order(BTC, "limit", "sell", 0.01, at[1.001]),
        exchange.create_order(BTC, "limit", "sell", 0.01, at[1.2], {"postOnly": True, "userref": 7}),
        exchange.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": at[0.8]}),
        exchange.create_order(BTC, "limit", "sell", 0.01, at[0.9], {"stopLossPrice": at[0.995]}),
        exchange.create_order(BTC, "limit", "sell", 0.01, at[0.9], {"takeProfitPrice": at[1.1]}),
        exchange.create_market_buy_order_with_cost(BTC, 100),
        exchange.create_order(BTC, "limit", "buy", 0.01, at[0.8], {"timeInForce": "IOC"}),
    ]


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(("name", "skipped"), some(CHECKS.items(), 4))
def test_ccxt_is_content_with_an_account_that_traded(
    sim: RunningSim, time: Time, kraken: Any, name: str, skipped: dict[str, bool]
) -> None:
    some_trading(kraken)
    sim.deposit("USD", "12.5", venue=KRAKEN)
    kraken.withdraw("USDT", 30, "an-address-elsewhere", {"key": "mine"})
    time.now += 6 * HOUR
    assert len(kraken.fetch_my_trades(BTC)) > 2
    check = check_of(name, "sync")
    check(*arguments(check, kraken, skipped))
    assert sim.kraken.unknown.keys() == set()


def test_asynchronous_ccxt_is_content_with_an_account_that_traded(sim: RunningSim, time: Time) -> None:
    with closing((exchange := trader(sim, time)).session):
        exchange.load_markets()
        some_trading(exchange)
    time.now += 6 * HOUR

    async def run() -> None:
        exchange = trader(sim, time, ccxt.async_support)
        try:
            await exchange.load_markets()
            for name, skipped in CHECKS.items():
                check = check_of(name, "async")
                await check(*arguments(check, exchange, skipped))
        finally:
            await exchange.close()

    asyncio.run(run())


@pytest.mark.unmeasured
def test_orders_through_ccxt_are_what_the_exchange_executed(sim: RunningSim, kraken: Any, time: Time) -> None:
    placed = some_trading(kraken)
    assert all(order["id"] for order in placed)
    bought = kraken.fetch_order(placed[0]["id"])
    assert (bought["status"], bought["clientOrderId"]) == ("closed", "0123456789abcdef0123456789abcdef")
    assert (bought["fee"]["currency"], len(bought["trades"]) > 0) == ("USD", True)
    opened = {order["id"]: order for order in kraken.fetch_open_orders()}
    assert [placed[n]["id"] in opened for n in range(9)] == [False, *[True] * 6, False, False]
    kinds = [opened[placed[n]["id"]]["info"]["descr"]["ordertype"] for n in range(1, 7)]
    assert kinds == ["limit", "limit", "limit", "stop-loss", "stop-loss-limit", "take-profit-limit"]
    assert opened[placed[4]["id"]]["stopLossPrice"] == price(kraken, 0.8)
    time.now += 6 * HOUR
    books, balance = sim.books(KRAKEN), kraken.fetch_balance()
    for asset in ("BTC", "USD"):
        kept = books.wallet.of(asset)
        assert D(str(balance[asset]["total"])) == kept.free + kept.locked
    trades = books.trades[BTC]
    told = kraken.fetch_my_trades(BTC, None, None, {"consolidate_taker": "false"})
    assert {trade["id"] for trade in told} == {trade_txid(one) for one in trades}
    assert {trade["takerOrMaker"] for trade in kraken.fetch_my_trades(BTC)} == {"taker", "maker"}
    for order in books.open_orders():
        kraken.cancel_order(order_txid(order))
    assert kraken.fetch_open_orders() == []
    assert kraken.fetch_balance()["USD"]["used"] == 0


def test_balances_follow_from_the_ledger_alone(sim: RunningSim, kraken: Any, time: Time) -> None:
    some_trading(kraken)
    late = sim.deposit("USD", "7", pending=True, venue=KRAKEN)
    kraken.withdraw("BTC", 0.25, "elsewhere", {"key": "mine"})
    kraken.withdraw("BTC", 0.125, "elsewhere", {"key": "mine"})
    sim.fail_withdrawal(2, KRAKEN)
    time.now += 6 * HOUR
    sim.credit(late, KRAKEN)
    lines, first = [], kraken.private_post_ledgers()["result"]
    for offset in range(0, first["count"], 50):
        lines += kraken.private_post_ledgers({"ofs": offset})["result"]["ledger"].values()
    totals = dict(ACCOUNT.balances)
    for line in lines:
        asset = kraken.safe_currency_code(line["asset"])
        totals[asset] += D(line["amount"]) - D(line["fee"])
    wallet = sim.books(KRAKEN).wallet
    assert totals == {asset: wallet.of(asset).free + wallet.of(asset).locked for asset in totals}
    newest = {kraken.safe_currency_code(line["asset"]): D(line["balance"]) for line in reversed(lines)}
    assert newest == {asset: totals[asset] for asset in newest}
    assert {line["type"] for line in lines} == {"trade", "deposit", "withdrawal"}


def test_a_fee_is_in_base_where_that_is_wanted_and_only_the_ledger_says_so(
    sim: RunningSim, kraken: Any
) -> None:
    order = kraken.create_order(BTC, "market", "buy", 0.1, None, {"oflags": "fcib"})
    trade = kraken.fetch_my_trades(BTC)[0]
    assert trade["fee"]["currency"] == "USD"  # ccxt guesses
    lines = kraken.private_post_ledgers({"type": "trade"})["result"]["ledger"].values()
    fees = {
        asset: sum(D(line["fee"]) for line in lines if line["asset"] == asset) for asset in ("XXBT", "ZUSD")
    }
    # Each of its executions is cut to what balances can show.
    assert (D("0.00039999") < fees["XXBT"] < D("0.0004"), fees["ZUSD"]) == (True, 0)
    assert sim.books(KRAKEN).wallet.of("BTC").free == D("1.1") - fees["XXBT"]
    assert order["id"] == trade["order"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda e: e.create_order(BTC, "market", "buy", 99),
            ccxt.InsufficientFunds,
            "EOrder:Insufficient funds",
        ),
        (
            lambda e: e.create_order(BTC, "limit", "sell", 9, 9e4),
            ccxt.InsufficientFunds,
            "EOrder:Insufficient funds",
        ),
        (
            lambda e: e.create_order(BTC, "limit", "buy", 0.00001, 20_000),
            ccxt.InvalidOrder,
            "volume minimum not met",
        ),
        (
            lambda e: e.create_order(BTC, "limit", "buy", 0.001, 100),
            ccxt.ExchangeError,
            "EOrder:Cost minimum not met",
        ),
        (
            lambda e: e.create_order(BTC, "limit", "buy", 0.1, 90_000, {"postOnly": True}),
            ccxt.ExchangeError,
            "EOrder:Post only order",
        ),
        (lambda e: e.create_order("LTC/USD", "market", "buy", 1), ccxt.OnMaintenance, "cancel_only"),
        (lambda e: e.cancel_order("OABCDE-ABCDE-ABCDEF"), ccxt.OrderNotFound, "EOrder:Unknown order"),
        (lambda e: e.fetch_order("OABCDE-ABCDE-ABCDEF"), ccxt.InvalidOrder, "EOrder:Unknown order"),
        (
            lambda e: e.private_post_addorder({"pair": "XBTUSD"}),
            ccxt.ExchangeError,
            "EGeneral:Invalid arguments",
        ),
        (lambda e: e.private_post_querytrades({"txid": "T"}), ccxt.ExchangeError, "EQuery:Unknown trade"),
        (lambda e: e.private_post_ledgers({"start": "x"}), ccxt.ExchangeError, "arguments:start"),
        (
            lambda e: e.private_post_closedorders({"closetime": "x"}),
            ccxt.ExchangeError,
            "arguments:closetime",
        ),
        (lambda e: e.private_post_cancelorder(), ccxt.ExchangeError, "arguments:txid"),
        (lambda e: e.cancel_order("7", None, {"userref": 7}), ccxt.OrderNotFound, "Unknown order"),
        (
            lambda e: e.private_post_cancelallordersafter({"timeout": "-1"}),
            ccxt.ExchangeError,
            "arguments:timeout",
        ),
        (
            lambda e: e.private_post_queryorders({"txid": ",".join("O" * 51)}),
            ccxt.ExchangeError,
            "arguments:txid",
        ),
        (
            lambda e: e.private_post_tradevolume({"pair": "X"}),
            ccxt.ExchangeError,
            "EQuery:Unknown asset pair",
        ),
        (lambda e: e.private_post_openpositions(), ccxt.ExchangeError, "EGeneral:Unknown method"),
        (
            lambda e: e.private_post_withdraw({"asset": "NO", "key": "k", "amount": "1"}),
            ccxt.BadSymbol,
            "Unknown asset",
        ),
        (
            lambda e: e.private_post_withdraw({"asset": "USDT", "key": "k", "amount": "1"}),
            ccxt.InsufficientFunds,
            "Invalid amount",
        ),
        (
            lambda e: e.private_post_withdraw({"asset": "USDT", "key": "k", "amount": "1000000"}),
            ccxt.ExchangeError,
            "EFunding:Insufficient funds",
        ),
    ],
)
def test_refusals_come_in_krakens_words_and_leave_nothing(
    sim: RunningSim, kraken: Any, call: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call(kraken)
    assert sim.books(KRAKEN).orders == {}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("ordertype", "settle-position", "ordertype"),
        ("type", "hold", "type"),
        ("leverage", "2", "leverage"),
        ("trigger", "index", "Index unavailable"),
        ("oflags", "fciq,fcib", "oflags"),
        ("oflags", "nonsense", "oflags"),
        ("oflags", "viqc", "viqc"),
        ("timeinforce", "PO", "timeinforce"),
        ("cl_ord_id", "a name with more than 18 letters", "cl_ord_id"),
        ("userref", "7", "mutually exclusive"),
        ("volume", "1e-3", "volume"),
        ("volume", "0.123456789", "volume"),
        ("price", "30000.55", "up to 1 decimals"),
        ("price", "0", "price"),
        ("deadline", "soon", "deadline"),
        ("deadline", "2024-01-01T12:02:00Z", "deadline"),
        ("deadline", "2024-01-01T11:59:59Z", "EService:Deadline elapsed"),
        ("close[ordertype]", "stop-loss", "close"),
    ],
)
def test_a_wrong_field_is_named(sim: RunningSim, kraken: Any, field: str, value: str, words: str) -> None:
    good = {
        "pair": "XBTUSD",
        "type": "buy",
        "ordertype": "limit",
        "volume": "0.001",
        "price": "30000",
        "cl_ord_id": "mine",
    }
    with pytest.raises(ccxt.BaseError, match=words):
        kraken.private_post_addorder(good | {field: value})
    assert sim.books(KRAKEN).orders == {}
    assert kraken.private_post_addorder(good | {"deadline": "2024-01-01T12:00:05"})["result"]["txid"]
    with pytest.raises(ccxt.BaseError, match="cl_ord_id"):
        kraken.private_post_addorder(good)


def test_asking_whether_an_order_would_be_taken_places_none(sim: RunningSim, kraken: Any) -> None:
    order = kraken.create_order(BTC, "limit", "buy", 0.001, 30_000, {"validate": True})
    assert (order["id"], order["amount"]) == (None, 0.001)
    with pytest.raises(ccxt.ExchangeError, match="Cost minimum"):
        kraken.create_order(BTC, "limit", "buy", 0.001, 10, {"validate": True})
    assert sim.books(KRAKEN).orders == {}


def test_what_ccxt_makes_of_its_own_stop_calls_is_an_order_at_once(sim: RunningSim, kraken: Any) -> None:
    # It is why this program sends stopLossPrice alone: stopPrice is a field that Kraken does not know.
    order = kraken.create_stop_market_order(BTC, "sell", 0.01, price(kraken, 0.8))
    assert kraken.fetch_order(order["id"])["status"] == "closed"
    kraken.create_order(BTC, "limit", "buy", 0.01, price(kraken, 0.9), {"stopLoss": {"triggerPrice": 4e4}})
    assert sum(sim.kraken.unknown.values()) == 2
    assert {name.partition("[")[0] for name in sim.kraken.unknown} == {
        "AddOrder.stopPrice",
        "AddOrder.stopLoss",
    }


def test_a_stop_whose_price_is_reached_sells_at_once(sim: RunningSim, kraken: Any) -> None:
    order = kraken.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": price(kraken, 1.1)})
    assert kraken.fetch_order(order["id"])["status"] == "closed"
    assert len(sim.books(KRAKEN).trades[BTC]) == 1


def test_an_amended_order_keeps_id_and_name_and_an_edited_one_does_not(sim: RunningSim, kraken: Any) -> None:
    named = {"clientOrderId": "mine"}
    order = kraken.create_order(BTC, "limit", "buy", 0.01, price(kraken, 0.9), named)
    answer = kraken.edit_order(order["id"], BTC, "limit", "buy", 0.02, price(kraken, 0.8))
    assert answer["id"] != order["id"]  # ccxt gives the id of the change for the order's
    [changed] = kraken.fetch_open_orders(BTC, None, None, named)
    assert (changed["id"], changed["amount"], changed["price"]) == (order["id"], 0.02, price(kraken, 0.8))
    assert kraken.fetch_balance()["USD"]["used"] == pytest.approx(0.02 * price(kraken, 0.8) * 1.004, abs=1e-4)
    raw = {"txid": order["id"], "pair": "XBTUSD", "volume": "0.03"}
    with pytest.raises(ccxt.ExchangeError, match="cl_ord_id"):
        kraken.private_post_editorder(raw)
    other = kraken.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": price(kraken, 0.8)})
    kraken.private_post_amendorder({"txid": other["id"], "trigger_price": str(price(kraken, 0.7))})
    edited = kraken.private_post_editorder(raw | {"txid": other["id"], "price": str(price(kraken, 0.75))})[
        "result"
    ]
    assert edited["originaltxid"] == other["id"] != edited["txid"]
    stop = kraken.fetch_order(edited["txid"])
    assert (stop["amount"], stop["stopLossPrice"]) == (0.03, price(kraken, 0.75))
    for wrong in ({"order_qty": "0.00001"}, {"limit_price": "1.23"}):
        with pytest.raises(ccxt.ExchangeError):
            kraken.private_post_amendorder({"cl_ord_id": "mine"} | wrong)
    with pytest.raises(ccxt.InsufficientFunds):
        kraken.private_post_amendorder({"cl_ord_id": "mine", "order_qty": "100"})
    kraken.private_post_amendorder({"cl_ord_id": "mine", "limit_price": str(price(kraken, 1.1))})
    assert kraken.fetch_order(order["id"])["status"] == "closed"
    kraken.private_post_amendorder({"txid": edited["txid"], "trigger_price": str(price(kraken, 1.1))})
    assert kraken.fetch_order(edited["txid"])["status"] == "closed"


def test_cancels_by_name_by_reference_and_of_everything(kraken: Any) -> None:
    for params in ({"clientOrderId": "mine"}, {"userref": 7}, {"userref": 7}, {}):
        kraken.create_order(BTC, "limit", "buy", 0.01, 30_000, params)
    assert len(kraken.fetch_open_orders(BTC, None, None, {"userref": 7})) == 2
    assert kraken.cancel_order(None, BTC, {"clientOrderId": "mine"})["info"]["result"] == {"count": 1}
    assert kraken.cancel_order("7", BTC, {"userref": 7})["info"]["result"] == {"count": 2}
    [cancelled] = kraken.fetch_closed_orders(BTC, None, None, {"clientOrderId": "mine"})
    assert (cancelled["status"], cancelled["info"]["reason"]) == ("canceled", "User requested")
    assert kraken.cancel_all_orders("ETH/USD")[0]["info"]["result"] == {"count": 1}  # whatever the symbol
    assert kraken.fetch_open_orders() == []


def test_the_dead_mans_switch_cancels_stops_too_unless_it_is_fed(kraken: Any, time: Time) -> None:
    kraken.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 20_000})
    assert kraken.cancel_all_orders_after(60_000)["result"]["triggerTime"] == "2024-01-01T12:01:00Z"
    time.now += 40_000
    kraken.cancel_all_orders_after(60_000)
    time.now += 59_000
    assert len(kraken.fetch_open_orders()) == 1
    time.now += 1000
    [over] = kraken.fetch_closed_orders()
    assert (over["status"], over["lastUpdateTimestamp"]) == ("canceled", NOON + 100_000)
    kraken.cancel_all_orders_after(60_000)
    assert kraken.cancel_all_orders_after(0)["result"]["triggerTime"] == "0"


@pytest.mark.unmeasured
def test_closed_orders_and_trades_are_paged_by_fifty_newest_first(
    sim: RunningSim, kraken: Any, time: Time
) -> None:
    for _ in range(70):
        kraken.create_order(BTC, "market", "buy", 0.0001)
        kraken.cancel_order(kraken.create_order(BTC, "limit", "buy", 0.01, 30_000)["id"])
        time.now += 1000
    told, ids = kraken.private_post_closedorders()["result"], []
    assert (len(told["closed"]), told["count"]) == (50, 140)
    for offset in (0, 50, 100, 150):
        page = kraken.private_post_closedorders({"ofs": offset, "end": (time.now - 1000) // 1000})["result"]
        # One comes in between, and moves no page: it is after the end.
        kraken.cancel_order(kraken.create_order(BTC, "limit", "buy", 0.01, 30_000)["id"])
        ids += list(page["closed"])
    assert len(ids) == len(set(ids)) == 140
    rows = kraken.private_post_tradeshistory()["result"]
    times = [row["time"] for row in rows["trades"].values()]
    assert (len(times), rows["count"], times) == (50, 70, sorted(times, reverse=True))
    first = list(kraken.private_post_tradeshistory({"ofs": 50})["result"]["trades"])[-10]
    later = kraken.private_post_tradeshistory({"start": first, "without_count": "true"})["result"]
    assert "count" not in later
    assert len(later["trades"]) == 50
    assert kraken.private_post_querytrades({"txid": first})["result"][first]["vol"] == "0.00010000"
    by_close = kraken.private_post_closedorders({"start": NOON // 1000 + 65, "closetime": "close"})["result"]
    assert by_close["count"] == 4 * 2 + 4
    by_open = kraken.private_post_closedorders({"start": NOON // 1000 + 65, "closetime": "open"})["result"]
    assert by_open["count"] == by_close["count"]


def test_executions_of_one_taker_are_one_row_unless_they_are_wanted_apart(
    sim: RunningSim, kraken: Any
) -> None:
    kraken.create_order(BTC, "market", "buy", 1)
    whole = kraken.private_post_tradeshistory()["result"]["trades"]
    parts = kraken.private_post_tradeshistory({"consolidate_taker": "false"})["result"]["trades"]
    assert len(whole) == 1 < len(parts)
    assert len(parts) == len(sim.books(KRAKEN).trades[BTC])


MODES = {
    "limit_only": ("market", "EService:Market in limit_only mode"),
    "post_only": ("limit", "EService:Market in post_only mode"),
    "cancel_only": ("post", "EService:Market in cancel_only mode"),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("mode", MODES)
def test_a_mode_refuses_what_it_does_not_take_and_always_takes_cancels(
    sim: RunningSim, kraken: Any, time: Time, mode: str
) -> None:
    resting = kraken.create_order(BTC, "limit", "sell", 0.01, price(kraken, 1.0005))
    sim.set_status(mode)
    assert kraken.fetch_status()["info"]["result"]["status"] == mode
    calls = {
        "market": lambda: kraken.create_order(BTC, "market", "buy", 0.01),
        "limit": lambda: kraken.create_order(BTC, "limit", "buy", 0.01, 30_000),
        "post": lambda: kraken.create_order(BTC, "limit", "buy", 0.01, 30_000, {"postOnly": True}),
    }
    refused, words = MODES[mode]
    taken = list(calls)[list(calls).index(refused) + 1 :]
    with pytest.raises(ccxt.BaseError, match=words):
        calls[refused]()
    for name in taken:
        assert calls[name]()["id"]
    time.now += 3 * HOUR
    assert kraken.fetch_order(resting["id"])["status"] == ("closed" if mode == "limit_only" else "open")
    kraken.cancel_all_orders()
    sim.set_status("online")
    assert kraken.create_order(BTC, "market", "buy", 0.01)["id"]


def test_in_maintenance_nothing_below_the_key_is_answered(sim: RunningSim, kraken: Any) -> None:
    sim.set_status("maintenance")
    assert kraken.fetch_status()["status"] == "maintenance"
    for call in (kraken.fetch_balance, kraken.fetch_open_orders, kraken.cancel_all_orders):
        with pytest.raises(ccxt.ExchangeNotAvailable, match="EService:Unavailable"):
            call()


def test_key_signature_and_nonce_are_told_apart(sim: RunningSim, kraken: Any, time: Time) -> None:
    kraken.fetch_balance()
    other = trader(sim, time)
    with closing(other.session):
        other.load_markets()
        # Two on one key: whoever counts behind the other is refused.
        with pytest.raises(ccxt.InvalidNonce, match="EAPI:Invalid nonce"):
            other.fetch_balance()
        time.now += 1
        assert other.fetch_balance()["BTC"]["free"] == 1
        with pytest.raises(ccxt.InvalidNonce):
            kraken.fetch_balance()
        time.now += 1000
        other.secret = "c29tZXRoaW5nIGVsc2U="
        with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
            other.fetch_balance()
        other.apiKey = "nobody"
        with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
            other.fetch_balance()
        other.apiKey, other.secret, other.nonce = TEST_KEY, kraken.secret, lambda: "x"
        other.incrementing_nonce = lambda: "x"
        with pytest.raises(ccxt.InvalidNonce):
            other.fetch_balance()
    # A refused one took no number.
    assert kraken.fetch_balance()["BTC"]["free"] == 1


def test_a_json_body_is_signed_and_read_alike(sim: RunningSim, kraken: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="ordertype"):
        kraken.create_order(BTC, "market", "sell", 0.01, None, {"trailingPercent": "5"})
    with pytest.raises(ccxt.ExchangeError, match="Unknown method"):
        kraken.cancel_orders(["O"])


@pytest.fixture
def starter(time: Time) -> Iterator[RunningSim]:
    with serve(SimConfig(source=SOURCE, clock=lambda: time.now, account=ACCOUNT)) as running:
        yield running


def test_the_counters_of_the_lowest_tier_fill_and_run_down(starter: RunningSim, time: Time) -> None:
    exchange = trader(starter, time)
    with closing(exchange.session):
        exchange.load_markets()
        for _ in range(7):
            exchange.private_post_tradeshistory()
        with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
            exchange.private_post_tradeshistory()
        time.now += 6100
        exchange.private_post_tradeshistory()
        # Orders have another counter, in each pair; a young one is dear to cancel.
        for _ in range(6):
            exchange.cancel_order(exchange.create_order(BTC, "limit", "buy", 0.01, 30_000)["id"])
        left = exchange.create_order(BTC, "limit", "buy", 0.01, 30_000)
        with pytest.raises(ccxt.DDoSProtection, match="EOrder:Rate limit exceeded"):
            exchange.cancel_order(left["id"])
        exchange.create_order("ETH/USD", "limit", "buy", 0.1, 1000)
        time.now += 300_000
        exchange.cancel_all_orders()
        order = exchange.create_order(BTC, "limit", "buy", 0.01, 30_000)
        time.now += 300_000
        for _ in range(20):
            exchange.cancel_order(order["id"])
            order = exchange.create_order(BTC, "limit", "buy", 0.01, 30_000)
            time.now += 300_000


@pytest.mark.unmeasured
def test_sixty_orders_may_rest_in_a_pair(kraken: Any) -> None:
    for _ in range(60):
        kraken.create_order(BTC, "limit", "buy", 0.001, 30_000)
    with pytest.raises(ccxt.ExchangeError, match="EOrder:Orders limit exceeded"):
        kraken.create_order(BTC, "limit", "buy", 0.001, 30_000)


def test_a_late_order_takes_its_nonce_now_and_is_judged_by_its_deadline(
    sim: RunningSim, kraken: Any, time: Time
) -> None:
    for wait, placed in ((4, True), (6, False)):
        deadline = datetime.fromtimestamp(time.now / 1000 + 5, UTC).isoformat()
        sim.set_faults([Fault("late", path="AddOrder", seconds=wait)])
        with pytest.raises(ccxt.NetworkError):
            kraken.create_order(
                BTC, "limit", "buy", 0.01, 30_000, {"deadline": deadline, "clientOrderId": f"w{wait}"}
            )
        time.now += 1
        assert kraken.fetch_open_orders(BTC, None, None, {"clientOrderId": f"w{wait}"}) == []
        time.now += 10_000
        assert bool(kraken.fetch_open_orders(BTC, None, None, {"clientOrderId": f"w{wait}"})) is placed
    # A request that is no good is late for nothing.
    sim.set_faults([Fault("late", path="Balance"), Fault("late", path="Nothing")])
    kraken.secret = "c29tZXRoaW5nIGVsc2U="
    with pytest.raises(ccxt.NetworkError):
        kraken.fetch_balance()


def test_an_account_is_known_again_after_a_restart(tmp_path: Path, time: Time) -> None:
    def config() -> SimConfig:
        clock, state = (lambda: time.now), tmp_path / "state"
        return SimConfig(source=SOURCE, clock=clock, account=ACCOUNT, tier=LOCAL, state=state)

    with serve(config()) as sim, closing((exchange := trader(sim, time)).session):
        exchange.load_markets()
        some_trading(exchange)
        exchange.create_order(BTC, "limit", "buy", 0.01, 30_000, {"validate": True})
        exchange.cancel_all_orders_after(HOUR)
        sim.deposit("USD", "5", venue=KRAKEN)
        sim.deposit("USDT", "6")
        with suppress(ccxt.ExchangeError):
            exchange.create_order(BTC, "market", "buy", 999)
        time.now += 2 * HOUR
        before = sim.books(KRAKEN)
        kept = before.wallet.all(), before.orders, before.trades
        theirs = sim.books().wallet.all()
    with serve(config()) as sim:
        after = sim.books(KRAKEN)
        assert (after.wallet.all(), after.orders, after.trades) == kept
        assert sim.books().wallet.all() == theirs


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("unknown", ccxt.BaseError, "EService|EGeneral:Internal"),
        ("warning", ccxt.ExchangeError, "WGeneral"),
        ("clock", ccxt.InvalidNonce, "EAPI:Invalid nonce"),
        ("ban", ccxt.DDoSProtection, "Temporary lockout"),
        ("rate_limit", ccxt.DDoSProtection, "Too many requests"),
        ("twice", ccxt.InvalidNonce, "Invalid nonce"),
    ],
)
def test_faults_come_in_krakens_words(
    sim: RunningSim, kraken: Any, fault: str, error: type[Exception], words: str
) -> None:
    sim.set_faults([Fault(fault, path="AddOrder")])
    with pytest.raises(error, match=words):
        kraken.create_order(BTC, "limit", "buy", 0.01, 30_000)
    placed = len(sim.books(KRAKEN).open_orders())
    assert placed == (fault in ("unknown", "warning", "twice"))


def test_answers_that_look_fine_name_no_order_and_count_no_cancel(sim: RunningSim, kraken: Any) -> None:
    sim.set_faults([Fault(kind, times=9) for kind in ("no_id",)])
    assert kraken.create_order(BTC, "limit", "buy", 0.01, 30_000)["id"] is None
    assert "ZUSD" in kraken.fetch_balance()["info"]["result"]
    sim.set_faults([Fault("not_counted", times=9)])
    [order] = sim.books(KRAKEN).open_orders()
    told = kraken.cancel_order(order_txid(order))["info"]["result"]
    assert told == {"count": 0, "pending": True}
    with pytest.raises(ccxt.OrderNotFound):
        kraken.cancel_order(order_txid(order))
    sim.set_faults([Fault("not_counted"), Fault("missing")])
    assert kraken.fetch_time() == NOON
    assert sim.books(KRAKEN).open_orders() == []


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("right", "call"),
    [
        ("query-funds", lambda e: e.fetch_balance()),
        ("query-open-trades", lambda e: e.fetch_open_orders()),
        ("query-closed-trades", lambda e: e.fetch_my_trades()),
        ("query-ledger", lambda e: e.fetch_ledger()),
        ("modify-trades", lambda e: e.create_order(BTC, "market", "buy", 0.01)),
        ("close-trades", lambda e: e.cancel_all_orders()),
        ("withdraw-funds", lambda e: e.withdraw("USDT", 30, "elsewhere", {"key": "mine"})),
    ],
)
def test_a_key_may_do_what_it_has_a_right_to(sim: RunningSim, kraken: Any, right: str, call: Any) -> None:
    assert right in kraken.private_post_getapikeyinfo()["result"]["permissions"]
    call(kraken)
    sim.kraken.rights = tuple(one for one in sim.kraken.rights if one != right)
    with pytest.raises(ccxt.PermissionDenied, match="EGeneral:Permission denied"):
        call(kraken)


def test_a_market_stop_buys_what_the_cash_pays_with_its_fee(sim: RunningSim, kraken: Any, time: Time) -> None:
    last = price(kraken)
    amount = round(100_000 / (last * 1.0005 * 1.004), 4) - 1e-4
    order = kraken.create_order(
        BTC, "market", "buy", amount, None, {"stopLossPrice": round(last * 1.0005, 1)}
    )
    # All cash is kept at the stop price, and the book is dearer.
    assert kraken.fetch_balance()["USD"]["free"] < 30
    time.now += 12 * HOUR
    bought = kraken.fetch_order(order["id"])
    assert 0.99 * amount < bought["filled"] <= amount
    assert 0 <= sim.books(KRAKEN).wallet.of("USD").free < 100
    assert kraken.private_post_balance()["result"]["ZUSD"] == f"{sim.books(KRAKEN).wallet.of('USD').free:.4f}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ordertype": "market", "volume": "0.1", "oflags": "viqc"}, "Cost minimum not met"),
        ({"ordertype": "market", "volume": "1", "oflags": "post"}, "oflags"),
        ({"ordertype": "stop-loss", "volume": "1"}, "price"),
        ({"ordertype": "limit", "volume": "1", "price": "1", "timeinforce": "GTD"}, "timeinforce"),
    ],
)
def test_what_does_not_go_together_is_refused(kraken: Any, fields: dict[str, str], words: str) -> None:
    with pytest.raises(ccxt.BaseError, match=words):
        kraken.private_post_addorder({"pair": "XBTUSD", "type": "buy"} | fields)
    with pytest.raises(ccxt.BaseError, match="timeout"):
        kraken.private_post_cancelallordersafter({"timeout": "86401"})
    with pytest.raises(ccxt.BaseError, match="timeout"):
        kraken.private_post_cancelallordersafter({"timeout": "soon"})
