"""What sets make day by day is what a backtest of the same bars makes, begun warm."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import Bars, Costs, Series
from core.errors import UsageError
from core.kernel.sets import simulate
from core.optimise.daily import (
    Stretch,
    daily_returns,
    daily_runs,
    day_ends,
    hold_returns,
    trades_made,
)
from core.optimise.judging import JudgedSearch, against_random, gather, plateau_of
from core.optimise.permutation import shuffled_chance
from core.proof.markets import companion
from core.results.measures import DAY, span_of
from core.verdict.judge import Answer, judge
from strategies.registry import load_strategy
from tests.lively import paired
from tests.markets import HOUR, random_bars

RULE = load_strategy("TREND_EMA").rule
SETS = [{"ema_fast": fast, "ema_slow": slow} for fast in (5.0, 10.0, 20.0) for slow in (30.0, 60.0)]
COSTS = Costs(0.001, 0.0002)
BARS = random_bars(5, 3300).until(3000)


def ends_of(bars: Bars) -> np.ndarray:
    return day_ends(int(bars.ts[0]), int(bars.ts[-1]) + HOUR)


def test_days_end_at_midnight_and_the_last_where_the_bars_do() -> None:
    assert day_ends(5, 2 * DAY + 7).tolist() == [DAY, 2 * DAY, 2 * DAY + 7]
    assert day_ends(DAY, 2 * DAY).tolist() == [2 * DAY]


def test_daily_returns_carry_days_without_a_bar_and_begin_with_the_cash() -> None:
    closes, curves = np.array([DAY - 5, DAY, 3 * DAY]), np.array([[90.0, 110.0, 121.0]])
    found = daily_returns(closes, curves, day_ends(0, 4 * DAY), 100.0)
    assert found[0] == pytest.approx([0.1, 0.0, 0.1, 0.0])


def test_an_account_with_nothing_left_makes_nothing() -> None:
    closes, curves = np.array([DAY, 2 * DAY, 3 * DAY]), np.array([[100.0, 0.0, 0.0]])
    assert daily_returns(closes, curves, day_ends(0, 3 * DAY), 100.0)[0].tolist() == [0.0, -1.0, 0.0]


def test_each_set_makes_what_its_own_backtest_makes() -> None:
    found = daily_runs(Stretch(BARS, "1h"), RULE, SETS, COSTS, 10_000.0, ends_of(BARS))
    span = span_of(BARS.ts + HOUR)
    for returns, trades, given in zip(found.returns, found.trades, SETS, strict=True):
        alone = simulate(BARS, RULE, RULE.make_params(given), 10_000.0, COSTS)
        days = alone.curve[span.day_ends]
        assert returns[1:].tolist() == (days[1:] / days[:-1] - 1).tolist()
        assert np.prod(1 + returns) * 10_000 == pytest.approx(alone.curve[-1])
        assert trades == len(alone.trades) > 0


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_bit(threads: int) -> None:
    one = daily_runs(Stretch(BARS, "1h"), RULE, SETS, COSTS, 1e4, ends_of(BARS), 1)
    other = daily_runs(Stretch(BARS, "1h"), RULE, SETS, COSTS, 1e4, ends_of(BARS), threads)
    assert one.returns.tobytes() == other.returns.tobytes()
    assert one.trades.tolist() == other.trades.tolist()


def test_a_stretch_begins_flat_and_warm() -> None:
    # 100 bars are too few for a slow average of 60 from nothing to trade soon; warm ones trade at once.
    start = 2900
    warm, cold = Stretch(BARS, "1h", start), Stretch(BARS.since(start), "1h")
    spans = [trades_made(one, RULE, SETS[1], COSTS, 10_000.0).spans for one in (warm, cold)]
    assert spans[0].entries[0] < 60 <= spans[1].entries[0]
    ends = ends_of(BARS.since(start))
    assert daily_runs(warm, RULE, SETS[1:2], COSTS, 1e4, ends).returns[0, 0] != 0.0


def test_columns_that_nothing_warmed_make_nothing() -> None:
    short = BARS.until(20)
    found = daily_runs(Stretch(short, "1h"), RULE, SETS[:1], COSTS, 1e4, ends_of(short))
    assert not found.returns.any()
    assert found.trades.tolist() == [0]


def test_no_bars_and_no_sets_make_nothing() -> None:
    nothing = daily_runs(Stretch(BARS, "1h", BARS.ts.size), RULE, SETS[:2], COSTS, 1e4, day_ends(0, DAY))
    assert nothing.returns.tolist() == [[0.0], [0.0]]
    assert daily_runs(Stretch(BARS, "1h"), RULE, [], COSTS, 1e4, day_ends(0, DAY)).returns.shape == (0, 1)


def test_sizing_by_volatility_is_warm_too() -> None:
    given = {**SETS[1], "vol_target": 0.3, "vol_period": 50}
    start = 2900
    found = trades_made(Stretch(BARS, "1h", start), RULE, given, COSTS, 10_000.0)
    assert found.spans.entries[0] < 50


def test_spans_are_those_of_the_backtests_trades() -> None:
    made = trades_made(Stretch(BARS, "1h"), RULE, SETS[0], COSTS, 10_000.0)
    spans = made.spans
    alone = simulate(BARS, RULE, RULE.make_params(SETS[0]), 10_000.0, COSTS)
    assert spans.entries.tolist() == alone.trades[:, 2].tolist()
    worth = alone.curve[spans.entries[5] - 1]
    assert spans.exposures[5] == pytest.approx(alone.trades[5, 0] * alone.trades[5, 1] / worth)
    assert spans.costs[0] == pytest.approx(0.0022)
    assert made.returns[5] == pytest.approx(alone.trades[5, 9] / worth)


def test_holding_is_worth_its_price() -> None:
    free = hold_returns(Stretch(BARS, "1h"), Costs(0.0, 0.0), ends_of(BARS))
    assert np.prod(1 + free) == pytest.approx(BARS.close[-1] / BARS.open[0])


BTC, ETH = Series("made", "BTC/USDT", "1h"), Series("made", "ETH/USDT", "1h")
CUT = int(BARS.ts[1800])


def case(**changes: object) -> JudgedSearch:
    markets = {BTC: BARS, ETH: random_bars(6, 3300).until(3000)}
    return JudgedSearch("TREND_EMA", markets, CUT, SETS, 2, COSTS, 10_000.0)._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.unmeasured
def test_evidence_is_what_the_runs_before_and_after_the_cut_made() -> None:
    found = gather(case(tries=500, looks=3))
    ends = day_ends(min(int(bars.ts[0]) for bars in case().markets.values()), CUT)
    parts = [
        daily_runs(
            Stretch(bars.until(int(np.searchsorted(bars.ts, CUT))), "1h"), RULE, SETS, COSTS, 1e4, ends
        )
        for bars in case().markets.values()
    ]
    assert found.seen == pytest.approx((parts[0].returns + parts[1].returns) / 2)
    assert found.seen.shape[1] + found.unseen.size == found.hold.size
    assert (found.tries, found.looks, found.chosen) == (500, 3, 2)
    chance, returns = against_random(case())
    assert found.random_entries == chance
    assert found.trade_returns is not None
    assert found.trade_returns.tobytes() == returns.tobytes()
    assert gather(case()).tries == len(SETS)


@pytest.mark.unmeasured
def test_bars_after_the_cut_change_nothing_that_was_chosen_on() -> None:
    later = {one: bars._replace(close=bars.close.copy()) for one, bars in case().markets.items()}
    for bars in later.values():
        bars.close[np.searchsorted(bars.ts, CUT) :] *= 1.01
    found, other = gather(case()), gather(case(markets=later))
    assert found.seen.tobytes() == other.seen.tobytes()
    assert found.unseen.tobytes() != other.unseen.tobytes()


@pytest.mark.unmeasured
def test_doubled_costs_earn_less() -> None:
    free = gather(case(costs=Costs(0.0, 0.0)))
    plain = gather(case())
    chosen = np.concatenate([free.seen[2], free.unseen])
    assert plain.doubled < float(np.prod(1 + chosen)) - 1


@pytest.mark.unmeasured
def test_random_walks_of_few_days_are_not_enough() -> None:
    verdict = judge(gather(case()))
    assert (verdict.answer, verdict.decided_by) == (Answer.NOT_ENOUGH, "days")


@pytest.mark.unmeasured
def test_a_search_on_shuffled_bars_is_as_good_on_a_random_walk() -> None:
    chance = shuffled_chance(case(), 9)
    assert chance in [k / 10 for k in range(1, 11)]
    assert chance == shuffled_chance(case(), 9)


def test_a_second_symbol_is_looked_at() -> None:
    pairs = JudgedSearch(
        "PAIRS", {BTC: BARS}, CUT, [{}], 0, COSTS, 1e4, partners={BTC: paired(companion(BARS), BTC.symbol)}
    )
    assert gather(pairs).trades > 0


def test_a_chosen_set_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="got number 6"):
        gather(case(chosen=6))


def test_neighbours_differ_by_one_step_in_one_parameter() -> None:
    # Of (10, 30): (5, 30) and (20, 30) by the first, (10, 60) by the second; never (5, 60).
    figures = np.array([1.0, 9.0, 2.0, 1.2, 1.4, 9.0])
    assert plateau_of(SETS, 2, figures) == pytest.approx(1.2 / 2.0)
    assert plateau_of(SETS[:1], 0, figures[:1]) is None
