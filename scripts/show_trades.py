"""Show what an account made: each strategy's result and fees, what is open, and its closed trades."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

if TYPE_CHECKING:
    from db.live_history import ClosedTrade, PaidFee

EXAMPLES = """\
  show_trades.py                                   the account paper
  show_trades.py --account other --limit 100
  show_trades.py --strategy TREND_EMA --symbol BTC/USDT
  show_trades.py --json trades.json
  show_trades.py --db-url sqlite:///data/archive/paper-20261129-023000.db
"""
NEWEST = 20
"""Trades shown unless told."""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, print."""
    args = parse(argv)
    cli.check_free(args.json, force=args.force)
    from core.cli.live_status import existing, newest_run
    from db.live_history import closed_trades, paid_fees

    engine = existing(args)
    run = newest_run(engine, args.account)
    trades = [one for one in closed_trades(engine, args.account) if _is_wanted(one, args)]
    fees = [one for one in paid_fees(engine, args.account) if _is_wanted(one, args)]
    positions = run.status.get("positions", ())
    engine.dispose()
    if args.json:
        cli.write_output(args.json, json.dumps(as_document(args.account, trades, fees), indent=2) + "\n")
    if args.json != "-":
        show(args, trades, fees, positions)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--account", type=cli.account, default="paper", help="its name (default: paper)")
    parser.add_argument("--strategy", type=str.upper, metavar="NAME", help="of one strategy only")
    parser.add_argument("--symbol", type=cli.symbol, help="of one symbol only")
    parser.add_argument(
        "--limit", type=cli.positive, default=NEWEST, metavar="N", help=f"newest trades shown ({NEWEST})"
    )
    parser.add_argument("--json", metavar="PATH", help="write all trades as JSON; - for stdout, alone")
    cli.add_wide(parser)
    parser.add_argument("--force", action="store_true", help="overwrite that file if it exists")
    parser.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")
    parser.set_defaults(cash=None)
    return parser.parse_args(argv)


def show(
    args: argparse.Namespace,
    trades: Sequence[ClosedTrade],
    fees: Sequence[PaidFee],
    positions: Iterable[dict[str, Any]],
) -> None:
    """Print a row per strategy, what is open, and the newest trades."""
    from core.cli.account_tables import print_closed_trades, print_results
    from core.symbols import pair_of

    symbols = [*(one.symbol for one in trades), *(one.symbol for one in fees)]
    quotes = dict.fromkeys(pair_of(symbol).quote for symbol in symbols)
    counted = "".join(f", amounts in {quote}" for quote in quotes)
    print(f"account {args.account}: {len(trades):,} closed trades, {len(fees):,} fills{counted}")
    if fees:
        print()
        print_results(trades, fees)
    for held in positions:
        if _matches(held["strategy"], held["symbol"], args):
            print(f"open: {held['strategy']} {held['side']} {held['amount']} {held['symbol']}")
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


if __name__ == "__main__":
    cli.run(main)
