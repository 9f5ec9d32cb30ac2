"""A sweep's rows are the numbers of single runs, whatever the threads, tiles and batches."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from core.backtest.fast_backtester import run_fast
from core.domain import Bars, Costs, Series
from core.errors import UsageError
from core.kernel import sets as set_runs
from core.optimise import sweep as sweeps
from core.optimise.param_sets import grid
from core.optimise.sweep import sweep
from core.results.runs import RunSpec
from strategies.registry import REGISTRY, load_strategy
from strategies.ta_lib import talib
from tests.lively import LIVELY, paired, partner
from tests.markets import random_bars
from tests.tiers import WHOLE, statistics

pytestmark = pytest.mark.unmeasured

BTC, ETH = Series("binanceus", "BTC/USDT", "1h"), Series("binanceus", "ETH/USDT", "1h")
COSTS = Costs(0.001, 0.0002)
VALUES: dict[str, dict[str, list[float]]] = {
    "TREND_EMA": {"ema_fast": [5, 10], "ema_slow": [20, 40], "rr_ratio": [1.0, 3.0]},
    **{name: {key: [value] for key, value in lively.items()} for name, lively in LIVELY.items()},
    "GRID_LR": {"levels": [2, 5], "step_atr_mult": [0.5, 1.0]},
}


def markets() -> dict[Series, Bars]:
    return {BTC: random_bars(1, 900, volatility=0.01), ETH: random_bars(2, 700, volatility=0.02)}


def same(one: Any, other: Any) -> bool:
    return bool(one == other) or (pd.isna(one) and pd.isna(other))


def sets_of(name: str) -> list[dict[str, float]]:
    return grid(load_strategy(name).rule, VALUES.get(name, {}))


def test_how_entries_are_sized_can_be_swept() -> None:
    sets = grid(load_strategy("TREND_EMA").rule, {"vol_target": [0.0, 0.6], "kelly_cap": [0.0, 0.05]})
    sets = [{**given, "kelly_trades": 5} for given in sets]
    table = sweep({BTC: markets()[BTC]}, "TREND_EMA", sets, COSTS, threads=2)
    assert list(table["vol_target"]) == [0.0, 0.0, 0.6, 0.6]
    assert "vol_period" not in table
    for found, given in zip(table.to_dict("records"), sets, strict=True):
        alone = run_fast(markets()[BTC], RunSpec(BTC, "TREND_EMA", given, COSTS, 10_000.0))
        assert found["Equity Final [$]"] == alone.stats["Equity Final [$]"]
    assert table["Equity Final [$]"].nunique() == 4


BLOCKS = (1, 3 * 900 * 8)
"""A set at a time; and a few."""


@statistics
@pytest.mark.parametrize(
    ("name", "block_bytes"),
    [(name, BLOCKS[n]) for i, name in enumerate(REGISTRY) for n in (range(2) if WHOLE else [i % 2])],
)
def test_every_row_is_the_single_run_s(name: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(set_runs, "FIRST_TRADES", 130)
    others = {series: paired(partner(bars), series.symbol) for series, bars in markets().items()}
    table = sweep(markets(), name, sets_of(name), COSTS, threads=2, partners=others)
    keys = [(series, given) for series in markets() for given in sets_of(name)]
    assert len(table) == len(keys)
    for found, (series, given) in zip(table.to_dict("records"), keys, strict=True):
        spec = RunSpec(series, name, given, COSTS, 10_000.0)
        alone = run_fast(markets()[series], spec, partners=others[series])
        assert (found["exchange"], found["symbol"], found["timeframe"]) == tuple(series)
        assert all(found[key] == value for key, value in alone.spec.params.items())
        for key, value in alone.stats.items():
            if not (str(key).endswith("Drawdown Duration") and isinstance(value, float)):
                assert same(found[str(key)], value), key
        for figure, value in alone.summary._asdict().items():
            assert same(found[figure], value), figure
        assert found["Refused"] == sum(alone.refusals.values())
    assert table["# Trades"].sum() > 10
    brief = sweep(markets(), name, sets_of(name), COSTS, threads=2, partners=others, brief=True)
    assert list(brief) == [name for name in table if name in brief]
    pd.testing.assert_frame_equal(brief, table[list(brief)], check_exact=True)


def test_the_number_of_threads_changes_nothing() -> None:
    one, three = (sweep(markets(), "TREND_EMA", sets_of("TREND_EMA"), threads=n) for n in (1, 3))
    pd.testing.assert_frame_equal(one, three, check_exact=True)


def test_a_series_too_short_to_warm_up_has_no_statistics_and_no_trades() -> None:
    short = {BTC: random_bars(1, 60), ETH: random_bars(2, 300)}
    table = sweep(short, "TREND_EMA", [{"ema_slow": 100, "ema_fast": 10}])
    assert math.isnan(table["Return [%]"][0])
    assert table["# Trades"].tolist()[0] == 0
    assert pd.isna(table["Start"][0])
    assert not math.isnan(table["Return [%]"][1])


def test_nothing_to_run_is_an_empty_table() -> None:
    table = sweep({}, "TREND_EMA", [{}])
    assert len(table) == 0
    assert {"symbol", "ema_fast", "Return [%]", "# Trades", "Refused"} <= set(table.columns)
    assert len(sweep(markets(), "TREND_EMA", [])) == 0


def test_a_bad_parameter_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match=r"TREND_EMA.ema_fast: wanted a whole number"):
        sweep(markets(), "TREND_EMA", [{}, {"ema_fast": 0}])


def test_a_strategy_that_fails_in_a_thread_fails_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    chosen = load_strategy("TREND_EMA")

    def broken(bars: Bars, p: Any) -> Any:
        raise ZeroDivisionError("no columns")

    monkeypatch.setattr(
        sweeps, "load_strategy", lambda name: chosen._replace(rule=replace(chosen.rule, columns=broken))
    )
    with pytest.raises(ZeroDivisionError, match="no columns"):
        sweep(markets(), "TREND_EMA", sets_of("TREND_EMA"), threads=2)


def test_an_indicator_that_several_sets_need_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = talib.EMA

    def counted(x: Any, period: int) -> Any:
        calls.append(period)
        return real(x, period)

    monkeypatch.setattr(talib, "EMA", counted)
    given = grid(
        load_strategy("TREND_EMA").rule, {"ema_fast": [5, 6], "ema_slow": [20, 30], "rr_ratio": [1, 2]}
    )
    sweep({BTC: random_bars(1, 300)}, "TREND_EMA", given, threads=1)
    assert sorted(calls) == [5, 6, 20, 30]
