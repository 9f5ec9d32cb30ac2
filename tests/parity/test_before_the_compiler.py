"""Few bars are run in plain Python where nothing was compiled before: the same result, and no compiler."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.backtest.fast_backtester import run_fast, simulate_fast
from core.backtest_persistence import save_result
from core.domain import Costs, Series
from core.kernel import compiler
from core.kernel.machine import compiler_name
from core.kernel.sets import FEW
from core.multi_backtester import Job, run_jobs
from core.proof.rerun import rerun
from core.results import statistics, sums
from core.results.runs import BacktestResult, RunSpec
from db.candles import upsert_bars
from db.init_db import init_db
from scripts import run_backtest, show_runs
from strategies.registry import load_strategy
from tests.markets import random_bars
from tests.stored import url_of

BARS = random_bars(11, 900)
SPEC = RunSpec(Series("x", "BTC/USDT", "1h"), "TREND_EMA", {}, Costs(0.001), 10_000.0)


class CompilerWantedError(Exception):
    """Somebody compiles."""


@pytest.fixture(autouse=True)
def _nothing_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def object_code(*_: Any) -> bytes:
        raise CompilerWantedError

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(compiler, "object_code", object_code)
    fresh = sums.compiled_sums.__wrapped__()
    monkeypatch.setattr(statistics, "compiled_sums", lambda: fresh)


def document(result: BacktestResult) -> Any:
    figures = {name: repr(value) for name, value in result.figures.items()}
    return figures, result.summary, result.records, result.equity.tolist(), result.endings, result.refusals


def test_few_bars_give_without_a_compiler_what_they_give_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    found = document(run_fast(BARS, SPEC, in_all=FEW))
    monkeypatch.undo()
    assert found == document(simulate_fast(BARS, SPEC, load_strategy(SPEC.strategy)))
    assert len(found[2]) > 3


def test_a_record_says_what_ran_it_and_is_repeated_by_what_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = url_of(tmp_path / "x.db")
    engine = init_db(url)
    upsert_bars(engine, SPEC.series, BARS)
    engine.dispose()
    result = run_fast(BARS, SPEC, in_all=FEW)
    plain, old = save_result(result, url), save_result(replace(result, engine="fast (numba 0.1)"), url)
    name, compiled = f"fast (plain Python {platform.python_version()})", f"fast ({compiler_name()})"
    monkeypatch.undo()
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url)
    for run_id, by in ((plain, name), (old, "fast (numba 0.1)")):
        assert show_runs.main([str(run_id)]) == 0
        assert f"made by     {by}, code " in capsys.readouterr().out
        again = rerun(run_id, url)
        assert (again.stored.engine, again.again.engine) == (by, compiled)
        assert (again.same_code, again.difference) == (True, None)
        assert run_backtest.main(["--rerun", str(run_id)]) == 0
        assert f"UTC by {by}, now by {compiled}\n" in capsys.readouterr().out


@pytest.mark.parametrize("run", [run_fast, partial(run_fast, in_all=FEW + 1)])
def test_whoever_runs_more_or_says_nothing_compiles(run: Callable[..., BacktestResult]) -> None:
    with pytest.raises(CompilerWantedError):
        run(BARS, SPEC)


@pytest.mark.parametrize(("copies", "compiles"), [(FEW // 900, False), (FEW // 900 + 1, True)])
def test_of_many_runs_the_bars_of_all_count(copies: int, *, compiles: bool) -> None:
    jobs = [Job(BARS, SPEC)] * copies
    if compiles:
        with pytest.raises(CompilerWantedError):
            list(run_jobs(jobs, engine="fast"))
    else:
        (first, *_) = run_jobs(jobs, engine="fast")
        assert first.summary.trades_count > 3
