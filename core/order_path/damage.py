"""Whether an account's rows are what was stored in them: asked before it is traded, and by db_status.py.

Every entry of the journal covers the ones before it, and together they tell every row. What nobody can tell
from inside is that the last ones are gone: number and hash of the newest entry are kept in the account's lock
file as well (its mark), and in the status of the run.
"""

from __future__ import annotations

from contextlib import closing

from core.errors import DatabaseError
from core.order_path.audit import changed_rows
from core.order_path.lock import Mark
from core.order_path.storage import Storage
from db.journal import read_journal

NEXT = (
    "nothing is traded: restore a backup with scripts/backup_database.py --restore FILE, or begin anew with "
    "another --db-url"
)


def damage_of(db_url: str, account: str, mark: Mark | None = None, newest: int | None = None) -> list[str]:
    """Return what is wrong with an account's rows, a line each with the row's name; none when all are sound.

    `newest`: of a journal of more entries only so many, and no rows, are compared. Somebody else may write
    at the same time, if `mark` was read before. Raises DatabaseError when the file cannot be read at all.
    """
    with closing(read_journal(db_url, account)) as journal, journal.frozen():
        lacks = filter(None, (behind(journal, mark), *_untold(journal)))
        is_short = newest is None or journal.length() <= newest
        rows = changed_rows(journal) if is_short else journal.verify_chain(newest)
        found = (*journal.broken_pages(), *rows, *journal.broken_state(), *lacks)
    # What was damaged can hold anything, line ends too.
    return list(dict.fromkeys("".join(filter(str.isprintable, " ".join(line.split()))) for line in found))


def behind(journal: Storage, mark: Mark | None) -> str:
    """Return how the journal ends before its mark, or not as it did; blank when it is all there."""
    if mark is None or (head := journal.hash_at(mark.entries)) == mark.head:
        return ""
    ends = f"the journal of {journal.account} ends at entry {journal.length():,}"
    if head is None:
        return f"{ends}, but {mark.entries:,} were written: the last ones are gone, or a backup was restored"
    return f"entry {mark.entries:,} of the journal of {journal.account} is not the one that was written here"


def examine(
    db_url: str, account: str, mark: Mark | None, *, accept_restore: bool = False, start: str = "run_live.py"
) -> None:
    """Raise DatabaseError unless an account's rows are sound, and all that were written.

    With `accept_restore` they may be a backup's, which has to lack something. `start`: how a command begins
    that reaches the account.
    """
    if found := damage_of(db_url, account):
        more = f" (and {len(found) - 1} more: scripts/db_status.py --check)" if found[1:] else ""
        raise DatabaseError(f"the database is damaged: {found[0]}{more}; {NEXT}")
    with closing(read_journal(db_url, account)) as journal:
        lacks = behind(journal, mark)
    if lacks and not accept_restore:
        raise DatabaseError(
            f"{lacks}; nothing is traded: restore the newest backup, or begin with {start} "
            "--accept-restore, which compares it with the exchange first"
        )
    if accept_restore and not lacks:
        raise DatabaseError(
            f"the journal of {account} has all entries that were written: leave --accept-restore out"
        )


def _untold(journal: Storage) -> list[str]:
    """Return how the journal ends before what its own runs told of it."""
    try:
        told = journal.told_head()
    except DatabaseError as error:
        return [str(error)]
    lacks = behind(journal, None if told is None else Mark(*told))
    return [lacks] if lacks else []
