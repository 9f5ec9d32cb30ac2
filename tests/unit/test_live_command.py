"""One look at the world: what goes on while the exchange says nothing, not even its time."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from core.cli import live_command
from core.errors import ExchangeError, ExchangeUnreachableError
from core.live.world import World
from tests.exchange_help import NOON

AWAY = ExchangeUnreachableError("no answer")


class Looped:
    """A loop that remembers how it was asked to step."""

    def __init__(self, trouble: ExchangeError | None = None) -> None:
        self.trouble, self.steps = trouble, list[tuple[int, bool]]()

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
