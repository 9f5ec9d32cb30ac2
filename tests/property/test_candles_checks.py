"""Whatever comes in, good rows are sound, no row is lost, and the order does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.candles.checks import check_candles
from core.domain import Bars
from tests.stored import HOUR, START, same_bars

pytestmark = pytest.mark.unmeasured

NOW = START + 8 * HOUR
stamps = st.one_of(
    st.integers(0, 10).map(lambda hour: START + hour * HOUR),
    st.integers(START - HOUR, NOW + HOUR),
    st.integers(-(2**62), 2**62),
)
prices = st.sampled_from([1.0, 1.0, 2.0, 2.0, 3.0]) | st.floats()
rows = st.lists(st.tuples(stamps, prices, prices, prices, prices, prices), max_size=12)


def as_bars(table: list[tuple[int, float, float, float, float, float]]) -> Bars:
    columns = list(zip(*table, strict=True)) or [()] * 6
    return Bars(np.array(columns[0], np.int64), *(np.array(column, float) for column in columns[1:]))


@given(rows)
def test_good_rows_satisfy_every_invariant(
    table: list[tuple[int, float, float, float, float, float]],
) -> None:
    good = check_candles(as_bars(table), HOUR, NOW).good
    assert (np.diff(good.ts) > 0).all()
    assert (good.ts % HOUR == 0).all()
    assert (good.ts + HOUR <= NOW).all()
    for column in good[1:]:
        assert np.isfinite(column).all()
    assert (good.low > 0).all()
    assert ((good.low <= good.open) & (good.open <= good.high)).all()
    assert ((good.low <= good.close) & (good.close <= good.high)).all()
    assert (good.volume >= 0).all()


@given(rows)
def test_good_and_refused_and_repeated_are_all_rows(
    table: list[tuple[int, float, float, float, float, float]],
) -> None:
    checked = check_candles(as_bars(table), HOUR, NOW)
    assert len(checked.good.ts) + len(checked.refused) + checked.repeated == len(table)
    refused = {row for row, _ in checked.refused}
    assert len(refused) == len(checked.refused)
    kept = {table[row] for row in range(len(table)) if row not in refused}
    assert {tuple(row) for row in zip(*(c.tolist() for c in checked.good), strict=True)} == kept


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    table: list[tuple[int, float, float, float, float, float]], random: object
) -> None:
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = check_candles(as_bars(table), HOUR, NOW)
    other = check_candles(as_bars([table[row] for row in order]), HOUR, NOW)
    assert same_bars(one.good, other.good)
    assert sorted((order[row], reason) for row, reason in other.refused) == list(one.refused)
    assert one.repeated == other.repeated


@given(rows)
def test_checking_good_rows_again_refuses_nothing(
    table: list[tuple[int, float, float, float, float, float]],
) -> None:
    good = check_candles(as_bars(table), HOUR, NOW).good
    again = check_candles(good, HOUR, NOW)
    assert same_bars(again.good, good)
    assert again[1:] == ((), 0, 0)
