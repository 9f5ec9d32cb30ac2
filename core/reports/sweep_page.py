"""A search over parameter sets as a page: heatmaps, the best sets in and out of sample, scores, days, drift.

sweep.js draws it; every number is that of the sweep's JSON document, the mean over the series where there are
several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from core.domain import FloatArray
from core.reports.html import page
from core.reports.packing import packed_json
from core.reports.table import HEADINGS
from core.results.measures import definitions

FIGURES = (
    *("return_pct", "sharpe_ratio", "sortino_ratio", "calmar_ratio", "max_drawdown_pct", "profit_factor"),
    *("win_rate_pct", "exposure_pct", "trades_count"),
)
"""That the heatmap can show."""
OF_THE_BEST = ("return_pct", "max_drawdown_pct", "sharpe_ratio", "profit_factor", "trades_count")
"""That are shown of the best sets."""
RISKS = ("max_drawdown_pct", "volatility_pct")
"""Figures of which less is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptSets:
    """What a search came to: figures by name, one value for each set, NaN where a set has none."""

    title: str
    about: Sequence[str]
    """What was searched on what, a line each."""
    verdict: Sequence[str]
    """How far the best stand out, a line each."""
    figure: str
    """By which sets are ranked."""
    params: Mapping[str, FloatArray]
    """Those that were searched."""
    seen: Mapping[str, FloatArray]
    """On the bars that sets were chosen on, of all sets …"""
    ranked: Sequence[int]
    """Places of the best sets, the best first."""
    unseen: Mapping[str, FloatArray]
    """… and on the others, of these; empty where no bars were kept back."""
    curves: Mapping[str, Any] = field(default_factory=dict)
    """What accounts made day by day, by name: `days`, `equity`, `drawdown`, and how many days `chosen_on`."""
    scores: Mapping[str, FloatArray] = field(default_factory=dict)
    """What each set reached of what was searched for; where there is none its distribution is of `figure`."""
    drift: Mapping[str, Any] | None = None
    """Of a walk forward the `times` of its choices and the `values` chosen, by parameter."""
    judged: Sequence[Mapping[str, Any]] = ()
    """Verdicts, which stand first: `of` what, the `sentence`, and a table's `headings` and `rows`."""
    note: str = ""


def shown_figures(figure: str) -> list[str]:
    """Return the figures that the page shows, that by which sets are ranked among them."""
    return list(dict.fromkeys((figure, *FIGURES)))


def sweep_html(found: SweptSets) -> str:
    """Return the page."""
    names = shown_figures(found.figure)
    meanings = definitions()
    best = {found.figure, *OF_THE_BEST}
    document = {
        "title": found.title,
        "note": found.note,
        "about": list(found.about),
        "verdict": list(found.verdict),
        "judged": list(found.judged),
        "figure": found.figure,
        "figures": [
            {"name": name, "heading": HEADINGS[name], "meaning": meanings[name]}
            | {"risk": name in RISKS, "best": name in best}
            for name in names
        ],
        "params": {name: packed_json(values.tolist()) for name, values in found.params.items()},
        "seen": {name: packed_json(_known(found.seen[name])) for name in names},
        "ranked": list(found.ranked),
        "unseen": {name: _known(found.unseen[name]) for name in names} if found.unseen else None,
        "curves": packed_json(dict(found.curves)),
        "scores": {name: packed_json(_known(values)) for name, values in found.scores.items()},
        "drift": found.drift,
    }
    return page(found.title, document, styles=("report.css", "sweep.css"), programs=("sweep.js",))


def _known(values: FloatArray) -> list[float | None]:
    """Return values as JSON has them: nothing for what is none, and for an infinite profit factor."""
    return [value if isfinite(value) else None for value in np.asarray(values, np.float64).tolist()]
