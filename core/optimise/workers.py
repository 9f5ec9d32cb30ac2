"""Sets run here on threads, or by processes of this machine: the figures are the same bit for bit.

Each run is one set on one series alone, whatever runs beside it: how sets are dealt out, and who runs them,
changes nothing. A process that is killed is replaced, and what it had not finished is run again.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, Series
from core.errors import HotCryptoError
from core.optimise.objectives import KEPT, kept_figures
from core.optimise.study import ParamSets
from core.optimise.sweep import sweep
from core.utils import end_with_parent, interrupts_held_back
from strategies.pairing import Partners
from strategies.registry import folder_in_use, use_folder

LOST = 20
"""Times that processes are replaced before it is given up: something kills them all."""
PIECES = 4
"""Parts of a batch for each process, so that none waits long for another's last one."""


class Workload(NamedTuple):
    """What every set runs on."""

    markets: Mapping[Series, Bars]
    partners: Mapping[Series, Partners]
    strategy: str
    costs: Costs
    cash: float


class HereRunner:
    """Runs sets in this process, on as many threads as there are cores."""

    def __init__(self, load: Workload, threads: int | None = None) -> None:
        self._load, self._threads = load, threads

    def __call__(self, sets: ParamSets) -> FloatArray:
        """Return what the sets come to, shape (series, sets, KEPT)."""
        return figures_of(self._load, sets, self._threads)


class ProcessRunner:
    """Runs sets by processes, which read the candles once, from a file of this runner's.

    Not from their pipe: who writes more into that than it holds waits for ever for a process that was killed
    while it began.
    """

    def __init__(self, load: Workload, workers: int) -> None:
        self._load, self._workers, self.lost = load, workers, 0
        self._pool: ProcessPoolExecutor | None = None
        self._file: Path | None = None

    def __call__(self, sets: ParamSets) -> FloatArray:
        """Return what the sets come to. Raises HotCryptoError when processes end again and again."""
        found = np.full((len(self._load.markets), len(sets), len(KEPT)), np.nan)
        left = list(pieces_of(len(sets), PIECES * self._workers))
        while left:
            with interrupts_held_back():
                self._open(len(left))
                futures = [(piece, self._submit([*sets[piece]])) for piece in left]
            left = [piece for piece, future in futures if not _filled(future, found, piece)]
            if left:
                self._replace()
        return found

    def close(self) -> None:
        """End the processes, without waiting for what they run, and remove the file."""
        self._end()
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None

    def _end(self) -> None:
        if self._pool is not None:
            children = [*(self._pool._processes or {}).values()]
            self._pool.shutdown(wait=False, cancel_futures=True)
            for child in children:
                child.terminate()
            self._pool = None

    def _open(self, pieces: int) -> None:
        """Have as many processes as are wanted, or as have something to do."""
        if self._pool is None:
            context, given = multiprocessing.get_context("spawn"), (folder_in_use(), self._written())
            self._pool = ProcessPoolExecutor(min(self._workers, pieces), context, _begin, given)

    def _written(self) -> Path:
        """Return the file with what all sets run on, this user's alone; write it if it is not there."""
        if self._file is None:
            with NamedTemporaryFile(prefix="hot-crypto-", suffix=".candles", delete=False) as file:
                self._file = Path(file.name)
                pickle.dump(self._load, file, pickle.HIGHEST_PROTOCOL)
        return self._file

    def _submit(self, sets: ParamSets) -> Future[FloatArray] | None:
        if self._pool is None:
            return None
        try:
            return self._pool.submit(_run_here, [dict(params) for params in sets])
        except BrokenProcessPool:
            return None

    def _replace(self) -> None:
        self.lost += 1
        self._end()
        if self.lost > LOST:
            raise HotCryptoError(
                f"worker processes ended {self.lost} times before their work was done: fewer --workers need "
                "less memory"
            )


def pieces_of(count: int, most: int) -> Iterator[slice]:
    """Yield so many sets in equal pieces, `most` of them at most."""
    length = max(1, -(-count // most))
    yield from (slice(start, min(start + length, count)) for start in range(0, count, length))


def figures_of(load: Workload, sets: ParamSets, threads: int | None) -> FloatArray:
    """Return what sets come to, shape (series, sets, KEPT)."""
    table = sweep(load.markets, load.strategy, sets, load.costs, load.cash, threads, load.partners)
    return kept_figures(table, len(load.markets))


def _filled(future: Future[FloatArray] | None, found: FloatArray, piece: slice) -> bool:
    """Fill in what a piece came to; tell whether it came to anything: its process may have been killed."""
    if future is None:
        return False
    try:
        found[:, piece] = future.result()
    except BrokenProcessPool:
        return False
    return True


_here: list[Workload] = []
"""What this worker process runs sets on."""


def _begin(folder: str | None, file: Path) -> None:
    end_with_parent()
    use_folder(folder)
    # Written by the process that started this one, a moment ago.
    _here[:] = [pickle.loads(file.read_bytes())]  # noqa: S301


def _run_here(sets: Sequence[Mapping[str, float]]) -> FloatArray:
    return figures_of(_here[0], sets, 1)
