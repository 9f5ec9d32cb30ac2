"""What db_status.py shows: the series that are stored, saved runs, size; and damage, if it is asked for."""

from __future__ import annotations

import argparse
import json
import sys

from sqlalchemy import Engine

from core import cli
from core.reports.table import print_table
from core.utils import format_time
from db.base import database_file, open_engine
from db.init_db import get_db_url
from db.status import (
    SYNTHETIC_NOTE,
    DatabaseStatus,
    database_status,
    find_damage,
    is_synthetic,
    order_accounts,
)
from db.stored_series import StoredSeries

NEXT_STEP = """\
no candles yet; load some:
  python scripts/fetch_ohlcv_to_db.py --exchange binanceus --symbol BTC/USDT --timeframe 4h
  python scripts/import_ohlcv_to_db.py FILE --exchange binance --symbol BTC/USDT --timeframe 4h"""


def run(args: argparse.Namespace) -> int:
    """Look, print; 1 when damage was looked for and found."""
    cli.check_free(args.json, force=args.force)
    engine = open_engine(cli.load_settings({"db.url": args.db_url}).db.url or get_db_url())
    status = database_status(engine)
    if args.json:
        cli.write_output(args.json, json.dumps(as_document(status), indent=2) + "\n")
    if args.json != "-":
        show(status, wide=args.wide)
    damage = [*find_damage(engine), *books_damage(engine)] if args.check else []
    for line in damage:
        print(f"damaged: {line}", file=sys.stderr)
    if args.check and not damage:
        print("checked: no damage found", file=sys.stderr)
    return 1 if damage else 0


def books_damage(engine: Engine) -> list[str]:
    """Return what is wrong with the books of all accounts, a line each."""
    # Here: the books' code takes longer to import than the rest of a status to make.
    from core.order_path.damage import damage_of
    from core.order_path.lock import mark_of, marked_accounts

    if (file := database_file(engine)) is None:
        return []
    known = {account: mark_of(file, account) for account in marked_accounts(file)}
    known = dict.fromkeys(order_accounts(engine)) | known
    found = [damage_of(f"sqlite:///{file}", account, mark) for account, mark in known.items()]
    return list(dict.fromkeys(line for lines in found for line in lines))


def show(status: DatabaseStatus, *, wide: bool = False) -> None:
    """Print the database and one row per series."""
    size = "" if status.size is None else f", {status.size / 1e6:.1f} MB"
    print(f"{status.name} (schema version {status.schema_version}{size})")
    print(
        f"{status.backtest_runs} saved backtest runs"
        + ("; show_runs.py lists them" * bool(status.backtest_runs))
    )
    if not status.series:
        print(NEXT_STEP)
        return
    headings = ("exchange", "symbol", "timeframe", "first (UTC)", "last (UTC)", "bars", "gaps", "missing")
    rows = [cells(found) for found in status.series]
    print()
    spare = ("updated (UTC)", "gaps", "missing")
    print_table((*headings, "updated (UTC)"), rows, left=3, spare=spare, wide=wide)
    if any(is_synthetic(found.series) for found in status.series):
        print(SYNTHETIC_NOTE)


def cells(found: StoredSeries) -> list[str]:
    """Return a row of the table."""
    gaps = ("?", "?") if found.gaps is None else (f"{found.gaps.holes:,}", f"{found.gaps.missing:,}")
    times = [format_time(found.first), format_time(found.last)]
    updated = "?" if found.updated_at is None else format_time(found.updated_at)
    return [
        *found.series,
        *times,
        f"{found.rows:,}",
        *gaps,
        updated,
    ]


def as_document(status: DatabaseStatus) -> dict[str, object]:
    """Return the status for machines; times in ms UTC, size in bytes."""
    series = [
        found.series._asdict()
        | {"rows": found.rows, "first": found.first, "last": found.last}
        | {"gaps": None if found.gaps is None else found.gaps._asdict()}
        | {"updated_at": found.updated_at, "checked_at": found.checked_at, "source": found.source}
        | {"synthetic": is_synthetic(found.series)}
        for found in status.series
    ]
    return status._asdict() | {"series": series}
