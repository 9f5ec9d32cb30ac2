"""A compiled run imports neither pandas nor charts, and who needs them gets them whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from db.base import TABLES
from db.declared import Base
from tests.stored import SERIES, bars_at, make_database, url_of
from tests.tiers import programs


def child(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cli.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_opening_a_database_knows_its_tables_without_their_models() -> None:
    from db import live_models, order_models, trial_models  # noqa: F401

    assert set(Base.metadata.tables) == TABLES


@programs
@pytest.mark.parametrize("name", ["TREND_EMA", "GRID_LR"])
def test_a_compiled_run_imports_neither_pandas_nor_charts_nor_models_nor_the_compiler(
    tmp_path: Path, name: str
) -> None:
    path = make_database(tmp_path, bars_at(*range(700)), SERIES)
    argv = ["--strategy", name, "--symbol", SERIES.symbol, "--timeframe", SERIES.timeframe, "--use-sql"]
    argv += ["--exchange", SERIES.exchange, "--engine", "fast", "--db-url", url_of(path)]
    code = f"import sys\nfrom scripts import run_backtest\nassert run_backtest.main({argv!r}) == 0\n"
    heavy = "pandas", "bokeh", "ccxt", "sqlalchemy.orm", "numba"
    # What the first compiles the second finds.
    said = [child(f"{code}print([m for m in {heavy} if m in sys.modules])") for _ in range(2)][1]
    assert said.splitlines()[-1] == "[]"
    assert name in said


@programs
def test_a_backtest_draws_no_progress_bar_where_the_package_for_it_is_installed(tmp_path: Path) -> None:
    (tmp_path / "tqdm").mkdir()
    (tmp_path / "tqdm" / "__init__.py").write_text("")
    (tmp_path / "tqdm" / "auto.py").write_text("def tqdm(*_, **__): raise SystemExit('a bar is drawn')")
    bars = "from tests.markets import random_bars\nbars = random_bars(3, 900)\n"
    code = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport tqdm.auto as shown\n"
        + bars
        + """
from core.backtester import run_backtest
from core.domain import Costs, Series
from core.results.runs import RunSpec
run_backtest(bars, RunSpec(Series("x", "BTC/USDT", "1h"), "TREND_EMA", {}, Costs(), 1e4))
assert sys.modules["tqdm.auto"] is shown
print("done")
"""
    )
    assert child(code) == "done\n"


@programs
def test_backtesting_py_and_ta_lib_are_whole_for_who_comes_after() -> None:
    code = """
import sys
from strategies.trend_ema import TrendEmaBacktest
assert not {"pandas", "bokeh"} & set(sys.modules)
import numpy as np, pandas as pd, talib
from backtesting import Backtest, Strategy
assert issubclass(TrendEmaBacktest, Strategy)
close = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, 600))
index = pd.date_range("2020", periods=600, freq="h")
frame = pd.DataFrame(dict(Open=close, High=close + 1, Low=close - 1, Close=close, Volume=1.0), index=index)
assert isinstance(talib.EMA(frame.Close, 5), pd.Series)
backtest = Backtest(frame, TrendEmaBacktest, cash=1e6, finalize_trades=True)
stats = backtest.run()
assert isinstance(stats, pd.Series) and stats["# Trades"] > 0
backtest.plot(filename=sys.argv[1], open_browser=False)
print(stats["# Trades"])
"""
    plain = "import backtesting, talib\n" + code.replace("assert not", "assert")
    runs = [
        subprocess.run(
            [sys.executable, "-c", text, "/dev/null"],
            cwd=cli.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        for text in (code, plain)
    ]
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    assert runs[0].stdout == runs[1].stdout
