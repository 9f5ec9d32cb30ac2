"""Text and numbers of a candle file, read exactly or refused with a reason.

A file gives its open times in ms, seconds, µs, ns or as text. Which of them is never guessed from one row:
the form in which most of the file's rows fall between 2009 and tomorrow is the file's form, and a row that
does not fall there in that form is refused. A day alone is a UTC day; an hour that names no zone is in the
zone that the file's kind or the user says, and refused if neither does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.candles.checks import is_plausible, require_few
from core.domain import NAN, FloatArray, IntArray
from core.errors import NoDataError, UsageError

ISO = "text"
_UNITS = {"ms": (1, 1), "seconds": (1000, 1), "µs": (1, 1000), "ns": (1, 1_000_000)}
"""What makes ms of them: times the first, divided by the second. Their plausible ranges do not touch."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = range(-(2**63), 2**63)
NO_WHOLE_MS = "is not a whole millisecond"
NO_ZONE = "names no time zone: give timezone='UTC', or the zone that it is in"
_OTHER_FORMS = ("%Y-%m-%d %I-%p", "%b %d, %Y", "%B %d, %Y")
"""Besides ISO 8601: 2019-10-17 09-AM as CryptoDataDownload writes, Apr 28, 2013 as CoinMarketCap does."""
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_ZONES = (" UTC", " GMT", " Z")


class Times(NamedTuple):
    """Open times as a file gives them."""

    values: IntArray
    """ms UTC where `is_ms`, else a number whose unit is still to be decided."""
    is_ms: NDArray[np.bool_]
    is_local: bool = False
    """Whether one of them took the zone that was given for those that name none."""


class ReadTimes(NamedTuple):
    """Open times in ms UTC."""

    ts: IntArray
    """Meaningless in the rows that are refused."""
    form: str
    """How the file gives its times: ms, seconds, µs, ns or ISO text."""
    reasons: dict[int, str]
    """Why rows are refused, by row."""


def zone_named(name: str) -> tzinfo:
    """Return a time zone such as UTC or Europe/Berlin. Raises UsageError for an unknown one."""
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise UsageError(f"unknown time zone {name!r}: wanted a name such as UTC or Europe/Berlin") from None


def read_numbers(name: str, cells: Sequence[str]) -> tuple[FloatArray, dict[int, str]]:
    """Return the cells of column `name` as float64, NaN where refused, and the reasons by row."""
    if not _underscored(cells):
        try:
            return np.fromiter(map(float, cells), np.float64, len(cells)), {}
        except ValueError:
            pass
    values, reasons = np.full(len(cells), NAN), {}
    for row, cell in enumerate(cells):
        try:
            values[row] = float("" if _underscored(cell) else cell)
        except ValueError:
            reasons[row] = _no_number(name, cell)
    return values, reasons


def _no_number(name: str, cell: str) -> str:
    if not cell.strip():
        return f"{name} is empty"
    has_comma = _DECIMAL_COMMA.fullmatch(cell.strip()) is not None
    why = f", but one with a decimal comma: write {cell.strip().replace(',', '.')}" if has_comma else ""
    return f"{name} {_shown(cell)} is not a number{why}"


def read_times(cells: Sequence[str], zone: tzinfo | None = None) -> tuple[Times, dict[int, str]]:
    """Return the cells as times of a unit still to be decided, and the reasons by refused row.

    Text that names no zone is in `zone`.
    """
    if not _underscored(cells):
        try:
            return undecided(np.fromiter(map(int, cells), np.int64, len(cells))), {}
        except (ValueError, OverflowError):
            pass
    times, reasons, is_local = undecided(np.zeros(len(cells), np.int64)), {}, False
    for row, cell in enumerate(cells):
        time = _time(cell.strip(), zone)
        if isinstance(time, str):
            reasons[row] = f"time {_shown(cell)} {time}" if cell.strip() else "time is empty"
        else:
            times.values[row], times.is_ms[row], took_zone = time
            is_local |= took_zone
    return times._replace(is_local=is_local), reasons


def undecided(values: IntArray) -> Times:
    """Return numbers as times of a unit still to be decided."""
    return Times(values, np.zeros(len(values), np.bool_))


def in_milliseconds(times: Times, now: int) -> Times:
    """Return times whose unit may differ from row to row in ms; what is a time in no unit is left."""
    values = times.values.copy()
    for unit in _UNITS:
        ms = _to_ms(times.values, unit)
        rows = is_plausible(ms, now) & (_from_ms(ms, unit) == times.values) & ~times.is_ms
        values[rows] = ms[rows]
    return times._replace(values=values)


def decide_times(times: Times, readable: NDArray[np.bool_], now: int) -> ReadTimes:
    """Decide in which form a whole file gives its times, and convert them, as of `now` (ms UTC).

    `readable` tells the rows whose time could be read at all.
    Raises NoDataError when two forms fit equally many rows.
    """
    # One form at a time: all of them at once take several times the memory of the file's numbers.
    counts = {form: int(_fits(times, readable, form, now).sum()) for form in (*_UNITS, ISO)}
    form, *rivals = sorted(counts, key=counts.__getitem__, reverse=True)
    if counts[form] and counts[form] == counts[rivals[0]]:
        raise NoDataError(
            f"{counts[form]} rows give the time in {form} and as many in {rivals[0]}: split the file in two"
        )
    fits, ts = _fits(times, readable, form, now), _as_ms(times, form)
    misfits = np.flatnonzero(readable & ~fits)
    split = np.flatnonzero(fits & (_from_ms(ts, form) != times.values))
    require_few(len(misfits) + len(split), lambda: f"time {times.values[[*misfits[:1], *split[:1]][0]]}")
    reasons = {row: _misfit(times, row, form) for row in misfits.tolist()}
    reasons |= {row: f"time {times.values[row]} ({form}) {NO_WHOLE_MS}" for row in split.tolist()}
    return ReadTimes(ts, form, reasons)


def _fits(times: Times, readable: NDArray[np.bool_], form: str, now: int) -> NDArray[np.bool_]:
    fits: NDArray[np.bool_] = readable & (times.is_ms == (form == ISO))
    return fits & is_plausible(_as_ms(times, form), now)


def _as_ms(times: Times, form: str) -> IntArray:
    return times.values if form == ISO else _to_ms(times.values, form)


def _underscored(cells: Sequence[str]) -> bool:
    # Python reads 1_000 as a thousand; nobody who writes candle files means that.
    return "_" in "".join(cells)


def _shown(cell: str) -> str:
    text = cell.strip()
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _time(cell: str, zone: tzinfo | None) -> tuple[int, bool, bool] | str:
    """Return (number, is it ms, did it take the zone), or why it is no time."""
    if _underscored(cell):
        return "is not a time"
    try:
        number = float(cell)
    except ValueError:
        return _text(cell, zone)
    if not number.is_integer():
        return "is not a whole number"
    value = int(cell) if cell.lstrip("+-").isdecimal() else int(number)
    return (value, False, False) if value in _INT64 else "is out of range"


def _text(cell: str, zone: tzinfo | None) -> tuple[int, bool, bool] | str:
    named = next((name for name in _ZONES if cell.endswith(name)), "")
    moment = _moment(cell.removesuffix(named))
    if moment is None:
        return "is not a time: wanted ms UTC or 2024-01-31 12:00:00"
    took_zone = moment.tzinfo is None and not named
    if took_zone:
        if zone is None and (moment.hour or moment.minute or moment.second or ":" in cell):
            return NO_ZONE
        moment = moment.replace(tzinfo=zone or UTC)
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            return f"comes twice or never in {zone}, where clocks are changed then"
    ms, rest = divmod(moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH, timedelta(milliseconds=1))
    return NO_WHOLE_MS if rest else (ms, True, took_zone)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _OTHER_FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is looked for by the caller
        except ValueError:
            continue
    return None


def _to_ms(values: IntArray, unit: str) -> IntArray:
    times, over = _UNITS[unit]
    # Clipped, so that a wild number stays wild instead of wrapping round into the plausible.
    ms: IntArray = np.clip(values, -(2**53), 2**53) * times if over == 1 else values // over
    return ms


def _from_ms(ms: IntArray, form: str) -> IntArray:
    times, over = _UNITS.get(form, (1, 1))
    values: IntArray = ms * over // times
    return values


def _misfit(times: Times, row: int, form: str) -> str:
    if times.is_ms[row] != (form == ISO):
        return f"time is in another form than in the rest of the file, which has {form}"
    return f"time {times.values[row]} ({'ms' if form == ISO else form}) is not between 2009 and tomorrow"
