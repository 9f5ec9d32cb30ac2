"""The journaler: an interface for daily summaries in words. There is no implementation yet.

A journaler is given the facts of one finished day and returns text for people. The facts come from the
database and hold no keys, no account numbers and no text from outside. What it returns is shown and stored as
text; nothing reads it back as data, so it can neither order a trade nor change a setting. Whoever shows it
escapes it like any text from outside.

Not there yet: gathering a day's facts from the database, a prompt, a model, a place to keep the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StrategyDay:
    """One strategy's day."""

    name: str
    trades: int
    """Trades closed on the day."""
    pnl: float
    """Quote currency, after fees."""
    fees: float
    """Quote currency."""
    drawdown: float
    """Worst of the day, positive fraction."""


@dataclass(frozen=True, slots=True)
class Day:
    """The facts of one day."""

    start: int
    """Midnight UTC, ms."""
    equity_open: float
    equity_close: float
    """Quote currency."""
    strategies: tuple[StrategyDay, ...]
    refused: int = 0
    """Orders that the risk manager refused."""


class Journaler(Protocol):
    """Puts a day into words."""

    def summarise(self, day: Day) -> str:
        """Return the summary as plain text, from the facts alone."""
        ...
