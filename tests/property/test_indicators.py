from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Bars, FloatArray
from strategies import indicators_more as more
from strategies.indicators import adx, atr, bollinger, ema, macd, rsi, sma, std, stochastic
from tests.markets import random_bars

pytestmark = pytest.mark.unmeasured

INDICATORS: dict[str, Callable[[Bars], FloatArray]] = {
    "ema": lambda b: ema(b.close, 10),
    "sma": lambda b: sma(b.close, 10),
    "std": lambda b: std(b.close, 10),
    "atr": lambda b: atr(b.high, b.low, b.close, 10),
    "upper band": lambda b: bollinger(b.close, 10, 2.0)[1],
    "lower band": lambda b: bollinger(b.close, 10, 2.0)[2],
    "macd signal": lambda b: macd(b.close, 6, 10, 5)[1],
    "stochastic": lambda b: stochastic(*b[2:5], 10, 3)[1],
    # Wilder's smoothing forgets later than after forty periods: shorter ones here.
    "rsi": lambda b: rsi(b.close, 6),
    "adx": lambda b: adx(*b[2:5], 6),
    "donchian": lambda b: more.donchian(b.high, b.low, 10)[0],
    "cloud": lambda b: more.ichimoku(b.high, b.low, 5, 10, 20)[2],
    "supertrend": lambda b: more.supertrend(b.ts, *b[2:5], 4, 2.0)[0],
    "supertrend side": lambda b: more.supertrend(b.ts, *b[2:5], 4, 2.0)[1],
    "day's vwap": lambda b: more.session_vwap(b.ts, *b[2:]),
    "rolling vwap": lambda b: more.rolling_vwap(*b[2:], 10),
    "divergence": lambda b: more.divergence(b.high, b.low, rsi(b.close, 6), 3, 30),
    "crossed": lambda b: more.crossed(ema(b.close, 3) - ema(b.close, 8), 4),
    "longer trend": lambda b: more.longer_trend(b.ts, b.close, 3, 3, 6),
    "thrust": lambda b: more.thrust(*b[:5], 8, 3)[1],
}


@pytest.mark.parametrize("name", INDICATORS)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 300))
def test_a_value_depends_on_the_past_alone(name: str, seed: int, cut: int) -> None:
    bars = random_bars(seed, 320)
    whole, part = INDICATORS[name](bars), INDICATORS[name](bars.until(cut))
    assert np.array_equal(whole[: part.size], part, equal_nan=True)


@pytest.mark.parametrize("name", INDICATORS)
@given(seed=st.integers(0, 10_000), start=st.integers(1, 200))
def test_after_forty_periods_the_start_no_longer_matters_to_the_last_bit(
    name: str, seed: int, start: int
) -> None:
    bars = random_bars(seed, 1000)
    whole, part = INDICATORS[name](bars)[start:], INDICATORS[name](bars.since(start))
    assert np.array_equal(whole[400:], part[400:])
