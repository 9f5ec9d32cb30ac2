"""Many backtests: planned, run on all cores when that pays, compared in one table."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from core.backtest.partners import partner_bars
from core.backtest.plan import check_params, plan_runs
from core.backtester import open_source, run_backtest
from core.candles.column_cache import SharedBars, shared
from core.domain import Bars, Costs, Series
from core.errors import NoDataError, UsageError, unknown_name
from core.results.runs import BacktestResult, DataRange, RunSpec, describe_data
from core.utils import end_with_parent, interrupts_held_back
from strategies.folder import place_of, settings_file
from strategies.pairing import Partners
from strategies.registry import folder_in_use, use_folder

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
WORTH_A_POOL = 400_000
"""Bars to simulate in all above which starting processes (two seconds each) saves time."""


ENGINES = ("backtesting", "fast", "account")


class Job(NamedTuple):
    """One run and its candles."""

    bars: Bars
    spec: RunSpec
    data: DataRange | None = None
    """The description of the bars, made once for all jobs on them; None: the run makes it."""
    partners: Partners | None = None
    """The other candles that the strategy looks at, if it does."""


class Runner(Protocol):
    """What runs one backtest."""

    def __call__(
        self, bars: Bars, spec: RunSpec, data: DataRange | None = None, partners: Partners | None = None
    ) -> BacktestResult:
        """Run it on these bars, which `data` describes if it is at hand."""
        ...


class NotRun(NamedTuple):
    """A run of a comparison that could not be made."""

    spec: RunSpec
    reason: str


class _Sent(NamedTuple):
    """What another process gets of the other series that a strategy looks at."""

    partners: Partners
    """Without candles."""
    tables: list[Bars | SharedBars]


def run_jobs(
    jobs: Sequence[Job],
    workers: int | None = None,
    engine: str = "backtesting",
    on_failure: Callable[[NotRun], object] | None = None,
) -> Iterator[BacktestResult]:
    """Run all jobs; yield each result as it is done. `workers` None: as many as cores, if it pays.

    `on_failure` is shown each job that has too few bars, and the others go on; without it, or when no job has
    enough, NoDataError is raised.
    """
    failures: list[NoDataError] = []
    with closing(_attempts(jobs, workers, engine)) as attempts:
        for job, result in attempts:
            try:
                yield result()
            except NoDataError as error:
                if on_failure is None:
                    raise
                failures.append(error)
                on_failure(NotRun(job.spec, str(error)))
    if failures and len(failures) == len(jobs):
        raise failures[0]


def _attempts(
    jobs: Sequence[Job], workers: int | None, engine: str
) -> Generator[tuple[Job, Callable[[], BacktestResult]]]:
    """Yield each job and what returns its result, as it is done."""
    in_all = sum(job.bars.close.size for job in jobs)
    run = runner(engine, in_all)
    if workers is None:
        pays = engine == "backtesting" and in_all > WORTH_A_POOL
        workers = min(os.cpu_count() or 1, len(jobs)) if pays else 1
    if workers <= 1:
        yield from ((job, partial(run, *job)) for job in jobs)
        return
    before = set(multiprocessing.active_children())
    # A worker knows the same strategies: those of one's own are in no list that it could import.
    spawned = multiprocessing.get_context("spawn"), _begin, (folder_in_use(),)
    with ProcessPoolExecutor(workers, *spawned) as pool:
        try:
            with interrupts_held_back():
                futures = {
                    pool.submit(
                        _run_here, _sent(job.bars), job.spec, job.data, _all_sent(job.partners), engine
                    ): job
                    for job in jobs
                }
            for future in as_completed(futures):
                yield futures[future], partial(_result, future, run, futures[future])
        except BaseException:
            # Ctrl-C, or nobody wants the rest: a backtest that runs is not waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
            raise


def _begin(folder: str | None) -> None:
    end_with_parent()
    use_folder(folder)


def runner(engine: str, in_all: int | None = None) -> Runner:
    """Return what runs one backtest: one of ENGINES, also as a result's engine names itself.

    `in_all`: the bars of all that it will run, where that is known: few are not worth a compiler. Raises
    UsageError for another name.
    """
    name = engine.split()[0]
    if name in ("backtesting", "backtesting.py"):
        return run_backtest
    if name == "fast":
        # The compiler takes a second to import, which Backtesting.py's runs need not pay.
        from core.backtest.fast_backtester import run_fast

        return run_fast if in_all is None else partial(run_fast, in_all=in_all)
    if name == "account":
        from core.backtest.alone import run_alone

        return run_alone
    raise UsageError(unknown_name("engine", engine, ENGINES))


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
    strategies: Sequence[str] = (),
) -> pd.DataFrame:
    """Run strategies over every symbol, one table of all (see `compare`).

    Without `strategies`: those enabled in config/strategies.yaml, as `run_backtest.py --all`; each has the
    parameters that it has there. `commission` is a rate per side. A strategy that has too few candles, or
    none of another series that it looks at, is left out. Raises NoDataError when a symbol has none or no
    strategy has enough, UsageError for an unknown name, SettingsError for a file that cannot be used.
    """
    # Here: they take a third of a second to import, which workers need not pay.
    from core.backtest_persistence import save_result
    from core.settings import OWN_FOLDER, environment, load_settings

    env = environment(ROOT)
    folder = place_of(env.get(OWN_FOLDER) or None, ROOT)
    use_folder(folder)
    settings = load_settings(ROOT / "config", env, check_params, own_file=settings_file(folder))
    plans = plan_runs(settings, strategies=strategies, symbols=symbols, timeframe=timeframe)
    source = open_source(exchange, use_sql=use_sql, db_url=db_url)
    jobs = []
    for series in [Series(source.exchange, symbol, timeframe) for symbol in dict.fromkeys(symbols)]:
        bars = source.get_bars(series.symbol, timeframe, limit)
        data = describe_data(bars, series)
        for plan in (plan for plan in plans if plan.symbol == series.symbol):
            spec = RunSpec(series, plan.strategy, plan.params, Costs(commission), cash)
            with suppress(NoDataError):
                others = partner_bars(source, plan.strategy, series, bars, plan.universe)
                jobs.append(Job(bars, spec, data, others))
    results = list(run_jobs(jobs, on_failure=lambda _: None))
    if persist:
        for result in results:
            save_result(result, db_url)
    return compare(results)


def compare(results: Iterable[BacktestResult]) -> pd.DataFrame:
    """Return one row per run, best return first: symbol, strategy, final_equity, max_drawdown (positive
    percent), sharpe (NaN for none), trades_count.
    """
    import pandas as pd

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


def _result(future: Future[BacktestResult | None], run: Runner, job: Job) -> BacktestResult:
    # None: the file was deleted before the worker came to it; this process has it open.
    result = future.result()
    return run(*job) if result is None else result


def _sent(bars: Bars) -> Bars | SharedBars:
    return shared(bars) or bars


def _all_sent(partners: Partners | None) -> _Sent | None:
    if partners is None:
        return None
    found = [one.bars for one in partners.each]
    return _Sent(partners.with_bars([bars.until(0) for bars in found]), [_sent(bars) for bars in found])


def _run_here(
    candles: Bars | SharedBars, spec: RunSpec, data: DataRange | None, others: _Sent | None, engine: str
) -> BacktestResult | None:
    """Run a job in a worker, which maps the bars itself if it can; None when they are gone."""
    bars, found = _here(candles), [_here(one) for one in others.tables] if others else []
    there = [one for one in found if one is not None]
    if bars is None or len(there) < len(found):
        return None
    return runner(engine)(bars, spec, data, others and others.partners.with_bars(there))


def _here(table: Bars | SharedBars) -> Bars | None:
    return table.load() if isinstance(table, SharedBars) else table
