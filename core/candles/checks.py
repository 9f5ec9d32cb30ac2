"""Which candles may be stored, and why the others may not.

Rows may come in any order; the good ones go out oldest first. A row that repeats another with the
same values is dropped and counted in `repeated`. Rows that give one open time different values are
all refused, because nothing says which is right. So the result does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.candles.frames import COLUMNS
from core.domain import Bars, IntArray
from core.errors import NoDataError
from core.utils import format_time, grid_start

BoolArray = NDArray[np.bool_]

EARLIEST = 1_230_940_800_000
"""2009-01-03 UTC, bitcoin's first block: an older stamp is not a candle's time in ms."""

DAY = 86_400_000
MOST_REFUSED = 1_000_000
"""Refused rows after which a file is none of candles: each has a reason of its own, which takes memory."""


class RefusedRow(NamedTuple):
    """A row that may not be stored."""

    row: int
    """Index in what was checked, from 0."""
    reason: str


class Checked(NamedTuple):
    """Rows told apart: good + refused + repeated are all rows."""

    good: Bars
    """Oldest first, each open time once."""
    refused: tuple[RefusedRow, ...]
    """In the order of their rows."""
    repeated: int = 0
    """Rows dropped because an equal one is in `good`."""
    out_of_order: int = 0
    """Rows whose open time is before that of the row above them."""


class _Check(NamedTuple):
    broken: BoolArray
    reason: Callable[[int], str]


def check_candles(bars: Bars, timeframe_ms: int, now: int) -> Checked:
    """Tell the bars that may be stored from those that may not, as of `now` (ms UTC).

    A bar is good when its open time is plausible, on the grid and a whole timeframe ago, its prices are
    finite and positive with low <= open, close <= high, its volume is finite and not negative, and no
    other bar claims the same open time with other values.
    """
    broken = np.zeros(len(bars.ts), dtype=np.bool_)
    reasons: dict[int, str] = {}
    for check in (*_stamp_checks(bars.ts, timeframe_ms, now), *_value_checks(bars)):
        found = np.flatnonzero(check.broken & ~broken)
        require_few(len(reasons) + len(found), partial(_first, check, found))
        reasons.update((row, check.reason(row)) for row in found.tolist())
        broken |= check.broken
    rows = np.flatnonzero(~broken)
    rows = rows[np.argsort(bars.ts[rows], kind="stable")]
    same, disputed = _duplicates(bars, rows)
    alike = rows[disputed]
    require_few(len(reasons) + len(alike), lambda: _disputed(bars, int(alike[0])))
    reasons.update((row, _disputed(bars, row)) for row in alike.tolist())
    kept = rows[~same & ~disputed]
    refused = tuple(RefusedRow(row, reasons[row]) for row in sorted(reasons))
    return Checked(
        _pick(bars, kept),
        refused,
        repeated=len(rows) - len(kept) - int(disputed.sum()),
        out_of_order=int((bars.ts[1:] < bars.ts[:-1]).sum()),
    )


def _first(check: _Check, rows: IntArray) -> str:
    return check.reason(int(rows[0]))


def require_few(count: int, reason: Callable[[], str]) -> None:
    """Raise NoDataError when so many rows are refused that this is something else than candles."""
    if count > MOST_REFUSED:
        raise NoDataError(f"{count:,} rows cannot be candles ({reason()}); is it another file?")


def is_plausible(ts: IntArray, now: int) -> BoolArray:
    """Tell which numbers can be a candle's open time in ms: from 2009 to a day after `now`."""
    plausible: BoolArray = (ts >= EARLIEST) & (ts <= now + DAY)
    return plausible


def usual_step(ts: IntArray) -> int | None:
    """Return the step in ms between most neighbours in time; None below 5 steps or without a majority."""
    # Sorting what is nearly sorted is much sooner than finding out what is there.
    steps = np.diff(np.sort(ts))
    steps = steps[steps > 0]
    if len(steps) < 5:
        return None
    values, counts = np.unique(steps, return_counts=True)
    most = int(counts.argmax())
    return int(values[most]) if 2 * counts[most] > len(steps) else None


def _stamp_checks(ts: IntArray, step: int, now: int) -> list[_Check]:
    return [
        _Check(
            ~is_plausible(ts, now),
            lambda row: f"open time {ts[row]} is not a plausible time in ms UTC (2009 to tomorrow)",
        ),
        _Check(
            (ts - grid_start(step)) % step != 0,
            lambda row: f"open time {format_time(int(ts[row]))} ({ts[row]}) is off the timeframe's grid",
        ),
        _Check(
            ts > now - step,
            lambda row: (
                f"not closed yet: it closes at {format_time(int(ts[row]) + step)}, now is {format_time(now)}"
            ),
        ),
    ]


def _value_checks(bars: Bars) -> list[_Check]:
    # Written as "not good", so that NaN, which compares false with everything, is caught.
    checks = [
        _Check(~((column > 0) & np.isfinite(column)), _says(f"{name} {{}} is not a positive price", column))
        for name, column in zip(COLUMNS[:4], bars[1:5], strict=True)
    ]
    checks.append(
        _Check(
            ~((bars.volume >= 0) & np.isfinite(bars.volume)),
            _says("volume {} is not a number from 0 up", bars.volume),
        )
    )
    checks.append(_Check(bars.high < bars.low, _says("high {} is below low {}", bars.high, bars.low)))
    for name, column in (("open", bars.open), ("close", bars.close)):
        outside = (column < bars.low) | (column > bars.high)
        text = name + " {} is outside low {} to high {}"
        checks.append(_Check(outside, _says(text, column, bars.low, bars.high)))
    return checks


def _says(text: str, *columns: NDArray[np.float64]) -> Callable[[int], str]:
    return lambda row: text.format(*(f"{column[row]:.15g}" for column in columns))


def _duplicates(bars: Bars, rows: IntArray) -> tuple[BoolArray, BoolArray]:
    """Return, for rows sorted by ts, which repeat the row before them and which share a disputed ts."""
    ts = bars.ts[rows]
    again = ts[1:] == ts[:-1]
    differs = np.zeros(len(again), dtype=np.bool_)
    for column in bars[1:]:
        differs |= column[rows[1:]] != column[rows[:-1]]
    same = np.concatenate(([False], again))[: len(rows)]
    disputed = np.isin(ts, ts[1:][again & differs])
    return same & ~disputed, disputed


def _disputed(bars: Bars, row: int) -> str:
    ts = int(bars.ts[row])
    return f"open time {format_time(ts)} ({ts}) is given more than once with different values"


def _pick(bars: Bars, rows: IntArray) -> Bars:
    if np.array_equal(rows, np.arange(len(bars.ts))):
        # All of them, as they are: nothing is held twice.
        return bars._replace(volume=bars.volume + 0.0)
    volume = bars.volume[rows] + 0.0  # -0.0 becomes 0.0: equal values, equal bits
    return Bars(bars.ts[rows], bars.open[rows], bars.high[rows], bars.low[rows], bars.close[rows], volume)
