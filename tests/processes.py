"""Processes that others have started, as Linux shows them."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

linux = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="processes are looked at as Linux shows them"
)


def children_of(pid: int) -> list[int]:
    """Return the processes that one has started and that still are."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, _, rest = stat.read_text().rpartition(") ")
            found += [int(stat.parent.name)] * (int(rest.split()[1]) == pid)
    return found


@contextmanager
def ending_with(pid: int, seconds: float = 60) -> Iterator[None]:
    """Expect that what a process has started ends with what is done to that process."""
    watched = [os.pidfd_open(child) for child in children_of(pid)]
    assert watched
    yield
    for child in watched:
        assert select.select([child], [], [], seconds)[0]
        os.close(child)
