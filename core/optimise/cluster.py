"""Sets run by the workers of a Dask scheduler, on this or other machines: figures are the same bit for bit.

Candles go to each worker once, sets in pieces. Dask gives the piece of a worker that is lost to another one;
where it gives up, and where the candles went with the worker, what is left is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np

from core.domain import FloatArray
from core.errors import ClusterError, HotCryptoError, UsageError
from core.optimise.objectives import KEPT
from core.optimise.study import ParamSets
from core.optimise.workers import LOST, PIECES, Workload, figures_of, pieces_of
from core.utils import steady_ms
from core.version import code_version
from strategies.registry import folder_in_use, load_strategy, use_folder

PATIENCE = 30
"""Seconds in which a scheduler has to answer, and has to have a worker, before it is given up."""
LOOK = 2
"""Seconds after which it is looked whether there still is a worker."""
MISSING = (
    "--scheduler needs Dask distributed, which is not installed: `make cluster` installs it, here and on "
    "every machine that is to work"
)


class ClusterRunner:
    """Runs sets by the workers of a scheduler."""

    def __init__(self, load: Workload, address: str, patience: float = PATIENCE) -> None:
        """Connect. Raises UsageError without Dask, ClusterError for a scheduler that is not there or has no
        worker.
        """
        self._load, self._address, self._patience, self.lost = load, address, patience, 0
        self._made_of = made_of(load.strategy)
        self._client, self._failures = connected(address, patience)
        self._sent: Any = None
        self._workers: set[str] = set()

    def __call__(self, sets: ParamSets) -> FloatArray:
        """Return what the sets come to, shape (series, sets, KEPT). Raises ClusterError, UsageError."""
        found = np.full((len(self._load.markets), len(sets), len(KEPT)), np.nan)
        left = [*pieces_of(len(sets), PIECES * self._cores())]
        tries = 0
        while left:
            try:
                left = self._filled(found, sets, left)
            except ImportError as error:
                raise self._foreign(error) from None
            except self._failures as error:
                # A scheduler unpacks what it passes on.
                raise (self._foreign if "deserializ" in f"{error}" else self._gone)(error) from None
            tries += bool(left)
            if tries > LOST:
                raise ClusterError(
                    f"workers of {self._address} ended {tries} times before their work was done: they may "
                    "lack memory; their own log says more"
                )
        return found

    def close(self) -> None:
        """Leave the scheduler, without waiting for what runs there."""
        self._client.close(timeout=LOOK)

    def _cores(self) -> int:
        """Return how many threads work there, and note workers that are gone."""
        try:
            self._client.wait_for_workers(1, timeout=self._patience)
            threads: Mapping[str, int] = self._client.nthreads()
        except self._failures as error:
            raise self._gone(error) from None
        self.lost += len(self._workers - threads.keys())
        self._workers = set(threads)
        return sum(threads.values())

    def _filled(self, found: FloatArray, sets: ParamSets, pieces: Sequence[slice]) -> list[slice]:
        """Fill in what these pieces come to; return those that came to nothing, as their workers ended."""
        from distributed import KilledWorker
        from distributed.client import CancelledError

        if self._sent is None:
            for known in self._client.run(find_spec, __name__, on_error="return").values():
                if isinstance(known, ImportError):
                    raise known
            # As a list: a tuple, which it is, would be sent a field at a time.
            self._sent = self._client.scatter([self._load], broadcast=True, hash=False)[0]
        told = folder_in_use(), self._made_of
        futures = {
            self._client.submit(run_there, self._sent, *told, [*sets[piece]], pure=False): piece
            for piece in pieces
        }
        self._wait(futures)
        left = []
        for future, piece in futures.items():
            try:
                found[:, piece] = future.result(timeout=self._patience)
            except (KilledWorker, CancelledError):
                left.append(piece)
        if left:
            # The candles may have gone with their workers.
            self._sent = None
        return left

    def _wait(self, futures: Iterable[Any]) -> None:
        """Wait while there is a worker; TimeoutError when there was none for too long."""
        from distributed import wait
        from distributed.client import CancelledError

        seen = steady_ms()
        # One whose candles are gone with a worker is cancelled, and the others go on.
        while left := [one for one in futures if one.status == "pending"]:
            with self._client.as_current(), suppress(TimeoutError, CancelledError):
                wait(left, timeout=LOOK)
            if self._client.nthreads():
                seen = steady_ms()
            elif steady_ms() - seen > 1000 * self._patience:
                raise TimeoutError("no worker")

    def _foreign(self, error: BaseException) -> HotCryptoError:
        return UsageError(
            f"the scheduler {self._address} or a worker of it does not know HOT-Crypto "
            f"({type(error).__name__}): start all of them in this project's folder (docs/scaling.md)"
        )

    def _gone(self, error: BaseException) -> HotCryptoError:
        text = " ".join(f"{error}".split()) or type(error).__name__
        return ClusterError(
            f"the scheduler {self._address} has no worker any more or does not answer ({text[:200]}): start "
            "them again, then --resume goes on with the search"
        )


def connected(address: str, patience: float) -> tuple[Any, tuple[type[BaseException], ...]]:
    """Return a client of a scheduler, and what it raises when that does not answer any more."""
    try:
        from distributed import Client
        from distributed.client import CancelledError
        from distributed.comm import CommClosedError
    except ImportError:
        raise UsageError(MISSING) from None
    # What it would write there is said in one line when it is given up.
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    failures = (TimeoutError, OSError, CommClosedError, CancelledError, RuntimeError)
    try:
        client = Client(address, timeout=patience, set_as_default=False)
    except (*failures, ValueError) as error:
        text = " ".join(f"{error}".split())
        raise ClusterError(
            f"no scheduler answers at {address} ({text[:200]}): start one (docs/scaling.md), or leave out "
            "--scheduler"
        ) from None
    try:
        client.wait_for_workers(1, timeout=patience)
    except failures:
        client.close(timeout=LOOK)
        raise ClusterError(
            f"the scheduler {address} has no worker: start some (docs/scaling.md), or leave out --scheduler"
        ) from None
    return client, failures


def run_there(
    load: Workload, folder: str | None, wanted: str, sets: Sequence[Mapping[str, float]]
) -> FloatArray:
    """Run sets in a worker. Raises UsageError where its code or its libraries are others than the asker's."""
    with _ONE:
        found = _made_of(folder, load.strategy)
    if found != wanted:
        raise UsageError(
            f"a worker has other code or other libraries ({found}) than this machine ({wanted}): bring it to "
            "the same version, `make cluster` there, and start it again"
        )
    return figures_of(load, sets, 1)


_ONE = Lock()
"""Threads of a worker begin one after the other."""


@cache
def _made_of(folder: str | None, strategy: str) -> str:
    # A worker that was started before its files were changed still has what it loaded.
    if folder != folder_in_use():
        use_folder(folder)
    return made_of(strategy)


def made_of(strategy: str) -> str:
    """Return the hash of all that figures come from: the rule, the engine, the libraries' versions."""
    return code_version([*load_strategy(strategy).modules, __name__])
