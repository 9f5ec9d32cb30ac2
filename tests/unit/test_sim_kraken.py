from __future__ import annotations

from typing import Any

import pytest

from core.exchange_sim.kraken_names import pair_of
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import DAY, HOUR, MINUTE, NOON, Asked, hand_made, steps_of

SOURCE = SyntheticSource(7)
NOW = NOON + 12_345


@pytest.fixture
def kraken() -> Asked:
    return Asked(SOURCE, NOW, venue="kraken")


def tiny(now: int) -> Asked:
    return Asked(hand_made(steps_of(10, MINUTE)), now, venue="kraken")


def result(asked: Asked, path: str, **params: object) -> Any:
    answer = asked(path, **params)
    assert answer["error"] == []
    return answer["result"]


def test_time_and_status(kraken: Asked) -> None:
    assert result(kraken, "Time") == {
        "unixtime": NOON // 1000 + 12,
        "rfc1123": "Mon, 01 Jan 24 12:00:12 +0000",
    }
    assert result(kraken, "SystemStatus") == {"status": "online", "timestamp": "2024-01-01T12:00:12Z"}


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("BTC/USD", ("XXBTZUSD", "XBTUSD", "XBT/USD", "XXBT", "ZUSD")),
        ("BTC/USDT", ("XBTUSDT", "XBTUSDT", "XBT/USDT", "XXBT", "USDT")),
        ("DOGE/USD", ("XDGUSD", "XDGUSD", "XDG/USD", "XXDG", "ZUSD")),
        ("SOL/USD", ("SOLUSD", "SOLUSD", "SOL/USD", "SOL", "ZUSD")),
    ],
)
def test_pairs_go_by_krakens_own_names(symbol: str, names: tuple[str, ...]) -> None:
    assert pair_of(SimMarket(symbol, 2, 5))[:5] == names


def test_assets_and_pairs_describe_each_other(kraken: Asked) -> None:
    assets, pairs = result(kraken, "Assets"), result(kraken, "AssetPairs")
    assert assets["XXBT"]["altname"] == "XBT"
    assert assets["USDT"]["altname"] == "USDT"
    assert {name for pair in pairs.values() for name in (pair["base"], pair["quote"])} == set(assets)
    assert pairs["XXBTZUSD"]["pair_decimals"] == 1
    assert pairs["XXBTZUSD"]["tick_size"] == "0.1"
    assert pairs["XLTCZUSD"]["status"] == "cancel_only"
    assert list(result(kraken, "AssetPairs", pair="XBTUSD,ETH/USDT")) == ["XXBTZUSD", "ETHUSDT"]


def test_candles_are_720_at_most_whatever_since_says(kraken: Asked) -> None:
    answer = result(kraken, "OHLC", pair="XBTUSD", interval=60, since=0)
    rows = answer["XXBTZUSD"]
    assert len(rows) == 720
    assert rows[-1][0] == NOON // 1000
    assert answer["last"] == rows[-2][0]
    assert all(len(row) == 8 and "." in row[1] for row in rows)


def test_since_leaves_out_what_is_known_but_never_the_bar_in_progress(kraken: Asked) -> None:
    since = NOON // 1000 - 3 * 3600
    rows = result(kraken, "OHLC", pair="XBTUSD", interval=60, since=since)["XXBTZUSD"]
    assert [row[0] for row in rows] == [since + 3600, since + 7200, since + 10800]
    late = result(kraken, "OHLC", pair="XBTUSD", interval=60, since=NOON)["XXBTZUSD"]
    assert [row[0] for row in late] == [NOON // 1000]


def test_a_candle_is_a_row_of_eight_with_its_mean_price() -> None:
    rows = result(tiny(NOON + 5 * MINUTE), "OHLC", pair="XBTUSDT", since=NOON // 1000 + 180)["XBTUSDT"]
    assert rows[0] == [NOON // 1000 + 240, "104.0", "105.5", "103.5", "105.0", "104.5", "16.00000000", 16]


def test_the_volume_weighted_price_lies_within_the_bar(kraken: Asked) -> None:
    for _, _, high, low, _, mean, volume, count in result(kraken, "OHLC", pair="XXBTZUSD")["XXBTZUSD"]:
        assert float(low) <= float(mean) <= float(high)
        assert (float(volume) > 0, count > 0) == (True, True)


def test_the_first_bar_of_all_is_in_progress_and_nothing_is_committed() -> None:
    answer = result(tiny(NOON + 1), "OHLC", pair="XBTUSDT")
    assert (len(answer["XBTUSDT"]), answer["last"]) == (1, 0)


@pytest.mark.unmeasured
def test_the_ticker_tells_today_and_the_last_24_hours(kraken: Asked) -> None:
    seen = result(kraken, "Ticker", pair="XBTUSD")["XXBTZUSD"]
    day = result(kraken, "OHLC", pair="XBTUSD", interval=1440)["XXBTZUSD"][-1]
    assert (seen["o"], seen["h"][0], seen["l"][0], seen["v"][0], seen["t"][0]) == (
        day[1],
        day[2],
        day[3],
        day[6],
        day[7],
    )
    assert seen["c"][0] == day[4]
    assert float(seen["v"][1]) > float(seen["v"][0])
    assert float(seen["b"][0]) <= float(seen["c"][0]) <= float(seen["a"][0])


def test_tickers_of_all_pairs_come_without_a_pair(kraken: Asked) -> None:
    assert set(result(kraken, "Ticker")) == set(result(kraken, "AssetPairs"))
    assert result(tiny(NOON - 1), "Ticker") == {}


def test_a_pair_that_is_no_longer_traded_has_an_empty_book(kraken: Asked) -> None:
    later = Asked(SOURCE, NOON, venue="kraken")
    assert result(later, "Depth", pair="LTCUSD") == {"XLTCZUSD": {"asks": [], "bids": []}}
    seen = result(later, "Ticker", pair="LTCUSD")["XLTCZUSD"]
    assert (seen["a"][0], seen["v"]) == ("0.00", ["0.00000000", "0.00000000"])


def test_the_book_has_as_many_levels_as_asked_and_begins_at_the_tickers_prices(kraken: Asked) -> None:
    book = result(kraken, "Depth", pair="XBTUSD", count=7)["XXBTZUSD"]
    seen = result(kraken, "Ticker", pair="XBTUSD")["XXBTZUSD"]
    assert (len(book["asks"]), len(book["bids"])) == (7, 7)
    assert (book["asks"][0][0], book["bids"][0][0]) == (seen["a"][0], seen["b"][0])
    assert len(result(kraken, "Depth", pair="XBTUSD")["XXBTZUSD"]["bids"]) == 100
    assert result(tiny(NOON - 1), "Depth", pair="XBTUSDT")["XBTUSDT"]["bids"] == []


def test_trades_are_paged_by_the_last_stamp(kraken: Asked) -> None:
    first = result(kraken, "Trades", pair="XBTUSD", since=(NOON - HOUR) // 1000, count=5)
    assert [row[6] for row in first["XXBTZUSD"]] == sorted(row[6] for row in first["XXBTZUSD"])
    assert first["XXBTZUSD"][0][2] == (NOON - HOUR) / 1000
    more = result(kraken, "Trades", pair="XBTUSD", since=first["last"], count=5)["XXBTZUSD"]
    assert more[0] == first["XXBTZUSD"][-1]
    newest = result(kraken, "Trades", pair="XBTUSD")["XXBTZUSD"]
    assert len(newest) == 1000
    assert newest[-1][2] <= NOW / 1000
    assert {row[3] for row in newest} == {"b", "s"}


def test_trades_after_now_are_none_and_last_stays(kraken: Asked) -> None:
    stamp = str((NOW + DAY) * 1_000_000)
    assert result(kraken, "Trades", pair="XBTUSD", since=stamp) == {"XXBTZUSD": [], "last": stamp}


@pytest.mark.parametrize(
    ("path", "params", "error"),
    [
        ("OHLC", {"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ("OHLC", {}, "EGeneral:Invalid arguments:pair"),
        ("OHLC", {"pair": "XBTUSD", "interval": "7"}, "EGeneral:Invalid arguments:interval"),
        ("OHLC", {"pair": "XBTUSD", "since": "x"}, "EGeneral:Invalid arguments:since"),
        ("Depth", {"pair": "XBTUSD", "count": "0"}, "EGeneral:Invalid arguments:count"),
        ("Nothing", {}, "EGeneral:Unknown method"),
        ("/0/private/Balance", {}, "EAPI:Invalid key"),
    ],
)
def test_wrong_requests_are_refused_with_http_200(
    kraken: Asked, path: str, params: dict[str, str], error: str
) -> None:
    assert kraken.raw(path, **params).status == 200
    assert kraken(path, **params) == {"error": [error]}
