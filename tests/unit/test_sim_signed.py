"""The account's routes of the local exchange, asked without a socket: answers, codes and sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from core.errors import UsageError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig, parse_balances, signature_of
from core.exchange_sim.binanceus import BinanceUS
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.limits import OrderLimit, WeightCounter
from core.exchange_sim.markets import LISTED
from core.exchange_sim.signed import Signed
from core.exchange_sim.stored import StoredSource
from core.exchange_sim.trading import Trading
from core.exchange_sim.venue import SimAnswer, SimRequest
from tests.sim import DAY, MINUTE, NOON, bars_of

D = Decimal
BUY = {"symbol": "BTCUSDT", "side": "BUY"}
LIMIT = BUY | {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5", "price": "95"}
MARKET = BUY | {"type": "MARKET", "quantity": "0.5"}
STOP = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC"}
STOP |= {"quantity": "0.5", "price": "80", "stopPrice": "95"}
PAIR = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5", "price": "110", "stopPrice": "95"}
PAIR |= {"stopLimitPrice": "80", "stopLimitTimeInForce": "GTC"}


class Account:
    """The venue at a time, asked by the owner of its key; the price is 100, then 90, then 120."""

    def __init__(self, order_limit: int = 100) -> None:
        prices = (100.0, 90.0, 120.0)
        bars = bars_of([(NOON + n * MINUTE, p, p, p, p, 160.0) for n, p in enumerate(prices)])
        future = bars._replace(ts=bars.ts + DAY)
        series = {("BTC/USDT", "1m"): bars, ("LTC/USD", "1m"): bars, ("ETH/USDT", "1m"): future}
        markets = (LISTED[0]._replace(market_stops=True), LISTED[1], LISTED[6])
        feed = MarketFeed(StoredSource("csv", series), 7)
        account = AccountConfig(balances={"USDT": D(1000), "BTC": D(2)})
        self.trading = trading = Trading(feed, account)
        self.account = Signed(trading, markets)
        self.venue = BinanceUS(feed, markets, WeightCounter(), self.account, OrderLimit(order_limit))
        self.now = NOON + 30_000

    def raw(self, method: str, path: str, signed: str = "", key: str = TEST_KEY, **params: Any) -> SimAnswer:
        path = path if path.startswith("/") else "/api/v3/" + path
        params = {"timestamp": str(self.now), **params}
        text = urlencode({name: value for name, value in params.items() if value is not None})
        signature = signed or signature_of(TEST_SECRET, text)
        named = {name: str(value) for name, value in params.items() if value is not None}
        request = SimRequest(
            method, path, named | {"signature": signature}, f"{text}&signature={signature}", key
        )
        return self.venue.answer(request, self.now)

    def __call__(self, method: str, path: str, **params: Any) -> Any:
        return json.loads(self.raw(method, path, **params).body)

    def code(self, method: str, path: str, **params: Any) -> tuple[int, str]:
        answer = self.raw(method, path, **params)
        said = json.loads(answer.body)
        assert answer.status == 400
        return said["code"], said["msg"]


@pytest.fixture
def one() -> Account:
    return Account()


def test_the_account_lists_balances_and_fees(one: Account) -> None:
    said = one("GET", "account")
    assert (said["makerCommission"], said["commissionRates"]["taker"]) == (10, "0.00100000")
    assert (said["canTrade"], said["accountType"], said["permissions"]) == (True, "SPOT", ["SPOT"])
    assert [row["asset"] for row in said["balances"]] == ["BTC", "ETH", "LTC", "USD", "USDT"]
    assert one("GET", "account", omitZeroBalances="true")["balances"] == [
        {"asset": "BTC", "free": "2.00000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "1000.00000000", "locked": "0.00000000"},
    ]


def test_fees_are_told_by_market(one: Account) -> None:
    assert one("GET", "account/commission", symbol="BTCUSDT")["standardCommission"]["maker"] == "0.00100000"
    fee = {"symbol": "BTCUSDT", "makerCommission": "0.001", "takerCommission": "0.001"}
    assert one("GET", "/sapi/v1/asset/tradeFee", symbol="BTCUSDT") == [fee]
    assert one("GET", "/sapi/v1/asset/query/trading-fee")[0] == fee


@pytest.mark.parametrize(
    ("how", "status", "code", "words"),
    [
        ({"key": ""}, 401, -2014, "API-key format invalid."),
        ({"key": "no key!"}, 401, -2014, "API-key format invalid."),
        ({"key": "another"}, 401, -2015, "Invalid API-key, IP, or permissions for action."),
        ({"timestamp": None}, 400, -1102, "Mandatory parameter 'timestamp' was not sent"),
        ({"signed": "0" * 64}, 400, -1022, "Signature for this request is not valid."),
        ({"timestamp": "noon"}, 400, -1100, "Illegal characters found in parameter 'timestamp'"),
        ({"recvWindow": "5s"}, 400, -1100, "Illegal characters found in parameter 'recvWindow'"),
        ({"recvWindow": 60_001}, 400, -1131, "recvWindow must be less than 60000"),
        ({"timestamp": NOON + 31_000}, 400, -1021, "1000ms ahead of the server's time"),
        ({"timestamp": NOON + 24_999}, 400, -1021, "outside of the recvWindow"),
        ({"timestamp": NOON + 27_999, "recvWindow": 2000}, 400, -1021, "outside of the recvWindow"),
    ],
)
def test_a_request_that_is_not_the_accounts_or_not_of_now_is_refused(
    one: Account, how: dict[str, Any], status: int, code: int, words: str
) -> None:
    answer = one.raw("POST", "order", **{**LIMIT, **how})
    said = json.loads(answer.body)
    assert (answer.status, said["code"]) == (status, code)
    assert words in said["msg"]
    assert one("GET", "openOrders") == []


@pytest.mark.parametrize("at", [NOON + 30_999, NOON + 25_000])
def test_the_window_of_time_is_as_wide_as_it_says(one: Account, at: int) -> None:
    assert one.raw("GET", "account", timestamp=at).status == 200


def test_without_a_signature_it_is_named() -> None:
    request = SimRequest("GET", "/api/v3/account", {"timestamp": "1"}, "timestamp=1", TEST_KEY)
    answer = Account().venue.answer(request, NOON)
    assert json.loads(answer.body)["code"] == -1102
    assert "'signature'" in json.loads(answer.body)["msg"]


def test_what_is_not_answered_still_refuses_the_key(one: Account) -> None:
    assert one("GET", "historicalTrades")["code"] == -2015
    assert one.raw("PUT", "order").status == 401


def test_a_new_order_answers_as_much_as_it_is_asked_for(one: Account) -> None:
    short = one("POST", "order", **LIMIT, newOrderRespType="ACK", newClientOrderId="mine")
    assert short == {
        "symbol": "BTCUSDT",
        "orderId": 1,
        "orderListId": -1,
        "clientOrderId": "mine",
        "transactTime": NOON + 30_000,
    }
    longer = one("POST", "order", **LIMIT, newOrderRespType="RESULT")
    assert (longer["status"], longer["origQty"], longer["price"]) == ("NEW", "0.50000000", "95.00000000")
    assert "fills" not in longer
    assert one("POST", "order", **LIMIT)["fills"] == []
    assert set(one("POST", "order", **STOP)) == set(short)


def test_a_market_order_tells_its_fills(one: Account) -> None:
    said = one("POST", "order", **MARKET)
    assert (said["status"], said["executedQty"], said["cummulativeQuoteQty"]) == (
        "FILLED",
        "0.50000000",
        "50.00500000",
    )
    assert said["fills"] == [
        {
            "price": "100.01000000",
            "qty": "0.50000000",
            "commission": "0.00050000",
            "commissionAsset": "BTC",
            "tradeId": 1,
        }
    ]
    value = one("POST", "order", **BUY, type="MARKET", quoteOrderQty="50")
    assert (value["origQuoteOrderQty"], value["executedQty"]) == ("50.00000000", "0.49995000")


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ({"symbol": "NOSUCH"}, -1121, "Invalid symbol"),
        ({"symbol": "btcusdt"}, -1100, "'symbol'"),
        ({"symbol": None}, -1102, "'symbol'"),
        ({"symbol": "LTCUSD"}, -1013, "Market is closed"),
        ({"symbol": "ETHUSDT"}, -1013, "Market is closed"),
        ({"side": "HOLD"}, -1117, "Invalid side"),
        ({"type": "ICEBERG"}, -1116, "Invalid orderType"),
        ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce"),
        ({"timeInForce": None}, -1102, "'timeInForce'"),
        ({"price": None}, -1102, "'price'"),
        ({"price": ""}, -1105, "'price' was empty"),
        ({"price": "1e2"}, -1100, "'price'; legal range"),
        ({"quantity": "-1"}, -1100, "'quantity'; legal range"),
        ({"quantity": "0.000000001"}, -1111, "Precision is over the maximum"),
        ({"quantity": "0"}, -1013, "Invalid quantity"),
        ({"price": "0.00"}, -1013, "Invalid price"),
        ({"stopPrice": "90"}, -1106, "'stopPrice' sent when not required"),
        ({"icebergQty": "1"}, -1104, "Not all sent parameters were read"),
        ({"newClientOrderId": "a b"}, -1100, "'newClientOrderId'"),
        ({"newOrderRespType": "ALL"}, -1130, "'newOrderRespType'"),
        ({"quantity": "0.000005"}, -1013, "Filter failure: LOT_SIZE"),
        ({"price": "95.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "1000"}, -1013, "Filter failure: PERCENT_PRICE"),
        ({"quantity": "0.001"}, -1013, "Filter failure: MIN_NOTIONAL"),
        ({"quantity": "100"}, -2010, "insufficient balance"),
    ],
)
def test_a_wrong_order_is_refused_with_its_code_by_test_and_by_order(
    one: Account, wrong: dict[str, Any], code: int, words: str
) -> None:
    said = one.code("POST", "order", **{**LIMIT, **wrong})
    assert said[0] == code
    assert words in said[1]
    assert one("GET", "openOrders") == []
    if code != -2010:
        assert one.code("POST", "order/test", **{**LIMIT, **wrong}) == said


def test_a_market_order_wants_an_amount_or_a_value(one: Account) -> None:
    assert one.code("POST", "order", **BUY, type="MARKET")[0] == -1102
    assert one.code("POST", "order", **MARKET, quoteOrderQty="5") == (
        -1106,
        "Parameter 'quantity' sent when not required.",
    )


def test_a_tested_order_is_not_placed(one: Account) -> None:
    assert one("POST", "order/test", **LIMIT) == {}
    assert one("GET", "allOrders", symbol="BTCUSDT") == []


def test_the_sixth_waiting_stop_is_refused(one: Account) -> None:
    answers = [one("POST", "order", **STOP | {"quantity": "0.1"}) for _ in range(6)]
    assert answers[-1] == {"code": -1013, "msg": "Filter failure: MAX_NUM_ALGO_ORDERS"}
    assert len(one("GET", "openOrders", symbol="BTCUSDT")) == 5


def test_too_many_orders_in_a_second_are_refused_with_429() -> None:
    one = Account(order_limit=2)
    statuses = [one.raw("POST", "order", **LIMIT).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert one("POST", "order", **LIMIT)["code"] == -1015
    assert one.raw("GET", "openOrders").status == 200
    one.now += 1000
    assert one.raw("POST", "order", **LIMIT).status == 200


def test_an_order_is_looked_up_by_either_id(one: Account) -> None:
    one("POST", "order", **STOP, newClientOrderId="mine")
    by_id, by_name = (
        one("GET", "order", symbol="BTCUSDT", orderId=1),
        one("GET", "order", symbol="BTCUSDT", origClientOrderId="mine"),
    )
    assert by_id == by_name
    assert (by_id["status"], by_id["isWorking"], by_id["stopPrice"]) == ("NEW", False, "95.00000000")
    assert (by_id["time"], by_id["updateTime"], by_id["workingTime"]) == (NOON + 30_000, NOON + 30_000, -1)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_order_that_is_not_there_is_said_so(one: Account, method: str) -> None:
    code, words = (-2013, "Order does not exist.") if method == "GET" else (-2011, "Unknown order sent.")
    assert one.code(method, "order", symbol="BTCUSDT", orderId=9) == (code, words)
    assert one.code(method, "order", symbol="BTCUSDT", origClientOrderId="x") == (code, words)
    assert one.code(method, "order", symbol="BTCUSDT")[0] == -1102
    assert one.code(method, "order", symbol="BTCUSDT", orderId="x")[0] == -1100


def test_a_cancelled_order_answers_with_the_name_of_the_cancel(one: Account) -> None:
    one("POST", "order", **LIMIT, newClientOrderId="mine")
    said = one("DELETE", "order", symbol="BTCUSDT", orderId=1, newClientOrderId="cancel")
    assert (said["origClientOrderId"], said["clientOrderId"], said["status"]) == (
        "mine",
        "cancel",
        "CANCELED",
    )
    assert one.code("DELETE", "order", symbol="BTCUSDT", orderId=1) == (-2011, "Unknown order sent.")
    assert one("GET", "order", symbol="BTCUSDT", orderId=1)["clientOrderId"] == "mine"


def test_all_orders_of_a_symbol_are_cancelled_at_once(one: Account) -> None:
    one("POST", "order", **LIMIT)
    one("POST", "order/oco", **PAIR)
    said = one("DELETE", "openOrders", symbol="BTCUSDT")
    assert [row.get("status") or row["listOrderStatus"] for row in said] == ["CANCELED", "ALL_DONE"]
    assert [report["status"] for report in said[1]["orderReports"]] == ["CANCELED", "CANCELED"]
    assert one.code("DELETE", "openOrders", symbol="BTCUSDT") == (-2011, "Unknown order sent.")
    assert one("GET", "account")["balances"][0]["locked"] == "0.00000000"


def test_orders_and_trades_are_listed_newest_or_from_an_id_or_time(one: Account) -> None:
    for _ in range(3):
        one("POST", "order", **MARKET)
    one.now += 1000
    one("POST", "order", **MARKET | {"side": "SELL"})

    def ids(path: str, **params: Any) -> list[int]:
        name = "id" if path == "myTrades" else "orderId"
        return [row[name] for row in one("GET", path, symbol="BTCUSDT", **params)]

    for path in ("allOrders", "myTrades"):
        assert ids(path) == [1, 2, 3, 4]
        assert ids(path, limit=2) == [3, 4]
        assert ids(path, startTime=NOON, limit=2) == [1, 2]
        assert ids(path, startTime=one.now) == [4]
        assert ids(path, endTime=one.now - 1) == [1, 2, 3]
    assert ids("allOrders", orderId=2) == [2, 3, 4]
    assert ids("myTrades", fromId=2, limit=2) == [2, 3]
    assert ids("myTrades", orderId=3) == [3]
    sold = one("GET", "myTrades", symbol="BTCUSDT")[-1]
    assert (sold["isBuyer"], sold["isMaker"], sold["commissionAsset"]) == (False, False, "USDT")
    assert one.code("GET", "myTrades", symbol="BTCUSDT", fromId=1, startTime=1)[0] == -1128
    assert one.code("GET", "allOrders", symbol="BTCUSDT", startTime=1, endTime=DAY + 2)[0] == -1127


def test_the_market_moves_under_resting_orders_while_nobody_asks(one: Account) -> None:
    one("POST", "order", **LIMIT)
    one(
        "POST",
        "order",
        **STOP | {"type": "TAKE_PROFIT", "stopPrice": "110", "price": None, "timeInForce": None},
    )
    one.now = NOON + 2 * MINUTE - 1
    assert [row["status"] for row in one("GET", "allOrders", symbol="BTCUSDT")] == ["FILLED", "NEW"]
    one.now = NOON + 3 * MINUTE
    [bought, sold] = one("GET", "myTrades", symbol="BTCUSDT")
    assert (bought["price"], bought["isMaker"], bought["time"]) == ("95.00000000", True, NOON + MINUTE)
    assert (sold["price"], sold["isMaker"], sold["time"]) == ("119.99000000", False, NOON + 2 * MINUTE)
    assert one("GET", "openOrders") == []


def test_the_clock_set_back_takes_nothing_back(one: Account) -> None:
    one("POST", "order", **LIMIT)
    one.now = NOON + MINUTE + 1000
    assert one("GET", "order", symbol="BTCUSDT", orderId=1)["status"] == "FILLED"
    one.now = NOON + 30_000
    assert one("GET", "order", symbol="BTCUSDT", orderId=1)["status"] == "FILLED"
    assert one("POST", "order", **MARKET)["fills"][0]["price"] == "90.01000000"


def test_a_pair_of_orders_is_placed_looked_up_and_cancelled(one: Account) -> None:
    made = one("POST", "order/oco", **PAIR, listClientOrderId="pair", limitClientOrderId="up")
    assert (made["listOrderStatus"], made["listClientOrderId"]) == ("EXECUTING", "pair")
    assert [row["type"] for row in made["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS_LIMIT"]
    assert [row["orderListId"] for row in made["orderReports"]] == [1, 1]
    assert made["orders"][0]["clientOrderId"] == "up"
    short = {name: value for name, value in made.items() if name != "orderReports"}
    assert (
        one("GET", "orderList", orderListId=1) == one("GET", "orderList", origClientOrderId="pair") == short
    )
    assert one("GET", "openOrderList") == one("GET", "allOrderList") == [short]
    done = one("DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="pair")
    assert (done["listOrderStatus"], len(done["orderReports"])) == ("ALL_DONE", 2)
    assert one("GET", "openOrderList") == one("GET", "openOrders") == []


def test_one_of_a_pair_executed_ends_the_other(one: Account) -> None:
    one("POST", "order/oco", **PAIR, newOrderRespType="ACK")
    one.now = NOON + MINUTE
    assert [row["status"] for row in one("GET", "allOrders", symbol="BTCUSDT")] == ["EXPIRED", "FILLED"]
    assert one("GET", "orderList", orderListId=1)["listStatusType"] == "ALL_DONE"
    assert one.code("DELETE", "orderList", symbol="BTCUSDT", orderListId=1)[0] == -2011


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"price": None}, -1102),
        ({"stopLimitTimeInForce": None}, -1102),
        ({"price": "90"}, -2010),
        ({"limitClientOrderId": "x", "stopClientOrderId": "x"}, -2010),
        ({"quantity": "3"}, -2010),
        ({"side": "UP"}, -1117),
    ],
)
def test_a_wrong_pair_is_refused(one: Account, wrong: dict[str, Any], code: int) -> None:
    assert one.code("POST", "order/oco", **{**PAIR, **wrong})[0] == code
    assert one("GET", "openOrders") == []


def test_a_pair_that_is_not_there_is_said_so(one: Account) -> None:
    one("POST", "order/oco", **PAIR | {"stopLimitPrice": None, "stopLimitTimeInForce": None})
    assert one.code("GET", "orderList", orderListId=9) == (-2018, "Order list does not exist.")
    assert one.code("GET", "orderList")[0] == -1102
    assert one.code("DELETE", "orderList", symbol="ETHUSDT", orderListId=1)[0] == -2011
    assert one.code("DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="x")[0] == -2011


@pytest.mark.parametrize(
    ("method", "path", "params", "weight"),
    [
        ("GET", "account", {}, 10),
        ("POST", "order", LIMIT, 1),
        ("GET", "order", {"symbol": "BTCUSDT", "orderId": 1}, 2),
        ("GET", "openOrders", {"symbol": "BTCUSDT"}, 3),
        ("GET", "openOrders", {}, 40),
        ("GET", "myTrades", {"symbol": "BTCUSDT"}, 10),
        ("GET", "account/commission", {"symbol": "BTCUSDT"}, 20),
    ],
)
def test_requests_weigh_what_the_venue_says(
    one: Account, method: str, path: str, params: dict[str, Any], weight: int
) -> None:
    headers: Callable[[], dict[str, str]] = lambda: dict(one.raw("GET", "account/none").headers)  # noqa: E731
    before = int(headers()["X-MBX-USED-WEIGHT-1M"])
    after = int(dict(one.raw(method, path, **params).headers)["X-MBX-USED-WEIGHT-1M"])
    assert after - before == weight


def test_stops_that_become_market_orders_are_listed_where_they_are_taken(one: Account) -> None:
    listed = json.loads(one.venue.answer(SimRequest("GET", "/api/v3/exchangeInfo", {}), one.now).body)[
        "symbols"
    ]
    assert "STOP_LOSS" in listed[0]["orderTypes"]
    assert "STOP_LOSS" not in listed[1]["orderTypes"]


def test_balances_are_read_from_text() -> None:
    assert parse_balances("500", ["BTC=0.1", "USDT=7"]) == {"USDT": D(7), "BTC": D("0.1")}
    for cash, others in (("-1", []), ("x", []), ("1", ["BTC"]), ("1", ["btc=1"]), ("1", ["BTC=0.123456789"])):
        with pytest.raises(UsageError, match="wanted an asset and an amount"):
            parse_balances(cash, others)


def test_the_secret_is_not_shown() -> None:
    assert TEST_SECRET not in repr(AccountConfig())


HISTORY = "/sapi/v1/capital/withdraw/history"
APPLY = "/sapi/v1/capital/withdraw/apply"


def test_a_list_of_withdrawals_shows_what_was_asked_for(one: Account) -> None:
    for n, coin in enumerate(("BTC", "USDT", "USDT")):
        order = {"withdrawOrderId": "mine"} if n == 1 else {}
        one("POST", APPLY, coin=coin, address="there", amount="1.5", **order)
        one.now += 60_000

    def ids(**params: Any) -> list[str]:
        return [row["id"].removeprefix("local-withdrawal-") for row in one("GET", HISTORY, **params)]

    assert ids() == ["3", "2", "1"]
    assert ids(coin="USDT", limit=1) == ids(offset=0, limit=1) == ["3"]
    assert ids(offset=1, limit=1) == ids(withdrawOrderId="mine") == ["2"]
    assert ids(status=4) == []
    assert ids(startTime=one.now - 60_000) == ["3"]
    assert ids(endTime=one.now - 60_001) == ["2", "1"]
    assert ids(startTime=one.now - 120_000, endTime=one.now - 90_000) == ["2"]
    one.now += 91 * DAY
    assert ids() == []


def test_withdrawals_that_cannot_be_are_refused(one: Account) -> None:
    wanted = {"coin": "BTC", "address": "there", "amount": "1"}
    for name in wanted:
        assert one.code("POST", APPLY, **{**wanted, name: None})[0] == -1102
    assert one.code("POST", APPLY, **{**wanted, "amount": "-1"})[0] == -1100
    assert one.code("POST", APPLY, **{**wanted, "amount": "0.0005"})[0] == -4003
    assert one.code("POST", APPLY, **{**wanted, "amount": "2.1"})[0] == -4026
    # What an open order keeps cannot leave.
    one("POST", "order", **STOP)
    assert one.code("POST", APPLY, **{**wanted, "amount": "1.6"})[0] == -4026
    assert one("POST", APPLY, **{**wanted, "amount": "1.5"})["id"] == "local-withdrawal-1"
    one("POST", APPLY, coin="USDT", address="there", amount="2")
    assert one.code("GET", HISTORY, startTime=0, endTime=one.now)[0] == -1127
