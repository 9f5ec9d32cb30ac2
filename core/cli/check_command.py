"""What check_strategy.py does: the proofs that a strategy inherits, run on one file, a line each."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from core import cli
from core.backtest.fast_backtester import simulate_fast
from core.backtest.own import run_own
from core.backtest.partners import looked_at, partner_bars
from core.backtest.plan import PlannedRun, check_params, plan_runs
from core.domain import Bars, Costs, Series
from core.errors import DatabaseError, NoDataError, UsageError
from core.proof.inherited import ROWS, parted, plant, sample_of, uncausal
from core.proof.markets import HOUR, START, companions, random_bars
from core.proof.verify import check_columns, verify
from core.reports.table import room
from core.results.runs import RunSpec
from core.sql_data_source import SQLDataSource
from core.symbols import pair_of
from core.utils import format_time, timeframe_ms
from db.stored_series import stored_ranges
from strategies.pairing import Partners, bind
from strategies.registry import REGISTRY, Strategy, canonical_name, load_strategy
from strategies.rule import first_decision
from strategies.rule_check import check_rule

MARKETS = 3
"""Made-up markets that it trades on three ways …"""
LENGTH = 1000
"""… with so many bars past its warm-up."""
STORED = 2000
"""Newest stored bars that it trades on."""
MORE = ("MADE/UP", "MORE/UP")
"""Made-up symbols that a strategy which ranks is ranked among, besides its own."""
CUTS = 40
"""Bars at which columns are computed again from a cut history."""
LONG = 6000
"""Made-up bars at least, so that a past without bounds is told from a long one."""
MOST_BARS = 60_000
"""Made-up bars at most: a rule that looks back further is told so. Of stored ones as many are cut."""
SHARES = (0.3, 0.6, 0.95)
"""Where they are cut."""
WORDS = {True: "ok", False: "WRONG"}
LEFT_OUT = "left out"
NEVER = "; it never traded there, so nothing was compared"
WHY = {
    "bracket": "its stop and take do not enclose the price, or are not above 0",
    "lot": "the size comes to nothing",
    "cash": "cash cannot pay it",
    "expired": "no bar reached the price it waits for in time",
}
"""What refuses entries, where a rule can do something about it."""


class ProofLine(NamedTuple):
    """What came of one check."""

    name: str
    problems: tuple[str, ...]
    what: str
    """What was looked at, in words."""
    is_left_out: bool = False
    """Nothing was looked at; `what` says why."""

    @property
    def word(self) -> str:
        """Return what came of it in a word or two."""
        return LEFT_OUT if self.is_left_out else WORDS[not self.problems]


def run(args: argparse.Namespace) -> int:
    """Load the file, check it, print; exit code 1 when something is wrong."""
    start = perf_counter()
    name = opened(args)
    settings = cli.load_settings({"db.url": args.db_url}, check_params, args.strategies_file, folder_of(args))
    strategy = load_strategy(name)
    plans = plan_runs(
        settings, strategies=[name], symbols=[args.symbol] if args.symbol else (), timeframe=args.timeframe
    )
    plan = plans[0]
    print(f"{name} ({args.file})")
    if strategy.backtest is None:
        return of_class(strategy, plan)
    source = SQLDataSource(settings.db.url, args.exchange or settings.exchange.name)
    done = []
    for check in checks(strategy, plan, Stored(source, {one.symbol for one in plans})):
        show(check.name, check.word, check.what)
        for problem in check.problems:
            show("", "", problem)
        done.append(check)
    print(f"{_sum(done)} ({perf_counter() - start:.0f} s)")
    return 1 if any(check.problems for check in done) else 0


def _sum(done: Sequence[ProofLine]) -> str:
    """Return what came of all checks, in words."""
    left_out = [check.name for check in done if check.is_left_out]
    if wrong := sum(bool(check.problems) for check in done):
        return f"{wrong} of these are wrong"
    return "nothing is wrong" + (f" in what was checked; left out: {', '.join(left_out)}" if left_out else "")


def show(name: str, word: str, what: str) -> None:
    """Print one check, or one thing that is wrong."""
    head = f"  {name:<11} {word:<8} "
    print(
        textwrap.fill(head + what, room(), subsequent_indent=" " * len(head), break_on_hyphens=False),
        flush=True,
    )


def folder_of(args: argparse.Namespace) -> str | None:
    """Return the folder that the file is in, None for the project's own strategies."""
    folder = Path(args.file).resolve().parent
    return None if folder == cli.ROOT / "strategies" else str(Path(args.file).parent)


def opened(args: argparse.Namespace) -> str:
    """Return the name that the file is asked for by. Raises UsageError when it is not there, or is none."""
    file = Path(args.file)
    if not file.is_file() or file.suffix != ".py":
        raise UsageError(f"{args.file}: wanted a strategy's file, such as user_strategies/my_rule.py")
    names = {module: name for name, module in REGISTRY.items()}
    if folder_of(args) is None:
        return canonical_name(names.get(file.stem, file.stem))
    from strategies.registry import broken_keys, known, use_folder

    use_folder(str(file.parent))
    if problem := broken_keys().get(file.stem):
        # Asked for by its name it could be found all the same: the project's of that name.
        raise UsageError(problem)
    return next(
        (name for name, key in known().items() if key == file.stem and name not in REGISTRY), file.stem
    )


def checks(strategy: Strategy, plan: PlannedRun, candles: Stored) -> Iterator[ProofLine]:
    """Yield one check after the other; the first that finds something ends those of the rule itself."""
    rule = strategy.rule
    if line := cli.missing_parts(rule.name):
        yield ProofLine("translated", (line,), "all of it: its file lists what is not, RULE counts it")
    params = rule.make_params(plan.params)
    found = tuple(map(str, check_rule(strategy, params=params)))
    yield ProofLine(
        "rule", found, "parameters, bounds, the source of decide, columns, decisions, twice alike"
    )
    if found:
        return
    memory = rule.memory(params)
    bars = market(plan, 3, min(max(2 * memory, LONG) + LENGTH, MOST_BARS))
    bound = bind(strategy, made_up_partners(strategy, plan, bars)).rule
    # Of another market: of this one it is to know no later bar yet.
    first = _first_decision(strategy, plan, params, bars.ts.size)
    sample = sample_of(bars, first, CUTS)
    cuts = [max(1, first // 2), *sample[:: CUTS // 4]]
    ahead = tuple(
        f"{rule.name}: column {name} looks ahead: with later bars cut off at bar {cut} it is another one"
        for cut, name in uncausal(bound, params, bars, cuts)
    )[:1]
    yield ProofLine("causal", ahead, f"columns with later bars cut off, {len(cuts)} times, bit for bit")
    late = [i for i in sample if i > memory] or sample[-1:]
    short = () if ahead else tuple(check_columns(bars, bound, params, late))
    if not ahead:
        what = f"columns and decisions of {len(late)} windows of {memory:,} bars"
        yield ProofLine("live window", short, what)
    difference = parted(bound, params, type(bound.columns_of(bars, params)))
    what = f"decide on {ROWS} rows: NaN, endless, 0 and -0 among them"
    yield ProofLine("compiled", () if difference is None else (difference,), what)
    if ahead or short or difference:
        return
    yield three_ways(strategy, plan, first)
    yield stored(strategy, plan, candles)
    planted = list(plant(bound, params, bars))
    missed = tuple(f"not noticed: {one.mistake}" for one in planted if not one.is_noticed)
    what = f"{len(planted) - len(missed)} of {len(planted)} mistakes put into it are noticed"
    yield ProofLine("bites", missed, f"{what}: {', '.join(one.mistake for one in planted)}")


def _first_decision(strategy: Strategy, plan: PlannedRun, params: Any, length: int) -> int:
    """Return the first bar that the strategy decides on, of a market made up for this alone."""
    bars = market(plan, MARKETS + 1, length)
    return first_decision(
        bind(strategy, made_up_partners(strategy, plan, bars)).rule.columns_of(bars, params)
    )


def market(plan: PlannedRun, seed: int, length: int, volatility: float = 0.01) -> Bars:
    """Return bars made up, of the timeframe that the strategy trades."""
    bars, step = random_bars(seed, length, volatility), timeframe_ms(plan.timeframe)
    return bars._replace(ts=START - START % step + (bars.ts - START) // HOUR * step)


def made_up_partners(strategy: Strategy, plan: PlannedRun, bars: Bars) -> Partners | None:
    """Return candles for what else the strategy looks at, made up like these."""
    series = Series("made-up", plan.symbol, plan.timeframe)
    return companions(strategy.rule, series, bars, [*plan.universe, *MORE])


def three_ways(strategy: Strategy, plan: PlannedRun, first: int) -> ProofLine:
    """Compare Backtesting.py, compiled and live on made-up markets, calm and wild ones."""
    problems: list[str] = []
    trades = 0
    for seed in range(MARKETS):
        bars = market(plan, seed, first + LENGTH, (0.003, 0.01, 0.03)[seed])
        series = Series("made-up", plan.symbol, plan.timeframe)
        found = _compared(bind(strategy, made_up_partners(strategy, plan, bars)), plan, series, bars)
        problems += [f"market {seed}: {line}" for line in found.differences]
        trades += len(found.runs[0].trades)
    what = f"{trades:,} trades on {MARKETS} made-up markets: Backtesting.py, compiled and live, every bit"
    why = (
        ""
        if trades
        else NEVER + _why_never(bind(strategy, made_up_partners(strategy, plan, bars)), plan, bars)
    )
    return ProofLine("three ways", tuple(problems), what + why)


def _why_never(strategy: Strategy, plan: PlannedRun, bars: Bars) -> str:
    """Return what is known of why a strategy made no trade on these bars, blank for nothing."""
    spec = RunSpec(Series("", plan.symbol, plan.timeframe), plan.strategy, plan.params, Costs(), 10_000.0)
    refused = simulate_fast(bars, spec, strategy).refusals
    told = [
        f"{count:,} entries were refused, {WHY.get(name, name)}" for name, count in refused.items() if count
    ]
    columns = strategy.rule.columns_of(bars, strategy.rule.make_params(plan.params))
    named = zip(columns._fields, columns, strict=True)
    told += [f"column {name} is endless on every bar" for name, one in named if np.isinf(one[-LENGTH:]).all()]
    return "".join(f"; {line}" for line in told)


def stored(strategy: Strategy, plan: PlannedRun, candles: Stored) -> ProofLine:
    """Compare the three on stored candles, if there are any of what it trades."""
    source = candles.source
    series = Series(source.exchange, plan.symbol, plan.timeframe)
    try:
        among = candles.among(plan)
        end = candles.shared_end(strategy, series, among)
        bars = source.get_bars(plan.symbol, plan.timeframe, STORED, end=end)
        others = partner_bars(source, plan.strategy, series, bars, among)
        bound = bind(strategy, others)
        found = _compared(bound, plan, series, bars)
        ahead = _ahead_on_all(strategy, plan, source, series, among, end)
    except NoDataError as error:
        return ProofLine("stored", (), candles.elsewhere(plan) or cli.as_typed(str(error)), is_left_out=True)
    except DatabaseError as error:
        return ProofLine("stored", (), str(error), is_left_out=True)
    trades = len(found.runs[0].trades)
    what = f"{trades:,} trades on {series}, {bars.ts.size:,} bars to {format_time(bars.ts[-1])} UTC"
    what += "" if trades else NEVER + _why_never(bound, plan, bars)
    return ProofLine("stored", (*found.differences, *ahead[1]), f"{what}; {ahead[0]}")


def _ahead_on_all(
    strategy: Strategy,
    plan: PlannedRun,
    source: SQLDataSource,
    series: Series,
    among: tuple[str, ...],
    end: int | None,
) -> tuple[str, tuple[str, ...]]:
    """Return what was cut, and the first column that looks ahead on all stored bars, up to MOST_BARS."""
    bars = source.get_bars(plan.symbol, plan.timeframe, MOST_BARS, end=end)
    rule = bind(strategy, partner_bars(source, plan.strategy, series, bars, among)).rule
    params = rule.make_params(plan.params)
    cuts = [int(bars.ts.size * part) for part in SHARES]
    wrong = tuple(
        f"{rule.name}: column {name} looks ahead: cut at bar {cut:,} of {bars.ts.size:,} it is another one"
        for cut, name in uncausal(rule, params, bars, cuts)
    )[:1]
    return f"later bars cut off {len(cuts)} times in {bars.ts.size:,}", wrong


class Stored(NamedTuple):
    """The stored candles that a strategy is checked on."""

    source: SQLDataSource
    traded: set[str]
    """The symbols that its settings let it trade."""

    def among(self, plan: PlannedRun) -> tuple[str, ...]:
        """Return the symbols that its own is ranked among: those of its universe that are stored.

        Where it ranks what it trades, those are all that are stored in its currency: of two symbols a rule
        that holds two holds none. Nothing for a rule that ranks none.
        """
        if not plan.universe:
            return ()
        exchange, quote = self.source.exchange, pair_of(plan.symbol).quote
        there = [
            one.series.symbol
            for one in stored_ranges(self.source.engine)
            if (one.series.exchange, one.series.timeframe) == (exchange, plan.timeframe)
            and pair_of(one.series.symbol).quote == quote
        ]
        is_open = set(plan.universe) == self.traded
        among = [symbol for symbol in there if is_open or symbol in plan.universe]
        return tuple(among) if len(among) > 1 else plan.universe

    def shared_end(self, strategy: Strategy, series: Series, among: tuple[str, ...]) -> int | None:
        """Return until when all that it looks at is stored, ms UTC; None where it looks at nothing else."""
        if not strategy.rule.looks_elsewhere:
            return None
        wanted = {series, *looked_at(strategy.rule, series, among).each}
        ends = {
            one.series: one.last + timeframe_ms(one.series.timeframe)
            for one in stored_ranges(self.source.engine)
            if one.series in wanted
        }
        return min(ends.values()) if len(ends) == len(wanted) else None

    def elsewhere(self, plan: PlannedRun) -> str:
        """Return where alone its candles are stored, blank where that is no one place."""
        market = plan.symbol, plan.timeframe
        ranges = [one.series for one in stored_ranges(self.source.engine)]
        exchanges = sorted({one.exchange for one in ranges if one[1:] == market})
        if len(exchanges) != 1 or self.source.exchange in exchanges:
            return ""
        series = Series(self.source.exchange, plan.symbol, plan.timeframe)
        return f"no stored candles of {series}; {exchanges[0]} has them: --exchange {exchanges[0]}"


def _compared(strategy: Strategy, plan: PlannedRun, series: Series, bars: Bars) -> Any:
    spec = RunSpec(series, plan.strategy, plan.params, Costs(), 10_000.0)
    return verify(bars, spec, strategy, sampled=CUTS)


def of_class(strategy: Strategy, plan: PlannedRun) -> int:
    """Run a class with an on_bar of its own once: there is nothing to compare it with."""
    bars = random_bars(1, LENGTH)
    spec = RunSpec(Series("made-up", "BTC/USDT", "1h"), plan.strategy, plan.params, Costs(), 10_000.0)
    again = [run_own(bars, spec, strategy.live) for _ in range(2)]
    show("runs", WORDS[True], f"{len(again[0].records):,} trades on {bars.ts.size:,} made-up bars")
    if not np.array_equal(again[0].equity, again[1].equity):
        show("repeatable", WORDS[False], "the same candles gave other trades: it looks at more than them")
        return 1
    show("repeatable", WORDS[True], "the same candles, the same trades")
    print(
        "It has an on_bar of its own: that it does not look ahead, and trades live alike, cannot be proven."
    )
    return 0
