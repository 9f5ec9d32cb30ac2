"""Whatever is done to the table, by whomever, a read through the cache is a read of the table."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import sql_data_source
from core.candles.column_cache import ColumnCache, shared
from core.candles.frames import count_gaps
from core.domain import Series
from core.errors import NoDataError
from core.sql_data_source import SQLDataSource
from db.candles import read_bars, upsert_bars
from db.stored_series import list_series, stored_ranges
from tests.stored import HOUR, START, bars_at, make_database, same_bars, url_of
from tests.tiers import tries

PAIR = (Series("binanceus", "BTC/USDT", "1h"), Series("binanceus", "ETH/USDT", "1h"))
NAMES = "exchange, symbol, timeframe, ts, open, high, low, close, volume"
RANGES = """SELECT exchange, symbol, timeframe, count(*), min(ts), max(ts) FROM ohlcv
 GROUP BY exchange, symbol, timeframe ORDER BY exchange, symbol, timeframe"""
which, hours, ids = st.integers(0, 1), st.integers(0, 5), st.integers(1, 12)
prices = st.sampled_from([10.0, 20.0])
conflict = st.sampled_from(["", "OR IGNORE", "OR REPLACE", "OR FAIL"])
column = st.sampled_from(["id", "rowid", "ts", "volume", "symbol"])


def value_of(name: str, number: int) -> str:
    """Return SQL for a value of a column."""
    values = {"ts": str(START + number * HOUR), "symbol": f"'{PAIR[number % 2].symbol}'"}
    return values.get(name, str(number))


def row(number: int, hour: int, price: float) -> str:
    exchange, symbol, timeframe = PAIR[number]
    return f"'{exchange}', '{symbol}', '{timeframe}', {START + hour * HOUR}, " + ", ".join([str(price)] * 5)


statements = st.one_of(
    st.builds(
        lambda how, name, new, old: f"UPDATE {how} ohlcv SET {name} = {value_of(name, new)} WHERE id = {old}",
        conflict,
        column,
        ids,
        ids,
    ),
    st.builds(
        lambda how, *new: f"INSERT {how} INTO ohlcv ({NAMES}) VALUES ({row(*new)})",
        conflict,
        which,
        hours,
        prices,
    ),
    st.builds(
        lambda how, number, *new: f"INSERT {how} INTO ohlcv (id, {NAMES}) VALUES ({number}, {row(*new)})",
        conflict,
        ids,
        which,
        hours,
        prices,
    ),
    st.builds(lambda number: f"DELETE FROM ohlcv WHERE id = {number}", ids),
    st.sampled_from(
        [
            "DELETE FROM ohlcv",
            "VACUUM",
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "DROP TRIGGER IF EXISTS candles_updated",
        ]
    ),
)
upserts = st.tuples(which, st.sets(hours, min_size=1), prices)
damage = st.binary(max_size=8)
Step = str | bytes | tuple[int, set[int], float]


@pytest.fixture(autouse=True, scope="module")
def every_read_is_worth_caching() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_data_source, "CACHED_FROM", 1)
        yield


def ranges_read(source: SQLDataSource) -> list[tuple[object, ...]]:
    """Return what is stored, each row read."""
    with source.engine.connect() as connection:
        found = connection.exec_driver_sql(RANGES).all()
    return [(Series(*row[:3]), *row[3:]) for row in found]


def check(source: SQLDataSource) -> None:
    assert [tuple(found) for found in stored_ranges(source.engine)] == ranges_read(source)
    for found in list_series(source.engine):
        assert found.gaps == count_gaps(read_bars(source.engine, found.series), HOUR)
    for series in PAIR:
        wanted = read_bars(source.engine, series)
        with suppress(NoDataError):
            assert same_bars(source.get_bars(series.symbol, series.timeframe), wanted)
            continue
        assert not len(wanted.ts)


def apply(source: SQLDataSource, other: sqlite3.Connection, step: Step) -> None:
    if isinstance(step, str):
        with suppress(sqlite3.Error):  # a refused row, a transaction that is not there
            other.execute(step)
    elif isinstance(step, bytes):
        for file in Path(str(source.engine.url.database)).parent.glob("cache/*"):
            content = file.read_bytes()
            file.unlink()  # written anew: cutting a mapped file would kill this process
            file.write_bytes(content[: len(content) // 2] + step + content[len(content) // 2 + len(step) :])
    elif not other.in_transaction:
        upsert_bars(source.engine, PAIR[step[0]], bars_at(*sorted(step[1]), price=step[2]))


@pytest.fixture(scope="module")
def two_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with three bars of each series, to be copied."""
    path = make_database(tmp_path_factory.mktemp("pair"), bars_at(0, 1, 2), PAIR[0])
    source = SQLDataSource(url_of(path))
    upsert_bars(source.engine, PAIR[1], bars_at(0, 1, 2))
    source.engine.dispose()
    return path


@pytest.mark.unmeasured
@settings(max_examples=tries(40, 10), deadline=None)
@given(st.lists(upserts | statements | damage, max_size=12))
def test_a_read_is_always_what_the_table_holds(two_series: Path, history: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(two_series, folder))
        source = SQLDataSource(url_of(path))
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
            for step in [*history, "COMMIT"]:
                apply(source, other, step)
                check(source)
        source.engine.dispose()


@pytest.mark.unmeasured
@given(st.integers(0, 1200), st.integers(0, 1200), st.integers(0, 1200))
def test_any_slice_is_found_again_by_another_process(rows: int, start: int, stop: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = ColumnCache(Path(folder), "a.db")
        files.save(PAIR[0], "1-1", bars_at(*range(rows)))
        mapped = files.load(PAIR[0], "1-1")
        assert mapped is not None
        part = mapped.until(stop).since(start)
        place = shared(part)
        assert (place is None) == (not len(part.ts))
        if place is not None:
            found = place.load()
            assert found is not None
            assert same_bars(found, part)
