"""A search from its first batch to its last: ask, run, tell, write down; and again from what is written.

What was written of a search that was interrupted stands for running it: the batches are told as they were,
and the rest is asked for as it would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray
from core.errors import UsageError
from core.optimise.asking import Asker, SearchedFor, asker_of
from core.optimise.objectives import KEPT, ranked, scores_of
from core.optimise.param_sets import full_names, full_values
from strategies.rule import StrategyRule

ParamSets = Sequence[Mapping[str, float]]


class StudyTerms(NamedTuple):
    """What a search does, whatever it runs on."""

    wanted: SearchedFor
    fewest_trades: int
    over: str
    """Key of core.optimise.objectives.OVER."""
    series: int
    """How many series each set runs on."""


class StudyBatch(NamedTuple):
    """Sets that were asked for together, and what they came to."""

    number: int
    values: FloatArray
    """Shape (sets, parameters): all that makes one set another, as `full_names` names it."""
    kept: FloatArray
    """Shape (sets, series * KEPT): of the first series all figures, then of the next."""


class StudyResult(NamedTuple):
    """What came of a search; a set is known by its place in the order in which it was asked for."""

    sets: list[Mapping[str, float]]
    values: FloatArray
    kept: FloatArray
    """Shape (series, sets, KEPT)."""
    scores: FloatArray
    """Shape (sets, objectives), NaN where a set is not ranked."""
    ranked: list[int]
    """The best first, each set once; of several objectives the Pareto front alone."""
    digest: str
    """SHA-256 of all sets and figures: of two searches that are the same bit for bit it is the same."""


def run_study(
    rule: StrategyRule,
    terms: StudyTerms,
    run: Callable[[ParamSets], FloatArray],
    known: Sequence[StudyBatch] = (),
    record: Callable[[StudyBatch], object] = lambda _: None,
    watch: Callable[[int, FloatArray], object] = lambda _, __: None,
    asker: Asker | None = None,
) -> StudyResult:
    """Search; `run` returns what sets come to, shape (series, sets, KEPT).

    `known` are the batches that were run before, from the first on; `record` gets each that is run now,
    before the next is asked for; `watch` gets how many sets there are so far and what the newest reached.
    `asker`: that of these terms, if it was made already. Raises UsageError for a space in which nothing is
    allowed, and for batches of another search.
    """
    asker, names = asker or asker_of(rule, terms.wanted), full_names(rule)
    sets: list[Mapping[str, float]] = []
    batches: list[StudyBatch] = []
    scores = [np.empty((0, len(terms.wanted.objectives)))]
    for before in known:
        again = [_own(rule, terms, dict(zip(names, row, strict=True))) for row in before.values.tolist()]
        asker.again(again)
        sets += again
        batches.append(before)
        scores.append(_scores(terms, before))
        asker.tell(scores[-1])
        watch(len(sets), scores[-1])
    while asked := asker.ask():
        figures = run(asked)
        flat = np.ascontiguousarray(figures.transpose(1, 0, 2)).reshape(len(asked), -1)
        batches.append(StudyBatch(len(batches), full_values(rule, asked), flat))
        record(batches[-1])
        sets += asked
        scores.append(_scores(terms, batches[-1]))
        asker.tell(scores[-1])
        watch(len(sets), scores[-1])
    return _result(terms, sets, batches, np.vstack(scores))


def _own(rule: StrategyRule, terms: StudyTerms, full: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters that the search looks at, of all that a set has."""
    space = terms.wanted.space
    found = {name: full[name] for name in space}
    if any(value not in space[name] for name, value in found.items()):
        raise UsageError(
            f"{rule.name}: the trials that are stored are not of this search: they are left alone"
        )
    return found


def _scores(terms: StudyTerms, batch: StudyBatch) -> FloatArray:
    return scores_of(kept_of(batch, terms.series), terms.wanted.objectives, terms.fewest_trades, terms.over)


def kept_of(batch: StudyBatch, series: int) -> FloatArray:
    """Return a batch's figures by series, shape (series, sets, KEPT)."""
    return batch.kept.reshape(len(batch.values), series, len(KEPT)).transpose(1, 0, 2)


def _result(
    terms: StudyTerms, sets: list[Mapping[str, float]], batches: Sequence[StudyBatch], scores: FloatArray
) -> StudyResult:
    values = np.vstack([batch.values for batch in batches])
    kept = np.concatenate([kept_of(batch, terms.series) for batch in batches], axis=1)
    digest = sha256()
    for batch in batches:
        digest.update(np.ascontiguousarray(batch.values, "<f8").tobytes())
        digest.update(np.ascontiguousarray(batch.kept, "<f8").tobytes())
    # A sampler may propose a set again: it is one set.
    _, firsts = np.unique(values, axis=0, return_index=True)
    once = np.full_like(scores, np.nan)
    once[firsts] = scores[firsts]
    return StudyResult(sets, values, kept, scores, ranked(once), digest.hexdigest())
