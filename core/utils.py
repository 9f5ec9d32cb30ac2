"""Time and logging helpers: one way to say a time, a timeframe and a log line."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

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
}
"""Milliseconds per bar. All divide a day, so every grid starts at midnight UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timeframe_ms(timeframe: str) -> int:
    """Return the length of one bar in ms. Raises UsageError for an unknown timeframe."""
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        raise UsageError(unknown_name("timeframe", timeframe, TIMEFRAMES)) from None


def now_ms() -> int:
    """Return the local clock's time, ms UTC."""
    return time.time_ns() // 1_000_000


def parse_time(text: str) -> int:
    """Return ms UTC for `2024-01-31`, `2024-01-31T12:00`, an ISO time with zone, or plain ms.

    A time without a zone is UTC. Raises UsageError for anything else.
    """
    if text.isdecimal() and len(text) == 13:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"cannot read the time {text!r}: wanted 2024-01-31, 2024-01-31T12:00 (UTC) or milliseconds"
        ) from None
    # Whole numbers: `timestamp() * 1000` is a millisecond short for some times.
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)


def format_time(ms: int) -> str:
    """Return `2024-01-31 12:00` (UTC) for ms."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def configure_logging(level: int = logging.WARNING) -> None:
    """Send log lines to stderr; ccxt's own DEBUG lines, which show keys, are never let through."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("ccxt").setLevel(logging.WARNING)
