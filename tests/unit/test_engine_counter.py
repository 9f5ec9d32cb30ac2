"""What of Kraken's counter of orders is left: counted as the local exchange does, and kept for exits."""

from __future__ import annotations

import random

from core.errors import ExchangeUnreachableError, RateLimitedError
from core.exchange.engine_counter import KRAKEN_ENGINE, EngineCounter
from core.exchange_sim.kraken_gate import AMEND_POINTS, CANCEL_POINTS, STARTER, Counter, points_by_age
from tests.exchange_help import FakeTime

BTC, ETH = "BTC/USD", "ETH/USD"


def full(counter: EngineCounter, number: int, symbol: str = BTC) -> None:
    for one in range(number):
        counter.placed(symbol, f"{symbol}-{one}")


def test_entries_wait_while_only_the_reserve_is_left_and_go_on_once_time_took_it_away() -> None:
    time = FakeTime()
    counter = EngineCounter(KRAKEN_ENGINE, time.clock)
    full(counter, 29)
    assert counter.crowded(BTC) == ""
    full(counter, 1)
    assert counter.crowded(BTC) == (
        "the venue's counter of orders in BTC/USD stands at 30 of 60: the last 30 are for exits and stops, "
        "entries wait for about 1 s"
    )
    assert counter.crowded(ETH) == ""
    time.now += 1000
    assert counter.crowded(BTC) == ""


def test_it_counts_what_the_exchange_does() -> None:
    rng, time = random.Random(3), FakeTime()
    theirs, ours = Counter(1e9, STARTER.engine_decay), EngineCounter(KRAKEN_ENGINE, time.clock)
    placed: list[tuple[str, int]] = []
    for number in range(500):
        time.now += rng.randint(0, 9000)
        what = rng.choice(("place", "cancel", "change")) if placed else "place"
        if what == "place":
            placed.append((str(number), time.now))
            ours.placed(BTC, str(number))
            theirs.charge(1, time.now)
            continue
        name, at = rng.choice(placed[-9:])
        if what == "cancel":
            ours.cancelled(BTC, name)
            theirs.charge(points_by_age(time.now - at, CANCEL_POINTS), time.now)
        else:
            ours.changed(BTC, name)
            theirs.charge(1 + points_by_age(time.now - at, AMEND_POINTS), time.now)
        assert abs(ours._level(BTC) - theirs._level) < 1e-6


def test_a_venue_that_refuses_one_for_its_counter_is_believed_and_another_error_is_not() -> None:
    time = FakeTime()
    counter = EngineCounter(KRAKEN_ENGINE, time.clock)
    counter.refused(BTC, ExchangeUnreachableError("no route"))
    assert counter.crowded(BTC) == ""
    counter.refused(BTC, RateLimitedError("EOrder:Rate limit exceeded"))
    assert "stands at 60 of 60" in counter.crowded(BTC)
    time.now += 31_000
    assert counter.crowded(BTC) == ""


def test_an_order_of_a_former_process_is_as_old_as_this_one_at_least() -> None:
    time = FakeTime()
    counter = EngineCounter(KRAKEN_ENGINE, time.clock)
    time.now += 60_000
    counter.cancelled(BTC, "theirs")
    assert counter._level(BTC) == 2
    full(counter, 1_200)
    assert len(counter._placed) == 1_000


def test_without_limits_nothing_is_counted() -> None:
    counter = EngineCounter(None, FakeTime().clock)
    full(counter, 500)
    counter.changed(BTC, "x")
    counter.cancelled(BTC, "x")
    counter.refused(BTC, RateLimitedError("x"))
    assert counter.crowded(BTC) == ""
