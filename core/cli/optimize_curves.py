"""What a search and its walk forward made day by day, as the page draws it and the JSON document has it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core.cli.optimize_plan import SearchTask
from core.cli.optimize_verdict import Walked
from core.domain import FloatArray, IntArray
from core.optimise.daily import Stretch, daily_runs, day_ends
from core.optimise.study import StudyResult
from core.utils import timeframe_ms
from strategies.pairing import bind
from strategies.registry import load_strategy


class DayCurve(NamedTuple):
    """An account at the end of each day."""

    days: IntArray
    """ms UTC."""
    equity: FloatArray
    """What 1 has become."""
    drawdown: FloatArray
    """How far it is below its peak, a fraction; the first cash is a peak."""
    chosen_on: int
    """So many of the days were chosen on, the others not."""


def best_curve(task: SearchTask, found: StudyResult) -> DayCurve | None:
    """Return the best set's days, several series as one account that gives each the same share; None without.

    The unseen days begin without a position, on columns that earlier bars have warmed, as a verdict takes
    them (core.optimise.judging.gather). Nothing is computed of bars that are held out and closed.
    """
    if not found.ranked:
        return None
    best, seen, unseen = found.sets[found.ranked[0]], [], []
    markets = task.whole if task.is_open else {one: part.chosen_on for one, part in task.splits.items()}
    starts = [int(part.unseen.ts[0]) for part in task.splits.values() if part.unseen.ts.size]
    first = min(int(bars.ts[0]) for bars in markets.values())
    last = max(int(bars.ts[-1]) + timeframe_ms(one.timeframe) for one, bars in markets.items())
    cut = min([*starts, last])
    days = day_ends(first, cut), day_ends(cut, last) if cut < last else np.empty(0, np.int64)
    for series, bars in markets.items():
        rule = bind(load_strategy(task.strategy), task.partners.get(series)).rule
        place = int(np.searchsorted(bars.ts, cut))
        parts = Stretch(bars.until(place), series.timeframe), Stretch(bars, series.timeframe, place)
        money = task.costs, task.cash
        seen.append(daily_runs(parts[0], rule, [best], *money, days[0]).returns[0])
        if days[1].size:
            unseen.append(daily_runs(parts[1], rule, [best], *money, days[1]).returns[0])
    made = [np.mean(part, axis=0) for part in (seen, unseen) if part]
    return curve_of(np.concatenate(days), np.concatenate(made), days[0].size)


def walk_curve(walked: Walked) -> DayCurve:
    """Return the days of a walk forward, on none of which anything was chosen."""
    return curve_of(walked.walk.days, walked.walk.returns, 0)


def curve_of(days: IntArray, returns: FloatArray, chosen_on: int) -> DayCurve:
    """Return the curve of daily returns."""
    equity = np.multiply.accumulate(1 + returns)
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    return DayCurve(days, equity, 1 - equity / peak, chosen_on)


def curve_json(curve: DayCurve | None) -> dict[str, Any] | None:
    """Return it as JSON can hold it."""
    if curve is None:
        return None
    return {
        "days": curve.days.tolist(),
        "equity": curve.equity.tolist(),
        "drawdown": curve.drawdown.tolist(),
        "chosen_on": curve.chosen_on,
    }


def drift_json(walked: Walked) -> dict[str, Any]:
    """Return which value of each parameter each window chose, and when that window's test began."""
    chose = [step for step in walked.walk.steps if step.chosen is not None]
    return {
        "times": [step.window.test_start for step in chose],
        "values": {name: list(values) for name, values in walked.walk.drift.items()},
    }
