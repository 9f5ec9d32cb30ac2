"""Writing down which parameter sets a command tried, so that they are counted whoever tried them."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine

from core.domain import Bars, FloatArray, Series
from core.errors import DatabaseError, NoDatabaseError, UsageError
from core.optimise.param_sets import full_names, full_values
from core.results.runs import BacktestResult, DataRange, LookedAt, RunSpec, describe_data
from core.utils import format_time
from core.version import code_version
from db import trials
from db.base import open_engine
from db.init_db import get_db_url
from db.trial_rows import TRIALS, TrialRow, Trials, TrialWindow, terms_of
from strategies.pairing import Partners, as_of
from strategies.registry import load_strategy

RunLook = tuple[RunSpec, DataRange, Sequence[LookedAt]]
"""What a run is, the candles it saw, and those of other series that it looked at."""
MADE = ("return_pct", "max_drawdown_pct", "sharpe_ratio", "profit_factor", "trades_count")
"""The figures of a single run that are written down."""
OPEN_END = 253_402_214_400_000
"""What is held out has no end until then: 9999-12-31."""


def window_of(series: Series, data: DataRange) -> TrialWindow:
    """Return which bars a run saw."""
    return TrialWindow(*series, data.start, data.end, data.bars, data.sha256)


def windows_of(markets: Mapping[Series, Bars]) -> list[TrialWindow]:
    """Return which bars of each series there are."""
    return [window_of(series, describe_data(bars, series)) for series, bars in markets.items()]


def partner_windows(markets: Mapping[Series, Bars], partners: Mapping[Series, Partners]) -> list[TrialWindow]:
    """Return which bars of other series the runs on these looked at, each once."""
    found: dict[TrialWindow, None] = {}
    for series, others in partners.items():
        bars = markets.get(series)
        for other in others.each if bars is not None and bars.ts.size else ():
            seen = as_of(markets[series].ts, others.step, other).bars
            its = series._replace(symbol=other.symbol, timeframe=other.timeframe)
            if seen.ts.size and its not in markets:
                found[window_of(its, describe_data(seen, its))] = None
    return list(found)


def code_of(strategy: str) -> str:
    """Return the hash of a strategy's own code, with what it is computed by."""
    return code_version(load_strategy(strategy).modules)


def logic_of(strategy: str) -> str:
    """Return the hash of what a rule computes and decides, whatever it is called; blank where it is gone.

    Of its file as Python reads it, so that comments, line breaks and its name count for nothing.
    """
    try:
        found = load_strategy(strategy)
        module = inspect.getmodule(found.rule.columns)
        tree = ast.parse(inspect.getsource(module) if module and found.backtest else "")
    except (UsageError, OSError, SyntaxError):
        return ""
    if not tree.body:
        return ""
    rule = found.rule
    return sha256(ast.dump(_Nameless(rule.name).visit(tree)).encode()).hexdigest()


class _Nameless(ast.NodeTransformer):
    """Takes docstrings and a name out of a file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop what says something to readers alone."""
        return None if isinstance(node.value, ast.Constant) else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Forget the rule's own name."""
        return ast.Constant("") if node.value == self._name else node


def tried(
    command: str,
    strategy: str,
    windows: Sequence[TrialWindow],
    sets: Sequence[Mapping[str, float]],
    figures: Sequence[str],
    results: FloatArray,
    kind: str = TRIALS,
) -> Trials:
    """Return the entry of sets that were tried; `results` has a row for each."""
    rule = load_strategy(strategy).rule
    return Trials(
        kind=kind,
        command=command,
        rule=strategy,
        code=code_of(strategy),
        windows=windows,
        names=full_names(rule),
        sets=full_values(rule, sets),
        figures=figures,
        results=results,
        terms=terms_of(logic_of(strategy)),
    )


def as_one(entries: Sequence[Trials]) -> list[Trials]:
    """Return entries of one command and rule as one look: a name for all, which the same again has too."""
    parts = [
        repr((one.kind, one.rule, one.code, list(one.windows))).encode() + one.sets.tobytes()
        for one in entries
    ]
    name = f"{entries[0].command} {sha256(b''.join(parts)).hexdigest()[:16]}"
    return [one._replace(study=name) for one in entries]


def record_results(command: str, results: Iterable[BacktestResult], db_url: str | None) -> None:
    """Write down single runs of rules; a class with an on_bar of its own has no sets to count."""
    record(db_url, runs_tried(command, results))


def runs_tried(command: str, results: Iterable[BacktestResult]) -> list[Trials]:
    """Return the entries of single runs of rules."""
    return [
        _single(command, result)
        for result in results
        if load_strategy(result.spec.strategy).backtest is not None
    ]


def record_specs(command: str, runs: Sequence[RunLook], db_url: str | None) -> None:
    """Write down runs of which no figures of their own are kept, such as those of one account.

    One set of one rule is one trial, on however many symbols: a symbol that is ranked, or looked at, from
    another is not tried once more.
    """
    record(db_url, specs_tried(command, runs))


def specs_tried(command: str, runs: Sequence[RunLook]) -> list[Trials]:
    """Return an entry for each set of a rule, with all candles that the runs of it saw."""
    together: dict[tuple[object, ...], list[RunLook]] = {}
    for run in runs:
        spec = run[0]
        if load_strategy(spec.strategy).backtest is not None:
            key = spec.strategy, spec.series.timeframe, *sorted(spec.params.items())
            together.setdefault(key, []).append(run)
    return [
        tried(command, alike[0][0].strategy, _seen(alike), [alike[0][0].params], (), np.empty((1, 0)))
        for alike in together.values()
    ]


def _seen(runs: Sequence[RunLook]) -> list[TrialWindow]:
    """Return the candles of each series once: all that were traded, and others that were looked at."""
    own = {spec.series: window_of(spec.series, data) for spec, data, _ in runs}
    others = {one.series: window_of(one.series, one.data) for _, _, looked in runs for one in looked}
    return list({**others, **own}.values())


def _single(command: str, result: BacktestResult) -> Trials:
    spec = result.spec
    figures = np.array([[getattr(result.summary, name) for name in MADE]], dtype=np.float64)
    windows = [window_of(spec.series, result.data)]
    windows += [window_of(one.series, one.data) for one in result.partners]
    return tried(command, spec.strategy, windows, [spec.params], MADE, figures)


def record(db_url: str | None, entries: Sequence[Trials]) -> None:
    """Write entries down, or say on stderr why they are not counted; say what looks at bars held out."""
    for line in written(db_url, entries):
        print(f"note: {line}", file=sys.stderr)


def written(db_url: str | None, entries: Sequence[Trials]) -> list[str]:
    """Write a command's entries down; return why they are not counted, or which bars held out they saw."""
    try:
        with closing_engine(db_url) as engine:
            return look_notes(engine, [trials.append(engine, entry) for entry in entries])
    except NoDatabaseError:
        # Nothing was ever stored here: there is nothing yet that these could be counted with.
        return []
    except DatabaseError as error:
        return [f"not counted as a trial: {error}"]


@contextmanager
def closing_engine(db_url: str | None) -> Iterator[Engine]:
    """Yield an opened database and close it. Raises DatabaseError."""
    engine = open_engine(db_url or get_db_url())
    try:
        yield engine
    finally:
        engine.dispose()


def look_notes(engine: Engine, rows: Sequence[TrialRow]) -> list[str]:
    """Return a line that says which bars held out a command looked at, none where it did not."""
    ran = [window for row in rows for window in row.windows]
    declared = trials.held_out(engine, ran)
    where = dict.fromkeys(
        f"{one.symbol} from {format_time(one.start)} UTC on" for one in trials.shared(declared, ran)
    )
    looks = [
        said
        for rule in dict.fromkeys(row.rule for row in rows)
        if (said := _looks_of(engine, declared, [row for row in rows if row.rule == rule]))
    ]
    return [f"this looks at bars that were held out, {', '.join(where)}: {', '.join(looks)}"] if where else []


def _looks_of(engine: Engine, declared: Sequence[TrialRow], rows: Sequence[TrialRow]) -> str:
    """Return how often a rule has looked at what these entries of it saw, blank if they saw nothing of it."""
    ran = [window for row in rows for window in row.windows]
    if not (seen := trials.shared(declared, ran)):
        return ""
    count = looks_at(engine, rows[0].rule, seen, rows)
    return f"look {count.number} with {rows[0].rule}{' (the same again)' if count.is_again else ''}"


class LookCount(NamedTuple):
    """Looks of a rule at some bars."""

    number: int
    """All of them, this one included."""
    before: dict[str, int]
    """How many each command made, this one left out."""
    is_again: bool
    """This one showed nothing that was not seen before, so it is no look more."""


def looks_at(
    engine: Engine,
    rule: str,
    windows: Sequence[TrialWindow],
    own: Sequence[TrialRow],
) -> LookCount:
    """Count a rule's looks at bars that these windows share; `own` are this command's entries, written.

    Of bars that were held out the windows are those declared (`db.trials.shared`): every command counts the
    same looks then, and those of before the declaration, which were looks all the same.
    """
    mine = {row.study or f"{row.seq}" for row in own}

    def others(looks: Sequence[TrialRow]) -> list[TrialRow]:
        return [row for row in looks if (row.study or f"{row.seq}") not in mine]

    logic = logic_of(rule)
    each = [trials.looks(engine, [one], rule=rule, logic=logic) for one in windows]
    # Where two series were looked at as often, the one that this showed something new of.
    most = max(each, key=lambda looks: (len(looks), len(looks) - len(others(looks))))
    counts = dict(sorted(Counter(row.command for row in others(most)).items()))
    return LookCount(len(most), counts, all(len(looks) == len(others(looks)) for looks in each))
