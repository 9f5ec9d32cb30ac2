"""Long reads go through the cache: the same bars as the table's, and nobody notices but by the time."""

from __future__ import annotations

import pickle
import sqlite3
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import multi_backtester, sql_data_source
from core.candles.column_cache import ColumnCache, shared
from core.candles.frames import bars_sha256
from core.domain import Bars, Costs
from core.errors import NoDataError, UsageError
from core.multi_backtester import Job, run_jobs
from core.results.runs import RunSpec
from core.sql_data_source import SQLDataSource
from db.candles import read_bars, upsert_bars
from db.init_db import init_db
from strategies import indicators
from strategies.registry import REGISTRY
from tests.lively import paired, partner
from tests.markets import random_bars
from tests.stored import HOUR, SERIES, START, bars_at, make_database, run_sql, same_bars, url_of
from tests.tiers import some, statistics


@pytest.fixture(autouse=True)
def few_bars_are_worth_caching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_data_source, "CACHED_FROM", 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_database(tmp_path, bars_at(0, 1, 2, 5, 6, 7))


def read(path: Path, query: str = "") -> Bars:
    return SQLDataSource(url_of(path) + query).get_bars("BTC/USDT", "1h")


def files(path: Path) -> list[Path]:
    return sorted((path.parent / "cache").glob("*"))


@pytest.fixture
def table_reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that grows with every read of the table."""
    reads: list[object] = []

    def counted(*args: Any, **named: Any) -> Bars:
        reads.append(args)
        return read_bars(*args, **named)

    monkeypatch.setattr(sql_data_source, "read_bars", counted)
    return reads


def test_the_second_read_is_mapped_and_equal(path: Path, table_reads: list[object]) -> None:
    first, second = read(path), read(path)
    assert len(table_reads) == 1
    assert same_bars(first, bars_at(0, 1, 2, 5, 6, 7))
    assert same_bars(second, first)
    assert bars_sha256(second) == bars_sha256(bars_at(0, 1, 2, 5, 6, 7))
    assert shared(first) is not None
    assert shared(second) is not None
    assert [file.name.partition("-")[0] for file in files(path)] == ["binanceus"]


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("start", [None, -3, 0, 1, 3, 8])
@pytest.mark.parametrize("end", some([None, 0, 3, 5, 6, 99], 3, 99))
@pytest.mark.parametrize("limit", [None, 1, 3, 4, 99])
def test_ranges_and_limits_are_those_of_the_table(
    path: Path, start: int | None, end: int | None, limit: int | None
) -> None:
    source = SQLDataSource(url_of(path))
    span = [None if hour is None else START + hour * HOUR for hour in (start, end)]
    wanted = read_bars(source.engine, SERIES, start=span[0], end=span[1], limit=limit)
    for _ in range(2):
        try:
            found = source.get_bars("BTC/USDT", "1h", limit, start=span[0], end=span[1])
        except NoDataError:
            assert not len(wanted.ts)
        else:
            assert same_bars(found, wanted)
            assert all(column.flags.c_contiguous and not column.flags.writeable for column in found)


def test_a_few_bars_come_from_the_table(path: Path, table_reads: list[object]) -> None:
    source = SQLDataSource(url_of(path))
    source.get_bars("BTC/USDT", "1h", 2)
    source.get_bars("BTC/USDT", "1h", start=START + 6 * HOUR)
    source.get_bars("BTC/USDT", "1h", end=START + HOUR)
    assert (len(table_reads), files(path)) == (3, [])
    with pytest.raises(UsageError, match="limit is 0"):
        source.get_bars("BTC/USDT", "1h", 0)
    with pytest.raises(NoDataError):
        source.get_bars("ETH/USDT", "1h")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ohlcv SET volume = 9 WHERE id = 3",
        "DELETE FROM ohlcv WHERE id = 3",
        f"INSERT INTO ohlcv SELECT 99, exchange, symbol, timeframe, {START + 3 * HOUR}, 1, 1, 1, 1, 1 "
        "FROM ohlcv WHERE id = 1",
    ],
)
def test_a_change_by_another_program_is_in_the_next_read(path: Path, sql: str) -> None:
    source = SQLDataSource(url_of(path))
    before = source.get_bars("BTC/USDT", "1h")
    run_sql(path, sql)
    after = source.get_bars("BTC/USDT", "1h")
    assert not same_bars(before, after)
    assert same_bars(after, read_bars(source.engine, SERIES))
    assert same_bars(before, bars_at(0, 1, 2, 5, 6, 7))  # what was handed out does not change
    assert len(files(path)) == 1


def test_an_upsert_is_in_the_next_read(path: Path) -> None:
    source = SQLDataSource(url_of(path))
    source.get_bars("BTC/USDT", "1h")
    upsert_bars(source.engine, SERIES, bars_at(7, 8, price=50.0))
    assert same_bars(source.get_bars("BTC/USDT", "1h"), read_bars(source.engine, SERIES))
    assert len(files(path)) == 1


def test_a_restored_backup_is_read_as_it_is(path: Path) -> None:
    read(path)
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(":memory:")) as backup:
        live.backup(backup)
        run_sql(path, "UPDATE ohlcv SET volume = 9")
        assert read(path).volume.tolist() == [9.0] * 6
        backup.backup(live)  # page by page: no trigger sees it
    assert same_bars(read(path), bars_at(0, 1, 2, 5, 6, 7))
    run_sql(path, "UPDATE ohlcv SET volume = 8")
    assert read(path).volume.tolist() == [8.0] * 6


def test_a_change_while_the_table_is_read_is_not_saved_as_the_old_state(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_then_change(*args: Any, **named: Any) -> Bars:
        bars = read_bars(*args, **named)
        run_sql(path, "UPDATE ohlcv SET volume = volume + 1")
        return bars

    with monkeypatch.context() as patch:
        patch.setattr(sql_data_source, "read_bars", read_then_change)
        assert read(path).volume.tolist() == [2.0] * 6
        assert files(path) == []
    assert read(path).volume.tolist() == [3.0] * 6


def test_the_cache_can_be_deleted_while_it_is_mapped(path: Path) -> None:
    bars = read(path)
    for file in files(path):
        file.unlink()
    (path.parent / "cache").rmdir()
    assert same_bars(bars, bars_at(0, 1, 2, 5, 6, 7))
    assert same_bars(read(path), bars)


def test_a_file_that_vanishes_at_once_is_no_loss(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ColumnCache, "load", lambda *_: None)
    assert same_bars(read(path), bars_at(0, 1, 2, 5, 6, 7))


def test_without_a_place_for_the_cache_bars_come_from_the_table(path: Path) -> None:
    (path.parent / "cache").write_text("not a folder")
    for _ in range(2):
        bars = read(path)
        assert same_bars(bars, bars_at(0, 1, 2, 5, 6, 7))
        assert not bars.close.flags.writeable


def test_a_database_for_reading_only_uses_what_is_there_and_adds_nothing(
    path: Path, table_reads: list[object]
) -> None:
    # Nothing says which bars these are, and here it cannot be written down.
    run_sql(path, "DELETE FROM candle_revisions")
    assert same_bars(read(path, "?mode=ro"), bars_at(0, 1, 2, 5, 6, 7))
    assert files(path) == []
    read(path)
    assert len(table_reads) == 2
    assert same_bars(read(path, "?mode=ro"), bars_at(0, 1, 2, 5, 6, 7))
    assert len(table_reads) == 2


def test_a_database_in_memory_has_no_cache(table_reads: list[object]) -> None:
    source = SQLDataSource("sqlite://")
    source.engine = init_db("sqlite://")
    upsert_bars(source.engine, SERIES, bars_at(*range(5)))
    for _ in range(2):
        assert same_bars(source.get_bars("BTC/USDT", "1h"), bars_at(*range(5)))
    assert len(table_reads) == 2


def copy_of(bars: Bars) -> Bars:
    """Return the bars in arrays of their own."""
    return Bars(bars.ts.copy(), *(column.copy() for column in bars[1:]))


@pytest.fixture
def market(tmp_path: Path) -> Bars:
    return read(make_database(tmp_path, random_bars(3, 600)))


def test_the_indicators_take_arrays_that_cannot_be_written(market: Bars) -> None:
    copy = copy_of(market)
    assert shared(market) is not None
    for name in ("ema", "sma", "std", "atr"):
        function = getattr(indicators, name)
        columns = [bars[2:5] if name == "atr" else (bars.close,) for bars in (market, copy)]
        mapped, plain = (function(*part, 14) for part in columns)
        assert np.array_equal(mapped, plain, equal_nan=True)


def spec(name: str) -> RunSpec:
    return RunSpec(SERIES, name, {}, Costs(0.001), 10_000.0)


@pytest.mark.unmeasured
@statistics
def test_backtesting_takes_mapped_bars(market: Bars) -> None:
    copy = copy_of(market)
    for name in some(REGISTRY, 7):
        jobs = [
            Job(bars, spec(name), partners=paired(partner(copy), SERIES.symbol)) for bars in (market, copy)
        ]
        mapped, plain = (next(run_jobs([job], 1)) for job in jobs)
        assert mapped.records == plain.records
        assert mapped.data == plain.data


class InThisProcess:
    """A pool that pickles as one of processes does, and runs everything at once, here."""

    deleted: Path | None = None
    sent: list[int] = []

    def __init__(self, *_: object, **__: object) -> None:
        self.sent.clear()

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, function: object, *args: object) -> object:
        content = pickle.dumps((function, args))
        self.sent.append(len(content))
        if self.deleted is not None:
            for file in self.deleted.glob("cache/*"):
                file.unlink()
        run, values = pickle.loads(content)
        future: Future[object] = Future()
        future.set_result(run(*values))
        return future

    def shutdown(self, **_: object) -> None:
        return None


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> type[InThisProcess]:
    monkeypatch.setattr(multi_backtester, "ProcessPoolExecutor", InThisProcess)
    monkeypatch.setattr(InThisProcess, "deleted", None)
    return InThisProcess


def test_a_job_takes_the_place_of_its_bars_to_a_worker(market: Bars, pool: type[InThisProcess]) -> None:
    copy = copy_of(market)
    (mapped,) = run_jobs([Job(market, spec("TREND_EMA"))], 2)
    assert max(pool.sent) < 1500
    (plain,) = run_jobs([Job(copy, spec("TREND_EMA"))], 2)
    assert min(pool.sent) > 48 * len(copy.ts)
    assert mapped.records == plain.records


def test_a_worker_that_comes_too_late_leaves_the_run_to_this_process(
    market: Bars, pool: type[InThisProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wanted,) = run_jobs([Job(market, spec("TREND_EMA"))], 1)
    monkeypatch.setattr(pool, "deleted", tmp_path)
    (found,) = run_jobs([Job(market, spec("TREND_EMA"))], 2)
    assert found.records == wanted.records
    assert files(tmp_path / "x") == []
