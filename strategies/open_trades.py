"""What Backtesting.py's broker keeps of its open trades."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class EntryTag(NamedTuple):
    """Backtesting.py's tag of one entry: which decision asked for it."""

    bar: int
    rung: int


class OpenTrades(list[Any]):
    """Backtesting.py's open trades, walked as they were when the walk began.

    When equity is gone its broker closes trades while walking this list, and so would skip every second.
    """

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(super().__iter__()))
