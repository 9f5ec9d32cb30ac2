"""The status tells what is stored, and damage anywhere in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.domain import Series
from core.errors import DatabaseError
from db.base import SCHEMA_VERSION, open_engine
from db.candles import upsert_bars
from db.status import database_status, find_damage, is_synthetic
from tests.stored import SERIES, bars_at, make_database, opened, run_sql


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return opened(make_database(tmp_path, bars_at(0, 1, 3)))


def test_everything_is_counted(engine: Engine, tmp_path: Path) -> None:
    run_sql(
        tmp_path / "candles.db",
        "INSERT INTO backtest_runs (created_at, exchange, symbol, timeframe, strategy_name, initial_cash,"
        " final_equity, max_drawdown_pct, trades_count, stats_json)"
        " VALUES (1, 'a', 'b', '1h', 'X', 1.0, 1.0, 0.0, 0, '{}')",
    )
    status = database_status(engine)
    assert status.name == str(tmp_path / "candles.db")
    assert (status.schema_version, status.backtest_runs) == (SCHEMA_VERSION, 1)
    assert [(found.series, found.rows) for found in status.series] == [(SERIES, 3)]


def test_what_is_not_merged_yet_counts_to_the_size(engine: Engine, tmp_path: Path) -> None:
    before = database_status(engine).size
    upsert_bars(engine, SERIES, bars_at(*range(500)))
    file, beside = tmp_path / "candles.db", tmp_path / "candles.db-wal"
    after = database_status(engine).size
    assert after == file.stat().st_size + beside.stat().st_size
    assert before is not None
    assert after > before
    engine.dispose()
    assert not beside.exists()
    assert database_status(engine).size == file.stat().st_size


def test_generated_candles_are_known_by_their_label(engine: Engine) -> None:
    upsert_bars(engine, Series("binanceus-synthetic", "BTC/USDT", "1h"), bars_at(0))
    assert [is_synthetic(found.series) for found in database_status(engine).series] == [False, True]


def test_memory_has_no_size() -> None:
    status = database_status(open_engine("sqlite://", create=True))
    assert (status.name, status.size) == (":memory:", None)


def test_a_sound_file_has_no_damage_and_a_server_is_not_asked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_damage(engine) == []
    monkeypatch.setattr(engine.dialect, "name", "postgresql")
    assert find_damage(engine) == []


def test_damage_that_reading_would_not_notice_is_found(tmp_path: Path) -> None:
    path = make_database(tmp_path, bars_at(*range(500)))
    content = bytearray(path.read_bytes())
    # One open time in the index only: table and index no longer agree.
    stamp = bars_at(250).ts[0].item().to_bytes(6, "big")
    content[content.rindex(stamp) + 5] ^= 1
    path.write_bytes(content)
    engine = opened(path)
    try:
        damage = find_damage(engine)
    except DatabaseError as error:
        damage = [str(error)]
    assert damage
