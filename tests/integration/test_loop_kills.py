"""The whole loop of an account in real processes, and kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exchange_loop import ALGORITHMS
from tests.loop_kills import kill_at_exchange, kill_on_paper
from tests.order_kills import KILLED
from tests.tiers import programs, statistics, tries

pytestmark = pytest.mark.unmeasured

KILLS = tries(20, 5)


@programs
@statistics
def test_a_loop_killed_often_leaves_what_one_leaves_that_was_not(tmp_path: Path) -> None:
    found = kill_on_paper(tmp_path, KILLS, 1, 8 * KILLS)
    assert found.wrong == []
    assert found.ends[KILLED] == KILLS
    assert found.fills > 10 * KILLS
    assert found.closed_by_breakers > 3


@programs
@statistics
@pytest.mark.parametrize("venue", ["binanceus", "kraken"])
def test_a_loop_killed_often_at_an_exchange_agrees_with_it(tmp_path: Path, venue: str) -> None:
    found = kill_at_exchange(tmp_path, KILLS, 1, venue=venue)
    assert found.wrong == []
    assert found.ends[KILLED] == KILLS
    assert 2 * found.fills > KILLS


@programs
@statistics
@pytest.mark.parametrize("venue", ["binanceus", "kraken"])
def test_a_loop_killed_often_whose_orders_algorithms_execute_agrees_with_the_exchange(
    tmp_path: Path, venue: str
) -> None:
    found = kill_at_exchange(tmp_path, KILLS, 2, venue=venue, execution=ALGORITHMS)
    assert found.wrong == []
    assert found.ends[KILLED] == KILLS
    assert found.parts.keys() >= {"market", "maker"}
    assert sum(found.parts.values()) > KILLS
