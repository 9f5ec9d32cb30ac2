"""Backtests in processes of their own, and Ctrl-C, which a terminal sends to all of them at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from core.domain import Costs, Series
from core.multi_backtester import Job, run_jobs
from core.results.runs import RunSpec, describe_data
from tests.markets import random_bars
from tests.processes import ending_with, linux
from tests.tiers import programs

SERIES = Series("binanceus", "BTC/USDT", "1h")
JOB = Job(random_bars(1, 400), RunSpec(SERIES, "MR_BB", {}, Costs(), 1_000.0))


PROGRAM = f"""
import os, signal, sys
sys.path.insert(0, {str(cli.ROOT)!r})
from core import cli
from tests.integration import test_multi_backtester as test

if __name__ == "__mp_main__":
    # A worker that has only begun to start: what Ctrl-C does on a terminal.
    os.killpg(0, signal.SIGINT)
if __name__ == "__main__":
    cli.run(lambda: len(list(test.run_jobs([test.JOB], 2))))
"""


@programs
def test_an_interrupt_while_a_process_starts_ends_it_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert done.stderr.splitlines() == ["interrupted: what was finished is saved"]
    assert done.returncode == cli.INTERRUPTED


KILLED = f"""
import sys
sys.path.insert(0, {str(cli.ROOT)!r})
from tests.integration import test_multi_backtester as test

if __name__ == "__main__":
    for _ in test.run_jobs([test.JOB] * 100_000, 2):
        print("one is done", flush=True)
"""


@programs
@linux
def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(KILLED)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"one is done\n"
        with ending_with(parent.pid):
            parent.kill()
            parent.wait()


def test_who_wants_no_more_results_waits_for_none() -> None:
    results = run_jobs([JOB, JOB, JOB], 2)
    assert next(iter(results)).records
    results.close()  # type: ignore[attr-defined]


@programs
@pytest.mark.parametrize(("engine", "workers"), [("backtesting", 1), ("fast", 1), ("fast", 2)])
def test_candles_that_were_described_once_are_not_described_again(engine: str, workers: int) -> None:
    marked = describe_data(JOB.bars, SERIES)._replace(sha256="made before")
    results = run_jobs([JOB._replace(data=marked), JOB], workers, engine)
    # In the order in which they are done.
    described, plain = sorted(results, key=lambda result: result.data != marked)
    assert described.data == marked
    assert plain.data == describe_data(JOB.bars, SERIES)
    assert described.records == plain.records
