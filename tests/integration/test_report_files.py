"""--report as a user calls it: of a comparison, a saved run, an account; never over what exists."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import NoDataError, RefusedError, UsageError
from scripts import run_backtest, run_live, show_runs
from tests.integration.test_run_backtest import call, home
from tests.unit.test_report import document_of, trades_of

__all__ = ["home"]


def test_a_comparison_is_held_against_btc_eth_and_half_of_each_that_are_stored(home: Path) -> None:
    page = home / "page.html"
    dates = ["--start", "2023-11-20", "--end", "2023-12-10"]
    assert call("--strategy", "MR_BB", "--symbol", "ETH/USDT", *dates, "--report", str(page)) == 0
    document = document_of(page.read_text())
    (run,) = document["runs"]
    names = {one["name"] for one in run["held"]}
    assert "hold ETH/USDT" in names
    assert names <= {"hold ETH/USDT", "hold BTC/USDT", "hold half BTC, half ETH"}
    assert document["title"] == "MR_BB on binanceus ETH/USDT 1h"
    with pytest.raises(UsageError, match="add --force"):
        call("--strategy", "MR_BB", "--report", str(page))
    with pytest.raises(UsageError, match="two outputs go to"):
        call("--strategy", "MR_BB", "--json", "new", "--report", "new")


def test_a_saved_run_has_the_page_that_it_had_when_it_ran(home: Path) -> None:
    then, now = home / "then.html", home / "now.html"
    what = ["--strategy", "MR_BB", "--symbol", "BTC/USDT", "--persist"]
    assert call(*what, "--report", str(then)) == 0
    assert show_runs.main(["1", "--report", str(now)]) == 0
    assert then.read_text() == now.read_text()
    with pytest.raises(UsageError, match="add --force"):
        show_runs.main(["1", "--report", str(now)])


def test_a_saved_run_that_comes_out_otherwise_has_no_page(home: Path) -> None:
    assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--persist") == 0
    with closing(sqlite3.connect(home / "candles.db")) as database, database:
        database.execute("UPDATE backtest_trades SET pnl = pnl + 1 WHERE id = 2")
    with pytest.raises(RefusedError, match=r"run 1 comes out otherwise now \(trade 2: pnl"):
        show_runs.main(["1", "--report", str(home / "page.html")])
    assert not (home / "page.html").exists()
    with pytest.raises(NoDataError, match="there is no run 9"):
        show_runs.main(["9", "--report", str(home / "page.html")])


def test_a_page_of_no_run_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        show_runs.main(["--report", "page.html"])
    assert ended.value.code == 2
    assert "name its RUN_ID" in capsys.readouterr().err


def test_an_account_has_one_page_by_portfolio_and_replay_alike(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portfolio, replay = home / "portfolio.html", home / "replay.html"
    what = ["--strategy", "TREND_EMA,MR_BB", "--symbol", "BTC/USDT,ETH/USDT"]
    assert call("--portfolio", *what, "--report", str(portfolio)) == 0
    assert run_live.main(["--replay", *what, "--exchange", "binanceus", "--report", str(replay)]) == 0
    assert portfolio.read_text() == replay.read_text()
    assert "report: " in capsys.readouterr().err
    (run,) = document_of(portfolio.read_text())["runs"]
    assert {share["strategy"] for share in run["shares"]} == {"TREND_EMA", "MR_BB"}
    assert len(trades_of(run)["pnl"]) == sum(share["trades"] for share in run["shares"])
    with pytest.raises(UsageError, match="add --force"):
        run_live.main(["--replay", *what, "--exchange", "binanceus", "--report", str(replay)])


def test_a_report_of_the_market_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_live.main(["--report", "page.html"])
    assert "--report and --force are of --replay" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_backtest.main(["--verify", "--all", "--report", "page.html"])
    assert "leave out --report" in capsys.readouterr().err
