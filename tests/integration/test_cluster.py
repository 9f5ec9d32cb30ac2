"""A search by workers of a Dask scheduler on this machine: the same bits, whoever is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from core import cli
from core.domain import Costs, FloatArray, Series
from core.errors import ClusterError, UsageError
from core.optimise import cluster
from core.optimise.cluster import ClusterRunner
from core.optimise.space import choose_sets, searched_space
from core.optimise.workers import Workload, figures_of
from scripts.optimize import main
from strategies.registry import load_strategy
from tests.markets import random_bars
from tests.stored import make_database, url_of

pytestmark = pytest.mark.unmeasured
needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="Dask distributed is not installed: make test-cluster"
)
SERIES = Series("binanceus", "BTC/USDT", "1h")
BARS = random_bars(1, 1500)
LOAD = Workload({SERIES: BARS}, {}, "TREND_EMA", Costs(0.001, 0.0), 10_000.0)
RULE = load_strategy("TREND_EMA").rule
SETS = choose_sets(RULE, searched_space(RULE, {}, {}), 60, 1)


Runner = TypeVar("Runner", bound=ClusterRunner)


class Here:
    """A scheduler on this machine, and workers that come and go."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._workers = folder, list[subprocess.Popen[str]]()
        words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
        self.scheduler, line = started(words, "Scheduler at:", cli.ROOT)
        self.address = line.split()[-1]

    def workers(self, count: int, root: Path = cli.ROOT) -> None:
        """Have so many, each with one thread, that know the project in this folder."""
        words = ["worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        words += ["--host", "127.0.0.1", "--local-directory", str(self._folder), "--death-timeout", "60"]
        for _ in range(count - len(self._workers)):
            process, _ = started(words, "Registered to:", root)
            self._workers.append(process)

    def kill(self, count: int) -> None:
        for process in self._workers[:count]:
            ended(process)
        del self._workers[:count]

    def end(self) -> None:
        self.kill(len(self._workers))
        ended(self.scheduler)


def started(words: list[str], sign: str, folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a program of Dask; return it with the line that says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "default"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    return process, next(line for line in process.stderr if sign in line)


def ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    found = Here(tmp_path_factory.mktemp("dask"))
    yield found
    found.end()


@contextmanager
def closing(runner: Runner) -> Iterator[Runner]:
    try:
        yield runner
    finally:
        runner.close()


@pytest.fixture(scope="module")
def alone() -> FloatArray:
    return figures_of(LOAD, SETS, 1)


class Pickled(str):
    """A name that counts how often it is sent."""

    times = 0

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        type(self).times += 1
        return str, (str(self),)


@needs_dask
def test_the_figures_are_the_same_bit_for_bit_and_candles_are_sent_once(
    here: Here, alone: FloatArray
) -> None:
    here.workers(2)
    with closing(ClusterRunner(LOAD._replace(strategy=Pickled("TREND_EMA")), here.address)) as runner:
        parts = [runner(SETS[start : start + 20]) for start in (0, 20, 40)]
        assert np.concatenate(parts, axis=1).tobytes() == alone.tobytes()
        assert Pickled.times == 1
        held = runner._client.has_what()
        assert len(held) == 2
        # What was sent is kept for good, whichever of them Dask brought it to by now.
        assert any(runner._sent.key in keys for keys in held.values())
        assert runner.lost == 0


class Assassin(ClusterRunner):
    """Kills workers while they have work, once."""

    here: Here
    count = 1
    newcomers = 0

    def _wait(self, futures: Iterable[Any]) -> None:
        if self.count:
            self.here.kill(self.count)
            self.count = 0
            self.here.workers(self.newcomers)
        super()._wait(futures)


@needs_dask
def test_a_worker_that_is_killed_changes_nothing(here: Here, alone: FloatArray) -> None:
    here.workers(2)
    with closing(Assassin(LOAD, here.address)) as runner:
        runner.here = here
        assert runner(SETS).tobytes() == alone.tobytes()
        assert runner(SETS[:5]).tobytes() == alone[:, :5].tobytes()
        assert runner.lost == 1


@needs_dask
def test_when_all_were_killed_a_newcomer_is_sent_the_candles_again(here: Here, alone: FloatArray) -> None:
    here.workers(1)
    with closing(Assassin(LOAD, here.address)) as runner:
        runner.here, runner.newcomers = here, 1
        assert runner(SETS).tobytes() == alone.tobytes()


@needs_dask
def test_without_a_worker_it_ends_with_one_line(here: Here) -> None:
    here.workers(1)
    with closing(Assassin(LOAD, here.address, patience=1)) as runner:
        runner.here = here
        with pytest.raises(ClusterError, match=r"has no worker any more or does not answer .* --resume goes"):
            runner(SETS)
    with pytest.raises(ClusterError, match=f"the scheduler {here.address} has no worker: start some"):
        ClusterRunner(LOAD, here.address, patience=1)


@needs_dask
def test_a_worker_of_another_version_is_refused(here: Here) -> None:
    here.workers(1)
    with closing(ClusterRunner(LOAD, here.address)) as runner:
        runner._made_of = "0.1.0+made.of.others"
        with pytest.raises(UsageError, match=r"other code or other libraries \(0.1.0\+made\.\w+\) than this"):
            runner(SETS[:2])


@needs_dask
def test_a_worker_that_does_not_know_the_project_is_one_line(here: Here, tmp_path: Path) -> None:
    here.kill(9)
    here.workers(1, tmp_path)
    said = (
        "a worker of it does not know HOT-Crypto (ModuleNotFoundError): start all of them in this project's"
    )
    runner = ClusterRunner(LOAD, here.address)
    try:
        with closing(runner), pytest.raises(UsageError, match=re.escape(said)):
            runner(SETS[:2])
    finally:
        here.kill(1)


@needs_dask
def test_a_search_of_the_command_comes_to_the_same(here: Here, tmp_path: Path) -> None:
    here.workers(2)
    words = ["--strategy", "TREND_EMA", "--symbol", "BTC/USDT", "--timeframe", "1h", "--use-sql"]
    words += [
        "--db-url",
        url_of(make_database(tmp_path, BARS, SERIES)),
        "--min-trades",
        "1",
        "--trials",
        "40",
    ]
    found = []
    for number, more in enumerate(((), ("--scheduler", here.address.removeprefix("tcp://")))):
        assert main([*words, *more, "--json", str(tmp_path / f"{number}.json")]) == 0
        found.append((tmp_path / f"{number}.json").read_text().partition('"sha256":')[2][:70])
    assert found[0] == found[1]


@needs_dask
def test_a_scheduler_that_ends_is_one_line(tmp_path: Path) -> None:
    own = Here(tmp_path)
    own.workers(1)
    runner = ClusterRunner(LOAD, own.address, patience=1)
    own.end()
    with closing(runner), pytest.raises(ClusterError, match="does not answer"):
        runner(SETS)
    with pytest.raises(ClusterError, match=f"no scheduler answers at {own.address} "):
        ClusterRunner(LOAD, own.address, patience=1)


def test_without_dask_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        UsageError, match="not installed: `make cluster` installs it, here and on every machine"
    ):
        ClusterRunner(LOAD, "tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["nowhere", "1.2.3.4:", "a b:1", "udp://x:1", "x:999999"])
def test_an_address_that_is_none_is_refused_before_anything_is_read(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--strategy", "TREND_EMA", "--scheduler", address])
    assert f"wanted HOST:PORT, such as 10.0.0.5:8786, got {address!r}" in capsys.readouterr().err


def test_what_a_worker_runs_is_what_is_run_here(alone: FloatArray) -> None:
    made = cluster.made_of("TREND_EMA")
    assert cluster.run_there(LOAD, None, made, SETS).tobytes() == alone.tobytes()
    with pytest.raises(UsageError, match="a worker has other code"):
        cluster.run_there(LOAD, None, "other", SETS)
