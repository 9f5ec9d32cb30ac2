"""How much symbols move together, so that new risk in what is held already under another name is smaller."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Protocol

import numpy as np

from core.domain import FloatArray
from core.utils import timeframe_ms

FEWEST = 30
"""Returns in common from which a correlation counts; with fewer it is unknown and cuts nothing."""


class Closes(Protocol):
    """Knows the newest closes of symbols."""

    def times(self, timeframe: str, now: int) -> range:
        """Return the close times of the newest bars of this timeframe, as many as are kept."""
        ...

    def at(self, symbol: str, times: range) -> FloatArray:
        """Return a symbol's closes at these times, NaN where none is known."""
        ...


class NewestCloses:
    """The newest closes of every series seen, by close time."""

    def __init__(self, most: int) -> None:
        """Keep as many returns of each series."""
        self._of: dict[str, dict[str, dict[int, float]]] = {}
        self.keep(most)

    def keep(self, most: int) -> None:
        """Keep as many returns of each series from now on; more of them come with more bars."""
        self._most = most + 1
        for series in self._of.values():
            for timeframe, closes in series.items():
                series[timeframe] = dict(list(closes.items())[-self._most :])

    def add(self, symbol: str, timeframe: str, end: int, close: float) -> None:
        """Note a bar's close, at its close time in ms UTC."""
        kept = self._of.setdefault(symbol, {}).setdefault(timeframe, {})
        kept[end] = close
        if len(kept) > self._most:
            del kept[next(iter(kept))]

    def at(self, symbol: str, times: Sequence[int]) -> FloatArray:
        """Return a symbol's closes at these times, whichever series knows them; NaN where none does."""
        found = np.full(len(times), math.nan)
        for one in self._of.get(symbol, {}).values():
            known = np.array(list(map(one.get, times, repeat(math.nan))))
            found = np.where(np.isnan(found), known, found)
        return found

    def times(self, timeframe: str, now: int) -> range:
        """Return the close times of the newest bars of this timeframe, as many as are kept."""
        step = timeframe_ms(timeframe)
        return range(now - (self._most - 1) * step, now + 1, step)

    def frame(self, symbol: str) -> str | None:
        """Return the timeframe of a symbol's first series; None where it has none."""
        return next(iter(self._of.get(symbol, {})), None)

    def correlation(self, one: str, other: str, timeframe: str, now: int) -> float:
        """Return the correlation of two symbols' logarithmic returns, -1 to 1; 0 while it is unknown.

        Of the newest bars of this timeframe before `now` at whose close both have a price.
        """
        times = self.times(timeframe, now)
        return correlated(self.at(one, times), self.at(other, times))


def correlated(one: FloatArray, other: FloatArray) -> float:
    """Return the correlation of the returns of closes that belong together, NaN where there is none."""
    closes = np.array([one, other])
    returns = np.diff(np.log(closes[:, ~np.isnan(closes).any(axis=0)]))
    count = returns.shape[1]
    if count < FEWEST or not np.ptp(returns, axis=1).all():
        return 0.0
    # As numpy.corrcoef, to the last bit, in a third of its time.
    away = returns - returns.mean(axis=1)[:, None]
    shared = np.dot(away, away.T.conj()) * (1 / (count - 1))
    found: float = shared.item(1) / math.sqrt(shared.item(0)) / math.sqrt(shared.item(3))
    return min(1.0, max(-1.0, found))


def part_kept(
    closes: Closes,
    cut: float,
    entry: tuple[str, int],
    held: Mapping[str, int],
    timeframe: str,
    now: int,
) -> float:
    """Return the part of its size that an entry keeps: 1 less `cut` times the closest correlation.

    `entry` is its symbol and side; `held` the side of what is held or ordered, by symbol. What moves against
    it, or is held the other way round, cuts nothing.
    """
    symbol, side = entry
    others = [(name, whose) for name, whose in held.items() if name != symbol and whose]
    if not others:
        return 1.0
    times = closes.times(timeframe, now)
    own = closes.at(symbol, times)
    together = (side * whose * correlated(own, closes.at(name, times)) for name, whose in others)
    return 1.0 - cut * max([0.0, *together])


def moving_alike(
    closes: Closes,
    above: float,
    entry: tuple[str, int],
    held: Mapping[str, int],
    timeframe: str,
    now: int,
) -> list[str]:
    """Return the other symbols held that move with an entry (symbol, side) by at least this correlation.

    What is held the other way round moves against it, and the other way about.
    """
    symbol, side = entry
    others = [(name, whose) for name, whose in held.items() if name != symbol and whose]
    if not others:
        return []
    times = closes.times(timeframe, now)
    own = closes.at(symbol, times)
    return [name for name, whose in others if side * whose * correlated(own, closes.at(name, times)) >= above]
