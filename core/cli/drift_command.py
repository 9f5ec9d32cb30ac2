"""What show_drift.py shows: how far an account's orders ended from the model's fill, by cause."""

from __future__ import annotations

import argparse
import json
import math
import sys
import textwrap
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine

from core import cli
from core.cli.live_status import existing, newest_run
from core.domain import Bars, Costs, Series
from core.errors import NoDataError
from core.figures import NONE, how_many, money
from core.reports.table import print_table, room
from core.results.drift import (
    CAUSES,
    Drift,
    DriftOrder,
    DriftPart,
    PaidCosts,
    added,
    against_decision,
    drift_of,
    measured,
)
from core.symbols import pair_of
from core.utils import TIMEFRAMES, format_time, timeframe_ms
from db import live
from db.candles import read_bars
from db.drift_rows import DriftFill, IntentRows, ordered
from db.stored_series import stored_ranges

_AT_ONCE = ("stop", "take", "flatten")
SOURCE = "exchange"
"""Under this name the state of an account says whose candles it trades on."""
HEADINGS = ("strategy", "symbol", "orders", "executed", "bps", *(f"{cause} bps" for cause in CAUSES))


class Compared(NamedTuple):
    """An account's orders beside the model's."""

    known: list[tuple[DriftOrder, Drift]]
    unknown: int
    """Orders whose bar is not stored."""
    coarse: int
    """Executed orders of which no candle tells the price then."""


def run(args: argparse.Namespace) -> int:
    """Load, compare, print."""
    cli.check_free(args.json, force=args.force)
    settings = cli.load_settings({"db.url": args.db_url})
    costs = settings.backtest.costs
    terms = Costs(
        costs.commission if args.commission is None else args.commission,
        costs.spread if args.spread is None else args.spread,
    )
    engine = existing(args)
    newest_run(engine, args)
    found = compared(engine, args.account, terms, _is_wanted(args))
    engine.dispose()
    if not (found.known or found.unknown):
        raise NoDataError(f"account {args.account} has no such order that is over: let it trade first")
    told = measured([one for one, _ in found.known])
    if args.json:
        document = as_document(args.account, found, told)
        cli.write_output(args.json, json.dumps(document, indent=2) + "\n")
    if args.json != "-":
        show(args, found, told)
    return 0


def costs_of_account(args: argparse.Namespace, model: Costs) -> Costs:
    """Return what trading cost the account that `--costs` names, and say it on stderr.

    Raises NoDataError where too little was executed to tell.
    """
    named = argparse.Namespace(account=args.costs, db_url=args.db_url)
    engine = existing(named)
    newest_run(engine, named)
    found = compared(engine, args.costs, model, lambda _: True)
    engine.dispose()
    told = measured([one for one, _ in found.known])
    if told is None:
        raise NoDataError(
            f"account {args.costs} has no executed entry and exit with stored candles: what it paid is not "
            "known; let it trade first, or give --commission and --spread"
        )
    print(
        f"note: costs as account {args.costs} paid them: commission {told.commission:.6f}, "
        f"spread {told.spread:.6f}",
        file=sys.stderr,
    )
    return Costs(told.commission, told.spread)


def compared(engine: Engine, account: str, terms: Costs, is_wanted: Callable[[IntentRows], bool]) -> Compared:
    """Return an account's orders at the open, each with its drift."""
    label = live.read_state(engine, account).get(SOURCE, "")
    rows = [row for row in ordered(engine, account) if is_wanted(row)]
    candles = _Candles(engine, label)
    orders = [_order(row, candles) for row in rows]
    both = [(one, drift_of(one, terms)) for one in orders]
    known = [(one, drift) for one, drift in both if drift is not None]
    at_the_open = [one for one, _ in known if one.purpose not in _AT_ONCE]
    coarse = sum(any(math.isnan(part.price_then) for part in one.parts) for one in at_the_open)
    return Compared(known, len(both) - len(known), coarse)


def as_document(account: str, found: Compared, told: PaidCosts | None) -> dict[str, Any]:
    """Return it for machines: money in quote units, times in ms UTC."""
    orders = [
        {
            "strategy": one.strategy,
            "symbol": one.symbol,
            "purpose": one.purpose,
            "side": "buy" if one.side > 0 else "sell",
            "bar": one.bar,
            "amount": one.amount,
            "executed": math.fsum(part.amount for part in one.parts),
            **drift._asdict(),
            "total": drift.total,
            "decided_price": one.decided,
            "against_decision_bps": against_decision(one),
        }
        for one, drift in found.known
    ]
    return {
        "account": account,
        "orders": orders,
        "without_candles": found.unknown,
        "without_finer_candles": found.coarse,
        "measured": None if told is None else told._asdict(),
    }


def show(args: argparse.Namespace, found: Compared, told: PaidCosts | None) -> None:
    """Print a row for each strategy and symbol, the newest orders, and what a backtest should count."""
    many = how_many(len(found.known), "order")
    print(f"account {args.account}: {many} beside the model's fill; above 0 cost money\n")
    groups: defaultdict[tuple[str, str], list[Drift]] = defaultdict(list)
    for one, drift in found.known:
        groups[one.strategy, one.symbol].append(drift)
    if groups:
        rows = [_cells(*names, drifts) for names, drifts in sorted(groups.items())]
        if len(rows) > 1:
            rows.append(_cells("all", "", [drift for _, drift in found.known]))
        print_table(HEADINGS, rows, left=2, spare=("executed",), wide=args.wide)
        _show_orders(args, found.known[-args.limit :])
    for line in _notes(found, told, args):
        print(textwrap.fill(line, room()))


def _show_orders(args: argparse.Namespace, orders: Sequence[tuple[DriftOrder, Drift]]) -> None:
    print()
    rows = [
        [
            format_time(one.bar),
            one.strategy,
            one.symbol,
            f"{one.purpose} {'buy' if one.side > 0 else 'sell'}",
            f"{drift.bps(drift.total):+.2f}",
            *(f"{drift.bps(getattr(drift, cause)):+.2f}" for cause in CAUSES),
            money(drift.total, pair_of(one.symbol).quote, sign=True),
            NONE if (decided := against_decision(one)) is None else f"{decided:+.2f}",
        ]
        for one, drift in orders
    ]
    names = ("bar (UTC)", "strategy", "symbol", "order", *HEADINGS[4:], "in all", "vs decision bps")
    print_table(names, rows, left=4, spare=("vs decision bps", "bar (UTC)"), wide=args.wide)


def _notes(found: Compared, told: PaidCosts | None, args: argparse.Namespace) -> Iterable[str]:
    yield ""
    if found.unknown:
        yield (
            f"{how_many(found.unknown, 'order')} could not be compared: the candles of their bars are not "
            "stored; run with --use-sql --refresh-from-ccxt, or load them with fetch_ohlcv_to_db.py"
        )
    if found.coarse:
        yield (
            f"{how_many(found.coarse, 'order')}: no finer candles say what the price was when they were "
            "executed, so slippage holds what came late too; 1m candles tell them apart"
        )
    if told is None:
        yield "no executed entry and exit yet: what a backtest should count is not known"
    else:
        yield (
            f"a backtest that counts what this account paid: run_backtest.py --commission "
            f"{told.commission:.6f} --spread {told.spread:.6f}, or --costs measured:{args.account}"
        )


def _cells(strategy: str, symbol: str, drifts: Sequence[Drift]) -> list[str]:
    whole = added(drifts)
    executed = 100 * whole.executed_notional / whole.notional if whole.notional else 0.0
    causes = (f"{whole.bps(getattr(whole, cause)):+.2f}" for cause in CAUSES)
    return [
        strategy, symbol, f"{len(drifts):,}", f"{executed:.1f} %", f"{whole.bps(whole.total):+.2f}", *causes
    ]  # fmt: skip


def _is_wanted(args: argparse.Namespace) -> Callable[[IntentRows], bool]:
    strategy, symbol = args.strategy, args.symbol
    return lambda row: strategy in (None, row.strategy) and symbol in (None, row.symbol)


class _Candles:
    """Stored candles of one exchange, each series read once."""

    def __init__(self, engine: Engine, exchange: str) -> None:
        self._engine, self._exchange = engine, exchange
        self._read: dict[tuple[str, str], Bars] = {}
        self._stored = {
            (one.series.symbol, one.series.timeframe)
            for one in stored_ranges(engine)
            if one.series.exchange == exchange
        }

    def bars(self, symbol: str, timeframe: str) -> Bars:
        """Return all stored bars of a series."""
        if (symbol, timeframe) not in self._read:
            series = Series(self._exchange, symbol, timeframe)
            self._read[symbol, timeframe] = read_bars(self._engine, series)
        return self._read[symbol, timeframe]

    def finer(self, symbol: str, timeframe: str) -> str | None:
        """Return the finest stored timeframe below another, None without one."""
        step = timeframe_ms(timeframe)
        names = [name for name in TIMEFRAMES if timeframe_ms(name) < step and (symbol, name) in self._stored]
        return min(names, key=timeframe_ms, default=None)


def _order(row: IntentRows, candles: _Candles) -> DriftOrder:
    side = 1 if row.side == "buy" else -1
    amount = math.fsum(float(fill.amount) for fill in row.fills) if row.rested else float(row.amount)
    named = row.strategy, row.symbol, row.purpose, side, row.bar, amount
    if row.purpose in _AT_ONCE:
        # Ordered at the price that reached it, or that a person saw: what comes after is slippage.
        then = float(row.price)
        parts = tuple(_part_of(fill, row, math.nan) for fill in row.fills)
        return DriftOrder(*named, parts, then, then, then)
    opened = row.bar + timeframe_ms(row.timeframe)
    bars = candles.bars(row.symbol, row.timeframe)
    place = _at(bars, opened, exact=True)
    prices = (math.nan, math.nan) if place is None else (float(bars.open[place]), float(bars.close[place]))
    parts = tuple(_part_of(fill, row, _then(fill, row, candles, opened)) for fill in row.fills)
    return DriftOrder(*named, parts, *prices, float(row.price))


def _part_of(fill: DriftFill, row: IntentRows, then: float) -> DriftPart:
    price = float(fill.price)
    # A fee in the coin that was bought is paid at the price of the fill; of a third coin nobody tells.
    base, quote = row.symbol.split("/")
    rate = {quote: 1.0, base: price}.get(fill.fee_asset, 0.0)
    return DriftPart(price, float(fill.amount), float(fill.fee) * rate, then)


def _then(fill: DriftFill, row: IntentRows, candles: _Candles, opened: int) -> float:
    """Return the price when a fill was made: of the finest candle that it is in; at the open that one's."""
    bars = candles.bars(row.symbol, row.timeframe)
    if fill.time == opened and (place := _at(bars, opened, exact=True)) is not None:
        return float(bars.open[place])
    finer = candles.finer(row.symbol, row.timeframe)
    if finer is None:
        return math.nan
    fine = candles.bars(row.symbol, finer)
    place = _at(fine, fill.time)
    if place is None or fill.time >= int(fine.ts[place]) + timeframe_ms(finer):
        return math.nan
    return float(fine.open[place])


def _at(bars: Bars, time: int, *, exact: bool = False) -> int | None:
    """Return the place of the bar that a time is in, or opens (`exact`); None without one."""
    place = bisect_right(bars.ts, time) - 1
    if place < 0 or (exact and int(bars.ts[place]) != time):
        return None
    return place
