"""Times, timeframes and log lines are said in one way."""

from __future__ import annotations

import logging
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.utils import (
    TIMEFRAMES,
    configure_logging,
    format_time,
    from_grid,
    grid_start,
    json_of,
    now_ms,
    on_grid,
    parse_time,
    timeframe_ms,
    timeframe_name,
)

JANUARY_31 = 1_706_659_200_000
DAY = 86_400_000


def test_every_timeframe_divides_a_day_and_is_as_long_as_its_name_says() -> None:
    units = {"m": 60_000, "h": 3_600_000, "d": DAY, "w": 7 * DAY}
    for name, length in TIMEFRAMES.items():
        assert length == int(name[:-1]) * units[name[-1]] == timeframe_ms(name)
        assert DAY % length == 0 or length in (3 * DAY, 7 * DAY)


@pytest.mark.parametrize("name", ["4H", "", "5", "60m", "1M"])
def test_an_unknown_timeframe_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown timeframe '{name}': .*known: 12h, 15m, 1d"):
        timeframe_ms(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((name, name) for name in TIMEFRAMES),
        ("1D", "1d"),
        ("1H", "1h"),
        ("4H", "4h"),
        ("1W", "1w"),
        ("7d", "1w"),
        ("3D", "3d"),
        ("60m", "1h"),
        ("1440m", "1d"),
        ("15min", "15m"),
        (" 24h ", "1d"),
    ],
)
def test_a_timeframe_may_be_spelled_in_the_usual_ways(text: str, name: str) -> None:
    assert timeframe_name(text) == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1M", "months differ in length, bars here do not; take 1w or 1d, and minutes are written 1m"),
        ("15M", "minutes are written 15m"),
        ("1mo", "months differ in length, bars here do not; take 1w or 1d"),
        ("7m", "unknown timeframe '7m'"),
        ("1hour", "unknown timeframe '1hour'"),
        ("0m", "unknown timeframe '0m'"),
        ("-1d", "unknown timeframe '-1d'"),
        ("", "unknown timeframe ''"),
        ("1٠m", "unknown timeframe"),
    ],
)
def test_months_and_what_is_no_timeframe_are_refused_by_their_reason(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        timeframe_name(text)


def test_weeks_open_on_mondays_and_all_other_bars_are_counted_from_1970() -> None:
    monday = JANUARY_31 - 2 * DAY  # 2024-01-29
    assert on_grid(JANUARY_31, 7 * DAY) == monday == on_grid(monday, 7 * DAY)
    assert on_grid(monday - 1, 7 * DAY) == monday - 7 * DAY
    assert from_grid(monday, 7 * DAY) == monday
    assert from_grid(monday + 1, 7 * DAY) == monday + 7 * DAY
    # 2024-01-31 is day 19753 after 1970-01-01, and 19752 is 3 times 6584.
    assert on_grid(JANUARY_31, 3 * DAY) == JANUARY_31 - DAY
    assert on_grid(JANUARY_31 + 1, DAY) == JANUARY_31


@pytest.mark.unmeasured
@given(st.integers(0, 2 * 10**12), st.sampled_from(sorted(TIMEFRAMES.values())))
def test_every_moment_is_in_exactly_one_bar_of_a_grid(ms: int, step: int) -> None:
    start = on_grid(ms, step)
    assert start <= ms < start + step
    assert (start - grid_start(step)) % step == 0
    assert from_grid(ms, step) == (start if start == ms else start + step)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2024-01-31", JANUARY_31),
        ("2024-01-31T12:00", JANUARY_31 + 43_200_000),
        ("2024-01-31 12:00:00.001", JANUARY_31 + 43_200_001),
        ("2024-01-31T12:00+02:00", JANUARY_31 + 36_000_000),
        ("2024-01-31T12:00Z", JANUARY_31 + 43_200_000),
        ("1706659200000", JANUARY_31),
        ("1969-12-31T23:59:59.999", -1),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, ms: int) -> None:
    assert parse_time(text) == ms


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-02-30", "1706659200", "12:00", "2024-01-31T25:00", "-1"]
)
def test_what_is_no_time_is_refused_with_what_is_wanted(text: str) -> None:
    with pytest.raises(UsageError, match=r"wanted 2024-01-31, 2024-01-31T12:00 \(UTC\) or milliseconds"):
        parse_time(text)


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_is_read_to_the_millisecond(ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert parse_time(moment.isoformat()) == ms


@pytest.mark.unmeasured
@given(st.integers(0, 2_500_000_000_000))
def test_a_time_is_written_to_the_minute_in_utc(ms: int) -> None:
    assert parse_time(format_time(ms)) == ms - ms % 60_000


def test_now_is_the_clock_in_whole_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_706_659_200_000_999_999)
    assert now_ms() == JANUARY_31


def test_log_lines_go_to_stderr_and_ccxts_debug_lines_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    given_options: dict[str, Any] = {}
    monkeypatch.setattr(logging, "basicConfig", lambda **options: given_options.update(options))
    ccxt = logging.getLogger("ccxt")
    monkeypatch.setattr(ccxt, "level", ccxt.level)
    configure_logging(logging.DEBUG)
    assert given_options["level"] == logging.DEBUG
    assert given_options["stream"] is sys.stderr
    assert not logging.getLogger("ccxt.base.exchange").isEnabledFor(logging.DEBUG)
    ccxt.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        (b"\xff", "can't decode"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ("1" * 5_000, "limit"),
    ],
)
def test_what_is_no_document_is_one_kind_of_error_however_it_is_none(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        json_of(text)
