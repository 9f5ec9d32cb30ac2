"""Costs never improve a result, in the sense in which that is so.

A rule does not see money, so commission changes no bar, side, price or reason of its trades: only sizes,
since they are parts of an equity that is smaller. Per unit traded every trade earns less, by exactly what was
paid; a losing strategy may lose less in all, because it trades less. The spread moves the entry price and so
may move stops, takes and refusals: there only trades with the same bars and exit are compared.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.backtest.fast_backtester import simulate_fast
from core.domain import Costs, Series
from core.results.runs import RunSpec, TradeRecord
from strategies.registry import REGISTRY
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.tiers import tries

pytestmark = pytest.mark.unmeasured

SERIES = Series("binanceus", "BTC/USDT", "1h")


def run(name: str, seed: int, costs: Costs) -> tuple[TradeRecord, ...]:
    bars = random_bars(seed, 300)
    spec = RunSpec(SERIES, name, LIVELY.get(name, {}), costs, 10_000.0)
    return simulate_fast(bars, spec, strategy_for(name, bars)).records


def what(trade: TradeRecord) -> tuple[object, ...]:
    return trade.side, trade.entry_ts, trade.exit_ts, trade.entry_price, trade.exit_price, trade.reason


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(8, 2))
@given(seed=st.integers(0, 10_000), rate=st.sampled_from([0.0001, 0.001, 0.02]))
def test_commission_changes_no_trade_and_takes_its_part_of_each(name: str, seed: int, rate: float) -> None:
    free, paid = (run(name, seed, Costs(commission)) for commission in (0.0, rate))
    assert [what(trade) for trade in free] == [what(trade) for trade in paid]
    for one, other in zip(free, paid, strict=True):
        cost = 100 * rate * (one.entry_price + one.exit_price) / one.entry_price
        assert other.pnl_pct == pytest.approx(one.pnl_pct - cost, abs=1e-9)
        assert one.fees == 0
        assert other.fees > 0


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=tries(8, 2))
@given(seed=st.integers(0, 10_000))
def test_a_trade_entered_across_a_spread_earns_less(name: str, seed: int) -> None:
    free, paid = (run(name, seed, Costs(0.0, spread)) for spread in (0.0, 0.001))
    kept = {(t.side, t.entry_ts, t.exit_ts, t.exit_price, t.reason): t for t in free}
    same = [
        (kept[key], t)
        for t in paid
        if (key := (t.side, t.entry_ts, t.exit_ts, t.exit_price, t.reason)) in kept
    ]
    assume(same)
    for one, other in same:
        assert other.pnl_pct < one.pnl_pct
