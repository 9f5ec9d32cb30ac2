"""One look at the world: what goes on while the exchange says nothing, not even its time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.cli import live_command, live_pace
from core.errors import ExchangeError, ExchangeUnreachableError, UsageError
from core.live.hearing import Hearing
from core.live.world import World
from scripts import run_live
from tests.exchange_help import NOON
from tests.stream_help import bar

AWAY = ExchangeUnreachableError("no answer")


class Looped:
    """A loop that remembers how it was asked to step."""

    def __init__(self, trouble: ExchangeError | None = None) -> None:
        self.trouble, self.steps = trouble, list[tuple[int, bool]]()
        self.hearing = Hearing()

    def step(self, now: int, *, is_sure: bool) -> list[Any]:
        self.steps.append((now, is_sure))
        return []


def away() -> int:
    raise AWAY


def world(now: Any) -> World:
    client: Any = SimpleNamespace(now=lambda: datetime.fromtimestamp((NOON - 7) / 1000, UTC))
    return World("x", lambda *_: pytest.fail("not read here"), now, client)


def look(loop: Any, one: World, monkeypatch: pytest.MonkeyPatch, *, once: bool = False) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(live_command, "say", said.append)
    live_command._look(loop, one, once=once)
    return said


def test_a_step_is_taken_at_the_exchanges_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Looped()
    assert look(loop, world(lambda: NOON), monkeypatch) == []
    assert loop.steps == [(NOON, True)]


def test_a_candle_that_ends_later_than_the_time_kept_here_makes_the_exchange_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Looped()
    loop.hearing.inbox.put([bar(NOON // 60_000 - 1, final=True)])
    asked: Any = SimpleNamespace(exchange_now=lambda ask: NOON if ask else pytest.fail("asked anew"))
    assert look(loop, world(lambda: NOON - 40)._replace(client=asked), monkeypatch) == []
    assert loop.steps == [(NOON, True)]


def test_without_the_exchanges_time_a_step_is_taken_that_closes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Looped()
    assert look(loop, world(away), monkeypatch) == ["no answer; going on"]
    assert loop.steps == [(NOON - 7, False)]


def test_trouble_with_a_series_is_said_and_of_one_look_it_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(Looped(AWAY), world(lambda: NOON), monkeypatch) == ["no answer; going on"]
    with pytest.raises(ExchangeUnreachableError, match="no answer"):
        look(Looped(AWAY), world(lambda: NOON), monkeypatch, once=True)


def test_stored_candles_alone_have_the_local_clock() -> None:
    assert World("x", lambda *_: pytest.fail("not read here"), lambda: NOON).about() == NOON


def test_a_fast_exchange_is_looked_at_more_often_and_its_clocks_run_as_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [live_command.pause_of(pace) for pace in (0.5, 1.0, 4.0, 1000.0)] == [1.0, 1.0, 0.25, 0.1]
    now = [1_000]
    monkeypatch.setattr(live_pace, "now_ms", lambda: now[0])
    monkeypatch.setattr(live_pace, "steady_ms", lambda: now[0] - 900)
    clocks = live_pace.clocks_of(30.0)
    assert clocks.ticks is not None
    assert (clocks.clock(), clocks.ticks()) == (1_000, 3_000)
    now[0] += 2_000
    assert (clocks.clock(), clocks.ticks()) == (61_000, 63_000)
    clocks.sleep(0.0)
    assert live_pace.clocks_of(1.0).ticks is None


def test_time_runs_faster_at_a_local_exchange_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    for more in (["--use-sql"], []):
        with pytest.raises(UsageError, match=r"--speed is of --replay, or of a local exchange"):
            run_live.main(["--speed", "30", "--exchange", "kraken", *more, "--db-url", url])
    assert not (tmp_path / "a.db").exists()
