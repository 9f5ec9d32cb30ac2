"""What a search looks at, told by address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from core.domain import Bars, FloatArray, IntArray
from core.kernel.addresses import address_of
from core.sizing import Gauges

# A frame: the addresses of prices, of what sizes an entry and how many values that has, and of the columns.
OPEN, HIGH, LOW, CLOSE, VOLATILITY, FIT, VOLATILITY_SIZE, FIT_SIZE, COLUMNS = range(9)


class Group(NamedTuple):
    """What sets with the same columns look at."""

    columns: Any
    measured: Gauges


def frames_of(bars: Bars, groups: Sequence[Group]) -> tuple[IntArray, list[FloatArray]]:
    """Return a frame for each group, and the arrays that lie there, to be held meanwhile."""
    length, found = bars.close.size, []
    held: list[FloatArray] = []
    known: dict[int, int] = {}

    def address(column: Any, wanted: int) -> int:
        if id(column) not in known:
            plain = np.ascontiguousarray(column, np.float64)
            if plain.shape != (wanted,):
                raise ValueError(f"a column has the shape {plain.shape}, there are {wanted} bars")
            held.extend((column, plain))
            known[id(column)] = address_of(plain)
        return known[id(column)]

    prices = [address(column, length) for column in bars[1:5]]
    for columns, measured in groups:
        sizes = [gauge.size if gauge.size == 1 else length for gauge in measured]
        gauges = [address(gauge, size) for gauge, size in zip(measured, sizes, strict=True)]
        found.append([*prices, *gauges, *sizes, *(address(column, length) for column in columns)])
    return np.array(found, np.int64), held
