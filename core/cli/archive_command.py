"""What archive_account.py does: an account's rows go to a database of their own, or for good."""

from __future__ import annotations

import argparse
import time
from contextlib import closing, suppress
from pathlib import Path

from core.account.orders import RESTING_STOPS
from core.cli import outputs
from core.cli.live_status import existing, newest_run, status_of_run
from core.errors import DatabaseError, RefusedError, UsageError
from core.figures import exact, how_many
from core.live.modes import ON_PAPER, orders_of
from core.live.standing import command, database_of
from core.order_path.damage import behind
from core.order_path.lock import AccountLock, mark_of
from db.archive import copy_account, count_rows, delete_account
from db.base import database_file
from db.journal import read_journal
from db.live import RunState

SHOWN = {"live_runs": "runs", "live_trades": "trades", "live_fills": "fills", "journal": "journal entries"}


def run(args: argparse.Namespace) -> int:
    """Look, move or delete, say what was done."""
    if args.to is not None:
        outputs.check_room(str(args.to))
    engine = existing(args)
    newest, file = newest_run(engine, args), database_file(engine)
    engine.dispose()
    if file is None:
        raise UsageError("an account is kept in a file: name a database other than memory")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    target = args.to or file.parent / "archive" / f"{args.account}-{stamp}.db"
    with AccountLock(file, args.account) as lock:
        check_orders(file, newest, args.db_url)
        rows = count_rows(file, args.account)
        if not args.delete_for_good:
            copy_account(file, args.account, target)
        delete_account(file, args.account)
        lock.forget()
    counts = ", ".join(f"{rows.get(table, 0):,} {what}" for table, what in SHOWN.items())
    if args.delete_for_good:
        print(f"account {args.account}: {counts} deleted for good")
    else:
        moved = f"sqlite:///{target.resolve()}"
        where = f"--account {args.account} {database_of(moved)}"
        print(f"account {args.account}: {counts} moved to {target}")
        status_command = command(args.account, "--status", db_url=moved)
        print(f"look at it: show_trades.py {where}\n            {status_command}")
    # A status that cannot be shown keeps nobody from beginning anew.
    with suppress(DatabaseError):
        status = status_of_run(newest)
        for held in status.positions if status else ():
            print(f"it held {held.strategy} {held.side} {exact(held.amount)} {held.symbol}")
    print(f"its next start begins anew; candles, backtests and logs/{args.account}.jsonl stay as they are")
    return 0


def check_orders(file: Path, run: RunState, db_url: str | None = None) -> None:
    """Raise RefusedError while orders at an exchange may be open: a new start would not know them."""
    if orders_of(run.mode) == ON_PAPER:
        return
    with closing(read_journal(f"sqlite:///{file}", run.account)) as journal:
        orders = journal.orders(settled=False)
        lacks = behind(journal, mark_of(file, run.account))

    def looking(*options: str) -> str:
        return command(run.account, *options, db_url=db_url, once=True, orders=orders_of(run.mode))

    if lacks:
        look = looking("--accept-restore")
        raise RefusedError(
            f"{lacks}; what rests at the exchange of account {run.account} is not known: let a loop "
            f"look first, as with {look}"
        )
    if not orders:
        return
    what, how = (
        "may be open at the exchange",
        f"{looking('--flatten')} closes everything and cancels what rests",
    )
    if all(one.kind in RESTING_STOPS for one in orders):
        what = (
            "rests at the exchange, a stop" if len(orders) == 1 else "rest at the exchange, all of them stops"
        )
        how += f"; to keep the coins, {looking()} with live.resting_stops: false cancels the stops"
    raise RefusedError(
        f"{how_many(len(orders), 'order')} of account {run.account} {what}; once it is archived nobody knows "
        f"whose that is: {how}"
    )
