"""Real processes, a real HTTP exchange on loopback, real ccxt, and kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.order_kills import KILLED, kill_often
from tests.tiers import programs, statistics, tries

pytestmark = pytest.mark.unmeasured

KILLS = tries(20, 6)


@programs
@statistics
@pytest.mark.parametrize("venue", ["binanceus", "kraken"])
def test_an_engine_killed_often_has_lost_and_doubled_nothing(tmp_path: Path, venue: str) -> None:
    found = kill_often(tmp_path, KILLS, 1, venue=venue)
    assert found.wrong == []
    assert found.ends[KILLED] == KILLS
    assert found.orders > KILLS
    assert found.fills >= found.orders
    assert 4 * found.faults > KILLS
