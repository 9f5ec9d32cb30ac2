"""Many backtests: planned, run on all cores when that pays, compared in one table."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import pandas as pd

from core.backtest_persistence import save_result
from core.backtester import open_source, run_backtest
from core.domain import Bars, Costs, Series
from core.results import BacktestResult, RunSpec
from strategies.registry import REGISTRY

WORTH_A_POOL = 400_000
"""Bars to simulate in all above which starting processes (two seconds each) saves time."""


class Job(NamedTuple):
    """One run and its candles."""

    bars: Bars
    spec: RunSpec


def run_jobs(jobs: Sequence[Job], workers: int | None = None) -> Iterator[BacktestResult]:
    """Run all jobs; yield each result as it is done. `workers` None: as many as cores, if it pays."""
    if workers is None:
        pays = sum(job.bars.close.size for job in jobs) > WORTH_A_POOL
        workers = min(os.cpu_count() or 1, len(jobs)) if pays else 1
    if workers <= 1:
        yield from (run_backtest(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_leave_interrupts_to_the_parent) as pool:
        futures = [pool.submit(run_backtest, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def run_multi_backtest(
    symbols: Sequence[str],
    timeframe: str,
    limit: int | None = None,
    cash: float = 10_000.0,
    commission: float = 0.001,
    *,
    use_sql: bool = True,
    db_url: str | None = None,
    persist: bool = False,
    exchange: str = "binanceus",
) -> pd.DataFrame:
    """Run every strategy, with its default parameters, over every symbol; return compare()'s table.

    `commission` is a rate per side. Raises NoDataError when a symbol has no candles.
    """
    source = open_source(exchange, use_sql=use_sql, db_url=db_url)
    jobs = [
        Job(bars, RunSpec(Series(source.exchange, symbol, timeframe), name, {}, Costs(commission), cash))
        for symbol in symbols
        for bars in [source.get_bars(symbol, timeframe, limit)]
        for name in REGISTRY
    ]
    results = list(run_jobs(jobs))
    if persist:
        for result in results:
            save_result(result, db_url)
    return compare(results)


def compare(results: Iterable[BacktestResult]) -> pd.DataFrame:
    """Return one row per run, best return first: symbol, strategy, final_equity, max_drawdown (positive
    percent), sharpe (NaN for none), trades_count.
    """
    rows = [
        (
            result.spec.series.symbol,
            result.spec.strategy,
            result.summary.final_equity,
            result.summary.max_drawdown_pct,
            result.summary.sharpe_ratio,
            result.summary.trades_count,
        )
        for result in best_first(results)
    ]
    columns = ["symbol", "strategy", "final_equity", "max_drawdown", "sharpe", "trades_count"]
    return pd.DataFrame(rows, columns=columns)


def best_first(results: Iterable[BacktestResult]) -> list[BacktestResult]:
    """Return the results by falling return; equal ones by name, so that the order never varies."""
    return sorted(results, key=lambda r: (-r.summary.return_pct, r.spec.series, r.spec.strategy))


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
