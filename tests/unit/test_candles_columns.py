"""Columns are found by name in any order and case; lines keep their numbers."""

from __future__ import annotations

import io

import pytest

from core.candles import columns as candle_columns
from core.candles.columns import Layout, Part, find_columns, join, text_parts
from core.errors import NoDataError

MS = 1_700_000_000_000


def read(text: str) -> tuple[Layout, Part]:
    layout, parts = text_parts(io.StringIO(text))
    return layout, join(list(parts))


def table(part: Part) -> list[tuple[float, ...]]:
    return list(zip(part.times.values.tolist(), *(column.tolist() for column in part.columns), strict=True))


@pytest.mark.parametrize(
    ("header", "places"),
    [
        ("ts,open,high,low,close,volume", (0, 1, 2, 3, 4, 5)),
        ("Timestamp,Open,High,Low,Close,Volume\n", (0, 1, 2, 3, 4, 5)),
        ("volume,CLOSE,low,High,open,Date,trades", (5, 4, 3, 2, 1, 0)),
        ('"Open time", "open","high","low","close","volume"', (0, 1, 2, 3, 4, 5)),
        ("open-time,open,high,low,close,volume", (0, 1, 2, 3, 4, 5)),
        ("open,high,low,close,volume,__index_level_0__", (5, 0, 1, 2, 3, 4)),
    ],
)
def test_columns_are_found_in_any_order_and_case(header: str, places: tuple[int, ...]) -> None:
    layout = find_columns(header.split(","))
    assert layout.places == places
    assert layout.notes == ()


def test_of_two_times_the_more_exact_is_taken_and_said() -> None:
    layout = find_columns(["date", "open", "high", "low", "close", "volume", "timestamp"])
    assert layout.places[0] == 6
    assert layout.notes == ("the time is taken from timestamp, not from date",)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("ts,open,high,low,close", "no column for volume; the first line has 'ts, open, high, low, close'"),
        ("when,open,high,low,close,volume", "no column for a time (ts, timestamp, unix, "),
        ("1,2,3", "no column for a time"),
        ("ts,open,high,low,close,volume,Open", "the column open is there twice"),
        ("x" * 300, "…'"),
    ],
)
def test_a_missing_or_double_column_is_named(header: str, said: str) -> None:
    with pytest.raises(NoDataError) as error:
        find_columns(header.split(","))
    assert said in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_commas_semicolons_and_tabs_separate(delimiter: str) -> None:
    text = f"ts,open,high,low,close,volume\n{MS},2,3,1,2.5,9\n".replace(",", delimiter)
    _, part = read(text)
    assert table(part) == [(MS, 2.0, 3.0, 1.0, 2.5, 9.0)]


def test_lines_keep_their_numbers_over_blank_lines_and_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_columns, "_BLOCK", 20)
    row = f"{MS},2,3,1,2.5,9\n"
    _, part = read("\n\nts,open,high,low,close,volume\n" + row + "\n" + row + row + "  \n" + row)
    assert part.lines.tolist() == [4, 6, 7, 9]
    assert part.reasons == {}


def test_reasons_keep_to_their_rows_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_columns, "_BLOCK", 20)
    good = f"{MS},2,3,1,2.5,9\n"
    _, part = read(
        "ts,open,high,low,close,volume\n" + good * 3 + "x,2,3,1,2.5,9\n" + f"{MS},y,3,1,z,9\n" + "1,2\n"
    )
    assert part.reasons == {
        3: "time 'x' is not a time: wanted ms UTC or 2024-01-31 12:00:00",
        4: "open 'y' is not a number",
        5: "has 2 fields instead of 6",
    }


def test_quotes_are_dropped_and_an_open_one_swallows_no_line() -> None:
    _, part = read(f'ts,open,high,low,close,volume\n"{MS}","2","3","1","2.5","9"\n"{MS},2,3,1,2.5,9\n')
    assert len(table(part)) == 2
    assert part.reasons == {}


def test_binances_rows_need_no_header() -> None:
    row = f"{MS},2,3,1,2.5,9,{MS + 59_999},22.5,7,4,10,0\n"
    layout, part = read(row * 2)
    assert table(part) == [(MS, 2.0, 3.0, 1.0, 2.5, 9.0)] * 2
    assert part.lines.tolist() == [1, 2]
    assert "taken for Binance's" in layout.notes[0]


def test_other_rows_without_a_header_are_refused_because_their_order_is_unknown() -> None:
    with pytest.raises(NoDataError, match="no column for a time"):
        read(f"{MS},2,3,1,2.5,9\n")


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    with pytest.raises(NoDataError, match="the file is empty"):
        read(text)


def test_numbers_are_read_at_once_as_they_are_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = (
        "1",
        "+2",
        " 3 ",
        "-0",
        "1e3",
        ".5",
        "nan",
        "inf",
        "-Infinity",
        "0x1p3",
        "1d2",
        "",
        "1_0",
        "١",
        "7a",
    )
    head = "open,ts,high,low,close,volume,more\n"
    texts = [f"{head}1,{MS},2,3,4,5,6\n{cell},{MS + 1},2,3,{cell},5,x\n" for cell in cells]
    texts += [f"{head}1,{cell},2,3,4,5,6\n" for cell in (*cells, "9" * 20, f"{MS}.0", f"{MS}\x00")]
    texts += [
        f"{head}1,{MS},2,3,4,5\n",
        f"{head}1,{MS},2,3,4,5,6\r\n\r\n1,{MS},2,3,4,5,6\r\n",
        f"{head}1,#,2,3,4,5,6",
    ]
    at_once = [read(text)[1] for text in texts]
    monkeypatch.setattr(candle_columns, "_plain_part", lambda *_: None)
    for fast, text in zip(at_once, texts, strict=True):
        slow = read(text)[1]
        assert repr(table(fast)) == repr(table(slow))
        assert fast.reasons == slow.reasons
        assert fast.lines.tolist() == slow.lines.tolist()
    assert sum(not part.reasons for part in at_once) > 10
