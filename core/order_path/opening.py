"""Everything that has to be right before an account is traded, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import DatabaseError
from core.order_path.alerts import OnAlert, nobody
from core.order_path.client_ids import checked_name
from core.order_path.damage import examine
from core.order_path.lock import AccountLock
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.order_path.venue import Venue
from core.utils import Clock
from db.journal import open_journal


@contextmanager
def trading(
    db_url: str,
    account: str,
    instance: str,
    venue: Venue,
    clock: Clock,
    *,
    notify: OnAlert = nobody,
    policy: Policy | None = None,
    accept_restore: bool = False,
    start: str = "run_live.py",
) -> Iterator[OrderPath]:
    """Hold an account's lock and journal as long as the block runs; reconcile before anything else.

    `instance` names a new account's orders, `clock` (ms UTC) dates the lock and nothing else. With
    `accept_restore` the database is a backup that was restored, and may lack what was done since;
    `start`: how a command begins that reaches the account.

    Raises DatabaseError when another process trades the account, when the database cannot be used or is
    damaged, or when it forgot what was done on the account before.
    """
    journal = open_journal(db_url, checked_name("account", account))
    try:
        with AccountLock(_file(journal.file), account) as lock:
            claim = journal.claimed()
            lock.check(None if claim is None else claim.instance)
            examine(db_url, account, lock.mark, accept_restore=accept_restore, start=start)
            known = checked_name("instance", instance if claim is None else claim.instance)
            # The journal first: a mark without a journal behind it would shut the account's owner out.
            journal.claim(known, clock())
            lock.sign(known, clock())
            journal.anchor = lock.anchor
            lock.anchor(*journal.head())
            yield OrderPath(journal, venue, known, notify=notify, policy=policy)
    finally:
        journal.close()


def _file(found: Path | None) -> Path:
    if found is None:  # pragma: no cover -- open_journal refuses memory
        raise DatabaseError("orders of an account are kept in a file")
    return found
