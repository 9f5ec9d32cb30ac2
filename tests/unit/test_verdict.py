"""The verdict says an edge only if every hurdle is passed, and names the one that was not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import UsageError
from core.results.measures import ratios
from core.verdict.judge import Answer, Evidence, fewest_days, judge
from core.verdict.reality_check import reality_check, superior_ability
from core.verdict.shuffling import shuffled_trades
from tests.tiers import some, statistics

DAILY = 2.5 / math.sqrt(365) * 0.01
"""Mean of a day's return, with a deviation of 0.01, at an annual Sharpe ratio of 2.5."""


def evidence(edge: float = DAILY, **changes: Any) -> Evidence:
    """Return ten tries of which the third has the edge, on three years seen and two unseen."""
    random = np.random.default_rng(11)
    returns = random.standard_normal((10, 1825)) * 0.01
    # The same days for every edge: what is drawn has exactly the mean that is asked for.
    returns[:, :1095] -= returns[:, :1095].mean(axis=1)[:, None]
    returns[:, 1095:] -= returns[:, 1095:].mean(axis=1)[:, None]
    returns[3] += edge
    plain = Evidence(
        seen=returns[:, :1095],
        chosen=3,
        unseen=returns[3, 1095:],
        hold=random.standard_normal(1825) * 0.03,
        tries=10,
        trades=400,
        doubled=0.2,
    )
    return replace(plain, **changes)


def test_an_edge_is_said_in_a_sentence_that_gives_the_numbers() -> None:
    verdict = judge(evidence())
    assert (verdict.answer, verdict.decided_by) == (Answer.EDGE, "all")
    begin = "An edge: on 730 days that it was not chosen on it made +"
    assert verdict.sentence.startswith(begin)
    assert "the best of 10 tries without an edge looks as good at most once in 1,000" in verdict.sentence
    assert verdict.sentence.endswith("with costs doubled it still earns 20.0 % over all days.")
    assert all(hurdle.passed for hurdle in verdict.tests)


def test_several_series_are_said_to_be_one_account() -> None:
    assert "one account" not in judge(evidence()).sentence
    sentence = judge(evidence(series=3)).sentence
    assert " (its 3 series as one account, the same share each): " in sentence


def with_bad_unseen() -> dict[str, Any]:
    return {"unseen": evidence(edge=0.0).unseen - 0.0001}


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("changes", "decided_by", "words"),
    some(
        [
            ({"unseen": np.ones(200), "hold": np.ones(1295)}, "days", "200 days on which nothing"),
            ({"trades": 29}, "trades", "29 closed trades, wanted 30"),
            (with_bad_unseen(), "unseen", "it did not earn"),
            ({"looks": 1000}, "unseen", "looked at 1,000 times"),
            ({"tries": 10**12}, "luck", "the best of 1,000,000,000,000 tries"),
            ({"doubled": -0.03}, "costs", "with costs doubled it loses 3.0 %"),
            ({"hold": evidence().hold + 0.03}, "market", "against holding the market at the same risk"),
            ({"random_entries": 0.2}, "random entries", "once in 5"),
            ({"shuffled": 0.31}, "shuffled bars", "31.0 % of the time"),
            ({"plateau": -0.2}, "neighbours", "-20.0 % of its figure"),
        ],
        5,
    ),
)
def test_each_hurdle_alone_takes_the_edge_away_and_is_named(
    changes: dict[str, Any], decided_by: str, words: str
) -> None:
    verdict = judge(evidence(**changes))
    assert verdict.decided_by == decided_by
    assert words in verdict.sentence
    wanted = Answer.NOT_ENOUGH if decided_by in ("days", "trades") else Answer.NO_EDGE
    assert verdict.answer is wanted
    begin = "Not enough data: " if wanted is Answer.NOT_ENOUGH else "No edge: "
    assert verdict.sentence.startswith(begin)


def test_each_test_says_what_it_found_what_is_wanted_and_of_which_days() -> None:
    verdict = judge(evidence(looks=5, doubled=0.1276, random_entries=0.174, plateau=-0.2))
    said = {test.name: (test.found, test.wanted, test.days) for test in verdict.tests}
    assert said["days"] == ("730 days", "at least 251", "unseen")
    assert said["unseen"][1:] == ("at least 99.0 %", "unseen")
    assert said["luck"][1:] == ("at most 5.0 %", "all")
    assert said["costs"] == ("+12.76 %", "more than 0 %", "all")
    assert said["random entries"] == ("17.4 %", "at most 5.0 %", "all")
    assert said["overfitting"][1:] == ("at most 50.0 %, or loss 25.0 %", "chosen on")
    assert said["neighbours"] == ("-20.0 % of it", "more than 0 %", "chosen on")


def test_what_was_not_asked_is_said_with_why() -> None:
    asked = judge(evidence(random_entries=0.01, shuffled=0.01, plateau=1.0))
    assert asked.not_asked == {}
    left = judge(evidence(random_entries=0.01)).not_asked
    assert left == {
        "shuffled bars": "--shuffles runs the search on them",
        "neighbours": "no set one step away in one parameter was tried; a grid tries them all",
    }
    assert judge(evidence(walked=True)).not_asked["overfitting"] == "a walk forward lives by choosing"


def test_the_unseen_figures_are_those_that_a_table_of_the_run_has() -> None:
    returns = evidence().unseen
    figures = judge(evidence()).figures
    assert figures["unseen_return"] == pytest.approx(np.prod(1 + returns) - 1)
    _, sharpe, _ = ratios(returns[1:])
    assert figures["unseen_sharpe"] == pytest.approx(sharpe)


@pytest.mark.unmeasured
def test_choosing_that_harms_is_overfitting_whatever_else_holds() -> None:
    random = np.random.default_rng(1)
    seen = random.standard_normal((12, 1092)) * 0.001 - 0.002
    for k in range(12):
        seen[k, k * 91 : (k + 1) * 91] += 0.03
    # The chosen one has earned by one lucky quarter.
    verdict = judge(evidence(seen=seen, chosen=3, hold=evidence().hold[:1822], tries=12))
    hurdle = next(one for one in verdict.tests if one.name == "overfitting")
    assert not hurdle.passed
    assert verdict.figures["overfitting"] == 1.0
    assert verdict.answer is Answer.NO_EDGE


@pytest.mark.unmeasured
def test_a_walk_forward_is_not_asked_whether_choosing_works() -> None:
    names = [hurdle.name for hurdle in judge(evidence(walked=True)).tests]
    assert "overfitting" not in names
    assert "luck" in names


@pytest.mark.unmeasured
def test_little_overfitting_alone_is_no_edge() -> None:
    # The best is the best on every half, and on unseen days nothing is left of it.
    changed = evidence(**with_bad_unseen())
    verdict = judge(changed)
    assert verdict.figures["overfitting"] < 0.05
    assert verdict.answer is Answer.NO_EDGE


@pytest.mark.unmeasured
def test_on_a_plateau_where_all_are_good_it_is_no_harm_which_is_the_best() -> None:
    seen = evidence().seen + DAILY
    seen[3] -= DAILY
    verdict = judge(evidence(seen=seen))
    hurdle = next(one for one in verdict.tests if one.name == "overfitting")
    assert hurdle.value > 0.3
    assert hurdle.passed


@pytest.mark.unmeasured
def test_more_tries_never_make_an_edge_more_credible() -> None:
    figures = [judge(evidence(tries=tries)).figures for tries in (10, 100, 10_000)]
    assert figures[0]["luck"] <= figures[1]["luck"] <= figures[2]["luck"]
    assert figures[0]["deflated"] > figures[1]["deflated"] > figures[2]["deflated"]


@pytest.mark.unmeasured
def test_a_single_try_has_nothing_to_be_overfitted() -> None:
    alone = evidence(seen=evidence().seen[3:4], chosen=0, tries=1)
    names = [hurdle.name for hurdle in judge(alone).tests]
    assert "overfitting" not in names
    assert judge(alone).answer is Answer.EDGE


@pytest.mark.unmeasured
def test_one_that_never_traded_has_no_edge() -> None:
    still = judge(evidence(unseen=np.zeros(730)))
    assert (still.answer, still.decided_by) == (Answer.NO_EDGE, "unseen")


@pytest.mark.unmeasured
def test_what_decides_nothing_is_told_besides() -> None:
    plain = evidence(trade_returns=np.array([0.02, -0.01] * 100))
    found, whole = judge(plain).figures, np.array([0.02, -0.01] * 100)
    assert found["superior"] == superior_ability(plain.seen).consistent
    assert found["reality_check"] == reality_check(plain.seen)
    assert found["sharpe_low"] < found["unseen_sharpe"] < found["sharpe_high"]
    assert found["drawdown_shuffled"] == np.quantile(shuffled_trades(whole), 0.95)
    # The one with the edge is the best on nearly all paths.
    assert (found["path_sharpe"] > 1.5, found["losing_paths"]) == (True, 0.0)
    assert "drawdown_shuffled" not in judge(evidence()).figures
    short = evidence(seen=plain.seen[:, :50], hold=plain.hold[:780])
    assert "path_sharpe" not in judge(short).figures


def test_days_that_are_enough_are_some_eight_months() -> None:
    assert fewest_days() == 251


@pytest.mark.unmeasured
def test_the_same_evidence_gives_the_same_verdict() -> None:
    assert judge(evidence(), 4) == judge(evidence(), 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seen": np.ones(5)}, "two seen days or more"),
        ({"unseen": np.ones(1)}, "two unseen ones"),
        ({"hold": np.ones(5)}, "all 1825 days, got 5"),
        ({"chosen": 10}, "got row 10"),
        ({"tries": 9}, "9 tries"),
        ({"looks": 0}, "0 looks"),
        ({"unseen": np.full(730, math.nan)}, "got NaN"),
    ],
)
def test_wrong_evidence_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        judge(evidence(**changes))
