"""Which sets a search tries next: all, some at random, or what those before have taught it.

A search asks in batches of one size, and tells all results of a batch before it asks for the next. What is
asked depends on the seed, the number of the batch and what was told, and on nothing else: how many work at
it, and whether it was interrupted in between, changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple, Protocol

import numpy as np

from core.domain import FloatArray
from core.errors import UsageError
from core.optimise.param_sets import none_allowed, require_values
from core.optimise.space import Space, choose_sets
from strategies.rule import StrategyRule

METHODS = {"grid": 1000, "random": 1000, "tpe": 50, "cmaes": 20}
"""How many sets each asks for at once: no part of the answer depends on the size where nothing is learnt."""
MISSES = 100
"""Draws for each set wanted, before one that the rule allows is drawn without having learnt anything."""
UNRANKED = -1e6
"""What is told of a set that is not ranked, and the most that infinity counts, on the other side."""

ParamValues = Mapping[str, float]


class Asker(Protocol):
    """What proposes parameter sets."""

    total: int
    """How many it will have proposed."""

    def ask(self) -> list[dict[str, float]]:
        """Return the next batch, none at the end."""
        ...

    def again(self, sets: Sequence[ParamValues]) -> None:
        """Take a batch that was asked before, in place of asking for it."""
        ...

    def tell(self, scores: FloatArray) -> None:
        """Take what the sets of the batch reached, shape (sets, objectives), NaN for not ranked."""
        ...


class Listed:
    """Proposes sets that are known beforehand."""

    def __init__(self, sets: Sequence[dict[str, float]], batch: int) -> None:
        self._sets, self._batch, self._asked = list(sets), batch, 0
        self.total = len(self._sets)

    def ask(self) -> list[dict[str, float]]:
        """Return the next batch, none at the end."""
        start, self._asked = self._asked, self._asked + self._batch
        return self._sets[start : self._asked]

    def again(self, sets: Sequence[ParamValues]) -> None:
        """Take a batch that was asked before."""
        self._asked += len(sets)

    def tell(self, scores: FloatArray) -> None:
        """Learn nothing."""


class SearchedFor(NamedTuple):
    """What is searched, and how."""

    method: str
    objectives: tuple[str, ...]
    trials: int
    seed: int
    space: Space
    """Values of every parameter, one where it stays as it is."""


def asker_of(rule: StrategyRule, wanted: SearchedFor) -> Asker:
    """Return what proposes the sets. Raises UsageError for a space or a method that cannot be."""
    batch = METHODS[wanted.method]
    if wanted.method == "grid":
        return Listed(choose_sets(rule, wanted.space, None, wanted.seed), batch)
    if wanted.method == "random":
        return Listed(choose_sets(rule, wanted.space, wanted.trials, wanted.seed), batch)
    require_values(rule, wanted.space)
    if prod(map(len, wanted.space.values())) == 1:
        raise UsageError(
            f"--method {wanted.method}: every parameter has one value: there is nothing to search"
        )
    places = Places(rule, wanted.space)
    # Of a space in which nothing is allowed it is said now.
    places.draw(lambda: [0] * len(places.names), [wanted.seed])
    if wanted.method == "tpe":
        from core.optimise.tpe import TpeAsker

        return TpeAsker(places, wanted, batch)
    if len(wanted.objectives) > 1:
        raise UsageError("--method cmaes strives for one --objective: name one, or take --method tpe")
    from core.optimise.cmaes_asker import CmaAsker

    return CmaAsker(places, wanted, batch)


class Places:
    """Sets as places in the values of the parameters that have several: what a sampler moves in."""

    def __init__(self, rule: StrategyRule, space: Space) -> None:
        self._rule, self._space = rule, space
        self.names = tuple(name for name, values in space.items() if len(values) > 1)
        self.sizes = tuple(len(space[name]) for name in self.names)

    def set_at(self, places: Sequence[int]) -> dict[str, float]:
        """Return the set at these places, one of each of `names`."""
        at = dict(zip(self.names, places, strict=True))
        return {name: values[at.get(name, 0)] for name, values in self._space.items()}

    def places_of(self, params: ParamValues) -> tuple[int, ...]:
        """Return where a set of the space is."""
        return tuple(self._space[name].index(params[name]) for name in self.names)

    def is_allowed(self, places: Sequence[int]) -> bool:
        """Tell whether the rule allows the set: values alone were looked at before."""
        return not self._rule.check_params(self.set_at(places))

    def draw(self, propose: Callable[[], Sequence[int]], seed: Sequence[int]) -> tuple[int, ...]:
        """Return the first places that are proposed and allowed, or some at random after many misses."""
        for _ in range(MISSES):
            places = tuple(int(place) for place in propose())
            if self.is_allowed(places):
                return places
        random = np.random.default_rng(list(seed))
        for _ in range(MISSES * MISSES):
            places = tuple(random.integers(self.sizes).tolist())
            if self.is_allowed(places):
                return places
        raise none_allowed(self._rule, self._space)


def told(scores: FloatArray) -> FloatArray:
    """Return scores as a sampler can take them: finite, more is better, the unranked worst of all."""
    return np.nan_to_num(np.clip(scores, UNRANKED, -UNRANKED), nan=UNRANKED)
