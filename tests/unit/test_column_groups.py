"""Parameter sets share columns where the rule cannot tell them apart, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from core.optimise.column_groups import ColumnGroups


class Params(NamedTuple):
    one: int = 1
    two: int = 2
    three: float = 3.0


def made(columns: Callable[[Any], Any], *sets: Params) -> tuple[list[Any], int]:
    """Return what is found for each set, and how often it was made."""
    calls: list[None] = []

    def counted(params: Any) -> list[Any]:
        calls.append(None)
        return [columns(params)]

    groups = ColumnGroups(counted)
    return [groups.find(params)[0] for params in sets], len(calls)


def test_sets_that_agree_on_what_was_read_share_it() -> None:
    sets = Params(1, 2, 3.0), Params(1, 2, 9.0), Params(1, 7, 3.0), Params(2, 2, 3.0)
    assert made(lambda p: p.one * 10, *sets) == ([10, 10, 10, 20], 2)
    assert made(lambda p: (p.one, p.three), *sets) == ([(1, 3.0), (1, 9.0), (1, 3.0), (2, 3.0)], 3)
    assert made(lambda p: 5, *sets) == ([5, 5, 5, 5], 1)


def test_what_is_read_may_depend_on_what_was_read_before() -> None:
    def columns(p: Params) -> float:
        return p.two if p.one == 1 else p.three

    sets = Params(1, 2, 3.0), Params(2, 2, 3.0), Params(1, 4, 3.0), Params(2, 4, 3.0), Params(1, 2, 8.0)
    assert made(columns, *sets) == ([2, 3.0, 4, 3.0, 2], 3)


@pytest.mark.parametrize(
    "columns",
    [
        tuple,
        lambda p: p[:2],
        lambda p: sum(p),
        lambda p: [*p],
        lambda p: p._replace(one=0),
        lambda p: p._asdict(),
        lambda p: {p: 1}[Params(*p)],
        lambda p: p == Params(),
        lambda p: str(p),
    ],
)
def test_who_takes_the_whole_tuple_has_read_all_of_it(columns: Callable[[Any], Any]) -> None:
    sets = Params(1, 2, 3.0), Params(1, 2, 4.0), Params(1, 2, 3.0)
    found, count = made(columns, *sets)
    assert (found, count) == ([columns(params) for params in sets], 2)
