"""Time ours and a reference alternately in one run, so that a busy machine slows both alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from time import perf_counter, process_time
from typing import NamedTuple


def _nothing() -> None:
    return None


class Case(NamedTuple):
    """Something to measure."""

    name: str
    ours: Callable[[], object]
    reference: Callable[[], object] | None = None
    """The yardstick; without one the target is in seconds."""
    target: float = 1.0
    """At most this many times the reference, or this many seconds."""
    repeat: int = 5
    prepare: Callable[[], object] = _nothing
    """Called before each timing, not timed."""
    units: tuple[int, int] = (1, 1)
    """Units of work that ours and the reference do; times are per unit."""
    tells: bool = False
    """Whether ours returns the seconds itself, such as a median of its own."""
    is_cpu: bool = False
    """Time the processor's work of this process, which others do not slow; not for threads or processes."""


class CaseTime(NamedTuple):
    """The least of a case's times, in seconds per unit of work: what else runs can only add to it."""

    case: Case
    ours: float
    reference: float | None

    @property
    def value(self) -> float:
        """What the target limits: the ratio, or the seconds where there is no reference."""
        return self.ours / self.reference if self.reference else self.ours

    @property
    def met(self) -> bool:
        """Whether the target is kept."""
        return self.value <= self.case.target


def measure(case: Case) -> CaseTime:
    """Run a case; who goes first alternates, and garbage is collected between, not during."""
    sides = [case.ours] if case.reference is None else [case.ours, case.reference]
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(case.repeat):
        for which in range(len(sides)) if turn % 2 else reversed(range(len(sides))):
            case.prepare()
            taken, told = _seconds(sides[which], process_time if case.is_cpu else perf_counter)
            times[which].append(told if case.tells and isinstance(told, float) else taken)
    per_unit = [min(some) / units for some, units in zip(times, case.units, strict=False)]
    return CaseTime(case, per_unit[0], per_unit[1] if len(sides) > 1 else None)


def format_rows(results: Sequence[CaseTime]) -> list[str]:
    """Return the table, heading first."""
    width = max((len(found.case.name) for found in results), default=4)
    heading = f"{'name':<{width}}  {'ours s':>9}  {'reference s':>11}  {'ratio':>6}  {'target':>7}"
    return [heading, *(_row(found, width) for found in results)]


def _row(found: CaseTime, width: int) -> str:
    reference = f"{_time(found.reference):>11}" if found.reference else " " * 11
    ratio = f"{_ratio(found.value):>6}" if found.reference else " " * 6
    target = _ratio(found.case.target) if found.reference else f"{found.case.target:.3g} s"
    verdict = "" if found.met else "  MISSED"
    return f"{found.case.name:<{width}}  {_time(found.ours):>9}  {reference}  {ratio}  {target:>7}{verdict}"


def _time(seconds: float) -> str:
    """Return seconds, as a power of ten where four digits after the point would hide them."""
    return f"{seconds:.4f}" if seconds >= 0.001 else f"{seconds:.2e}"


def _ratio(value: float) -> str:
    """Return `1.85`, and `1/150` for what is much less than 1."""
    return f"1/{1 / value:.0f}" if value < 0.1 else f"{value:.2f}"


def _seconds(run: Callable[[], object], clock: Callable[[], float]) -> tuple[float, object]:
    """Return how long a run took, and what it returned."""
    gc.collect()
    gc.disable()
    try:
        start = clock()
        returned = run()
        return clock() - start, returned
    finally:
        gc.enable()
