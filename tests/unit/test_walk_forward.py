"""A walk forward never fits on what it trades, and trades all that it was not fitted on, once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.domain import Bars, Costs, Series
from core.errors import NoDataError, UsageError
from core.optimise.daily import Stretch, daily_runs
from core.optimise.judging import gather_walk
from core.optimise.search import Question, search
from core.optimise.walk_forward import WalkTerms, between, traded_at, walk_forward, windows_of
from core.results.measures import DAY
from core.verdict.judge import Answer, judge
from strategies.registry import load_strategy
from tests.markets import random_bars

BTC, ETH = Series("made", "BTC/USDT", "1h"), Series("made", "ETH/USDT", "1h")
SETS = [{"ema_fast": fast, "ema_slow": slow} for fast in (5.0, 10.0, 20.0) for slow in (30.0, 60.0)]
ASKED = Question("TREND_EMA", SETS, Costs(0.001, 0.0), 10_000.0, fewest_trades=1)
TERMS = WalkTerms(tests=3, fit_days=65, embargo_days=2)
BARS = random_bars(5, 3300).until(3000)


def poisoned(bars: Bars, start: int) -> Bars:
    """Return the bars with other prices from a time on."""
    place = int(np.searchsorted(bars.ts, start))
    later = random_bars(99, 3300).until(bars.ts.size).since(place)
    return Bars(
        bars.ts, *(np.concatenate([old[:place], new]) for old, new in zip(bars[1:], later[1:], strict=True))
    )


def test_tests_follow_each_other_and_never_touch_a_fit() -> None:
    found = windows_of(5 * DAY + 7, 400 * DAY + 9, WalkTerms(7, 100, embargo_days=3))
    assert [window.test_start for window in found[1:]] == [window.test_stop for window in found[:-1]]
    assert all(window.test_start - window.fit_stop == 3 * DAY for window in found)
    # The first day is not whole, so the fit's hundred begin with the second.
    assert (found[0].fit_start, found[0].fit_stop) == (5 * DAY + 7, 106 * DAY)
    assert found[-1].test_stop == 400 * DAY + 9
    assert {window.fit_start for window in found} == {5 * DAY + 7}


def test_rolling_fits_are_equally_long() -> None:
    found = windows_of(0, 400 * DAY, WalkTerms(7, 100, anchored=False, embargo_days=3))
    assert {window.fit_stop - window.fit_start for window in found} == {100 * DAY}


@pytest.mark.parametrize("terms", [WalkTerms(0), WalkTerms(fit_days=0), WalkTerms(embargo_days=-1)])
def test_terms_that_cannot_be_are_said(terms: WalkTerms) -> None:
    with pytest.raises(UsageError, match="walk forward: wanted a test or more"):
        windows_of(0, 400 * DAY, terms)


def test_too_few_days_are_said() -> None:
    with pytest.raises(NoDataError, match="leaves 2 days for 8 tests after 365 days to fit on"):
        windows_of(0, 368 * DAY, WalkTerms())


@pytest.mark.unmeasured
@pytest.mark.parametrize("anchored", [True, False])
def test_each_step_chooses_what_a_search_on_its_fit_alone_chooses(*, anchored: bool) -> None:
    walk = walk_forward({BTC: BARS}, ASKED, TERMS._replace(anchored=anchored))
    assert len(walk.steps) == 3
    for step in walk.steps:
        window = step.window
        alone = between(BARS, window.fit_start, window.fit_stop)
        found = search({BTC: alone}, ASKED._replace(unseen_share=0.0))
        assert (step.chosen, step.score) == (found.ranked[0], found.scores[found.ranked[0]])


@pytest.mark.unmeasured
def test_a_fit_never_sees_its_test_nor_the_embargo() -> None:
    plain = walk_forward({BTC: BARS}, ASKED, TERMS)
    for number, step in enumerate(plain.steps):
        other = walk_forward({BTC: poisoned(BARS, step.window.fit_stop)}, ASKED, TERMS)
        chosen = [(one.chosen, one.score, one.fit_mean) for one in plain.steps[: number + 1]]
        assert [(one.chosen, one.score, one.fit_mean) for one in other.steps[: number + 1]] == chosen
        assert other.steps[number].test_mean != step.test_mean


@pytest.mark.unmeasured
def test_a_test_knows_nothing_of_what_comes_after_it() -> None:
    plain = walk_forward({BTC: BARS}, ASKED, TERMS)
    stop = plain.steps[0].window.test_stop
    other = walk_forward({BTC: poisoned(BARS, stop)}, ASKED, TERMS)
    first = int((plain.days <= stop).sum())
    assert other.returns[:first].tobytes() == plain.returns[:first].tobytes()
    assert other.returns[first:].tobytes() != plain.returns[first:].tobytes()


def test_the_tests_are_stitched_to_one_account_of_warm_runs() -> None:
    walk, rule = walk_forward({BTC: BARS}, ASKED, TERMS), load_strategy("TREND_EMA").rule
    assert np.diff(walk.days).max() == DAY
    assert walk.equity[-1] == pytest.approx(np.prod(1 + walk.returns))
    step = walk.steps[1]
    assert step.chosen is not None
    known = between(BARS, 0, step.window.test_stop)
    place = int(np.searchsorted(known.ts, step.window.test_start))
    days = walk.days[(walk.days > step.window.test_start) & (walk.days <= step.window.test_stop)]
    alone = daily_runs(Stretch(known, "1h", place), rule, [SETS[step.chosen]], ASKED.costs, ASKED.cash, days)
    inside = np.isin(walk.days, days)
    assert walk.returns[inside].tobytes() == alone.returns[0].tobytes()
    assert step.trades == alone.trades[0] > 0


def test_efficiency_is_what_the_tests_made_over_what_the_fits_made() -> None:
    walk = walk_forward({BTC: BARS}, ASKED, TERMS)
    days = [(step.window.test_stop - step.window.test_start) / DAY for step in walk.steps]
    fits = sum(day * step.fit_mean for day, step in zip(days, walk.steps, strict=True))
    tests = sum(day * step.test_mean for day, step in zip(days, walk.steps, strict=True))
    assert fits > 0
    assert walk.efficiency == pytest.approx(tests / fits)


def test_drift_is_the_way_of_each_parameter_that_could_move() -> None:
    sets = [{**one, "rr_ratio": 2.0} for one in SETS]
    walk = walk_forward({BTC: BARS}, ASKED._replace(sets=sets), TERMS)
    chosen = [step.chosen for step in walk.steps]
    assert walk.drift.keys() == {"ema_fast", "ema_slow"}
    fast = [SETS[place]["ema_fast"] for place in chosen if place is not None]
    assert walk.drift["ema_fast"] == fast
    assert walk.moved["ema_fast"] == pytest.approx(np.abs(np.diff(fast)).mean() / 15)


def test_where_nothing_can_be_ranked_nothing_is_traded() -> None:
    walk = walk_forward({BTC: BARS}, ASKED._replace(fewest_trades=10_000), TERMS)
    assert [step.chosen for step in walk.steps] == [None] * 3
    assert not walk.returns.any()
    assert math.isnan(walk.efficiency)
    assert walk.moved == {"ema_fast": 0.0, "ema_slow": 0.0}


@pytest.mark.unmeasured
def test_several_series_are_one_account_of_equal_shares() -> None:
    other = random_bars(6, 3300).until(3000)
    both = walk_forward({BTC: BARS, ETH: other}, ASKED, TERMS)
    assert len(both.steps) == 3
    same = walk_forward({BTC: BARS, ETH: BARS}, ASKED, TERMS)
    alone = walk_forward({BTC: BARS}, ASKED, TERMS)
    assert same.returns == pytest.approx(alone.returns)
    assert same.steps[0].trades == 2 * alone.steps[0].trades


def test_a_series_that_begins_too_late_is_said() -> None:
    late = BARS.since(2900)
    with pytest.raises(NoDataError, match="made ETH/USDT 1h has no bar before"):
        walk_forward({BTC: BARS, ETH: late}, ASKED, TERMS)


def test_runs_are_told_as_they_are_made() -> None:
    told: list[int] = []
    walk_forward({BTC: BARS}, ASKED, TERMS, advance=told.append)
    assert sum(told) == 3 * len(SETS)


def test_other_costs_are_paid_with_the_sets_that_were_chosen() -> None:
    walk = walk_forward({BTC: BARS}, ASKED, TERMS)
    assert traded_at({BTC: BARS}, ASKED, walk, ASKED.costs).tobytes() == walk.returns.tobytes()
    dearer = traded_at({BTC: BARS}, ASKED, walk, Costs(0.005, 0.0))
    assert np.prod(1 + dearer) < np.prod(1 + walk.returns)


@pytest.mark.unmeasured
def test_the_evidence_on_a_walk_is_its_first_fit_and_all_that_it_traded() -> None:
    markets = {BTC: BARS, ETH: random_bars(6, 3300).until(3000)}
    walk = walk_forward(markets, ASKED, TERMS)
    found = gather_walk(markets, ASKED, walk, tries=77, looks=2)
    first = walk.steps[0]
    assert found.unseen.tobytes() == walk.returns.tobytes()
    assert (found.chosen, found.tries, found.looks) == (first.chosen, 77, 2)
    assert found.seen.shape[0] == len(SETS)
    assert found.seen[found.chosen].mean() == pytest.approx(first.fit_mean)
    assert found.hold.size == found.seen.shape[1] + found.unseen.size
    dearer = traded_at(markets, ASKED, walk, Costs(0.002, 0.0))
    assert found.doubled == pytest.approx(np.prod(1 + dearer) - 1)
    assert found.trades > sum(step.trades for step in walk.steps)
    assert judge(found).answer is Answer.NOT_ENOUGH


def test_a_walk_that_could_choose_nothing_at_first_is_no_evidence() -> None:
    asked = ASKED._replace(fewest_trades=10_000)
    with pytest.raises(NoDataError, match="no set has 10000 trades on the first fit"):
        gather_walk({BTC: BARS}, asked, walk_forward({BTC: BARS}, asked, TERMS))
