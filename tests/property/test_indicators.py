from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Bars, FloatArray
from strategies.indicators import atr, bollinger, ema, sma, std
from tests.markets import random_bars

INDICATORS: dict[str, Callable[[Bars], FloatArray]] = {
    "ema": lambda b: ema(b.close, 10),
    "sma": lambda b: sma(b.close, 10),
    "std": lambda b: std(b.close, 10),
    "atr": lambda b: atr(b.high, b.low, b.close, 10),
    "upper band": lambda b: bollinger(b.close, 10, 2.0)[1],
    "lower band": lambda b: bollinger(b.close, 10, 2.0)[2],
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
