"""Begin an account anew: move what it did to a database of its own, which stays readable, or delete it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import outputs

if TYPE_CHECKING:
    from db.live import RunState

EXAMPLES = """\
  archive_account.py --account paper
  archive_account.py --account paper --to data/archive/first-try.db
  archive_account.py --account paper --delete-for-good
"""
SHOWN = {"live_runs": "runs", "live_trades": "trades", "live_fills": "fills", "journal": "journal entries"}


def main(argv: list[str] | None = None) -> int:
    """Parse, look, move or delete, say what was done."""
    args = parse(argv)
    from core.cli.live_status import existing, newest_run
    from core.errors import UsageError
    from core.order_path.lock import AccountLock
    from db.archive import copy_account, count_rows, delete_account
    from db.base import database_file

    if args.to is not None:
        outputs.check_room(str(args.to))
    engine = existing(args)
    run, file = newest_run(engine, args.account), database_file(engine)
    engine.dispose()
    if file is None:
        raise UsageError("an account is kept in a file: name a database other than memory")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    target = args.to or file.parent / "archive" / f"{args.account}-{stamp}.db"
    with AccountLock(file, args.account) as lock:
        check_orders(file, run)
        rows = count_rows(file, args.account)
        if not args.delete_for_good:
            copy_account(file, args.account, target)
        delete_account(file, args.account)
        lock.forget()
    counts = ", ".join(f"{rows.get(table, 0):,} {what}" for table, what in SHOWN.items())
    if args.delete_for_good:
        print(f"account {args.account}: {counts} deleted for good")
    else:
        where = f"--account {args.account} --db-url sqlite:///{target.resolve()}"
        print(f"account {args.account}: {counts} moved to {target}")
        print(f"look at it: show_trades.py {where}\n            run_live.py --status {where}")
    for held in run.status.get("positions", ()):
        print(f"it held {held['strategy']} {held['side']} {held['amount']} {held['symbol']}")
    print(f"its next start begins anew; candles, backtests and logs/{args.account}.jsonl stay as they are")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--account", type=cli.account, required=True, help="its name")
    parser.add_argument(
        "--to",
        type=cli.path,
        metavar="PATH",
        help="a new file (default: archive/ACCOUNT-TIME.db by the database)",
    )
    parser.add_argument("--delete-for-good", action="store_true", help="keep nothing of it")
    parser.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")
    parser.set_defaults(cash=None)
    args = parser.parse_args(argv)
    if args.to and args.delete_for_good:
        parser.error("--to keeps the account in a file, --delete-for-good keeps nothing: give one of them")
    return args


def check_orders(file: Path, run: RunState) -> None:
    """Raise RefusedError while orders at an exchange may be open: a new start would not know them."""
    from core.errors import RefusedError
    from db.journal import read_journal

    if run.mode != "live":
        return
    journal = read_journal(f"sqlite:///{file}", run.account)
    try:
        orders = journal.orders(settled=False)
    finally:
        journal.close()
    if orders:
        raise RefusedError(
            f"{len(orders)} orders of account {run.account} may be open at the exchange: let a loop finish "
            "them first, as with run_live.py --once --flatten"
        )


if __name__ == "__main__":
    cli.run(main)
