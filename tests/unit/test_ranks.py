"""A symbol's place among others at each close, and which others there are."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.partners import looked_at, partner_bars
from core.backtest.plan import plan_runs
from core.domain import Bars, FloatArray, Series
from core.errors import NoDataError, UsageError
from core.proof.markets import companions
from strategies.pairing import Joined, Universe, bound_rule
from strategies.registry import load_strategy
from strategies.rule import TRADED, StrategyRule
from tests.markets import HOUR, random_bars

ETH = Series("made-up", "ETH/USDT", "1h")
NAMES = ("ADA/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT")


def of(*closes: float | None) -> Bars:
    """Return bars an hour apart with these closes; None for a bar that is missing."""
    there = [i for i, close in enumerate(closes) if close is not None]
    close = np.array([closes[i] for i in there], np.float64)
    return Bars(HOUR * np.array(there, np.int64), close, close, close, close, close)


def value(bars: Bars) -> FloatArray:
    return bars.close


def test_the_greatest_value_is_first_and_a_missing_bar_takes_no_part() -> None:
    others = (("A/USDT", of(1, 5, None, 2)), ("Z/USDT", of(3, 1, 1, None)))
    found = Universe("M/USDT", of(2, 2, 2, 2), others).rank(value)
    # At the last close A has the same value, and its name sorts first.
    assert found.place.tolist() == [2, 2, 1, 2]
    assert found.among.tolist() == [3, 3, 2, 2]


def test_of_equal_values_the_name_that_sorts_first_is_before() -> None:
    same = of(7, 7)
    symbols = ["A/USDT", "M/USDT", "Z/USDT"]
    places = [
        Universe(one, same, tuple((name, same) for name in symbols if name != one)).rank(value).place.tolist()
        for one in symbols
    ]
    assert places == [[1, 1], [2, 2], [3, 3]]


def test_a_value_that_is_not_a_number_has_no_place() -> None:
    nan = float("nan")
    found = Universe("M/USDT", of(nan, 1), (("A/USDT", of(5, nan)), ("B/USDT", of(4, 4)))).rank(value)
    assert found.place.tolist() == [np.inf, 2]
    assert found.among.tolist() == [2, 2]


def test_a_symbol_without_any_bar_takes_no_part() -> None:
    found = Universe("M/USDT", of(1, 2), (("A/USDT", of()),)).rank(value)
    assert (found.place.tolist(), found.among.tolist()) == ([1, 1], [1, 1])


def test_values_of_another_length_are_a_mistake_that_is_said() -> None:
    with pytest.raises(UsageError, match="rank: wanted one value for each of the 2 bars of M/USDT"):
        Universe("M/USDT", of(1, 2), ()).rank(lambda bars: bars.close[1:])


TABLE = st.lists(
    st.lists(st.sampled_from([None, 1.0, 2.0, 3.0]), min_size=6, max_size=6), min_size=2, max_size=5
)


@pytest.mark.unmeasured
@given(TABLE)
def test_the_places_of_all_symbols_at_a_close_are_one_two_three(table: list[list[float | None]]) -> None:
    names = [f"S{k}/USDT" for k in range(len(table))]
    bars = dict(zip(names, (of(*closes) for closes in table), strict=True))
    at: dict[int, list[float]] = {}
    for name in names:
        others = tuple((other, bars[other]) for other in names if other != name)
        found = Universe(name, bars[name], others).rank(value)
        for ts, place, among in zip(bars[name].ts.tolist(), *found, strict=True):
            at.setdefault(ts, []).append(place)
            assert among == sum(closes[ts // HOUR] is not None for closes in table)
    assert all(sorted(places) == list(range(1, len(places) + 1)) for places in at.values())


def ranking(universe: tuple[str, ...] = TRADED) -> StrategyRule:
    return replace(load_strategy("SMA_CROSS").rule, name="RANKS", universe=universe)


def test_the_universe_is_what_is_traded_or_what_the_rule_names() -> None:
    found = looked_at(ranking(), ETH, NAMES)
    assert [one.symbol for one in found.universe] == ["ADA/USDT", "BTC/USDT", "SOL/USDT"]
    assert {one.timeframe for one in found.universe} == {"1h"}
    own = looked_at(ranking(("eth-usdt", "SOL/USDT")), ETH)
    assert [one.symbol for one in own.each] == ["SOL/USDT"]


@pytest.mark.parametrize("universe", [(), ("ETH/USDT",)])
def test_one_symbol_alone_is_not_ranked(universe: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="RANKS ranks symbols against each other: wanted two or more, got"):
        looked_at(ranking(), ETH, universe)


def test_a_symbol_that_is_not_in_its_universe_is_said() -> None:
    with pytest.raises(UsageError, match="RANKS trades ETH/USDT, which is not in its universe ADA/USDT, BTC"):
        looked_at(ranking(), ETH, NAMES[:2])


def planned(monkeypatch: pytest.MonkeyPatch, universe: tuple[str, ...] = (), **asked: Any) -> Any:
    """Return the universe that a run is planned with; `universe` as strategies.yaml has it."""
    rule = replace(ranking(), decide=load_strategy("SMA_CROSS").rule.decide)
    strategy = load_strategy("SMA_CROSS")._replace(rule=rule)
    monkeypatch.setattr("core.backtest.plan.load_strategy", lambda _: strategy)
    entry = SimpleNamespace(params={}, symbols=NAMES[:2], timeframe="1h", universe=universe)
    settings: Any = SimpleNamespace(strategies={"sma_cross": entry})
    return [(run.symbol, run.universe) for run in plan_runs(settings, strategies=["SMA_CROSS"], **asked)]


def test_a_run_is_ranked_among_all_that_it_trades_or_what_its_settings_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert planned(monkeypatch) == [(one, NAMES[:2]) for one in NAMES[:2]]
    assert planned(monkeypatch, symbols=NAMES) == [(one, NAMES) for one in NAMES]
    assert planned(monkeypatch, NAMES, symbols=NAMES[:1]) == [(NAMES[0], NAMES)]


class Empty:
    """A source without candles."""

    exchange = "made-up"

    def get_bars(self, *_: object, **__: object) -> Bars:
        raise NoDataError("nothing here")


def test_symbols_of_the_universe_that_are_not_stored_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = load_strategy("SMA_CROSS")._replace(rule=ranking())
    monkeypatch.setattr("core.backtest.partners.load_strategy", lambda _: strategy)
    source: Any = Empty()
    with pytest.raises(NoDataError) as told:
        partner_bars(source, "RANKS", ETH, of(1, 2), NAMES)
    assert "RANKS on ETH/USDT looks at ADA/USDT 1h, BTC/USDT 1h, SOL/USDT 1h too" in str(told.value)
    assert "--symbol ADA/USDT,BTC/USDT,SOL/USDT --timeframe 1h" in str(told.value)


def test_a_rule_may_look_at_a_partner_and_be_ranked() -> None:
    seen: list[tuple[Any, ...]] = []

    def columns(bars: Bars, params: Any, partner: Any, universe: Any) -> Any:
        seen.append((type(partner), universe.symbol, *(name for name, _ in universe.others)))
        return load_strategy("SMA_CROSS").rule.columns(bars, params)

    rule = replace(ranking(), columns=columns, partner=lambda _: "BTC/USDT")
    bars = random_bars(1, 300)
    others = companions(rule, ETH, bars, NAMES)
    assert others is not None
    bound_rule(rule, others).columns(bars, rule.params())
    assert seen == [(Joined, "ETH/USDT", "ADA/USDT", "BTC/USDT", "SOL/USDT")]
