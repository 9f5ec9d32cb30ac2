"""run_backtest.py --protections as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from core import cli
from core.domain import Series
from core.errors import UsageError
from db.candles import upsert_bars
from db.init_db import init_db
from scripts import run_backtest
from tests.markets import random_bars

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "run-document.schema.json").read_text())
RUN = ["BTC/USDT", "1h", "TREND_EMA", "--use-sql"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    for name in ("settings.yaml", "markets.yaml", "strategies.yaml"):
        (tmp_path / "config" / name).write_text((ROOT / "config" / name).read_text())
    url = f"sqlite:///{tmp_path / 'candles.db'}"
    engine = init_db(url)
    upsert_bars(engine, Series("binanceus", "BTC/USDT", "1h"), random_bars(0, 900))
    engine.dispose()
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url)
    return tmp_path


@pytest.mark.usefixtures("home")
def test_with_none_set_it_says_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"--protections: settings.yaml turns none on: set risk\.exit_pause"):
        run_backtest.main([*RUN, "--protections"])


def test_what_they_refused_is_shown_saved_and_repeated(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_backtest.main(RUN) == 0
    assert "exit_pause" not in capsys.readouterr().out
    monkeypatch.setenv("HOT_CRYPTO_RISK_EXIT_PAUSE_MINUTES", "1200")
    path = home / "run.json"
    assert run_backtest.main([*RUN, "--protections", "--persist", "--json", str(path)]) == 0
    assert "exit_pause " in capsys.readouterr().out
    document = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    [run] = document["runs"]
    assert run["protections"] == {"exit_pause_minutes": 1200.0}
    assert run["entries"]["refused"]["exit_pause"] > 0
    # Whatever the settings are by then.
    monkeypatch.delenv("HOT_CRYPTO_RISK_EXIT_PAUSE_MINUTES")
    assert run_backtest.main(["--rerun", "1"]) == 0
    assert "identical" in capsys.readouterr().out


@pytest.mark.parametrize("other", [["--engine", "fast"], ["--verify"], ["--portfolio"]])
def test_it_is_refused_beside_what_has_no_use_for_it(
    other: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_code:
        run_backtest.main([*RUN, "--protections", *other])
    assert exit_code.value.code == 2
    assert "--protections" in capsys.readouterr().err
