"""What is known of the market besides the bar that was decided on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_NONE: Mapping[str, float] = {}


class Present(NamedTuple):
    """The present as whoever follows the market sees it; entries alone are held against it."""

    clock: int = 0
    """The time at the exchange, ms UTC: a decision that it outlived has expired. 0: nobody follows it."""
    silent: frozenset[str] = frozenset()
    """Symbols whose prices are too old to enter on."""
    prices: Mapping[str, float] = _NONE
    """Last prices newer than the bar, by symbol; an entry has to fit them."""
    ordered: int = 0
    """When orders are given, ms UTC, where that is long after the close: its price is gone. 0: then."""


AT_THE_CLOSE = Present()
"""Nothing is known but the bar, as in a backtest: the decision is made at its close."""
