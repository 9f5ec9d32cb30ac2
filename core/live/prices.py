"""Which prices between two bars may close something: one wrong answer must not, a real crash must at once.

near the price before     believed
far from it               believed once it has stayed there, or once a candle says so
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

MOST_AWAY = 0.3
"""A price further from the one before is doubted, a fraction of that."""
STAYS = 10_000
"""Milliseconds after which a price that stayed where it jumped to is no mistake."""


class _Doubt(NamedTuple):
    price: float
    """The newest of those that are doubted."""
    since: int


class PriceCheck:
    """Remembers the prices that are doubted, by symbol."""

    def __init__(self, notify: Callable[[str], object] = lambda _: None) -> None:
        """Doubt nothing; `notify` takes a line when a price begins to be doubted."""
        self._notify = notify
        self._doubts: dict[str, _Doubt] = {}

    def why_not(self, symbol: str, price: float | None, before: float | None, now: int) -> str:
        """Return why a price may close nothing, blank when it may.

        `before`: the last one that was believed, None for none; `now` in ms UTC.
        """
        if price is None:
            return "nobody tells its price now"
        if not price > 0:
            return f"its price {price:g} is none"
        is_known = symbol in self._doubts
        if before is None or _near(price, before) or self._stayed(symbol, price, now):
            self._doubts.pop(symbol, None)
            return ""
        stays = f"stays there for {STAYS // 1000} s"
        why = f"its price {price:g} is far from {before:g}: believed once it {stays} or a candle says so"
        if not is_known:
            self._notify(f"{symbol}: {why}; until then its stops and takes see the price before")
        return why

    def _stayed(self, symbol: str, price: float, now: int) -> bool:
        """Note a price that is doubted, and tell whether it has been about there for long enough."""
        doubt = self._doubts.get(symbol)
        since = now if doubt is None or not _near(price, doubt.price) else doubt.since
        self._doubts[symbol] = _Doubt(price, since)
        return now - since >= STAYS


def _near(price: float, other: float) -> bool:
    return abs(price / other - 1) <= MOST_AWAY
