"""The client on the local exchange: unmodified ccxt classes over real HTTP."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ccxt
import numpy as np
import pandas as pd
import pytest

from core.candles.frames import COLUMNS
from core.ccxt_data_source import CCXTDataSource
from core.errors import (
    AuthenticationError,
    ExchangeError,
    ExchangeUnreachableError,
    NoDataError,
    RateLimitedError,
    SettingsError,
    UnsupportedError,
    UsageError,
)
from core.exchange.calls import Notice, log_notice
from core.exchange.pages import concat
from core.exchange.urls import is_below, leaves
from core.exchange_client import ExchangeClient
from core.exchange_sim.faults import KINDS, Fault, FaultSchedule
from core.exchange_sim.server import RunningSim, SimConfig, serve
from tests.exchange_help import KEY, NOON, SECRET, FakeTime, Reply, bench, said, tiny_exchange
from tests.tiers import some, statistics, tries, whole

HOUR, DAY = 3_600_000, 86_400_000
KLINES = "/api/v3/klines"


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON + 1234)


@pytest.fixture
def sim(time: FakeTime) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=time.clock)) as running:
        yield running


def truth(sim: RunningSim, symbol: str, timeframe: str, since: int, until: int) -> list[int]:
    """Return the closed open times the exchange has, read without faults."""
    sim.set_faults(())
    time = FakeTime(sim.now())
    with bench(sim.url, time=time) as one:
        return [int(ts) for bars in one.client.ohlcv_pages(symbol, timeframe, since, until) for ts in bars.ts]


@pytest.mark.unmeasured
def test_the_frame_is_indexed_by_open_time_and_holds_closed_bars_only(
    sim: RunningSim, time: FakeTime
) -> None:
    with bench(sim.url, time=time) as one:
        frame = one.client.fetch_ohlcv("BTC/USDT", "1h", limit=3)
    assert list(frame.columns) == COLUMNS
    assert frame.index.name == "timestamp"
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"
    # It is 12:00:01: the bar of 12:00 is in progress.
    assert [stamp.hour for stamp in frame.index] == [9, 10, 11]
    assert all(dtype == np.float64 for dtype in frame.dtypes)


@pytest.mark.unmeasured
def test_the_defaults_are_those_of_the_specification(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one:
        frame = one.client.fetch_ohlcv("BTC/USDT")
    assert len(frame) == 500
    assert frame.index.to_series().diff().min().total_seconds() == 4 * 3600


@whole
@pytest.mark.unmeasured
def test_years_of_history_come_whole_in_pages_of_a_thousand(sim: RunningSim, time: FakeTime) -> None:
    since = NOON - 400 * DAY
    with bench(sim.url, time=time) as one:
        bars = concat(list(one.client.ohlcv_pages("BTC/USDT", "1h", since)))
        frame = one.client.fetch_ohlcv("BTC/USDT", "1h", limit=9_500)
    assert bars.ts[0] >= since
    assert bars.ts[-1] == NOON - HOUR
    assert (np.diff(bars.ts) > 0).all()
    assert (bars.ts % HOUR == 0).all()
    missing = 400 * 24 - len(bars.ts)
    assert 0 < missing < 50  # the local exchange has outages, as real ones do
    assert len(frame) == 9_500
    assert frame.index[-1].timestamp() * 1000 == bars.ts[-1]
    asked = [one.params for one in sim.requests if one.path == KLINES]
    assert {one["limit"] for one in asked} >= {"1000"}
    assert math.ceil(9600 / 1000) <= len(asked) < 40


def test_since_and_until_choose_open_times_and_limit_the_first(sim: RunningSim, time: FakeTime) -> None:
    start = NOON - 10 * HOUR
    with bench(sim.url, time=time) as one:
        frame = one.client.fetch_ohlcv("BTC/USDT", "1h", 500, start + 1, start + 5 * HOUR)
        first = one.client.fetch_ohlcv("BTC/USDT", "1h", limit=2, since=start)
        every = one.client.fetch_ohlcv("BTC/USDT", "1h", limit=None, since=start)
        last = one.client.fetch_ohlcv("BTC/USDT", "1h", limit=2, until=start + 5 * HOUR + 1)
        none = one.client.fetch_ohlcv("BTC/USDT", "1h", limit=2, since=NOON + DAY)
    assert [stamp.hour for stamp in frame.index] == [3, 4, 5, 6]
    assert [stamp.hour for stamp in first.index] == [2, 3]
    assert len(every) == 10
    assert [stamp.hour for stamp in last.index] == [6, 7]
    assert "2" in {one.params["limit"] for one in sim.requests if one.path == KLINES}
    assert len(none) == 0
    assert list(none.columns) == COLUMNS


@pytest.mark.unmeasured
def test_since_the_beginning_is_since_the_first_bitcoin(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one:
        next(one.client.ohlcv_pages("BTC/USDT", "1d", 0))
    asked = next(one.params for one in sim.requests if one.path == KLINES)
    assert asked["startTime"] == "1230940800000"


def test_a_limit_below_one_is_refused(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one, pytest.raises(UsageError, match="at least 1 candle"):
        one.client.newest_bars("BTC/USDT", "1h", 0)
    with bench(sim.url, time=time) as one, pytest.raises(UsageError, match="at least 1 candle"):
        one.client.fetch_ohlcv("BTC/USDT", "1h", -1, since=NOON)


@pytest.mark.parametrize("skew", [-3 * HOUR, -61_000, 0, 59_000, 5 * HOUR])
def test_closedness_is_decided_by_the_exchanges_clock(sim: RunningSim, time: FakeTime, skew: int) -> None:
    sim.skew_ms = skew
    with bench(sim.url, time=time) as one:
        bars = one.client.newest_bars("BTC/USDT", "1m", 3)
        assert one.client.exchange_now() == sim.now()
        assert one.client.now() == datetime.fromtimestamp(sim.now() / 1000, UTC)
    assert bars.ts[-1] == sim.now() // 60_000 * 60_000 - 60_000


@pytest.mark.parametrize(("off", "side"), [(5_000, "5.0 s ahead of"), (-5_000, "5.0 s behind")])
def test_a_wrong_local_clock_is_said_and_corrected(off: int, side: str) -> None:
    with tiny_exchange() as exchange, bench(exchange.url, time=FakeTime(NOON + off)) as one:
        assert one.client.exchange_now() == NOON
    assert [notice.kind for notice in one.notices] == ["clock"]
    assert f"{side} binanceus's" in one.notices[0].text


@pytest.mark.unmeasured
@pytest.mark.parametrize("step", [-24 * HOUR, -1000, 1000, 58_000, 24 * HOUR])
def test_a_step_of_the_local_clock_closes_no_candle_and_is_said(
    sim: RunningSim, time: FakeTime, step: int
) -> None:
    with bench(sim.url, time=time) as one:
        before = one.client.newest_bars("BTC/USDT", "1m", 3).ts.tolist()
        time.stepped = step
        assert one.client.newest_bars("BTC/USDT", "1m", 3).ts.tolist() == before
        assert one.client.exchange_now() == sim.now()
    [notice] = one.notices
    assert f"clock moved by {step / 1000:+.1f} s (set, or asleep): binanceus's time is asked" in notice.text


@pytest.mark.parametrize("step", [-24 * HOUR, 24 * HOUR])
def test_a_venue_that_tells_no_time_has_the_earlier_of_both_clocks(time: FakeTime, step: int) -> None:
    with bench("http://127.0.0.1:9", name="upbit", time=time) as one:
        assert one.client.exchange_now() == time.now
        time.stepped = step
        assert one.client.exchange_now() == time.now + min(step, 0)
    assert "cannot be asked: candles close by the earlier clock" in one.notices[0].text


def test_a_local_exchange_may_live_in_another_time(sim: RunningSim, time: FakeTime) -> None:
    sim.skew_ms = -5_000
    with bench(sim.url, time=time) as one:
        one.client.exchange_now()
    assert one.notices == []


def test_the_class_is_ccxts_own_and_its_throttle_is_replaced_by_the_real_limit(sim: RunningSim) -> None:
    with bench(sim.url) as one:
        exchange = one.client._exchange
        assert type(exchange) is ccxt.binanceus
        assert exchange.enableRateLimit is True
        assert exchange.options.get("maxRetriesOnFailure", 0) == 0
    assert [slept for slept in one.time.slept if slept] == []


@pytest.mark.unmeasured
def test_the_weight_limit_of_the_venue_is_never_met_with_a_429(sim: RunningSim, time: FakeTime) -> None:
    # The ticker of all symbols weighs 40: 65 of them are more than two minutes' 1,200.
    with bench(sim.url, time=time) as one:
        exchange = one.client._exchange
        exchange.load_markets()
        for _ in range(65):
            assert "BTC/USDT" in exchange.fetch_tickers()
    assert 60 < sum(time.slept) < 190


def test_the_used_weight_header_counts_what_others_on_this_address_use() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        full = said({"serverTime": NOON}, X_MBX_USED_WEIGHT_1M="1200")
        exchange.queue("/api/v3/time", full)
        one.client.exchange_now()
        assert one.time.slept == []
        one.client.symbols()
    assert one.time.slept == [61.0]


def test_notices_go_into_the_log_unless_somebody_wants_them(caplog: pytest.LogCaptureFixture) -> None:
    log_notice(Notice("history", "only the newest 720"))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "only the newest 720")
    ]


def test_a_venue_that_tells_no_time_is_taken_to_agree_with_the_local_clock() -> None:
    with tiny_exchange() as exchange, bench(exchange.url, time=FakeTime(NOON + 77)) as one:
        one.client._exchange.has["fetchTime"] = False
        assert one.client.exchange_now() == NOON + 77
        assert exchange.requests == []


# --- addresses -----------------------------------------------------------------------------------


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some(ccxt.exchanges, 8, "binanceus", "kraken"))
def test_with_a_base_url_every_address_of_every_exchange_is_below_it(name: str) -> None:
    base = "http://127.0.0.1:9"
    with ExchangeClient(name, "", "", base_url=base) as client:
        found = list(leaves(client._exchange.urls["api"]))
    assert found
    assert all(is_below(url, base) for url in found)


def test_whatever_ccxt_calls_nothing_connects_elsewhere(sim: RunningSim, loopback_only: list[str]) -> None:
    with bench(sim.url) as one:
        exchange = one.client._exchange
        exchange.load_markets()
        calls: list[Callable[[], Any]] = [
            lambda: exchange.fetch_ticker("BTC/USDT"),
            lambda: exchange.fapiPublicGetTime(),
            lambda: exchange.dapiPublicGetTime(),
            lambda: exchange.sapiGetSystemStatus(),
            lambda: exchange.fetch_balance(),
        ]
        for call in calls:
            with suppress(ccxt.BaseError, ExchangeError, TypeError):
                call()
    assert set(loopback_only) == {"127.0.0.1"}


def test_an_address_changed_behind_its_back_is_stopped_before_it_is_called(
    sim: RunningSim, loopback_only: list[str]
) -> None:
    with bench(sim.url) as one:
        one.client._exchange.urls["api"]["public"] = "https://api.binance.com/api/v3"
        with pytest.raises(UnsupportedError, match=r"wanted to leave for api\.binance\.com and was stopped"):
            one.client.symbols()
    assert set(loopback_only) <= {"127.0.0.1"}


def test_binance_us_never_talks_to_binance_com(loopback_only: list[str]) -> None:
    with ExchangeClient("binanceus", KEY, SECRET) as client:
        with pytest.raises(UnsupportedError, match=r"dapi\.binance\.com"):
            client._exchange.dapiPublicGetTime()
        assert client._is_allowed("https://api.binance.us/api/v3/time")
    assert loopback_only == []


def test_other_venues_addresses_are_trusted_to_ccxt() -> None:
    with ExchangeClient("kraken", "", "") as client:
        assert client._is_allowed("https://api.kraken.com/0/public/Time")


def test_a_redirect_is_never_followed(loopback_only: list[str]) -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.queue(
            "/api/v3/exchangeInfo", said({}, 302, Location="http://example.com/api/v3/exchangeInfo")
        )
        with pytest.raises(ExchangeError, match="answers with a redirect"):
            one.client.symbols()
    assert set(loopback_only) == {"127.0.0.1"}


def test_the_base_url_may_come_from_the_environment(sim: RunningSim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_BASE_URL", sim.url)
    with ExchangeClient() as client:
        assert client.symbols()[:2] == ["BTC/USD", "BTC/USDT"]
        assert repr(client) == f"ExchangeClient('binanceus', base_url='{sim.url}')"
    monkeypatch.setenv("EXCHANGE_BASE_URL", "nonsense")
    with pytest.raises(SettingsError):
        ExchangeClient()


def test_the_keys_may_come_from_the_environment_and_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_API_KEY", KEY)
    monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
    with ExchangeClient(base_url="http://127.0.0.1:9") as client:
        assert (client._exchange.apiKey, client._exchange.secret) == (KEY, SECRET)
        assert KEY not in repr(client)
    with ExchangeClient(api_key="", api_secret="", base_url="http://127.0.0.1:9") as client:
        assert not client._exchange.apiKey


def test_without_a_key_private_calls_say_what_is_missing(sim: RunningSim) -> None:
    with bench(sim.url, api_key="", api_secret="") as one:
        for call in (one.client.get_balance, one.client.get_open_orders):
            with pytest.raises(AuthenticationError, match="set EXCHANGE_API_KEY"):
                call()
        with pytest.raises(AuthenticationError, match="set EXCHANGE_API_KEY"):
            one.client.create_order("BTC/USDT", "buy", "market", 1)
        with pytest.raises(AuthenticationError, match="set EXCHANGE_API_KEY"):
            one.client.cancel_order("1", "BTC/USDT")


# --- sandbox, names ------------------------------------------------------------------------------


def test_binance_us_has_no_sandbox_and_says_so() -> None:
    with pytest.raises(UnsupportedError, match=r"ccxt would switch to the test networks of binance\.com"):
        ExchangeClient("binanceus", "", "", True)


def test_a_venue_without_a_test_network_says_so() -> None:
    with pytest.raises(UnsupportedError, match="ccxt knows no test network of it"):
        ExchangeClient("kraken", "", "", True)


def test_a_sandbox_and_a_base_url_exclude_each_other() -> None:
    with pytest.raises(UnsupportedError, match="a base URL is set"):
        ExchangeClient("bybit", "", "", True, base_url="http://127.0.0.1:9")


def test_a_venue_with_a_test_network_switches_to_it() -> None:
    with ExchangeClient("bybit", "", "", True) as client:
        assert client._exchange.isSandboxModeEnabled
        assert "testnet" in str(client._exchange.urls["api"])
        assert client.label == "bybit-sandbox"


def test_an_unknown_exchange_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown exchange 'Binancus': did you mean binanceus"):
        ExchangeClient("Binancus")


def test_an_unknown_symbol_or_timeframe_is_answered_with_what_there_is(sim: RunningSim) -> None:
    with bench(sim.url) as one:
        with pytest.raises(UnsupportedError, match=r"did you mean .*BTC/USDT"):
            one.client.fetch_ohlcv("BTC/USTD")
        with pytest.raises(UsageError, match="unknown timeframe '7m'"):
            one.client.fetch_ohlcv("BTC/USDT", "7m")
        one.client._exchange.has["fetchOHLCV"] = False
        with pytest.raises(UnsupportedError, match="it offers none"):
            one.client.fetch_ohlcv("BTC/USDT", "1h")
    assert UnsupportedError.exit_code == 2


def test_the_label_says_what_kind_of_candles_they_are(sim: RunningSim) -> None:
    with bench(sim.url) as one:
        assert one.client.label == "binanceus-synthetic"
        one.client._transport.candle_source = "db"
        assert one.client.label == "binanceus-replay"
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        assert one.client.label == "binanceus"
    with ExchangeClient("kraken", "", "") as client:
        assert client.label == "kraken"


# --- kraken --------------------------------------------------------------------------------------


def test_krakens_720_candles_are_all_there_is_and_that_is_said(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, "kraken", time, api_key="", api_secret="") as one:
        assert one.client.label == "kraken-synthetic"
        assert type(one.client._exchange) is ccxt.kraken
        bars = concat(list(one.client.ohlcv_pages("BTC/USD", "1h", NOON - 5000 * HOUR)))
        assert len(one.notices) == 1
        newest = one.client.newest_bars("BTC/USD", "1h", 1000)
        assert len(one.notices) == 2
        few = one.client.newest_bars("BTC/USD", "1h", 100)
        since = one.client.fetch_ohlcv("BTC/USD", "1h", 10, NOON - 50 * HOUR)
    assert bars.ts[-1] == NOON - HOUR
    assert bars.ts[0] == NOON - 719 * HOUR
    assert (newest.ts == bars.ts).all()
    assert len(few.ts) == 100
    assert len(since) == 10
    assert [notice.kind for notice in one.notices] == ["history", "history"]
    assert one.notices[0].text == (
        "kraken serves only its newest 720 1h candles: "
        "BTC/USD can be had from 2023-12-02 13:00 on, nothing older"
    )


@pytest.mark.unmeasured
def test_krakens_pace_is_kept_on_the_injected_clock(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, "kraken", time, api_key="", api_secret="") as one:
        one.client.newest_bars("BTC/USD", "1h", 10)
        one.client.newest_bars("ETH/USD", "1h", 10)
    assert sum(time.slept) >= 1.0


# --- faults --------------------------------------------------------------------------------------

RECOVERED = [
    Fault("reset_before", "klines"),
    Fault("reset_after", "klines", times=2),
    Fault("status", "klines", times=3, status=503),
    Fault("status", "klines", status=500),
    Fault("rate_limit", "klines", times=2, seconds=20),
    Fault("cut", "klines", times=2),
    Fault("html", "klines"),
    Fault("empty", "klines"),
    Fault("cut_json", "klines", times=3),
    Fault("status", "exchangeInfo", status=502),
    Fault("html", "time"),
    Fault("missing", "klines"),
    Fault("duplicate", "klines"),
    Fault("garbage", "klines"),
    Fault("garbage", "klines", after=1),
]


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "fault", some(RECOVERED, 5), ids=lambda fault: f"{fault.kind}-{fault.path}-{fault.times}"
)
def test_a_read_survives_a_fault_with_the_right_data(sim: RunningSim, time: FakeTime, fault: Fault) -> None:
    since = NOON - 2500 * HOUR
    sim.set_faults([fault])
    with bench(sim.url, time=time) as one:
        pages = list(one.client.ohlcv_pages("BTC/USDT", "1h", since, NOON))
    assert sim.faults_met
    assert concat(pages).ts.tolist() == truth(sim, "BTC/USDT", "1h", since, NOON)
    assert [notice for notice in one.notices if notice.kind == "refused"] == []


SURVIVABLE = tuple(kind for kind in KINDS if kind != "delay")


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(tries(20, 3)))
def test_a_schedule_of_faults_ends_in_the_right_data_or_the_right_error(seed: int) -> None:
    time = FakeTime(NOON)
    since = NOON - 6000 * HOUR
    with serve(SimConfig(clock=time.clock, faults=FaultSchedule(seed, 0.35, SURVIVABLE, seconds=3))) as sim:
        got: list[int] = []
        with bench(sim.url, time=time) as one, suppress(ExchangeUnreachableError, RateLimitedError):
            for bars in one.client.ohlcv_pages("BTC/USDT", "1h", since, NOON):
                got += bars.ts.tolist()
        met = len(sim.faults_met)
        right = truth(sim, "BTC/USDT", "1h", since, NOON)
    assert met
    assert got == right[: len(got)]


def test_a_storm_of_429_ends_in_a_rate_limit_and_obeys_retry_after(sim: RunningSim, time: FakeTime) -> None:
    sim.set_faults([Fault("rate_limit", times=1000, seconds=20)])
    with bench(sim.url, time=time) as one, pytest.raises(RateLimitedError, match="tried 4 times") as caught:
        one.client.exchange_now()
    assert caught.value.retry_after == 20
    assert time.slept == [20.0, 20.0, 20.0]
    assert len(sim.requests) == 4


def test_a_429_without_retry_after_is_answered_with_a_longer_silence() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.queue("/api/v3/time", said({"code": -1003, "msg": "Too many requests."}, 429))
        assert one.client.exchange_now() == NOON
    assert one.time.slept == [5.0]


def test_a_ban_is_waited_for_when_short_and_said_when_long() -> None:
    banned = {"code": -1003, "msg": f"Way too many requests; IP banned until {NOON + 90_000}."}
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.queue("/api/v3/time", said(banned, 418))
        assert one.client.exchange_now() == NOON
        assert one.time.slept == [90.0]
        exchange.standing["/api/v3/time"] = said({"serverTime": one.time.now})
        one.client._clock.forget()
        one.client.exchange_now()
        long = {"code": -1003, "msg": f"banned until {one.time.now + 3_600_000}."}
        exchange.queue("/api/v3/exchangeInfo", said(long, 418))
        asked = len(exchange.requests)
        told = len(one.notices)
        with pytest.raises(
            RateLimitedError, match=r"wants 3600 s of silence.*; more than the 120 s this waits"
        ):
            one.client.symbols()
        assert len(one.notices) == told
        with pytest.raises(RateLimitedError, match="nothing was sent"):
            one.client.symbols()
        assert len(exchange.requests) == asked + 1
    assert one.time.slept == [90.0]


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["html", "empty", "cut_json", "cut", "status", "reset_after"])
def test_a_fault_that_stays_ends_in_unreachable_after_four_tries(
    sim: RunningSim, time: FakeTime, kind: str
) -> None:
    sim.set_faults([Fault(kind, "klines", times=1000)])
    with bench(sim.url, time=time) as one, pytest.raises(ExchangeUnreachableError, match="tried 4 times"):
        one.client.fetch_ohlcv("BTC/USDT", "1h")
    assert time.slept == [0.5, 1.0, 2.0]
    assert [notice.kind for notice in one.notices] == ["retry"] * 3
    assert ExchangeUnreachableError.exit_code == 3


def test_a_slow_answer_ends_in_unreachable(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time, timeout=0.05) as one:
        one.client.exchange_now()
        sim.set_faults([Fault("delay", "exchangeInfo", times=4, seconds=0.2)])
        with pytest.raises(ExchangeUnreachableError, match="no complete answer in time"):
            one.client.symbols()


def test_an_answer_that_drips_cannot_outlast_the_deadline() -> None:
    with tiny_exchange() as exchange, bench(exchange.url, timeout=0.1) as one:
        exchange.standing["/api/v3/time"] = Reply('{"serverTime": 1}', fate="drip")
        with pytest.raises(ExchangeUnreachableError, match="no complete answer in time"):
            one.client.exchange_now()


def test_an_address_nobody_listens_on_is_unreachable() -> None:
    with bench("http://127.0.0.1:1") as one, pytest.raises(ExchangeUnreachableError, match="no connection"):
        one.client.symbols()


def test_a_wrong_path_is_not_tried_again(sim: RunningSim) -> None:
    with (
        bench(sim.url + "/elsewhere") as one,
        pytest.raises(ExchangeUnreachableError, match="is an exchange running there"),
    ):
        one.client.symbols()
    assert one.time.slept == []


def test_a_refused_clock_is_measured_again_and_the_call_repeated_once() -> None:
    refused = said({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, 400)
    account = "/api/v3/account"
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing[account] = said({"balances": [{"asset": "USDT", "free": "7.5", "locked": "1"}]})
        exchange.queue(account, refused)
        assert one.client.get_balance() == 7.5
        assert len(exchange.asked("GET", "/api/v3/time")) == 2
        exchange.queue(account, refused, refused)
        with pytest.raises(AuthenticationError, match="clock and the venue's disagree"):
            one.client.get_balance()
        assert len(exchange.asked("GET", account)) == 4


@pytest.mark.parametrize("rows", [{"rows": 1}, [7], [["x", 1, 2, 3, 4, 5]]])
def test_candles_that_are_no_rows_are_an_unreachable_exchange(rows: object) -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing[KLINES] = said(rows)
        with pytest.raises(ExchangeUnreachableError, match="tried 4 times"):
            one.client.fetch_ohlcv("BTC/USDT", "1h", 3)


def test_an_exchange_without_markets_is_not_usable() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.queue("/api/v3/exchangeInfo", said({"symbols": []}))
        with pytest.raises(ExchangeUnreachableError, match="lists no market"):
            one.client.symbols()
        assert one.client.symbols() == ["BTC/USDT", "LTC/USDT"]


def test_markets_are_read_again_after_an_hour() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        one.client.symbols()
        one.client.symbols()
        assert len(exchange.asked("GET", "/api/v3/exchangeInfo")) == 1
        one.time.now += 3_600_000
        one.client.symbols()
        assert len(exchange.asked("GET", "/api/v3/exchangeInfo")) == 2


def test_errors_hold_neither_key_nor_signature_nor_the_exception_that_does() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing["/api/v3/account"] = said({"code": -1100, "msg": f"bad {KEY} and {SECRET}"}, 400)
        with pytest.raises(ExchangeError) as caught:
            one.client.get_balance()
        signature = exchange.asked("GET", "/api/v3/account")[0].params["signature"]
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    for secret in (KEY, SECRET, signature, "recvWindow"):
        assert secret not in str(error)


def test_ccxts_debug_lines_go_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing["/api/v3/account"] = said({"balances": []})
        one.client.get_balance()
    assert KEY not in caplog.text
    assert not any(record.name.startswith("ccxt") for record in caplog.records)
    assert "signature" not in caplog.text


def test_the_balance_is_what_is_free() -> None:
    balances = [
        {"asset": "BTC", "free": "0.12345678", "locked": "1.0"},
        {"asset": "USDT", "free": "12345.67", "locked": "0"},
    ]
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing["/api/v3/account"] = said({"balances": balances})
        assert one.client.get_balance() == 12345.67
        assert one.client.get_balance("BTC") == 0.12345678
        assert one.client.get_balance("LTC") == 0.0
        with pytest.raises(UnsupportedError, match="unknown asset 'BTX': did you mean BTC"):
            one.client.get_balance("BTX")


def test_the_last_price_is_that_of_the_newest_trade(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one:
        price = one.client.last_price("BTC/USDT")
        frame = one.client.fetch_ohlcv("BTC/USDT", "1m", 1)
    assert abs(price / float(frame["close"].iloc[0]) - 1) < 0.01


@pytest.mark.parametrize("last", ["0", "-5", "NaN", None])
def test_a_price_that_is_none_is_an_unreachable_exchange(last: str | None) -> None:
    ticker = {"symbol": "BTCUSDT", "lastPrice": last, "closeTime": NOON}
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing["/api/v3/ticker/24hr"] = said(ticker)
        with pytest.raises(ExchangeUnreachableError, match="read the price of BTC/USDT"):
            one.client.last_price("BTC/USDT")


def test_the_rules_of_a_market_are_exact(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one:
        rules = one.client.rules("BTC/USDT")
        with pytest.raises(UnsupportedError):
            one.client.rules("BTC/NONE")
    assert (rules.lot, rules.tick) == (Decimal("0.00001"), Decimal("0.01"))
    assert rules.cost.least is not None


# --- the data source -----------------------------------------------------------------------------


def test_the_data_source_gives_the_newest_of_a_range(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one:
        source = CCXTDataSource(one.client)
        assert source.exchange == "binanceus-synthetic"
        assert len(source.get_ohlcv("BTC/USDT", "1h")) == 1000
        frame = source.get_ohlcv("BTC/USDT", "1h", 3, start=NOON - 10 * HOUR, end=NOON - 2 * HOUR)
        bars = source.get_bars("BTC/USDT", "1h", start=NOON - 10 * HOUR, end=NOON - 2 * HOUR)
        few = source.get_bars("BTC/USDT", "1h", 100, start=NOON - 4 * HOUR)
    assert [stamp.hour for stamp in frame.index] == [7, 8, 9]
    assert len(bars.ts) == 8
    assert len(few.ts) == 4


def test_the_data_source_says_when_there_is_nothing(sim: RunningSim, time: FakeTime) -> None:
    with bench(sim.url, time=time) as one:
        source = CCXTDataSource(one.client)
        with pytest.raises(NoDataError, match="no closed BTC/USDT 1h candles from 2024-01-02 12:00 before"):
            source.get_ohlcv("BTC/USDT", "1h", start=NOON + DAY, end=NOON + 2 * DAY)
