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
FIRST_RESULT, FIRST_EVER = 1.0, 2.5
FIRST_RUN = """
from scripts import cli
cli.start_sooner()
import numpy as np
from core.domain import Bars, Costs, Series
from core.backtest.fast_backtester import run_fast
from core.results.runs import RunSpec

close = 100 + np.cumsum(np.random.default_rng(7).normal(0, 0.3, 5000))
bars = Bars(3_600_000 * np.arange(5000), close, close + 0.2, close - 0.2, close, np.ones(5000))
result = run_fast(bars, RunSpec(Series("bench", "BTC/USDT", "1h"), "TREND_EMA", {}, Costs(), 10_000.0))
assert result.summary.trades_count > 0
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
    kept, fresh = folder / "kept", count()
    again = partial(_first_run, lambda: kept)
    # What is not timed fills the folder.
    yield Case("first compiled result of a new process", again, target=FIRST_RESULT, prepare=again)
    anew = partial(_first_run, lambda: folder / f"fresh-{next(fresh)}")
    yield Case("the same, a rule's first time ever", anew, target=FIRST_EVER, repeat=3)


def _first_run(kernels: Callable[[], Path]) -> None:
    """Run a strategy in a process that finds compiled code in this folder, or leaves it there."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kernels())}
    subprocess.run([sys.executable, "-c", FIRST_RUN], cwd=ROOT, check=True, env=environment)


def _help(words: list[str]) -> None:
    subprocess.run([sys.executable, *words, "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
