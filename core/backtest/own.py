"""A strategy with an on_bar of its own in a backtest: its live class bar by bar, on a paper account.

The account has no limits but cash; fills, costs and statistics are the backtest's. But there is one way to
run such a strategy, so nothing can be compared with it: it is not provable three ways.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.domain import Bars
from core.errors import NoDataError, UsageError
from core.fills import PNL
from core.results.calendar import describe_market
from core.results.runs import BacktestResult, DataRange, RunSpec, describe_data, summary_of
from core.results.statistics import compute, named
from core.results.trades import count_endings, trades_table

if TYPE_CHECKING:
    from strategies.base import BaseStrategy

ENGINE = "on_bar, not provable three ways"
FEWEST = 3
"""Bars to decide on and to fill on."""


def run_own(
    bars: Bars, spec: RunSpec, strategy: type[BaseStrategy], data: DataRange | None = None
) -> BacktestResult:
    """Run a class of one's own; `spec.strategy` is what it is called, `spec.params` its parameters.

    Raises NoDataError for fewer than three bars, and whatever the strategy raises as UsageError.
    """
    if bars.ts.size < FEWEST:
        raise NoDataError(f"{spec.strategy} needs at least {FEWEST} bars to trade, there are {bars.ts.size}")
    symbol, timeframe = spec.series.symbol, spec.series.timeframe
    feed = ReplayFeed(spec.strategy, strategy, spec.params, symbol, timeframe, bars)
    run = replay([feed], ReplayAccount(spec.cash, spec.costs))
    if failure := run.session.risk.state.quarantined.get(spec.strategy):
        raise UsageError(f"{spec.strategy}.on_bar failed: {failure}")
    trades = run.desk.trades(spec.strategy, symbol)
    figures = named(compute(describe_market(bars), trades, run.equity, 0))
    return BacktestResult(
        spec=spec,
        data=data or describe_data(bars, spec.series),
        engine=ENGINE,
        figures=figures,
        summary=summary_of(bars, spec, run.equity, trades[:, PNL], figures),
        make_trades=partial(trades_table, trades, bars),
        equity=run.equity,
        endings=count_endings(trades),
        made_by=(__name__, strategy.__module__),
        refusals=dict(run.refusals.get(spec.strategy, {})),
    )
