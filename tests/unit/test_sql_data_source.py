"""Stored candles come as the data source's contract says, or a line says what is there instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.data_source import DataSource
from core.domain import Series
from core.errors import DatabaseError, NoDataError, UsageError
from core.sql_data_source import SQLDataSource
from db.candles import upsert_bars
from tests.stored import HOUR, SERIES, START, bars_at, make_database, opened, same_bars, url_of


@pytest.fixture
def source(tmp_path: Path) -> SQLDataSource:
    return SQLDataSource(url_of(make_database(tmp_path, bars_at(0, 1, 2, 5))))


def test_a_frame_has_the_agreed_columns_on_a_utc_index(source: SQLDataSource) -> None:
    frame = source.get_ohlcv("BTC/USDT", "1h")
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert (frame.dtypes == np.float64).all()
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert frame.index.name == "timestamp"
    assert str(frame.index.tz) == "UTC"
    assert frame.index[0] == pd.Timestamp("2020-09-13 12:00", tz="UTC")
    assert len(frame) == 4


def test_bars_come_without_a_frame(source: SQLDataSource) -> None:
    assert same_bars(source.get_bars("BTC/USDT", "1h"), bars_at(0, 1, 2, 5))
    assert isinstance(source, DataSource)
    assert source.exchange == "binanceus"


def test_range_and_limit_are_passed_on(source: SQLDataSource) -> None:
    assert len(source.get_ohlcv("BTC/USDT", "1h", limit=3)) == 3
    assert len(source.get_ohlcv("BTC/USDT", "1h", start=START + HOUR, end=START + 5 * HOUR)) == 2


def test_a_frame_is_of_the_newest_thousand_bars_unless_told_and_bars_are_all(tmp_path: Path) -> None:
    source = SQLDataSource(url_of(make_database(tmp_path, bars_at(*range(1200)))))
    assert len(source.get_ohlcv("BTC/USDT", "1h")) == 1000
    assert len(source.get_ohlcv("BTC/USDT", "1h", limit=None)) == 1200
    assert len(source.get_bars("BTC/USDT", "1h").ts) == 1200


def test_nothing_stored_at_all_is_said_with_the_command_that_loads_it(tmp_path: Path) -> None:
    source = SQLDataSource(url_of(make_database(tmp_path)), exchange="kraken")
    with pytest.raises(NoDataError) as error:
        source.get_ohlcv("ETH/USD", "4h")
    assert str(error.value) == (
        "no stored candles of kraken ETH/USD 4h; stored: nothing; load them with "
        "`python scripts/fetch_ohlcv_to_db.py --exchange kraken --symbol ETH/USD --timeframe 4h` "
        "or scripts/import_ohlcv_to_db.py FILE"
    )


def test_the_nearest_series_are_named_first(tmp_path: Path) -> None:
    engine = opened(path := make_database(tmp_path, bars_at(0, 1)))
    for other in (
        Series("kraken", "SOL/USD", "1d"),
        Series("binanceus", "ETH/USDT", "4h"),
        Series("kraken", "BTC/USDT", "4h"),
    ):
        upsert_bars(engine, other, bars_at(0))
    with pytest.raises(NoDataError) as error:
        SQLDataSource(url_of(path)).get_bars("BTC/USDT", "4h")
    said = str(error.value)
    order = [said.index(name) for name in ("binanceus BTC/USDT 1h", "kraken BTC/USDT 4h", "ETH/USDT 4h")]
    assert order == sorted(order)
    assert "and 1 more" in said
    assert "binanceus BTC/USDT 1h (2 bars, 2020-09-13 12:00 to 2020-09-13 13:00)" in said


def test_the_same_market_under_another_label_is_offered_before_a_load(tmp_path: Path) -> None:
    engine = opened(path := make_database(tmp_path))
    for exchange in ("kraken", "binanceus-synthetic"):
        upsert_bars(engine, Series(exchange, "BTC/USDT", "4h"), bars_at(0))
    with pytest.raises(NoDataError) as error:
        SQLDataSource(url_of(path)).get_bars("BTC/USDT", "4h")
    said = str(error.value)
    assert "take binanceus-synthetic's with exchange='binanceus-synthetic', or load them with" in said
    with pytest.raises(NoDataError, match=r"; load them with `python scripts/fetch_ohlcv"):
        SQLDataSource(url_of(path)).get_bars("ETH/USDT", "4h")
    with pytest.raises(NoDataError, match="ask for times that are stored, or load them"):
        SQLDataSource(url_of(path), "kraken").get_bars("BTC/USDT", "4h", start=START + 900 * HOUR)


def test_the_same_coin_in_another_currency_is_offered_before_another_exchange(tmp_path: Path) -> None:
    engine = opened(path := make_database(tmp_path))
    for series in (Series("kraken", "BTC/USD", "4h"), Series("binanceus-synthetic", "BTC/USDT", "4h")):
        upsert_bars(engine, series, bars_at(0))
    with pytest.raises(NoDataError, match="; take its BTC/USD with symbol='BTC/USD', or load them with"):
        SQLDataSource(url_of(path), "kraken").get_bars("BTC/USDT", "4h")


def test_symbol_and_timeframe_may_be_spelled_in_the_usual_ways(source: SQLDataSource) -> None:
    assert len(source.get_bars("xbt-usdt", "60m").ts) == len(source.get_bars("BTC/USDT", "1h").ts)


def test_an_empty_range_is_said_with_what_is_stored(source: SQLDataSource) -> None:
    with pytest.raises(NoDataError) as error:
        source.get_bars("BTC/USDT", "1h", start=START + 9 * HOUR, end=START + 12 * HOUR)
    assert "of binanceus BTC/USDT 1h from 2020-09-13 21:00 before 2020-09-14 00:00" in str(error.value)
    assert "4 bars, 2020-09-13 12:00 to 2020-09-13 17:00" in str(error.value)


@pytest.mark.parametrize("label", ["binanceus-synthetic", "binanceus-replay"])
def test_for_the_local_exchange_the_command_names_its_url(tmp_path: Path, label: str) -> None:
    source = SQLDataSource(url_of(make_database(tmp_path)), exchange=label)
    with pytest.raises(NoDataError, match=r"--exchange binanceus --symbol .* --base-url"):
        source.get_bars("BTC/USDT", "1h")


def test_wrong_usage_and_a_missing_database_have_their_own_errors(
    source: SQLDataSource, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="unknown timeframe"):
        source.get_bars("BTC/USDT", "1x")
    with pytest.raises(UsageError, match="limit is -1"):
        source.get_bars("BTC/USDT", "1h", limit=-1)
    with pytest.raises(DatabaseError, match="there is no database"):
        SQLDataSource(url_of(tmp_path / "none.db")).get_bars("BTC/USDT", "1h")


def test_the_environment_names_the_database_when_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url_of(make_database(tmp_path, bars_at(0))))
    assert len(SQLDataSource().get_bars(SERIES.symbol, SERIES.timeframe).ts) == 1
