"""A search as a page: heatmaps, the best sets on both parts of the bars, their days, scores and drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.cli.optimize_curves import curve_json, drift_json, walk_curve
from core.cli.optimize_plan import SearchTask
from core.cli.optimize_report import lines_of, series_line
from core.cli.optimize_verdict import ASKED, Judgement, hurdle_rows, not_asked_line
from core.domain import FloatArray
from core.optimise.objectives import OBJECTIVES
from core.optimise.search import figure_of
from core.optimise.sweep import sweep
from core.reports.sweep_page import SweptSets, shown_figures, sweep_html
from core.reports.table import HEADINGS
from db.status import SYNTHETIC_NOTE, is_synthetic

if TYPE_CHECKING:
    from core.cli.optimize_command import SearchOutcome


def search_html(task: SearchTask, outcome: SearchOutcome) -> str:
    """Return the page; all figures of every set are computed once more for it."""
    found, many = outcome.found, len(task.splits)
    wanted = task.terms.wanted
    # A set that was proposed twice is one square of the heatmap.
    _, firsts = np.unique(found.values, axis=0, return_index=True)
    places = sorted(firsts.tolist())
    sets = [found.sets[place] for place in places]
    bars = {series: part.chosen_on for series, part in task.splits.items()}
    seen = sweep(bars, task.strategy, sets, task.costs, task.cash, partners=task.partners)
    chosen = OBJECTIVES[wanted.objectives[0]]
    figure = chosen if chosen in HEADINGS else "return_pct"
    names = shown_figures(figure)

    def figures(table: object) -> dict[str, FloatArray]:
        return {name: figure_of(table, name, many) for name in names}  # type: ignore[arg-type]

    unseen: Mapping[str, FloatArray] = figures(outcome.unseen) if len(outcome.unseen) else {}
    sentence = outcome.judgement.sentence
    walks = [] if outcome.walk is None else [judged_json("walk forward", outcome.walk.judgement)]
    searched = [name for name, values in wanted.space.items() if len(values) > 1]
    return sweep_html(
        SweptSets(
            title=f"HOT-Crypto search {task.study}",
            about=[series_line(task, series) for series in task.splits],
            verdict=[line for line in lines_of(task, outcome) if line != sentence],
            judged=[judged_json("the best set", outcome.judgement), *walks],
            figure=figure,
            params={name: np.array([one[name] for one in sets]) for name in searched},
            seen=figures(seen),
            ranked=[places.index(place) for place in outcome.best],
            unseen=unseen,
            curves=curves_of(outcome),
            drift=None if outcome.walk is None else drift_json(outcome.walk),
            scores={name: found.scores[places, order] for order, name in enumerate(wanted.objectives)},
            note=SYNTHETIC_NOTE if any(map(is_synthetic, task.splits)) else "",
        )
    )


def judged_json(of: str, judgement: Judgement) -> dict[str, Any]:
    """Return a verdict as the page shows it: the sentence, and what was asked as the screen has it."""
    return {
        "of": of,
        "sentence": judgement.sentence,
        "headings": ASKED,
        "rows": hurdle_rows(judgement),
        "not_asked": not_asked_line(judgement),
    }


def curves_of(outcome: SearchOutcome) -> dict[str, Any]:
    """Return the lines that are drawn, by name, as the JSON document has them."""
    lines = {"the best set": curve_json(outcome.curve)}
    if outcome.walk is not None:
        lines["walk forward"] = curve_json(walk_curve(outcome.walk))
    return {name: line for name, line in lines.items() if line is not None}
