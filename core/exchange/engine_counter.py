"""The counter that a matching engine keeps of a pair, as far as this program fills it: a part is for exits.

Orders, changes and cancels count, the last two the more the younger the order is, and time takes it away.
Who fills it is refused, an exit or a stop too. So entries wait while less than the reserve is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.errors import ExchangeError, RateLimitedError
from core.utils import Clock


class EngineLimits(NamedTuple):
    """What a venue counts of one pair."""

    most: float
    """It refuses above this …"""
    decay: float
    """… and takes so much away in a second."""
    reserve: float
    """So much is left to exits, stops and cancels."""
    change: Sequence[tuple[float, float]]
    """What a change costs besides 1: seconds of age below which so much is counted."""
    cancel: Sequence[tuple[float, float]]
    """What a cancel costs."""


KRAKEN_ENGINE = EngineLimits(
    60.0,
    1.0,
    # A stop that is cancelled when it is young, its exit, and twice that besides.
    30.0,
    ((5, 3), (10, 2), (15, 1)),
    ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)),
)
"""Of Kraken's lowest tier."""
REMEMBERED = 1_000
"""Orders whose age is known; what is older costs nothing any more."""


class EngineCounter:
    """Counts what was sent of each symbol, whether it was answered or not."""

    def __init__(self, limits: EngineLimits | None, clock: Clock) -> None:
        """Take a clock in ms that nobody sets; without limits nothing is counted."""
        self._limits, self._clock = limits, clock
        self._levels: dict[str, tuple[float, int]] = {}
        """By symbol: how high it stood, and when."""
        self._placed: dict[str, int] = {}
        """When orders were placed, by name."""
        self._began = clock()

    def placed(self, symbol: str, name: str) -> None:
        """Count an order."""
        if self._limits is not None:
            self._placed[name] = self._clock()
            if len(self._placed) > REMEMBERED:
                del self._placed[next(iter(self._placed))]
            self._add(symbol, 1.0)

    def changed(self, symbol: str, name: str) -> None:
        """Count a change of an order."""
        if self._limits is not None:
            self._add(symbol, 1.0 + self._by_age(name, self._limits.change))

    def cancelled(self, symbol: str, name: str) -> None:
        """Count a cancel."""
        if self._limits is not None:
            self._add(symbol, self._by_age(name, self._limits.cancel))

    def refused(self, symbol: str, error: ExchangeError) -> None:
        """Take it from a venue that it counts higher: others may trade with the same account."""
        if self._limits is not None and isinstance(error, RateLimitedError):
            self._levels[symbol] = self._limits.most, self._clock()

    def crowded(self, symbol: str) -> str:
        """Return why no entry should be sent now, blank for no reason."""
        limits = self._limits
        if limits is None or (level := self._level(symbol)) + 1 <= limits.most - limits.reserve:
            return ""
        wait = (level + 1 - limits.most + limits.reserve) / limits.decay
        return (
            f"the venue's counter of orders in {symbol} stands at {level:.0f} of {limits.most:g}: the last "
            f"{limits.reserve:g} are for exits and stops, entries wait for about {max(1, round(wait))} s"
        )

    def _level(self, symbol: str) -> float:
        level, at = self._levels.get(symbol, (0.0, 0))
        decay = 0.0 if self._limits is None else self._limits.decay
        return max(0.0, level - decay * max(0, self._clock() - at) / 1000)

    def _add(self, symbol: str, points: float) -> None:
        self._levels[symbol] = self._level(symbol) + points, self._clock()

    def _by_age(self, name: str, steps: Sequence[tuple[float, float]]) -> float:
        # One of a former process is at least as old as this one.
        age = (self._clock() - self._placed.get(name, self._began)) / 1000
        return next((points for seconds, points in steps if age < seconds), 0.0)
