from __future__ import annotations

import json
from typing import Any

import pytest

from core.exchange_sim.binanceus_params import INTERVALS
from core.exchange_sim.limits import WeightCounter
from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import DAY, HOUR, MINUTE, NOON, Asked, hand_made, steps_of

SOURCE = SyntheticSource(7)
NOW = NOON + 12_345
REFUSED_KEY = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}


@pytest.fixture
def us() -> Asked:
    return Asked(SOURCE, NOW)


def tiny(now: int) -> Asked:
    return Asked(hand_made(steps_of(10, MINUTE)), now)


def number(text: str) -> float:
    assert isinstance(text, str)
    return float(text)


def test_ping_and_time(us: Asked) -> None:
    assert us("ping") == {}
    assert us("time") == {"serverTime": NOW}


def test_a_candle_is_a_row_of_twelve_with_numbers_as_text() -> None:
    rows = tiny(NOON + 5 * MINUTE)("klines", symbol="BTCUSDT", interval="1m", limit=2)
    assert rows[0] == [
        NOON + 4 * MINUTE,
        "104.00000000",
        "105.50000000",
        "103.50000000",
        "105.00000000",
        "16.00000000",
        NOON + 5 * MINUTE - 1,
        "1672.00000000",
        16,
        "8.00000000",
        "836.00000000",
        "0",
    ]
    assert rows[1][0] == NOON + 5 * MINUTE


def test_candles_come_500_by_default_and_1000_at_most(us: Asked) -> None:
    assert len(us("klines", symbol="BTCUSDT", interval="1m")) == 500
    assert len(us("klines", symbol="BTCUSDT", interval="1m", limit=5000)) == 1000


def test_candles_of_a_window_start_and_end_where_asked(us: Asked) -> None:
    window = {"startTime": NOON - 5 * HOUR, "endTime": NOON - 2 * HOUR}
    rows = us("klines", symbol="ETHUSDT", interval="1h", **window)
    assert [row[0] for row in rows] == [NOON - n * HOUR for n in (5, 4, 3, 2)]


def test_all_intervals_of_the_venue_are_served(us: Asked) -> None:
    names = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"]
    assert sorted(INTERVALS) == sorted(names)
    assert all(len(us("klines", symbol="BTCUSDT", interval=name, limit=2)) == 2 for name in names)


def test_weeks_open_on_monday_and_months_on_the_first(us: Asked) -> None:
    assert us("klines", symbol="BTCUSDT", interval="1w", limit=1)[0][0] == NOON - 12 * HOUR
    month, running = us("klines", symbol="BTCUSDT", interval="1M", limit=2)
    assert (month[6] + 1, running[0]) == (NOON - 12 * HOUR, NOON - 12 * HOUR)


def test_the_last_price_is_the_close_of_the_minute_in_progress(us: Asked) -> None:
    minute = us("klines", symbol="BTCUSDT", interval="1m", limit=1)[0]
    assert us("ticker/price", symbol="BTCUSDT") == {"symbol": "BTCUSDT", "price": minute[4]}
    assert us("ticker/24hr", symbol="BTCUSDT")["lastPrice"] == minute[4]
    assert us("trades", symbol="BTCUSDT", limit=1)[0]["price"] == minute[4]


def test_the_day_is_the_sum_of_its_minutes(us: Asked) -> None:
    day = us("ticker/24hr", symbol="ETHUSDT")
    rows: list[list[Any]] = []
    for start in (NOW - DAY + 1, NOW - DAY // 2 + 1):
        end = start + DAY // 2 - 1
        rows += us("klines", symbol="ETHUSDT", interval="1m", startTime=start, endTime=end, limit=1000)
    assert len(rows) == 1440
    assert day["count"] == sum(row[8] for row in rows)
    assert number(day["volume"]) == pytest.approx(sum(number(row[5]) for row in rows), abs=1e-7)
    assert number(day["quoteVolume"]) == pytest.approx(sum(number(row[7]) for row in rows), abs=1e-3)
    assert number(day["highPrice"]) == max(number(row[2]) for row in rows)
    assert number(day["lowPrice"]) == min(number(row[3]) for row in rows)
    assert day["openPrice"] == rows[0][1]
    change = number(day["lastPrice"]) - number(day["openPrice"])
    assert number(day["priceChange"]) == pytest.approx(change, abs=1e-8)
    assert (day["openTime"], day["closeTime"]) == (NOW - DAY + 1, NOW)


def test_the_book_encloses_the_last_price_without_crossing(us: Asked) -> None:
    last = number(us("ticker/price", symbol="BTCUSDT")["price"])
    book = us("depth", symbol="BTCUSDT", limit=50)
    bids, asks = ([number(price) for price, _ in book[side]] for side in ("bids", "asks"))
    assert len(bids) == len(asks) == 50
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] <= last <= asks[0]
    assert 0 < asks[0] - bids[0] < last * 0.001


def test_all_sources_of_the_best_prices_agree(us: Asked) -> None:
    best, day = us("ticker/bookTicker", symbol="BTCUSDT"), us("ticker/24hr", symbol="BTCUSDT")
    book = us("depth", symbol="BTCUSDT", limit=5)
    assert [best["bidPrice"], best["bidQty"]] == book["bids"][0] == [day["bidPrice"], day["bidQty"]]
    assert [best["askPrice"], best["askQty"]] == book["asks"][0] == [day["askPrice"], day["askQty"]]
    assert us("depth", symbol="BTCUSDT", limit=5000)["bids"][:5] == book["bids"]


def test_prices_of_the_cheapest_coin_stay_on_its_tick_and_above_zero(us: Asked) -> None:
    book = us("depth", symbol="DOGEUSDT", limit=5000)
    assert all(number(price) > 0 and price.endswith("000") for price, _ in book["bids"])
    assert all(amount.endswith(".00000000") and number(amount) >= 1 for _, amount in book["asks"])


def test_the_trades_of_a_minute_make_its_candle(us: Asked) -> None:
    start = NOON - 3 * MINUTE
    minute = us("klines", symbol="BTCUSDT", interval="1m", startTime=start, limit=1)[0]
    told = us("aggTrades", symbol="BTCUSDT", startTime=start, endTime=start + MINUTE - 1)
    prices = [number(trade["p"]) for trade in told]
    assert [prices[0], max(prices), min(prices), prices[-1]] == [number(text) for text in minute[1:5]]
    assert sum(number(trade["q"]) for trade in told) == pytest.approx(number(minute[5]), abs=1e-8)
    assert len(told) == minute[8]
    assert all(start <= trade["T"] < start + MINUTE for trade in told)


def test_trades_can_be_paged_by_id(us: Asked) -> None:
    newest = us("aggTrades", symbol="BTCUSDT", limit=100)
    assert us("aggTrades", symbol="BTCUSDT", fromId=newest[40]["a"], limit=10) == newest[40:50]
    recent = us("trades", symbol="BTCUSDT", limit=100)
    assert all(
        number(t["quoteQty"]) == pytest.approx(number(t["price"]) * number(t["qty"]), abs=1e-7)
        for t in recent
    )
    assert [trade["id"] for trade in recent] == [trade["a"] for trade in newest]
    assert us("aggTrades", symbol="BTCUSDT", endTime=newest[-1]["T"], limit=100) == newest


def test_the_mean_price_of_five_minutes_lies_within_them(us: Asked) -> None:
    rows = us("klines", symbol="BTCUSDT", interval="1m", limit=6)
    mean = us("avgPrice", symbol="BTCUSDT")
    assert mean["mins"] == 5
    assert min(number(row[3]) for row in rows) < number(mean["price"]) < max(number(row[2]) for row in rows)


def test_tickers_of_some_and_of_all_symbols(us: Asked) -> None:
    some = us("ticker/24hr", symbols='["BTCUSDT","ETHUSDT"]')
    assert [row["symbol"] for row in some] == ["BTCUSDT", "ETHUSDT"]
    listed = [market["symbol"] for market in us("exchangeInfo")["symbols"]]
    for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker"):
        assert [row["symbol"] for row in us(path)] == listed
    assert "bidPrice" not in us("ticker/24hr", symbol="BTCUSDT", type="MINI")


def test_a_symbol_in_break_is_listed_with_its_last_price_and_an_empty_book(us: Asked) -> None:
    later = Asked(SOURCE, NOON)
    info = next(row for row in later("exchangeInfo")["symbols"] if row["symbol"] == "LTCUSD")
    assert (info["status"], info["isSpotTradingAllowed"]) == ("BREAK", False)
    day = later("ticker/24hr", symbol="LTCUSD")
    assert (day["volume"], day["bidPrice"], day["count"]) == ("0.00000000", "0.00000000", 0)
    assert number(day["lastPrice"]) > 0
    assert later("depth", symbol="LTCUSD")["bids"] == []
    assert later("avgPrice", symbol="LTCUSD")["price"] == "0.00000000"


def test_a_symbol_before_its_first_trade_has_no_ticker_and_no_book() -> None:
    early = tiny(NOON - 1)
    assert early("ticker/24hr") == []
    assert early("ticker/price", symbol="BTCUSDT") == {}
    assert early("depth", symbol="BTCUSDT")["asks"] == []


def test_the_first_bar_ever_has_itself_as_previous_close() -> None:
    assert tiny(NOON + 30_000)("ticker/24hr", symbol="BTCUSDT")["prevClosePrice"] == "100.00000000"
    assert tiny(NOON + DAY + 90_000)("ticker/24hr", symbol="BTCUSDT")["prevClosePrice"] == "102.00000000"


def test_exchange_info_describes_a_symbol_as_the_venue_does(us: Asked) -> None:
    (symbol,) = us("exchangeInfo", symbol="ETHUSDT")["symbols"]
    filters = {row.pop("filterType"): row for row in symbol.pop("filters")}
    assert filters == {
        "PRICE_FILTER": {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
        "PERCENT_PRICE": {"multiplierUp": "5", "multiplierDown": "0.2", "avgPriceMins": 5},
        "LOT_SIZE": {"minQty": "0.00010000", "maxQty": "9000.00000000", "stepSize": "0.00010000"},
        "MIN_NOTIONAL": {"minNotional": "1.00000000", "applyToMarket": True, "avgPriceMins": 5},
        "ICEBERG_PARTS": {"limit": 10},
        "MARKET_LOT_SIZE": {"minQty": "0.00000000", "maxQty": "45.00000000", "stepSize": "0.00000000"},
        "MAX_NUM_ORDERS": {"maxNumOrders": 200},
        "MAX_NUM_ALGO_ORDERS": {"maxNumAlgoOrders": 5},
    }
    assert (symbol["status"], symbol["baseAsset"], symbol["quoteAsset"]) == ("TRADING", "ETH", "USDT")
    assert symbol["orderTypes"] == ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]
    assert {value for name, value in symbol.items() if name.endswith("Precision")} == {8}


def test_exchange_info_gives_the_limits_and_can_be_asked_for_some_symbols(us: Asked) -> None:
    info = us("exchangeInfo", permissions="SPOT", symbols='["BTCUSDT","ETHUSDT"]')
    assert [row["symbol"] for row in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    assert [tuple(row.values()) for row in info["rateLimits"]] == [
        ("REQUEST_WEIGHT", "MINUTE", 1, 1200),
        ("ORDERS", "SECOND", 1, 10),
        ("RAW_REQUESTS", "MINUTE", 5, 5000),
    ]


@pytest.mark.parametrize(
    ("path", "params", "code", "message"),
    [
        ("klines", {"symbol": "NOPEUSDT", "interval": "1h"}, -1121, "Invalid symbol."),
        ("klines", {"symbol": "BTCUSDT", "interval": "7h"}, -1120, "Invalid interval."),
        (
            "klines",
            {"interval": "1h"},
            -1102,
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
        ),
        (
            "klines",
            {"symbol": "btc/usdt", "interval": "1h"},
            -1100,
            "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
        ),
        (
            "klines",
            {"symbol": "BTCUSDT", "interval": "1h", "startTime": "-1"},
            -1100,
            "Illegal characters found in parameter 'startTime'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            "klines",
            {"symbol": "BTCUSDT", "interval": "1h", "limit": "0"},
            -1130,
            "Data sent for parameter 'limit' is not valid.",
        ),
        ("klines", {"symbol": "", "interval": "1h"}, -1105, "Parameter 'symbol' was empty."),
        ("time", {"a": "1"}, -1101, "Too many parameters; expected '0' and received '1'."),
        (
            "depth",
            {"symbol": "BTCUSDT", "a": "1"},
            -1104,
            "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
        ),
        (
            "ticker/24hr",
            {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'},
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "ticker/24hr",
            {"symbol": "BTCUSDT", "type": "HUGE"},
            -1130,
            "Data sent for parameter 'type' is not valid.",
        ),
        (
            "ticker/price",
            {"symbols": "BTCUSDT"},
            -1100,
            "Illegal characters found in parameter 'symbols'; legal range is "
            '\'^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$\'.',
        ),
        ("ticker/price", {"symbols": '["NOPE"]'}, -1121, "Invalid symbol."),
    ],
)
def test_wrong_requests_are_refused_in_the_venues_words(
    us: Asked, path: str, params: dict[str, str], code: int, message: str
) -> None:
    answer = us.raw(path, **params)
    assert answer.status == 400
    assert json.loads(answer.body) == {"code": code, "msg": message}


@pytest.mark.parametrize("stamp", ["9" * 18, "9" * 20])
def test_a_start_far_in_the_future_is_an_empty_answer(us: Asked, stamp: str) -> None:
    assert us("klines", symbol="BTCUSDT", interval="1M", startTime=stamp) == []
    assert us("aggTrades", symbol="BTCUSDT", fromId=stamp) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "account"),
        ("POST", "order"),
        ("DELETE", "order"),
        ("GET", "openOrders"),
        ("GET", "myTrades"),
        ("GET", "/sapi/v1/asset/query/trading-fee"),
    ],
)
def test_paths_that_need_a_key_refuse_every_key(us: Asked, method: str, path: str) -> None:
    answer = us.raw(path, method)
    assert (answer.status, json.loads(answer.body)) == (401, REFUSED_KEY)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "nothing"), ("POST", "klines"), ("GET", "/"), ("GET", "/x")]
)
def test_other_paths_are_not_found_and_say_so_in_html(us: Asked, method: str, path: str) -> None:
    answer = us.raw(path, method)
    assert (answer.status, answer.content_type) == (404, "text/html")
    assert b"404 Not Found" in answer.body


@pytest.mark.parametrize(
    ("path", "params", "weight"),
    [
        ("ping", {}, 1),
        ("exchangeInfo", {}, 10),
        ("klines", {"symbol": "BTCUSDT", "interval": "1h"}, 1),
        ("depth", {"symbol": "BTCUSDT"}, 1),
        ("depth", {"symbol": "BTCUSDT", "limit": "101"}, 5),
        ("depth", {"symbol": "BTCUSDT", "limit": "1000"}, 10),
        ("depth", {"symbol": "BTCUSDT", "limit": "5000"}, 50),
        ("depth", {"symbol": "BTCUSDT", "limit": "x"}, 1),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 1),
        ("ticker/24hr", {"symbols": '["BTCUSDT"]'}, 1),
        ("ticker/24hr", {"symbols": "," * 19}, 1),
        ("ticker/24hr", {"symbols": "," * 20}, 20),
        ("ticker/24hr", {"symbols": "," * 99}, 20),
        ("ticker/24hr", {"symbols": "," * 100}, 40),
        ("ticker/24hr", {}, 40),
        ("ticker/price", {"symbol": "BTCUSDT"}, 1),
        ("ticker/price", {}, 2),
        ("ticker/bookTicker", {"symbols": '["BTCUSDT"]'}, 2),
        ("nothing", {}, 1),
    ],
)
def test_requests_weigh_what_the_venue_says(
    us: Asked, path: str, params: dict[str, str], weight: int
) -> None:
    headers = dict(us.raw(path, **params).headers)
    assert headers["X-MBX-USED-WEIGHT-1M"] == headers["X-MBX-USED-WEIGHT"] == str(weight)


def test_too_many_requests_are_429_and_those_who_go_on_are_banned() -> None:
    us = Asked(SOURCE, NOON + 48_000, WeightCounter(weight_limit=2))
    assert [us.raw("ping").status for _ in range(8)] == [200, 200, 429, 429, 429, 429, 429, 418]
    banned = us.raw("ping")
    assert json.loads(banned.body) == {
        "code": -1003,
        "msg": f"Way too much request weight used; IP banned until {NOON + 168_000}. "
        "Please use the websocket for live updates to avoid bans.",
    }
    assert dict(banned.headers)["Retry-After"] == "120"


def test_a_429_says_how_long_to_wait() -> None:
    us = Asked(SOURCE, NOON + 48_000, WeightCounter(weight_limit=1))
    us("ping")
    answer = us.raw("ping")
    assert dict(answer.headers)["Retry-After"] == "12"
    assert json.loads(answer.body)["code"] == -1003
    us.now += 12_000
    assert us.raw("ping").status == 200
