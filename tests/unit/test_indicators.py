"""Indicators against numbers nobody here computed.

The candles and the expected values are from Stock.Indicators (Apache-2.0), its published results for
EMA(20), ATR(14), SMA(20), BollingerBands(20, 2), RSI(14), MACD(12, 26, 9) and STO(14, 3, 3) on its default
quotes.
"""

from __future__ import annotations

import numpy as np
import pytest

from strategies.indicators import (
    adx,
    atr,
    bollinger,
    ema,
    highest,
    lowest,
    macd,
    rsi,
    sma,
    std,
    stochastic,
)
from tests.quotes import CLOSE, HIGH, LOW, expect


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


def test_rsi_equals_the_published_series() -> None:
    known = {14: 62.054054054053964, 20: 56.64956897038861, 29: 77.10353999199619}
    expect(rsi(CLOSE, 14), 14, known)


def test_macd_equals_the_published_series() -> None:
    line, signal = macd(CLOSE, 12, 26, 3)
    expect(line, 25, {25: 0.880896365451747, 29: 1.5171854098314839})
    expect(signal, 27, {27: line[25:28].mean(), 28: (line[25:28].mean() + line[28]) / 2})


def test_the_stochastic_equals_the_published_series() -> None:
    k, d = stochastic(HIGH, LOW, CLOSE, 14, 3)
    expect(k, 15, {17: 92.13066072754248, 20: 54.93689680772079, 29: 96.88447894035276})
    expect(d, 17, {17: 88.49953635785782, 20: 65.42934917099707, 29: 94.86975796186961})


def test_the_stochastic_stands_in_the_middle_of_an_empty_range() -> None:
    flat = np.full(20, 7.0)
    k, d = stochastic(flat, flat, flat, 5, 3)
    assert (k[6:] == 50.0).all()
    assert (d[8:] == 50.0).all()


def test_adx_tells_the_strength_of_a_trend_whatever_its_direction() -> None:
    up = np.arange(60.0) + 100
    rising, falling = adx(up + 1, up - 1, up, 5), adx(201 - up, 199 - up, 200 - up, 5)
    assert np.isnan(rising[:9]).all()
    assert rising[9:] == pytest.approx(100.0)
    assert falling[9:] == pytest.approx(100.0)


def test_extremes_count_the_bar_itself_and_one_bar_is_its_own() -> None:
    assert highest(CLOSE, 3)[2:5].tolist() == [214.06, 214.66, 214.66]
    assert lowest(CLOSE, 3)[2:5].tolist() == [212.8, 213.89, 213.89]
    assert highest(CLOSE, 1) is CLOSE
    assert lowest(CLOSE, 1) is CLOSE


def test_a_flat_window_has_its_own_price_as_mean_and_no_deviation() -> None:
    flat = np.full(50, 60_000.37)
    assert (sma(flat, 20)[19:] == 60_000.37).all()
    assert (std(flat, 20)[19:] == 0.0).all()


@pytest.mark.parametrize("length", [0, 1, 13])
def test_too_short_a_series_gives_only_warm_up(length: int) -> None:
    x = np.linspace(1, 2, length)
    for values in (
        ema(x, 14),
        sma(x, 14),
        std(x, 14),
        atr(x, x, x, 14),
        *bollinger(x, 14, 2.0),
        rsi(x, 14),
        adx(x, x, x, 14),
    ):
        assert values.size == length
        assert np.isnan(values).all()
