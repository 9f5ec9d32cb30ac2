"""Strategies of a folder of one's own in every command, and an upgrade that leaves them as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import cli
from core.backtest.plan import enabled_names
from core.domain import Series
from core.errors import SettingsError, UsageError
from core.multi_backtester import run_multi_backtest
from core.optimise.sweep import sweep
from db.candles import upsert_bars
from db.init_db import init_db
from scripts import run_backtest, run_live, show_runs
from strategies.registry import use_folder
from tests.markets import random_bars
from tests.own_files import ON_BAR, RULE, written
from tests.tiers import programs

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = """\
cross: {enabled: true, symbols: [BTC/USDT], timeframe: 1h, params: {ema_slow: 12}}
mine: {enabled: true, symbols: [BTC/USDT], timeframe: 1h}
"""
FILES = {"cross.py": RULE, "mine.py": ON_BAR, "strategies.yaml": ENTRIES}
BARS = random_bars(1, 700)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the shipped settings, a folder of one's own and a database with BTC/USDT on 1h."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    written(tmp_path / "user_strategies", FILES)
    url = f"sqlite:///{tmp_path / 'candles.db'}"
    engine = init_db(url)
    for symbol in ("BTC/USDT", "ETH/USDT"):
        upsert_bars(engine, Series("binanceus", symbol, "1h"), BARS)
    engine.dispose()
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.delenv("HOT_CRYPTO_STRATEGIES")
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    use_folder(None)


def call(*argv: str) -> int:
    return run_backtest.main([*argv, "--use-sql", "--timeframe", "1h", "--symbol", "BTC/USDT"])


@programs
@pytest.mark.unmeasured
def test_own_strategies_are_listed_compared_saved_and_repeated(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_backtest.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (cross,) = (line for line in lines if line.startswith("MY_CROSS"))
    assert cross.split()[1:3] == ["user_strategies/cross.py", "1h"]
    assert "an on_bar of its own: not provable three ways" in next(x for x in lines if x.startswith("MINE"))
    assert run_backtest.main(["--list", "--strategy", "MY_CROSS"]) == 0
    assert "ema_slow 12 15 3 … 2000" in " ".join(capsys.readouterr().out.split())
    # Two processes find them too.
    assert call("--all", "--persist", "--jobs", "2", "--json", "runs.json") == 0
    runs = {run["strategy"]: run for run in json.loads((home / "runs.json").read_text())["runs"]}
    assert {"MY_CROSS", "MINE", "TREND_EMA"} <= set(runs)
    assert runs["MY_CROSS"]["params"]["ema_slow"] == 12
    assert len(runs["MY_CROSS"]["trades"]) > 5
    assert len(runs["MINE"]["trades"]) > 5
    capsys.readouterr()
    assert show_runs.main(["--strategy", "MY_CROSS"]) == 0
    number = next(line for line in capsys.readouterr().out.splitlines() if "MY_CROSS" in line).split()[0]
    assert run_backtest.main(["--rerun", number]) == 0
    said = capsys.readouterr().out
    assert "code: identical" in said
    assert "trades: all" in said
    show_runs.main(["--strategy", "MINE"])
    number = next(line for line in capsys.readouterr().out.splitlines() if "MINE" in line).split()[0]
    assert run_backtest.main(["--rerun", number]) == 0
    assert "on_bar, not provable three ways" in capsys.readouterr().out


def test_own_strategies_are_proven_swept_and_replayed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--verify", "--strategy", "MY_CROSS,MINE") == 0
    said = capsys.readouterr().out
    assert "1 of 1 equal three ways" in said
    assert "MINE has an on_bar of its own" in said
    assert call("--engine", "fast", "--strategy", "MY_CROSS") == 0
    for option in ("--verify", "--engine=fast"):
        with pytest.raises(UsageError, match="MINE has an on_bar of its own: there is one way to run it"):
            call(option, "--strategy", "MINE")
    found = sweep(
        {Series("binanceus", "BTC/USDT", "1h"): BARS}, "MY_CROSS", [{"ema_fast": n} for n in (3, 5)]
    )
    assert found["trades_count"].min() > 5
    with pytest.raises(UsageError, match=r"MINE has an on_bar of its own.*and not swept"):
        sweep({Series("binanceus", "BTC/USDT", "1h"): BARS}, "MINE", [{}])
    capsys.readouterr()
    assert call("--portfolio", "--strategy", "MY_CROSS,MINE") == 0
    portfolio = capsys.readouterr().out.splitlines()
    assert run_live.main(["--replay", "--strategy", "MY_CROSS,MINE", "--symbol", "BTC/USDT"]) == 0
    replayed = capsys.readouterr().out.splitlines()
    assert [line for line in replayed if line.startswith(("MY_CROSS", "MINE", "account"))] == [
        line for line in portfolio if line.startswith(("MY_CROSS", "MINE", "account"))
    ]


def test_the_specification_s_runner_knows_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core import multi_backtester

    monkeypatch.setattr(multi_backtester, "ROOT", home)
    table = run_multi_backtest(["BTC/USDT"], "1h", strategies=["MY_CROSS"])
    assert table["strategy"].tolist() == ["MY_CROSS"]


def test_a_broken_file_breaks_no_run_of_others(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(home / "user_strategies", {"bad.py": "def f(:\n", "late.py": "import nope\n" + RULE})
    text = RULE.replace("MY_CROSS", "LATE")
    written(home / "user_strategies", {"late.py": "import nope\n" + text})
    more = "".join(ENTRIES.splitlines(keepends=True)[0].replace("cross", name) for name in ("bad", "late"))
    written(home / "user_strategies", {"strategies.yaml": ENTRIES + more})
    assert call("--strategy", "TREND_EMA") == 0
    said = capsys.readouterr().err
    assert said == "note: left out: user_strategies/bad.py:1: invalid syntax: mend it\n"
    assert call("--all") == 0
    said = capsys.readouterr().err
    assert "note: left out: user_strategies/late.py:1: ModuleNotFoundError: No module named 'nope'" in said
    assert run_backtest.main(["--list"]) == 0
    assert "note: left out: user_strategies/late.py:1: " in capsys.readouterr().err
    for name, place in (("bad", "bad.py:1: invalid syntax"), ("LATE", "late.py:1: ModuleNotFound")):
        with pytest.raises(UsageError) as error:
            call("--strategy", name)
        assert str(error.value).startswith(f"user_strategies/{place}")
        assert error.value.exit_code == 2
    # An account trades all that is enabled, or does not begin.
    with pytest.raises(UsageError, match=r"user_strategies/bad.py:1"):
        run_live.main(["--replay"])
    (home / "user_strategies" / "bad.py").unlink()
    written(home / "user_strategies", {"strategies.yaml": ENTRIES + more.splitlines(keepends=True)[1]})
    with pytest.raises(UsageError, match=r"user_strategies/late.py:1"):
        run_live.main(["--replay"])


@pytest.mark.unmeasured
def test_a_file_called_like_the_project_s_breaks_no_account(home: Path) -> None:
    text = RULE.replace("MY_CROSS", "TREND_EMA")
    written(home / "user_strategies", {"trend_ema.py": text, "strategies.yaml": ENTRIES})
    settings = cli.load_settings()
    assert {"TREND_EMA", "MY_CROSS"} <= set(enabled_names(settings))


@pytest.mark.unmeasured
def test_a_folder_is_named_by_an_option_or_by_the_environment(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = written(tmp_path / "elsewhere", {"other.py": RULE.replace("MY_CROSS", "OTHER")})
    assert call("--strategies-dir", str(elsewhere), "--strategy", "OTHER") == 0
    with pytest.raises(UsageError, match="unknown strategy 'OTHER'"):
        call("--strategy", "OTHER")
    monkeypatch.setenv("HOT_CRYPTO_STRATEGIES", str(elsewhere))
    assert call("--strategy", "OTHER") == 0
    with pytest.raises(UsageError, match="no-such: there is no such folder"):
        call("--strategies-dir", "no-such", "--strategy", "OTHER")
    # A strategies file stands alone.
    own = home / "mine.yaml"
    own.write_text(ENTRIES.replace("cross", "other").splitlines()[0])
    assert call("--strategies-file", str(own), "--all") == 0
    assert "OTHER" in capsys.readouterr().out
    own.write_text(ENTRIES.replace("cross", "other").replace("ema_slow: 12", "ema_slow: 1"))
    with pytest.raises(SettingsError, match=r"OTHER.ema_slow: wanted a whole number from 3 to 2000, got 1"):
        call("--strategies-file", str(own), "--all")


@programs
def test_an_upgrade_of_the_project_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    names = [name for name in tracked if name and not name.startswith(("tests/", "docs/", "bench/"))]
    project = tmp_path / "project"

    def put() -> None:
        for name in names:
            target = project / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)

    def git(*argv: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *who, *argv], cwd=project, capture_output=True, text=True, check=True
        ).stdout

    def listed() -> str:
        env = {key: value for key, value in os.environ.items() if not key.startswith("HOT_CRYPTO")}
        command = [sys.executable, "scripts/run_backtest.py", "--list", "--strategy", "MY_CROSS"]
        return subprocess.run(
            command, cwd=project, env=env, capture_output=True, text=True, check=True
        ).stdout

    put()
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "old")
    folder = written(project / "user_strategies", FILES)
    before = listed()
    assert "set to" in before
    assert git("status", "--porcelain") == ""
    # The next version: every file is another one, and one of them is gone.
    git("rm", "-qrf", ".")
    put()
    (project / "README.md").write_text("newer\n")
    git("add", ".")
    git("commit", "-qm", "new")
    git("clean", "-fdq")
    assert {path.name: path.read_text() for path in folder.iterdir() if path.is_file()} == FILES
    assert listed() == before
