"""What is to be thought of the best set of a search: the verdict, and a walk forward over all of its sets."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from core.cli.optimize_plan import SearchTask
from core.cli.sets_table import print_sets
from core.errors import NoDataError, UsageError
from core.optimise.judging import JudgedSearch, gather, gather_walk, plateau_of
from core.optimise.objectives import KEPT, OBJECTIVES
from core.optimise.permutation import shuffled_chance
from core.optimise.search import Question
from core.optimise.study import StudyResult
from core.optimise.walk_forward import WalkForward, WalkTerms, walk_forward
from core.reports.table import number, print_table, room
from core.results.measures import YEAR
from core.utils import format_time
from core.verdict.judge import Verdict, judge
from core.verdict.sharpe import sharpe_sample
from strategies.registry import load_strategy

MOST_KNOWN = 1000
"""Sets whose daily returns a verdict looks at; all others count as tries all the same."""
ASKED = ("asked", "", "found", "wanted", "on days")
"""Headings of the table of what was asked of a set; its days are those unseen, chosen on, or all."""


class Judgement(NamedTuple):
    """The verdict, or why there is none."""

    verdict: Verdict | None
    sentence: str


def judged(task: SearchTask, found: StudyResult, tries: int, looks: int, shuffles: int) -> Judgement:
    """Return the verdict on the best set; none where nothing was ranked or the unseen bars are closed.

    `shuffles`: how often the same search runs on shuffled bars, 0 for not at all.
    """
    cut = min((int(part.unseen.ts[0]) for part in task.splits.values() if part.unseen.ts.size), default=None)
    if not found.ranked:
        return Judgement(None, "no verdict: no set is ranked")
    if cut is None or not task.is_open:
        return Judgement(None, "no verdict: it needs bars on which nothing was chosen, and looks at them")
    places = known_sets(found)
    sets = [found.sets[place] for place in places]
    case = JudgedSearch(
        strategy=task.strategy,
        markets=task.whole,
        cut=cut,
        sets=sets,
        chosen=places.index(found.ranked[0]),
        costs=task.costs,
        cash=task.cash,
        tries=max(tries, len(sets)),
        looks=looks,
        partners=task.partners,
    )
    try:
        shuffled = shuffled_chance(case, shuffles) if shuffles else None
        # Its neighbours are looked for among all sets.
        sharpes = found.kept[:, :, KEPT.index("sharpe")].mean(axis=0)
        near = plateau_of(found.sets, found.ranked[0], sharpes)
        verdict = judge(replace(gather(case, shuffled), plateau=near))
    except (UsageError, NoDataError) as error:
        return Judgement(None, f"no verdict: {error}")
    return Judgement(verdict, verdict.sentence)


def known_sets(found: StudyResult) -> list[int]:
    """Return the sets that a verdict looks at: each once, all or some evenly spread, the best with them."""
    _, firsts = np.unique(found.values, axis=0, return_index=True)
    once = sorted(firsts.tolist())
    if len(once) > MOST_KNOWN:
        once = [once[place] for place in np.linspace(0, len(once) - 1, MOST_KNOWN).astype(int)]
    return sorted({*once, found.ranked[0]})


def print_verdict(judgement: Judgement, *, wide: bool) -> None:
    """Print what was asked of the best set and what came of it, and what was not asked."""
    if judgement.verdict is None:
        return
    print_table(ASKED, hurdle_rows(judgement), left=len(ASKED), wide=wide)
    if said := not_asked_line(judgement):
        print(textwrap.fill(said, room(), subsequent_indent="  ", break_on_hyphens=False))
    print()


def hurdle_rows(judgement: Judgement) -> list[list[str]]:
    """Return a row for each thing that was asked, none without a verdict."""
    tests = judgement.verdict.tests if judgement.verdict else ()
    return [
        [test.name, "passed" if test.passed else "NOT PASSED", test.found, test.wanted, test.days]
        for test in tests
    ]


def not_asked_line(judgement: Judgement) -> str:
    """Return what was not asked and why, blank if everything was."""
    left = judgement.verdict.not_asked if judgement.verdict else {}
    return f"not asked: {', '.join(f'{name} ({why})' for name, why in left.items())}" if left else ""


def verdict_json(judgement: Judgement) -> dict[str, Any]:
    """Return the verdict as JSON can hold it."""
    verdict = judgement.verdict
    if verdict is None:
        return {"answer": None, "sentence": judgement.sentence}
    return {
        "answer": verdict.answer.value,
        "sentence": verdict.sentence,
        "decided_by": verdict.decided_by,
        "tests": [
            {
                "name": test.name,
                "passed": bool(test.passed),
                "found": _finite(test.value),
                "limit": test.limit,
                "wanted": test.wanted,
                "days": test.days,
            }
            for test in verdict.tests
        ],
        "not_asked": verdict.not_asked,
        "figures": {name: _finite(value) for name, value in verdict.figures.items()},
    }


class Walked(NamedTuple):
    """A walk forward and what is to be thought of it."""

    walk: WalkForward
    judgement: Judgement


def walked(
    task: SearchTask,
    found: StudyResult,
    terms: WalkTerms,
    advance: Callable[[int], object],
    tries: int,
    looks: int,
) -> Walked:
    """Return what choosing among the search's sets again and again would have made, on the open bars.

    Raises NoDataError for too few bars, UsageError for an objective that is no figure of a sweep, and for
    sets that were proposed by what had seen the bars.
    """
    if task.terms.wanted.method not in ("grid", "random"):
        raise UsageError("--walk-forward: a search that learns has seen all the bars that it chose on")
    figure = OBJECTIVES[task.terms.wanted.objectives[0]]
    if not figure:
        raise UsageError(
            "--walk-forward: it chooses by one figure: take another --objective than return_drawdown"
        )
    markets = task.whole if task.is_open else {one: part.chosen_on for one, part in task.splits.items()}
    asked = Question(
        task.strategy, found.sets, task.costs, task.cash, figure, task.terms.fewest_trades, 0.0, 1
    )
    walk = walk_forward(markets, asked, terms, task.partners, advance=advance)
    try:
        verdict = judge(gather_walk(markets, asked, walk, task.partners, tries, looks))
    except (UsageError, NoDataError) as error:
        return Walked(walk, Judgement(None, f"no verdict: {error}"))
    return Walked(walk, Judgement(verdict, verdict.sentence))


def print_walk(task: SearchTask, walk: WalkForward, *, wide: bool) -> None:
    """Print a row for each window and what all of them made together."""
    several = [name for name, values in task.terms.wanted.space.items() if len(values) > 1]
    rows = [
        (
            order,
            [
                f"{format_time(step.window.test_start)[:10]} to {format_time(step.window.test_stop)[:10]}",
                number(step.score),
                number(100 * step.test_mean * YEAR),
                f"{step.trades:,}",
            ],
        )
        for order, step in enumerate(walk.steps)
    ]
    values = [
        [_chosen(task, step.chosen, walk, name, order) for name in several]
        for order, step in enumerate(walk.steps)
    ]
    headings = ["walk forward", "fitted", "a year %", "trades"]
    print_sets(several, values, headings, rows, what="window", lead=1, wide=wide)


def walk_lines(walked: Walked) -> Iterator[str]:
    """Yield what the stitched windows made, how far the chosen parameters wandered, and the verdict."""
    walk = walked.walk
    sample = sharpe_sample(walk.returns)
    annual = sample.sharpe * math.sqrt(YEAR)
    total = 100 * float(walk.equity[-1] - 1)
    peak = np.maximum.accumulate(np.concatenate([[1.0], walk.equity]))[1:]
    fall = 100 * float((1 - walk.equity / peak).max())
    yield (
        f"walk forward: {len(walk.steps)} windows, {walk.days.size:,} days that nothing was chosen on: "
        f"return {number(total)} %, maximum drawdown {number(fall)} %, Sharpe {number(annual)}; efficiency "
        f"{number(walk.efficiency)} (a day there over a day where it was chosen)"
    )
    if walk.moved:
        moved = ", ".join(f"{name} {100 * share:.0f} %" for name, share in walk.moved.items())
        yield f"from window to window the chosen values moved, as a part of all that were tried: {moved}"
    yield f"of the walk forward: {walked.judgement.sentence}"


def walk_json(walked: Walked) -> dict[str, Any]:
    """Return a walk as JSON can hold it."""
    walk = walked.walk
    return {
        "verdict": verdict_json(walked.judgement),
        "windows": [
            {
                **step.window._asdict(),
                "chosen": step.chosen,
                "score": _finite(step.score),
                "trades": step.trades,
            }
            for step in walk.steps
        ],
        "days": walk.days.tolist(),
        "returns": walk.returns.tolist(),
        "efficiency": _finite(walk.efficiency),
        "drift": {name: list(values) for name, values in walk.drift.items()},
        "moved": dict(walk.moved),
    }


def _chosen(task: SearchTask, chosen: int | None, walk: WalkForward, name: str, order: int) -> str:
    if chosen is None:
        return "none"
    before = sum(step.chosen is not None for step in walk.steps[:order])
    values: Sequence[float] = walk.drift.get(name, ())
    defaults: Mapping[str, float] = load_strategy(task.strategy).rule.defaults
    return f"{values[before]:g}" if values else f"{defaults[name]:g}"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
