"""Seeded candles for tests: random walks with the ugly parts of real markets."""

from __future__ import annotations

import numpy as np

from core.domain import Bars, FloatArray

HOUR = 3_600_000
START = 1_700_000_400_000 - 1_700_000_400_000 % HOUR


def make_bars(*rows: tuple[float, float, float, float], step: int = HOUR) -> Bars:
    """Return bars from (open, high, low, close) rows, volume 1."""
    opens, highs, lows, closes = (np.array(column, float) for column in zip(*rows, strict=True))
    stamps = START + step * np.arange(len(rows), dtype=np.int64)
    return Bars(stamps, opens, highs, lows, closes, np.ones(len(rows)))


def random_bars(seed: int, length: int = 400, volatility: float = 0.01, price: float = 50_000.0) -> Bars:
    """Return bars with trends, quiet and wild spells, jumps between bars, flat bars and missing bars."""
    rng = np.random.default_rng(seed)
    spell = np.repeat(rng.choice([0.2, 1.0, 2.5], length // 40 + 1), 40)[:length] * volatility
    drift = np.repeat(rng.normal(0, 0.15, length // 60 + 1), 60)[:length] * spell
    steps = rng.normal(drift, spell)
    steps[rng.random(length) < 0.1] = 0.0
    close = price * np.exp(np.cumsum(steps))
    jump = np.where(rng.random(length) < 0.1, rng.normal(0, 2, length) * spell, 0.0)
    opens = np.concatenate([[price], close[:-1]]) * np.exp(jump)
    reach = np.abs(rng.normal(0, 0.5, (2, length))) * spell
    flat = rng.random(length) < 0.05
    reach[:, flat] = 0.0
    high = np.maximum(opens, close) * (1 + reach[0])
    low = np.minimum(opens, close) * (1 - reach[1])
    volume: FloatArray = np.where(flat, 0.0, rng.lognormal(3, 1, length))
    stamps = START + HOUR * np.arange(length, dtype=np.int64)
    kept = rng.random(length) >= 0.02
    return Bars(stamps[kept], opens[kept], high[kept], low[kept], close[kept], volume[kept])
