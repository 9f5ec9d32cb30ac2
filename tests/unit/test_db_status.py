"""The status command prints a table, a document, or what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import cli
from core.cli import database_command
from core.domain import Series
from core.errors import DatabaseError, UsageError
from db.base import SCHEMA_VERSION
from db.candles import upsert_bars
from scripts.db_status import main
from tests.stored import NOW, START, bars_at, make_database, opened, run_sql, url_of


@pytest.mark.unmeasured
def test_an_empty_database_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_database(tmp_path)
    assert main(["--db-url", url_of(path)]) == 0
    said = capsys.readouterr().out
    assert str(path) in said
    assert f"schema version {SCHEMA_VERSION}" in said
    assert "0 saved backtest runs\n" in said
    assert "scripts/fetch_ohlcv_to_db.py" in said
    assert "scripts/import_ohlcv_to_db.py" in said


def test_a_table_has_one_row_per_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_database(tmp_path, bars_at(0, 1, 3))
    engine = opened(path)
    upsert_bars(engine, Series("binanceus-synthetic", "ETH/USDT", "1h"), bars_at(0), clock=lambda: NOW)
    engine.dispose()
    assert main(["--db-url", url_of(path), "--wide"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    wanted = ["2020-09-13", "12:00", "2020-09-13", "15:00", "3", "1", "1", "2021-11-04", "04:00"]
    assert ["binanceus", "BTC/USDT", "1h", *wanted] in lines
    assert lines[-1][:2] == ["SYNTHETIC", "candles:"]
    assert lines[-2][0] == "binanceus-synthetic"
    assert main(["--db-url", url_of(path)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[3:])) <= 100
    assert "(--wide shows updated (UTC) too)" in out


@pytest.mark.unmeasured
def test_what_is_not_known_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_database(tmp_path, bars_at(0))
    run_sql(path, "DELETE FROM candle_series", "UPDATE ohlcv SET timeframe = '5h'")
    assert main(["--db-url", url_of(path), "--wide"]) == 0
    (row,) = (line.split() for line in capsys.readouterr().out.splitlines() if "5h" in line)
    assert row[-3:] == ["?", "?", "?"]


def test_the_document_has_everything_in_milliseconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_database(tmp_path, bars_at(0, 2))
    assert main(["--db-url", url_of(path), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "name": str(path),
        "size": path.stat().st_size,
        "schema_version": SCHEMA_VERSION,
        "backtest_runs": 0,
        "series": [
            {
                "exchange": "binanceus",
                "symbol": "BTC/USDT",
                "timeframe": "1h",
                "rows": 2,
                "first": START,
                "last": START + 7_200_000,
                "gaps": {"holes": 1, "missing": 1},
                "updated_at": NOW,
                "checked_at": NOW,
                "source": "",
                "synthetic": False,
            }
        ],
    }


def test_a_document_goes_beside_the_table_and_replaces_nothing_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = make_database(tmp_path, bars_at(0)), tmp_path / "status.json"
    given = ["--db-url", url_of(path), "--json", str(target)]
    assert main(given) == 0
    assert "BTC/USDT" in capsys.readouterr().out
    assert json.loads(target.read_text())["backtest_runs"] == 0
    with pytest.raises(UsageError, match="--force"):
        main(given)
    assert main([*given, "--force"]) == 0


@pytest.mark.unmeasured
def test_a_check_says_that_all_is_well_or_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_database(tmp_path, bars_at(0))
    assert main(["--db-url", url_of(path), "--check"]) == 0
    assert capsys.readouterr().err == "checked: no damage found\n"
    monkeypatch.setattr(database_command, "find_damage", lambda _: ["row 3 missing from index"])
    assert main(["--db-url", url_of(path), "--check"]) == 1
    assert capsys.readouterr().err == "damaged: row 3 missing from index\n"


def test_a_missing_database_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        main(["--db-url", url_of(tmp_path / "none.db")])
    assert list(tmp_path.iterdir()) == []


def test_the_page_on_candles_shows_the_schema_of_today() -> None:
    assert f"(schema version {SCHEMA_VERSION}, " in (cli.ROOT / "docs" / "candles.md").read_text()
