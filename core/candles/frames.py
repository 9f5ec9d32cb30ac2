"""Bars in and out of data frames, their gaps and their fingerprint."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.domain import Bars, FloatArray
from core.errors import UsageError
from core.utils import as_ms

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["open", "high", "low", "close", "volume"]


class Gaps(NamedTuple):
    """Missing bars of a series."""

    holes: int
    """Places where at least one bar is missing."""
    missing: int
    """Bars missing in all."""


def empty_bars() -> Bars:
    """Return bars of length 0."""
    return Bars(np.empty(0, np.int64), *(np.empty(0) for _ in COLUMNS))


def bars_from_frame(frame: pd.DataFrame) -> Bars:
    """Return the frame's bars; the index must be a tz-aware UTC DatetimeIndex of open times.

    Raises KeyError when one of open, high, low, close, volume is missing.
    """
    import pandas as pd

    index = pd.DatetimeIndex(frame.index)
    stamps = index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    return Bars(stamps, *(_float_column(frame, name) for name in COLUMNS))


def frame_from_bars(bars: Bars) -> pd.DataFrame:
    """Return a frame with columns open … volume on a tz-aware UTC index named `timestamp`."""
    # Here: what runs compiled never makes a frame, and importing pandas takes as long as a year of minutes.
    import pandas as pd

    index = pd.DatetimeIndex(bars.ts.astype("datetime64[ms]"), tz="UTC", name="timestamp")
    # One table, and no index of names made anew: a fifth of the time, and live trading makes one per candle.
    return pd.DataFrame(np.array(bars[1:]).T, index=index, columns=_names().view(), copy=False)


@cache
def _names() -> pd.Index:
    import pandas as pd

    return pd.Index(COLUMNS)


def candle_ms(time: object) -> int:
    """Return a candle's time, ms UTC. Raises UsageError for a time without a zone, and for what is none."""
    if isinstance(time, str) or (isinstance(time, datetime) and time.tzinfo is None):
        raise UsageError(f"candle time: wanted ms UTC or a time with a zone, got {time!r}")
    return as_ms(time)


def count_gaps(bars: Bars, timeframe_ms: int) -> Gaps:
    """Count the missing bars between the first and the last one."""
    steps = np.diff(bars.ts)
    holes = steps[steps > timeframe_ms]
    return Gaps(int(holes.size), int((holes // timeframe_ms - 1).sum()))


def bars_sha256(bars: Bars) -> str:
    """Return the SHA-256 of the columns ts, open … volume, little-endian, one after the other."""
    digest = hashlib.sha256()
    digest.update(bars.ts.astype("<i8").tobytes())
    for column in bars[1:]:
        digest.update(column.astype("<f8").tobytes())
    return digest.hexdigest()


def _float_column(frame: pd.DataFrame, name: str) -> FloatArray:
    return np.ascontiguousarray(frame[name].to_numpy(dtype=np.float64))
