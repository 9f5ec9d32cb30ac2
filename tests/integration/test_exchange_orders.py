"""Orders: exactly one request, exact numbers, and only a confirmation is success."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.errors import (
    AuthenticationError,
    ExchangeError,
    ExchangeUnreachableError,
    InsufficientFundsError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
    UnsupportedError,
)
from core.exchange.urls import Address
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET
from core.exchange_sim.faults import Fault
from core.exchange_sim.server import RunningSim, SimConfig, serve
from tests.exchange_help import (
    KEY,
    MARKET,
    NOON,
    SECRET,
    Bench,
    Reply,
    TinyExchange,
    bench,
    said,
    tiny_exchange,
)

ORDER = "/api/v3/order"
OPEN = "/api/v3/openOrders"


@pytest.fixture
def exchange() -> Iterator[TinyExchange]:
    with tiny_exchange() as running:
        yield running


@pytest.fixture
def one(exchange: TinyExchange) -> Iterator[Bench]:
    with bench(exchange.url) as opened:
        yield opened


@pytest.fixture
def sim() -> Iterator[RunningSim]:
    with serve(SimConfig(clock=lambda: NOON)) as running:
        yield running


@pytest.fixture
def local(sim: RunningSim) -> Iterator[Bench]:
    with bench(sim.url, api_key=TEST_KEY, api_secret=TEST_SECRET) as opened:
        yield opened


def confirmed(client_id: str = "mine", **other: object) -> Reply:
    """Return the FULL answer to a filled market order."""
    answer = {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "orderListId": -1,
        "clientOrderId": client_id,
        "transactTime": NOON,
        "price": "0.00000000",
        "origQty": "0.12345000",
        "executedQty": "0.12345000",
        "cummulativeQuoteQty": "7407.00000000",
        "status": "FILLED",
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": "BUY",
        "fills": [
            {
                "price": "60000.00000000",
                "qty": "0.12345000",
                "commission": "0.00012345",
                "commissionAsset": "BTC",
                "tradeId": 56,
            }
        ],
    }
    return said({**answer, **other})


def buy(one: Bench, **params: object) -> dict[str, Any]:
    return one.client.create_order(
        "BTC/USDT", "buy", "market", 0.123456789, params={"clientOrderId": "mine", **params}
    )


def test_a_market_order_is_sent_once_with_exact_numbers(sim: RunningSim, local: Bench) -> None:
    order = buy(local)
    [params] = [sent.params for sent in sim.requests if sent.method == "POST"]
    assert (params["symbol"], params["side"], params["type"]) == ("BTCUSDT", "BUY", "MARKET")
    assert params["quantity"] == "0.12345"
    assert params["newClientOrderId"] == "mine"
    assert "price" not in params
    assert "quoteOrderQty" not in params
    assert params["recvWindow"] == "5000"
    assert (order["id"], order["clientOrderId"], order["status"]) == ("1", "mine", "closed")
    assert order["filled"] == Decimal("0.12345")
    assert isinstance(order["filled"], Decimal)
    [executed] = sim.books().orders["BTC/USDT"].values()
    assert (executed.executed, executed.turnover) == (order["filled"], order["cost"])


@pytest.mark.unmeasured
def test_a_limit_order_keeps_its_price_and_passes_time_in_force(sim: RunningSim, local: Bench) -> None:
    params = {"clientOrderId": "mine", "timeInForce": "IOC"}
    order = local.client.create_order("BTC/USDT", "buy", "limit", "0.003456", "60000.009", params)
    [sent] = sim.books().orders["BTC/USDT"].values()
    assert (sent.quantity, sent.price, sent.lifetime) == (Decimal("0.00345"), Decimal("60000"), "IOC")
    assert order["status"] == "expired"


def test_a_stop_price_is_rounded_to_the_tick_like_a_price(sim: RunningSim, local: Bench) -> None:
    buy(local)
    params = {"stopLossPrice": "60000.001"}
    order = local.client.create_order("BTC/USDT", "sell", "limit", "0.1", "59000.001", params)
    [sent] = sim.books().open_orders()
    assert (sent.kind, sent.stop, sent.price) == ("STOP_LOSS_LIMIT", Decimal("60000.01"), Decimal("59000.01"))
    assert order["status"] == "open"
    with pytest.raises(OrderRefusedError, match="stopLossPrice nix"):
        local.client.create_order("BTC/USDT", "sell", "limit", "0.1", "59000", {"stopLossPrice": "nix"})


def test_an_order_without_an_id_gets_one_of_the_allowed_form(exchange: TinyExchange, one: Bench) -> None:
    # What the exchange confirms cannot be the id that is made up.
    exchange.queue(ORDER, confirmed("somebody-elses"))
    with pytest.raises(OrderUnknownError):
        one.client.create_order("BTC/USDT", "buy", "market", 1)
    assert re.fullmatch(r"[0-9a-f]{32}", exchange.asked("POST", ORDER)[0].params["newClientOrderId"])


LOST = {
    "reset after the request was read": Reply(fate="reset"),
    "half of the body": confirmed()._replace(fate="cut"),
    "empty 200": Reply(""),
    "null": Reply("null"),
    "cut JSON": Reply(confirmed().body[:100]),
    "HTML 200": Reply("<html>please wait</html>"),
    "empty object": Reply("{}"),
    "another order's confirmation": confirmed("theirs"),
    "no order id": confirmed(orderId=None),
    "500": Reply("<html>oops</html>", 500),
    "502": Reply("<html>oops</html>", 502),
    "503 JSON": said(
        {"code": -1000, "msg": "Unknown error, please check your request or try again later."}, 503
    ),
    "504": Reply("", 504),
    "408": Reply("", 408),
    "409": said({"code": -2010, "msg": "conflict"}, 409),
    "520": Reply("<html>", 520),
    "-1006": said(
        {"code": -1006, "msg": "An unexpected response was received. Execution status unknown."}, 400
    ),
    "-1007": said({"code": -1007, "msg": "Timeout waiting for response from backend server."}, 400),
    "-1001": said({"code": -1001, "msg": "DISCONNECTED"}, 400),
    "-1008": said({"code": -1008, "msg": "Server is currently overloaded."}, 400),
    "duplicate": said({"code": -2010, "msg": "Duplicate order sent."}, 400),
    "unknown code": said({"code": -4711, "msg": "brand new"}, 400),
    "redirect": Reply("", 307, {"Location": "/api/v3/order"}),
    "HTML 400": Reply("<html>bad request</html>", 400),
    "403": Reply("<html>WAF</html>", 403),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("what", LOST)
def test_without_a_confirmation_the_order_is_unknown_and_was_sent_once(
    exchange: TinyExchange, one: Bench, what: str
) -> None:
    exchange.queue(ORDER, LOST[what])
    with pytest.raises(
        OrderUnknownError, match=r"client order id mine.*look it up, do not send it again"
    ) as caught:
        buy(one)
    assert len(exchange.asked("POST", ORDER)) == 1
    assert caught.value.exit_code == 3
    for secret in (KEY, SECRET, exchange.asked("POST", ORDER)[0].params["signature"]):
        assert secret not in str(caught.value)


def test_an_answer_that_comes_too_late_leaves_the_order_unknown(exchange: TinyExchange) -> None:
    with bench(exchange.url, timeout=0.05) as one:
        exchange.queue(ORDER, Reply(fate="late"))
        with pytest.raises(OrderUnknownError, match="no complete answer in time"):
            buy(one)
        assert len(exchange.asked("POST", ORDER)) == 1


REFUSED: dict[str, tuple[Reply, type[ExchangeError]]] = {
    "funds": (
        said({"code": -2010, "msg": "Account has insufficient balance for requested action."}, 400),
        InsufficientFundsError,
    ),
    "lot": (said({"code": -1013, "msg": "Filter failure: LOT_SIZE"}, 400), OrderRefusedError),
    "notional": (said({"code": -1013, "msg": "Filter failure: MIN_NOTIONAL"}, 400), OrderRefusedError),
    "closed": (said({"code": -1013, "msg": "Market is closed."}, 400), OrderRefusedError),
    "symbol": (said({"code": -1121, "msg": "Invalid symbol."}, 400), OrderRefusedError),
    "immediately": (
        said({"code": -2010, "msg": "Order would immediately match and take."}, 400),
        OrderRefusedError,
    ),
    "key": (
        said({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, 401),
        AuthenticationError,
    ),
    "signature": (
        said({"code": -1022, "msg": "Signature for this request is not valid."}, 400),
        AuthenticationError,
    ),
    "too many": (
        said({"code": -1015, "msg": "Too many new orders."}, 429, Retry_After="3"),
        RateLimitedError,
    ),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_in_the_venues_words_is_one_and_was_sent_once(
    exchange: TinyExchange, one: Bench, what: str
) -> None:
    reply, kind = REFUSED[what]
    exchange.queue(ORDER, reply)
    with pytest.raises(ExchangeError) as caught:
        buy(one)
    assert type(caught.value) is kind
    assert len(exchange.asked("POST", ORDER)) == 1
    assert one.time.slept == []


def test_binances_own_error_table_is_in_force_at_another_address(exchange: TinyExchange, one: Bench) -> None:
    # ccxt knows this code only from the table that it finds by the real host's name.
    exchange.queue(
        ORDER, said({"code": -2016, "msg": "No trading window could be found for the symbol."}, 400)
    )
    with pytest.raises(OrderRefusedError, match="No trading window"):
        buy(one)


def test_after_a_refused_clock_the_next_order_measures_it_first(exchange: TinyExchange, one: Bench) -> None:
    exchange.queue(
        ORDER, said({"code": -1021, "msg": "Timestamp for this request was 1000ms ahead."}, 400), confirmed()
    )
    with pytest.raises(AuthenticationError, match="clock and the venue's disagree"):
        buy(one)
    measured = len(exchange.asked("GET", "/api/v3/time"))
    buy(one)
    assert len(exchange.asked("GET", "/api/v3/time")) == measured + 1
    assert len(exchange.asked("POST", ORDER)) == 2


@pytest.mark.unmeasured
@pytest.mark.parametrize("step", [-86_400_000, 58_000])
def test_a_step_of_the_local_clock_does_not_change_what_an_order_is_stamped_with(
    exchange: TinyExchange, one: Bench, step: int
) -> None:
    one.client.exchange_now()
    there = one.client._clock.peek()
    sign = one.client._exchange.sign

    def signed(*given: Any, **more: Any) -> Any:
        # At the worst moment: the time was looked at, the request is not signed yet.
        one.time.stepped = step
        return sign(*given, **more)

    one.client._exchange.sign = signed
    with pytest.raises(OrderUnknownError):
        buy(one)
    [sent] = exchange.asked("POST", ORDER)
    assert int(sent.params["timestamp"]) == there


def test_without_a_connection_nothing_was_sent_and_that_is_said(exchange: TinyExchange) -> None:
    with bench(exchange.url) as one:
        one.client.symbols()
        one.client.exchange_now()
        one.client._exchange.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
        one.client._base = "http://127.0.0.1:1"
        nobody = frozenset([Address("http", "127.0.0.1", 1)])
        one.client._transport._guard = replace(
            one.client._transport._guard, permission=replace(one.client.permission, addresses=nobody)
        )
        with pytest.raises(ExchangeUnreachableError, match="nothing was sent"):
            buy(one)
    assert exchange.asked("POST", ORDER) == []


def test_in_wanted_silence_an_order_is_not_sent(exchange: TinyExchange, one: Bench) -> None:
    exchange.queue(ORDER, said({"code": -1003, "msg": "Too many requests."}, 429, Retry_After="60"))
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            buy(one)
    assert len(exchange.asked("POST", ORDER)) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("side", "order_type", "amount", "price", "reason"),
    [
        ("buy", "market", 0.000001, None, "smallest allowed is 0.00001"),
        ("buy", "market", 108, None, "largest allowed is 107.17"),
        ("buy", "market", 1, 60000, "leave the price out"),
        ("buy", "limit", 0.0001, 60000, "smallest allowed is 10"),
        ("buy", "stop", 1, None, "market or limit"),
    ],
)
def test_an_order_against_the_markets_rules_is_not_sent(
    exchange: TinyExchange,
    one: Bench,
    side: str,
    order_type: str,
    amount: float,
    price: float | None,
    reason: str,
) -> None:
    with pytest.raises(OrderRefusedError, match=reason):
        one.client.create_order("BTC/USDT", side, order_type, amount, price)
    assert exchange.asked("POST", ORDER) == []


def test_an_order_in_a_halted_or_unknown_market_is_not_sent(exchange: TinyExchange, one: Bench) -> None:
    with pytest.raises(OrderRefusedError, match="has halted trading in it"):
        one.client.create_order("LTC/USDT", "buy", "market", 1)
    with pytest.raises(UnsupportedError, match="did you mean BTC/USDT"):
        one.client.create_order("BTC/USDX", "buy", "market", 1)
    assert exchange.asked("POST", ORDER) == []


def test_an_exchange_object_that_would_send_again_is_refused(exchange: TinyExchange, one: Bench) -> None:
    one.client._exchange.options["maxRetriesOnFailure"] = 3
    with pytest.raises(OrderRefusedError, match="maxRetriesOnFailure is 3"):
        buy(one)
    del one.client._exchange.options["maxRetriesOnFailure"]
    with pytest.raises(OrderRefusedError, match="maxRetriesOnFailure is 3"):
        buy(one, maxRetriesOnFailure=3)
    assert exchange.asked("POST", ORDER) == []


@pytest.mark.unmeasured
def test_a_cancel_is_sent_once(sim: RunningSim, local: Bench) -> None:
    placed = local.client.create_order("BTC/USDT", "buy", "limit", "0.1", "60000")
    order = local.client.cancel_order(placed["id"], "BTC/USDT")
    assert (order["id"], order["status"]) == ("1", "canceled")
    assert [sent.params["orderId"] for sent in sim.requests if sent.method == "DELETE"] == ["1"]
    assert sim.books().open_orders() == []
    with pytest.raises(OrderRefusedError, match=r"Unknown order sent\."):
        local.client.cancel_order(placed["id"], "BTC/USDT")


@pytest.mark.parametrize(
    "reply", [Reply(fate="reset"), Reply("", 503), Reply(""), Reply("{}"), confirmed(orderId=29)]
)
def test_a_cancel_without_a_confirmation_is_unknown(exchange: TinyExchange, one: Bench, reply: Reply) -> None:
    exchange.queue(ORDER, reply)
    with pytest.raises(OrderUnknownError, match="cancel order 28"):
        one.client.cancel_order("28", "BTC/USDT")
    assert len(exchange.asked("DELETE", ORDER)) == 1


@pytest.mark.unmeasured
def test_open_orders_are_read_for_one_symbol_or_all_and_reads_are_tried_again(
    sim: RunningSim, local: Bench
) -> None:
    for symbol, amount, price in (("BTC/USDT", "0.01", "60000"), ("ETH/USDT", "0.1", "2000")):
        local.client.create_order(symbol, "buy", "limit", amount, price, {"clientOrderId": symbol[:3]})
    sim.set_faults([Fault("status", path="openOrders")])
    assert [order["id"] for order in local.client.get_open_orders("BTC/USDT")] == ["1"]
    assert [order["clientOrderId"] for order in local.client.get_open_orders()] == ["BTC", "ETH"]
    assert len([one for one in sim.requests if one.path == OPEN]) == 3
    with pytest.raises(UnsupportedError):
        local.client.get_open_orders("NO/SUCH")


@pytest.mark.unmeasured
@pytest.mark.parametrize("amount", ["0.00003", "0.000031", "3E-5", "0.1"])
def test_amounts_and_prices_leave_in_plain_digits_however_small(amount: str, local: Bench) -> None:
    price = Decimal("45000.01")
    order = local.client.create_order("BTC/USDT", "buy", "limit", amount, price)
    assert order["amount"] == Decimal(f"{Decimal(amount):.5f}")
    assert order["price"] == price


def test_a_price_far_below_a_cent_leaves_in_plain_digits(exchange: TinyExchange, one: Bench) -> None:
    cheap = MARKET | {"symbol": "PEPEUSDT", "baseAsset": "PEPE"}
    cheap["filters"] = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.00000001", "maxPrice": "1", "tickSize": "0.00000001"},
        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "900000000", "stepSize": "1"},
    ]
    exchange.standing["/api/v3/exchangeInfo"] = said({"symbols": [cheap]})
    exchange.queue(ORDER, said({"code": -2010, "msg": "Account has insufficient balance"}, 400))
    with pytest.raises(OrderRefusedError):
        one.client.create_order("PEPE/USDT", "buy", "limit", 2_000_000, "0.00001234")
    (sent,) = exchange.asked("POST", ORDER)
    assert (sent.params["quantity"], sent.params["price"]) == ("2000000", "0.00001234")
