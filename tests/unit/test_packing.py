"""What a page is given comes back: the same steps as in chart.js, written once more here."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Bars, FloatArray, IntArray
from core.reports.packing import packed, packed_bars, packed_json, packed_times
from tests.markets import random_bars


def whole(text: str) -> FloatArray:
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).view("<i4").ravel().astype(np.float64)


def unpack(column: dict[str, Any]) -> FloatArray:
    values: FloatArray = whole(column["data"]).cumsum() / 10.0 ** column["digits"]
    return values


def times_of(stretches: list[list[int]]) -> IntArray:
    parts = [first + step * np.arange(count, dtype=np.int64) for first, step, count in stretches]
    return np.concatenate(parts)


def bars_of(packs: dict[str, Any]) -> list[FloatArray]:
    jump, body, above, below = (whole(packs[name]) for name in ("jump", "body", "above", "below"))
    close = (jump + body).cumsum()
    opens = close - body
    columns = opens, np.maximum(opens, close) + above, np.minimum(opens, close) - below, close
    return [column / 10.0 ** packs["digits"] for column in columns]


@pytest.mark.unmeasured
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=50), st.integers(0, 6))
def test_quoted_prices_come_back_to_the_last_digit(units: list[int], digits: int) -> None:
    values = np.array(units) / 10.0**digits
    assert unpack(packed(values)).tolist() == values.tolist()


def test_other_numbers_keep_nine_digits_of_the_largest_and_no_more_decimals_than_asked_for() -> None:
    values = np.array([10_000.0, 10_000.0 / 3, 1e9 / 7])
    assert unpack(packed(values)) == pytest.approx(values, rel=2e-5)
    assert unpack(packed(values[:2], 2)).tolist() == [10_000.0, 3333.33]
    assert unpack(packed(np.array([1e15 / 3, -1e15]))) == pytest.approx([1e15 / 3, -1e15], rel=1e-8)


def test_candles_come_back_with_their_gaps() -> None:
    bars = random_bars(3, 500)
    opens, high, low, close = (np.round(column, 2) for column in bars[1:5])
    quoted = Bars(bars.ts, opens, high, low, close, bars.volume)
    found = packed_bars(quoted)
    assert times_of(found["times"]).tolist() == quoted.ts.tolist()
    assert len(found["times"]) > 1
    for column, back in zip(quoted[1:5], bars_of(found), strict=True):
        assert back.tolist() == column.tolist()


def test_tiny_and_huge_prices_come_back_nearly() -> None:
    for price in (1e-7, 1e12):
        bars = random_bars(3, 200, price=price)
        for column, back in zip(bars[1:5], bars_of(packed_bars(bars)), strict=True):
            assert back == pytest.approx(column, rel=1e-5)


def test_one_time_is_a_stretch() -> None:
    assert packed_times(np.array([7], np.int64)) == [[7, 0, 1]]


@pytest.mark.unmeasured
def test_a_year_of_minutes_is_a_few_megabytes() -> None:
    rng = np.random.default_rng(1)
    close = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 0.0005, 525_600))), 2)
    opens = np.concatenate([[60_000.0], close[:-1]])
    reach = np.round(rng.exponential(15.0, (2, close.size)), 2)
    high, low = np.maximum(opens, close) + reach[0], np.minimum(opens, close) - reach[1]
    ts = 60_000 * np.arange(close.size, dtype=np.int64)
    bars = Bars(ts, opens, np.round(high, 2), np.round(low, 2), close, np.ones(close.size))
    assert len(json.dumps(packed_bars(bars))) < 6_000_000


def test_documents_hold_no_nan() -> None:
    assert json.loads(zlib.decompress(base64.b64decode(packed_json({"a": [1, None]})))) == {"a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        packed_json([float("nan")])
