"""A reversal at an exchange: its exit goes first, its entry when that is filled, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from core.account.orders import Purpose, Refused
from core.engine import Step
from tests.unit.test_exchange_desk import BTC, World, sent

D = Decimal
SHORT = 2.0


def turning(**how: Any) -> World:
    """Return a process that holds a long and has just decided to turn."""
    world = World(BTC=D(100))
    world.entered()
    world.bar(SHORT, **how)
    return world


def refusals(step: Step) -> list[tuple[Purpose, str]]:
    return [(one.intent.purpose, one.reason.value) for one in step.outcomes if isinstance(one, Refused)]


def chances(world: World, values: Iterable[float]) -> None:
    some = iter(values)
    world.exchange.rng.random = lambda: next(some, 0.5)  # type: ignore[method-assign]


def test_the_exit_goes_first_and_the_entry_once_it_is_filled() -> None:
    world = turning()
    (bought, closed) = sent(world)
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
    assert sorted(row.purpose for row in world.journal.intents()) == ["entry", "exit"]
    assert [trade.reason for trade in world.look().trades] == ["reverse"]
    world.desk.send()
    (_, _, entered) = sent(world)
    assert entered[0] == "sell"
    # As large as what it closes, by the same rule, and not what was free beside it.
    assert float(entered[1] / bought[1]) == pytest.approx(1, rel=0.02)
    assert float(closed[1] / bought[1]) == pytest.approx(1, rel=0.002)
    world.look()
    assert world.session.portfolio.amount(BTC, "SCRIPTED") < 0
    assert world.session.portfolio.pending == {}


def test_an_exit_that_is_refused_takes_its_entry_with_it() -> None:
    world = World(BTC=D(100))
    world.entered()
    chances(world, [0.01])
    world.bar(SHORT)
    assert refusals(world.look()) == [(Purpose.EXIT, "exchange"), (Purpose.ENTRY, "exchange")]
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy"]
    assert not world.session.portfolio.pending
    assert not world.desk.waiting
    assert len(world.session.portfolio.lots("SCRIPTED", BTC)) == 1


def test_an_exit_that_fills_in_part_takes_its_entry_with_it() -> None:
    world = World(BTC=D(100))
    world.entered()
    chances(world, [0.5, 0.05, 0.7, 0.3])
    world.bar(SHORT)
    step = world.look()
    assert len(step.fills) == 1
    assert refusals(step) == [(Purpose.ENTRY, "exchange")]
    (refused,) = step.outcomes
    assert isinstance(refused, Refused)
    assert "to be closed before it is still held" in refused.detail
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
    assert world.session.portfolio.amount(BTC, "SCRIPTED") > 0


def test_an_entry_whose_exit_takes_too_long_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    world = turning()
    monkeypatch.setattr(world.desk, "_is_closing", lambda entry: True)
    assert refusals(world.look()) == []
    world.desk.send()
    assert len(sent(world)) == 2
    assert refusals(world.look(3_700_000)) == [(Purpose.ENTRY, "expired")]
    assert world.session.portfolio.pending == {}


def test_an_exit_that_found_nothing_left_to_close_is_in_nobody_s_way(monkeypatch: pytest.MonkeyPatch) -> None:
    world = turning()
    rows = [row._replace(filled=D(0)) for row in world.path.exits("SCRIPTED", BTC, _turned(world))]
    assert len(rows) == 1
    monkeypatch.setattr(world.path, "exits", lambda *_: rows)
    assert refusals(world.look()) == []
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy", "sell", "sell"]


def _turned(world: World) -> int:
    return max(row.bar for row in world.journal.intents())


def test_after_a_restart_the_entry_still_waits_for_its_exit() -> None:
    world = turning(send=False)
    world.begin(world.journal, world.kept())
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
    kept = world.kept()
    world.begin(world.journal, kept)
    world.look()
    world.desk.send()
    assert [side for side, _ in sent(world)] == ["buy", "sell", "sell"]
    world.look()
    assert world.session.portfolio.amount(BTC, "SCRIPTED") < 0
