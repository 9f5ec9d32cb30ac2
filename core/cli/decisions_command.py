"""What show_decisions.py shows: what strategies wanted of an account, what became of it, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core import cli
from core.cli.live_status import existing, newest_run
from core.figures import exact
from core.reports.table import print_table
from core.utils import format_time
from db import page_rows

HEADINGS = ("bar (UTC)", "strategy", "symbol", "tf", "wanted", "outcome", "amount", "price", "why")


def run(args: argparse.Namespace) -> int:
    """Load, print."""
    cli.check_free(args.json, force=args.force)
    engine = existing(args)
    newest_run(engine, args)
    wanted = {"refused": args.refused, "strategy": args.strategy, "symbol": args.symbol}
    rows = page_rows.decisions(engine, args.account, before=2**62, most=args.limit, **wanted)
    engine.dispose()
    if args.json:
        document = {"account": args.account, "decisions": rows}
        cli.write_output(args.json, json.dumps(document, indent=2) + "\n")
    if args.json != "-":
        show(args, rows)
    return 0


def show(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """Print a row for each, the newest last, as they were made."""
    if not rows:
        print(f"account {args.account}: no such decision is stored")
        return
    print(f"account {args.account}: the newest {len(rows):,} decisions\n")
    cells = [_cells(row) for row in reversed(rows)]
    print_table(HEADINGS, cells, left=6, spare=("price", "tf"), wraps=("why",), wide=args.wide)


def _cells(row: Mapping[str, Any]) -> list[str]:
    detail = row["detail"]
    names = (row["strategy"], row["symbol"], row["timeframe"], row["action"], row["outcome"])
    amounts = (_plain(detail.get("amount")), _plain(detail.get("price")))
    return [format_time(row["bar_ts"]), *names, *amounts, _why(row["outcome"], detail)]


def _plain(stored: str | None) -> str:
    """Return an amount without an exponent, which older rows have; blank for none."""
    return "" if stored is None else exact(Decimal(stored))


def _why(outcome: str, detail: Mapping[str, Any]) -> str:
    """Return the rule's reason, and why it was refused, or what its size was bound by or cut by."""
    bound = detail.get("bound")
    wanted = detail.get("wanted")
    # What a limit cut says what it was cut from; else its size came out so.
    size = f"cut by {bound}, from {_plain(wanted)}" if wanted else f"bound by {bound}"
    more = size if outcome == "approved" and bound else detail.get("why")
    return "; ".join(str(text) for text in (detail.get("reason"), more) if text)
