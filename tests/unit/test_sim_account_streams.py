"""What the streams tell of an account is what HTTP says of it, event by event, at both venues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from core.exchange_sim.account_news import OrderChange
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.binanceus_user_stream import VALID, kind_of
from core.exchange_sim.kraken_gate import kraken_secret
from core.exchange_sim.server import RunningSim
from core.exchange_sim.sessions import BINANCEUS, KRAKEN
from tests.exchange_help import FakeTime
from tests.sim import HOUR, MINUTE, NOON
from tests.ws_help import Wire, addresses, streaming


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def sim(time: FakeTime) -> Iterator[RunningSim]:
    with streaming(clock=time.clock) as running:
        yield running


def trader(sim: RunningSim, time: FakeTime, venue: str = BINANCEUS) -> Any:
    """Return unmodified ccxt with the account's key."""
    secret = kraken_secret(AccountConfig()) if venue == KRAKEN else TEST_SECRET
    keys = {
        "apiKey": TEST_KEY,
        "secret": secret,
        "enableRateLimit": False,
        "options": {"maxRetriesOnFailure": 0},
    }
    exchange = getattr(ccxt, venue)(keys | {"urls": {"api": addresses(sim, venue)}})
    exchange.milliseconds = time.clock
    nonces = iter(range(10**9))
    exchange.nonce = lambda: time.clock() + next(nonces) if venue == KRAKEN else time.clock()
    exchange.load_markets()
    return exchange


class Heard:
    """A user stream without a socket."""

    def __init__(self, sim: RunningSim, path: str) -> None:
        self.sim, self.wire = sim, Wire(sim.streams, path, sim.now())
        self.all: list[Any] = []

    def news(self) -> list[Any]:
        """Return what was told since it was asked last."""
        with self.sim.lock:
            told = self.wire.at(self.sim.now())
        self.all += told
        return told


def user_stream(sim: RunningSim, exchange: Any) -> Heard:
    return Heard(sim, "/ws/" + exchange.public_post_userdatastream()["listenKey"])


def private_stream(sim: RunningSim, exchange: Any, channel: str, **options: Any) -> Heard:
    token = exchange.private_post_getwebsocketstoken()["result"]["token"]
    heard = Heard(sim, "/auth/v2")
    heard.wire.take()
    params = {"channel": channel, "token": token} | options
    heard.all += heard.wire.say({"method": "subscribe", "params": params, "req_id": 1})
    return heard


def price(exchange: Any, share: float, symbol: str = "BTC/USDT") -> float:
    return float(exchange.price_to_precision(symbol, exchange.fetch_ticker(symbol)["last"] * share))


def kinds(events: list[Any]) -> list[str]:
    return [f"{one['e']} {one['x']} {one['X']}" if "x" in one else one["e"] for one in events]


def test_an_order_tells_its_life_and_what_it_did_to_the_balances(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        stream = user_stream(sim, exchange)
        order = exchange.create_order("BTC/USDT", "limit", "buy", 0.01, price(exchange, 0.9))
        new, position = stream.news()
        assert kinds([new]) == ["executionReport NEW NEW"]
        assert (str(new["i"]), new["c"], new["C"], new["w"]) == (
            order["id"],
            order["clientOrderId"],
            "",
            True,
        )
        assert [row["a"] for row in position["B"]] == ["USDT"]
        assert stream.news() == []
        exchange.cancel_order(order["id"], "BTC/USDT", {"newClientOrderId": "my-cancel"})
        told = stream.news()
        assert kinds(told) == ["executionReport CANCELED CANCELED", "outboundAccountPosition"]
        # The name of the request to cancel, and of the order that it ended.
        assert (told[0]["c"], told[0]["C"], told[0]["w"]) == ("my-cancel", order["clientOrderId"], False)
        exchange.create_order("BTC/USDT", "market", "buy", 0.1)
        told = stream.news()
        assert kinds(told)[0] == "executionReport NEW NEW"
        assert kinds(told)[-2:] == ["executionReport TRADE FILLED", "outboundAccountPosition"]
        assert {row["a"] for row in told[-1]["B"]} == {"BTC", "USDT"}


def columns(rows: list[Any], names: Iterable[str]) -> list[list[str]]:
    """Return some columns of rows as text, which is what ccxt makes of numbers."""
    return [[str(row[name]) for name in names] for row in rows]


def hours_pass(exchange: Any, time: FakeTime, hours: int, venue: str) -> None:
    """Let time pass and keep the user stream alive, if there is one."""
    for _ in range(2 * hours):
        time.now += HOUR // 2
        if venue == BINANCEUS:
            key = exchange.public_post_userdatastream()["listenKey"]
            exchange.public_put_userdatastream({"listenKey": key})


def mixed_session(exchange: Any, sim: RunningSim, time: FakeTime, venue: str) -> None:
    """Trade a bit of everything, over hours."""
    symbol = "BTC/USDT"
    exchange.create_order(symbol, "market", "buy", 0.05)
    resting = [
        exchange.create_order(symbol, "limit", "buy", 0.01, price(exchange, 1 - n / 500)) for n in range(4)
    ]
    exchange.create_order(symbol, "limit", "sell", 0.01, price(exchange, 1.001))
    stop = {"stopLossPrice": price(exchange, 0.998)}
    exchange.create_order(symbol, "limit", "sell", 0.01, price(exchange, 0.99), stop)
    time.now += 20 * MINUTE
    exchange.cancel_order(
        exchange.create_order(symbol, "limit", "buy", 0.01, price(exchange, 0.8))["id"], symbol
    )
    sim.deposit("USDT", "12.5", venue=venue)
    hours_pass(exchange, time, 5, venue)
    for order in resting:
        if exchange.fetch_order(order["id"], symbol)["status"] == "open":
            exchange.cancel_order(order["id"], symbol)


@pytest.mark.unmeasured
def test_fills_orders_and_balances_of_a_session_are_those_of_http(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        stream = user_stream(sim, exchange)
        mixed_session(exchange, sim, time, BINANCEUS)
        stream.news()
        reports = [one for one in stream.all if one["e"] == "executionReport"]
        fills = [one for one in reports if one["x"] == "TRADE"]
        http = exchange.private_get_mytrades({"symbol": "BTCUSDT", "limit": 1000})
        assert len(fills) > 5
        names = {
            "t": "id",
            "i": "orderId",
            "L": "price",
            "l": "qty",
            "n": "commission",
            "N": "commissionAsset",
        }
        names |= {"m": "isMaker", "T": "time", "Y": "quoteQty"}
        assert columns(fills, names) == columns(http, names.values())
        newest = {one["i"]: one for one in reports}
        orders = exchange.private_get_allorders({"symbol": "BTCUSDT"})
        names = {
            "i": "orderId",
            "X": "status",
            "z": "executedQty",
            "Z": "cummulativeQuoteQty",
            "q": "origQty",
        }
        names |= {"p": "price", "P": "stopPrice", "O": "time", "c": "clientOrderId"}
        told = [one | {"c": one["C"] or one["c"]} for _, one in sorted(newest.items())]
        assert columns(told, names) == columns(orders, names.values())
        balances = {row["a"]: (row["f"], row["l"]) for one in stream.all if "B" in one for row in one["B"]}
        held = {
            row["asset"]: (row["free"], row["locked"]) for row in exchange.private_get_account()["balances"]
        }
        assert balances == {asset: held[asset] for asset in ("USDT", "BTC")}
        moved = [(one["a"], one["d"]) for one in stream.all if one["e"] == "balanceUpdate"]
        assert moved == [("USDT", "12.50000000")]


def a_pair(exchange: Any) -> dict[str, str]:
    """Return a sale above the market or below it, whichever comes first."""
    last = exchange.fetch_ticker("BTC/USDT")["last"]
    pair = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.02", "price": f"{last * 1.01:.2f}"}
    pair |= {"stopPrice": f"{last * 0.99:.2f}", "stopLimitPrice": f"{last * 0.98:.2f}"}
    return pair | {"stopLimitTimeInForce": "GTC", "listClientOrderId": "mine"}


def test_a_pair_of_orders_tells_when_it_begins_and_ends(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        exchange.create_order("BTC/USDT", "market", "buy", 0.05)
        stream = user_stream(sim, exchange)
        exchange.private_post_order_oco(a_pair(exchange))
        told = stream.news()
        assert kinds(told)[:3] == ["executionReport NEW NEW"] * 2 + ["listStatus"]
        assert (told[2]["l"], told[2]["C"], len(told[2]["O"])) == ("EXEC_STARTED", "mine", 2)
        assert told[0]["g"] == told[1]["g"] == told[2]["g"]
        exchange.private_delete_orderlist({"symbol": "BTCUSDT", "listClientOrderId": "mine"})
        told = stream.news()
        assert kinds(told)[:3] == ["executionReport CANCELED CANCELED"] * 2 + ["listStatus"]
        assert told[2]["l"] == "ALL_DONE"


@pytest.mark.unmeasured
def test_a_stop_that_triggers_is_told_as_an_order_on_the_book(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        exchange.create_order("BTC/USDT", "market", "buy", 0.05)
        stream = user_stream(sim, exchange)
        low = {"stopLossPrice": price(exchange, 0.999)}
        exchange.create_order("BTC/USDT", "limit", "sell", 0.02, price(exchange, 0.95), low)
        assert [one["w"] for one in stream.news() if one["e"] == "executionReport"] == [False]
        hours_pass(exchange, time, 6, BINANCEUS)
        reports = [one for one in stream.news() if one["e"] == "executionReport"]
        assert (reports[0]["x"], reports[0]["w"], reports[1]["x"]) == ("NEW", True, "TRADE")


def test_withdrawals_and_conversions_are_told_as_changes_of_balances(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        stream = user_stream(sim, exchange)
        exchange.withdraw("USDT", 100, "an-address")
        sim.fail_withdrawal(1)
        sim.convert(("USDT", "50"), ("SOL", "2"))
        moved = [(one["a"], one["d"]) for one in stream.news() if one["e"] == "balanceUpdate"]
    assert moved == [
        *(("USDT", "-100.00000000"), ("USDT", "100.00000000"), ("USDT", "-50.00000000")),
        ("SOL", "2.00000000"),
    ]


def test_a_key_lives_for_an_hour_from_the_last_sign_of_life(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        key = exchange.public_post_userdatastream()["listenKey"]
        assert exchange.public_post_userdatastream()["listenKey"] == key
        stream = Heard(sim, f"/ws/{key}")
        time.now += VALID - 1
        exchange.public_put_userdatastream({"listenKey": key})
        time.now += VALID - 1
        assert stream.news() == []
        time.now += 1
        other = exchange.public_post_userdatastream()["listenKey"]
        assert stream.news() == [{"e": "listenKeyExpired", "E": time.now, "listenKey": key}]
        assert other != key
        exchange.create_order("BTC/USDT", "market", "buy", 0.05)
        assert stream.news() == []
        with pytest.raises(ccxt.ExchangeError, match="-1125"):
            exchange.public_put_userdatastream({"listenKey": key})


@pytest.mark.unmeasured
def test_what_happens_while_a_key_lives_is_told_even_when_nobody_looked(
    sim: RunningSim, time: FakeTime
) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        stream = user_stream(sim, exchange)
        for share in (0.9999, 0.9995, 0.995):
            exchange.create_order("BTC/USDT", "limit", "buy", 0.001, price(exchange, share))
        stream.news()
        time.now += 6 * HOUR
        told = kinds(stream.news())
        # The third is executed two hours later.
        assert told.count("executionReport TRADE FILLED") == 2
        assert told[-1] == "listenKeyExpired"
        assert len(exchange.fetch_open_orders("BTC/USDT")) == 0


def test_a_key_that_somebody_deletes_ends_the_stream_of_everybody_silently(
    sim: RunningSim, time: FakeTime
) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        key = exchange.public_post_userdatastream()["listenKey"]
        streams = [Heard(sim, f"/ws/{key}") for _ in range(2)]
        exchange.create_order("BTC/USDT", "market", "buy", 0.05)
        one, two = (stream.news() for stream in streams)
        assert one == two != []
        exchange.public_delete_userdatastream({"listenKey": key})
        exchange.create_order("BTC/USDT", "market", "buy", 0.05)
        assert [stream.news() for stream in streams] == [[], []]


def test_a_wrong_api_key_gets_no_stream_and_an_unknown_listen_key_is_silent(
    sim: RunningSim, time: FakeTime
) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        stream = Heard(sim, "/ws/nobodys-key")
        exchange.create_order("BTC/USDT", "market", "buy", 0.05)
        assert stream.news() == []
        exchange.apiKey = "another-key"
        with pytest.raises(ccxt.BaseError, match="-2015"):
            exchange.public_post_userdatastream()


def events_of(messages: list[Any]) -> list[Any]:
    return [event for one in messages if one.get("channel") == "executions" for event in one["data"]]


@pytest.mark.unmeasured
def test_krakens_executions_and_balances_are_those_of_http(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        orders, balances = (private_stream(sim, exchange, name) for name in ("executions", "balances"))
        time.now += MINUTE
        mixed_session(exchange, sim, time, KRAKEN)
        time.now += MINUTE
        orders.news()
        balances.news()
        events = events_of(orders.all)
        fills = {one["exec_id"]: one for one in events if one["exec_type"] == "trade"}
        params = {"consolidate_taker": "false", "without_count": "true"}
        http = exchange.private_post_tradeshistory(params)["result"]["trades"]
        assert len(fills) > 5
        assert fills.keys() == http.keys()
        for name, fill in fills.items():
            row = http[name]
            assert (fill["order_id"], fill["side"], fill["symbol"]) == (
                row["ordertxid"],
                row["type"],
                "BTC/USDT",
            )
            for mine, theirs in (("last_qty", "vol"), ("last_price", "price"), ("cost", "cost")):
                assert fill[mine] == pytest.approx(float(row[theirs]), abs=1e-5)
        ended = {one["order_id"]: one for one in events if one["exec_type"] in ("filled", "canceled")}
        over = exchange.private_post_closedorders()["result"]["closed"]
        assert ended.keys() == over.keys()
        for name, row in over.items():
            assert ended[name]["cum_qty"] == float(row["vol_exec"])
            assert (ended[name]["exec_type"] == "filled") == (row["status"] == "closed")
        rows = [row for one in balances.all if "data" in one for row in one["data"] if "asset" in row]
        held = {row["asset"]: row["balance"] for row in rows}
        left = exchange.private_post_balance()["result"]
        assert (held["BTC"], held["USDT"]) == (float(left["XXBT"]), float(left["USDT"]))
        for heard in (orders, balances):
            numbers = [one["sequence"] for one in heard.all if "sequence" in one]
            assert numbers == list(range(1, len(numbers) + 1))


def test_only_the_first_event_of_an_order_and_its_executions_name_the_pair(
    sim: RunningSim, time: FakeTime
) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        stream = private_stream(sim, exchange, "executions")
        name = "a" * 32
        far = {"cl_ord_id": name}
        order = exchange.create_order("BTC/USDT", "limit", "buy", 0.01, price(exchange, 0.9), far)
        exchange.edit_order(order["id"], "BTC/USDT", "limit", "buy", 0.02, price(exchange, 0.91))
        time.now += MINUTE
        exchange.cancel_order(order["id"])
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        events = events_of(stream.news())
        told = [(one["exec_type"], one["order_status"], "symbol" in one) for one in events]
        assert told[:4] == [
            ("pending_new", "pending_new", True),
            ("new", "new", False),
            ("amended", "new", False),
            ("canceled", "canceled", False),
        ]
        assert [row[0] for row in told[4:6]] == ["pending_new", "new"]
        # An execution never says that it was the last one; that comes by itself.
        assert set(told[6:-1]) == {("trade", "partially_filled", True)}
        assert told[-1] == ("filled", "filled", False)
        assert all(one["cl_ord_id"] == name for one in events[:4])
        assert (events[2]["order_qty"], events[3]["reason"]) == (0.02, "User requested")


def test_a_snapshot_has_open_orders_and_on_request_executions(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        bought = exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        stop = {"stopLossPrice": price(exchange, 0.9)}
        waiting = exchange.create_order("BTC/USDT", "market", "sell", 0.01, None, stop)
        plain, whole, empty = (
            private_stream(sim, exchange, "executions", **options).all
            for options in ({}, {"snap_trades": True}, {"snap_orders": False})
        )
        (order,) = events_of(plain)
        assert (order["order_id"], order["symbol"], order["order_type"]) == (
            waiting["id"],
            "BTC/USDT",
            "stop-loss",
        )
        assert order["triggers"]["status"] == "untriggered"
        assert {one["order_id"] for one in events_of(whole)} == {bought["id"], waiting["id"]}
        assert empty[1]["data"] == []


def test_a_stop_at_kraken_tells_that_it_was_triggered(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        stream = private_stream(sim, exchange, "executions")
        stop = {"stopLossPrice": price(exchange, 0.999)}
        exchange.create_order("BTC/USDT", "market", "sell", 0.01, None, stop)
        time.now += 6 * HOUR
        events = events_of(stream.news())
        assert [one["exec_type"] for one in events if one["exec_type"] != "trade"] == [
            *("pending_new", "new", "status", "filled"),
        ]
        assert events[2]["triggers"]["status"] == "triggered"


def test_without_order_status_only_beginnings_and_ends_are_told(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        stream = private_stream(sim, exchange, "executions", order_status=False)
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        assert [one["exec_type"] for one in events_of(stream.news())] == ["new", "filled"]


def test_a_deposit_at_kraken_is_a_line_of_the_ledger(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        stream = private_stream(sim, exchange, "balances", snapshot=False)
        assert stream.all[1:] == []
        sim.deposit("SOL", "3", venue=KRAKEN)
        (message,) = stream.news()
        (row,) = message["data"]
        assert (row["type"], row["asset"], row["amount"], row["balance"]) == ("deposit", "SOL", 3.0, 3.0)
        ledger = exchange.private_post_ledgers()["result"]["ledger"]
        assert (row["ledger_id"], row["ref_id"]) in [(name, line["refid"]) for name, line in ledger.items()]


def test_a_token_is_needed_and_opens_channels_for_a_quarter_of_an_hour(
    sim: RunningSim, time: FakeTime
) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        token = exchange.private_post_getwebsocketstoken()["result"]
        assert token["expires"] == 900
        heard = Heard(sim, "/auth/v2")
        heard.wire.take()

        def ask(token: object, method: str = "subscribe", channel: str = "executions") -> Any:
            params = {"channel": channel, "token": token}
            return heard.wire.say({"method": method, "params": params})[0]

        nonsense: list[object] = ["", "nonsense", None, []]
        for wrong in nonsense:
            assert ask(wrong)["error"] == "ESession:Invalid session"
        assert ask(token["token"])["success"] is True
        assert ask(token["token"])["error"] == "Already subscribed"
        assert ask(token["token"], "unsubscribe")["success"] is True
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        assert events_of(heard.news()) == []
        assert ask(token["token"])["success"] is True
        time.now += 900_000
        heard.news()
        assert ask(token["token"], channel="balances")["error"] == "ESession:Invalid session"
        # What is subscribed goes on.
        exchange.create_order("BTC/USDT", "market", "buy", 0.01)
        assert events_of(heard.news()) != []
        sim.kraken.rights = ("query-funds",)
        with pytest.raises(ccxt.PermissionDenied):
            exchange.private_post_getwebsocketstoken()


def test_each_endpoint_has_its_own_channels(sim: RunningSim) -> None:
    market = {"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}
    account = {"method": "subscribe", "params": {"channel": "balances", "token": "x"}}
    one, two = (Heard(sim, path).wire for path in ("/auth/v2", "/v2"))
    assert one.say(market)[-1]["error"] == "Market data is unavailable on this endpoint"
    assert two.say(account)[-1]["error"] == "Private data is unavailable on this endpoint"
    assert sim.streams.unknown == {}


@pytest.mark.parametrize(
    ("options", "error"),
    [({"snap_orders": 1}, "Malformed request: snap_orders"), ({"foo": 1}, "Unsupported field: 'foo'")],
)
def test_wrong_options_of_private_channels_are_refused(
    sim: RunningSim, time: FakeTime, options: dict[str, Any], error: str
) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        (answer,) = private_stream(sim, exchange, "executions", **options).all[-1:]
    assert error in answer["error"]


def test_a_restarted_exchange_tells_nothing_of_its_past_again(time: FakeTime, tmp_path: Any) -> None:
    for _ in range(2):
        with streaming(clock=time.clock, state=tmp_path / "state") as sim:
            exchange = trader(sim, time)
            with closing(exchange.session):
                stream = user_stream(sim, exchange)
                assert stream.news() == []
                exchange.create_order("BTC/USDT", "market", "buy", 0.01)
                assert kinds(stream.news())[0] == "executionReport NEW NEW"
            time.now += MINUTE


def test_a_pair_from_before_a_restart_tells_its_end_alone(time: FakeTime, tmp_path: Any) -> None:
    with streaming(clock=time.clock, state=tmp_path / "state") as sim:
        exchange = trader(sim, time)
        with closing(exchange.session):
            exchange.create_order("BTC/USDT", "market", "buy", 0.05)
            exchange.private_post_order_oco(a_pair(exchange))
    with streaming(clock=time.clock, state=tmp_path / "state") as sim:
        exchange = trader(sim, time)
        with closing(exchange.session):
            stream = user_stream(sim, exchange)
            exchange.private_delete_orderlist({"symbol": "BTCUSDT", "listClientOrderId": "mine"})
            assert [one["l"] for one in stream.news() if one["e"] == "listStatus"] == ["ALL_DONE"]


def test_what_a_change_of_an_order_is_called_at_binance(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time)
    with closing(exchange.session):
        exchange.create_order("BTC/USDT", "limit", "buy", 0.01, price(exchange, 0.9))
    (order,) = sim.books().open_orders()
    names = {
        "REPLACED": replace(order, quantity=Decimal("0.02")),
        "EXPIRED": replace(order, status="EXPIRED"),
        "TRADE_PREVENTION": replace(order, status="EXPIRED_IN_MATCH"),
    }
    assert [kind_of(OrderChange(order, changed, None)) for changed in names.values()] == list(names)


def test_numbers_on_the_wire_have_all_their_decimals(sim: RunningSim, time: FakeTime) -> None:
    exchange = trader(sim, time, KRAKEN)
    with closing(exchange.session):
        heard = private_stream(sim, exchange, "balances")
        sim.deposit("USDT", "1", venue=KRAKEN)
        with sim.lock:
            sim.streams.advance(time.now)
            (frame,) = heard.wire.connection.take()
    row = json.loads(frame.text, parse_float=Decimal)["data"][0]
    assert str(row["balance"]) == "10001.00000000"
    assert time.now == NOON
