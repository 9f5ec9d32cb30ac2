"""Sound bars survive every kind of file bit by bit, and no row of a text file is ever lost."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.candles.files import CandleFile, read_candle_file
from core.candles.frames import frame_from_bars
from core.domain import Bars
from core.errors import NoDataError
from tests.stored import HOUR, NOW, START, same_bars

Candle = tuple[float, float, float, float, float]

prices = st.floats(1e-12, 1e12)
candles = st.tuples(prices, prices, prices, prices, st.floats(0, 1e12))
cells = st.sampled_from(
    ["", "1", "2", "x", "nan", "1e5", "\x00", str(START), str(START + HOUR), str(START // 1000), "2020-09-13"]
)


def as_bars(found: dict[int, Candle]) -> Bars:
    """Return sound bars with these numbers, by hour."""
    ts = START + HOUR * np.array(sorted(found), np.int64)
    values = np.array([found[hour] for hour in sorted(found)])
    low, opened, close, high = (np.ascontiguousarray(side) for side in np.sort(values[:, :4], axis=1).T)
    return Bars(ts, opened, high, low, close, values[:, 4] + 0.0)


def read(name: str, content: bytes) -> CandleFile | str:
    """Return what is read of a file, or why all of it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return read_candle_file(path, "1h", NOW)
        except NoDataError as refused:
            return str(refused)


@pytest.mark.unmeasured
@given(st.dictionaries(st.integers(0, 200), candles, min_size=1, max_size=5))
def test_sound_bars_survive_bit_by_bit(found: dict[int, Candle]) -> None:
    bars = as_bars(found)
    rows = zip(*(column.tolist() for column in bars), strict=True)
    text = "\n".join(
        ["time,open,high,low,close,volume", *(",".join(map(repr, row)) for row in rows)]
    ).encode()
    for name, content in {
        "a.csv": text,
        "a.csv.gz": gzip.compress(text),
        "a.parquet": frame_from_bars(bars).to_parquet(),
    }.items():
        checked = read(name, content)
        assert isinstance(checked, CandleFile)
        assert checked.refused == ()
        assert same_bars(checked.good, bars)


@pytest.mark.unmeasured
@given(st.lists(st.lists(cells, min_size=5, max_size=7), max_size=8))
def test_every_row_of_a_file_is_good_or_refused_or_repeated(rows: list[list[str]]) -> None:
    text = "".join(",".join(row) + "\n" for row in rows)
    found = read("a.csv", b"ts,open,high,low,close,volume\n" + text.encode())
    if isinstance(found, str):
        assert not rows or "as many in" in found
        return
    assert found.rows == len(rows)
    lines = [line for line, _ in found.refused]
    assert lines == sorted(set(lines))
