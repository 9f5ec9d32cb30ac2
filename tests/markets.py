"""Seeded candles for tests: random walks with the ugly parts of real markets."""

from __future__ import annotations

import numpy as np

from core.domain import Bars
from core.proof.markets import HOUR, START, random_bars

__all__ = ["HOUR", "START", "make_bars", "random_bars"]


def make_bars(*rows: tuple[float, float, float, float], step: int = HOUR) -> Bars:
    """Return bars from (open, high, low, close) rows, volume 1."""
    opens, highs, lows, closes = (np.array(column, float) for column in zip(*rows, strict=True))
    stamps = START + step * np.arange(len(rows), dtype=np.int64)
    return Bars(stamps, opens, highs, lows, closes, np.ones(len(rows)))
