"""Writing down which parameter sets a command tried, so that they are counted whoever tried them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from sqlalchemy import Engine

from core.domain import Bars, FloatArray, Series
from core.errors import DatabaseError, NoDatabaseError
from core.optimise.param_sets import full_names, full_values
from core.results.runs import BacktestResult, DataRange, LookedAt, RunSpec, describe_data
from core.utils import format_time
from core.version import code_version
from db import trials
from db.base import open_engine
from db.init_db import get_db_url
from db.trial_rows import TRIALS, TrialRow, Trials, TrialWindow
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
    )


def record_results(command: str, results: Iterable[BacktestResult], db_url: str | None) -> None:
    """Write down single runs of rules; a class with an on_bar of its own has no sets to count."""
    given = [result for result in results if load_strategy(result.spec.strategy).backtest is not None]
    record(db_url, [partial(_single, command, result) for result in given])


def record_specs(command: str, runs: Sequence[RunLook], db_url: str | None) -> None:
    """Write down runs of which no figures of their own are kept, such as those of one account."""
    given = [run for run in runs if load_strategy(run[0].strategy).backtest is not None]

    def entry(spec: RunSpec, data: DataRange, others: Sequence[LookedAt]) -> Trials:
        windows = [window_of(spec.series, data), *(window_of(one.series, one.data) for one in others)]
        return tried(command, spec.strategy, windows, [spec.params], (), np.empty((1, 0)))

    record(db_url, [partial(entry, *run) for run in given])


def _single(command: str, result: BacktestResult) -> Trials:
    spec = result.spec
    figures = np.array([[getattr(result.summary, name) for name in MADE]], dtype=np.float64)
    windows = [window_of(spec.series, result.data)]
    windows += [window_of(one.series, one.data) for one in result.partners]
    return tried(command, spec.strategy, windows, [spec.params], MADE, figures)


def record(db_url: str | None, makers: Sequence[Callable[[], Trials]]) -> None:
    """Write entries down, or say on stderr why they are not counted; say what looks at bars held out."""
    try:
        with closing_engine(db_url) as engine:
            lines = [line for make in makers for line in look_notes(engine, trials.append(engine, make()))]
    except NoDatabaseError:
        # Nothing was ever stored here: there is nothing yet that these could be counted with.
        return
    except DatabaseError as error:
        lines = [f"not counted as a trial: {error}"]
    for line in dict.fromkeys(lines):
        print(f"note: {line}", file=sys.stderr)


@contextmanager
def closing_engine(db_url: str | None) -> Iterator[Engine]:
    """Yield an opened database and close it. Raises DatabaseError."""
    engine = open_engine(db_url or get_db_url())
    try:
        yield engine
    finally:
        engine.dispose()


def look_notes(engine: Engine, row: TrialRow) -> list[str]:
    """Return a line for each declaration of bars to be kept back that a run looked into."""
    lines = []
    for declared in trials.held_out(engine, row.windows):
        count = len(trials.looks(engine, declared.windows, after=declared.seq))
        where = ", ".join(f"{one.symbol} from {format_time(one.start)} UTC on" for one in declared.windows)
        lines.append(f"this looks at bars that were held out, {where}: look {count}")
    return lines
