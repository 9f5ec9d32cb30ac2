"""What a rule keeps of later bars is of no use to it: the proofs show it each bar before those after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.domain import Bars, Costs, Decision, PositionView, Series, enter, flat, hold
from core.proof.inherited import uncausal
from core.proof.verify import verify
from core.results.runs import RunSpec
from strategies import base, rule_check
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.registry import Strategy
from tests.markets import random_bars
from tests.scripted import SCRIPTED

BARS = random_bars(1, 400)


class Held:
    """A class that the source check has never heard of."""

    kept: dict[Any, float] = {}

    def __init__(self) -> None:
        self.own: dict[Any, float] = {}


def of_function() -> dict[Any, float]:
    """Keep it as an attribute of a function."""
    kept: dict[Any, float] = of_function.__dict__.setdefault("kept", {})
    return kept


def of_class() -> dict[Any, float]:
    """Keep it as an attribute of a class."""
    return Held.kept


OBJECT = Held()


def of_object() -> dict[Any, float]:
    """Keep it in an object."""
    return OBJECT.own


HOLDERS = pytest.mark.parametrize("holder", [of_function, of_class, of_object])


def decide(now: Any, prev: Any, held: PositionView, p: Any) -> Decision:
    """Hold while the next bar rises."""
    if now.close > 0 and held.side == 0:
        return enter(1.0, 0.9 * abs(now.close))
    if now.close < 0 and held.side > 0:
        return flat()
    return hold(held)


def remembering(holder: Callable[[], dict[Any, float]]) -> Strategy:
    """Return a rule that keeps of each bar whether the next one rises, and decides by what it has kept."""
    rule = SCRIPTED.rule
    holder().clear()

    def columns(bars: Bars, p: Any) -> Any:
        kept, stamps = holder(), bars.ts.tolist()
        rises = np.where(bars.close[1:] > bars.close[:-1], 1.0, -1.0).tolist()
        for stamp, one in zip(stamps[:-1], rises, strict=True):
            kept.setdefault(stamp, one)
        sign = np.array([kept.get(stamp, -1.0) for stamp in stamps])
        return rule.columns(bars, p)._replace(close=bars.close * sign)

    wrong = replace(rule, columns=columns, decide=decide, stop="finite")
    kinds = [type(kind.__name__, (kind,), {"rule": wrong}) for kind in (BacktestStrategy, BaseStrategy)]
    return Strategy(wrong, *kinds)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no rule's source be looked at."""
    for module in (base, rule_check):
        monkeypatch.setattr(module, "check_rule_source", lambda rule: ())


@HOLDERS
@pytest.mark.usefixtures("unread")
def test_a_memory_of_the_future_does_not_help_the_live_run(holder: Callable[[], dict[Any, float]]) -> None:
    strategy = remembering(holder)
    spec = RunSpec(Series("x", "BTC/USDT", "1h"), "SCRIPTED", {}, Costs(), 10_000.0)
    verdict = verify(BARS, spec, strategy, sampled=5)
    assert any(line.startswith("backtesting and live differ") for line in verdict.differences)
    assert not verdict.runs[2].trades
    assert len(verdict.runs[0].trades) > 20


@HOLDERS
def test_nor_does_it_make_a_column_causal(holder: Callable[[], dict[Any, float]]) -> None:
    rule = remembering(holder).rule
    found = list(uncausal(rule, rule.params(), BARS, [350, 100, 200]))
    assert found == [(cut, "close") for cut in (100, 200, 350)]
