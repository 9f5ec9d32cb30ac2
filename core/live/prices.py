"""Which prices between two bars may close something: one wrong answer must not, a real crash must at once.

near the price before     believed
far from it               believed once it has stayed there, or once a candle says so
"""

from __future__ import annotations

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

    def __init__(self) -> None:
        """Doubt nothing."""
        self._doubts: dict[str, _Doubt] = {}

    def doubts(self, symbol: str) -> bool:
        """Tell whether the newest price of a symbol is doubted."""
        return symbol in self._doubts

    def why_not(self, symbol: str, price: float | None, before: float | None, now: int) -> str:
        """Return why a price may close nothing, blank when it may.

        `before`: the last one that was believed, None for none; `now` in ms UTC.
        """
        if price is None:
            return "nobody tells its price now"
        if price > 0 and (before is None or _near(price, before) or self._stayed(symbol, price, now)):
            self._doubts.pop(symbol, None)
            return ""
        if price > 0:
            stays = f"stays there for {STAYS // 1000} s"
            return f"its price {price:g} is far from {before:g}: believed once it {stays} or a candle says so"
        return f"its price {price:g} is none"

    def _stayed(self, symbol: str, price: float, now: int) -> bool:
        """Note a price that is doubted, and tell whether it has been about there for long enough."""
        doubt = self._doubts.get(symbol)
        since = now if doubt is None or not _near(price, doubt.price) else doubt.since
        self._doubts[symbol] = _Doubt(price, since)
        return now - since >= STAYS


def _near(price: float, other: float) -> bool:
    return abs(price / other - 1) <= MOST_AWAY
