"""Candles made up for proofs: random walks with the ugly parts of real markets, and a second symbol's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.backtest.partners import looked_at, partners_of
from core.domain import Bars, FloatArray, Series
from core.utils import timeframe_ms
from strategies.longer import longer
from strategies.pairing import Partners
from strategies.rule import StrategyRule

HOUR = 3_600_000
START = 1_700_000_400_000 - 1_700_000_400_000 % HOUR


def random_bars(seed: int, length: int = 400, volatility: float = 0.01, price: float = 50_000.0) -> Bars:
    """Return hourly bars with trends, quiet and wild spells, jumps between bars, flat and missing bars."""
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


def companions(
    rule: StrategyRule, series: Series, bars: Bars, universe: Sequence[str] = ()
) -> Partners | None:
    """Return candles for all that a rule looks at besides these, None if at nothing.

    A partner is a companion of the bars, each further one of that; of a longer timeframe they make it up. Of
    the universe's each lacks some bars.
    """
    if not rule.looks_elsewhere:
        return None
    found, other = looked_at(rule, series, universe), bars
    made: dict[Series, Bars] = {}
    for one in found.each:
        # Of its first symbol, what it is elsewhere: PAIRS has always been proven on this one.
        other = companion(other)
        is_longer = timeframe_ms(one.timeframe) > timeframe_ms(series.timeframe)
        made[one] = longer(other, one.timeframe).bars if is_longer else other
    for k, one in enumerate(found.universe):
        there = np.arange(made[one].ts.size) % (37 + k) > 0
        made[one] = Bars(made[one].ts[there], *(column[there] for column in made[one][1:]))
    return partners_of(series, found, made)


def companion(bars: Bars) -> Bars:
    """Return candles of a symbol that costs about twice as much, by a factor that wanders and comes back.

    Whole numbers and one division: the same on every machine.
    """
    state, away, factors = 12_345, 0, []
    for _ in range(bars.ts.size):
        state = 48271 * state % 0x7FFFFFFF
        away = away * 7 // 8 + (state >> 15) % 81 - 40
        factors.append(2 + away / 2048)
    return bars._replace(close=bars.close * np.array(factors))
