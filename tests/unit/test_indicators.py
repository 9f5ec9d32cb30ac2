"""Indicators against numbers nobody here computed.

The candles and the expected values are from Stock.Indicators (Apache-2.0), its published results for
EMA(20), ATR(14), SMA(20) and BollingerBands(20, 2) on its default quotes.
"""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import FloatArray
from strategies.indicators import atr, bollinger, ema, sma, std

# fmt: off
HIGH = np.array([
    213.35, 214.22, 214.06, 215.17, 214.53, 214.89, 214.55, 214.22, 214.84, 214.25, 214.27, 214.46,
    214.75, 214.28, 215.48, 216.89, 217.02, 216.91, 215.59, 215.03, 215.96, 215.5, 216.87, 216.66,
    216.97, 216.72, 218.19, 218.97, 220.19, 220.8,
])
LOW = np.array([
    211.52, 213.15, 213.02, 213.42, 213.91, 213.52, 213.13, 212.53, 214.17, 213.33, 213.42, 212.96,
    213.49, 212.83, 213.77, 215.89, 216.36, 216.12, 213.9, 213.82, 214.4, 214.29, 215.84, 215.92,
    216.09, 215.7, 216.84, 217.88, 219.23, 219.33,
])
CLOSE = np.array([
    212.8, 214.06, 213.89, 214.66, 213.95, 213.95, 214.55, 214.02, 214.51, 213.75, 214.22, 213.43,
    214.21, 213.66, 215.03, 216.89, 216.66, 216.32, 214.98, 214.96, 215.05, 215.19, 216.67, 216.28,
    216.29, 216.58, 217.86, 218.72, 219.91, 220.79,
])
# fmt: on


def expect(values: FloatArray, first: int, known: dict[int, float]) -> None:
    assert np.isnan(values[:first]).all()
    assert not np.isnan(values[first:]).any()
    for index, value in known.items():
        assert values[index] == pytest.approx(value, rel=1e-12)


def test_ema_equals_the_published_series() -> None:
    expect(ema(CLOSE, 20), 19, {19: 214.52499999999995, 20: 214.57499999999996, 29: 216.622848763626})


def test_atr_equals_the_published_series() -> None:
    expect(
        atr(HIGH, LOW, CLOSE, 14),
        14,
        {14: 1.336428571428568, 18: 1.365866212738735, 20: 1.3693948466981958, 29: 1.3169023737984495},
    )


def test_sma_equals_the_published_series() -> None:
    expect(sma(CLOSE, 20), 19, {19: 214.52499999999995, 20: 214.6375, 29: 216.18500000000003})


def test_bollinger_bands_equal_the_published_series() -> None:
    mid, upper, lower = bollinger(CLOSE, 20, 2.0)
    expect(upper, 19, {19: 216.58874901574774, 20: 216.55281590083723, 29: 220.02578377417944})
    expect(lower, 19, {19: 212.46125098425216, 20: 212.72218409916275, 29: 212.34421622582062})
    expect((upper - lower) / mid, 19, {19: 0.01924017262088604, 29: 0.035532379898507424})


def test_a_flat_window_has_its_own_price_as_mean_and_no_deviation() -> None:
    flat = np.full(50, 60_000.37)
    assert (sma(flat, 20)[19:] == 60_000.37).all()
    assert (std(flat, 20)[19:] == 0.0).all()


@pytest.mark.parametrize("length", [0, 1, 13])
def test_too_short_a_series_gives_only_warm_up(length: int) -> None:
    x = np.linspace(1, 2, length)
    for values in (ema(x, 14), sma(x, 14), std(x, 14), atr(x, x, x, 14), *bollinger(x, 14, 2.0)):
        assert values.size == length
        assert np.isnan(values).all()
