"""Parquet and Feather files are read whatever the types of their columns; their reader is an extra."""

from __future__ import annotations

import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from core.candles import arrow
from core.candles.arrow import feather_parts, parquet_parts
from core.candles.columns import Layout, Part, join
from core.errors import NoDataError, UsageError

MS = 1_700_000_000_000


def parquet(**columns: Any) -> tuple[Layout, Part]:
    """Return what is read of a Parquet file with sound prices except for the columns given."""
    length = len(next(iter(columns.values())))
    table = {
        name: [float(n)] * length
        for name, n in zip(["open", "high", "low", "close", "volume"], (2, 3, 1, 2, 9), strict=True)
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(table | columns), buffer)
    layout, parts = parquet_parts(buffer)
    return layout, join(list(parts))


@pytest.mark.parametrize(
    ("times", "values", "is_ms"),
    [
        (pa.array([MS], pa.int64()), MS, False),
        (pa.array([MS // 1000], pa.uint32()), MS // 1000, False),
        (pa.array([float(MS)]), MS, False),
        (pa.array([str(MS)]), MS, False),
        (pa.array([MS // 1000], pa.timestamp("s")), MS, True),
        (pa.array([MS], pa.timestamp("ms")), MS, True),
        (pa.array([MS * 1000], pa.timestamp("us", "UTC")), MS, True),
        (pa.array([MS * 1_000_000], pa.timestamp("ns", "Europe/Berlin")), MS, True),
        (pa.array([date(2023, 11, 14)]), 1_699_920_000_000, True),
        (pa.array([datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)]), MS, True),
        (pa.array(["2023-11-14 22:13:20Z"]), MS, True),
    ],
)
def test_parquet_times_of_any_type_are_read(times: object, values: int, is_ms: bool) -> None:
    _, part = parquet(ts=times)
    assert part.times.values.tolist() == [values]
    assert part.times.is_ms.tolist() == [is_ms]
    assert part.reasons == {}


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        (pa.array([MS, None], pa.timestamp("ms")), "time is empty"),
        (pa.array([MS, None], pa.int64()), "time is empty"),
        (pa.array([MS * 1000, MS * 1000 + 7], pa.timestamp("us")), "time is not a whole millisecond"),
        (pa.array([f"{MS}", "soon"]), "time 'soon' is not a time: wanted ms UTC or 2024-01-31 12:00:00"),
    ],
)
def test_a_parquet_time_that_cannot_be_read_is_refused(times: object, reason: str) -> None:
    assert parquet(ts=times)[1].reasons == {1: reason}


@pytest.mark.parametrize(
    "close",
    [
        pa.array([2, 2], pa.int32()),
        pa.array([2.0, 2.0], pa.float32()),
        pa.array([Decimal("2.0"), Decimal("2.0")]),
        pa.array(["2", "2.0"]),
    ],
)
def test_parquet_prices_of_any_type_are_read(close: object) -> None:
    _, part = parquet(ts=[MS, MS + 60_000], close=close)
    assert part.columns[3].tolist() == [2.0, 2.0]
    assert part.columns[3].dtype == np.float64
    assert part.reasons == {}


@pytest.mark.parametrize(
    ("close", "reason"),
    [
        (pa.array([2.0, None]), "close is empty"),
        (pa.array(["2", None]), "close is empty"),
        (pa.array(["2", "two"]), "close 'two' is not a number"),
    ],
)
def test_a_parquet_price_that_cannot_be_read_is_refused(close: object, reason: str) -> None:
    assert parquet(ts=[MS, MS + 60_000], close=close)[1].reasons == {1: reason}


def test_parquet_rows_are_counted_from_one_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "PART", 2)
    assert parquet(ts=[MS] * 5)[1].lines.tolist() == [1, 2, 3, 4, 5]


def test_what_is_no_parquet_is_said_to_be_none() -> None:
    with pytest.raises(NoDataError, match="not a Parquet file"):
        parquet_parts(io.BytesIO(b"ts,open\n" * 9))


def test_a_time_too_large_for_a_parquet_reader_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoDataError, match="cannot be read to its end"):
        parquet(ts=pa.array([2**64 - 1], pa.uint64()))


def test_freqtrades_feather_is_read_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "PART", 2)
    stamps = [MS - MS % 60_000 + n * 60_000 for n in range(5)]
    table = pa.table(
        {"date": pa.array(stamps, pa.timestamp("ms", "UTC"))}
        | {name: [1.5] * 5 for name in ("open", "high", "low", "close", "volume")}
    )
    buffer = io.BytesIO()
    pf.write_feather(table, buffer, compression="lz4")
    layout, parts = feather_parts(buffer)
    part = join(list(parts))
    assert layout.places == (0, 1, 2, 3, 4, 5)
    assert part.times.values.tolist() == stamps
    assert part.times.is_ms.all()
    assert part.lines.tolist() == [1, 2, 3, 4, 5]
    assert [column.tolist() for column in part.columns] == [[1.5] * 5] * 5


def test_what_is_no_feather_is_said_to_be_none() -> None:
    with pytest.raises(NoDataError, match="not a Feather file"):
        feather_parts(io.BytesIO(b"ts,open\n" * 9))


@pytest.mark.parametrize("parts", [parquet_parts, feather_parts])
def test_without_pyarrow_one_line_says_how_to_get_it(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="is not installed: `make parquet` installs it"):
        parts(io.BytesIO(b""))
