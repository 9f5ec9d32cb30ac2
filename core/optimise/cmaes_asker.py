"""Covariance matrix adaptation with margin: the sets of each batch are drawn around what was best before.

Hamano et al., "CMA-ES with Margin: Lower-Bounding Marginal Probability for Mixed-Integer Black-Box
Optimization", GECCO 2022; the package is the one that Optuna's own sampler stands on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.domain import FloatArray
from core.errors import UsageError
from core.optimise.asking import Places, SearchedFor, told

MISSING = (
    "--method cmaes needs the package cmaes, which requirements.lock lists: install it (make demo does), or "
    "take --method grid or random"
)
WIDTH = 0.3
"""Deviation of the first batch, where every parameter goes from 0 to 1."""


class CmaAsker:
    """Proposes sets by CMA-ES, and begins anew at another place when it has narrowed down to one."""

    def __init__(self, places: Places, wanted: SearchedFor, batch: int) -> None:
        try:
            import cmaes
        except ImportError:
            raise UsageError(MISSING) from None
        self._make: Any = cmaes.CMAwM
        self._places, self._wanted, self._batch = places, wanted, batch
        self._last = np.array(places.sizes) - 1.0
        self._left, self._number, self._starts = wanted.trials, 0, 0
        self.total = wanted.trials
        self._optimizer: Any = self._started()
        self._proposed: tuple[tuple[int, ...], FloatArray] = (), np.empty(0)
        self._meant: list[FloatArray] = []

    def ask(self) -> list[dict[str, float]]:
        """Return the next batch, none at the end."""
        count = min(self._batch, self._left)
        if count and self._optimizer.should_stop():
            self._optimizer = self._started()
        found, self._meant = [], []
        for i in range(count):
            places = self._places.draw(self._propose, (self._wanted.seed, self._number, i))
            proposed, meant = self._proposed
            # Drawn without it after many misses: it is told of that place all the same.
            self._meant.append(meant if places == proposed else np.array(places) / self._last)
            found.append(self._places.set_at(places))
        self._left, self._number = self._left - count, self._number + 1
        return found

    def again(self, sets: Sequence[Mapping[str, float]]) -> None:  # noqa: ARG002
        """Take a batch that was asked before, by asking for it again: the package keeps its own state."""
        self.ask()

    def tell(self, scores: FloatArray) -> None:
        """Learn from a whole batch: what is left at the end teaches nothing any more."""
        if len(self._meant) == self._batch:
            values = (-told(scores)[:, 0]).tolist()
            self._optimizer.tell(list(zip(self._meant, values, strict=True)))

    def _propose(self) -> tuple[int, ...]:
        shown, meant = self._optimizer.ask()
        self._proposed = tuple(round(value) for value in (shown * self._last).tolist()), meant
        return self._proposed[0]

    def _started(self) -> Any:
        seeds = [self._wanted.seed, self._starts]
        random = np.random.default_rng(seeds)
        middle = random.uniform(0.2, 0.8, self._last.size) if self._starts else np.full(self._last.size, 0.5)
        self._starts += 1
        return self._make(
            mean=middle,
            sigma=WIDTH,
            bounds=np.column_stack([np.zeros(self._last.size), np.ones(self._last.size)]),
            steps=1 / self._last,
            population_size=self._batch,
            seed=int(np.random.SeedSequence(seeds).generate_state(1)[0]),
        )
