"""Stretches of exchange time that losses are measured over: UTC days, weeks from Monday, calendar months."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

DAY = 86_400_000
"""Milliseconds; days are UTC and belong to exchange time."""
_MONDAY = 4 * DAY
"""The first Monday after 1970 began."""
_YEAR = 1970


class Window(NamedTuple):
    """Stretches of exchange time, one after the other; each begins with a UTC day."""

    name: str
    """Under which the state keeps the number of the newest one."""
    number: Callable[[int], int]
    """Of the stretch that a time, ms UTC, is in; it never falls as time goes on."""
    begins: Callable[[int], int]
    """When the stretch of a number begins, ms UTC."""


def _month(time: int) -> int:
    when = datetime.fromtimestamp(time // 1000, UTC)
    return 12 * (when.year - _YEAR) + when.month - 1


def _month_begins(number: int) -> int:
    year, month = divmod(number, 12)
    return round(datetime(_YEAR + year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000


UTC_DAY = Window("day", lambda time: time // DAY, lambda number: number * DAY)
UTC_WEEK = Window(
    "week", lambda time: (time - _MONDAY) // (7 * DAY) + 1, lambda number: _MONDAY + (number - 1) * 7 * DAY
)
UTC_MONTH = Window("month", _month, _month_begins)
