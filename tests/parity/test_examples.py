"""The examples that are shown to people: each trades, and trades alike three ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from core.domain import Costs, Series
from core.proof.markets import companion, random_bars
from core.proof.verify import verify
from core.results.runs import RunSpec
from scripts.new_strategy import KINDS
from strategies.pairing import bind
from strategies.registry import load_strategy, own_names, use_folder
from strategies.rule_check import check_rule
from tests.tiers import statistics, tries

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "strategies"
NAMES = sorted(path.stem.upper() for path in FOLDER.glob("*.py"))
PUBLIC = {"ROI", "DIP", "SUPERTREND3", "PSAR", "DCA", "CLOCK", "PARTNER", "HIGHER", "UNITS"}
"""The nine kinds of public strategies: profit by age, dip, three SuperTrends with a trailing stop, a stop at
the SAR, doubling, hour and weekday, a second symbol, a longer timeframe, units."""
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
    assert PUBLIC | {kind.upper() for kind in KINDS} == set(NAMES)


@statistics
@pytest.mark.parametrize("name", NAMES)
def test_an_example_trades_alike_three_ways(name: str) -> None:
    strategy = load_strategy(name)
    assert check_rule(strategy) == ()
    trades, ends = 0, set()
    for seed in range(tries(6, 1)):
        bars = random_bars(seed + 1, LENGTHS.get(name, 500), (0.01, 0.004, 0.02)[seed % 3])
        spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), name, {}, Costs(0.001), 10_000.0)
        verdict = verify(bars, spec, bind(strategy, companion(bars)), sampled=6)
        assert verdict.differences == ()
        trades += len(verdict.runs[0].trades)
        ends |= {trade.reason for trade in verdict.runs[0].trades}
    assert trades >= 2
    assert ends >= ENDS.get(name, set())


def test_doubling_buys_one_two_and_four_sevenths() -> None:
    bars = random_bars(2, 700, 0.02)
    spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), "DCA", {}, Costs(0.001), 10_000.0)
    records = verify(bars, spec, load_strategy("DCA"), sampled=2).runs[0].trades
    sizes = [record.size * record.entry_price for record in records]
    ratios = [later / first for first, later in pairwise(sizes)]
    assert sum(1.8 < ratio < 2.2 for ratio in ratios) >= 3


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
