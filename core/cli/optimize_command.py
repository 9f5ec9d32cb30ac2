"""What optimize.py does once its arguments are parsed; imports everything it needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from core import cli
from core.backtest.plan import check_params
from core.cli import optimize_page, optimize_plan, optimize_report, trial_journal
from core.cli.backtest_command import overrides
from core.cli.optimize_curves import DayCurve, best_curve
from core.cli.optimize_plan import SearchTask
from core.cli.optimize_verdict import Judgement, Walked, judged, walked
from core.cli.options import words_again
from core.cli.strategy_list import listed
from core.cli.trial_journal import LookCount
from core.domain import Bars, FloatArray, Series
from core.errors import UsageError
from core.optimise.asking import METHODS
from core.optimise.cluster import ClusterRunner
from core.optimise.objectives import KEPT, kept_figures
from core.optimise.param_sets import full_names
from core.optimise.space import spans_of, values_of
from core.optimise.study import ParamSets, StudyBatch, StudyResult, run_study
from core.optimise.sweep import sweep
from core.optimise.walk_forward import WalkTerms
from core.optimise.workers import HereRunner, ProcessRunner, Workload
from core.reports.table import print_table
from core.settings import Settings
from db import trials
from db.base import open_engine
from db.init_db import get_db_url, init_db
from db.trial_rows import LOOK, TRIALS, Trials, terms_of
from strategies.registry import canonical_name, load_strategy

COMMAND = "optimize"
A_BACKTESTS_TOO = ("db_url", "strategies_file", "strategies_dir")
"""Options that say where candles and settings are, as a backtest has them."""


class SearchOutcome(NamedTuple):
    """What a search came to, and what is said with it."""

    found: StudyResult
    best: list[int]
    """The sets that are shown, the first by rank."""
    seen: pd.DataFrame
    """As `sweep` gives it, of the best on the bars that they were chosen on."""
    unseen: pd.DataFrame
    """The same on those that were kept back; no rows where they are not looked at."""
    counted: trials.TrialCount
    """The rule's trials on the bars that were chosen on, by all commands."""
    looks: LookCount | None
    """This rule's looks at the bars kept back; None where they are not looked at."""
    judgement: Judgement
    walk: Walked | None
    curve: DayCurve | None
    """The best set's days."""


def run(args: argparse.Namespace) -> int:
    """Plan or take up a search, run it, look at what was kept back, print, write."""
    if args.list:
        return show_spaces(args)
    cli.check_free(args.json, page=args.report, force=args.force)
    cli.check_new(args.save)
    settings = cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)
    engine = opened(args, settings)
    try:
        for line in trials.damage(engine):
            print(f"note: {line}: trials may be missing from what is counted", file=sys.stderr)
        task = optimize_plan.resumed(args, settings, engine) if args.resume else begun(args, settings, engine)
        found = searched(args, task, engine)
        outcome = concluded(args, task, found, engine)
    finally:
        engine.dispose()
    if "-" not in (args.json, args.report):
        optimize_report.report(task, outcome, wide=args.wide, given=words_again(args, *A_BACKTESTS_TOO))
    if args.json:
        cli.write_output(args.json, optimize_report.as_text(task, outcome))
    if args.report:
        cli.write_page(args.report, optimize_page.search_html(task, outcome))
    if args.save:
        optimize_report.save(args.save, task, outcome)
    return 0


def opened(args: argparse.Namespace, settings: Settings) -> Engine:
    """Return the database; one is made for a new search on candles of an exchange, and for nothing else."""
    if args.resume or args.use_sql:
        return open_engine(settings.db.url or get_db_url())
    # What is asked wrongly is said before anything is made.
    optimize_plan.asked(args, settings)
    return init_db(settings.db.url)


def begun(args: argparse.Namespace, settings: Settings, engine: Engine) -> SearchTask:
    """Return a new search, written down as begun, and what it declares held out."""
    task = optimize_plan.planned(args, settings, engine)
    row = trials.append(engine, optimize_plan.study_entry(task, COMMAND))
    return task._replace(study=row.study)


def searched(args: argparse.Namespace, task: SearchTask, engine: Engine) -> StudyResult:
    """Run the search; each batch is written down before the next begins."""
    older = {series: part.chosen_on for series, part in task.splits.items()}
    windows = [*trial_journal.windows_of(older), *trial_journal.partner_windows(older, task.partners)]
    strategy, code = load_strategy(task.strategy), trial_journal.code_of(task.strategy)
    names, terms = full_names(strategy.rule), terms_of(trial_journal.logic_of(task.strategy))
    figures = [f"{figure} {series.symbol}" for series in task.splits for figure in KEPT]

    def record(batch: StudyBatch) -> None:
        trials.append(
            engine,
            Trials(
                kind=TRIALS,
                command=COMMAND,
                rule=task.strategy,
                code=code,
                windows=windows,
                names=names,
                sets=batch.values,
                figures=figures,
                results=batch.kept,
                terms=terms,
                study=task.study,
                batch=batch.number,
            ),
        )

    with running(args, task) as run_sets, progress(task) as watch:
        try:
            return run_study(strategy.rule, task.terms, run_sets, task.known, record, watch, task.asker)
        except KeyboardInterrupt:
            print(f"the search is kept: optimize.py --resume {task.study} goes on with it", file=sys.stderr)
            raise


@contextmanager
def running(
    args: argparse.Namespace, task: SearchTask
) -> Iterator[HereRunner | ProcessRunner | ClusterRunner]:
    """Yield what runs sets: this process, as many as are wanted, or the workers of a scheduler."""
    bars = {series: part.chosen_on for series, part in task.splits.items()}
    load = Workload(bars, task.partners, task.strategy, task.costs, task.cash)
    if args.workers is None and args.scheduler is None:
        yield HereRunner(load)
        return
    runner: ProcessRunner | ClusterRunner
    if args.scheduler is None:
        runner = ProcessRunner(load, args.workers)
    else:
        runner = ClusterRunner(load, args.scheduler)
    try:
        yield runner
    finally:
        runner.close()
    if runner.lost:
        print(
            f"note: worker processes ended {runner.lost} times: what they had not finished was run again",
            file=sys.stderr,
        )


@contextmanager
def progress(task: SearchTask) -> Iterator[Callable[[int, FloatArray], None]]:
    """Show on stderr, if that is a terminal, how far a search is, the best so far and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    wanted, best = task.terms.wanted, -np.inf
    with Progress(
        *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    ) as bar:
        line = bar.add_task("trials", total=task.asker.total)

        def watch(count: int, scores: FloatArray) -> None:
            nonlocal best
            known = scores[~np.isnan(scores[:, 0]), 0]
            best = max(best, float(known.max())) if known.size else best
            said = f"best {wanted.objectives[0]} {best:.2f}" if np.isfinite(best) else "none ranked yet"
            bar.update(line, completed=count, description=said)

        yield watch


def concluded(
    args: argparse.Namespace, task: SearchTask, found: StudyResult, engine: Engine
) -> SearchOutcome:
    """Run the best on the bars that they were chosen on and, if they may be looked at, on those kept back.

    Then judge the first of them.
    """
    best = found.ranked[: args.best]
    sets = [found.sets[place] for place in best]
    chosen = {series: part.chosen_on for series, part in task.splits.items()}
    later = {series: part.unseen for series, part in task.splits.items() if part.unseen.ts.size}

    def figures(bars: Mapping[Series, Bars], starts: Mapping[Series, int] | None = None) -> pd.DataFrame:
        return sweep(bars, task.strategy, sets, task.costs, task.cash, partners=task.partners, starts=starts)

    seen = figures(chosen) if best else pd.DataFrame()
    looks, unseen = None, seen.iloc[:0]
    if best and later and task.is_open:
        unseen = figures(task.whole, {series: bars.ts.size for series, bars in chosen.items()})
        looks = looked(task, engine, later, sets, unseen)
    windows, logic = trial_journal.windows_of(chosen), trial_journal.logic_of(task.strategy)
    counted = trials.count_trials(engine, task.strategy, windows, logic=logic)
    number = looks.number if looks else 1
    judgement = judged(task, found, counted.different, number, args.shuffles)
    walk = None
    if args.walk_forward:
        terms = WalkTerms(args.walk_forward, args.fit_days, not args.rolling, args.embargo)
        with cli.progress("walk forward", args.walk_forward * len(found.sets) * len(chosen)) as advance:
            walk = walked(task, found, terms, advance, counted.different, number)
    curve = best_curve(task, found)
    return SearchOutcome(found, best, seen, unseen, counted, looks, judgement, walk, curve)


def looked(
    task: SearchTask, engine: Engine, later: Mapping[Series, Bars], sets: ParamSets, unseen: pd.DataFrame
) -> LookCount:
    """Write down, once a search, that these sets were run on bars kept back; count the rule's looks."""
    windows = trial_journal.windows_of(later)
    own = trials.entries(engine, study=task.study, kinds=(LOOK,))
    if not own:
        kept = kept_figures(unseen, len(later)).transpose(1, 0, 2).reshape(len(sets), -1)
        names = [f"{figure} {series.symbol}" for series in later for figure in KEPT]
        seen = [*windows, *trial_journal.partner_windows(later, task.partners)]
        entry = trial_journal.tried(COMMAND, task.strategy, seen, sets, names, kept, LOOK)
        own = [trials.append(engine, entry._replace(study=task.study))]
    declared = trials.shared(task.declared, windows)
    return trial_journal.looks_at(engine, task.strategy, declared or windows, own)


def show_spaces(args: argparse.Namespace) -> int:
    """Print what a search tries of each parameter, of the strategy named or of all."""
    cli.load_settings(None, check_params, args.strategies_file, args.strategies_dir)
    names = [canonical_name(args.strategy)] if args.strategy else list(listed())
    for name in names:
        strategy = load_strategy(name)
        if strategy.backtest is None:
            if args.strategy:
                raise UsageError(f"{name} has an on_bar of its own: it is not searched")
            continue
        rule, rows = strategy.rule, []
        for param, span in spans_of(rule).items():
            low, high = rule.bounds_of(param)
            values = f"{span.low:g}:{span.high:g}:{span.step:g}"
            allowed, default = f"{low:g} … {high:g}", f"{rule.params._field_defaults[param]:g}"
            rows.append([f"  {param}", values, f"{len(values_of(span))}", default, allowed])
        orders = "".join(f", {small} < {large}" for small, large in rule.orders)
        print(f"{name}{orders}{'' if rule.spans else ' (around its defaults: it does not say what to try)'}")
        print_table(["  parameter", "searched", "values", "default", "allowed"], rows)
        print()
    print(f"methods: {', '.join(METHODS)}; --param NAME=FROM:TO:STEP replaces a row or adds one")
    return 0
