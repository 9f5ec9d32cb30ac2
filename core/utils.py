"""Helpers for time, logging and JSON: one way to say a time, a timeframe and a log line, and to read JSON."""

from __future__ import annotations

import json
import logging
import math
import multiprocessing
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from numbers import Integral
from typing import Any

from core.errors import UsageError, unknown_name

Clock = Callable[[], int]
"""Returns the time now, ms UTC."""

TIMEFRAMES: dict[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
}
"""Milliseconds per bar. `grid_start` says where their grids start."""

_WEEK = TIMEFRAMES["1w"]
_MONDAY = 4 * TIMEFRAMES["1d"]
"""1970-01-05: weeks start on Mondays, as Binance's do. All other grids start at 1970-01-01 UTC."""

_UNITS = {"m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": _WEEK}
_MONTHS = re.compile(r"\d+M|\d*(mo|mon|month)s?", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def float_text(value: float) -> str:
    """Return the shortest digits that are exactly this float; `float` of them is it, also of nan and inf."""
    return repr(float(value))


def json_of(text: str | bytes) -> Any:
    """Return the document that somebody else wrote. Raises ValueError for whatever is none."""
    try:
        return json.loads(text)
    except RecursionError:
        # Lists in lists without end; Python says so by an error of another kind.
        raise ValueError("it is nested too deeply") from None


def timeframe_ms(timeframe: str) -> int:
    """Return the length of one bar in ms. Raises UsageError for an unknown timeframe."""
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        raise UsageError(unknown_name("timeframe", timeframe, TIMEFRAMES)) from None


def timeframe_name(text: str) -> str:
    """Return a timeframe as this program writes it: `1d` for 1D, `1h` for 60m or 1H, `1w` for 7d.

    Raises UsageError for months, whose length differs, and for what is no timeframe.
    """
    text = text.strip()
    if text in TIMEFRAMES:
        return text
    if _MONTHS.fullmatch(text):
        minutes = f", and minutes are written {text[:-1]}m" if text.endswith("M") else ""
        raise UsageError(
            f"no timeframe {text!r}: months differ in length, bars here do not; take 1w or 1d{minutes}"
        )
    if match := re.fullmatch(r"(\d{1,4})([a-z]+)", text.lower(), re.ASCII):
        length = int(match[1]) * _UNITS.get(match[2], 0)
        if name := next((name for name, ms in TIMEFRAMES.items() if ms == length), None):
            return name
    raise UsageError(unknown_name("timeframe", text, TIMEFRAMES))


def grid_start(step: int) -> int:
    """Return one open time, in ms, of the bars that are `step` ms long; all others are whole steps away."""
    return _MONDAY if step == _WEEK else 0


def on_grid(ms: int, step: int) -> int:
    """Return the open time of the bar of `step` ms that a moment is in."""
    start = grid_start(step)
    return (ms - start) // step * step + start


def from_grid(ms: int, step: int) -> int:
    """Return the first open time of bars of `step` ms that is not before a moment."""
    return on_grid(ms + step - 1, step)


def now_ms() -> int:
    """Return the local clock's time, ms UTC."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Return ms of a clock that nobody sets, counted from anywhere; it stands still while the machine sleeps.

    Linux slews its CLOCK_MONOTONIC, by up to 8 % under chrony, but not the raw one; macOS slews neither, and
    its raw one goes on in sleep.
    """
    raw = platform.system() == "Linux"
    return (time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) if raw else time.monotonic_ns()) // 1_000_000


def awake_or_asleep_ms() -> int:
    """Return ms of a clock that nobody sets, counted from anywhere; it goes on while the machine sleeps."""
    name = "CLOCK_BOOTTIME" if platform.system() == "Linux" else "CLOCK_MONOTONIC_RAW"
    return time.clock_gettime_ns(getattr(time, name)) // 1_000_000


def parse_time(text: str) -> int:
    """Return ms UTC for `2024-01-31`, `2024-01-31T12:00`, an ISO time with zone, or plain ms.

    A time without a zone is UTC. Raises UsageError for anything else.
    """
    if re.fullmatch("[0-9]{13}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        # A zone can put the first and last hours that can be written outside the years there are.
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"cannot read the time {text!r}: wanted 2024-01-31, 2024-01-31T12:00 (UTC) or milliseconds"
        ) from None
    # Whole numbers: `timestamp() * 1000` is a millisecond short for some times.
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def as_ms(time: object) -> int:
    """Return ms UTC for ms themselves, a datetime (without a zone: UTC), or text as `parse_time` reads it.

    Raises UsageError for anything else.
    """
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, datetime) and time == time:  # noqa: PLR0124 - pandas' NaT is a datetime, and never equal
        return (time.replace(tzinfo=time.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
    if not isinstance(time, bool) and isinstance(time, Integral):
        return int(time)
    raise UsageError(f"cannot read the time {time!r}: wanted milliseconds (UTC), a datetime or 2024-01-31")


def format_time(ms: int) -> str:
    """Return `2024-01-31 12:00` (UTC) for ms."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def configure_logging(level: int = logging.WARNING) -> None:
    """Send log lines to stderr; ccxt's own DEBUG lines, which show keys, are never let through."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("ccxt").setLevel(logging.WARNING)


def over(something: float, other: float) -> float:
    """Return a ratio; infinite for something over nothing, NaN for nothing over nothing."""
    if other:
        return something / other
    return math.copysign(math.inf, something) if something else math.nan


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back in this process; processes started meanwhile never get it, from the first line on."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def end_with_parent() -> None:
    """End this process, a worker, when the one that started it is gone: nobody would give it work again."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
