"""What run_live.py --replay does: one account over stored candles, and what came of it."""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core import cli
from core.account.money import total
from core.backtest.account import FEW_BARS, run_account
from core.backtest.partners import describe_partners, partner_bars
from core.backtest.plan import (
    PlannedRun,
    check_params,
    enabled_names,
    plan_runs,
    split_names,
)
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, account_summary, plan_of
from core.candles.oddities import odd_bars
from core.cli.trial_journal import RunLook, record_specs
from core.data_source import DataSource
from core.domain import Costs, Series
from core.engine import Step
from core.errors import NoDataError
from core.figures import amount, money
from core.live.terms import RiskTerms
from core.reports.table import number, print_account, print_table, room
from core.results.measures import profit_factor
from core.results.runs import RunSpec, coverage_lines, describe_data
from core.risk.notes import notes
from core.settings import Settings
from core.sql_data_source import SQLDataSource
from core.symbols import pair_of
from core.utils import format_time, timeframe_ms
from db.status import SYNTHETIC_NOTE, is_synthetic
from strategies.pairing import bind
from strategies.registry import load_strategy

LONGEST_WAIT = 1e8
"""Seconds between two steps of a replay, three years."""
MOST_TRIPS = 10
"""Breakers shown, the first ones."""
BOUND_AND_CUT = (
    "bound by: the one thing that set an entry's size (what it may lose, cash, its strategy's share, what "
    "moves with it, or a limit); cut: a limit of the account made that size smaller afterwards"
)


def run(args: argparse.Namespace) -> int:
    """Load, replay, print."""
    cli.check_free(page=args.report, force=args.force)
    settings = cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)
    feeds = stored_feeds(args, settings)
    costs, cash = settings.backtest.costs, settings.backtest.default_cash
    account = ReplayAccount(cash, costs, risk_terms(settings).manager(costs), settings.paper.volume_share)
    exchange = args.exchange or settings.exchange.name
    source = SQLDataSource(settings.db.url, exchange)
    show(feeds, account, exchange, paced(args.speed), report=args.report, source=source)
    record_specs("replay", [_seen_by(feed, exchange, costs, cash) for feed in feeds], settings.db.url)
    return 0


def _seen_by(feed: ReplayFeed, exchange: str, costs: Costs, cash: float) -> RunLook:
    """Return what a member ran, on which candles: it was tried, and looked at."""
    series = Series(exchange, feed.symbol, feed.timeframe)
    return (
        RunSpec(series, feed.name, feed.params, costs, cash),
        describe_data(feed.bars, series),
        feed.looked_at,
    )


def show(
    feeds: Sequence[ReplayFeed],
    account: ReplayAccount,
    exchange: str,
    on_step: Callable[[Step], object] | None = None,
    *,
    report: str | None = None,
    source: DataSource | None = None,
) -> None:
    """Run one account and print what goes in and what comes of it; write its page, if one is named."""
    print_feeds(feeds, exchange)
    for line in limits_of(feeds, account):
        print(line)
    found, slow = run_account(feeds, account, on_step)
    if slow and slow != FEW_BARS and on_step is None:
        print(f"note: replayed step by step, which takes longer: {slow}")
    print()
    print_replay(found, account.cash)
    if report:
        from core.cli.report_command import write_replay

        write_replay(report, found, feeds, account, exchange, source)


def print_feeds(feeds: Sequence[ReplayFeed], exchange: str) -> None:
    """Print each series with what is odd about it, and who trades it."""
    series = {(feed.symbol, feed.timeframe): feed.bars for feed in feeds}
    for (symbol, timeframe), bars in series.items():
        names = ", ".join(feed.name for feed in feeds if (feed.symbol, feed.timeframe) == (symbol, timeframe))
        span = f"{format_time(int(bars.ts[0]))} to {format_time(int(bars.ts[-1]))} UTC"
        print(f"{exchange} {symbol} {timeframe}: {bars.ts.size:,} bars, {span}")
        print(textwrap.fill(f"  traded by {names}", room(), subsequent_indent="    "))
        for note in odd_bars(bars, timeframe_ms(timeframe)):
            print(textwrap.fill(f"  note: {note}", room(), subsequent_indent="    "))
    for feed in feeds:
        for line in coverage_lines(feed.name, feed.symbol, feed.bars.ts.size, feed.looked_at):
            print(textwrap.fill(f"  {line}", room(), subsequent_indent="        "))
    if is_synthetic(Series(exchange, feeds[0].symbol, feeds[0].timeframe)):
        print(SYNTHETIC_NOTE)


def limits_of(feeds: Sequence[ReplayFeed], account: ReplayAccount) -> list[str]:
    """Return what the account's limits mean for the strategies, a line each."""
    risk = account.risk
    sizings = {feed.name: plan_of(feed).sizing for feed in feeds}
    return (
        []
        if risk is None
        else notes(risk.limits, sizings, risk.markets, account.cash, pair_of(feeds[0].symbol).quote)
    )


def overrides(args: argparse.Namespace) -> dict[str, object]:
    """Return the settings that the command line changes."""
    return {"db.url": args.db_url, "backtest.default_cash": args.cash}


def members(args: argparse.Namespace, settings: Settings) -> list[PlannedRun]:
    """Return which strategy trades what: those named, else all enabled, each on its own symbols.

    Entries of each are no larger in a regime than the account allows.
    """
    plans = plan_runs(
        settings,
        strategies=split_names(args.strategy) or enabled_names(settings),
        symbols=split_names(args.symbol),
        timeframe=args.timeframe,
    )
    cli.note_missing_parts(plan.strategy for plan in plans)
    return [plan._replace(params=in_regimes(plan.params, settings.risk.regimes)) for plan in plans]


def in_regimes(params: Mapping[str, float], parts: Mapping[str, float]) -> Mapping[str, float]:
    """Return parameters with the parts that entries keep in each regime, no larger than these."""
    smaller = {name: min(part, params.get(name, 1.0)) for name, part in parts.items()}
    return {**params, **{name: part for name, part in smaller.items() if part < 1}}


def risk_terms(settings: Settings) -> RiskTerms:
    """Return the account's limits."""
    risk = settings.risk
    return RiskTerms(risk.default_risk_per_trade, risk.max_daily_loss_pct, risk.limits)


def stored_feeds(args: argparse.Namespace, settings: Settings) -> list[ReplayFeed]:
    """Return the stored candles of every member. Raises NoDataError when one has none."""
    source = SQLDataSource(settings.db.url, args.exchange or settings.exchange.name)
    start, end = cli.span(args)
    feeds = []
    for member in members(args, settings):
        bars = source.get_bars(member.symbol, member.timeframe, None, start=start, end=end)
        series = Series(source.exchange, member.symbol, member.timeframe)
        partners = partner_bars(source, member.strategy, series, bars, member.universe)
        strategy = bind(load_strategy(member.strategy), partners).runner
        found = describe_partners(bars, series, partners)
        feeds.append(ReplayFeed(member.strategy, strategy, member.params, *series[1:], bars, found))
    if not feeds:
        raise NoDataError("no strategy has a symbol to trade: name one with --symbol, or in strategies.yaml")
    return feeds


def paced(
    speed: float | str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Callable[[Step], object] | None:
    """Return what waits after each step, so that market time passes `speed` times as fast as real time."""
    if isinstance(speed, str):
        return None
    began: list[tuple[int, float]] = []

    def wait(step: Step) -> None:
        began.append((step.time, clock())) if not began else None
        due = began[0][1] + (step.time - began[0][0]) / 1000 / speed
        # A gap of years at a very slow speed is more than the system can wait for at once.
        sleep(min(max(0.0, due - clock()), LONGEST_WAIT))

    return wait


def print_replay(found: Replay, cash: float) -> None:
    """Print a row per strategy, the account, refusals and breakers; first what stopped it from entering."""
    for name, trip in found.session.risk.state.trips.items():
        print(f"{name} was still tripped at the end: nothing was entered after {format_time(trip.time)} UTC")
    for name, why in found.session.risk.state.quarantined.items():
        print(f"{name} failed and was put aside: {why}")
    rows = [_row(name, found) for name in found.session.portfolio.results]
    summary, currency = account_summary(found), found.session.currency
    sums = f"profit {currency}".rstrip(), f"fees {currency}".rstrip()
    print_table(("strategy", "trades", "win %", "profit f.", *sums, "refused"), rows)
    print(
        f"\naccount: {amount(cash, currency)} to {amount(summary.final_equity, currency)}, "
        f"return {number(summary.return_pct)} %, max drawdown {number(summary.max_drawdown_pct)} %, "
        f"{found.bars:,} bars decided on"
    )
    print_account(summary)
    print()
    if found.bounds:
        print(textwrap.fill(BOUND_AND_CUT, room()))
    for name, counts in found.bounds.items():
        print(f"{name}: entries bound by {_counted(counts)}")
    for name, counts in found.cuts.items():
        print(f"{name}: entries cut by the account's {_counted(counts)}")
    for name, counts in found.refusals.items():
        print(f"{name}: refused {_counted(counts)}")
    for name, trip in found.trips[:MOST_TRIPS]:
        print(f"breaker {name} tripped {format_time(trip.time)} UTC: {trip.detail}")
    if (more := len(found.trips) - MOST_TRIPS) > 0:
        print(f"… and {more:,} more")


def _row(name: str, found: Replay) -> Sequence[str]:
    trades = found.trades.get(name, ())
    won = sum(trade.pnl > 0 for trade in trades)
    profit = total(trade.pnl for trade in trades)
    fees = total(trade.fees for trade in trades)
    wins = number(100 * won / len(trades) if trades else None)
    factor = number(profit_factor(np.array([float(trade.pnl) for trade in trades])))
    refused = sum(found.refusals.get(name, {}).values())
    currency = found.session.currency
    sums = (money(profit, currency), money(fees, currency))
    return name, f"{len(trades):,}", wins, factor, *sums, f"{refused:,}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
