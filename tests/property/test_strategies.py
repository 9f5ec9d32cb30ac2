"""What every registered strategy must hold; a new registry line is covered by being there."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.candles.frames import frame_from_bars
from core.domain import FLAT, Bars, PositionView
from core.proof.inherited import uncausal
from strategies.registry import REGISTRY, load_strategy
from strategies.rule import first_decision, row
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.tiers import tries

pytestmark = pytest.mark.unmeasured

LOPSIDED = {"TREND_EMA", "GRID_LR", "SQZ_BO", "ENSEMBLE", "PAIRS"}
"""Long only, or measured against the price's level: all others treat up and down alike."""
SLOW = {"ENSEMBLE"}
"""Warm up longer, with their defaults, than the markets here last."""


def params_of(name: str) -> Any:
    return load_strategy(name).rule.make_params(LIVELY[name] if name in SLOW else {})


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.array(one, float), np.array(other, float), equal_nan=True))


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(20, 5))
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 250))
def test_columns_depend_on_the_past_alone_bit_for_bit(name: str, seed: int, cut: int) -> None:
    bars = random_bars(seed, 260)
    rule = strategy_for(name, bars).rule
    assert list(uncausal(rule, params_of(name), bars, [cut])) == []
    assert {column.size for column in rule.columns(bars, params_of(name))} == {bars.close.size}


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(10, 3))
@given(seed=st.integers(0, 10_000))
def test_the_live_class_decides_as_the_rule_does_on_the_whole_history(name: str, seed: int) -> None:
    bars = random_bars(seed, 2300)
    strategy = strategy_for(name, bars)
    rule, params = strategy.rule, params_of(name)
    columns = rule.columns(bars, params)
    live = strategy.live({"params": params._asdict()})
    frame = frame_from_bars(bars)
    rng = np.random.default_rng(seed)
    for i in rng.integers(first_decision(columns), bars.close.size, 15):
        held = (
            PositionView(side=1, stop=1.0, take=2.0, bars_held=3, rungs=0b10, target=1.0)
            if rng.random() < 0.3
            else FLAT
        )
        live.set_position("BTC/USDT", held)
        live.state["BTC/USDT"]["df"] = frame.iloc[max(0, i + 1 - live.window) : i + 1]
        want = rule.decide(row(columns, int(i)), row(columns, int(i) - 1), held, params)
        decided = live.decision("BTC/USDT")
        assert decided is not None
        assert same(decided, want)


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(20, 5))
@given(seed=st.integers(0, 10_000))
def test_decisions_are_repeatable_and_their_stops_are_on_the_right_side(name: str, seed: int) -> None:
    bars = random_bars(seed, 400)
    rule = strategy_for(name, bars).rule
    params = params_of(name)
    columns = rule.columns(bars, params)
    for i in range(first_decision(columns), bars.close.size):
        now, prev = row(columns, i), row(columns, i - 1)
        want = rule.decide(now, prev, FLAT, params)
        assert same(want, rule.decide(now, prev, FLAT, params))
        assert -1 <= want.target <= 1
        if want.target and not rule.is_ladder:
            side = 1 if want.target > 0 else -1
            assert side * (now.close - want.stop) > 0
            # NaN is no take-profit.
            assert not side * (want.take - now.close) <= 0


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(10, 3))
@given(seed=st.integers(0, 10_000))
def test_no_column_lacks_a_value_once_warm(name: str, seed: int) -> None:
    bars = random_bars(seed, 500)
    columns = strategy_for(name, bars).rule.columns(bars, params_of(name))
    first = first_decision(columns) - 1
    assert first < 200
    for field, column in zip(columns._fields, columns, strict=True):
        assert not np.isnan(column[first:]).any(), field


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(5, 2))
@given(seed=st.integers(0, 10_000))
def test_a_row_without_values_never_opens_a_trade(name: str, seed: int) -> None:
    bars = random_bars(seed, 300)
    rule = strategy_for(name, bars).rule
    params = rule.make_params(LIVELY.get(name, {}))
    columns = rule.columns(bars, params)
    missing = type(columns)(*[float("nan")] * len(columns))
    for i in range(first_decision(columns), 280, 7):
        for prev in (row(columns, i), missing):
            assert rule.decide(missing, prev, FLAT, params).target == 0.0


def mirrored(bars: Bars, top: float) -> Bars:
    return bars._replace(
        open=top - bars.open, high=top - bars.low, low=top - bars.high, close=top - bars.close
    )


@pytest.mark.parametrize("name", sorted(set(REGISTRY) - LOPSIDED))
@settings(max_examples=tries(10, 3))
@given(seed=st.integers(0, 10_000))
def test_mirrored_prices_give_mirrored_sides(name: str, seed: int) -> None:
    rule = load_strategy(name).rule
    params, bars = rule.make_params(LIVELY.get(name, {})), random_bars(seed, 400, price=1000.0)
    # Multiples of 1/64: then mirroring is exact.
    bars = bars._replace(
        **{key: np.round(64 * getattr(bars, key)) / 64 for key in ("open", "high", "low", "close")}
    )
    top = 4096.0
    one, other = rule.columns(bars, params), rule.columns(mirrored(bars, top), params)
    for i in range(first_decision(one), bars.close.size):
        for side in (0, 1, -1):
            away = side * float(bars.close[i]) * 0.01
            entry = float(bars.close[i]) - away
            held = PositionView(side, entry, entry - away, entry + 3 * away, 5, 0, side) if side else FLAT
            back = held._replace(
                side=-side, entry_price=top - entry, stop=top - held.stop, take=top - held.take, target=-side
            )
            want = rule.decide(row(one, i), row(one, i - 1), held, params)
            seen = rule.decide(row(other, i), row(other, i - 1), back if side else FLAT, params)
            assert (seen.target, seen.reason) == (-want.target, want.reason)
            assert seen.stop == pytest.approx(top - want.stop, nan_ok=True)
            assert seen.take == pytest.approx(top - want.take, nan_ok=True)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_strategy_is_one_page(name: str) -> None:
    assert len(inspect.getsource(import_module(f"strategies.{REGISTRY[name]}")).splitlines()) <= 80
