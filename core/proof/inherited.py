"""What every strategy must hold besides equality three ways, each as a function that returns what is wrong.

The tests of the project's strategies and scripts/check_strategy.py call the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from core.domain import FLAT, Bars, Decision, PositionView
from core.errors import UsageError
from core.kernel.scan import compiled
from core.proof.verify import check_columns
from strategies.rule import StrategyRule
from strategies.rule_check import check_computed, check_values

ROWS = 400
"""Pairs of rows on which plain and compiled decisions are compared."""
ODD = (0.0, -0.0, float("nan"), float("inf"), 1.0)


def uncausal(rule: StrategyRule, params: Any, bars: Bars, cuts: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield each cut and each column that is another one, bit for bit, while the bars from it on are unknown.

    The cuts are computed from the shortest on, and all bars last: what a rule keeps of them comes too late.
    """
    parts = [(cut, rule.columns_of(bars.until(cut), params)) for cut in sorted(cuts)]
    whole = rule.columns_of(bars, params)
    for cut, part in parts:
        for name, all_bars, some in zip(whole._fields, whole, part, strict=True):
            if not np.array_equal(all_bars[: some.size], some, equal_nan=True):
                yield cut, name


def parted(rule: StrategyRule, params: Any, kind: type[Any], rows: int = ROWS) -> str | None:
    """Return where `decide` differs compiled and plain, None if nowhere: random rows, NaN and -0 too.

    `kind` is the rule's tuple of columns.
    """
    rng, fast = np.random.default_rng(5), compiled(rule.decide)
    width = len(kind._fields)
    for _ in range(rows):
        values = np.where(rng.random((2, width)) < 0.2, rng.choice(ODD, 1), rng.normal(100, 3, 1))
        values += rng.normal(0, 0.5, values.shape)
        now, prev = (kind(*map(float, line)) for line in values)
        held = (
            FLAT
            if rng.random() < 0.5
            else PositionView(1, 100.0, 90.0, 110.0, 3, 0b110, 1.0, 101.0, 3, 0.01, 105.0)
        )
        plain, other = rule.decide(now, prev, held, params), fast(now, prev, held, params)
        if not np.array_equal(np.array(plain, float), np.array(other, float), equal_nan=True):
            return f"{rule.name}: decide gives {plain} plain and {other} compiled, on the row {now}"
    return None


class Planted(NamedTuple):
    """A mistake that was put into a strategy, and whether the proofs noticed it."""

    mistake: str
    is_noticed: bool


def plant(rule: StrategyRule, params: Any, bars: Bars) -> Iterator[Planted]:
    """Put mistakes into a rule that has none, one after the other: the checks must notice each.

    There must be more bars than its live window has.
    """
    # Looking ahead shows where the next value is another one: a rank may stand still for long.
    first = rule.columns_of(bars, params)[0]
    late = np.flatnonzero(first[:-1] != first[1:])[-1:].tolist() or [bars.close.size - 2]

    def column(change: Callable[[Any], Any]) -> StrategyRule:
        def columns(seen: Bars, p: Any) -> Any:
            made = rule.columns(seen, p)
            return made._replace(**{made._fields[0]: change(made[0])})

        return replace(rule, columns=columns)

    ahead = column(lambda x: np.append(x[1:], x[-1:]))
    yield Planted(
        "a column that looks a bar ahead", _says("looks ahead", check_columns(bars, ahead, params, late))
    )
    started = column(lambda x: x + 1e-9 * np.arange(x.size))
    found = check_columns(bars, started, params, late)
    yield Planted("a column that counts from its first candle", _says("past has no bounds", found))
    for mistake, wrong in (
        ("a column one value short", column(lambda x: x[1:])),
        ("a column with a gap", column(lambda x: np.where(np.arange(x.size) == x.size - 9, np.nan, x))),
    ):
        columns = wrong.columns_of(bars, params)
        yield Planted(mistake, bool(check_values(wrong, params, bars, columns)))
    twice = replace(rule, decide=lambda now, prev, held, p: _doubled(rule.decide(now, prev, held, p)))
    yield Planted("twice the size", bool(check_computed(twice, params, bars, rule.columns_of(bars, params))))


def _says(words: str, lines: Iterable[str]) -> bool:
    return any(words in line for line in lines)


def _doubled(want: Decision) -> Decision:
    return want._replace(target=2.5 * want.target if want.target else 2.5)


def sample_of(bars: Bars, first: int, count: int) -> list[int]:
    """Return so many bars from the first one on, evenly spread. Raises UsageError when there are none."""
    if first >= bars.close.size:
        raise UsageError(f"its columns have no value on {bars.close.size:,} bars")
    sample: list[int] = np.unique(np.linspace(first, bars.close.size - 1, count).astype(np.int64)).tolist()
    return sample
