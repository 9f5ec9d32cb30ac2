"""Long columns of numbers as short text inside a page; `unpack` in chart.js reads them back.

A column becomes whole numbers of its last decimal, then differences, then four planes of bytes, compressed: a
year of one-minute candles takes about 3 MB. Prices come back to the last digit they were quoted in.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from core.domain import Bars, FloatArray, IntArray

MOST_DIGITS = 12
LIMIT = 2**31
"""What is kept of a column stays below this."""


def packed(values: FloatArray, digits: int | None = None) -> dict[str, Any]:
    """Return a column of finite numbers as `{"digits", "data"}`.

    It keeps so many decimals, else as few as give every value back; fewer where the numbers are too large.
    """
    wanted = _digits_of(values) if digits is None else digits
    while _is_too_large([steps := np.diff(np.rint(values * 10.0**wanted), prepend=0.0)]):
        wanted -= 1
    return {"digits": wanted, "data": _planes(steps)}


def packed_times(times: IntArray) -> list[list[int]]:
    """Return ascending times as stretches `[first, step, count]`, each regular."""
    steps = np.diff(times)
    usual = int(np.median(steps)) if steps.size else 0
    begins = np.concatenate([[0], np.flatnonzero(steps != usual) + 1])
    counts = np.diff(np.append(begins, times.size)).tolist()
    return [[first, usual, count] for first, count in zip(times[begins].tolist(), counts, strict=True)]


def packed_bars(bars: Bars) -> dict[str, Any]:
    """Return candles without volumes: each open against the close before, the rest as distances."""
    columns = (bars.open, bars.high, bars.low, bars.close)
    digits = max(_digits_of(column) for column in columns)
    while _is_too_large(parts := _distances(*(np.rint(column * 10.0**digits) for column in columns))):
        digits -= 1
    names = ("jump", "body", "above", "below")
    planes = {name: _planes(part) for name, part in zip(names, parts, strict=True)}
    return {"digits": digits, "times": packed_times(bars.ts), **planes}


def packed_json(value: Any) -> str:
    """Return any JSON value, compressed. Raises ValueError for NaN and infinity."""
    return deflated(json.dumps(value, allow_nan=False, separators=(",", ":")).encode())


def deflated(data: bytes) -> str:
    """Return bytes as text, compressed."""
    return base64.b64encode(zlib.compress(data, 6)).decode()


def _distances(
    opens: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray
) -> tuple[FloatArray, ...]:
    before = np.concatenate([[0.0], close[:-1]])
    top, bottom = np.maximum(opens, close), np.minimum(opens, close)
    return opens - before, close - opens, high - top, bottom - low


def _is_too_large(columns: Iterable[FloatArray]) -> bool:
    return any(column.size and float(np.abs(column).max()) >= LIMIT for column in columns)


def _planes(whole: FloatArray) -> str:
    return deflated(whole.astype("<i4").view(np.uint8).reshape(-1, 4).T.tobytes())


def _digits_of(values: FloatArray) -> int:
    """Return the fewest decimals that give every value back exactly, or the most there are."""
    for digits in range(MOST_DIGITS):
        if np.array_equal(np.rint(values * 10.0**digits) / 10.0**digits, values):
            return digits
    return MOST_DIGITS
