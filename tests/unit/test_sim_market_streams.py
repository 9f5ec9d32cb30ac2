"""The streams of markets say what HTTP says: candles, trades, book and statistics."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import DAY, HOUR, MINUTE, NOON, Asked, hand_made, steps_of
from tests.tiers import tries
from tests.ws_help import SOURCE, Wire, public_streams

EXAMPLES = settings(max_examples=tries(15, 4))
STEPS = st.lists(st.integers(1, 3 * MINUTE), min_size=1, max_size=6)


def binance(*names: str, now: int = NOON, path: str = "/ws/0") -> Wire:
    wire = Wire(public_streams(), path, now)
    assert wire.say({"method": "SUBSCRIBE", "params": list(names), "id": 1}) == [{"result": None, "id": 1}]
    return wire


def kraken(channel: str, now: int = NOON, **options: Any) -> tuple[Wire, list[Any]]:
    wire = Wire(public_streams(), "/v2", now)
    asked = {"channel": channel, "symbol": ["BTC/USD"]} | options
    status, ack, *first = [
        *wire.take(),
        *wire.say({"method": "subscribe", "params": asked, "req_id": 5}),
    ]
    assert status["data"][0]["system"] == "online"
    assert (ack["success"], ack["req_id"], ack["result"]["channel"]) == (True, 5, channel)
    return wire, first


def told(wire: Wire, now: int) -> list[Any]:
    """Return what the channels of a Kraken connection tell."""
    return [message["data"] for message in wire.at(now) if message["channel"] != "heartbeat"]


def moments(steps: list[int]) -> list[int]:
    return [NOON + sum(steps[: count + 1]) for count in range(len(steps))]


@pytest.mark.unmeasured
@EXAMPLES
@given(STEPS)
def test_closed_bars_come_once_and_are_those_of_http(steps: list[int]) -> None:
    wire = binance("btcusdt@kline_1m")
    said = [row["k"] for now in moments(steps) for row in wire.at(now)]
    closed = [k for k in said if k["x"]]
    rows = Asked(SOURCE, wire.now)("klines", symbol="BTCUSDT", interval="1m", startTime=NOON, limit=1000)
    over = [row for row in rows if row[6] < wire.now]
    keys = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    assert [[k[key] for key in keys] for k in closed] == over
    # Within one bar the newest message is the bar as it stands.
    assert [said[-1][key] for key in keys] == rows[-1]


@EXAMPLES
@given(STEPS)
def test_every_trade_comes_once_in_order(steps: list[int]) -> None:
    wire = binance("btcusdt@trade", "btcusdt@aggTrade")
    said = [row for now in moments(steps) for row in wire.at(now)]
    rows = Asked(SOURCE, wire.now)("aggTrades", symbol="BTCUSDT", startTime=NOON + 1, limit=1000)
    single = [row for row in said if row["e"] == "trade"]
    assert [(row["t"], row["p"], row["q"], row["T"], row["m"]) for row in single] == [
        (row["a"], row["p"], row["q"], row["T"], row["m"]) for row in rows
    ]
    whole = [row for row in said if row["e"] == "aggTrade"]
    assert [{key: row[key] for key in "apqflTmM"} for row in whole] == rows


@pytest.mark.unmeasured
@EXAMPLES
@given(STEPS, st.data())
def test_a_book_taken_at_any_moment_and_followed_from_there_is_the_book_of_http(
    steps: list[int], data: st.DataObject
) -> None:
    wire, http = binance("btcusdt@depth@100ms"), Asked(SOURCE, NOON)
    taken = data.draw(st.integers(0, len(steps) - 1))
    book: dict[str, dict[str, str]] = {}
    last = number = 0
    for count, now in enumerate(moments(steps)):
        changes, http.now = wire.at(now), now
        shown = http("depth", symbol="BTCUSDT", limit=1000)
        if count == taken:
            book, number = {side: dict(shown[side]) for side in ("bids", "asks")}, shown["lastUpdateId"]
        for change in changes:
            assert last in (0, change["U"] - 1)
            last = change["u"]
            if book and change["u"] > number:
                assert change["U"] <= number + 1
                number = change["u"]
                for side, rows in (("bids", change["b"]), ("asks", change["a"])):
                    book[side].update(rows)
        if book:
            for side, first in (("bids", -1), ("asks", 1)):
                left = [row for row in book[side].items() if float(row[1])]
                assert sorted(map(list, left), key=lambda row: first * float(row[0])) == shown[side]


def test_statistics_and_best_prices_are_those_of_http() -> None:
    wire = binance("btcusdt@ticker", "btcusdt@miniTicker", "btcusdt@bookTicker")
    full, mini, best = wire.at(NOON + 5 * MINUTE)
    day = Asked(SOURCE, wire.now)("ticker/24hr", symbol="BTCUSDT")
    names = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume"}
    assert {key: mini[key] for key in names} == {key: day[name] for key, name in names.items()}
    names |= {
        "b": "bidPrice",
        "A": "askQty",
        "P": "priceChangePercent",
        "w": "weightedAvgPrice",
        "n": "count",
    }
    assert {key: full[key] for key in names} == {key: day[name] for key, name in names.items()}
    assert (best["b"], best["B"], best["a"], best["A"]) == tuple(full[key] for key in "bBaA")
    assert (full["e"], mini["e"], "e" in best) == ("24hrTicker", "24hrMiniTicker", False)


def test_a_partial_book_has_its_best_levels() -> None:
    wire = binance("btcusdt@depth5@100ms")
    (said,) = wire.at(NOON + MINUTE)
    shown = Asked(SOURCE, wire.now)("depth", symbol="BTCUSDT", limit=5)
    assert said == shown


def test_nothing_happens_without_time_and_nothing_is_said_twice() -> None:
    wire = binance("btcusdt@trade", "btcusdt@kline_1m", "btcusdt@depth", "btcusdt@ticker")
    # The bar in progress is told to whoever subscribes.
    assert [row["e"] for row in wire.at(NOON)] == ["kline"]
    assert wire.at(NOON + MINUTE)
    assert wire.at(NOON + MINUTE) == []
    assert wire.at(NOON) == []


def test_an_address_can_name_streams_and_messages_end_them() -> None:
    wire = Wire(public_streams(), "/ws/btcusdt@trade/ethusdt@trade", NOON)
    assert {row["s"] for row in wire.at(NOON + MINUTE)} == {"BTCUSDT", "ETHUSDT"}
    assert wire.say({"method": "LIST_SUBSCRIPTIONS", "id": 3}) == [
        {"result": ["btcusdt@trade", "ethusdt@trade"], "id": 3}
    ]
    assert wire.say({"method": "UNSUBSCRIBE", "params": ["ethusdt@trade"], "id": 4})
    assert {row["s"] for row in wire.at(NOON + 2 * MINUTE)} == {"BTCUSDT"}


def test_a_halted_market_is_silent() -> None:
    wire = binance("ltcusd@depth", "ltcusd@bookTicker")
    assert wire.at(NOON + HOUR) == []


def test_a_market_without_trades_says_nothing_in_its_gaps() -> None:
    bars = steps_of(2, MINUTE)
    streams = public_streams(hand_made(bars))
    wire = Wire(streams, "/ws/btcusdt@kline_1m", NOON)
    assert [row["k"]["x"] for row in wire.at(NOON + 10 * MINUTE)] == [True, True]
    assert wire.at(NOON + 20 * MINUTE) == []


@pytest.mark.parametrize(
    "name",
    [
        "btcusdt@nothing",
        "xyz@trade",
        "BTCUSDT@trade",
        "btcusdt@kline_7m",
        "btcusdt@trade@100ms",
        "btcusdt@kline",
    ],
)
def test_a_name_that_the_venue_does_not_know_is_taken_silently_and_counted(name: str) -> None:
    wire = binance(name)
    assert wire.streams.unknown == {f"binanceus {name}": 1}
    assert wire.at(NOON + HOUR) == []


def test_what_is_no_request_is_answered_with_an_error_and_counted() -> None:
    wire = binance()
    for text in ("{", "[]", '"x"'):
        assert wire.say(text)[0]["error"]["code"] == 3
    assert wire.say({"method": "HELLO", "id": 7})[0] == {
        "error": {"code": 2, "msg": "Invalid request: unknown variant `HELLO`"},
        "id": 7,
    }
    assert wire.say({"method": "SUBSCRIBE", "params": "x", "id": 8, "extra": 1})[0]["error"]["code"] == 2
    assert wire.streams.unknown == {"binanceus HELLO": 1, "binanceus extra": 1}


def test_a_connection_ends_after_a_day() -> None:
    wire = binance("btcusdt@ticker")
    wire.at(NOON + DAY - 1)
    wire.streams.advance(NOON + DAY)
    assert [frame.close for frame in wire.connection.take() if frame.close] == [1001]


@pytest.mark.unmeasured
@EXAMPLES
@given(STEPS)
def test_krakens_bars_are_those_of_http_and_none_is_said_twice(steps: list[int]) -> None:
    wire, (snapshot,) = kraken("ohlc", interval=1)
    said = [row for now in moments(steps) for data in told(wire, now) for row in data]
    assert all(one != two for one, two in pairwise(said))
    bars = {row["interval_begin"]: row for row in snapshot["data"] + said}
    rows = Asked(SOURCE, wire.now, venue="kraken")("OHLC", pair="XBTUSD", interval=1)["result"]["XXBTZUSD"]
    keys = ("open", "high", "low", "close", "vwap", "volume", "trades")
    mine = [[bar[key] for key in keys] for bar in list(bars.values())[-10:]]
    assert mine == [[float(value) for value in row[1:]] for row in rows[-10:]]


@pytest.mark.unmeasured
@EXAMPLES
@given(STEPS)
def test_krakens_trades_are_those_of_http(steps: list[int]) -> None:
    wire, first = kraken("trade")
    assert first == []
    said = [data for now in moments(steps) for data in told(wire, now)]
    assert all(said)
    rows = Asked(SOURCE, wire.now, venue="kraken")("Trades", pair="XBTUSD", since=(NOON + 1) * 10**6)
    mine = [(row["price"], row["qty"], row["side"][0], row["trade_id"]) for data in said for row in data]
    assert mine == [(float(r[0]), float(r[1]), r[3], r[6]) for r in rows["result"]["XXBTZUSD"]]


@EXAMPLES
@given(STEPS, st.sampled_from([10, 25, 100]))
def test_krakens_book_follows_from_its_snapshot_and_its_changes(steps: list[int], depth: int) -> None:
    wire, (snapshot,) = kraken("book", depth=depth)
    book: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}
    messages = [snapshot]
    for now in moments(steps):
        messages += wire.at(now)
        for data in (message["data"][0] for message in messages):
            for side, levels in book.items():
                levels |= {row["price"]: row["qty"] for row in data[side]}
                kept = sorted((price for price, amount in levels.items() if amount), reverse=side == "bids")
                book[side] = {price: levels[price] for price in kept[:depth]}
        http = Asked(SOURCE, now, venue="kraken")("Depth", pair="XBTUSD", count=depth)["result"]["XXBTZUSD"]
        for side, levels in book.items():
            assert [[price, round(amount, 3)] for price, amount in levels.items()] == [
                [float(row[0]), float(row[1])] for row in http[side]
            ]
        messages = []


def test_a_books_checksum_is_that_of_the_digits_as_they_are_sent() -> None:
    streams = public_streams()
    wire = Wire(streams, "/v2", NOON)
    wire.take()
    asked = {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"]}}
    streams.hear(wire.connection, json.dumps(asked), NOON)
    text = wire.connection.take()[-1].text
    data = json.loads(text, parse_float=Decimal)["data"][0]
    digits = "".join(
        str(row[key]).replace(".", "").lstrip("0")
        for side in ("asks", "bids")
        for row in data[side][:10]
        for key in ("price", "qty")
    )
    assert data["checksum"] == zlib.crc32(digits.encode())
    assert len(data["asks"]) == 10


def test_krakens_statistics_are_those_of_http() -> None:
    wire, (snapshot,) = kraken("ticker")
    (update,) = wire.at(NOON + MINUTE)
    assert (snapshot["type"], update["type"]) == ("snapshot", "update")
    (row,) = update["data"]
    http = Asked(SOURCE, wire.now, venue="kraken")("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]
    mine = [row[key] for key in ("bid", "ask", "last", "volume", "low", "high")]
    assert mine == [
        float(x) for x in (http["b"][0], http["a"][0], http["c"][0], http["v"][1], http["l"][1], http["h"][1])
    ]
    best, _ = kraken("ticker", event_trigger="bbo")
    assert best.at(NOON + MINUTE)[0]["data"] == [row]


def test_a_heartbeat_comes_where_nothing_else_does() -> None:
    source = hand_made(steps_of(2, MINUTE), symbol="BTC/USD")
    wire = Wire(public_streams(source), "/v2", NOON + HOUR)
    wire.take()
    assert wire.at(NOON + HOUR + 5000) == []
    wire.say({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}})
    said = [message for second in range(6, 9) for message in wire.at(NOON + HOUR + second * 1000)]
    assert said == [{"channel": "heartbeat"}] * 3
    pong = wire.say({"method": "ping", "req_id": 4})[0]
    assert (pong["method"], pong["req_id"]) == ("pong", 4)


def test_krakens_mode_is_told_to_everybody_when_it_changes() -> None:
    mode = ["online"]
    wire = Wire(public_streams(status=lambda: mode[0]), "/v2", NOON)
    assert wire.take()[0]["data"][0]["system"] == "online"
    mode[0] = "maintenance"
    assert [message["data"][0]["system"] for message in wire.at(NOON + 1)] == ["maintenance"]
    assert wire.at(NOON + 2) == []


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "ohlc", "symbol": ["XYZ/USD"]}, "Currency pair not supported XYZ/USD"),
        ({"channel": "ohlc", "symbol": [7]}, "Currency pair not supported 7"),
        ({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 7}, "Malformed request: interval"),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": True}, "Malformed request: depth"),
        (
            {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": []},
            "Malformed request: event_trigger",
        ),
        ({"channel": "trade", "symbol": ["BTC/USD"], "snapshot": 1}, "Malformed request: snapshot"),
        ({"channel": "ohlc"}, "Symbol(s) missing"),
    ],
)
def test_kraken_says_why_it_refuses_a_subscription(params: dict[str, Any], error: str) -> None:
    wire = Wire(public_streams(), "/v2", NOON)
    wire.take()
    (said,) = wire.say({"method": "subscribe", "params": params, "req_id": 9})
    assert (said["success"], said["error"], said["req_id"]) == (False, error, 9)
    assert wire.streams.unknown == {}


@pytest.mark.parametrize(
    ("message", "counted"),
    [
        ({"method": "subscribe", "params": {"channel": "nothing"}}, "kraken channel nothing"),
        ({"method": "subscribe", "params": {"channel": []}}, "kraken channel []"),
        (
            {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "foo": 1}},
            "kraken book.foo",
        ),
        ({"method": "add_order", "params": {}}, "kraken add_order"),
        ({"method": "ping", "foo": 1}, "kraken .foo"),
    ],
)
def test_what_kraken_does_not_know_is_refused_and_counted(message: dict[str, Any], counted: str) -> None:
    wire = Wire(public_streams(), "/v2", NOON)
    wire.take()
    (said,) = wire.say(message)
    assert said["success"] is False
    assert wire.streams.unknown == {counted: 1}


def test_a_subscription_of_kraken_holds_once_and_ends() -> None:
    wire, _ = kraken("trade", snapshot=True)
    again = {"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}
    assert wire.say(again)[0]["error"] == "Already subscribed"
    ended = wire.say({**again, "method": "unsubscribe"})
    assert (ended[0]["method"], ended[0]["success"]) == ("unsubscribe", True)
    assert wire.at(NOON + MINUTE) == []
    for text in ("{", "[]", '{"method":"subscribe","params":[]}'):
        assert wire.say(text)[0]["error"] == "Malformed message"


def test_another_seed_has_other_streams() -> None:
    one, two = (
        Wire(public_streams(SyntheticSource(seed)), "/ws/btcusdt@trade", NOON).at(NOON + MINUTE)
        for seed in (7, 8)
    )
    assert one != two


def test_whoever_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.exchange_sim.streams.MOST_WAITING", 100)
    wire = binance("btcusdt@trade")
    assert len(wire.frames(NOON + 5 * MINUTE)) > 50
    wire.streams.advance(NOON + 10 * MINUTE)
    wire.streams.advance(NOON + 15 * MINUTE)
    assert [frame.close for frame in wire.connection.take()] == [1008]


def test_only_the_venues_addresses_are_connected() -> None:
    streams = public_streams()
    assert streams.connect("/api/v3/time", NOON, lambda: None) is None
    assert streams.dials == []
