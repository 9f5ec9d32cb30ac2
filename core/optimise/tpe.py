"""Tree-structured Parzen estimators by Optuna: sets are drawn where good ones are dense and bad ones rare.

Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; for several objectives, Ozaki et
al., "Multiobjective Tree-Structured Parzen Estimator", JAIR 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.domain import FloatArray
from core.errors import UsageError
from core.optimise.asking import Places, SearchedFor, told

MISSING = (
    "--method tpe needs the package optuna, which requirements.lock lists: install it (make demo does), or "
    "take --method grid or random"
)
REMEMBERED = (250, 750)
"""Sets that it learns from, the best and the newest: with all, each would take longer than the last."""


class TpeAsker:
    """Proposes sets by Optuna, asked and told in memory.

    Every batch has a study and a sampler of its own, seeded by the seed and the number of the batch: what it
    proposes follows from these and from what was told before, and no state of a generator has to be kept.
    """

    def __init__(self, places: Places, wanted: SearchedFor, batch: int) -> None:
        try:
            import optuna
        except ImportError:
            raise UsageError(MISSING) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna: Any = optuna
        self._places, self._wanted, self._batch = places, wanted, batch
        self._left, self._number = wanted.trials, 0
        self.total = wanted.trials
        self._distributions = {
            name: optuna.distributions.IntDistribution(0, size - 1)
            for name, size in zip(places.names, places.sizes, strict=True)
        }
        self._asked: list[tuple[int, ...]] = []
        self._known: list[Any] = []
        self._scores = np.empty((0, len(wanted.objectives)))

    def ask(self) -> list[dict[str, float]]:
        """Return the next batch, none at the end."""
        seeds = self._wanted.seed, self._number
        study = self._study(int(np.random.SeedSequence(seeds).generate_state(1)[0]))
        self._begin(min(self._batch, self._left))
        for i in range(len(self._asked)):
            last: list[Any] = []

            def propose(last: list[Any] = last) -> list[int]:
                # What the rule does not allow teaches nothing.
                for trial in last:
                    study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                last[:] = [study.ask(self._distributions)]
                return [last[0].params[name] for name in self._places.names]

            self._asked[i] = self._places.draw(propose, (*seeds, i))
        return [self._places.set_at(places) for places in self._asked]

    def again(self, sets: Sequence[Mapping[str, float]]) -> None:
        """Take a batch that was asked before, in place of asking for it."""
        self._begin(len(sets))
        self._asked = [self._places.places_of(params) for params in sets]

    def tell(self, scores: FloatArray) -> None:
        """Let the next batch learn from this one."""
        values = told(scores)
        self._scores = np.vstack([self._scores, values])
        for places, reached in zip(self._asked, values.tolist(), strict=True):
            params = dict(zip(self._places.names, places, strict=True))
            self._known.append(
                self._optuna.trial.create_trial(
                    params=params, distributions=self._distributions, values=reached
                )
            )

    def _begin(self, count: int) -> None:
        self._asked = [()] * count
        self._left, self._number = self._left - count, self._number + 1

    def _study(self, seed: int) -> Any:
        sampler = self._optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=False)
        study = self._optuna.create_study(
            directions=["maximize"] * len(self._wanted.objectives), sampler=sampler
        )
        study.add_trials([self._known[place] for place in self._remembered()])
        return study

    def _remembered(self) -> list[int]:
        best, newest = REMEMBERED
        count = len(self._known)
        if count <= best + newest:
            return list(range(count))
        # By the sum of its ranks where there are several objectives; of equal ones the older.
        ranks = np.argsort(np.argsort(-self._scores, axis=0, kind="stable"), axis=0).sum(axis=1)
        chosen = np.argsort(ranks[: count - newest], kind="stable")[:best]
        return [*sorted(chosen.tolist()), *range(count - newest, count)]
