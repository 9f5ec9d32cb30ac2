"""Bars go into data frames and back unchanged; gaps are counted; the fingerprint sees every bit."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.candles.frames import COLUMNS, bars_from_frame, bars_sha256, count_gaps, empty_bars, frame_from_bars
from core.domain import Bars

HOUR = 3_600_000
START = 1_700_000_000_000 - 1_700_000_000_000 % HOUR


def make_bars(stamps: list[int]) -> Bars:
    ts = np.array(stamps, np.int64)
    close = np.arange(100.0, 100.0 + len(stamps))
    return Bars(ts, close - 0.5, close + 1, close - 1, close, np.full(len(stamps), 2.5))


def bars_of(columns: Sequence[Any]) -> Bars:
    return Bars(*columns)


THREE = make_bars([START, START + HOUR, START + 3 * HOUR])


def same(left: Bars, right: Bars) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_a_frame_has_the_agreed_columns_on_a_utc_index_named_timestamp() -> None:
    frame = frame_from_bars(THREE)
    assert list(frame.columns) == COLUMNS == ["open", "high", "low", "close", "volume"]
    assert (frame.dtypes == np.float64).all()
    index = pd.DatetimeIndex(frame.index)
    assert index.name == "timestamp"
    assert str(index.tz) == "UTC"
    assert index[0] == pd.Timestamp(START, unit="ms", tz="UTC")


@pytest.mark.unmeasured
@given(st.lists(st.integers(0, 4_000_000_000_000), unique=True).map(sorted))
def test_bars_survive_the_way_through_a_frame(stamps: list[int]) -> None:
    bars = make_bars(stamps)
    assert same(bars_from_frame(frame_from_bars(bars)), bars)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_resolution_of_the_index_does_not_matter(unit: str) -> None:
    frame = frame_from_bars(THREE)
    frame.index = pd.DatetimeIndex(frame.index).as_unit(unit)  # type: ignore[arg-type]
    assert same(bars_from_frame(frame), THREE)


def test_another_time_zone_is_the_same_moment() -> None:
    frame = frame_from_bars(THREE).tz_convert("Asia/Tokyo")
    assert same(bars_from_frame(frame), THREE)


def test_an_index_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        bars_from_frame(frame_from_bars(THREE).tz_localize(None))


def test_extra_columns_and_whole_numbers_are_taken_and_a_missing_column_is_refused() -> None:
    frame = frame_from_bars(THREE).assign(trades=7)
    frame["volume"] = [1, 2, 3]
    found = bars_from_frame(frame)
    assert found.volume.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(KeyError, match="close"):
        bars_from_frame(frame.drop(columns="close"))


def test_no_bars_are_six_arrays_of_length_0() -> None:
    bars = empty_bars()
    assert [column.size for column in bars] == [0] * 6
    assert same(bars_from_frame(frame_from_bars(bars)), bars)
    assert count_gaps(bars, HOUR) == (0, 0)


@pytest.mark.parametrize(
    ("hours", "gaps"),
    [([0], (0, 0)), ([0, 1, 2], (0, 0)), ([0, 2], (1, 1)), ([0, 1, 5, 6, 8], (2, 4))],
)
def test_a_gap_is_counted_as_a_place_and_as_missing_bars(hours: list[int], gaps: tuple[int, int]) -> None:
    assert count_gaps(make_bars([START + hour * HOUR for hour in hours]), HOUR) == gaps


@pytest.mark.unmeasured
@given(st.sets(st.integers(0, 60), min_size=1))
def test_bars_and_missing_bars_are_all_places_of_the_grid(hours: set[int]) -> None:
    gaps = count_gaps(make_bars([START + hour * HOUR for hour in sorted(hours)]), HOUR)
    assert len(hours) + gaps.missing == max(hours) - min(hours) + 1
    assert gaps.holes <= gaps.missing


def test_the_fingerprint_is_of_the_columns_one_after_the_other_little_endian() -> None:
    raw = struct.pack("<3q", *THREE.ts.tolist())
    raw += b"".join(struct.pack("<3d", *column.tolist()) for column in THREE[1:])
    assert bars_sha256(THREE) == hashlib.sha256(raw).hexdigest()


def test_the_fingerprint_does_not_depend_on_memory_layout() -> None:
    strided = bars_of([np.repeat(column, 2)[::2] for column in THREE])
    swapped = bars_of([column.astype(column.dtype.newbyteorder(">")) for column in THREE])
    assert bars_sha256(strided) == bars_sha256(swapped) == bars_sha256(THREE)


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("row", range(3))
def test_the_fingerprint_sees_the_smallest_change_of_any_value(column: int, row: int) -> None:
    changed = [array.copy() for array in THREE]
    changed[column][row] = THREE.ts[row] + 1 if column == 0 else np.nextafter(changed[column][row], np.inf)
    assert bars_sha256(bars_of(changed)) != bars_sha256(THREE)
