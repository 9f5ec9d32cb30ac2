"""The page of a search in a browser: heatmap, choices, best sets, nothing asked of anybody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from core.reports.sweep_page import SweptSets, shown_figures, sweep_html
from tests.browser.conftest import Visit
from tests.browser.looks import faults

HOSTILE = "</script><b data-hostile onload=x>"


def swept(**changes: object) -> SweptSets:
    """Return a search of two parameters, 3 by 4, with a third of two values."""
    fast, slow, wide = (axis.ravel() for axis in np.meshgrid([5, 10, 20], [30, 40, 60, 90], [1.5, 2.5]))
    names = shown_figures("sharpe_ratio")
    seen = dict.fromkeys(names, (fast - 12.5) * wide + slow / 100)
    seen["profit_factor"] = np.where(fast == 5, np.nan, 1.25)
    ranked = [int(place) for place in np.argsort(-seen["sharpe_ratio"], kind="stable")[:4]]
    given = {
        "title": "a search",
        "about": [f"binanceus BTC/USDT 1h{HOSTILE}"],
        "verdict": ["by luck alone"],
        "figure": "sharpe_ratio",
        "params": {"ema_fast": fast, "ema_slow": slow, "wide": wide},
        "seen": seen,
        "ranked": ranked,
        "unseen": {name: seen[name][ranked] / 2 for name in names},
        "note": "SYNTHETIC",
    }
    return SweptSets(**{**given, **changes})  # type: ignore[arg-type]


def write(folder: Path, found: SweptSets) -> str:
    page = folder / "sweep.html"
    page.write_text(sweep_html(found))
    return page.as_uri()


def heat(visit: Visit) -> list[float]:
    cells = "all => all.map(one => JSON.parse(one.dataset.heat))"
    found: list[float] = visit.tab.eval_on_selector_all("#heat [data-heat]", cells)
    return found


def test_two_parameters_are_a_heatmap_of_any_figure(visit: Visit, tmp_path: Path) -> None:
    found = swept()
    url = write(tmp_path, found)
    visit.go(url)
    tab = visit.tab
    assert visit.asked == [url]
    assert tab.inner_text("#note") == "SYNTHETIC"
    sharpe = found.seen["sharpe_ratio"].reshape(4, 3, 2)
    assert heat(visit) == sharpe.mean(axis=2).ravel().tolist()
    assert tab.locator("#heat td.best").count() == 1
    tab.select_option("select[aria-label='of several sets']", "best")
    assert heat(visit) == sharpe.max(axis=2).ravel().tolist()
    tab.select_option("select[aria-label=columns]", "wide")
    assert len(heat(visit)) == 8
    tab.select_option("select[aria-label=rows]", "wide")
    assert "choose another" in tab.inner_text("#heat [role=status]")
    tab.select_option("select[aria-label=rows]", "ema_fast")
    tab.select_option("select[aria-label=figure]", "profit_factor")
    # The sets of one value have no such figure.
    assert heat(visit) == [1.25] * 4
    assert faults(tab) == []
    tab.click("#theme")
    assert faults(tab) == []
    assert tab.locator("[data-hostile]").count() == 0
    assert HOSTILE in tab.inner_text("#main")


def test_the_best_sets_stand_on_both_parts_of_the_bars(visit: Visit, tmp_path: Path) -> None:
    found = swept()
    visit.go(write(tmp_path, found))
    for part, values in (
        ("seen", found.seen["sharpe_ratio"][list(found.ranked)]),
        ("unseen", found.unseen["sharpe_ratio"]),
    ):
        cells = f"#best td[data-part={part}][data-figure=sharpe_ratio]"
        shown = visit.tab.eval_on_selector_all(cells, "all => all.map(one => JSON.parse(one.dataset.value))")
        assert shown == values.tolist()
    assert "What is gone on the unseen bars was luck." in visit.tab.inner_text("#best")


def test_one_parameter_many_values_and_no_ranked_set_have_pages_too(visit: Visit, tmp_path: Path) -> None:
    many = np.linspace(1.0, 2.0, 100)
    names = shown_figures("return_pct")
    found = swept(
        figure="return_pct", params={"bb_std": many}, seen=dict.fromkeys(names, many), ranked=[], unseen={}
    )
    visit.go(write(tmp_path, found))
    assert len(heat(visit)) == 34
    assert "No set is ranked" in visit.tab.inner_text("#best")
    assert visit.tab.locator("select[aria-label=rows]").count() == 0
    assert faults(visit.tab) == []
    assert json.loads(visit.tab.get_attribute("#heat td >> nth=0", "data-heat")) == many[1]


def charted(**changes: object) -> SweptSets:
    """Return the search with days, scores and a walk forward's choices."""
    days = [86_400_000 * (20_000 + day) for day in range(200)]
    equity = [1 + day / 500 + (day % 7) / 100 for day in range(200)]
    line = {"days": days, "equity": equity, "drawdown": [(day % 7) / 50 for day in range(200)]}
    given = {
        "curves": {"the best set": {**line, "chosen_on": 120}, "walk forward": {**line, "chosen_on": 0}},
        "scores": {"sharpe": swept().seen["sharpe_ratio"], "sqn": np.full(24, np.nan)},
        "drift": {"times": days[:5], "values": {"ema_fast": [5, 10, 5, 20, 10], "ema_slow": [30] * 5}},
    }
    return swept(**{**given, **changes})


def test_days_scores_and_drift_are_drawn(visit: Visit, tmp_path: Path) -> None:
    found = charted()
    url = write(tmp_path, found)
    visit.go(url)
    tab = visit.tab
    assert visit.asked == [url]
    for name, line in found.curves.items():
        days = tab.locator(f"section[aria-label='days of {name}']")
        said = days.inner_text()
        # What stands beside each chart is its last value: the document's.
        assert f"{line['equity'][-1]:.3f}" in said
        assert f"{100 * line['drawdown'][-1]:.1f} %" in said
        assert days.locator("canvas").count() == 2
    assert (
        "chosen on" in tab.inner_text("section[aria-label='days of the best set'] .readout >> nth=0")
    ) is True
    assert tab.locator("section[aria-label='days of walk forward'] .readout button").count() == 2
    counts = "all => all.map(one => Number(one.dataset.count))"
    sharpe = found.scores["sharpe"]
    drawn = tab.eval_on_selector_all("[data-scores=sharpe] [data-count]", counts)
    assert drawn == np.histogram(sharpe, 40)[0].tolist()
    (mine,) = tab.eval_on_selector_all("[data-scores=sharpe] .chosen", counts)
    assert mine == np.histogram(sharpe, 40)[0][-1]
    assert "0 different sets, and 24 that have no such figure" in tab.inner_text("[data-scores=sqn]")
    assert tab.locator("#drift canvas").count() == 2
    assert faults(tab) == []
    tab.click("#theme")
    assert faults(tab) == []


def test_the_verdict_comes_first_and_marks_what_was_not_passed(visit: Visit, tmp_path: Path) -> None:
    judged: dict[str, object] = {
        "of": "the best set",
        "sentence": "No edge: luck.",
        "headings": ["asked", "", "found"],
    }
    judged |= {"rows": [["days", "passed", "548 days"], ["luck", "NOT PASSED", "99.6 %"]]}
    visit.go(write(tmp_path, charted(judged=[judged | {"not_asked": "not asked: neighbours (why)"}])))
    first = visit.tab.locator("main > section").first
    assert first.locator(".sentence").inner_text() == "No edge: luck."
    assert first.locator("tr.failed").all_inner_texts() == ["luck\tNOT PASSED\t99.6 %"]
    assert first.locator("p.soft").inner_text() == "not asked: neighbours (why)"


def test_without_a_walk_and_unseen_days_nothing_empty_is_drawn(visit: Visit, tmp_path: Path) -> None:
    line = charted().curves["the best set"]
    visit.go(
        write(tmp_path, charted(curves={"the best set": {**line, "chosen_on": 200}}, drift=None, scores={}))
    )
    tab = visit.tab
    assert "All of these days were chosen on" in tab.inner_text("section[aria-label='days of the best set']")
    assert tab.locator("#drift").count() == 0
    # Without scores of its own the figure by which sets are ranked.
    assert tab.inner_text("#scores h3") == "Sharpe"
    assert faults(tab) == []
