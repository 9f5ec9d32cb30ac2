"""The database is made where it is missing, and the command says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.base import SCHEMA_VERSION
from db.candles import read_bars
from db.declared import Base
from db.init_db import DEFAULT_URL, get_db_url, init_db, main
from tests.stored import SERIES, bars_at, make_database, url_of


def test_the_environment_names_the_database_and_blank_means_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HOT_CRYPTO_DB_URL", raising=False)
    assert get_db_url() == DEFAULT_URL == "sqlite:///data/hot_crypto.db"
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", "")
    assert get_db_url() == DEFAULT_URL
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", "sqlite:////x.db")
    assert get_db_url() == "sqlite:////x.db"


def test_setting_up_twice_keeps_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_database(tmp_path, bars_at(0, 1))
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url_of(path))
    before = path.read_bytes()
    engine = init_db()
    assert len(read_bars(engine, SERIES).ts) == 2
    engine.dispose()
    assert path.read_bytes() == before


def test_the_command_says_where_the_database_is_and_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "a.db"
    assert main(["--db-url", url_of(path)]) == 0
    database, version, *tables = capsys.readouterr().out.splitlines()
    assert (database, version) == (f"database  {path}", f"schema    version {SCHEMA_VERSION}")
    assert " ".join(" ".join(tables).split()) == f"tables {', '.join(sorted(Base.metadata.tables))}"
    assert max(map(len, tables)) <= 100


def test_the_command_refuses_with_one_line_and_exit_code_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--db-url", url_of(tmp_path)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: database")
    assert said.err.count("\n") == 1
