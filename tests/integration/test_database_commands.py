"""The commands as a user runs them: exit codes, one line per error, files that outlive a killed load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.domain import Series
from db.candles import read_bars
from db.status import find_damage
from tests.stored import HOUR, SERIES, START, bars_at, make_database, opened, url_of
from tests.tiers import programs

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["--exchange", "binanceus", "--symbol", "BTC/USDT", "--timeframe", "1h"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HOT_CRYPTO_")}


def write(path: Path, count: int) -> Path:
    rows = (f"{START + hour * HOUR},99.5,101.0,99.0,100.0,2.0\n" for hour in range(count))
    path.write_text("ts,open,high,low,close,volume\n" + "".join(rows))
    return path


@programs
def test_from_nothing_to_a_status(tmp_path: Path) -> None:
    url = url_of(tmp_path / "new.db")
    made = run("-m", "db.init_db", "--db-url", url)
    assert (made.returncode, made.stderr) == (0, "")
    loaded = run("scripts/import_ohlcv_to_db.py", str(write(tmp_path / "a.csv", 5)), *NAMES, "--db-url", url)
    assert (loaded.returncode, loaded.stderr) == (0, "")
    shown = run("scripts/db_status.py", "--db-url", url)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "BTC/USDT" in shown.stdout


@programs
def test_a_database_that_is_none_is_exit_code_three_and_one_line(tmp_path: Path) -> None:
    file, database = write(tmp_path / "a.csv", 5), tmp_path / "bad.db"
    database.write_text("no database " * 100)
    found = run("scripts/import_ohlcv_to_db.py", str(file), *NAMES, "--db-url", url_of(database))
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.startswith("error: database")
    assert found.stderr.count("\n") == 1


@programs
def test_a_missing_file_is_exit_code_two(tmp_path: Path) -> None:
    found = run("scripts/import_ohlcv_to_db.py", str(tmp_path / "none.csv"), *NAMES)
    assert (found.returncode, found.stderr) == (2, f"error: {tmp_path / 'none.csv'} is not there\n")


STORE_UNTIL_KILLED = """
import os, signal, sys
from db import candles
from db.base import open_engine
from tests.stored import SERIES, bars_at
candles._CHUNK = 10
seen = []
def progress(by):
    seen.append(by)
    if len(seen) == 3:
        os.kill(os.getpid(), int(sys.argv[2]))
candles.upsert_bars(open_engine(sys.argv[1]), SERIES, bars_at(*range(100), price=50.0), progress=progress)
"""


@programs
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_load_killed_half_way_leaves_the_database_as_it_was(tmp_path: Path, how: signal.Signals) -> None:
    path = make_database(tmp_path, bars_at(0, 1))
    killed = run("-c", STORE_UNTIL_KILLED, url_of(path), str(int(how)))
    assert killed.returncode == -how
    engine = opened(path)
    assert read_bars(engine, SERIES).close.tolist() == [100.0, 100.0]
    assert find_damage(engine) == []


@programs
def test_two_processes_may_set_up_and_load_one_database_at_once(tmp_path: Path) -> None:
    url = url_of(tmp_path / "new.db")
    names = ["AAA/USD", "BBB/USD"]
    file = str(write(tmp_path / "a.csv", 500))
    words = ["--exchange", "x", "--timeframe", "1h", "--db-url", url, "--symbol"]
    running = [
        subprocess.Popen(
            [sys.executable, "scripts/import_ohlcv_to_db.py", file, *words, name],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [process.wait() for process in running] == [0, 0]
    engine = opened(tmp_path / "new.db")
    for name in names:
        assert len(read_bars(engine, Series("x", name, "1h")).ts) == 500
