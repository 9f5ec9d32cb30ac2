"""What messages of two venues say, in the shapes that they really have (W7, W10 to W15)."""

from __future__ import annotations

from typing import Any

import pytest

from core.streams.hints import CandleHint, OrderHint
from core.streams.line import StreamError
from core.streams.readers import EVERYTHING, BinanceReader, KrakenReader, RefusedStream

NOON = 1_704_110_400_000
KLINE = {"t": NOON, "s": "BTCUSDT", "i": "1m", "o": "1", "h": "3", "l": "0.5", "c": "2", "v": "10", "x": True}
OHLC = {
    "symbol": "BTC/USD",
    "open": 1,
    "high": 3,
    "low": 0.5,
    "close": 2,
    "trades": 2,
    "volume": 10,
    "vwap": 1.5,
    "interval_begin": "2024-01-01T12:00:00.000000000Z",
    "interval": 1,
    "timestamp": "2024-01-01T12:01:00.123456Z",
}


def binance() -> BinanceReader:
    return BinanceReader({"BTCUSDT": "BTC/USDT"}, lambda: 7)


def kraken() -> KrakenReader:
    return KrakenReader({1: "1m", 5: "5m"}, lambda: 7)


def execution(**fields: Any) -> dict[str, Any]:
    return {"order_id": "O1", "exec_type": "new", **fields}


def executions(sequence: int, *rows: dict[str, Any], kind: str = "update") -> dict[str, Any]:
    return {"channel": "executions", "type": kind, "sequence": sequence, "data": list(rows)}


@pytest.mark.parametrize("is_final", [True, False])
def test_binance_marks_the_candle_that_is_final(is_final: bool) -> None:
    (hint,) = binance()({"e": "kline", "E": NOON + 60_001, "s": "BTCUSDT", "k": KLINE | {"x": is_final}})
    assert hint == ("BTC/USDT", "1m", NOON, 1.0, 3.0, 0.5, 2.0, 10.0, is_final, NOON + 60_001, 7)


def test_of_a_cancel_the_name_of_the_order_counts_not_that_of_the_cancel() -> None:
    event = {"e": "executionReport", "s": "BTCUSDT", "i": 5, "c": "ours", "C": "", "x": "NEW", "t": -1}
    assert binance()(event) == [OrderHint("5", "ours", "BTC/USDT")]
    assert binance()(event | {"c": "theirs", "C": "ours"}) == [OrderHint("5", "ours", "BTC/USDT")]


def test_only_a_trade_of_binance_is_an_execution() -> None:
    event = {"e": "executionReport", "s": "BTCUSDT", "i": 5, "c": "ours", "x": "TRADE", "t": 91}
    assert binance()(event) == [OrderHint("5", "ours", "BTC/USDT", "91")]
    assert binance()(event | {"x": "TRADE_PREVENTION"}) == [OrderHint("5", "ours", "BTC/USDT")]


def test_an_event_inside_a_subscription_is_read_and_a_deposit_makes_all_be_compared() -> None:
    event = {"e": "balanceUpdate", "a": "BTC", "d": "1"}
    assert binance()({"subscriptionId": 0, "event": event}) == [EVERYTHING]


@pytest.mark.parametrize("kind", ["listenKeyExpired", "serverShutdown", "eventStreamTerminated"])
def test_w14_w15_an_end_that_is_announced_is_taken_at_its_word(kind: str) -> None:
    with pytest.raises(StreamError):
        binance()({"e": kind, "E": NOON, "listenKey": "canary"})


@pytest.mark.parametrize("message", [None, [], "text", 5, {}, {"result": None, "id": 1}, {"e": "trade"}])
def test_what_is_of_another_kind_says_nothing(message: object) -> None:
    assert binance()(message) == []
    assert kraken()(message) == []


@pytest.mark.parametrize("k", [{}, KLINE | {"o": None}, KLINE | {"t": "x"}, None])
def test_w1_a_candle_that_cannot_be_read_is_an_error_and_no_candle(k: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        binance()({"e": "kline", "E": 1, "s": "BTCUSDT", "k": k})


def test_kraken_says_whose_candle_it_is_by_its_interval() -> None:
    message = {"channel": "ohlc", "type": "update", "data": [OHLC, OHLC | {"interval": 5}]}
    first, second = kraken()(message)
    assert first == ("BTC/USD", "1m", NOON, 1.0, 3.0, 0.5, 2.0, 10.0, False, 0, 7)
    assert isinstance(second, CandleHint)
    assert second.timeframe == "5m"


def test_of_the_past_that_kraken_sends_first_the_newest_candles_of_each_symbol_are_news() -> None:
    rows = [OHLC | {"symbol": symbol, "close": n} for symbol in ("BTC/USD", "ETH/USD") for n in range(5)]
    hints = kraken()({"channel": "ohlc", "type": "snapshot", "data": rows})
    assert [(one[0], one[6]) for one in hints] == [  # type: ignore[misc]
        *(("BTC/USD", 3.0), ("BTC/USD", 4.0), ("ETH/USD", 3.0), ("ETH/USD", 4.0))
    ]


def test_w12_each_element_of_a_message_of_executions_is_what_it_says_itself() -> None:
    rows = (
        execution(exec_type="trade", exec_id="T1", cl_ord_id="a", symbol="BTC/USD"),
        execution(order_id="O2", cl_ord_id="b"),
        execution(order_id="O3", exec_type="canceled", exec_id="no"),
    )
    assert kraken()(executions(1, *rows)) == [
        OrderHint("O1", "a", "BTC/USD", "T1"),
        OrderHint("O2", "b"),
        OrderHint("O3"),
    ]


def test_w11_an_event_with_changed_fields_only_is_known_by_its_order() -> None:
    assert kraken()(executions(1, {"order_id": "O1", "exec_type": "amended"})) == [OrderHint("O1")]


@pytest.mark.parametrize(("numbers", "jumps"), [((1, 2, 3), 0), ((1, 3), 1), ((5, 1, 2), 1), ((1, 1), 1)])
def test_w13_a_number_that_is_missing_or_starts_anew_makes_all_be_compared(
    numbers: tuple[int, ...], jumps: int
) -> None:
    read = kraken()
    told = [hint for number in numbers for hint in read(executions(number, execution()))]
    assert told.count(EVERYTHING) == jumps


def test_w13_a_snapshot_begins_the_count_anew() -> None:
    read = kraken()
    told = [*read(executions(9, execution())), *read(executions(1, execution(), kind="snapshot"))]
    assert EVERYTHING not in [*told, *read(executions(2, execution()))]


def test_w7_a_refused_symbol_is_off_and_w16_a_refused_account_is_dialled_again_with_a_pause() -> None:
    refusal = {"method": "subscribe", "req_id": 1, "success": False, "error": "Currency pair not supported"}
    assert kraken()(refusal | {"symbol": "X/USD"}) == [RefusedStream("X/USD")]
    with pytest.raises(StreamError) as trouble:
        kraken()(refusal | {"error": "ESession:Invalid session"})
    assert trouble.value.pause == 5.0


def test_an_accepted_subscription_says_nothing() -> None:
    assert kraken()({"method": "subscribe", "success": True, "result": {"channel": "ohlc"}}) == []
