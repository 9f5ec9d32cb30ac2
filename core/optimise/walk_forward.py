"""Choosing again and again on what was known, and trading what was chosen on what came after.

Each window has a part that sets are chosen on (fit) and a part after it, of whole days, on which the chosen
one is traded (test); tests follow each other without a gap, and together they are one account that never saw
what it was chosen on (Pardo, "The Evaluation and Optimization of Trading Strategies", 2008). A test begins
flat, with columns that all bars before it have warmed, and is closed at its last close, costs paid: between
two tests the account is out of the market, as one is whose parameters are changed. A fit has its own bars
alone, and so spends its first ones on warming up. The embargo lies between fit and test; no bar of either is
in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, IntArray, Series
from core.errors import NoDataError, UsageError
from core.optimise.daily import Stretch, daily_runs, day_ends
from core.optimise.search import Question, search
from core.optimise.sweep import ignore
from core.results.measures import DAY
from core.utils import format_time, over, timeframe_ms
from strategies.pairing import Partners, bind
from strategies.registry import load_strategy


class WalkTerms(NamedTuple):
    """How a walk goes; days are calendar days, UTC."""

    tests: int = 8
    """Windows."""
    fit_days: int = 365
    """Of the first fit, and with `anchored` off of each."""
    anchored: bool = True
    """Each fit begins with the first bar; else it moves along."""
    embargo_days: int = 1
    """Left out between fit and test."""


class WalkWindow(NamedTuple):
    """Times in ms UTC; each part ends before its second one."""

    fit_start: int
    fit_stop: int
    test_start: int
    test_stop: int


class WalkStep(NamedTuple):
    """What a window came to."""

    window: WalkWindow
    chosen: int | None
    """The place of the set in `Question.sets`; None where none could be ranked, and nothing was traded."""
    score: float
    """Its figure on the fit, NaN for none."""
    fit_mean: float
    """Mean daily return on the fit, a fraction."""
    test_mean: float
    """The same on the test."""
    trades: int
    """Closed on the test."""


class WalkForward(NamedTuple):
    """A whole walk."""

    steps: Sequence[WalkStep]
    days: IntArray
    """Ends of the days of all tests, ms UTC."""
    returns: FloatArray
    """What the account made on each, a fraction."""
    efficiency: float
    """What a day made on the tests over what it made on the fits, as in Pardo; NaN where the fits lost."""
    drift: Mapping[str, Sequence[float]]
    """The value that each step chose of each parameter that has several; steps that chose none are left
    out."""
    moved: Mapping[str, float]
    """How far each of them moved from one step to the next in the mean, as a share of all values tried."""

    @property
    def equity(self) -> FloatArray:
        """What 1 has become at the end of each day."""
        curve: FloatArray = np.multiply.accumulate(1 + self.returns)
        return curve


def windows_of(start: int, stop: int, terms: WalkTerms) -> list[WalkWindow]:
    """Return the windows between two times, ms UTC; the last test ends where the bars do.

    Raises UsageError for terms that cannot be, NoDataError for too few days.
    """
    if terms.tests < 1 or terms.fit_days < 1 or terms.embargo_days < 0:
        raise UsageError(
            "walk forward: wanted a test or more, a day to fit on or more and no negative embargo, got "
            f"{terms.tests}, {terms.fit_days} and {terms.embargo_days}"
        )
    first = (start // DAY + 1 if start % DAY else start // DAY) + terms.fit_days + terms.embargo_days
    days = -(-stop // DAY) - first
    if days < terms.tests:
        raise NoDataError(
            f"walk forward: {format_time(start)} to {format_time(stop)} UTC leaves {max(0, days)} days for "
            f"{terms.tests} tests after {terms.fit_days} days to fit on: fit on fewer, or load more candles"
        )
    edges = [first + days * k // terms.tests for k in range(terms.tests + 1)]
    found = []
    for begin, end in pairwise(edges):
        fit_stop = (begin - terms.embargo_days) * DAY
        fit_start = start if terms.anchored else max(start, fit_stop - terms.fit_days * DAY)
        found.append(WalkWindow(fit_start, fit_stop, begin * DAY, min(end * DAY, stop)))
    return found


def walk_forward(
    markets: Mapping[Series, Bars],
    asked: Question,
    terms: WalkTerms,
    partners: Mapping[Series, Partners] | None = None,
    threads: int | None = None,
    advance: Callable[[int], object] = ignore,
) -> WalkForward:
    """Walk through the bars; `advance` gets the runs made. `unseen_share` and `best` of the question do not
    count.

    Several series are fitted by the mean of their figures and traded as one account that gives each the same
    share every day. Raises UsageError, and NoDataError for too few bars.
    """
    start = min(int(bars.ts[0]) for bars in markets.values())
    stop = max(int(bars.ts[-1]) + timeframe_ms(series.timeframe) for series, bars in markets.items())
    steps, days, returns = [], [], []
    for window in windows_of(start, stop, terms):
        chosen, score, fitted = _fit(markets, asked, window, partners, threads, advance)
        ends = day_ends(window.test_start, window.test_stop)
        made, trades = _traded(markets, asked, chosen, window, ends, partners)
        steps.append(WalkStep(window, chosen, score, fitted, float(made.mean()), trades))
        days.append(ends)
        returns.append(made)
    drift = _drift(asked.sets, [step.chosen for step in steps if step.chosen is not None])
    return WalkForward(
        steps=steps,
        days=np.concatenate(days),
        returns=np.concatenate(returns),
        efficiency=_efficiency(steps),
        drift=drift,
        moved={name: _moved(asked.sets, name, values) for name, values in drift.items()},
    )


def _fit(
    markets: Mapping[Series, Bars],
    asked: Question,
    window: WalkWindow,
    partners: Mapping[Series, Partners] | None,
    threads: int | None,
    advance: Callable[[int], object],
) -> tuple[int | None, float, float]:
    """Return the set chosen on a window's fit, its figure and its mean daily return there."""
    fit = {series: between(bars, window.fit_start, window.fit_stop) for series, bars in markets.items()}
    if empty := [str(series) for series, bars in fit.items() if not bars.ts.size]:
        raise NoDataError(
            f"walk forward: {', '.join(empty)} has no bar before {format_time(window.fit_stop)} UTC to fit "
            "on: leave it out, or begin later with --start"
        )
    found = search(fit, asked._replace(unseen_share=0.0), partners, threads, advance)
    if not found.ranked:
        return None, math.nan, 0.0
    stretches = {series: Stretch(bars, series.timeframe) for series, bars in fit.items()}
    ends = day_ends(window.fit_start, window.fit_stop)
    made, _ = _run(stretches, asked, found.ranked[0], ends, partners)
    return found.ranked[0], float(found.scores[found.ranked[0]]), float(made.mean())


def traded_at(
    markets: Mapping[Series, Bars],
    asked: Question,
    walk: WalkForward,
    costs: Costs,
    partners: Mapping[Series, Partners] | None = None,
) -> FloatArray:
    """Return what a walk's account would have made each day at other costs, with the sets that it chose."""
    dearer, made = asked._replace(costs=costs), []
    for step in walk.steps:
        ends = day_ends(step.window.test_start, step.window.test_stop)
        made.append(_traded(markets, dearer, step.chosen, step.window, ends, partners)[0])
    return np.concatenate(made)


def between(bars: Bars, start: int, stop: int) -> Bars:
    """Return the bars that open from one time on and before another, ms UTC."""
    first, last = np.searchsorted(bars.ts, [start, stop])
    return bars.until(int(last)).since(int(first))


def _traded(
    markets: Mapping[Series, Bars],
    asked: Question,
    chosen: int | None,
    window: WalkWindow,
    ends: IntArray,
    partners: Mapping[Series, Partners] | None,
) -> tuple[FloatArray, int]:
    """Return the daily returns and the trades of the chosen set on a window's test."""
    if chosen is None:
        return np.zeros(ends.size), 0
    stretches = {}
    for series, bars in markets.items():
        known = bars.until(int(np.searchsorted(bars.ts, window.test_stop)))
        place = int(np.searchsorted(known.ts, window.test_start))
        stretches[series] = Stretch(known, series.timeframe, place)
    return _run(stretches, asked, chosen, ends, partners)


def _run(
    stretches: Mapping[Series, Stretch],
    asked: Question,
    chosen: int,
    ends: IntArray,
    partners: Mapping[Series, Partners] | None,
) -> tuple[FloatArray, int]:
    returns, trades = np.zeros(ends.size), 0
    strategy, best = load_strategy(asked.strategy), [asked.sets[chosen]]
    for series, stretch in stretches.items():
        rule = bind(strategy, (partners or {}).get(series)).rule
        runs = daily_runs(stretch, rule, best, asked.costs, asked.cash, ends, 1)
        returns += runs.returns[0] / len(stretches)
        trades += int(runs.trades[0])
    return returns, trades


def _efficiency(steps: Sequence[WalkStep]) -> float:
    weights = [(step.window.test_stop - step.window.test_start) / DAY for step in steps]
    fitted = sum(weight * step.fit_mean for weight, step in zip(weights, steps, strict=True))
    tested = sum(weight * step.test_mean for weight, step in zip(weights, steps, strict=True))
    return over(tested, fitted) if fitted > 0 else math.nan


def _drift(sets: Sequence[Mapping[str, float]], chosen: Sequence[int]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for one in sets for name in one)
    several = [name for name in names if len({one.get(name) for one in sets}) > 1]
    return {name: [sets[place][name] for place in chosen] for name in several}


def _moved(sets: Sequence[Mapping[str, float]], name: str, values: Sequence[float]) -> float:
    tried = [one[name] for one in sets if name in one]
    width = max(tried) - min(tried)
    moves = np.abs(np.diff(values))
    return float(moves.mean()) / width if moves.size else 0.0
