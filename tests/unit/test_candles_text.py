"""Cells are numbers and times or are refused by name; the unit of times is a whole file's."""

from __future__ import annotations

import numpy as np
import pytest

from core.candles.text import (
    ISO,
    decide_times,
    in_milliseconds,
    read_numbers,
    read_times,
    undecided,
    zone_named,
)
from core.errors import NoDataError, UsageError

MS = 1_700_000_000_000
NOW = MS + 86_400_000


def decide(*cells: str) -> tuple[list[int], str, dict[int, str]]:
    """Return times in ms (0 where refused), their form, and all reasons."""
    times, unreadable = read_times(cells)
    readable = np.array([row not in unreadable for row in range(len(cells))], np.bool_)
    ts, form, reasons = decide_times(times, readable, NOW)
    reasons = reasons | unreadable
    return [0 if row in reasons else int(value) for row, value in enumerate(ts)], form, reasons


def test_numbers_are_read_exactly_in_any_notation() -> None:
    values, reasons = read_numbers("open", ["1.1", " 2 ", "3e-05", "+4.", "0.1234567890123456789"])
    assert values.tolist() == [1.1, 2.0, 3e-05, 4.0, 0.1234567890123456789]
    assert reasons == {}


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("abc", "close 'abc' is not a number"),
        ("1,5", "close '1,5' is not a number, but one with a decimal comma: write 1.5"),
        (" -1234,56", "close '-1234,56' is not a number, but one with a decimal comma: write -1234.56"),
        ("1,234,5", "close '1,234,5' is not a number"),
        ("1_000", "close '1_000' is not a number"),
        ("0x10", "close '0x10' is not a number"),
        ("None", "close 'None' is not a number"),
        ("", "close is empty"),
        ("  ", "close is empty"),
        ("9" * 30 + "x" * 30, f"close '{'9' * 30}{'x' * 9}…' is not a number"),
    ],
)
def test_a_cell_that_is_no_number_is_named_and_its_neighbours_are_read(cell: str, reason: str) -> None:
    values, reasons = read_numbers("close", ["1", cell, "2"])
    assert values[[0, 2]].tolist() == [1.0, 2.0]
    assert np.isnan(values[1])
    assert reasons == {1: reason}


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        ((f"{MS}", f"{MS - 60_000}"), "ms"),
        ((f"{MS}.0", f"{MS - 60_000}"), "ms"),
        (("1.7e12", "1699999940000"), "ms"),
        ((f"{MS // 1000}", f"{MS // 1000 - 60}"), "seconds"),
        ((f"{MS}000", f"{MS - 60_000}000"), "µs"),
        ((f"{MS}000000", f"{MS - 60_000}000000"), "ns"),
        (("2023-11-14 22:13:20 UTC", "2023-11-14T22:12:20 GMT"), ISO),
        (("2023-11-14T22:13:20Z", "2023-11-14 22:12:20+00:00"), ISO),
        (("2023-11-15 00:13:20+02:00", " 2023-11-14 22:12:20.000Z\n"), ISO),
    ],
)
def test_a_time_in_any_form_is_the_same_millisecond(cells: tuple[str, str], form: str) -> None:
    assert decide(*cells) == ([MS, MS - 60_000], form, {})


def test_a_date_alone_is_midnight_utc() -> None:
    assert decide("2023-11-14")[0] == [1_699_920_000_000]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("soon", "time 'soon' is not a time: wanted ms UTC or 2024-01-31 12:00:00"),
        ("31/01/2024", "time '31/01/2024' is not a time: wanted ms UTC or 2024-01-31 12:00:00"),
        ("", "time is empty"),
        ("1_700_000_000_000", "time '1_700_000_000_000' is not a time"),
        ("1700000000000.5", "time '1700000000000.5' is not a whole number"),
        ("nan", "time 'nan' is not a whole number"),
        ("9" * 20, f"time '{'9' * 20}' is out of range"),
        ("1e300", "time '1e300' is out of range"),
        ("2023-11-14 22:13:20.0001Z", "time '2023-11-14 22:13:20.0001Z' is not a whole millisecond"),
        ("0", "time 0 (ms) is not between 2009 and tomorrow"),
        ("-5", "time -5 (ms) is not between 2009 and tomorrow"),
        ("20240131", "time 20240131 (ms) is not between 2009 and tomorrow"),
        (f"{NOW + 86_400_001}", f"time {NOW + 86_400_001} (ms) is not between 2009 and tomorrow"),
        (f"{MS // 1000}", f"time {MS // 1000} (ms) is not between 2009 and tomorrow"),
        (f"{MS}000", f"time {MS}000 (ms) is not between 2009 and tomorrow"),
        ("9223372036854775807", "time 9223372036854775807 (ms) is not between 2009 and tomorrow"),
        ("2023-11-14", "time is in another form than in the rest of the file, which has ms"),
    ],
)
def test_a_time_that_does_not_fit_the_file_is_refused_and_its_neighbours_are_read(
    cell: str, reason: str
) -> None:
    assert decide(f"{MS}", cell, f"{MS}") == ([MS, 0, MS], "ms", {1: reason})


def test_numbers_and_dates_out_of_range_are_refused_among_iso_text() -> None:
    _, form, reasons = decide("2023-11-14", "2023-11-15", f"{MS}", "1999-01-01")
    assert form == ISO
    assert reasons == {
        2: "time is in another form than in the rest of the file, which has text",
        3: "time 915148800000 (ms) is not between 2009 and tomorrow",
    }


def test_microseconds_that_are_no_whole_millisecond_are_refused() -> None:
    assert decide(f"{MS}000", f"{MS}001") == (
        [MS, 0],
        "µs",
        {1: f"time {MS}001 (µs) is not a whole millisecond"},
    )


def test_as_many_rows_in_one_form_as_in_another_are_refused_as_a_whole() -> None:
    with pytest.raises(NoDataError, match="1 rows give the time in ms and as many in µs"):
        decide(f"{MS}", f"{MS}000")


def test_a_file_without_one_plausible_time_refuses_every_row() -> None:
    ts, _, reasons = decide("1", "2")
    assert ts == [0, 0]
    assert len(reasons) == 2


def test_no_rows_decide_nothing() -> None:
    assert decide() == ([], "ms", {})


@pytest.mark.parametrize(
    ("cell", "zone", "ms"),
    [
        ("2024-01-01 00:00:00", "UTC", 1_704_067_200_000),
        ("2024-01-01 01:00:00", "Europe/Berlin", 1_704_067_200_000),
        ("2024-07-01 02:00:00", "Europe/Berlin", 1_719_792_000_000),
        ("2024-01-01 00:00:00 UTC", "Europe/Berlin", 1_704_067_200_000),
        ("2019-10-17 09-AM", "UTC", 1_571_302_800_000),
        ("2019-10-17 12-AM", "UTC", 1_571_270_400_000),
        ("2019-10-17 12-PM", "UTC", 1_571_313_600_000),
        ("Apr 28, 2013", "UTC", 1_367_107_200_000),
        ("April 28, 2013", "UTC", 1_367_107_200_000),
    ],
)
def test_text_that_names_no_zone_is_in_the_zone_that_is_given(cell: str, zone: str, ms: int) -> None:
    times, reasons = read_times([cell], zone_named(zone))
    assert reasons == {}
    assert times.values.tolist() == [ms]
    assert times.is_local is (not cell.endswith("UTC"))


def test_an_hour_without_any_zone_is_refused_and_a_day_is_a_day_of_utc() -> None:
    times, reasons = read_times(["2024-01-01 00:00:00", "2019-10-17 09-AM", "2024-01-01"])
    wanted = "names no time zone: give timezone='UTC', or the zone that it is in"
    assert reasons == {
        0: f"time '2024-01-01 00:00:00' {wanted}",
        1: f"time '2019-10-17 09-AM' {wanted}",
    }
    assert times.values[2] == 1_704_067_200_000


@pytest.mark.parametrize("cell", ["2024-03-31 02:30", "2024-10-27 02:30"])
def test_an_hour_that_a_zone_has_twice_or_never_is_refused(cell: str) -> None:
    _, reasons = read_times([cell], zone_named("Europe/Berlin"))
    assert "comes twice or never in Europe/Berlin" in reasons[0]


@pytest.mark.parametrize("name", ["Mars/Base", "../etc/passwd", "", "CEST2"])
def test_an_unknown_zone_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError, match="unknown time zone"):
        zone_named(name)


def test_units_may_be_mixed_where_a_kind_of_file_does_so() -> None:
    times = undecided(np.array([MS, MS // 1000, MS * 1000, 7]))
    assert in_milliseconds(times, NOW).values.tolist() == [MS, MS, MS, 7]
