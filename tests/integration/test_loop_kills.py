"""The whole loop of an account in real processes, and kill -9."""

from __future__ import annotations

from pathlib import Path

from tests.loop_kills import kill_at_exchange, kill_on_paper
from tests.order_kills import KILLED


def test_a_loop_killed_twenty_times_leaves_what_one_leaves_that_was_not(tmp_path: Path) -> None:
    found = kill_on_paper(tmp_path, 20, 1, 160)
    assert found.wrong == []
    assert found.ends[KILLED] == 20
    assert found.fills > 200


def test_a_loop_killed_twenty_times_at_an_exchange_agrees_with_it(tmp_path: Path) -> None:
    found = kill_at_exchange(tmp_path, 20, 1)
    assert found.wrong == []
    assert found.ends[KILLED] == 20
    assert found.fills > 10
