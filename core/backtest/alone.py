"""One strategy on one series, on an account of its own: a backtest with protections.

Backtesting.py and the compiled run know no account. What looks at closed trades and pauses entries is the
account's (core.risk.pauses), so a backtest that is to have it is one: the replay of one feed, or its
compiled form, with no limits but cash and the protections. With none that binds it makes the trades of the
other engines.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from core.backtest.account import run_account
from core.backtest.partners import partnered
from core.backtest.replay import ReplayAccount, ReplayFeed
from core.domain import Bars
from core.errors import NoDataError, UsageError
from core.fills import PNL
from core.results.calendar import describe_market
from core.results.runs import BacktestResult, DataRange, RunSpec, describe_data, summary_of
from core.results.statistics import compute, named
from core.results.trades import count_endings, trades_table
from core.risk_manager import protected
from strategies.pairing import Partners, bind
from strategies.registry import Strategy, load_strategy
from strategies.rule import check_enough_bars, warm_up
from strategies.rule_check import checked_columns

ENGINE = "account of one"
FEWEST = 3
"""Bars to decide on and to fill on."""


def run_alone(
    bars: Bars, spec: RunSpec, data: DataRange | None = None, partners: Partners | None = None
) -> BacktestResult:
    """Run one strategy with the spec's protections; otherwise as core.backtester.run_backtest."""
    loaded = load_strategy(spec.strategy)
    result = simulate_alone(bars, spec, bind(loaded, partners), data)
    return partnered(result, bars, partners)


def simulate_alone(
    bars: Bars, spec: RunSpec, strategy: Strategy, data: DataRange | None = None
) -> BacktestResult:
    """Run a strategy that is at hand. Raises NoDataError, UsageError."""
    first = _warm(bars, spec, strategy)
    series = spec.series
    feed = ReplayFeed(spec.strategy, strategy.runner, spec.params, series.symbol, series.timeframe, bars)
    account = ReplayAccount(spec.cash, spec.costs, protected(spec.protections, spec.costs))
    run = run_account([feed], account).replay
    if failure := run.session.risk.state.quarantined.get(spec.strategy):
        raise UsageError(f"{spec.strategy}.on_bar failed: {failure}")
    trades = run.desk.trades(spec.strategy, series.symbol)
    figures = named(compute(describe_market(bars), trades, run.equity, first))
    return BacktestResult(
        spec=replace(spec, params=strategy.rule.complete(spec.params)),
        data=data or describe_data(bars, series),
        engine=ENGINE,
        figures=figures,
        summary=summary_of(bars, spec, run.equity, trades[:, PNL], figures),
        make_trades=partial(trades_table, trades, bars),
        equity=run.equity,
        endings=count_endings(trades),
        refusals=dict(run.refusals.get(spec.strategy, {})),
        bounds=dict(run.bounds.get(spec.strategy, {})),
        made_by=(__name__, *strategy.modules),
    )


def _warm(bars: Bars, spec: RunSpec, strategy: Strategy) -> int:
    """Return the first bar on which all columns have a value. Raises NoDataError for too few bars."""
    if strategy.backtest is None:
        if bars.ts.size < FEWEST:
            have = bars.ts.size
            raise NoDataError(f"{spec.strategy} needs at least {FEWEST} bars to trade, there are {have}")
        return 0
    params = strategy.rule.make_params(spec.params)
    first = warm_up(checked_columns(strategy.rule, bars, params))
    check_enough_bars(bars, strategy.rule, params, first)
    return first
