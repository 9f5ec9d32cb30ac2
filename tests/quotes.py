"""Thirty published candles, for indicators whose values on them nobody here computed.

The candles are the first of Stock.Indicators' default quotes (Apache-2.0).
"""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import FloatArray

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
