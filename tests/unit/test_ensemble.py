"""Members followed, targets put together, trades attributed."""

from __future__ import annotations

from decimal import Decimal
from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.backtester import simulate
from core.domain import FLAT, Bars, Costs, Decision, FloatArray, PositionView, Reason, Series
from core.ensemble import ensemble as whole
from core.ensemble.members import VIRTUAL_CASH, wanted
from core.fills import ENTRY_BAR, EXIT_BAR
from core.kernel.sets import simulate as run_compiled
from core.regime.regime_detector import Regime
from core.results.attribution import attribute, shares
from core.results.runs import RunSpec
from strategies import ensemble as rule_file
from strategies.indicators_more import stretches
from strategies.registry import load_strategy
from strategies.rule import first_decision
from tests.bar_loop import follow_plainly
from tests.lively import LIVELY
from tests.markets import HOUR, random_bars
from tests.tiers import tries

EVER = 100_000
"""Bars: never starts again."""
QUICK = load_strategy("ENSEMBLE").rule.make_params(LIVELY["ENSEMBLE"])
FOLLOWED = ("TREND_EMA", "SUPERTREND")


def follow(name: str, bars: Bars, restart: int) -> FloatArray:
    rule = load_strategy(name).rule
    return wanted(bars, rule, rule.params(), restart)


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(3))
def test_a_member_that_never_starts_again_wants_what_its_backtest_holds(seed: int) -> None:
    rule, bars = load_strategy("TREND_EMA").rule, random_bars(seed, 500)
    run = run_compiled(bars, rule, rule.params(), VIRTUAL_CASH, Costs(0.0, 0.0))
    held = np.zeros(bars.ts.size)
    for trade in run.trades:
        # Wanted from the close before its entry on; what is open at the end still is.
        stop = int(trade[EXIT_BAR])
        held[int(trade[ENTRY_BAR]) - 1 : stop if stop < bars.ts.size - 1 else bars.ts.size] = 1.0
    found = follow("TREND_EMA", bars, EVER)
    first = int(np.flatnonzero(~np.isnan(found))[0])
    assert first == first_decision(rule.columns(bars, rule.params()))
    assert len(run.trades) > 2
    assert np.array_equal(found[first:-1], held[first:-1])


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", FOLLOWED)
def test_the_compiled_way_of_following_is_the_plain_one(name: str) -> None:
    rule, bars = load_strategy(name).rule, random_bars(5, 400)
    params = rule.params()
    pieces = stretches(bars.ts, 60, first_decision(rule.columns(bars, params)))
    target = follow_plainly(bars, rule, params, pieces, VIRTUAL_CASH)
    assert np.array_equal(target, follow(name, bars, 60), equal_nan=True)
    assert {0.0, 1.0} <= set(target[~np.isnan(target)].tolist())


def test_a_member_starts_flat_where_the_stretch_before_begins() -> None:
    # SUPERTREND is always in the market once it turned; from a fresh start it waits for the next turn.
    bars = random_bars(8, 600)
    ever, often = follow("SUPERTREND", bars, EVER), follow("SUPERTREND", bars, 30)
    known = ~np.isnan(ever)
    assert (ever[known] == 0).mean() < (often[known] == 0).mean()
    agree = often[known] != 0
    assert (ever[known][agree] == often[known][agree]).mean() > 0.9


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", FOLLOWED)
@settings(max_examples=tries(15, 4))
@given(seed=st.integers(0, 10_000), end=st.integers(2300, 2600))
def test_a_window_gives_the_last_target_of_the_whole_past(name: str, seed: int, end: int) -> None:
    rule = load_strategy(name).rule
    bars = random_bars(seed, 2700).until(end)
    need = 2 * 50 + rule.memory(rule.params()) + 1
    part = follow(name, bars.since(max(0, bars.ts.size - need)), 50)
    assert np.array_equal(follow(name, bars, 50)[-2:], part[-2:])


@pytest.mark.parametrize("changes", [{"settle_bars": 0}, {"settle_bars": 9}, {"learn_ratio": 0.5}])
def test_its_newest_rows_alone_are_those_of_all_to_the_last_bit(changes: dict[str, float]) -> None:
    rule, bars = rule_file.RULE, random_bars(7, 900)
    quick = QUICK._replace(learn_ratio=0.0)._replace(**changes)
    for end in (2, 60, 200, 700, 899):
        all_rows, newest = (made(bars.until(end), quick) for made in (rule.columns, rule.newest_columns))
        for column, last in zip(all_rows, newest, strict=True):
            assert np.array_equal(column[-2:], last[-2:], equal_nan=True)
            assert changes.get("learn_ratio") or last.size < 20


def test_stretches_are_counted_from_1970_on() -> None:
    ts = HOUR * np.arange(5, 18, dtype=np.int64)
    begins, firsts, stops = stretches(ts, 5, 2)
    # Bars 0 to 4 are hours 5 to 9.
    assert firsts.tolist() == [2, 5, 10]
    assert begins.tolist() == [2, 2, 5]
    assert stops.tolist() == [5, 10, 13]
    assert [x.size for x in stretches(ts, 5, 13)] == [0, 0, 0]
    assert [x.size for x in stretches(ts[:0], 5, 0)] == [0, 0, 0]


def test_a_market_too_short_to_warm_up_has_no_target() -> None:
    assert np.isnan(follow("TREND_EMA", random_bars(1, 40), 20)).all()


def test_arrays_that_may_not_be_written_are_followed_too() -> None:
    bars = random_bars(5, 200)
    locked = Bars(bars.ts.copy(), *(column.copy() for column in bars[1:]))
    for column in locked:
        column.flags.writeable = False
    assert np.array_equal(follow("TREND_EMA", bars, 60), follow("TREND_EMA", locked, 60), equal_nan=True)


def test_what_the_members_add_makes_the_whole() -> None:
    bars = random_bars(4, 600)
    found = whole.combine(bars, QUICK)
    known = ~np.isnan(found.whole)
    assert found.names == ("TREND_EMA", "SUPERTREND", "MR_BB")
    assert known.sum() > 400
    assert found.parts[:, known].sum(axis=0) == pytest.approx(found.whole[known], abs=1e-15)
    assert np.abs(found.whole[known]).max() <= 1.0
    assert set((4 * found.target[known]).tolist()) <= set(range(-4, 5))
    assert ((found.agreement[known] >= 0.5) & (found.agreement[known] <= 1.0)).all()


def test_a_member_counts_by_its_weight_and_the_market_s_kind() -> None:
    bars = random_bars(4, 600)
    plain = QUICK._replace(learn_ratio=0.0)
    found = whole.combine(bars, plain)
    i = int(np.flatnonzero((found.parts != 0).all(axis=0) & ~np.isnan(found.whole))[0])
    fits = [whole.FITS[whole.KINDS[name]][Regime(int(found.regime[i]))] for name in found.names]
    weights = np.array([2.0, 1.0, 1.0]) * fits
    assert np.abs(found.parts[:, i]) == pytest.approx(weights / weights.sum())


def test_a_member_that_gained_lately_counts_for_more() -> None:
    bars = random_bars(4, 600)
    even = whole.combine(bars, QUICK._replace(learn_ratio=0.0))
    learned = whole.combine(bars, QUICK._replace(learn_ratio=0.9))
    vote = np.nan_to_num(np.sign(learned.parts[1]))
    gain = np.concatenate([[0.0], vote[:-1] * np.diff(bars.close) / bars.close[:-1]])
    lately = np.convolve(gain, np.ones(30))[: gain.size]
    rise = np.abs(learned.parts[1]) - np.abs(even.parts[1])
    known = ~np.isnan(learned.whole) & (vote != 0)
    # Against the mean of the others it moves with its own gains.
    assert np.corrcoef(lately[known], rise[known])[0, 1] > 0.3


def test_the_learned_weight_keeps_within_its_bounds() -> None:
    close = np.cumprod(np.full(80, 1.01)) * (1 + 0.001 * np.sin(np.arange(80)))
    vote = np.ones(80)
    factor = whole._lately(vote, close, QUICK._replace(learn_ratio=0.4, learn_period=20))
    assert np.isnan(factor[:20]).all()
    assert factor[20:] == pytest.approx(1.4)
    back = whole._lately(-vote, close, QUICK._replace(learn_ratio=0.4, learn_period=20))
    assert back[20:] == pytest.approx(0.6)
    still = whole._lately(0 * vote, close, QUICK._replace(learn_ratio=0.4, learn_period=20))
    assert still[20:] == pytest.approx(1.0)


def test_without_members_nothing_is_wanted() -> None:
    none = {name: 0.0 for name in QUICK._fields if name.endswith("_weight")}
    found = whole.combine(random_bars(4, 300), QUICK._replace(**none))
    known = ~np.isnan(found.whole)
    assert known.any()
    assert (found.whole[known] == 0).all()
    assert whole.longest(QUICK._replace(**none)) == 40
    assert whole.history_of(QUICK._replace(**none)) > 900


def test_a_market_is_settled_some_bars_after_its_kind_changed() -> None:
    settled = whole._settled(np.array([nan, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]), 2)
    assert np.isnan(settled[:3]).all()
    assert settled[3:].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert whole._settled(np.array([nan, 1.0]), 0)[1:].tolist() == [1.0]


class TestDeciding:
    """On rows made by hand."""

    ROW = rule_file.Columns(close=100.0, target=0.75, agreement=0.8, is_settled=1.0, atr=2.0)
    LONG = PositionView(1, 99.0, 94.0, nan, 4, 0, 0.75)

    def decide(self, held: PositionView = FLAT, **change: float) -> Decision:
        row = self.ROW._replace(**change)
        return rule_file.decide(row, row, held, whole.Params())

    def test_enters_with_the_sum_and_a_stop(self) -> None:
        assert self.decide()[:2] == (0.75, 94.0)
        assert self.decide(target=-0.5)[:2] == (-0.5, 106.0)

    def test_stays_out_of_a_small_sum_a_quarrel_and_a_change_of_regime(self) -> None:
        found = self.decide(target=0.25), self.decide(agreement=0.55), self.decide(is_settled=0.0)
        assert [want.target for want in found] == [0.0, 0.0, 0.0]

    def test_leaves_when_nothing_is_left_or_the_sum_turned(self) -> None:
        for target in (0.0, -1.0):
            want = self.decide(self.LONG, target=target)
            assert (want.target, want.reason) == (0.0, Reason.RULE)

    def test_holds_through_a_change_of_regime(self) -> None:
        want = self.decide(self.LONG, target=-1.0, is_settled=0.0)
        assert (want.target, want.stop, want.reason) == (0.75, 94.0, Reason.HOLD)

    def test_follows_a_sum_that_moved_far_enough_and_keeps_the_stop(self) -> None:
        assert self.decide(self.LONG, target=0.5).target == 0.75
        assert self.decide(self.LONG, target=0.25)[:2] == (0.25, 94.0)
        assert self.decide(self.LONG._replace(target=0.5), target=1.0)[:2] == (1.0, 94.0)


@pytest.mark.unmeasured
def test_what_the_members_earned_adds_up_to_the_last_digit() -> None:
    series = Series("made", "BTC/USDT", "1h")
    total = 0
    for seed in range(6):
        bars = random_bars(seed, 600)
        spec = RunSpec(series, "ENSEMBLE", LIVELY["ENSEMBLE"], Costs(0.001, 0.0), 10_000.0)
        records = simulate(bars, spec, load_strategy("ENSEMBLE")).records
        found = whole.combine(bars, QUICK)
        earned = attribute(records, bars, found)
        assert sum(earned.values()) == sum(Decimal(repr(trade.pnl)) for trade in records)
        for trade in records:
            decided = int(np.searchsorted(bars.ts, trade.entry_ts)) - 1
            assert sum(shares(found, decided).values()) == pytest.approx(1.0)
        total += len(records)
    assert total > 60


@pytest.mark.unmeasured
def test_a_member_against_a_trade_loses_what_it_won() -> None:
    series = Series("made", "BTC/USDT", "1h")
    bars = random_bars(1, 600)
    spec = RunSpec(series, "ENSEMBLE", LIVELY["ENSEMBLE"], Costs(0.0, 0.0), 10_000.0)
    records, found = simulate(bars, spec, load_strategy("ENSEMBLE")).records, whole.combine(bars, QUICK)
    for trade in records:
        decided = int(np.searchsorted(bars.ts, trade.entry_ts)) - 1
        earned = attribute([trade], bars, found)
        for name, part in zip(found.names, found.parts, strict=True):
            with_it = part[decided] * (1 if trade.side == "LONG" else -1)
            assert float(earned[name]) * with_it * trade.pnl >= -1e-6
