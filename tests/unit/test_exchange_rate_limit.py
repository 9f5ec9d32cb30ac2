"""Budgets over sliding windows, Binance.US's own weights, silence, and ccxt's costs on a fake clock."""

from __future__ import annotations

import pytest

from core.errors import RateLimitedError
from core.exchange.rate_limit import (
    BINANCEUS_BUDGETS,
    KRAKEN_BUDGETS,
    READS,
    Budget,
    Pacer,
    RateLimiter,
    binanceus_costs,
)
from tests.exchange_help import FakeTime

API = "https://api.binance.us/api/v3/"
SMALL = (Budget("weight", 10, 60.0), Budget("orders", 2, 1.0))


def limiter(time: FakeTime, budgets: tuple[Budget, ...] = SMALL, patience: float = 120.0) -> RateLimiter:
    return RateLimiter("venue", budgets, time.clock, time.sleep, patience=patience)


@pytest.mark.parametrize(
    ("method", "path", "weight"),
    [
        ("GET", "klines?symbol=BTCUSDT&interval=1h", 1),
        ("GET", "time", 1),
        ("GET", "exchangeInfo", 10),
        ("GET", "ticker/24hr?symbol=BTCUSDT", 1),
        ("GET", "ticker/24hr", 40),
        ("GET", "account?timestamp=1", 10),
        ("GET", "order?symbol=BTCUSDT", 2),
        ("GET", "openOrders?symbol=BTCUSDT", 3),
        ("GET", "openOrders?timestamp=1", 40),
        ("GET", "depth?symbol=BTCUSDT", 1),
        ("GET", "depth?symbol=BTCUSDT&limit=500", 5),
        ("GET", "depth?symbol=BTCUSDT&limit=9999", 50),
        ("DELETE", "order?symbol=BTCUSDT", 1),
    ],
)
def test_a_request_costs_what_binance_us_says(method: str, path: str, weight: int) -> None:
    assert binanceus_costs(method, API + path) == {"weight": weight, "requests": 1}


def test_only_a_new_order_takes_from_the_order_budget() -> None:
    assert binanceus_costs("POST", API + "order") == {"weight": 1, "requests": 1, "orders": 1}
    assert "orders" not in binanceus_costs("POST", API + "userDataStream")


def test_a_request_within_the_budget_does_not_wait() -> None:
    time = FakeTime()
    one = limiter(time)
    for _ in range(10):
        one.acquire({"weight": 1})
    assert time.slept == []


def test_a_request_beyond_the_budget_waits_until_enough_of_the_window_has_passed() -> None:
    time = FakeTime()
    one = limiter(time)
    one.acquire({"weight": 4})
    time.now += 10_000
    one.acquire({"weight": 6})
    one.acquire({"weight": 3})
    assert time.slept == [50.0]
    one.acquire({"weight": 1})
    assert time.slept == [50.0]
    one.acquire({"weight": 1})
    assert time.slept == [50.0, 10.0]


def test_a_large_request_waits_until_several_small_ones_have_passed() -> None:
    time = FakeTime()
    one = limiter(time)
    for _ in range(5):
        one.acquire({"weight": 2})
        time.now += 1_000
    one.acquire({"weight": 6})
    assert time.slept == [57.0]


@pytest.mark.unmeasured
def test_twenty_minutes_of_klines_stay_below_1200_in_every_minute() -> None:
    time = FakeTime()
    one = limiter(time, BINANCEUS_BUDGETS)
    sent = []
    for _ in range(6_000):
        one.acquire(binanceus_costs("GET", API + "klines"))
        sent.append(time.now)
    for start in range(NOW_MINUTE, time.now, 60_000):
        assert sum(start <= moment < start + 60_000 for moment in sent) <= 1200
    for start in range(NOW_MINUTE, time.now, 300_000):
        assert sum(start <= moment < start + 300_000 for moment in sent) <= 5000


NOW_MINUTE = FakeTime().now // 60_000 * 60_000


def test_a_budget_that_runs_down_lets_one_through_as_soon_as_it_fits() -> None:
    time = FakeTime()
    one = limiter(time, (Budget(READS, 10, 20.0, runs_down=True),))
    for _ in range(5):
        one.acquire({READS: 2})
    assert time.slept == []
    one.acquire({READS: 2})
    one.acquire({READS: 1})
    assert time.slept == [4.0, 2.0]
    time.now += 4000
    one.acquire({READS: 3})
    assert time.slept == [4.0, 2.0, 2.0]
    # A clock that was set back makes nobody wait longer than for all of it.
    time.now -= 3_600_000
    one.acquire({READS: 10})
    assert time.slept[3:] == [20.0]
    one.observe(READS, 3)
    time.now += 3_600_000
    one.acquire({READS: 10})
    assert len(time.slept) == 4


def test_a_long_row_of_questions_to_kraken_waits_a_little_before_each() -> None:
    time = FakeTime()
    one = limiter(time, KRAKEN_BUDGETS, patience=20.0)
    for _ in range(60):
        one.acquire({READS: 2})
    # What a sliding window would do at once, 45 s of silence, is more than a look may wait.
    assert max(time.slept) < 7
    assert 300 < sum(time.slept) < 400


def test_the_venues_higher_count_is_taken_over() -> None:
    time = FakeTime()
    one = limiter(time)
    one.acquire({"weight": 1})
    one.observe("weight", 10)
    one.acquire({"weight": 1})
    assert time.slept == [60.0]


def test_the_venues_lower_count_changes_nothing() -> None:
    time = FakeTime()
    one = limiter(time)
    one.acquire({"weight": 10})
    one.observe("weight", 1)
    one.observe("unknown", 99)
    one.acquire({"weight": 1})
    assert time.slept == [60.0]


def test_a_request_larger_than_the_budget_waits_for_an_empty_window() -> None:
    time = FakeTime()
    one = limiter(time)
    one.acquire({"weight": 11})
    assert time.slept == [60.0]


def test_silence_holds_for_every_request() -> None:
    time = FakeTime()
    one = limiter(time)
    one.silence(30)
    one.silence(5)
    one.acquire({})
    assert time.slept == [30.0]


def test_a_silence_longer_than_the_patience_is_said_at_once() -> None:
    time = FakeTime()
    one = limiter(time)
    one.silence(3600)
    with pytest.raises(RateLimitedError, match="venue wants 3600 s of silence") as caught:
        one.acquire({})
    assert caught.value.retry_after == 3600
    assert time.slept == []


def test_an_order_may_be_less_patient_than_the_limiter() -> None:
    time = FakeTime()
    one = limiter(time)
    one.silence(3)
    with pytest.raises(RateLimitedError):
        one.acquire({"orders": 1}, patience=2.0)
    one.acquire({"orders": 1}, patience=3.0)
    assert time.slept == [3.0]


def test_a_local_clock_set_back_never_makes_it_wait_longer_than_the_window() -> None:
    time = FakeTime()
    one = limiter(time)
    one.acquire({"weight": 10})
    time.now -= 3_600_000
    one.acquire({"weight": 1})
    assert time.slept == [60.0]


def test_a_pacer_lets_each_request_pay_for_itself() -> None:
    time = FakeTime()
    pacer = Pacer(time.clock, time.sleep)
    pacer.wait(1000)
    pacer.wait(2000)
    pacer.wait(1000)
    assert time.slept == [1.0, 2.0]


def test_a_pacer_waits_at_most_a_minute_after_the_clock_was_set_back() -> None:
    time = FakeTime()
    pacer = Pacer(time.clock, time.sleep)
    pacer.wait(1000)
    time.now -= 3_600_000
    pacer.wait(1000)
    assert time.slept == [60.0]
