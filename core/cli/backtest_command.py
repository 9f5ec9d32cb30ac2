"""What run_backtest.py does once its arguments are parsed; imports everything it needs."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from core import cli
from core.backtest.partners import describe_partners, partner_bars
from core.backtest.plan import (
    PlannedRun,
    check_params,
    named_sizing,
    parse_params,
    plan_runs,
    split_names,
)
from core.cli import strategy_list
from core.cli.candles import EXCHANGE_LIMIT, source_of
from core.cli.trial_journal import RunLook, record_results, record_specs
from core.data_source import DataSource
from core.domain import Bars, Costs, Series
from core.errors import NoDataError, UsageError
from core.multi_backtester import Job, NotRun, best_first, run_jobs
from core.reports.document import as_json, run_document, trades_csv
from core.reports.table import print_comparison, print_table, room
from core.results.runs import BacktestResult, DataRange, RunSpec, coverage_lines, describe_data, stats_text
from core.risk.limits import active_pauses, protections_of
from core.settings import Settings
from core.symbols import pair_of
from core.utils import format_time
from db.status import SYNTHETIC_NOTE, is_synthetic
from strategies.pairing import bind
from strategies.registry import UNPROVABLE, load_strategy

CODE = {
    True: "identical",
    False: "changed since then",
    None: "not comparable: it was saved without the hash of just the code that made it",
}
"""How the code of a run that is repeated stands to that of then."""


def run(args: argparse.Namespace) -> int:
    """List, repeat, verify or compare, as was asked for."""
    if args.list:
        return strategy_list.show_strategies(args)
    if args.rerun is not None:
        return run_again(args)
    if args.portfolio:
        return portfolio(args)
    return verify(args) if args.verify else compare(args)


def compare(args: argparse.Namespace) -> int:
    """Plan, load, run, save, print."""
    cli.check_free(args.json, args.trades, page=args.report, force=args.force)
    settings = cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)
    jobs, not_run = planned_jobs(args, settings)
    save = saving(settings.db.url) if args.persist else None
    run_ids: dict[int, int] = {}
    results = []
    with cli.progress("backtests", len(jobs)) as advance:
        engine = "account" if args.protections else args.engine
        for result in run_jobs(jobs, args.jobs, engine, on_failure=not_run.append):
            # One by one, as they come: an interrupt keeps what was finished.
            if save is not None:
                run_ids[id(result)] = save(result)
            results.append(result)
            advance()
    record_results("backtest", results, settings.db.url)
    results = best_first(results)
    stored = source_of(args, settings) if args.use_sql else None
    report(args, jobs, results, [run_ids[id(result)] for result in results if run_ids], stored)
    print_not_run(not_run, alone="-" in (args.json, args.trades, args.report))
    return 0


def saving(db_url: str | None) -> Callable[[BacktestResult], int]:
    """Return what saves a result and returns its id. Raises DatabaseError now if it could not be saved."""
    # Here as below: what only some commands need takes longer to import than a compiled run.
    from core.backtest_persistence import check_saving, save_result

    check_saving(db_url)
    return partial(save_result, db_url=db_url)


def portfolio(args: argparse.Namespace) -> int:
    """Run all on one account, within the limits of the settings, and print what came of it."""
    from core.backtest.replay import ReplayAccount, ReplayFeed
    from core.cli.replay_command import risk_terms, show

    cli.check_free(page=args.report, force=args.force)
    settings = cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)
    jobs, not_run = planned_jobs(args, settings)
    first = jobs[0].spec
    feeds = [
        ReplayFeed(
            job.spec.strategy,
            bind(load_strategy(job.spec.strategy), job.partners).runner,
            job.spec.params,
            job.spec.series.symbol,
            job.spec.series.timeframe,
            job.bars,
            describe_partners(job.bars, job.spec.series, job.partners),
        )
        for job in jobs
    ]
    risk = risk_terms(settings).manager(first.costs)
    account = ReplayAccount(first.cash, first.costs, risk, settings.paper.volume_share)
    stored = source_of(args, settings) if args.use_sql else None
    show(feeds, account, first.series.exchange, report=args.report, source=stored)
    record_specs("backtest", seen_by(jobs), settings.db.url)
    print_not_run(not_run)
    return 0


def verify(args: argparse.Namespace) -> int:
    """Run each strategy three ways and compare; exit code 1 when anything differs."""
    from core.proof.verify import verify as verify_one
    from core.reports.verdict import print_verdicts

    settings = cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)
    jobs, not_run = planned_jobs(args, settings)
    verdicts = []
    with cli.progress("verifications", len(jobs)) as advance:
        for job in jobs:
            strategy = bind(load_strategy(job.spec.strategy), job.partners)
            try:
                verdicts.append(verify_one(job.bars, job.spec, strategy, data=job.data, advance=advance))
            except NoDataError as error:
                not_run.append(NotRun(job.spec, str(error)))
    if not verdicts:
        raise NoDataError(not_run[-1].reason)
    print_data(jobs)
    print_verdicts(verdicts, wide=args.wide)
    record_specs("backtest", seen_by(jobs), settings.db.url)
    print_not_run(not_run)
    return 1 if any(verdict.differences for verdict in verdicts) else 0


def seen_by(jobs: Sequence[Job]) -> list[RunLook]:
    """Return what each job runs, on which candles."""
    return [
        (
            job.spec,
            job.data or describe_data(job.bars, job.spec.series),
            describe_partners(job.bars, job.spec.series, job.partners),
        )
        for job in jobs
    ]


def planned_jobs(args: argparse.Namespace, settings: Settings) -> tuple[list[Job], list[NotRun]]:
    """Plan the runs that were asked for and load their candles; return also those that lack another series.

    Raises NoDataError when no run is left.
    """
    plans = plan_runs(
        settings,
        strategies=split_names(args.strategy),
        symbols=split_names(args.symbol),
        timeframe=args.timeframe,
        params={**named_sizing(split_names(args.sizing)), **parse_params(args.param)},
        on_broken=lambda line: print(f"note: left out: {line}", file=sys.stderr),
    )
    cli.note_missing_parts(plan.strategy for plan in plans)
    return load_jobs(plans, source_of(args, settings), settings, args)


def cannot(args: argparse.Namespace, plans: Sequence[PlannedRun]) -> set[str]:
    """Return the strategies that cannot be run as was asked for, if others can."""
    needs_rule = getattr(args, "verify", False) or getattr(args, "engine", "") == "fast"
    names = {plan.strategy for plan in plans}
    one_way = {name for name in names if load_strategy(name).backtest is None}
    return one_way if needs_rule and one_way != names else set()


def overrides(args: argparse.Namespace) -> dict[str, object]:
    """Return what the command line changes in the settings."""
    return {
        "db.url": args.db_url,
        "backtest.default_cash": args.cash,
    }


def load_jobs(
    plans: Sequence[PlannedRun], source: DataSource, settings: Settings, args: argparse.Namespace
) -> tuple[list[Job], list[NotRun]]:
    """Load every series once; return one job per planned run, and the runs that lack another series."""
    start, end = cli.span(args)
    limit = args.limit or (None if args.use_sql or args.start else EXCHANGE_LIMIT)
    label, money = source.exchange, (costs(args, settings), settings.backtest.default_cash)
    protections = wanted_protections(settings) if getattr(args, "protections", False) else {}
    wanted = [Series(label, plan.symbol, plan.timeframe) for plan in plans]
    candles: dict[Series, tuple[Bars, DataRange]] = {}
    with cli.progress("candles", len(set(wanted))) as advance:
        for series in dict.fromkeys(wanted):
            bars = source.get_bars(series.symbol, series.timeframe, limit, start=start, end=end)
            candles[series] = bars, describe_data(bars, series)
            advance()
    jobs: list[Job] = []
    not_run: list[NotRun] = []
    left_out = cannot(args, plans)
    for series, plan in zip(wanted, plans, strict=True):
        bars, data = candles[series]
        spec = RunSpec(series, plan.strategy, plan.params, *money, protections)
        if plan.strategy in left_out:
            not_run.append(NotRun(spec, f"{plan.strategy} {UNPROVABLE}"))
            continue
        try:
            others = partner_bars(source, plan.strategy, series, bars, plan.universe)
            jobs.append(Job(bars, spec, data, others))
        except NoDataError as error:
            if len(not_run) + 1 == len(plans):
                raise
            not_run.append(NotRun(spec, str(error)))
    return jobs, not_run


def wanted_protections(settings: Settings) -> dict[str, Any]:
    """Return the protections that the settings turn on. Raises UsageError where there is none."""
    found = protections_of(settings.risk.limits)
    if not (active_pauses(asdict(settings.risk.limits)) or "cool_down_minutes" in found):
        raise UsageError(
            "--protections: settings.yaml turns none on: set risk.exit_pause_minutes, risk.stop_guard_stops, "
            "risk.low_profit_pct, risk.recent_drawdown_pct, risk.max_trades_per_symbol_day or "
            "risk.cool_down_minutes"
        )
    return found


def costs(args: argparse.Namespace, settings: Settings) -> Costs:
    """Return the costs as rates: of the settings, as typed, or as an account paid them."""
    commission, spread = settings.backtest.costs
    if args.costs is not None:
        if not (args.commission is None and args.spread is None):
            raise UsageError("--costs brings commission and spread: leave --commission and --spread out")
        from core.cli.drift_command import costs_of_account

        return costs_of_account(args, settings.backtest.costs)
    return Costs(
        commission if args.commission is None else args.commission,
        spread if args.spread is None else args.spread,
    )


def report(
    args: argparse.Namespace,
    jobs: Sequence[Job],
    results: Sequence[BacktestResult],
    run_ids: Sequence[int],
    source: DataSource | None,
) -> None:
    """Print the table and write the files that were asked for; `source` has candles to compare with."""
    if "-" not in (args.json, args.trades, args.report):
        print_data(jobs)
        print_comparison(results, run_ids, wide=args.wide)
        print_endings(results, wide=args.wide)
        if len(results) == 1:
            quote, days = pair_of(results[0].spec.series.symbol).quote, results[0].summary.daily_returns
            print(f"\n{stats_text(results[0].figures, quote, days)}")
    if run_ids:
        print(
            "runs are saved: show_runs.py RUN_ID shows one, run_backtest.py --rerun RUN_ID repeats it",
            file=sys.stderr,
        )
    if args.json:
        cli.write_output(args.json, as_json(run_document(results)))
    if args.trades:
        cli.write_output(args.trades, trades_csv(results))
    if args.report:
        from core.cli.report_command import write_report

        candles = {job.spec.series: job.bars for job in jobs}
        write_report(args.report, results, candles, source)


def print_data(jobs: Sequence[Job]) -> None:
    """Print one line per series: what the runs saw."""
    for series, job in {job.spec.series: job for job in jobs}.items():
        data = job.data or describe_data(job.bars, series)
        print(f"{series}: {data.bars:,} bars, {format_time(data.start)} to {format_time(data.end)} UTC")
        for note in data.notes:
            print(textwrap.fill(f"  note: {note}", room(), subsequent_indent="        "))
    for line in sorted({line for job in jobs for line in partner_lines(job)}):
        print(textwrap.fill(f"  {line}", room(), subsequent_indent="        "))
    for line in sorted({origin(job) for job in jobs} - {""}):
        print(line)
    print()


def partner_lines(job: Job) -> list[str]:
    """Return what there is of the other series that a job looks at, in lines."""
    series = job.spec.series
    found = describe_partners(job.bars, series, job.partners)
    return coverage_lines(job.spec.strategy, series.symbol, job.bars.ts.size, found)


def origin(job: Job) -> str:
    """Return the warning that belongs to candles that no market made, or nothing."""
    if not is_synthetic(job.spec.series):
        return ""
    return SYNTHETIC_NOTE


def print_not_run(not_run: Sequence[NotRun], *, alone: bool = False) -> None:
    """Print what a comparison had to leave out; on stderr when a document stands alone on stdout."""
    for spec, reason in not_run:
        line = f"not run on {spec.series.symbol} {spec.series.timeframe}: {reason}"
        text = textwrap.fill(line, room(), subsequent_indent="  ", break_on_hyphens=False)
        print(text, file=sys.stderr if alone else sys.stdout)


def print_endings(results: Sequence[BacktestResult], *, wide: bool = False) -> None:
    """Print how trades ended, what bound the size of entries, and which were refused."""
    headings = ["symbol", "strategy", "trades ended by", "entries bound by", "entries refused"]
    rows = [
        [
            *(r.spec.series.symbol, r.spec.strategy),
            *map(counted, (r.endings, r.bounds, r.refusals)),
        ]
        for r in results
    ]
    print()
    print_table(headings, rows, left=5, wraps=headings[2:], wide=wide)


def counted(counts: Mapping[str, int]) -> str:
    """Return `stop 12, take 7`, most frequent first."""
    return ", ".join(f"{name} {n}" for name, n in Counter(counts).most_common()) or "none"


def run_again(args: argparse.Namespace) -> int:
    """Repeat a saved run; exit code 1 when anything differs."""
    from core.proof.rerun import rerun

    settings = cli.load_settings(overrides(args), strategies_dir=args.strategies_dir)
    again = rerun(args.rerun, settings.db.url)
    record_results("backtest", [again.again], settings.db.url)
    print_comparison([again.again], wide=args.wide)
    then, now = again.stored.engine, again.again.engine
    by = then if then == now else f"{then}, now by {now}"
    print(f"\nrun {args.rerun}, saved {format_time(again.stored.created_at)} UTC by {by}")
    changed = f"CHANGED since then: {', '.join(again.changed)}"
    print(f"candles: {changed if again.changed else 'identical'}")
    print(f"code: {CODE[again.same_code]}")
    trades = len(again.stored.trades)
    print(f"trades: {f'all {trades} identical' if again.difference is None else again.difference}")
    return 0 if again.difference is None else 1
