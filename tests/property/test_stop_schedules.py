"""With stops that rest nothing is oversold, doubled or unprotected for long, whatever breaks and whenever."""

from __future__ import annotations

import pytest

from core.exchange_sim.server import BINANCEUS, KRAKEN
from tests.fuzz_order_path import VENUES, run_stop_schedules, stop_caught
from tests.stop_mutants import STOP_MUTANTS
from tests.stop_schedules import LONGEST, StopSchedule
from tests.tiers import some, statistics, tries

CHUNK = tries(12, 6)
ENOUGH = 200
"""Schedules within which weakened stops are caught."""
LATE = {
    (BINANCEUS, "DoesNotFollow"): 11,
    (BINANCEUS, "CountsNoStops"): 14,
    (BINANCEUS, "BelievesEveryCancel"): 48,
    (BINANCEUS, "SellsBesideTheStop"): 6,
    (BINANCEUS, "SellsForOthersToo"): 14,
    (KRAKEN, "DoesNotFollow"): 11,
    (KRAKEN, "SellsBesideTheStop"): 6,
    (KRAKEN, "TakesTheUnknownForAbsent"): 60,
    (KRAKEN, "ChangesThePriceAlone"): 33,
}
"""Where to begin to look for what is caught late."""
WEAK = [(venue, name) for name, one in STOP_MUTANTS.items() for venue in one.venues]


RARE = {BINANCEUS: (0, 1, 2, 5), KRAKEN: (1, 6, 8)}
"""Schedules with which all branches are run."""


@pytest.mark.parametrize("venue", VENUES)
def test_schedules_that_run_all_of_the_path_end_as_they_should(venue: str) -> None:
    for seed in RARE[venue]:
        assert run_stop_schedules(seed, 1, venue).wrong == []


@pytest.mark.unmeasured
@statistics
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("first", range(0, tries(120, CHUNK), CHUNK))
def test_seeded_schedules_with_stops_sell_protect_and_book_as_they_should(first: int, venue: str) -> None:
    tally = run_stop_schedules(first, CHUNK, venue)
    assert tally.wrong == []
    assert tally.counts["crashes"] > CHUNK
    assert tally.counts["stops"] > 4 * CHUNK
    assert tally.counts["reached"] > 0
    assert tally.counts["ms unprotected at most"] <= LONGEST
    assert (tally.counts["changes"] > 0) == (venue == KRAKEN)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(("venue", "name"), some(WEAK, 5))
def test_weakened_stops_are_caught_by_the_same_schedules(venue: str, name: str) -> None:
    assert stop_caught(name, ENOUGH, venue, LATE.get((venue, name), 0)) is not None


@pytest.mark.unmeasured
def test_a_stop_that_was_stored_before_the_clock_was_set_back_is_sent_at_once() -> None:
    # It waited for its moment by the old clock, unprotected for half a minute.
    assert StopSchedule(2172).run() == []


@pytest.mark.unmeasured
def test_a_schedule_is_the_same_every_time() -> None:
    one, other = StopSchedule(3), StopSchedule(3)
    assert one.run() == other.run() == []
    assert [order.request for order in one.market.orders] == [order.request for order in other.market.orders]
