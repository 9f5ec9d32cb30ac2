"""The demo, and a backtest straight from the exchange: real ccxt over HTTP on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from core import cli
from core.cli import backtest_command
from core.exchange_sim.server import SimConfig, serve
from core.utils import parse_time
from scripts import demo, run_backtest, show_runs
from tests.tiers import programs

ROOT = Path(__file__).resolve().parents[2]
NOON = parse_time("2025-06-01T12:30")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    for name in [name for name in os.environ if name.startswith(("HOT_CRYPTO", "EXCHANGE_"))]:
        monkeypatch.delenv(name)
    return tmp_path


@programs
def test_the_demo_goes_from_the_exchange_to_the_report_and_can_be_run_again(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SINCE", "2025-10-01")
    folder = home / "demo"
    assert demo.main(["--folder", str(folder)]) == 0
    first = capsys.readouterr().out
    assert "SYNTHETIC" in first
    assert "ETH/USDT  4h  GRID_LR" in first
    assert "SYNTHETIC" in (folder / "report.html").read_text()
    # What was proven is the same the second time.
    monkeypatch.setattr(backtest_command, "verify", lambda _: 0)
    assert demo.main(["--folder", str(folder)]) == 0
    assert "0          0          0        552" in capsys.readouterr().out
    assert show_runs.main(["--db-url", f"sqlite:///{folder / 'demo.db'}"]) == 0
    assert sum(" 4h " in line for line in capsys.readouterr().out.splitlines()) == 16


def test_the_demo_stops_at_the_first_step_that_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts import fetch_ohlcv_to_db

    monkeypatch.setattr(fetch_ohlcv_to_db, "main", lambda argv: 3)
    with pytest.raises(SystemExit) as caught:
        demo.main(["--folder", str(home / "demo")])
    assert caught.value.code == 3
    assert not (home / "demo" / "report.html").exists()


@pytest.mark.unmeasured
def test_a_backtest_can_take_its_candles_straight_from_the_exchange(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(SimConfig(clock=lambda: NOON)) as exchange:
        monkeypatch.setenv("EXCHANGE_BASE_URL", exchange.url)
        assert (
            run_backtest.main(["--strategy", "TREND_EMA", "--symbol", "BTC/USDT", "--timeframe", "1h"]) == 0
        )
    out = capsys.readouterr().out
    assert "binanceus-synthetic BTC/USDT 1h: 1,000 bars" in out
    assert "to 2025-06-01 11:00 UTC" in out
    assert "SYNTHETIC" in out
