"""Bars go in and come out bit by bit, counted exactly, all of a load or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from core.candles.frames import Gaps
from core.domain import Bars, Series
from core.errors import DatabaseError, RefusedError, UsageError
from db import candles
from db.base import marked
from db.candles import last_ts, read_bars, upsert_bars
from db.models import OHLCV
from db.stored_series import SeriesRange, list_series, stored_ranges
from tests.stored import HOUR, NOW, SERIES, START, bars_at, make_database, opened, run_sql, same_bars

OTHER = Series("kraken", "ETH/USD", "1h")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return opened(make_database(tmp_path))


def test_bars_come_out_as_they_went_in(engine: Engine) -> None:
    awkward = bars_at(0, 1, 2)._replace(
        open=np.array([0.1 + 0.2, 1e-12, 99_999_999.99999999]),
        high=np.array([0.4, 5e-324 + 1e-11, 1e8]),
        low=np.array([0.1, 1e-13, 1.0]),
        close=np.array([1 / 3, 1e-12, 1.5]),
    )
    upsert_bars(engine, SERIES, awkward)
    assert same_bars(read_bars(engine, SERIES), awkward)


def test_columns_are_contiguous_and_can_be_written(engine: Engine) -> None:
    upsert_bars(engine, SERIES, bars_at(0, 1, 2))
    for limit in (None, 2):
        for column in read_bars(engine, SERIES, limit=limit):
            assert column.flags.c_contiguous
            assert column.flags.writeable


def test_nothing_stored_reads_as_no_bars(engine: Engine) -> None:
    none = read_bars(engine, SERIES)
    assert len(none.ts) == 0
    assert none.ts.dtype == np.int64


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("start", "end", "limit", "hours"),
    [
        (None, None, None, [0, 1, 2, 5, 6]),
        (1, None, None, [1, 2, 5, 6]),
        (None, 2, None, [0, 1]),
        (2, 6, None, [2, 5]),
        (3, 5, None, []),
        (None, None, 2, [5, 6]),
        (None, 6, 2, [2, 5]),
        (1, None, 99, [1, 2, 5, 6]),
        (1, 3, 1, [2]),
    ],
)
def test_start_is_in_end_is_out_and_limit_takes_the_newest(
    engine: Engine, start: int | None, end: int | None, limit: int | None, hours: list[int]
) -> None:
    upsert_bars(engine, SERIES, bars_at(0, 1, 2, 5, 6))
    upsert_bars(engine, OTHER, bars_at(1, 2, 3, 4))
    found = read_bars(
        engine,
        SERIES,
        start=None if start is None else START + start * HOUR,
        end=None if end is None else START + end * HOUR,
        limit=limit,
    )
    assert found.ts.tolist() == [START + hour * HOUR for hour in hours]


def test_a_limit_below_one_is_refused(engine: Engine) -> None:
    with pytest.raises(UsageError, match="limit is 0"):
        read_bars(engine, SERIES, limit=0)


def test_inserted_updated_and_unchanged_are_counted_exactly(engine: Engine) -> None:
    assert upsert_bars(engine, SERIES, bars_at(0, 1, 2)) == (3, 0, 0)
    assert upsert_bars(engine, SERIES, bars_at(0, 1, 2)) == (0, 0, 3)
    mixed = bars_at(1, 2, 3, 4)
    mixed.volume[0] = 7.0
    assert upsert_bars(engine, SERIES, mixed) == (2, 1, 1)
    assert read_bars(engine, SERIES).volume.tolist() == [2.0, 7.0, 2.0, 2.0, 2.0]
    assert upsert_bars(engine, OTHER, bars_at(1, 2, 3)) == (3, 0, 0)


@pytest.mark.unmeasured
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_change_of_any_one_column_is_an_update(engine: Engine, column: str) -> None:
    bars = bars_at(0)
    upsert_bars(engine, SERIES, bars)
    changed = bars._replace(**{column: getattr(bars, column) + 0.25})
    assert upsert_bars(engine, SERIES, changed) == (0, 1, 0)
    assert same_bars(read_bars(engine, SERIES), changed)


def test_an_unchanged_row_is_not_written_again(engine: Engine, tmp_path: Path) -> None:
    upsert_bars(engine, SERIES, bars_at(0, 1))
    run_sql(
        tmp_path / "candles.db",
        "CREATE TRIGGER guard BEFORE UPDATE ON ohlcv BEGIN SELECT RAISE(ABORT, 'written'); END",
    )
    assert upsert_bars(engine, SERIES, bars_at(0, 1)).unchanged == 2
    with pytest.raises(DatabaseError, match="written"):
        upsert_bars(engine, SERIES, bars_at(0, price=90.0))


def test_of_a_load_only_new_and_changed_bars_are_sent(engine: Engine) -> None:
    stored, sent = bars_at(0, 1, 3), []
    upsert_bars(engine, SERIES, stored)
    event.listen(engine, "before_cursor_execute", lambda *some: sent.append((some[2], some[3])))
    bars = bars_at(0, 1, 2, 3)
    bars.volume[1] += 1
    assert upsert_bars(engine, SERIES, bars) == (1, 1, 2)
    (values,) = [values for sql, values in sent if sql.startswith("INSERT INTO ohlcv")]
    assert values == (*SERIES, *[one[1].item() for one in bars], *[one[2].item() for one in bars])


def test_loads_larger_than_a_chunk_are_counted_as_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candles, "_CHUNK", 3)
    told: list[int] = []
    assert upsert_bars(engine, SERIES, bars_at(*range(8)), progress=told.append) == (8, 0, 0)
    assert told == [3, 3, 2]
    assert upsert_bars(engine, SERIES, bars_at(*range(4, 12))) == (4, 0, 4)


def test_an_interrupted_load_leaves_nothing_behind(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles, "_CHUNK", 2)
    upsert_bars(engine, SERIES, bars_at(0), clock=lambda: NOW)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upsert_bars(engine, SERIES, bars_at(*range(9), price=50.0), progress=interrupt)
    assert same_bars(read_bars(engine, SERIES), bars_at(0))
    assert list_series(engine)[0].updated_at == NOW
    assert upsert_bars(engine, SERIES, bars_at(*range(9), price=50.0)) == (8, 1, 0)


def test_a_full_disk_leaves_nothing_of_the_load_behind(engine: Engine) -> None:
    upsert_bars(engine, SERIES, bars_at(0))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 12")  # of the one connection that is pooled
    with pytest.raises(DatabaseError, match="the disk is full; nothing of this step was stored"):
        upsert_bars(engine, SERIES, bars_at(*range(2000)))
    assert same_bars(read_bars(engine, SERIES), bars_at(0))


def test_no_bars_are_no_load(engine: Engine) -> None:
    assert upsert_bars(engine, SERIES, bars_at()) == (0, 0, 0)
    assert list_series(engine) == []


@pytest.mark.parametrize("hours", [(1, 0), (0, 0), (0, 2, 1)])
def test_bars_out_of_order_or_twice_are_refused(engine: Engine, hours: tuple[int, ...]) -> None:
    with pytest.raises(RefusedError, match="oldest first and once each"):
        upsert_bars(engine, SERIES, bars_at(*hours))


def test_an_unknown_timeframe_is_refused(engine: Engine) -> None:
    with pytest.raises(UsageError, match="unknown timeframe '7m'"):
        upsert_bars(engine, SERIES._replace(timeframe="7m"), bars_at(0))


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "wrong",
    [
        {"close": np.array([np.nan])},
        {"high": np.array([np.inf])},
        {"low": np.array([0.0])},
        {"low": np.array([-1.0])},
        {"high": np.array([98.0])},
        {"open": np.array([150.0])},
        {"close": np.array([1.0])},
        {"volume": np.array([-0.1])},
        {"volume": np.array([np.nan])},
        {"volume": np.array([np.inf])},
    ],
)
def test_the_table_itself_refuses_what_is_no_candle(engine: Engine, wrong: dict[str, object]) -> None:
    with pytest.raises(DatabaseError, match="refused a row"):
        upsert_bars(engine, SERIES, bars_at(0)._replace(**wrong))  # type: ignore[arg-type]
    assert stored_ranges(engine) == []


def test_the_table_refuses_text_for_a_number(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in INTEGER"),
    ):
        connection.execute(
            "INSERT INTO ohlcv (exchange, symbol, timeframe, ts, open, high, low, close, volume) "
            "VALUES ('a', 'b', '1h', 'abc', 1, 1, 1, 1, 1)"
        )


def test_the_newest_open_time_is_found(engine: Engine) -> None:
    assert last_ts(engine, SERIES) is None
    upsert_bars(engine, SERIES, bars_at(3, 7))
    upsert_bars(engine, OTHER, bars_at(50))
    assert last_ts(engine, SERIES) == START + 7 * HOUR


def test_what_is_stored_is_listed_by_name_with_its_gaps(engine: Engine) -> None:
    upsert_bars(engine, OTHER, bars_at(4, 5), source="a.csv", clock=lambda: NOW)
    upsert_bars(engine, SERIES, bars_at(0, 1, 3, 4, 9, 10), clock=lambda: NOW + 1)
    assert stored_ranges(engine) == [
        SeriesRange(SERIES, 6, START, START + 10 * HOUR),
        SeriesRange(OTHER, 2, START + 4 * HOUR, START + 5 * HOUR),
    ]
    first, second = list_series(engine)
    assert first.gaps == Gaps(2, 5)
    assert (first.series, first.rows, first.first, first.last) == (SERIES, 6, START, START + 10 * HOUR)
    assert second.gaps == Gaps(0, 0)
    assert (second.source, second.updated_at, second.checked_at) == ("a.csv", NOW, NOW)
    assert list_series(engine, OTHER) == [second]


def test_the_last_update_is_the_last_load_that_changed_something(engine: Engine) -> None:
    upsert_bars(engine, SERIES, bars_at(0), source="one", clock=lambda: NOW)
    upsert_bars(engine, SERIES, bars_at(0), source="two", clock=lambda: NOW + 5)
    (found,) = list_series(engine)
    assert (found.updated_at, found.checked_at, found.source) == (NOW, NOW + 5, "two")
    upsert_bars(engine, SERIES, bars_at(0, 1), source="three", clock=lambda: NOW + 9)
    (found,) = list_series(engine)
    assert (found.updated_at, found.checked_at, found.source) == (NOW + 9, NOW + 9, "three")


def test_rows_that_came_by_another_way_have_no_known_update(engine: Engine, tmp_path: Path) -> None:
    upsert_bars(engine, SERIES, bars_at(0))
    run_sql(tmp_path / "candles.db", "DELETE FROM candle_series", "UPDATE ohlcv SET timeframe = '1M'")
    (found,) = list_series(engine)
    assert (found.gaps, found.updated_at, found.checked_at, found.source) == (None, None, None, "")


def test_a_gap_is_counted_in_sql_as_in_memory_when_rows_are_off_the_grid(engine: Engine) -> None:
    from core.candles.frames import count_gaps

    bars = bars_at(0, 1, 2, 3)
    odd = Bars(bars.ts + np.array([0, 0, 1, 7 * HOUR]), *bars[1:])
    upsert_bars(engine, SERIES, odd)
    assert list_series(engine)[0].gaps == count_gaps(odd, HOUR)


def test_the_tables_can_be_made_on_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = {
        table.name: str(CreateTable(table).compile(dialect=dialect)) for table in OHLCV.metadata.sorted_tables
    }
    assert "DOUBLE PRECISION" in made["ohlcv"]
    assert "BIGSERIAL" in made["ohlcv"]
    assert "STRICT" not in "".join(made.values())


def test_a_server_gets_the_names_of_the_series_with_every_row() -> None:
    class Server:
        class dialect:  # noqa: N801
            name, paramstyle = "postgresql", "pyformat"

    sql, values = candles._upsert(Server, SERIES, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])  # type: ignore[arg-type]
    assert values == (*SERIES, 1, 2, 3, 4, 5, 6, *SERIES, 7, 8, 9, 10, 11, 12)
    assert sql.count("%s") == len(values)
    assert "?" not in sql


def test_the_sql_takes_the_drivers_own_placeholder() -> None:
    class Format:
        class dialect:  # noqa: N801
            paramstyle = "pyformat"

    assert marked("ts >= ? AND ts < ?", Format) == "ts >= %s AND ts < %s"  # type: ignore[arg-type]
