"""Lives of orders that algorithms execute, through faults and kills, with what is weakened beside them."""

from __future__ import annotations

import pytest

from core.exchange_sim.server import BINANCEUS, KRAKEN
from tests.algo_mutants import ALGO_MUTANTS
from tests.algo_schedules import AlgoSchedule
from tests.tiers import some, statistics


@pytest.mark.parametrize("venue", [BINANCEUS, KRAKEN])
def test_nothing_is_asked_for_twice_and_every_work_is_over(venue: str) -> None:
    for seed in range(3):
        schedule = AlgoSchedule(seed, venue=venue)
        assert schedule.run() == []
        assert schedule.market.orders


# The schedule by which each is caught; a search for the first takes longer than all others here together.
CAUGHT = {
    "ForgetsItsParts": 0,
    "TakesTheUnknownForRefused": 0,
    "BelievesEveryCancel": 12,
    "PlacesBeforeTheCancel": 3,
    "CountsWholeFillsAlone": 6,
    "EndsInMemory": 0,
    "LeavesWhatRests": 0,
    "AsksForAllEachTime": 8,
    "NamesThemByTime": 0,
}


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some(ALGO_MUTANTS, 3))
def test_what_is_weakened_is_caught(name: str) -> None:
    assert AlgoSchedule(CAUGHT[name], work_with=ALGO_MUTANTS[name]).run() != []
