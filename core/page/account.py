"""What the page is told about an account: plain values, read from the database and the loop's status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from sqlalchemy import Engine

from core.account.money import NOTHING, minus, plus
from core.errors import DatabaseError, NoDatabaseError, UsageError
from core.live.health import health_of_run
from core.live.modes import mode_text
from core.live.records import ONE_LOOK
from core.live.status import AccountStatus, from_document, to_document
from core.order_path import lock
from core.order_path.lock import holder
from core.utils import now_ms, timeframe_ms
from db import live, page_rows
from db.base import database_file, schema_version
from db.command_names import COMMANDS, check_command
from db.faults import database_name
from db.live_history import Brackets, bracket_of, entry_brackets

POINTS = 2_000
"""Of the equity curve."""
ROWS = 50
"""Of a list that can be leafed through …"""
ENTRIES = 20
"""… and of the journal, whose rows are longer."""
LAST = 2**62
"""Above any row's number."""
SILENT = 3_000
"""Milliseconds without a word after which the loop's process is looked for."""
GONE = (0, 0)
"""The number of a file that is not there."""
HIDDEN = ("reload",)
"""Commands that read files again: these are given where the files are."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An account in a database."""

    engine: Engine
    account: str
    file: tuple[int, int] | None = field(init=False)
    """Device and number of the database's file, None for a server."""

    def __post_init__(self) -> None:
        """Remember which file it is."""
        object.__setattr__(self, "file", _file_of(self.engine))


class Look(NamedTuple):
    """How an account stands, as the page keeps it up to date."""

    beat: tuple[int, int] | None
    """Run and time of its last word: another one means that something may have changed."""
    document: dict[str, Any]


def present(books: Watched) -> None:
    """Raise DatabaseError when the database's file was taken away, or another one put in its place.

    What is open goes on with the old rows, and would show them for ever.
    """
    found, file = _file_of(books.engine), database_file(books.engine)
    if found == GONE:
        what = f"the database {file} is gone: put it back, or start the page again on another one"
        raise NoDatabaseError(what, str(file))
    if found != books.file:
        what = f"the database {file} was replaced by another one since this page began"
        raise DatabaseError(f"{what}: start the page again")


def _file_of(engine: Engine) -> tuple[int, int] | None:
    file = database_file(engine)
    if file is None:
        return None
    try:
        about = file.stat()
    except OSError:
        return GONE
    return about.st_dev, about.st_ino


def look(books: Watched, before: Look | None = None) -> Look:
    """Return how the account stands now; the look before, where nothing was said since."""
    present(books)
    said = page_rows.told(books.engine, books.account)
    beat = said and (said.run_id, said.beat_at)
    rows = page_rows.newest(books.engine)._asdict()
    is_known = before is not None and before.beat == beat and before.document["rows"] == rows
    if before is not None and is_known and not _died_since(books, before):
        return before
    run = live.newest_run(books.engine, books.account)
    if run is None:
        return Look(None, {"account": books.account, "run": None, "status": None, "rows": rows})
    fields = ("id", "mode", "pid", "started_at", "ended_at", "ending", "beat_at")
    told = {name: getattr(run, name) for name in fields} | {"mode": mode_text(run.mode)}
    told["gone"] = run.ended_at is None and _is_gone(books, run.pid, run.beat_at)
    status = status_of(run)
    document = {
        "account": books.account,
        "run": told,
        "status": None if status is None else _short(to_document(status)),
        "rows": rows,
    }
    return Look(beat, document)


def _died_since(books: Watched, before: Look) -> bool:
    """Tell whether the loop of a look was killed after it: then it said nothing, and nothing else changed."""
    run = before.document["run"]
    if run is None or run["gone"] or run["ended_at"] is not None:
        return False
    return _is_gone(books, run["pid"], run["beat_at"])


def _is_gone(books: Watched, pid: int, beat_at: int) -> bool:
    """Tell whether a run's process has ended without a word; one that has just spoken is not looked for."""
    file = database_file(books.engine)
    is_silent = now_ms() - beat_at > SILENT
    return is_silent and file is not None and lock.is_gone(file, books.account, pid)


def _short(value: Any) -> Any:
    """Return a document with its floats in ten digits: all that is shown, and half as much to send."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list) else value


def status_of(run: live.RunState) -> AccountStatus | None:
    """Return what a run said last, None before it said anything. Raises DatabaseError for what is none."""
    if not run.status:
        return None
    try:
        return from_document(run.status)
    except ValueError as error:
        raise DatabaseError(f"the status of run {run.id} cannot be shown: {error}") from error


def equity(books: Watched) -> dict[str, Any]:
    """Return the equity curve, thinned."""
    points = page_rows.equity_points(books.engine, books.account, POINTS)
    known = [(ts, value) for ts, value in points if isfinite(value)]
    return {"times": [ts for ts, _ in known], "equity": [value for _, value in known]}


def decisions(books: Watched, before: int | None, *, refused: bool) -> dict[str, Any]:
    """Return decisions and refusals with their reasons, the newest first."""
    given: dict[str, Any] = {"before": _before(before), "most": ROWS, "refused": refused}
    return {"rows": page_rows.decisions(books.engine, books.account, **given), "most": ROWS}


def trades(books: Watched, before: int | None, most: int = ROWS) -> dict[str, Any]:
    """Return closed trades, one for each fill that closed some, the newest first."""
    found = page_rows.closed_parts(books.engine, books.account, before=_before(before), most=most)
    brackets = _brackets(books, [row["entry_ts"] for row in found])

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        stop, take = bracket_of(brackets, row["strategy"], row["symbol"], row["entry_ts"])
        return {**row, "pnl": f"{_pnl(row):f}", "stop": stop, "take": take}

    return {"rows": list(map(shown, found))}


def _brackets(books: Watched, entries: Sequence[int]) -> Brackets:
    """Return stops and takes of what was entered at these times."""
    run = page_rows.told(books.engine, books.account)
    if not entries or run is None:
        return {}
    members = page_rows.begun_with(books.engine, run.run_id).get("members", ())
    step = max((timeframe_ms(member["timeframe"]) for member in members), default=timeframe_ms("1d"))
    return entry_brackets(books.engine, books.account, min(entries), max(entries), step)


def strategies(books: Watched) -> dict[str, Any]:
    """Return what runs with which parameters, and what each strategy has earned so far."""
    run = page_rows.told(books.engine, books.account)
    begun = {} if run is None else page_rows.begun_with(books.engine, run.run_id)
    return {"members": begun.get("members", []), "results": _results(books)}


def _results(books: Watched) -> list[dict[str, Any]]:
    sums: dict[str, list[Any]] = {}
    for name, gross, fee in page_rows.earned(books.engine, books.account):
        one = sums.setdefault(name, [0, 0, NOTHING, NOTHING])
        fees = Decimal(fee)
        pnl = minus(Decimal(gross), fees)
        one[0] += 1
        one[1] += pnl > 0
        one[2:] = plus(one[2], pnl), plus(one[3], fees)
    return [
        {"strategy": name, "trades": count, "won": won, "pnl": f"{pnl:f}", "fees": f"{fees:f}"}
        for name, (count, won, pnl, fees) in sorted(sums.items())
    ]


def journal(books: Watched, before: int | None) -> dict[str, Any]:
    """Return the journal's entries, the newest first."""
    found = page_rows.entries(books.engine, books.account, before=_before(before), most=ENTRIES)
    return {"rows": found, "most": ENTRIES}


def health(books: Watched) -> dict[str, Any]:
    """Return whether all is well, what runs where, and the newest commands with what came of them."""
    run = page_rows.told(books.engine, books.account)
    file, holder_is_there = database_file(books.engine), runs(books)
    begun = {} if run is None else page_rows.begun_with(books.engine, run.run_id)
    return {
        "database": database_name(books.engine.url),
        "bytes": None if file is None else file.stat().st_size,
        "schema": schema_version(books.engine),
        "holder": holder_is_there,
        "well": _well(books, is_running=holder_is_there),
        "accounts": live.accounts(books.engine),
        "code": begun.get("code_version"),
        "commands": page_rows.commands(books.engine, books.account, ROWS),
    }


def _well(books: Watched, *, is_running: bool) -> dict[str, Any]:
    """Return what is wrong, as health_check.py says it; nothing of an account that never ran."""
    run = live.newest_run(books.engine, books.account)
    if run is None:
        return {"reasons": [], "notes": []}
    how = run.ending or "it left no word"
    silent, is_seldom = max(0, now_ms() - run.beat_at), run.ending == ONE_LOOK
    found = health_of_run(status_of(run), silent, is_running=is_running, is_seldom=is_seldom, how=how)
    return {"reasons": list(found.reasons), "notes": list(found.notes)}


def runs(books: Watched) -> bool:
    """Tell whether a loop trades the account now."""
    file = database_file(books.engine)
    return file is not None and holder(file, books.account) is not None


def give(books: Watched, name: str, argument: str) -> dict[str, Any]:
    """Store a command for the running loop; return its number, or that no loop runs.

    Raises UsageError for what is no command of this page, or an argument that it cannot have.
    """
    if name not in given_here():
        raise UsageError(f"{name[:40]!r} is no command of this page")
    check_command(name, argument)
    present(books)
    if not runs(books):
        return {"refused": f"no loop runs on account {books.account}: nothing was done"}
    return {"id": live.give_command(books.engine, books.account, name, argument, "live page", now_ms())}


def outcome(books: Watched, command: int) -> dict[str, Any]:
    """Return what came of a command, None while it waits."""
    return {"outcome": live.outcome_of(books.engine, command)}


def given_here() -> Iterable[str]:
    """Return the commands that the page can give."""
    return tuple(name for name in COMMANDS if name not in HIDDEN)


def _before(row: int | None) -> int:
    return LAST if row is None else row


def _pnl(row: dict[str, Any]) -> Decimal:
    return minus(Decimal(row["gross"]), Decimal(row["fees"]))
