from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from core.backtest.fast_backtester import run_fast
from core.backtest.partners import partner_bars
from core.backtest_persistence import list_runs, load_run, save_backtest_to_db, save_result
from core.backtester import run_backtest, run_trend_ema_backtest
from core.domain import Costs, Series
from core.errors import DatabaseError, NoDataError, UsageError
from core.multi_backtester import Job, compare, run_jobs, run_multi_backtest
from core.proof.rerun import rerun
from core.results.measures import reasons
from core.results.runs import BacktestResult, RunSpec
from core.sql_data_source import SQLDataSource
from core.version import code_version
from db.base import open_engine
from db.candles import upsert_bars
from db.init_db import init_db
from strategies.registry import REGISTRY
from tests.lively import paired, partner
from tests.markets import random_bars
from tests.tiers import programs, statistics, tries

SERIES = Series("binanceus", "BTC/USDT", "1h")
BARS = random_bars(11, 900)


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    engine = init_db(url)
    upsert_bars(engine, SERIES, BARS)
    upsert_bars(engine, SERIES._replace(symbol="ETH/USDT"), random_bars(12, 900))
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return run_backtest(BARS, RunSpec(SERIES, "GRID_LR", {"levels": 3}, Costs(0.001, 0.0002), 5_000.0))


@pytest.mark.unmeasured
def test_a_saved_run_comes_back_whole(db_url: str, result: BacktestResult) -> None:
    run_id = save_result(result, db_url)
    run = load_run(run_id, db_url)
    assert run.trades == result.records
    assert run.summary == result.summary
    assert run.spec == result.spec
    assert run.data == result.data
    assert (run.engine, run.code_version) == (result.engine, code_version(result.made_by))
    assert run.series == SERIES


@pytest.mark.unmeasured
def test_every_column_of_the_specification_is_filled(db_url: str, result: BacktestResult) -> None:
    run_id = save_result(result, db_url)
    with open_engine(db_url).connect() as connection:
        run = connection.execute(text("SELECT * FROM backtest_runs")).mappings().one()
        trades = connection.execute(text("SELECT * FROM backtest_trades")).mappings().all()
    # 37 days of bars have too few daily returns for a Sharpe ratio.
    assert [name for name, value in run.items() if value is None] == ["sharpe_ratio"]
    assert (run["strategy_name"], run["initial_cash"], run["trades_count"]) == (
        "GRID_LR",
        5000.0,
        len(trades),
    )
    assert all(value is not None for trade in trades for value in trade.values())
    assert {trade["backtest_run_id"] for trade in trades} == {run_id}
    assert {trade["side"] for trade in trades} == {"LONG"}


def test_results_can_be_saved_by_hand_as_the_specification_says(db_url: str, result: BacktestResult) -> None:
    run_id = save_backtest_to_db(
        result.stats, result.trades, "binanceus", "BTC/USDT", "1h", "GRID_LR", 5_000.0, db_url
    )
    run = load_run(run_id, db_url)
    assert run.trades == result.records
    assert run.spec is None
    with pytest.raises(NoDataError, match="saved without what it takes to repeat it"):
        rerun(run_id, db_url)


@pytest.mark.unmeasured
def test_figures_of_a_run_saved_by_hand_come_from_its_equity_curve(db_url: str) -> None:
    bars = random_bars(12, 900)._replace(ts=BARS.ts[0] + 86_400_000 * np.arange(random_bars(12, 900).ts.size))
    spec = RunSpec(SERIES._replace(timeframe="1d"), "MR_BB", {}, Costs(0.001), 5_000.0)
    expected = run_backtest(bars, spec)
    curve = pd.DataFrame({"Equity": expected.equity}, pd.DatetimeIndex(bars.ts.astype("datetime64[ms]")))
    stats = pd.concat([expected.stats, pd.Series({"_equity_curve": curve}, dtype=object)])
    named = (*SERIES[:2], "1d", "MR_BB", 5_000.0)
    summary = load_run(save_backtest_to_db(stats, expected.trades, *named, db_url), db_url).summary
    assert summary == expected.summary._replace(buy_hold_return_pct=None)
    assert summary.sharpe_ratio is not None


def test_a_run_saved_before_there_was_a_summary_is_still_listed_and_shown(
    db_url: str, result: BacktestResult
) -> None:
    run_id = save_result(result, db_url)
    with open_engine(db_url).begin() as connection:
        connection.execute(
            text("UPDATE backtest_runs SET stats_json = json_remove(stats_json, '$.summary', '$.notes')")
        )
    (listed,) = list_runs(db_url)
    for run in (listed, load_run(run_id, db_url)):
        assert run.summary.return_pct == result.summary.return_pct
        assert run.summary.max_drawdown_pct == result.summary.max_drawdown_pct
        assert run.summary.trades_count == result.summary.trades_count
        assert (run.summary.sharpe_ratio, run.summary.profit_factor) == (None, None)
        assert "not measured when it was saved" in reasons(run.summary)["sharpe_ratio"]
    assert rerun(run_id, db_url).again.summary == result.summary


def test_saving_makes_the_database_if_there_is_none(tmp_path: Path, result: BacktestResult) -> None:
    assert save_result(result, f"sqlite:///{tmp_path / 'new' / 'runs.db'}") == 1


@pytest.mark.unmeasured
def test_runs_are_listed_newest_first_and_filtered(db_url: str, result: BacktestResult) -> None:
    ids = [save_result(result, db_url) for _ in range(3)]
    assert [run.run_id for run in list_runs(db_url)] == ids[::-1]
    assert [run.run_id for run in list_runs(db_url, limit=1)] == ids[-1:]
    assert len(list_runs(db_url, symbol="BTC/USDT", strategy="GRID_LR")) == 3
    assert list_runs(db_url, symbol="ETH/USDT") == []
    assert list_runs(db_url, strategy="MR_BB") == []


@pytest.mark.unmeasured
def test_an_unknown_run_names_those_there_are(db_url: str, result: BacktestResult) -> None:
    with pytest.raises(NoDataError, match="none yet"):
        load_run(9, db_url)
    save_result(result, db_url)
    with pytest.raises(NoDataError, match="there is no run 9; the newest are: 1"):
        load_run(9, db_url)


@pytest.mark.unmeasured
def test_a_rerun_on_the_same_candles_is_identical(db_url: str, result: BacktestResult) -> None:
    again = rerun(save_result(result, db_url), db_url)
    assert again.changed == ()
    assert again.same_code
    assert again.difference is None


@pytest.mark.unmeasured
@pytest.mark.parametrize("then", [None, "0.1.0+0123456789ab"])
def test_code_of_a_run_saved_with_another_hash_is_not_said_to_be_the_same_or_not(
    db_url: str, result: BacktestResult, then: str | None
) -> None:
    run_id = save_result(result, db_url)
    with open_engine(db_url).begin() as connection:
        connection.execute(text("UPDATE backtest_runs SET code_version = :then"), {"then": then})
    again = rerun(run_id, db_url)
    assert again.same_code is None
    assert again.difference is None
    assert load_run(run_id, db_url).code_version == then


def test_a_rerun_notices_changed_candles_and_names_the_first_difference(
    db_url: str, result: BacktestResult
) -> None:
    run_id = save_result(result, db_url)
    entry = result.records[0].entry_ts
    with open_engine(db_url).begin() as connection:
        connection.execute(
            text("UPDATE ohlcv SET open = (open + high) / 2 + 0.001, high = high + 1 WHERE ts = :ts"),
            {"ts": entry},
        )
    again = rerun(run_id, db_url)
    assert again.changed == ("BTC/USDT 1h",)
    assert again.difference is not None
    assert again.difference.startswith("trade 1: ")
    assert "entry_price" in again.difference


def test_a_rerun_notices_changed_candles_of_a_partner(db_url: str) -> None:
    other, source = SERIES._replace(symbol="ETH/USDT"), SQLDataSource(db_url)
    partners = partner_bars(source, "PAIRS", SERIES, BARS)
    run_id = save_result(
        run_fast(BARS, RunSpec(SERIES, "PAIRS", {}, Costs(), 5_000.0), None, partners), db_url
    )
    assert load_run(run_id, db_url).extras["partners"][0]["symbol"] == other.symbol
    assert rerun(run_id, db_url).changed == ()
    with open_engine(db_url).begin() as connection:
        connection.execute(text("UPDATE ohlcv SET volume = volume + 1 WHERE symbol = 'ETH/USDT' AND ts > 0"))
    again = rerun(run_id, db_url)
    assert (again.changed, again.difference) == (("ETH/USDT 1h",), None)


def test_a_rerun_notices_a_missing_trade(db_url: str, result: BacktestResult) -> None:
    run_id = save_result(result, db_url)
    with open_engine(db_url).begin() as connection:
        connection.execute(
            text("DELETE FROM backtest_trades WHERE id = (SELECT max(id) FROM backtest_trades)")
        )
    assert (
        rerun(run_id, db_url).difference
        == f"{len(result.records) - 1} trades then, {len(result.records)} now"
    )


@pytest.mark.unmeasured
def test_all_strategies_are_compared_on_all_symbols_best_first(db_url: str) -> None:
    table = run_multi_backtest(["BTC/USDT", "ETH/USDT"], "1h", db_url=db_url, persist=True)
    assert list(table.columns) == [
        "symbol",
        "strategy",
        "final_equity",
        "max_drawdown",
        "sharpe",
        "trades_count",
    ]
    assert set(zip(table["symbol"], table["strategy"], strict=True)) == {
        (symbol, name)
        for symbol in ("BTC/USDT", "ETH/USDT")
        for name in ("TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR")
    }
    assert table["final_equity"].is_monotonic_decreasing
    assert len(list_runs(db_url)) == 8


@pytest.mark.unmeasured
def test_the_strategies_to_compare_may_be_named(db_url: str) -> None:
    table = run_multi_backtest(["BTC/USDT"], "1h", db_url=db_url, strategies=["turtle", "PAIRS"])
    assert set(table["strategy"]) == {"TURTLE", "PAIRS"}
    with pytest.raises(UsageError, match="unknown strategy 'TURTEL'"):
        run_multi_backtest(["BTC/USDT"], "1h", db_url=db_url, strategies=["TURTEL"])


@programs
@pytest.mark.unmeasured
@statistics
def test_processes_give_the_same_results_as_one_process() -> None:
    other = paired(partner(BARS), SERIES.symbol)
    jobs = [
        Job(BARS, RunSpec(SERIES, name, {}, Costs(0.001), 10_000.0), None, other)
        for name in list(REGISTRY)[:: -tries(1, 4)]
    ]
    alone, shared = list(run_jobs(jobs, 1)), list(run_jobs(jobs, 2))
    assert compare(alone).equals(compare(shared))
    assert {r.spec.strategy: r.records for r in alone} == {r.spec.strategy: r.records for r in shared}


def test_the_specification_s_runner_prints_and_saves(db_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_trend_ema_backtest(
        "BTC/USDT", "1h", 500, 10_000.0, 0.001, use_sql=True, db_url=db_url, persist=True
    )
    assert result.data.bars == 500
    assert "Sharpe Ratio" in capsys.readouterr().out
    assert load_run(1, db_url).trades == result.records


def test_a_missing_database_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        list_runs(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()
