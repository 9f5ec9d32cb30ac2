"""--report as a user calls it: of a comparison, a saved run, an account; never over what exists."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.cli.live_status import status_of_run
from core.domain import Bars
from core.errors import NoDataError, RefusedError, UsageError
from core.live.status import to_document
from db import live
from db.base import open_engine
from db.candles import upsert_bars
from db.live_history import paid_fees
from scripts import run_backtest, run_live, show_runs, show_trades
from tests.integration.test_run_backtest import call, home, stored
from tests.markets import HOUR, START
from tests.page_help import seeded
from tests.status_help import STATUS
from tests.stored import url_of
from tests.traded import BTC, trade
from tests.unit.test_report import document_of, trades_of

__all__ = ["home", "stored"]


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
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
    assert "name a RUN_ID" in capsys.readouterr().err


def test_saved_runs_stand_side_by_side_each_on_its_own_range(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = ["2023-11-20", "2023-12-01", "2023-12-10"]
    for first, last in ((0, 1), (1, 2)):
        dates = ["--start", spans[first], "--end", spans[last], "--persist"]
        assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", *dates) == 0
    assert call("--strategy", "TREND_EMA", "--symbol", "ETH/USDT", "--persist") == 0
    page, document = home / "three.html", home / "three.json"
    capsys.readouterr()
    assert show_runs.main(["2", "1", "3", "--report", str(page), "--json", str(document)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[1:4]] == ["2", "1", "3"]
    found = document_of(page.read_text())
    assert [run["name"] for run in found["runs"]] == ["MR_BB, run 2", "MR_BB, run 1", "TREND_EMA, run 3"]
    entries = json.loads(document.read_text())["runs"]
    for run, entry in zip(found["runs"], entries, strict=True):
        assert run["trades"]["count"] == len(entry["trades"])
        assert run["entry"]["final_equity"] == entry["final_equity"]
        assert run["entry"]["data"] == entry["data"]
    # The candles are there once, from the first of both ranges to the end of the last.
    btc = found["candles"][0]
    bars = sum(entry["data"]["bars"] for entry in entries[:2])
    assert sum(count for _, _, count in btc["times"]) == bars
    assert [run["candles"] for run in found["runs"]] == [[0], [0], [1]]
    assert found["title"] == "HOT-Crypto saved runs"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["1", "2", "--trades", "3"], "name one RUN_ID"), (["1", "2", "1"], "run 1 is named twice")],
)
def test_several_runs_are_asked_for_rightly(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        show_runs.main(words)
    assert said in capsys.readouterr().err


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


def test_an_account_that_traded_has_a_page_of_what_is_stored(tmp_path: Path) -> None:
    seeded(tmp_path).dispose()
    page, url = tmp_path / "account.html", url_of(tmp_path / "page.db")
    assert show_trades.main(["--db-url", url, "--report", str(page)]) == 0
    (run,) = document_of(page.read_text())["runs"]
    closed, held = run["shares"][1], run["shares"][0]
    assert closed == {
        "strategy": "MR_BB",
        "symbol": "BTC/USDT",
        "trades": 60,
        "won": 30,
        "pnl": -90.0,
        "open": 0.0,
        "fees": 90.0,
    }
    assert (held["strategy"], held["trades"], held["open"]) == ("TREND_EMA", 0, 12.5)
    assert run["open"][0]["entry_ts"] is None
    assert run["entry"]["final_equity"] == 10_119.0
    assert run["entry"]["trades_count"] == 60
    assert trades_of(run)["pnl"][:2] == [-11.5, 8.5]
    with pytest.raises(UsageError, match="add --force"):
        show_trades.main(["--db-url", url, "--report", str(page)])
    with pytest.raises(SystemExit):
        show_trades.main(["--db-url", url, "--report", "x.html", "--symbol", "BTC/USDT"])


def test_what_is_open_and_its_fees_are_shown_and_the_parts_are_the_return(tmp_path: Path) -> None:
    page, url = tmp_path / "account.html", url_of(tmp_path / "hot.db")
    trade(tmp_path / "hot.db")
    engine = open_engine(url)
    price = np.full(18, 102.0)
    upsert_bars(engine, BTC, Bars(START + HOUR * np.arange(18), price, price, price, price, price))
    newest = live.newest_run(engine, "paper")
    assert newest is not None
    found = status_of_run(newest)
    fees = sum(float(one.fee) for one in paid_fees(engine, "paper"))
    engine.dispose()
    assert found is not None
    assert found.equity is not None
    assert show_trades.main(["--db-url", url, "--report", str(page)]) == 0
    (run,) = document_of(page.read_text())["runs"]
    (held,) = run["open"]
    assert (held["strategy"], held["side"], held["entry_ts"]) == ("SCRIPTED", "LONG", START + 15 * HOUR)
    assert held["profit"] == found.positions[0].open_profit
    assert sum(share["fees"] for share in run["shares"]) == pytest.approx(fees)
    assert [part["name"] for part in run["parts"]] == [
        "closed trades, before fees",
        "fees of closed trades",
        "open positions at the last price",
        "fees paid for them so far",
        "return",
    ]
    *parts, whole = (part["amount"] for part in run["parts"])
    assert sum(parts) == pytest.approx(whole) == found.equity - 10_000
    # Entered at the opens of bars 4, 9 and 15, left at those of 7 and 12, seen from the close of bar 2 on.
    assert run["held_pct"] == pytest.approx(100 * (3 + 3 + 3) / 15)


def test_the_curve_of_an_account_ends_where_its_positions_are_seen(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    page, url = tmp_path / "account.html", url_of(tmp_path / "page.db")
    later = STATUS._replace(time=START + 120 * HOUR, equity=10_100.0, currency="USDT")
    live.record(engine, 1, status=to_document(later), now=later.time)
    engine.dispose()
    assert show_trades.main(["--db-url", url, "--report", str(page)]) == 0
    (run,) = document_of(page.read_text())["runs"]
    assert run["entry"]["final_equity"] == 10_100.0
    *_, others, whole = run["parts"]
    assert others["name"] == "deposits, withdrawals, fees in other coins, and what others did"
    assert whole == {"name": "return", "amount": 100.0}
    assert sum(part["amount"] for part in run["parts"][:-1]) == pytest.approx(100)


def test_an_account_without_candles_or_equity_says_what_is_missing(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ohlcv")
    page, url = str(tmp_path / "account.html"), url_of(tmp_path / "page.db")
    with pytest.raises(NoDataError, match="no candles of what the account follows are stored"):
        show_trades.main(["--db-url", url, "--report", page])
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM live_equity")
    engine.dispose()
    with pytest.raises(NoDataError, match="has no equity curve yet"):
        show_trades.main(["--db-url", url, "--report", page])


def test_a_report_of_the_market_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_live.main(["--report", "page.html"])
    assert "--report and --force are of --replay" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_backtest.main(["--verify", "--all", "--report", "page.html"])
    assert "leave out --report" in capsys.readouterr().err
