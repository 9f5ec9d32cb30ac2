"""The account's layers of risk once more for the judge: slow, from docs/decisions/0058, by the calendar.

As tests/judge.py it shares nothing with the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple

News = Sequence[tuple[int, float]]
"""Times, ms UTC, and the equity then."""


def moment(time: int) -> datetime:
    """Return a time as the calendar has it."""
    return datetime.fromtimestamp(time / 1000, UTC)


def window_of(name: str, time: int) -> tuple[int, ...]:
    """Return the day, week or month that a time is in."""
    when = moment(time)
    if name == "daily_loss":
        return (when.year, when.month, when.day)
    if name == "weekly_loss":
        return tuple(when.isocalendar()[:2])
    return (when.year, when.month)


def is_tripped(name: str, percent: float, news: News) -> bool:
    """Tell whether a loss is on after this news, nothing having been reset."""
    now = window_of(name, news[-1][0])
    for n, (time, _) in enumerate(news):
        inside = [equity for at, equity in news[: n + 1] if window_of(name, at) == window_of(name, time)]
        lowest = Fraction(inside[0]) * (100 - Fraction(percent)) / 100
        if Fraction(inside[-1]) <= lowest and (name == "monthly_loss" or window_of(name, time) == now):
            return True
    return False


class Lot(NamedTuple):
    """A trade as a judge of closings looks at it."""

    strategy: str
    symbol: str
    is_ladder: bool
    opens: Sequence[int]
    """Open times of the bars that it was traded on, ms."""
    step: int
    """Length of a bar, ms."""
    entry_bar: int
    exit_bar: int
    reason: str


USUAL = {"daily_loss": "nothing", "weekly_loss": "directional", "monthly_loss": "all", "drawdown": "nothing"}
"""What each closes where settings say nothing."""


def wrong_endings(
    lots: Sequence[Lot], trips: Sequence[tuple[str, int]], closes: Mapping[str, str] = USUAL
) -> list[str]:
    """Return what a breaker should have closed and did not, or closed and should not have."""
    wrong = []
    for lot in lots:
        whose = ("all",) if lot.is_ladder else ("all", "directional")
        meant = [time for name, time in trips if closes[name] in whose]
        if lot.reason == "breaker":
            ordered = lot.opens[lot.exit_bar - 1] + lot.step
            if not any(time <= ordered for time in meant):
                wrong.append(f"closed for nothing: {lot}")
        wrong += [f"not closed: {lot} at {time}" for time in meant if outlived(lot, time)]
    return wrong


def outlived(lot: Lot, time: int) -> bool:
    """Tell whether a lot that was held at a time was held beyond the bar after its own next close."""
    closes = [open_time + lot.step for open_time in lot.opens]
    own = next((n for n, close in enumerate(closes) if close >= time), None)
    if own is None or not lot.entry_bar <= own < lot.exit_bar:
        return False
    return not (lot.exit_bar == own + 1 and lot.reason == "breaker") and lot.reason != "end"
