"""What a search costs: many sets over four years of hours, trials a minute of TPE, writing trials down."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench.backtests import CASH, COMMISSION, four_years
from bench.harness import Case
from bench.sweep import more_sets, ours, two_years_of_4h
from core.domain import Costs, Series
from core.optimise.asking import SearchedFor
from core.optimise.objectives import KEPT
from core.optimise.param_sets import full_names, full_values
from core.optimise.space import searched_space
from core.optimise.study import StudyTerms, run_study
from core.optimise.workers import HereRunner, Workload
from db import trials
from db.init_db import init_db
from db.trial_rows import TRIALS, Trials, TrialWindow
from strategies.trend_ema import RULE

TPE_TRIALS = 1500
TPE_A_MINUTE = 5000
SHARE = 0.1
"""Of a sweep's time that writing its sets down may take."""


def cases(folder: Path) -> list[Case]:
    """Return the searches."""
    hours, months = four_years("BTC/USDT"), two_years_of_4h()
    many = more_sets()
    return [
        Case(
            f"sweep of {len(many):,} x {hours.close.size:,}, all statistics, all cores, 10 s",
            partial(ours, "1h", hours, many),
            None,
            10.0,
            1,
            # After compilation, as it is wanted.
            partial(ours, "1h", hours, many[:2]),
            is_wall=True,
        ),
        Case(
            f"a trial of TPE over {months.close.size:,} bars, {TPE_A_MINUTE:,} a minute",
            learning(),
            None,
            60 / TPE_A_MINUTE,
            1,
            units=(TPE_TRIALS, 1),
            is_wall=True,
        ),
        Case(
            f"writing {len(many):,} trials down, against a sweep of them over {months.close.size:,} bars",
            writing_down(folder),
            partial(ours, "4h", months, many),
            SHARE,
            3,
            is_wall=True,
        ),
    ]


def learning() -> Callable[[], object]:
    """Return a whole search by TPE over two years of 4h."""
    load = Workload(
        {Series("bench", "BTC/USDT", "4h"): two_years_of_4h()}, {}, RULE.name, Costs(COMMISSION), CASH
    )
    wanted = SearchedFor("tpe", ("sharpe",), TPE_TRIALS, 1, searched_space(RULE, {}, {}))
    return partial(run_study, RULE, StudyTerms(wanted, 30, "mean", 1), HereRunner(load))


def writing_down(folder: Path) -> Callable[[], object]:
    """Return what writes an entry of many sets behind the others."""
    engine, numbers = init_db(f"sqlite:///{folder / 'trials.db'}"), itertools.count()
    many = more_sets()
    values = full_values(RULE, many)
    results = np.random.default_rng(1).normal(size=(len(many), len(KEPT)))
    window = TrialWindow("bench", "BTC/USDT", "4h", 0, 1, 2, "")

    def write() -> None:
        entry = Trials(
            kind=TRIALS,
            command="bench",
            rule=RULE.name,
            code="",
            windows=[window],
            names=full_names(RULE),
            sets=values,
            figures=KEPT,
            results=results + next(numbers),
        )
        trials.append(engine, entry)

    return write
