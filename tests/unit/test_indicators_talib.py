"""Every indicator of TA-Lib through one door: the library's value, and the same bits from any live window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.domain import Bars
from core.errors import UsageError
from core.proof.markets import random_bars
from strategies.indicators_talib import ENDLESS, SHORTEST, STRETCH, UNFIT, _known, about, ta
from strategies.rule import MEMORY
from strategies.ta_lib import talib
from tests.tiers import some, statistics

BARS = random_bars(3, 4000)
NAMES = sorted(set(talib.get_functions()) - set(ENDLESS) - set(UNFIT))
OWN = {"ACOS", "ASIN", "COSH", "SINH", "EXP"}
"""Functions of a number between -1 and 1, or a small one: of prices they are not."""


def arrays(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def direct(name: str, bars: Bars) -> tuple[Any, ...]:
    """Return the library's own values of all bars at once."""
    inputs: list[Any] = []
    for columns in about(name).info["input_names"].values():
        inputs += [getattr(bars, one) for one in ([columns] if isinstance(columns, str) else columns)]
    found = getattr(talib, name)(*(np.asarray(one, float) for one in inputs))
    return tuple(np.asarray(one, float) for one in (found if isinstance(found, tuple | list) else (found,)))


def test_there_are_as_many_as_the_library_has() -> None:
    assert len(NAMES) > 150
    assert {"MFI", "CCI", "STOCHF", "SAR", "WILLR", "KC", "HA", "SUPERTREND", "CDLENGULFING"} <= set(NAMES)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some(sorted(set(NAMES) - OWN), 40))
def test_a_value_is_the_library_s_and_has_the_same_bits_in_a_live_window(name: str) -> None:
    whole, lookback = arrays(ta(name, BARS)), _known(name, ())[1]
    for made, expected in zip(whole, direct(name, BARS), strict=True):
        assert np.isnan(made[:lookback]).all()
        size = np.nanmax(np.abs(expected[lookback:]))
        assert made[lookback:] == pytest.approx(expected[lookback:], abs=1e-6 * size, nan_ok=True)
    window = max(MEMORY * lookback, 2 * SHORTEST + lookback + 1)
    for cut in (3999, 3500, BARS.ts.size - 1):
        last = min(cut, BARS.ts.size - 1)
        seen = BARS.until(last + 1)
        late = arrays(ta(name, seen.since(max(0, last + 1 - window))))
        for made, live in zip(whole, late, strict=True):
            assert np.array_equal(made[last : last + 1], live[-1:], equal_nan=True)
    for made, part in zip(whole, arrays(ta(name, BARS.until(3001))), strict=True):
        assert np.array_equal(made[:3001], part, equal_nan=True)


def test_the_library_s_running_sums_would_not_do() -> None:
    # What the door is for: another start, other last bits, for ever.
    closes = np.asarray(BARS.close)
    assert talib.SMA(closes, 20)[-1] != talib.SMA(closes[1000:], 20)[-1] or (
        talib.CCI(BARS.high, BARS.low, BARS.close, 20)[-1]
        != talib.CCI(BARS.high[700:], BARS.low[700:], BARS.close[700:], 20)[-1]
        or talib.MFI(BARS.high, BARS.low, BARS.close, BARS.volume)[-1]
        != talib.MFI(BARS.high[900:], BARS.low[900:], BARS.close[900:], BARS.volume[900:])[-1]
    )


def test_arrays_may_stand_in_for_prices_and_parameters_are_the_library_s() -> None:
    assert np.array_equal(
        ta("rsi", BARS, timeperiod=7), ta("RSI", BARS, BARS.close, timeperiod=7), equal_nan=True
    )
    double = ta("MOM", BARS, 2 * BARS.close, timeperiod=3)
    assert np.array_equal(double, 2 * ta("MOM", BARS, timeperiod=3), equal_nan=True)
    assert ta("MOM", BARS.until(0)).size == 0
    assert np.isnan(ta("MOM", BARS.until(5))).all()


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("OBV", {}, r"ta\('OBV'\): it adds up since the first candle: its past has no bounds; take sma of"),
        ("MAXINDEX", {}, r"ta\('MAXINDEX'\): its values are places in the series"),
        ("MFI2", {}, "unknown indicator 'MFI2': did you mean MFI"),
        ("MFI", {"period": 3}, r"ta\('MFI'\): it takes timeperiod, got \{'period': 3\}"),
        ("MFI", {"timeperiod": -3}, r"ta\('MFI'\): it takes timeperiod, got \{'timeperiod': -3\}"),
    ],
)
def test_what_it_does_not_have_is_said(name: str, params: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ta(name, BARS, **params)


def test_a_value_looks_back_on_no_more_than_a_live_window_has() -> None:
    assert 2 * STRETCH + 1 < MEMORY
