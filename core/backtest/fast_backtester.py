"""One strategy on one series through the compiled kernel: the same result as Backtesting.py's, sooner."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from functools import partial

from core.backtest.partners import partnered
from core.domain import Bars, Bound, FloatArray, Refusal
from core.errors import UsageError
from core.fills import BOUND_BY, PNL, REFUSED
from core.kernel.sets import FEW, simulate, soonest_code_of
from core.results.runs import BacktestResult, DataRange, RunSpec, describe_data, summary_of
from core.results.statistics import compute, named, prepared
from core.results.trades import count_endings, trades_table
from strategies.pairing import Partners, bind
from strategies.registry import UNPROVABLE, Strategy, load_strategy
from strategies.rule import check_enough_bars, warm_up
from strategies.rule_check import checked_columns


def run_fast(
    bars: Bars,
    spec: RunSpec,
    data: DataRange | None = None,
    partners: Partners | None = None,
    *,
    in_all: int = FEW + 1,
) -> BacktestResult:
    """Run one strategy compiled; otherwise as core.backtester.run_backtest.

    `in_all`: the bars of all runs that are to be made now. Where they are few, and what is to run them was
    not compiled before, plain Python runs them: the same result, and no wait for the compiler.
    """
    strategy = load_strategy(spec.strategy)
    if strategy.backtest is None:
        raise UsageError(f"{spec.strategy} {UNPROVABLE}: leave --engine fast out")
    result = simulate_fast(bars, spec, bind(strategy, partners), data, in_all=in_all)
    return partnered(result, bars, partners)


def simulate_fast(
    bars: Bars, spec: RunSpec, strategy: Strategy, data: DataRange | None = None, *, in_all: int = FEW + 1
) -> BacktestResult:
    """Run a strategy that is at hand; otherwise as `run_fast`. Raises NoDataError, UsageError."""
    rule = strategy.rule
    params = rule.make_params(spec.params)
    columns = checked_columns(rule, bars, params)
    first = warm_up(columns)
    check_enough_bars(bars, rule, params, first)
    choices = rule.make_choices(spec.params)
    code_of = soonest_code_of(in_all)
    run = simulate(bars, rule, params, spec.cash, spec.costs, columns, choices, code_of)
    market, scratch = prepared(bars)
    figures = named(compute(market, run.trades, run.curve, first, scratch, is_soon=in_all <= FEW))
    return BacktestResult(
        spec=replace(spec, params=rule.complete(spec.params)),
        data=data or describe_data(bars, spec.series),
        engine=f"fast ({run.by})",
        figures=figures,
        summary=summary_of(bars, spec, run.curve, run.trades[:, PNL], figures),
        make_trades=partial(trades_table, run.trades, bars),
        equity=run.curve,
        endings=count_endings(run.trades),
        refusals=_counted(run.book, REFUSED, Refusal),
        bounds=_counted(run.book, BOUND_BY, Bound),
        made_by=(__name__, *strategy.modules),
    )


def _counted(book: FloatArray, first: int, kinds: type[IntEnum]) -> dict[str, int]:
    counts = {kind.name.lower(): int(book[0, first + kind]) for kind in kinds}
    return {name: count for name, count in counts.items() if count}
