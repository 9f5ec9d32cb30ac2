"""What optimize.py is to search on which bars: planned from what was typed, or read back from the journal."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Engine

from core import cli
from core.backtest.partners import partner_bars
from core.backtest.plan import PlannedRun, plan_runs, split_names
from core.cli import trial_journal
from core.cli.backtest_command import costs
from core.cli.candles import source_of
from core.cli.sweep_command import load
from core.domain import Bars, Costs, Series
from core.errors import UsageError, unknown_name
from core.optimise.asking import Asker, SearchedFor, asker_of
from core.optimise.held_out import Split, split, split_at
from core.optimise.objectives import parse_objectives
from core.optimise.space import parse_space, searched_space
from core.optimise.study import StudyBatch, StudyTerms
from core.settings import Settings
from core.utils import parse_time
from core.version import same_code
from db import trials
from db.trial_rows import HELD_OUT, STUDY, TrialRow, Trials, TrialWindow
from strategies.pairing import Partners
from strategies.registry import UNPROVABLE, load_strategy
from strategies.rule import StrategyRule


class SearchTask(NamedTuple):
    """A search and what it runs on."""

    strategy: str
    terms: StudyTerms
    costs: Costs
    cash: float
    splits: Mapping[Series, Split]
    partners: Mapping[Series, Partners]
    declared: Sequence[TrialRow]
    """Declarations that the unseen bars are held out."""
    is_open: bool
    """The unseen bars are looked at."""
    can_resume: bool
    """The candles are stored, so that the search can be taken up again."""
    asker: Asker
    study: str = ""
    known: Sequence[StudyBatch] = ()

    @property
    def whole(self) -> dict[Series, Bars]:
        """All bars of each series."""
        return {series: part.whole for series, part in self.splits.items()}


def planned(args: argparse.Namespace, settings: Settings, engine: Engine) -> SearchTask:
    """Return the search that was asked for. Raises UsageError, NoDataError."""
    plans, wanted, asker = asked(args, settings)
    strategy = plans[0].strategy
    markets, partners = load(args, settings, plans)
    declared = held_back(args, engine, strategy, markets)
    parts = cut(markets, declared, args.unseen / 100)
    if args.open and not declared:
        raise UsageError(
            "--open: no bars of these are held out (--held-out TIME declares some): leave it out"
        )
    terms = StudyTerms(wanted, args.min_trades, args.over, len(markets))
    return SearchTask(
        strategy=strategy,
        terms=terms,
        costs=costs(args, settings),
        cash=settings.backtest.default_cash,
        splits=parts,
        partners=partners,
        declared=declared,
        is_open=args.open or not declared,
        can_resume=args.use_sql,
        asker=asker,
    )


def asked(args: argparse.Namespace, settings: Settings) -> tuple[list[PlannedRun], SearchedFor, Asker]:
    """Return which runs are meant, what is searched, and what proposes it: no candle is needed to know."""
    chosen, objectives = parse_space(args.param), parse_objectives(args.objective)
    plans = plan_runs(
        settings, strategies=[args.strategy], symbols=split_names(args.symbol), timeframe=args.timeframe
    )
    cli.note_missing_parts([plans[0].strategy])
    rule = rule_to_search(plans[0].strategy)
    space = searched_space(rule, chosen, plans[0].params)
    wanted = SearchedFor(args.method, objectives, args.trials, args.seed, space)
    return plans, wanted, asker_of(rule, wanted)


def rule_to_search(strategy: str) -> StrategyRule:
    """Return a strategy's rule. Raises UsageError for a class with an on_bar of its own."""
    found = load_strategy(strategy)
    if found.backtest is None:
        raise UsageError(f"{strategy} {UNPROVABLE}, and not searched")
    return found.rule


def held_back(
    args: argparse.Namespace, engine: Engine, strategy: str, markets: Mapping[Series, Bars]
) -> list[TrialRow]:
    """Return the declarations that bars of these are held out; make one if it was asked for."""
    windows = trial_journal.windows_of(markets)
    if args.held_out is not None:
        start = parse_time(args.held_out)
        # Checked before it is written down: what is declared stays declared.
        split_at(markets, start)
        held = [one._replace(start=start, end=trial_journal.OPEN_END, bars=0, sha256="") for one in windows]
        trials.append(engine, Trials(HELD_OUT, "optimize", strategy, "", held))
    return trials.held_out(engine, windows)


def cut(markets: Mapping[Series, Bars], declared: Sequence[TrialRow], share: float) -> dict[Series, Split]:
    """Cut the bars where the first of those held out begins, else by the share of the newest."""
    starts = [window.start for row in declared for window in row.windows if any(map(window.is_of, markets))]
    return split_at(markets, min(starts)) if starts else split(markets, share)


def study_entry(task: SearchTask, command: str) -> Trials:
    """Return what is written down when a search begins: all that it takes to go on with it."""
    wanted, terms = task.terms.wanted, task.terms
    told: dict[str, Any] = {
        **wanted._asdict(),
        "fewest_trades": terms.fewest_trades,
        "over": terms.over,
        "costs": list(task.costs),
        "cash": task.cash,
        "cuts": [int(part.unseen.ts[0]) if part.unseen.ts.size else None for part in task.splits.values()],
        "is_open": task.is_open,
        "can_resume": task.can_resume,
        "partners": [list(one) for one in trial_journal.partner_windows(task.whole, task.partners)],
        "universe": universe_of(task.partners),
    }
    return Trials(
        kind=STUDY,
        command=command,
        rule=task.strategy,
        code=trial_journal.code_of(task.strategy),
        windows=trial_journal.windows_of(task.whole),
        terms=orjson.dumps(told).decode(),
    )


def resumed(args: argparse.Namespace, settings: Settings, engine: Engine) -> SearchTask:
    """Return a search as it was begun, with the batches that were run. Raises UsageError if it cannot."""
    stored = trials.study_of(engine, args.resume)
    if stored is None:
        known = [row.study for row in trials.entries(engine, kinds=(STUDY,))]
        hint = (
            unknown_name("search", args.resume, known) if known else f"there is no search {args.resume!r} yet"
        )
        raise UsageError(f"--resume: {hint}; show_trials.py lists them")
    row, batches = stored
    told = orjson.loads(row.terms_json)
    if not told["can_resume"]:
        raise UsageError(f"--resume: {row.study} ran on candles that were not stored (without --use-sql)")
    if not same_code(row.code, trial_journal.code_of(row.rule)):
        raise UsageError(
            f"--resume: the code of {row.rule} has changed since {row.study} began: begin a new search"
        )
    markets, partners = load_again(args, settings, row, told)
    wanted = SearchedFor(
        told["method"], tuple(told["objectives"]), told["trials"], told["seed"], told["space"]
    )
    declared = trials.held_out(engine, row.windows)
    if args.open and not declared:
        raise UsageError("--open: no bars of this search are held out: leave it out")
    return SearchTask(
        strategy=row.rule,
        terms=StudyTerms(wanted, told["fewest_trades"], told["over"], len(markets)),
        costs=Costs(*told["costs"]),
        cash=told["cash"],
        splits={
            series: Split(bars, bars.since(bars.ts.size))
            if at is None
            else split_at({series: bars}, at)[series]
            for (series, bars), at in zip(markets.items(), told["cuts"], strict=True)
        },
        partners=partners,
        declared=declared,
        is_open=args.open or (told["is_open"] and not declared),
        can_resume=True,
        asker=asker_of(rule_to_search(row.rule), wanted),
        study=row.study,
        known=[StudyBatch(one.batch, one.values(), one.figures()) for one in batches],
    )


def load_again(
    args: argparse.Namespace, settings: Settings, row: TrialRow, told: Mapping[str, Any]
) -> tuple[dict[Series, Bars], dict[Series, Partners]]:
    """Return the candles that a search began on. Raises UsageError when they are others now."""
    markets: dict[Series, Bars] = {}
    partners: dict[Series, Partners] = {}
    args.use_sql = True
    for window in row.windows:
        args.exchange = window.exchange
        source = source_of(args, settings)
        bars = source.get_bars(window.symbol, window.timeframe, None, start=window.start, end=window.end + 1)
        markets[window.series] = bars
        found = partner_bars(source, row.rule, window.series, bars, told.get("universe", ()))
        if found is not None:
            partners[window.series] = found
    now = [*trial_journal.windows_of(markets), *trial_journal.partner_windows(markets, partners)]
    then = [*row.windows, *(TrialWindow(*one) for one in told["partners"])]
    if now != then:
        changed = next((one for one in then if one not in now), then[0]).series
        raise UsageError(
            f"--resume: the candles of {changed} have changed since {row.study} began: begin a new search"
        )
    return markets, partners


def universe_of(partners: Mapping[Series, Partners]) -> list[str]:
    """Return the symbols that a search's are ranked among, theirs too; none where nothing is ranked."""
    ranked = {one.symbol for found in partners.values() for one in found.universe}
    return sorted(ranked | {series.symbol for series in partners}) if ranked else []
