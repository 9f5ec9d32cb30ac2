"""What show_trials.py prints: what was tried, by strategy and series, and whether the record is whole."""

from __future__ import annotations

import argparse
import csv
import io
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import orjson
from sqlalchemy import Engine

from core import cli
from core.cli import trial_journal
from core.errors import UsageError, unknown_name
from core.figures import how_many, how_often
from core.optimise.objectives import KEPT
from core.reports.table import number, print_table, room
from core.utils import format_time
from db import trials
from db.base import open_engine
from db.init_db import get_db_url
from db.trial_rows import HELD_OUT, LOOK, STUDY, TRIALS, TrialRow, TrialWindow
from strategies.registry import canonical_name


def run(args: argparse.Namespace) -> int:
    """Check the whole record, then show what was asked for; exit code 1 when something is wrong with it."""
    cli.check_free(args.csv, force=args.force)
    settings = cli.load_settings({"db.url": args.db_url})
    engine = open_engine(settings.db.url or get_db_url())
    try:
        if damage := trials.damage(engine):
            for line in damage:
                print(line, file=sys.stderr)
            print("checked: DAMAGED; a backup is put back by scripts/backup_database.py --restore FILE")
            return 1
        if args.search is None:
            show_all(args, engine)
        else:
            show_search(args, engine)
        if args.csv != "-":
            print(f"checked: unbroken, {len(trials.entries(engine)):,} entries")
    finally:
        engine.dispose()
    return 0


def show_all(args: argparse.Namespace, engine: Engine) -> None:
    """Print what was tried of each strategy on each series, the searches, and what is held out."""
    rule = None if args.strategy is None else rule_named(args.strategy, engine)
    rows = trials.entries(engine, rule=rule)
    tried = [row for row in rows if row.kind == TRIALS]
    if not tried:
        print(
            "no trials are recorded yet: optimize.py, run_sweep.py, run_backtest.py and show_ensemble.py do"
        )
    else:
        print_table(
            ["strategy", "exchange", "symbol", "tf", "from", "to", "sets", "runs", "by"],
            list(_tried(engine, tried)),
            left=6,
            spare=("exchange",),
            wraps=("by",),
            wide=args.wide,
        )
        print()
    _print_searches([row for row in rows if row.kind == STUDY], tried, wide=args.wide)
    _print_held_out(engine, rule, wide=args.wide)


def rule_named(typed: str, engine: Engine) -> str:
    """Return a strategy's own name. Raises UsageError for one that is not there and has no trials."""
    name = typed.upper()
    # What was tried with a file of one's own stays when the file is gone.
    if any(row.rule == name for row in trials.entries(engine, rule=name)):
        return name
    return canonical_name(typed)


def _tried(engine: Engine, rows: Iterable[TrialRow]) -> Iterator[list[str]]:
    """Yield a row for each strategy and series; a set counts once, however often it was run."""
    spans: dict[tuple[str, str, str, str], list[TrialWindow]] = defaultdict(list)
    for row in rows:
        for window in row.windows:
            spans[(row.rule, *window.series)].append(window)
    for (rule, *series), windows in sorted(spans.items()):
        counted = trials.count_trials(engine, rule, windows, timeframe=series[2])
        first, last = min(one.start for one in windows), max(one.end for one in windows)
        by = ", ".join(f"{name} {runs:,}" for name, runs in counted.by_command.items())
        times = format_time(first), format_time(last)
        yield [rule, *series, *times, f"{counted.different:,}", f"{counted.runs:,}", by]


def _print_searches(studies: Sequence[TrialRow], tried: Sequence[TrialRow], *, wide: bool) -> None:
    if not studies:
        return
    done: dict[str, int] = defaultdict(int)
    for row in tried:
        done[row.study] += row.trials
    rows = []
    for row in studies:
        told = orjson.loads(row.terms_json)
        symbols = ", ".join(f"{window.symbol} {window.timeframe}" for window in row.windows)
        asked = "all" if told["method"] == "grid" else f"{told['trials']:,}"
        objectives = ", ".join(told["objectives"])
        rows.append(
            [
                row.study,
                format_time(row.ts),
                symbols,
                told["method"],
                objectives,
                asked,
                f"{done[row.study]:,}",
            ]
        )
    headings = ["search", "begun", "on", "method", "objective", "asked", "tried"]
    print_table(headings, rows, left=5, wraps=("on", "objective"), wide=wide)
    print()


def _print_held_out(engine: Engine, rule: str | None, *, wide: bool) -> None:
    """Print what is held out, whichever strategy declared it, and how often each has looked at it.

    A line for each symbol, with the number that the next command on it will say one more than.
    """
    declared = trials.entries(engine, kinds=(HELD_OUT,))
    tried = trials.entries(engine, rule=rule, kinds=(LOOK, TRIALS))
    names = sorted({one.rule for one in tried})
    for row, window in [(one, window) for one in declared for window in one.windows]:
        seen = trials.shared(declared, [window])
        counts = {
            name: len(trials.looks(engine, seen, rule=name, logic=trial_journal.logic_of(name)))
            for name in names
        }
        by = ", ".join(f"{how_often(count)} with {name}" for name, count in counts.items() if count)
        line = (
            f"held out: {window.symbol} from {format_time(window.start)} UTC on, declared "
            f"{format_time(row.ts)} UTC: {f'looked at {by}' if by else 'never looked at'}"
        )
        print(line if wide else textwrap.fill(line, room(), subsequent_indent="  "))
    if declared:
        print()


def show_search(args: argparse.Namespace, engine: Engine) -> None:
    """Print one search and its best sets, or write all of its sets."""
    found = trials.study_of(engine, args.search)
    if found is None:
        known = [row.study for row in trials.entries(engine, kinds=(STUDY,))]
        raise UsageError(f"--search: {unknown_name('search', args.search, known)}")
    study, batches = found
    if args.csv is not None:
        cli.write_output(args.csv, sets_csv(batches))
    if args.csv == "-":
        return
    told = orjson.loads(study.terms_json)
    searched = {name: values for name, values in told["space"].items() if len(values) > 1}
    print(f"{study.study}, begun {format_time(study.ts)} UTC by {study.command}, code {study.code}")
    for window in study.windows:
        print(
            f"  {window.series}: {window.bars:,} bars, {format_time(window.start)} to "
            f"{format_time(window.end)} UTC"
        )
    print(f"  {told['method']}, {' and '.join(told['objectives'])}, seed {told['seed']}")
    for name, values in searched.items():
        print(f"  {name}: {len(values)} values, {values[0]:g} to {values[-1]:g}")
    looks = sum(row.kind == LOOK for row in trials.entries(engine, study=study.study))
    print(
        f"  {how_many(sum(row.trials for row in batches), 'set')} in "
        f"{how_many(len(batches), 'batch', 'batches')}, {how_many(looks, 'look')} at unseen bars"
    )
    _print_best(batches, list(searched), told["objectives"][0], wide=args.wide)
    print()


def _print_best(batches: Sequence[TrialRow], searched: list[str], objective: str, *, wide: bool) -> None:
    """Print the ten best sets by the first objective, on the first series."""
    place, rows = KEPT.index(objective), []
    for row in batches:
        names = row.names[0]
        for values, figures in zip(row.values().tolist(), row.figures().tolist(), strict=True):
            rows.append((figures[place], [values[names.index(name)] for name in searched], figures))
    best = sorted((row for row in rows if row[0] == row[0]), key=lambda row: -row[0])[:10]
    if best:
        shown = [
            [*(f"{value:g}" for value in values), *map(number, figures[: len(KEPT)])]
            for _, values, figures in best
        ]
        print_table([*searched, *KEPT], shown, left=0, spare=("sortino", "calmar", "sqn"), wide=wide)


def sets_csv(batches: Sequence[TrialRow]) -> str:
    """Return all sets of a search as CSV, in the order in which they were tried, every digit kept."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in batches:
        if row is batches[0]:
            writer.writerow([*row.names[0], *row.names[1]])
        writer.writerows(
            [*values, *figures]
            for values, figures in zip(row.values().tolist(), row.figures().tolist(), strict=True)
        )
    return text.getvalue()
