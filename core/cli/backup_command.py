"""What backup_database.py does: a copy of the database that was looked through, or such a copy put back."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from core import cli
from core.cli import outputs
from core.cli.database_command import books_damage
from core.errors import DatabaseError, UsageError
from core.live.standing import command
from core.order_path.damage import behind
from core.order_path.lock import AccountLock, mark_of, marked_accounts
from db.backup import back_up, put_back
from db.base import file_of, open_engine
from db.init_db import get_db_url
from db.journal import read_journal
from db.sqlite import ROOT
from db.status import find_damage


def run(args: argparse.Namespace) -> int:
    """Copy, or put back."""
    file = database_of(args)
    if file is None:
        raise UsageError("only an SQLite file is copied so: a server has its own way (pg_dump)")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    if args.restore is not None:
        return restore(
            ROOT / args.restore, file, file.with_name(f"{file.name}.replaced-{stamp}"), args.db_url
        )
    return copy(file, args.to or file.parent / "backups" / f"{file.stem}-{stamp}.db")


def database_of(args: argparse.Namespace) -> Path | None:
    """Return the file of the database, which may be damaged or gone; None for memory or a server."""
    return file_of(cli.load_settings({"db.url": args.db_url}).db.url or get_db_url())


def copy(file: Path, target: Path) -> int:
    """Copy the database, look through the copy, and say what it holds; 1 when it is damaged."""
    outputs.check_room(str(target))
    open_engine(f"sqlite:///{file}").dispose()
    back_up(file, target)
    damage = damage_of(target)
    for line in damage:
        print(f"damaged: {line}", file=sys.stderr)
    print(f"{file} was copied to {target} ({target.stat().st_size / 1e6:.1f} MB)")
    if not damage:
        print(f"checked: no damage found; put it back with backup_database.py --restore {target}")
    return 1 if damage else 0


def restore(backup: Path, file: Path, aside: Path, db_url: str | None) -> int:
    """Put a copy in the database's place if it is sound and no loop runs; keep what was there."""
    if not os.path.exists(backup):  # noqa: PTH110 - of a name that is too long Path.exists raises
        raise DatabaseError(f"there is no backup {backup}: name a file that backup_database.py made")
    if damage := damage_of(backup):
        raise DatabaseError(f"{backup} is damaged itself: {damage[0]}; restore another one")
    with ExitStack() as locks:
        for account in marked_accounts(file):
            locks.enter_context(AccountLock(file, account))
        put_back(backup, file, aside)
    print(f"{backup} is in the place of {file}" + (f", which is now {aside}" * aside.exists()))
    for line in lacking(file, db_url):
        print(line)
    return 0


def damage_of(file: Path) -> list[str]:
    """Return what is wrong with a database and its books. Raises DatabaseError when it is none."""
    engine = open_engine(f"sqlite:///{file}?mode=ro")
    try:
        return [*find_damage(engine), *books_damage(engine)]
    finally:
        engine.dispose()


def lacking(file: Path, db_url: str | None) -> list[str]:
    """Return which accounts have done more than the database knows, and how each begins again."""
    lines = []
    for account in marked_accounts(file):
        journal = read_journal(f"sqlite:///{file}", account)
        if lacks := behind(journal, mark_of(file, account)):
            lines.append(f"{lacks}: begin with {command(account, '--accept-restore', db_url=db_url)}")
        journal.close()
    return lines
