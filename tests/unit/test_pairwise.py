"""Sums are numpy's to the last bit, however many numbers there are."""

from __future__ import annotations

import numpy as np
import pytest

from core.kernel.pairwise import make_halves, pairwise_sum


@pytest.mark.parametrize("count", [*range(18), 63, 64, 127, 128, 129, 135, 136, 137, 256, 257, 1000, 4379])
def test_a_sum_is_numpy_s(count: int) -> None:
    rng, halves = np.random.default_rng(count), make_halves()
    numbers = rng.normal(0, 1, count + 5) * 10.0 ** rng.normal(0, 4, count + 5)
    assert pairwise_sum(numbers, 5, count, halves) == numbers[5:].sum()
    assert pairwise_sum(numbers, 0, count, halves) == numbers[:count].sum()
