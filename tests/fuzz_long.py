"""A million lives of the order path, which may be stopped and gone on with: `python -m tests.fuzz_long`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz_order_path import VENUES, Tally, run_algo_schedules, run_schedules, run_stop_schedules

Run = Callable[[int, int, str], Tally]
LONGEST = "ms unprotected at most"
"""The one count that is no sum."""


class Part(NamedTuple):
    """What a round runs of one kind: so many schedules at each venue, of which a process takes so many."""

    name: str
    run: Run
    size: int
    at_once: int


PARTS = (
    Part("orders", run_schedules, 800, 50),
    Part("stops", run_stop_schedules, 100, 10),
    Part("algorithms", run_algo_schedules, 100, 10),
)
"""Stops and algorithms take ten times as long."""


class Progress(NamedTuple):
    """How far it came: the rounds that are done, what they came to by kind and venue, and what was wrong."""

    rounds: int
    totals: dict[str, dict[str, int]]
    wrong: list[str]


NONE_YET = Progress(0, {}, [])


def schedules_of(parts: Sequence[Part]) -> int:
    """Return how many schedules a round runs."""
    return sum(part.size for part in parts) * len(VENUES)


def read(file: Path) -> Progress:
    """Return how far a file says that it came; nothing without one."""
    return Progress(**json.loads(file.read_text())) if file.exists() else NONE_YET


def write(file: Path, progress: Progress) -> None:
    """Keep how far it came, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(progress._asdict(), indent=1))
    beside.replace(file)


def one_round(progress: Progress, pool: Executor, parts: Sequence[Part] = PARTS) -> Progress:
    """Run the next seeds of every kind at both venues."""
    totals, wrong = {name: dict(found) for name, found in progress.totals.items()}, [*progress.wrong]
    for part in parts:
        first = progress.rounds * part.size
        starts = range(first, first + part.size, part.at_once)
        for venue in VENUES:
            count = len(starts)
            for tally in pool.map(part.run, starts, [part.at_once] * count, [venue] * count):
                name = f"{venue}, {part.name}"
                totals[name] = together(totals.get(name, {}), tally.counts)
                wrong += [f"{name}: {line}" for line in tally.wrong]
    return Progress(progress.rounds + 1, totals, wrong)


def together(before: dict[str, int], now: Counter[str]) -> dict[str, int]:
    """Return the sums of two, and the greater of what is no sum."""
    found = {name: before.get(name, 0) + now[name] for name in {**before, **now}}
    if LONGEST in found:
        found[LONGEST] = max(before.get(LONGEST, 0), now[LONGEST])
    return found


def main(argv: list[str] | None = None) -> int:
    """Go on where it stopped until so many schedules are done; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--schedules", type=int, default=1_000_000, help="in all, of all kinds and venues")
    parser.add_argument("--file", type=Path, default=Path("data/fuzz-long.json"), help="how far it came")
    args = parser.parse_args(argv)
    progress, each = read(args.file), schedules_of(PARTS)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        while progress.rounds * each < args.schedules:
            began = time.monotonic()
            progress = one_round(progress, pool)
            write(args.file, progress)
            done = f"{progress.rounds * each:,} of {args.schedules:,} schedules"
            print(f"{done}: {len(progress.wrong)} wrong, {time.monotonic() - began:.0f} s", flush=True)
    for name, found in progress.totals.items():
        print(f"{name}: {', '.join(f'{count:,} {what}' for what, count in found.items())}")
    print(*progress.wrong, sep="\n", end="\n" if progress.wrong else "")
    return 1 if progress.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
