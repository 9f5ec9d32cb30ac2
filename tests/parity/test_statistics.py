"""Every statistic is Backtesting.py's to the last bit, whatever trades and equity are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import backtester
from core.backtest import fast_backtester
from core.domain import Bars, Costs, Series
from core.results import calendar, statistics, sums
from core.results.calendar import describe_market
from core.results.runs import STATISTICS, RunSpec, presented
from core.results.statistics import compute, make_scratch, named
from strategies.registry import REGISTRY
from tests.lively import LIVELY, paired, partner
from tests.markets import random_bars
from tests.reference import DAY, Outcome, differences, expected, random_run, random_trades
from tests.tiers import some, tries
from tests.tiers import statistics as many

pytestmark = pytest.mark.unmeasured


@cache
def expected_of(seed: int) -> pd.Series:
    return expected(random_run(seed))


def found(run: Outcome) -> pd.Series:
    return presented(named(compute(describe_market(run.bars), run.trades, run.curve, run.first)))


@many
@pytest.mark.parametrize("block", range(tries(7, 1)))
def test_all_statistics_of_random_runs_are_backtesting_py_s(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        assert differences(expected_of(seed), found(random_run(seed))) == [], seed


@given(
    changes=st.lists(st.sampled_from([0.0, 0.01, -0.01, 0.25, -0.3, 1e-16, -1.0]), min_size=1, max_size=60),
    minutes=st.sampled_from([1, 60, 240, 1440, 10_080, 44_640, 525_600, 7, 1501]),
    gap=st.integers(1, 2000),
    seed=st.integers(0, 1000),
)
def test_all_statistics_of_curves_with_ties_and_ruin_are_backtesting_py_s(
    changes: list[float], minutes: int, gap: int, seed: int
) -> None:
    curve = 1000.0 * np.cumprod(1 + np.array([0.0, *changes]))
    stamps = 60_000 * minutes * np.arange(curve.size)
    stamps[curve.size // 2 :] += 60_000 * minutes * gap
    rng = np.random.default_rng(seed)
    close = rng.choice([1.0, 1.01, 0.9], curve.size)
    run = Outcome(Bars(stamps, *[close] * 5), random_trades(rng, curve.size), curve, 0)
    assert differences(expected(run), found(run)) == []


def test_a_year_of_minutes_has_backtesting_py_s_statistics() -> None:
    rng = np.random.default_rng(1)
    length = 525_600
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, length)))
    curve = 10_000 * np.exp(np.cumsum(rng.normal(0, 1e-4, length) * (rng.random(length) < 0.3)))
    stamps = 60_000 * (np.arange(length) + 28_000_000)
    run = Outcome(Bars(stamps, *[close] * 5), random_trades(rng, length), curve, 50)
    assert differences(expected(run), found(run)) == []


def test_scratch_that_was_used_before_changes_nothing() -> None:
    run = random_run(2)
    facts = describe_market(run.bars)
    scratch = make_scratch(facts)
    again = random_run(2)._replace(curve=run.curve[::-1].copy())
    for one in (run, again, run):
        assert (
            differences(
                expected(one), presented(named(compute(facts, one.trades, one.curve, one.first, scratch)))
            )
            == []
        )


@many
def test_the_runs_cover_what_they_should() -> None:
    runs = [random_run(seed) for seed in range(tries(300, 100))]
    answers = [expected_of(seed) for seed in range(len(runs))]
    assert {0, 1, 500} <= {len(run.trades) for run in runs}
    assert any(run.curve[-1] == 0 for run in runs)
    assert any(run.curve[-1] < 0 for run in runs)
    assert any(run.bars.ts[-1] - run.bars.ts[0] < DAY for run in runs)
    durations = [answer["Max. Drawdown Duration"] for answer in answers]
    assert any(isinstance(value, pd.Timedelta) for value in durations)
    assert any(0 < value < 1 for value in durations if isinstance(value, float))
    assert any(answer["Max. Drawdown [%]"] == 0 for answer in answers)
    assert any("Commissions [$]" not in answer for answer in answers)


@many
@pytest.mark.parametrize("name", some(REGISTRY, 7))
def test_both_engines_present_their_statistics_alike(name: str) -> None:
    bars = random_bars(3, 600)
    for costs in (Costs(0.001), Costs(0.0)):
        spec = RunSpec(Series("binanceus", "BTC/USDT", "1h"), name, LIVELY.get(name, {}), costs, 10_000.0)
        runs = (backtester.run_backtest, fast_backtester.run_fast)
        results = [run(bars, spec, partners=paired(partner(bars))) for run in runs]
        assert results[0].summary == results[1].summary
        plain, fast = (result.stats for result in results)
        assert len(plain) == len(STATISTICS) - (costs.commission == 0)
        assert differences(plain, fast) == []
        assert [str(value) for value in plain] == [str(value) for value in fast]


# Each changes one expression; some random run must then differ from Backtesting.py.
MUTATIONS: list[tuple[Any, Callable[..., Any], str, str]] = [
    (sums, sums.add_up_trades, "min(leave + 1, earliest)", "(leave + 1)"),
    (sums, sums.add_up_trades, "min(leave + 1, earliest)", "min(leave, earliest)"),
    (sums, sums.parted, "pairwise_sum(some, 0, more, spare.halves)", "sum(some[:more].tolist())"),
    (statistics, statistics._rounded_up, "-(-whole // resolution) * resolution", "ms"),
    (statistics, statistics._of_trades, "<= 0", "< 0"),
    (
        statistics,
        statistics._betas,
        "np.dot(returns, returns.T)[:, 1]",
        "[returns[0] @ returns[1], returns[1] @ returns[1]]",
    ),
    (statistics, statistics._annual, "row[some]", "row"),
    (statistics, statistics._periods, "np.float64(count - 1)", "np.float64(count)"),
    (statistics, statistics._powers, "[base**exponent for base in bases]", "np.power(bases, exponent)"),
    (
        sums,
        sums.add_up,
        "pairwise_sum(depths, 0, depths.size, spare.halves)",
        "sum(depths.tolist())",
    ),
    (statistics, statistics._of_drawdowns, "np.where(deepest > 0, deepest, np.nan)", "np.nan * deepest"),
    (
        statistics,
        statistics._of_trades,
        "_or_nan(abs(sums[:, RETURNS_LOST]))",
        "abs(sums[:, RETURNS_LOST])",
    ),
    (
        statistics,
        statistics._of_trades,
        "-(sums[:, LOST] / sums[:, LOSSES])",
        "(sums[:, LOST] / sums[:, LOSSES])",
    ),
    (calendar, calendar._day_ends, "(days + 1) * DAY", "(days + 1) * DAY + 1"),
    (calendar, calendar._period_ends, '31: "ME"', '30: "ME"'),
    (calendar, calendar._periods_per_year, "(days + 3)", "(days + 4)"),
    (calendar, calendar.describe_market, "bars.ts[-100:]", "bars.ts"),
]


@many
@pytest.mark.parametrize("number", some(range(len(MUTATIONS)), 6))
def test_a_planted_fault_is_noticed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, old, new = MUTATIONS[number]
    source = inspect.getsource(function)
    assert old in source
    scope: dict[str, Any] = {}
    exec("from __future__ import annotations\n" + source.replace(old, new), function.__globals__, scope)
    name = function.__name__
    monkeypatch.setattr(module, name, scope[name])
    if name in ("add_up", "add_up_trades", "parted"):
        # The compiled sums hold the functions they were made of; the same source does without the compiler.
        monkeypatch.setattr(statistics, "compiled_sums", lambda: sums.add_up)
    made = scope[name] if name == "describe_market" else describe_market
    runs = (random_run(seed) for seed in range(600))
    assert any(
        differences(
            expected(run), presented(named(compute(made(run.bars), run.trades, run.curve, run.first)))
        )
        for run in runs
    )
