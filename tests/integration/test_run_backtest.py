"""run_backtest.py and show_runs.py as a user calls them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from core import cli
from core.cli import backtest_command
from core.domain import Bar, Bars, Series
from core.errors import DatabaseError, NoDataError, UsageError
from core.multi_backtester import Job, run_jobs
from core.paper.fills import PaperFills
from core.results.runs import BacktestResult
from db.candles import upsert_bars
from db.init_db import init_db
from scripts import run_backtest, run_live, show_runs
from tests.markets import random_bars
from tests.stored import url_of

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = """\
trend_ema: {enabled: true, symbols: [BTC/USDT], timeframe: 1h, params: {ema_fast: 9, ema_slow: 21}}
mean_reversion_bb: {enabled: true, symbols: [BTC/USDT], timeframe: 1h, params: {}}
squeeze_breakout: {enabled: false, symbols: [BTC/USDT], timeframe: 1h, params: {}}
grid_ladder: {enabled: true, symbols: [BTC/USDT], timeframe: 1h, params: {levels: 3}}
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with BTC/USDT and ETH/USDT on 1h."""
    path = tmp_path_factory.mktemp("stored") / "candles.db"
    engine = init_db(url_of(path))
    for seed, symbol in enumerate(("BTC/USDT", "ETH/USDT")):
        upsert_bars(engine, Series("binanceus", symbol, "1h"), random_bars(seed, 700))
    upsert_bars(engine, Series("binanceus-synthetic", "BTC/USDT", "1h"), random_bars(5, 300))
    engine.dispose()
    return path


@pytest.fixture
def home(tmp_path: Path, stored: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with its own configuration and a database with BTC/USDT and ETH/USDT on 1h."""
    (tmp_path / "config").mkdir()
    for name in ("settings.yaml", "markets.yaml"):
        (tmp_path / "config" / name).write_text((ROOT / "config" / name).read_text())
    (tmp_path / "config" / "strategies.yaml").write_text(STRATEGIES)
    url = f"sqlite:///{shutil.copy(stored, tmp_path)}"
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url)
    return tmp_path


def call(*argv: str) -> int:
    return run_backtest.main([*argv, "--use-sql"])


@pytest.mark.unmeasured
def test_all_compares_every_enabled_strategy_best_first(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--all") == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.startswith(("BTC/USDT", "ETH/USDT"))][:6]
    assert {(row[0], row[2]) for row in rows} == {
        (symbol, name) for symbol in ("BTC/USDT", "ETH/USDT") for name in ("TREND_EMA", "MR_BB", "GRID_LR")
    }
    returns = [float(row[3].replace(",", "")) for row in rows]
    assert returns == sorted(returns, reverse=True)
    assert "SYNTHETIC" not in out


@pytest.mark.unmeasured
def test_a_portfolio_is_all_on_one_account_as_a_replay_has_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--strategy", "TREND_EMA", "--strategy", "MR_BB", "--symbol", "BTC/USDT", "--symbol", "ETH/USDT"]
    assert call("--portfolio", *what, "--cash", "5000") == 0
    said = capsys.readouterr().out
    assert run_live.main(["--replay", *what, "--cash", "5000"]) == 0
    assert said == capsys.readouterr().out
    assert "account: 5,000.00 USDT to" in said
    assert re.search(r"^MR_BB +\d", said, re.MULTILINE)


def test_a_portfolio_says_why_it_takes_the_slower_way(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.backtest.account.FEW", 0)
    monkeypatch.setenv("HOT_CRYPTO_PAPER_VOLUME_PCT", "10")
    assert call("--portfolio", "--strategy", "TREND_EMA", "--symbol", "BTC/USDT") == 0
    note = "note: replayed step by step, which takes longer: paper.volume_pct limits what a bar fills"
    assert note in capsys.readouterr().out


@pytest.mark.unmeasured
def test_a_limit_in_a_currency_that_nothing_is_priced_in_is_said_by_portfolio_and_replay(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    what = ["--strategy", "TREND_EMA", "--symbol", "BTC/USDT"]
    for currency, is_idle in (("USTD", True), ("USDT", False)):
        monkeypatch.setenv("HOT_CRYPTO_RISK_MIN_NOTIONAL_CURRENCY", currency)
        assert call("--portfolio", *what) == 0
        assert run_live.main(["--replay", *what]) == 0
        said = capsys.readouterr().out
        assert said.count(f"risk.min_notional counts in {currency}, nothing is priced in it") == 2 * is_idle


@pytest.mark.parametrize("option", ["--persist", "--verify", "--wide"])
def test_a_portfolio_takes_no_option_that_it_would_ignore(option: str) -> None:
    with pytest.raises(SystemExit):
        call("--portfolio", "--all", option)


@pytest.mark.unmeasured
def test_one_run_prints_all_statistics(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--strategy", "trend_ema", "--symbol", "btc/usdt") == 0
    assert "Kelly Criterion" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_statistics_that_do_not_exist_are_called_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--limit", "25", "--param", "bb_std=9") == 0
    out = capsys.readouterr().out
    values = {line[:20].strip(): line.split()[-1] for line in out.splitlines() if "[" in line}
    assert values["Win Rate [%]"] == values["Best Trade [%]"] == "none"
    assert "NaN" not in out
    assert "NaT" not in out


@pytest.mark.unmeasured
def test_the_json_document_goes_alone_to_stdout_and_follows_its_schema(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--all", "--symbol", "BTC/USDT", "--json", "-") == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads((ROOT / "docs" / "run-document.schema.json").read_text()))
    params = {run["strategy"]: run["params"] for run in document["runs"]}
    assert params["TREND_EMA"]["ema_fast"] == 9
    assert params["GRID_LR"]["levels"] == 3


@pytest.mark.unmeasured
def test_money_and_range_come_from_the_command_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--strategy", "MR_BB", "--symbol", "BTC/USDT", "--json", "-"]
    options += ["--cash", "500", "--commission", "0.0007", "--spread", "0.0003", "--param", "bb_period=30"]
    assert call(*options, "--limit", "200", "--end", "2023-12-01") == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["costs"] == {"commission": 0.0007, "spread": 0.0003, "initial_cash": 500.0}
    assert run["params"]["bb_period"] == 30
    assert run["data"]["bars"] == 200
    assert run["data"]["end"] < 1_701_388_800_000


@pytest.mark.unmeasured
def test_files_are_written_and_never_overwritten_unless_told(home: Path) -> None:
    files = {name: str(home / "out" / name) for name in ("runs.json", "trades.csv", "report.html")}
    options = ["--all", "--symbol", "BTC/USDT", "--json", files["runs.json"]]
    options += ["--trades", files["trades.csv"], "--report", files["report.html"]]
    assert call(*options) == 0
    runs = json.loads(Path(files["runs.json"]).read_text())["runs"]
    with Path(files["trades.csv"]).open() as handle:
        assert len(list(csv.DictReader(handle))) == sum(run["trades_count"] for run in runs)
    assert "GRID_LR" in Path(files["report.html"]).read_text()
    for option in ("runs.json", "trades.csv", "report.html"):
        with pytest.raises(UsageError, match="add --force"):
            call(*options[:3], "--json" if "json" in option else "--report", files[option])
    Path(files["runs.json"]).write_text("mine")
    with pytest.raises(UsageError):
        call(*options)
    assert Path(files["runs.json"]).read_text() == "mine"
    with pytest.raises(UsageError, match="is no output of this program and is left as it is"):
        call(*options, "--force")
    assert Path(files["runs.json"]).read_text() == "mine"
    Path(files["runs.json"]).write_text("")
    assert call(*options, "--force") == 0
    assert call(*options, "--force") == 0
    assert list((home / "out").iterdir()) != []
    assert {path.name for path in (home / "out").iterdir()} == set(files)


def test_a_file_that_cannot_be_written_is_one_line(home: Path) -> None:
    (home / "taken").write_text("a file, not a folder")
    with pytest.raises(UsageError, match="cannot write"):
        call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--json", str(home / "taken" / "runs.json"))


def test_trades_can_go_to_stdout(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--trades", "-") == 0
    assert capsys.readouterr().out.startswith("exchange,symbol,")


def test_a_report_can_go_to_stdout_alone_by_its_older_name_too(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--plot", "-") == 0
    out, err = capsys.readouterr()
    assert out.lstrip().startswith("<!DOCTYPE html>")
    assert "report:" not in err


@pytest.mark.unmeasured
def test_an_exchange_is_found_in_any_case(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--exchange", "BinanceUS") == 0
    assert "binanceus BTC/USDT 1h: " in capsys.readouterr().out


@pytest.mark.unmeasured
def test_saved_runs_are_listed_shown_and_repeated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--all", "--persist") == 0
    capsys.readouterr()
    assert show_runs.main([]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()[1:7]] == ["6", "5", "4", "3", "2", "1"]
    assert max(map(len, listed.splitlines()[:7])) <= 100
    assert show_runs.main(["--strategy", "mr_bb", "--symbol", "eth/usdt", "--limit", "5"]) == 0
    assert capsys.readouterr().out.count("MR_BB") == 1
    assert show_runs.main(["2", "--trades", "1"]) == 0
    assert "SHA-256" in capsys.readouterr().out
    assert show_runs.main(["2", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["trades_count"] > 0
    assert run_backtest.main(["--rerun", "2"]) == 0
    assert "identical" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_a_rerun_that_differs_exits_with_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sqlalchemy import text

    from db.base import open_engine

    assert call("--strategy", "MR_BB", "--symbol", "BTC/USDT", "--persist") == 0
    with open_engine(f"sqlite:///{home / 'candles.db'}").begin() as connection:
        connection.execute(text("UPDATE backtest_trades SET exit_price = exit_price + 1 WHERE id = 1"))
    assert run_backtest.main(["--rerun", "1"]) == 1
    assert "trade 1: exit_price" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_the_fast_engine_prints_saves_and_repeats_the_same(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--all", "--json", "-") == 0
    plain = json.loads(capsys.readouterr().out)
    assert call("--all", "--json", "-", "--engine", "fast", "--persist") == 0
    assert json.loads(capsys.readouterr().out) == plain
    assert run_backtest.main(["--rerun", "1"]) == 0
    # By numba where it is compiled already.
    assert "by fast (" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_a_comparison_goes_on_without_a_strategy_that_has_too_few_bars(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--strategy", "ENSEMBLE,MR_BB,TREND_EMA", "--symbol", "BTC/USDT", "--limit", "22"]
    for options in ([], ["--engine", "fast", "--persist"], ["--verify"]):
        assert call(*asked, "--timeframe", "1h", *options) == 0
        out = capsys.readouterr().out
        assert "not run on BTC/USDT 1h: ENSEMBLE needs at least" in out
        assert "not run on BTC/USDT 1h: TREND_EMA needs at least 23 bars" in out
        assert any(line.split()[2:3] == ["MR_BB"] for line in out.splitlines())
    assert call(*asked, "--timeframe", "1h", "--json", "-") == 0
    out, err = capsys.readouterr()
    assert [run["strategy"] for run in json.loads(out)["runs"]] == ["MR_BB"]
    assert "TREND_EMA needs at least" in err


def test_a_comparison_goes_on_without_a_strategy_whose_second_symbol_is_not_stored(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic = ["--symbol", "BTC/USDT", "--timeframe", "1h", "--exchange", "binanceus-synthetic"]
    assert call("--strategy", "PAIRS,MR_BB", *synthetic) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not run on BTC/USDT 1h: PAIRS on BTC/USDT looks at ETH/USDT 1h too, and binanceus-synth" in said
    assert "scripts/fetch_ohlcv_to_db.py --exchange binanceus --symbol ETH/USDT --timeframe 1h" in said
    with pytest.raises(NoDataError, match="PAIRS on BTC/USDT looks at ETH/USDT 1h too"):
        call("--strategy", "PAIRS", *synthetic)


@pytest.mark.unmeasured
def test_odd_candles_are_named_above_the_table_and_in_the_document(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = random_bars(5, 300)
    crash = bars.close[200:] / 1000
    fallen = np.concatenate([bars.close[:200], crash])
    engine = init_db(f"sqlite:///{home / 'candles.db'}")
    upsert_bars(
        engine,
        Series("binanceus", "LUNA/USDT", "1h"),
        Bars(bars.ts, fallen, fallen, fallen, fallen, bars.volume),
    )
    engine.dispose()
    asked = ["--strategy", "MR_BB", "--symbol", "LUNA/USDT", "--timeframe", "1h"]
    assert call(*asked, "--persist") == 0
    out = capsys.readouterr().out
    assert "  note: 5 holes: 5 bars missing; the longest: 1 bar after" in out
    assert re.search(r": price ÷ (9\d\d|1,0\d\d), from ", out)
    assert call(*asked, "--json", "-") == 0
    notes = json.loads(capsys.readouterr().out)["runs"][0]["data"]["notes"]
    assert len(notes) == 2
    assert show_runs.main(["1"]) == 0
    assert re.search(r": price ÷ (9\d\d|1,0\d\d), from ", capsys.readouterr().out)


@pytest.mark.unmeasured
def test_verify_says_that_three_ways_are_equal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--verify", "--all", "--limit", "300") == 0
    out = capsys.readouterr().out
    assert "6 of 6 equal three ways to the last bit" in out
    assert "DIFFERENT" not in out


def test_verify_exits_with_one_and_names_the_first_difference(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = PaperFills.on_bars

    def skipping(self: PaperFills, bars: tuple[Bar, ...]) -> object:
        return real(self, [bar._replace(low=bar.low * 1.001) for bar in bars])

    monkeypatch.setattr(PaperFills, "on_bars", skipping)
    assert call("--verify", "--strategy", "TREND_EMA", "--symbol", "BTC/USDT") == 1
    out = capsys.readouterr().out
    assert "DIFFERENT" in out
    assert "backtesting and live differ in trade" in out
    assert "0 of 1 equal" in out


def test_a_database_that_cannot_keep_the_runs_is_said_before_they_are_made(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> Iterator[BacktestResult]:
        raise AssertionError("a backtest was run")

    monkeypatch.setattr(backtest_command, "run_jobs", never)
    with pytest.raises(DatabaseError, match="cannot be written"):
        call("--all", "--persist", "--db-url", f"sqlite:///{home / 'candles.db'}?mode=ro")


def test_an_empty_list_says_how_to_fill_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_runs.main([]) == 0
    assert "no saved runs: run_backtest.py --all --use-sql --persist" in capsys.readouterr().out
    assert show_runs.main(["--symbol", "sol/usdt", "--strategy", "mr_bb"]) == 0
    assert "no saved runs of MR_BB on SOL/USDT: " in capsys.readouterr().out


@pytest.mark.unmeasured
def test_generated_candles_are_called_synthetic_in_table_and_report(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = home / "report.html"
    options = ["--strategy", "MR_BB", "--symbol", "BTC/USDT", "--exchange", "binanceus-synthetic"]
    assert call(*options, "--plot", str(report)) == 0
    assert "SYNTHETIC" in capsys.readouterr().out
    assert "SYNTHETIC" in report.read_text()


@pytest.mark.unmeasured
def test_strategies_are_listed_with_what_they_are_set_to(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_minute = ["--strategies-file", str(ROOT / "config" / "strategies_1m.yaml")]
    assert run_backtest.main(["--list", "--strategy", "momentum", *one_minute]) == 0
    out = capsys.readouterr().out
    assert "MOMENTUM (momentum; enabled, 1m)" in out
    assert "SQZ_BO" not in out
    assert run_backtest.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    trend = next(line for line in out.splitlines() if line.startswith("TREND_EMA"))
    assert trend.split()[:5] == ["TREND_EMA", "trend_ema.py", "1h", "ema_fast", "9,"]
    assert run_backtest.main(["--list", "--wide"]) == 0
    out = capsys.readouterr().out
    assert "SQZ_BO (squeeze_breakout; not enabled)" in out
    ema_fast = next(line.split() for line in out.splitlines() if line.split()[:1] == ["ema_fast"])
    assert ema_fast[:3] == ["ema_fast", "9", "20"]


@pytest.mark.unmeasured
def test_runs_finished_before_an_interrupt_are_saved(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(
        jobs: list[Job], workers: int | None, engine: str, on_failure: object
    ) -> Iterator[BacktestResult]:
        for count, result in enumerate(run_jobs(jobs, workers, engine)):
            if count == 2:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(backtest_command, "run_jobs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call("--all", "--persist")
    assert show_runs.main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]] == ["2", "1"]


@pytest.mark.parametrize(
    ("argv", "error", "says"),
    [
        (["--strategy", "TREND_EM"], UsageError, "did you mean TREND_EMA"),
        (["--all", "--param", "x=1"], UsageError, "unknown parameter 'x'"),
        (["--all", "--timeframe", "5h"], UsageError, "unknown timeframe"),
        (["--all", "--json", "-", "--trades", "-"], UsageError, "two outputs go to -"),
        (["--all", "--json", "a.out", "--plot", "a.out"], UsageError, r"two outputs go to a\.out"),
        (["--all", "--cash", "-5"], UsageError, "default_cash"),
        (["--all", "--cash", "1e13"], UsageError, "default_cash"),
        (["--all", "--start", "yesterday"], UsageError, "cannot read the time"),
        (["--all", "--start", "2024-01-02", "--end", "2024-01-01"], UsageError, "--start must come before"),
        (["--all", "--symbol", "DOGE/USDT"], NoDataError, "no stored candles of binanceus DOGE/USDT"),
        (["--all", "--timeframe", "1m"], NoDataError, "no stored candles"),
        (["--all", "--exchange", "krakn"], NoDataError, "no stored candles of krakn"),
        (["--all", "--limit", "20"], NoDataError, "needs at least"),
        (["--all", "--limit", "20", "--verify"], NoDataError, "needs at least"),
        (["--all", "--start", "2099-01-01"], NoDataError, "from 2099-01-01"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    home: Path, argv: list[str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        call(*argv)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--all", "--strategy", "MR_BB"],
        ["--all", "--limit", "0"],
        ["--all", "--limit", "x"],
        ["--all", "--nonsense"],
        ["--all", "--engine", "quick"],
        ["--all", "--verify", "--persist"],
        ["--all", "--verify", "--engine", "fast"],
        ["--all", "--commission", "0.2"],
        ["--all", "--spread", "nan"],
        ["--all", "--spread", "-0.001"],
        ["--list", "--json", "-"],
        ["--rerun", "1", "--param", "ema_fast=3"],
        ["--rerun", "1", "--persist"],
        ["--al"],
        ["--rerun", "one"],
    ],
)
def test_wrong_usage_exits_with_two(home: Path, argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_backtest.main(argv)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "argv", [["--json", "-"], ["--trades", "3"], ["1", "--limit", "3"], ["1", "--symbol", "X/Y"]]
)
def test_show_runs_refuses_options_it_would_ignore(home: Path, argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        show_runs.main(argv)
    assert caught.value.code == 2
