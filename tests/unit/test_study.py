"""A search proposes what the rule allows, learns, and is the same however often it is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import pytest

from core.domain import FloatArray
from core.errors import UsageError
from core.optimise import asking
from core.optimise.asking import METHODS, Listed, Places, SearchedFor, asker_of
from core.optimise.objectives import KEPT, parse_objectives, ranked, scores_of
from core.optimise.param_sets import full_names, full_values
from core.optimise.space import searched_space
from core.optimise.study import ParamSets, StudyBatch, StudyResult, StudyTerms, run_study
from strategies.registry import load_strategy
from tests.tiers import some, statistics, tries

RULE = load_strategy("TREND_EMA").rule
SPACE = searched_space(RULE, {"atr_period": [14.0]}, {})
BEST = {"ema_fast": 12.0, "ema_slow": 90.0, "atr_stop_mult": 2.0, "rr_ratio": 3.0}
"""Where the made-up figures are highest."""
SHARPE, SORTINO, TRADES = (KEPT.index(name) for name in ("sharpe", "sortino", "trades"))


def wanted(method: str, trials: int = 300, seed: int = 1, *objectives: str) -> SearchedFor:
    return SearchedFor(method, objectives or ("sharpe",), trials, seed, SPACE)


def terms(asked: SearchedFor, series: int = 1) -> StudyTerms:
    return StudyTerms(asked, 30, "mean", series)


def made_up(sets: ParamSets) -> FloatArray:
    """Return figures that are best at BEST and fall evenly on all sides."""
    away = [
        sum(((one[name] - best) / (SPACE[name][-1] - SPACE[name][0])) ** 2 for name, best in BEST.items())
        for one in sets
    ]
    kept = np.zeros((1, len(sets), len(KEPT)))
    kept[0, :, SHARPE] = -np.sqrt(away)
    kept[0, :, SORTINO] = [one["rr_ratio"] for one in sets]
    kept[0, :, TRADES] = [20 if one["ema_fast"] > 48 else 100 for one in sets]
    return kept


def found(asked: SearchedFor, known: list[StudyBatch] | None = None) -> tuple[StudyResult, list[StudyBatch]]:
    batches: list[StudyBatch] = []
    return run_study(RULE, terms(asked), made_up, known or [], batches.append), batches


def reached(result: StudyResult) -> float:
    return float(np.nanmax(result.scores[:, 0]))


@pytest.mark.parametrize("method", ["random", "tpe", "cmaes"])
def test_all_that_is_proposed_is_allowed_and_as_many_as_were_asked_for(method: str) -> None:
    result, batches = found(wanted(method, 130))
    assert len(result.sets) == 130
    assert [RULE.check_params(params) for params in result.sets] == [[]] * 130
    assert all(value in SPACE[name] for params in result.sets for name, value in params.items())
    assert [len(batch.values) for batch in batches[:-1]] == [METHODS[method]] * (len(batches) - 1)
    assert full_values(RULE, result.sets).tobytes() == result.values.tobytes()


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("method", some(["tpe", "cmaes"], 1))
def test_what_learns_comes_nearer_than_chance(method: str) -> None:
    by_chance = [reached(found(wanted("random", 300, seed))[0]) for seed in range(tries(3, 1))]
    learnt = [reached(found(wanted(method, 300, seed))[0]) for seed in range(tries(3, 1))]
    assert np.mean(learnt) > 0.5 * np.mean(by_chance)
    assert max(learnt) > -0.05


SEARCHES = (
    *(wanted("random", 130), wanted("tpe", 330), wanted("cmaes", 130)),
    wanted("tpe", 230, 1, "sharpe", "sortino"),
)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "asked", some(SEARCHES, 2), ids=lambda asked: f"{asked.method}-{len(asked.objectives)}"
)
def test_a_search_cut_after_every_batch_ends_as_the_uninterrupted_one(asked: SearchedFor) -> None:
    whole, batches = found(asked)
    known: list[StudyBatch] = []

    def cut(batch: StudyBatch) -> None:
        known.append(batch)
        raise KeyboardInterrupt

    for _ in batches:
        with pytest.raises(KeyboardInterrupt):
            run_study(RULE, terms(asked), made_up, tuple(known), cut)
    again, rest = found(asked, known)
    assert rest == []
    assert again.values.tobytes() == whole.values.tobytes()
    assert again.kept.tobytes() == whole.kept.tobytes()
    assert (again.sets, again.ranked, again.digest) == (whole.sets, whole.ranked, whole.digest)


@pytest.mark.unmeasured
def test_the_memory_of_the_learner_is_bounded_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.optimise import tpe

    monkeypatch.setattr(tpe, "REMEMBERED", (20, 60))
    whole, batches = found(wanted("tpe", 300))
    assert found(wanted("tpe", 300), batches[:4])[0].digest == whole.digest
    asker = tpe.TpeAsker(Places(RULE, SPACE), wanted("tpe", 300), 50)
    for batch in batches:
        sets = [dict(zip(full_names(RULE), row, strict=True)) for row in batch.values.tolist()]
        asker.again([{name: params[name] for name in SPACE} for params in sets])
        asker.tell(scores_of(made_up(sets), ("sharpe",), 30, "mean"))
    kept = asker._remembered()
    assert kept[20:] == list(range(240, 300))
    scores = np.nan_to_num(whole.scores[:240, 0], nan=-1e6)
    assert sorted(scores[kept[:20]]) == sorted(scores)[-20:]


@pytest.mark.unmeasured
def test_another_seed_is_another_search() -> None:
    assert found(wanted("tpe", 100, 1))[0].digest != found(wanted("tpe", 100, 2))[0].digest
    assert found(wanted("random", 100, 1))[0].digest != found(wanted("random", 100, 2))[0].digest


def test_batches_of_another_search_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    _, batches = found(wanted("random", 100))
    other = wanted("random", 100)._replace(space={**SPACE, "rr_ratio": [7.0]})
    with pytest.raises(UsageError, match="the trials that are stored are not of this search"):
        found(other, batches)


def test_few_trades_and_figures_that_are_none_are_not_ranked() -> None:
    kept = np.zeros((2, 4, len(KEPT)))
    kept[:, :, TRADES] = np.array([[20, 10, 20, 20], [10, 19, 20, 20]])
    kept[:, :, SHARPE] = np.array([[1, 9, 2, np.nan], [3, 9, 1, 5]])
    for over, expected in (("mean", [2, 1.5]), ("worst", [1, 1])):
        scores = scores_of(kept, ("sharpe",), 30, over)
        assert np.isnan(scores[[1, 3], 0]).all()
        assert scores[[0, 2], 0].tolist() == expected
    assert ranked(scores_of(kept, ("sharpe",), 30, "mean")) == [0, 2]
    assert ranked(scores_of(kept, ("sharpe",), 30, "worst")) == [0, 2]


@pytest.mark.parametrize("seed", range(20))
def test_the_front_has_what_nothing_beats_in_everything(seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 6, (40, 3)).astype(float)
    scores[::7] = np.nan
    known = [place for place in range(40) if not np.isnan(scores[place]).any()]

    def is_beaten(place: int) -> bool:
        return any(
            (scores[other] >= scores[place]).all()
            and ((scores[other] > scores[place]).any() or other < place)
            for other in known
            if other != place
        )

    front = ranked(scores)
    assert sorted(front) == [place for place in known if not is_beaten(place)]
    assert [scores[place, 0] for place in front] == sorted(
        (scores[place, 0] for place in front), reverse=True
    )


@pytest.mark.unmeasured
def test_a_set_that_is_proposed_twice_is_ranked_once() -> None:
    few = {**SPACE, "ema_fast": [5.0, 20.0, 48.0, 50.0], "ema_slow": [60.0, 90.0], "rr_ratio": [2.0, 3.0]}
    result, _ = found(wanted("tpe", 100)._replace(space=few))
    assert len(np.unique(result.values, axis=0)) < 100
    shown = [tuple(result.values[place]) for place in result.ranked]
    assert len(set(shown)) == len(shown)


def test_infinity_and_what_is_not_ranked_are_told_as_numbers() -> None:
    told = asking.told(np.array([[np.inf, 1.0], [np.nan, np.nan], [-np.inf, 2.0]]))
    assert told.tolist() == [[1e6, 1], [-1e6, -1e6], [-1e6, 2]]


@contextmanager
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(asking, "MISSES", 3)
    yield


def test_places_that_a_sampler_does_not_find_are_drawn_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(RULE, {"ema_fast": [10.0, 50.0], "ema_slow": [20.0, 60.0]})
    tries = count()

    def wrong() -> tuple[int, int]:
        next(tries)
        return 1, 0

    drawn = places.draw(wrong, (1, 2, 3))
    assert next(tries) == asking.MISSES
    assert places.is_allowed(drawn)
    assert places.draw(wrong, (1, 2, 3)) == drawn
    never = Places(RULE, {"ema_fast": [50.0, 60.0], "ema_slow": [20.0, 30.0]})
    with (
        strict(monkeypatch),
        pytest.raises(UsageError, match="no combination of the values of ema_fast, ema_slow"),
    ):
        never.draw(wrong, (1,))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (wanted("cmaes", 10, 1, "sharpe", "calmar"), "--method cmaes strives for one --objective"),
        (wanted("tpe")._replace(space={"ema_fast": [5.0]}), "every parameter has one value"),
        (
            wanted("tpe")._replace(space={"ema_fast": [1.0, 5.0]}),
            "wanted a whole number from 2 to 1999, got 1",
        ),
        (
            wanted("grid")._replace(space=searched_space(RULE, {}, {})),
            "490,176 sets, a search takes 200,000 at",
        ),
    ],
)
def test_what_cannot_be_searched_is_said(asked: SearchedFor, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        asker_of(RULE, asked)


@pytest.mark.parametrize(("method", "package"), [("tpe", "optuna"), ("cmaes", "cmaes")])
def test_a_package_that_is_not_there_is_named_with_what_to_do(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"--method {method} needs the package {package}"):
        asker_of(RULE, wanted(method))


def test_objectives_are_named_once_and_known() -> None:
    assert parse_objectives("sharpe, calmar,sharpe") == ("sharpe", "calmar")
    with pytest.raises(UsageError, match=r"--objective: unknown objective 'sharp'.*sharpe"):
        parse_objectives("sharp")


def test_known_sets_come_in_batches_in_their_order() -> None:
    sets = [{"ema_fast": float(value)} for value in range(5)]
    asker = Listed(sets, 2)
    batches: list[list[dict[str, float]]] = []
    ask: Callable[[], list[dict[str, float]]] = asker.ask
    while batch := ask():
        batches.append(batch)
    assert batches == [sets[:2], sets[2:4], sets[4:]]
