"""The examples that are shown to people: each trades, and trades alike three ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from core.domain import LOT, Costs, Series
from core.proof.markets import companions, random_bars
from core.proof.verify import verify
from core.results.runs import RunSpec
from scripts.new_strategy import KINDS
from strategies.pairing import bind
from strategies.registry import load_strategy, own_names, use_folder
from strategies.rule_check import check_rule
from tests.judge import Judge, Market, Terms, differences
from tests.judge_waiting import pullback
from tests.judging import on_backtesting_py
from tests.tiers import some, statistics, tries, whole

pytestmark = pytest.mark.unmeasured

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "strategies"
NAMES = sorted(path.stem.upper() for path in FOLDER.glob("*.py"))
PRICED = {"PULLBACK"}
"""Entries at a price."""
PUBLIC = {"ROI", "DIP", "SUPERTREND3", "PSAR", "DCA", "CLOCK", "PARTNER", "HIGHER", "UNITS"}
"""The nine kinds of public strategies: profit by age, dip, three SuperTrends with a trailing stop, a stop at
the SAR, doubling, hour and weekday, a second symbol, a longer timeframe, units."""
SYMBOLS = ("ADA/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT")
"""The universe of an example that ranks."""
LENGTHS = {"HIGHER": 1500}
"""Bars of a market where 500 are too few."""
ENDS = {
    "ROI": {"take", "stop"},
    "DIP": {"rule", "stop"},
    "SUPERTREND3": {"trail"},
    "PSAR": {"trail"},
    "DCA": {"take"},
    "CLOCK": {"time"},
    "PARTNER": {"rule"},
    "HIGHER": {"rule", "stop"},
    "UNITS": {"stop", "trail"},
    "BREAKOUT": {"trail"},
    "PULLBACK": {"rule"},
    "ROTATION": {"rule"},
}
"""How trades must end, among others, on these markets."""


@pytest.fixture(autouse=True, scope="module")
def examples() -> Iterator[None]:
    """Open the folder of the examples."""
    assert use_folder(str(FOLDER)) == ()
    yield
    use_folder(None)


def test_every_kind_of_public_strategy_has_an_example_and_every_new_file_one() -> None:
    assert own_names() == set(NAMES)
    assert PUBLIC | PRICED | {kind.upper() for kind in KINDS} == set(NAMES)


@statistics
@pytest.mark.parametrize("name", some(NAMES, 4))
def test_an_example_trades_alike_three_ways(name: str) -> None:
    strategy = load_strategy(name)
    assert check_rule(strategy) == ()
    trades, ends = 0, set()
    for seed in range(tries(6, 1)):
        bars = random_bars(seed + 1, LENGTHS.get(name, 500), (0.01, 0.004, 0.02)[seed % 3])
        spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), name, {}, Costs(0.001), 10_000.0)
        verdict = verify(
            bars, spec, bind(strategy, companions(strategy.rule, spec.series, bars, SYMBOLS)), sampled=6
        )
        assert verdict.differences == ()
        trades += len(verdict.runs[0].trades)
        ends |= {trade.reason for trade in verdict.runs[0].trades}
    assert trades >= 2
    assert ends >= ENDS.get(name, set())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_judge_makes_the_trades_of_the_example_whose_entries_wait(seed: int) -> None:
    bars, strategy = random_bars(seed, 1200, 0.01), load_strategy("PULLBACK")
    params = strategy.rule.params()._asdict()
    spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), "PULLBACK", params, Costs(0.001, 0.0004), 10_000.0)
    terms = Terms(10_000.0, *spec.costs, risk=params["risk_per_trade"], exposure=0.95, lot=LOT)
    judge = Judge(Market(*(column.tolist() for column in bars[1:])), terms)
    rule = pullback(judge.market, params)
    money = judge.run(rule.decide, rule.first)
    trades, worth = on_backtesting_py(bars, spec, strategy)
    assert len(judge.trades) > 20
    assert differences(judge.trades, trades, LOT) == 0
    assert worth == pytest.approx(money, rel=1e-8)
    assert {"rule", "take"} <= {trade.reason for trade in judge.trades}
    assert "expired" in judge.refused


@whole
def test_doubling_buys_one_two_and_four_sevenths() -> None:
    bars = random_bars(2, 700, 0.02)
    spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), "DCA", {}, Costs(0.001), 10_000.0)
    records = verify(bars, spec, load_strategy("DCA"), sampled=2).runs[0].trades
    sizes = [record.size * record.entry_price for record in records]
    ratios = [later / first for first, later in pairwise(sizes)]
    assert sum(1.8 < ratio < 2.2 for ratio in ratios) >= 3


@whole
def test_units_add_up_to_four_and_no_more() -> None:
    bars = random_bars(4, 1500, 0.01)
    spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), "UNITS", {}, Costs(0.001), 10_000.0)
    records = sorted(
        verify(bars, spec, load_strategy("UNITS"), sampled=2).runs[0].trades, key=lambda r: r.entry_ts
    )
    groups: list[list[float]] = []
    last = 0
    for record in records:
        if record.entry_ts >= last:
            groups.append([])
        groups[-1].append(record.entry_price)
        last = max(last, record.exit_ts)
    assert max(map(len, groups)) == 4
