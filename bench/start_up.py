"""How long every command takes to say what it does, and a new process to its first compiled result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from bench.harness import Case

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 0.3
HAND = 1.1
"""Seconds of the processor until the loop written by hand is compiled and ran, on the targets' machine."""
FIRST_RESULT, FIRST_EVER = 1.0 / HAND, 2.5 / HAND
SERIES = """
from core import cli
cli.start_sooner()
import numpy as np
from core.domain import Bars, Costs, Series
close = 100 + np.cumsum(np.random.default_rng(7).normal(0, 0.3, 5000))
bars = Bars(3_600_000 * np.arange(5000), close, close + 0.2, close - 0.2, close, np.ones(5000))
"""
RUN = f"""{SERIES}
import sys
from core.backtest.fast_backtester import run_fast
from core.results.runs import RunSpec

spec = RunSpec(Series("bench", "BTC/USDT", "1h"), "TREND_EMA", {{}}, Costs(), 10_000.0)
result = run_fast(bars, spec, in_all=int(sys.argv[1]))
assert result.summary.trades_count > 0
"""
FEW, MANY = "5000", "1000000"
"""The bars of all runs that are to be made, as the run is told: what is few is not compiled for."""
BY_HAND = f"""{SERIES}
from bench.by_hand import hand_loop
from strategies.trend_ema import RULE
hand_loop(bars, RULE.columns(bars, RULE.params()))
"""


def cases(folder: Path) -> list[Case]:
    """Return one case per script, and one for `python -m db.init_db`."""
    scripts = sorted(
        path for path in (ROOT / "scripts").glob("*.py") if "cli.run(" in path.read_text("utf-8")
    )
    commands = {f"--help of {path.name}": [str(path)] for path in scripts if path.name != "cli.py"}
    commands["--help of db.init_db"] = ["-m", "db.init_db"]
    return [
        *_first_results(folder),
        *(Case(name, partial(_help, words), target=SECONDS) for name, words in commands.items()),
    ]


def _first_results(folder: Path) -> Iterator[Case]:
    """Yield the processor's time of new processes, against one that compiles the loop written by hand."""
    kept, fresh = folder / "kept", count()
    again, fill = (partial(_first_run, lambda: kept, many) for many in (FEW, MANY))
    for name, before, target in (
        ("with all on disk", fill, FIRST_RESULT),
        ("with a rule that never ran, others did", partial(_forget_search, kept, fill), FIRST_EVER),
    ):
        yield Case(
            f"new process to its first result, {name}",
            again,
            _by_hand,
            target,
            3,
            before,
            tells=True,
        )
    for many, what in ((FEW, ""), (MANY, ", where there is more to run than is over before the compiler")):
        anew = partial(_first_run, lambda: folder / f"fresh-{next(fresh)}", many)
        yield Case(f"the same with nothing on disk{what}", anew, _by_hand, FIRST_EVER, 2, tells=True)


def _forget_search(kept: Path, fill: Callable[[], object]) -> None:
    """Leave what is compiled once for all rules, and nothing of this one."""
    fill()
    for path in kept.rglob("*scan_TREND_EMA*"):
        path.unlink()


def _first_run(kernels: Callable[[], Path], in_all: str) -> float:
    """Run a strategy in a process that finds compiled code in this folder, or leaves it there."""
    return _seconds_of(RUN, in_all, NUMBA_CACHE_DIR=str(kernels()))


def _by_hand() -> float:
    return _seconds_of(BY_HAND)


def _seconds_of(program: str, *words: str, **environment: str) -> float:
    """Return the processor's time that a new process takes for a program."""
    before = os.times()
    command = [sys.executable, "-c", program, *words]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **environment})
    after = os.times()
    took = after.children_user + after.children_system
    return took - before.children_user - before.children_system


def _help(words: list[str]) -> None:
    subprocess.run([sys.executable, *words, "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
