"""What show_trades.py shows: what an account made, what is open, and its closed trades."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from core import cli
from core.cli.account_tables import print_closed_trades, print_results
from core.cli.live_status import existing, newest_run, status_of_run
from core.figures import exact
from core.live.round_trips import round_trips
from core.live.status import PositionStatus
from core.symbols import pair_of
from db.live_history import ClosedTrade, PaidFee, paid_fees


def run(args: argparse.Namespace) -> int:
    """Load, print."""
    cli.check_free(args.json, page=args.report, force=args.force)
    engine = existing(args)
    newest = newest_run(engine, args)
    trades = [one for one in round_trips(engine, args.account) if _is_wanted(one, args)]
    fees = [one for one in paid_fees(engine, args.account) if _is_wanted(one, args)]
    status = status_of_run(newest)
    if args.report:
        from core.cli.account_report import write_account

        write_account(args.report, args, engine, trades, status)
    engine.dispose()
    if args.json:
        cli.write_output(args.json, json.dumps(as_document(args.account, trades, fees), indent=2) + "\n")
    if "-" not in (args.json, args.report):
        show(args, trades, fees, status.positions if status else ())
    return 0


def show(
    args: argparse.Namespace,
    trades: Sequence[ClosedTrade],
    fees: Sequence[PaidFee],
    positions: Iterable[PositionStatus],
) -> None:
    """Print a row per strategy, what is open, and the newest trades."""
    symbols = [*(one.symbol for one in trades), *(one.symbol for one in fees)]
    quotes = dict.fromkeys(pair_of(symbol).quote for symbol in symbols)
    counted = "".join(f", amounts in {quote}" for quote in quotes)
    print(f"account {args.account}: {len(trades):,} closed trades, {len(fees):,} fills{counted}")
    if fees:
        print()
        print_results(trades, fees)
    for held in positions:
        if _matches(held.strategy, held.symbol, args):
            print(f"open: {held.strategy} {held.side} {exact(held.amount)} {held.symbol}")
    if trades:
        print()
        print_closed_trades(trades[-args.limit :], wide=args.wide)
    if len(trades) > args.limit:
        print(f"… and {len(trades) - args.limit:,} older trades: --limit {len(trades)} shows them")


def as_document(account: str, trades: Iterable[ClosedTrade], fees: Iterable[PaidFee]) -> dict[str, Any]:
    """Return it for machines: times in ms UTC, money as exact text."""
    return {
        "account": account,
        "trades": [_plain(trade._asdict()) for trade in trades],
        "fees": [_plain(fee._asdict()) for fee in fees],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in row.items()}


def _is_wanted(one: ClosedTrade | PaidFee, args: argparse.Namespace) -> bool:
    return _matches(one.strategy, one.symbol, args)


def _matches(strategy: str, symbol: str, args: argparse.Namespace) -> bool:
    return args.strategy in (None, strategy) and args.symbol in (None, symbol)
