"""The browsing page as Streamlit draws it, on a seeded database; without Streamlit, what it says instead."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from core import cli
from core.backtest_persistence import list_runs, load_run
from db.init_db import init_db
from tests.page_help import seeded
from tests.stored import url_of

PAGE = cli.ROOT / "dashboard_streamlit.py"
needs_streamlit = pytest.mark.skipif(
    find_spec("streamlit") is None, reason="Streamlit is not installed: make test-dashboard"
)


def test_a_bare_python_is_told_what_starts_the_page() -> None:
    done = subprocess.run([sys.executable, PAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Streamlit draws this page: `make dashboard` installs and starts it")
    assert done.stderr.count("\n") == 1


def test_it_is_served_to_this_machine_alone_and_tells_nobody_that_it_is_used() -> None:
    settings = tomllib.loads((cli.ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"


@pytest.fixture
def url(tmp_path: Path) -> str:
    seeded(tmp_path, hostile="<b>").dispose()
    return url_of(tmp_path / "page.db")


@pytest.fixture
def page(url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    return opened(monkeypatch, "--db-url", url)


def opened(monkeypatch: pytest.MonkeyPatch, *typed: str) -> Any:
    """Return the page as it is first drawn."""
    from streamlit.testing.v1 import AppTest

    # Streamlit reads its settings from the folder that it is started in.
    monkeypatch.chdir(cli.ROOT)
    monkeypatch.setattr(sys, "argv", [str(PAGE), *typed])
    return AppTest.from_file(str(PAGE), default_timeout=120).run()


def errors(page: Any) -> list[str]:
    assert not page.exception
    return [error.value.replace("\\", "") for error in page.error]


def tables(page: Any) -> dict[str, Any]:
    return {table.value.columns[0]: table.value for table in page.dataframe}


@needs_streamlit
def test_a_backtest_is_run_looked_at_and_saved_once_it_is_asked_for(page: Any, url: str) -> None:
    assert errors(page) == []
    page.selectbox(key="strategy").set_value("MR_BB")
    page.button(key="run").click().run()
    assert errors(page) == []
    figures, trades = (tables(page)[name] for name in ("figure", "side"))
    kept = load_run(1, url)
    assert figures.set_index("figure").loc["trades", "MR_BB"] == str(len(kept.trades)) == str(len(trades))
    assert trades["profit after fees, USDT"].sum() == pytest.approx(sum(trade.pnl for trade in kept.trades))
    assert len(page.get("vega_lite_chart")) == 1
    assert len(list_runs(url)) == 2
    page.button(key="save").click().run()
    assert errors(page) == []
    assert [line.value for line in page.success] == ["saved as run 3"]
    assert load_run(3, url).trades == kept.trades
    page.run()
    assert len(list_runs(url)) == 3
    assert not [button for button in page.button if button.key == "save"]


@needs_streamlit
def test_a_sweep_shows_its_best_sets_and_what_to_think_of_them(page: Any, url: str) -> None:
    page.selectbox(key="strategy").set_value("MR_BB")
    page.text_input(key="space").set_value("bb_period=10,20,30")
    page.selectbox(key="figure").set_value("return_pct")
    page.button(key="sweep").click().run()
    assert errors(page) == []
    best = tables(page)["bb_period"]
    assert sorted(best["bb_period"]) == [10, 20, 30]
    assert best["return %"].is_monotonic_decreasing
    said = [caption.value.replace("\\", "") for caption in page.caption]
    assert any("3 sets, 10,000 at the start, commission 0.001 a side" in line for line in said)
    assert any("3 sets of MR_BB: return % " in line for line in said)
    assert len(list_runs(url)) == 2


@needs_streamlit
def test_a_sweep_without_enough_trades_says_why_nothing_is_ranked(page: Any) -> None:
    page.text_input(key="space").set_value("ema_fast=10,20")
    page.number_input(key="fewest").set_value(5_000)
    page.button(key="sweep").click().run()
    assert errors(page) == []
    assert "ema_fast" not in tables(page)
    assert any("2 of 2 are not ranked" in caption.value for caption in page.caption)


@needs_streamlit
def test_an_empty_database_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init_db(url_of(tmp_path / "new.db")).dispose()
    page = opened(monkeypatch, "--db-url", url_of(tmp_path / "new.db"))
    assert errors(page) == []
    lines = [line.value for line in page.info]
    assert [line.partition(":")[0].strip("\\") for line in lines] == [
        *2 * ["no candles are stored"],
        "no saved runs",
    ]


@needs_streamlit
def test_saved_runs_stand_side_by_side(page: Any) -> None:
    page.multiselect(key="compared").set_value([1, 2]).run()
    assert errors(page) == []
    names = ["1: MR_BB binanceus BTC/USDT 1h", "2: GRID_LR binanceus BTC/USDT 1h"]
    assert tables(page)["figure"].columns.tolist() == ["figure", *names, "meaning"]
    assert tables(page)["input"].columns.tolist() == ["input", *names]
    assert tables(page)["run"]["run"].tolist() == [2, 1]


@needs_streamlit
@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("start", "2099-01-01", "no stored candles of binanceus BTC/USDT 1h from 2099-01-01"),
        ("end", "soon", "cannot read the time 'soon'"),
        ("params", "ema_fast=-1", "TREND_EMA.ema_fast: wanted a whole number"),
    ],
)
def test_what_is_wrong_is_one_line_and_the_last_run_is_gone(
    page: Any, key: str, text: str, says: str
) -> None:
    page.button(key="run").click().run()
    assert "side" in tables(page)
    page.text_input(key=key).set_value(text)
    page.button(key="run").click().run()
    (line,) = errors(page)
    assert line.startswith(says)
    assert "\n" not in line
    assert "side" not in tables(page)


@needs_streamlit
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["--db-url", "sqlite:///nowhere/at-all.db"], "there is no database"),
        (["--database", "x"], "after `--`: `unrecognized arguments: --database x`; wanted `--db-url URL`"),
    ],
)
def test_a_wrong_database_or_argument_is_one_line(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], says: str
) -> None:
    (line,) = errors(opened(monkeypatch, *typed))
    assert says in line
    assert "\n" not in line


@needs_streamlit
def test_a_page_that_others_could_reach_is_not_drawn(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit

    monkeypatch.setattr(streamlit, "get_option", lambda name: "0.0.0.0")
    (line,) = errors(page.run())
    assert line.startswith("this page is for this machine alone, and was started for 0.0.0.0")
    assert not page.tabs
