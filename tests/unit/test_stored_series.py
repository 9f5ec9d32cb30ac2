"""What is stored is known without reading the rows, and never what was stored before."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.candles.frames import Gaps, count_gaps
from core.domain import Bars, Series
from db.base import open_engine
from db.candle_revisions import TRIGGERS
from db.candles import read_bars, upsert_bars
from db.init_db import init_db
from db.stored_series import SeriesRange, list_series, stored_ranges
from tests.stored import HOUR, SERIES, START, bars_at, make_database, opened, run_sql, url_of

OTHER = SERIES._replace(symbol="ETH/USDT")


def work_of(engine: Engine, look: Callable[[Engine], object]) -> int:
    """Return how many hundreds of steps of SQLite's machine a look takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(engine.raw_connection()) as connection:
        driver = connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(count, 100)
    look(engine)
    return steps


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_database(tmp_path, bars_at(*range(5_000)))


def test_a_look_takes_as_long_at_ten_thousand_rows_as_at_ten(path: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    few = opened(make_database(tmp_path / "few", bars_at(*range(10))))
    many = opened(path)
    assert work_of(many, list_series) <= work_of(few, list_series) + 2


def test_rows_that_another_program_wrote_are_read_once(path: Path) -> None:
    run_sql(path, "DELETE FROM ohlcv WHERE id = 7")
    engine = opened(path)
    first, again = work_of(engine, list_series), work_of(engine, list_series)
    assert first > 10 * again
    assert list_series(engine)[0].gaps == Gaps(1, 1)


def test_loads_add_to_what_was_counted(tmp_path: Path) -> None:
    engine = init_db(url_of(tmp_path / "a.db"))
    for hours in ((5, 6, 9), (20,), (0,), (7, 8), (12, 14), (12, 13), (5, 6), (0, 20), (30, 31, 33)):
        upsert_bars(engine, SERIES, bars_at(*hours))
        (found,) = list_series(engine)
        stored = read_bars(engine, SERIES)
        assert (found.rows, found.gaps) == (stored.ts.size, count_gaps(stored, HOUR))


def test_a_load_that_fails_leaves_what_was_counted(path: Path) -> None:
    engine, bars = opened(path), bars_at(6_000)
    upsert_bars(engine, SERIES, bars)
    before = list_series(engine)

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upsert_bars(engine, SERIES, bars_at(7_000), progress=fail)
    assert list_series(engine) == before


def test_what_was_counted_while_a_trigger_was_away_is_counted_again(path: Path) -> None:
    run_sql(
        path,
        "DROP TRIGGER candles_deleted",
        "DELETE FROM ohlcv WHERE id = 3",
        TRIGGERS["candles_deleted"],
    )
    (found,) = list_series(opened(path))
    assert (found.rows, found.gaps) == (4_999, Gaps(1, 1))


def test_a_database_opened_for_reading_only_is_counted_and_left(path: Path) -> None:
    run_sql(path, "DELETE FROM candle_revisions")
    engine = open_engine(url_of(path) + "?mode=ro")
    assert stored_ranges(engine) == [SeriesRange(SERIES, 5_000, START, START + 4_999 * HOUR)]
    assert stored_ranges(engine) == [SeriesRange(SERIES, 5_000, START, START + 4_999 * HOUR)]


def test_one_market_is_found_among_others(path: Path) -> None:
    engine = opened(path)
    names = [Series("a", "X/Y", "1h"), OTHER, OTHER._replace(timeframe="1d"), Series("z", "X/Y", "1h")]
    for series in names:
        upsert_bars(engine, series, Bars(*bars_at(24)))
    asked = stored_ranges(engine, (OTHER.exchange, OTHER.symbol))
    assert [found.series for found in asked] == [names[2], names[1]]
    assert [found.series for found in stored_ranges(engine)] == sorted([SERIES, *names])
