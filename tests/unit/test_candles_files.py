"""Files of every kind load to the same bars; what is wrong is named by line, or refuses the file."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.candles.files import CandleFile, RefusedLine, check_path, read_candle_file
from core.candles.frames import frame_from_bars
from core.domain import Bars
from core.errors import NoDataError, UsageError
from tests.stored import HOUR, NOW, START, bars_at, same_bars

HEADER = "ts,open,high,low,close,volume\n"


def rows_of(bars: Bars, scale: int = 1) -> list[str]:
    """Return text rows, times multiplied by `scale`."""
    return [
        f"{ts * scale},{','.join(map(repr, values))}\n"
        for ts, *values in zip(*(column.tolist() for column in bars), strict=True)
    ]


def klines(bars: Bars, scale: int = 1) -> str:
    """Return Binance's 12 columns."""
    return "".join(f"{row.strip()},{START * scale + 7},1.5,3,0.5,0.7,0\n" for row in rows_of(bars, scale))


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def read(path: Path, timeframe: str = "1h") -> CandleFile:
    return read_candle_file(path, timeframe, NOW)


def refuses(path: Path, error: type[Exception] = NoDataError, timeframe: str = "1h") -> str:
    with pytest.raises(error) as raised:
        read(path, timeframe)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return path


BARS = bars_at(0, 1, 2, 5)
TEXT = HEADER + "".join(rows_of(BARS))


def test_csv_is_read(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.csv", TEXT))
    assert same_bars(found.good, BARS)
    assert found[1:] == ((), 0, (), 0, "unsaid")
    assert found.rows == 4


def test_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.CSV.GZ"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert same_bars(read(path).good, BARS)


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert same_bars(read(path).good, BARS)


@pytest.mark.parametrize("unnamed", [False, True])
def test_a_frame_saved_as_parquet_is_read(tmp_path: Path, unnamed: bool) -> None:
    frame = frame_from_bars(BARS)
    frame.index.name = None if unnamed else "timestamp"
    frame.to_parquet(tmp_path / "a.parquet")
    assert same_bars(read(tmp_path / "a.parquet").good, BARS)


@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize(
    "header",
    [
        "",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore\n",
    ],
)
def test_binances_zip_is_read_with_and_without_header_in_ms_and_microseconds(
    tmp_path: Path, scale: int, header: str
) -> None:
    path = zipped(tmp_path / "BTCUSDT-1h.zip", **{"BTCUSDT-1h__csv": header + klines(BARS, scale)})
    found = read(path)
    assert same_bars(found.good, BARS)
    assert ("times are read as µs" in found.notes) is (scale == 1000)
    assert any("taken for Binance's" in note for note in found.notes) is (header == "")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "found nothing"),
        ({"a__csv": TEXT, "b__csv": TEXT}, "found a.csv, b.csv"),
        ({"readme__txt": "hello"}, "found readme.txt"),
    ],
)
def test_an_archive_without_exactly_one_csv_is_refused(
    tmp_path: Path, members: dict[str, str], said: str
) -> None:
    assert said in refuses(zipped(tmp_path / "a.zip", **members))


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", a__csv=TEXT)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refuses(path)


@pytest.mark.parametrize("left", [0.3, 0.9])
def test_a_cut_compressed_file_is_refused_whole(tmp_path: Path, left: float) -> None:
    content = gzip.compress((HEADER + "".join(rows_of(bars_at(*range(3000))))).encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(content[: int(len(content) * left)])
    assert "nothing of it was loaded" in refuses(path)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.parquet"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    refuses(write(tmp_path / name, TEXT))


@pytest.mark.parametrize("name", ["a.zip", "a.parquet"])
def test_a_damaged_file_is_refused_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    bars = bars_at(*range(3000))
    if name == "a.zip":
        zipped(path, a__csv=HEADER + "".join(rows_of(bars)))
    else:
        frame_from_bars(bars).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[200:2000] = b"\x00" * 1800
    path.write_bytes(content)
    refuses(path)


@pytest.mark.parametrize(("content", "said"), [("", "the file is empty"), (HEADER, "a header and no row")])
def test_an_empty_file_and_a_mere_header_are_refused(tmp_path: Path, content: str, said: str) -> None:
    assert said in refuses(write(tmp_path / "a.csv", content))


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    frame_from_bars(bars_at()).to_parquet(tmp_path / "a.parquet")
    assert "a header and no row" in refuses(tmp_path / "a.parquet")


def test_bytes_that_are_no_text_spoil_their_row_only(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode() + b"\xff\xfe\x00,1,1,1,1,1\n")
    found = read(path)
    assert same_bars(found.good, BARS)
    assert [line for line, _ in found.refused] == [6]


def test_each_bad_row_is_named_by_its_line_and_the_good_ones_are_kept(tmp_path: Path) -> None:
    good = rows_of(bars_at(0, 1, 2, 3, 4, 5, 6))
    bad = [
        f"{START + 10 * HOUR},abc,2,1,1,1\n",
        f"{START + 11 * HOUR},nan,2,1,1,1\n",
        f"{START + 12 * HOUR},-1,2,1,1,1\n",
        f"{START + 13 * HOUR},1,1,2,1,1\n",
        f"{START + 13 * HOUR + 1},1,1,1,1,1\n",
        f"{NOW},1,1,1,1,1\n",
        "1,1,1,1,1,1\n",
        "1,1\n",
    ]
    found = read(write(tmp_path / "a.csv", HEADER + "".join(good[:3] + bad + good[3:])))
    assert same_bars(found.good, bars_at(0, 1, 2, 3, 4, 5, 6))
    assert [line for line, _ in found.refused] == list(range(5, 13))
    assert [reason.split(" ")[:2] for _, reason in found.refused] == [
        ["open", "'abc'"],
        ["open", "nan"],
        ["open", "-1"],
        ["high", "1"],
        ["open", "time"],
        ["not", "closed"],
        ["time", "1"],
        ["has", "2"],
    ]
    assert found.rows == 15


def test_rows_in_any_order_and_twice_are_sorted_and_dropped_with_a_note(tmp_path: Path) -> None:
    rows = rows_of(BARS)
    found = read(write(tmp_path / "a.csv", HEADER + "".join([*reversed(rows), rows[0]])))
    assert same_bars(found.good, BARS)
    assert found.repeated == 1
    assert found.rows == 5
    assert found.notes == (
        "rows were sorted by time (3 came before an earlier one)",
        "1 repeated row was dropped",
    )


def test_contradictions_are_refused_by_line(tmp_path: Path) -> None:
    rows = rows_of(BARS)
    found = read(write(tmp_path / "a.csv", HEADER + "".join([*rows, rows[1].replace("2.0", "3.0")])))
    assert same_bars(found.good, bars_at(0, 2, 5))
    assert [line for line, _ in found.refused] == [3, 6]


def test_a_file_with_bad_rows_only_is_read_as_having_no_good_one(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.csv", HEADER + "x,1,1,1,1,1\n"))
    assert len(found.good.ts) == 0
    assert found.refused == (RefusedLine(2, "time 'x' is not a time: wanted ms UTC or 2024-01-31 12:00:00"),)


@pytest.mark.parametrize(("given", "advice"), [("4h", "give timeframe='1h'"), ("1m", "give timeframe='1h'")])
def test_bars_of_another_timeframe_are_refused(tmp_path: Path, given: str, advice: str) -> None:
    path = write(tmp_path / "a.csv", HEADER + "".join(rows_of(bars_at(*range(10)))))
    assert advice in refuses(path, UsageError, given)


def test_bars_of_no_known_timeframe_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", HEADER + "".join(rows_of(bars_at(*range(0, 1680, 120)))))
    assert "no timeframe this program knows" in refuses(path, UsageError)


def test_a_missing_file_a_folder_and_an_unknown_kind_are_wrong_usage(tmp_path: Path) -> None:
    assert "is not there" in refuses(tmp_path / "none.csv", UsageError)
    (tmp_path / "folder.csv").mkdir()
    assert "is a directory" in refuses(tmp_path / "folder.csv", UsageError)
    assert ".parquet" in refuses(write(tmp_path / "a.xlsx", TEXT), UsageError)
    assert check_path(write(tmp_path / "b.Csv", TEXT)) == ".csv"


def test_progress_is_told_in_bytes_up_to_the_files_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TEXT)
    told: list[int] = []
    read_candle_file(path, "1h", NOW, told.append)
    assert sum(told) == path.stat().st_size


def test_a_parquet_file_of_arrow_alone_is_read(tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.table(dict(zip(HEADER.strip().split(","), BARS, strict=True)))
    pq.write_table(table, tmp_path / "a.parquet")
    assert same_bars(read(tmp_path / "a.parquet").good, BARS)
