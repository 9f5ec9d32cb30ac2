"""Time ours and a yardstick alternately in one run, so that a busy or slow machine slows both alike.

The yardstick is a peer or plain code that does the same; where there is none, a loop in plain Python, whose
time on the machine that the targets in seconds are of is known.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

TURNS = 1_000_000
FEWEST, PLENTY = 2, 0.8
"""A case is over after so many turns if it then takes at most this part of its target: it is kept."""
LOOP_SECONDS = 0.033
"""What `calibrate` takes on the machine that targets in seconds are of."""


def calibrate() -> int:
    """Add up numbers in plain Python."""
    total = 0
    for number in range(TURNS):
        total += number & 3
    return total


def cpu_seconds() -> float:
    """Return the processor's time of this process and of those that it started and that ended, in seconds."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in spent)


def _nothing() -> None:
    return None


class Case(NamedTuple):
    """Something to measure."""

    name: str
    ours: Callable[[], object]
    reference: Callable[[], object] | None = None
    """The yardstick; without one it is `calibrate`."""
    target: float = 1.0
    """At most this many times the reference; without one, seconds where `calibrate` takes LOOP_SECONDS."""
    repeat: int = 5
    """Turns at most."""
    prepare: Callable[[], object] = _nothing
    """Called before each timing, not timed."""
    units: tuple[int, int] = (1, 1)
    """Units of work that ours and the reference do; times are per unit."""
    tells: bool = False
    """Whether ours returns the seconds itself, such as a median of its own."""
    is_wall: bool = False
    """Time the clock on the wall, where threads share the work; else the processor's time."""


class CaseTime(NamedTuple):
    """The least of a case's times, in seconds per unit of work: what else runs can only add to it."""

    case: Case
    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """Ours over the yardstick's time."""
        return self.ours / self.reference

    @property
    def target(self) -> float:
        """The largest ratio that keeps the target."""
        return self.case.target / (1.0 if self.case.reference else LOOP_SECONDS)

    @property
    def met(self) -> bool:
        """Whether the target is kept."""
        return self.ratio <= self.target


def measure(case: Case) -> CaseTime:
    """Run a case; who goes first alternates, and garbage is collected between, not during.

    Raises ValueError for a case that is never run.
    """
    if case.repeat < 1:
        raise ValueError(f"{case.name}: wanted a turn at least, got {case.repeat}")
    sides = case.ours, case.reference or calibrate
    clock = perf_counter if case.is_wall else cpu_seconds
    times: list[list[float]] = [[], []]
    for turn in range(case.repeat):
        for which in (0, 1) if turn % 2 else (1, 0):
            case.prepare()
            taken, told = _seconds(sides[which], clock)
            times[which].append(told if case.tells and isinstance(told, float) else taken)
        found = CaseTime(case, *(min(some) / units for some, units in zip(times, case.units, strict=True)))
        if turn + 1 >= FEWEST and found.ratio <= PLENTY * found.target:
            break
    return found


def format_rows(results: Sequence[CaseTime]) -> list[str]:
    """Return the table, heading first: the time, the target's time on this machine, and both as ratios."""
    width = max((len(found.case.name) for found in results), default=4)
    heading = _line("name", width, "ours s", "target s", "yardstick", "ratio", "target")
    return [heading, *(_row(found, width) for found in results)]


def _row(found: CaseTime, width: int) -> str:
    times = [_time(one) for one in (found.ours, found.target * found.reference, found.reference)]
    line = _line(found.case.name, width, *times, _ratio(found.ratio), _ratio(found.target))
    return line + ("" if found.met else "  MISSED")


def _line(name: str, width: int, *cells: str) -> str:
    return "  ".join([f"{name:<{width}}", *(f"{cell:>9}" for cell in cells)])


def _time(seconds: float) -> str:
    """Return seconds, as a power of ten where four digits after the point would hide them."""
    return f"{seconds:.4f}" if seconds >= 0.001 else f"{seconds:.2e}"


def _ratio(value: float) -> str:
    """Return `1.85`, `430`, and `1/150` for what is much less than 1."""
    if 0 < value < 0.1:
        return f"1/{1 / value:,.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


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
