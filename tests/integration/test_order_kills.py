"""Real processes, a real HTTP exchange on loopback, real ccxt, and kill -9."""

from __future__ import annotations

from pathlib import Path

from tests.order_kills import KILLED, kill_often


def test_an_engine_killed_twenty_times_has_lost_and_doubled_nothing(tmp_path: Path) -> None:
    found = kill_often(tmp_path, 20, 1)
    assert found.wrong == []
    assert found.ends[KILLED] == 20
    assert found.orders > 20
    assert found.fills >= found.orders
    assert found.faults > 5
