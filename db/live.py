"""What a running loop stores and reads: its run, decisions, equity, state, and the commands given to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Engine

from core.domain import Series
from core.errors import DatabaseError
from db.command_names import check_command
from db.driver import Statements, WritingStatements
from db.state_rows import SELECT, StateRow, as_text, changed, checksum_of, opened, sealed

_DECISION = """INSERT INTO live_decisions
 (run_id, exchange, symbol, timeframe, bar_ts, strategy, action, outcome, detail_json)
 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# Bars that closed at one time can come in two steps, of which the later one counts.
_EQUITY = """INSERT INTO live_equity (run_id, ts, equity, cash) VALUES (?, ?, ?, ?)
 ON CONFLICT (run_id, ts) DO UPDATE SET equity = excluded.equity, cash = excluded.cash"""
_BEAT = "UPDATE live_runs SET beat_at = ?, status_json = ? WHERE id = ?"
_STATE = """INSERT INTO live_state (account, name, value_json, updated_at, checksum) VALUES (?, ?, ?, ?, ?)
 ON CONFLICT (account, name) DO UPDATE SET value_json = excluded.value_json,
 updated_at = excluded.updated_at, checksum = excluded.checksum"""
_TAKE = "UPDATE live_commands SET taken_at = ?, outcome = ? WHERE id = ?"
_NEWEST_RUN = """SELECT id, account, mode, pid, started_at, ended_at, ending, beat_at, status_json
 FROM live_runs WHERE account = ? ORDER BY id DESC LIMIT 1"""
_START = """INSERT INTO live_runs
 (account, mode, pid, code_version, settings_json, started_at, beat_at, status_json)
 VALUES (?, ?, ?, ?, ?, ?, ?, '{}') RETURNING id"""
_END = "UPDATE live_runs SET beat_at = ?, ended_at = ?, ending = ? WHERE id = ?"
_GIVE = """INSERT INTO live_commands (account, name, argument, origin, created_at)
 VALUES (?, ?, ?, ?, ?) RETURNING id"""
_COMMANDS = "SELECT id, name, argument, origin, created_at, outcome FROM live_commands WHERE account = ?"
_OUTCOMES = "SELECT outcome, count(*) FROM live_decisions WHERE run_id = ? GROUP BY outcome"


class DecisionRow(NamedTuple):
    """One decision to store."""

    series: Series
    bar_ts: int
    strategy: str
    action: str
    outcome: str
    detail: Mapping[str, Any]


class EquityRow(NamedTuple):
    """The account at one time, ms UTC, in quote currency."""

    ts: int
    equity: float
    cash: float


class CommandRow(NamedTuple):
    """One command that waits or was taken."""

    id: int
    name: str
    argument: str
    origin: str
    created_at: int


class RunState(NamedTuple):
    """How the newest run of an account stands."""

    id: int
    account: str
    mode: str
    pid: int
    started_at: int
    ended_at: int | None
    ending: str | None
    beat_at: int
    status: Mapping[str, Any]


def start_run(
    engine: Engine, account: str, mode: str, *, pid: int, code_version: str, settings: Any, now: int
) -> int:
    """Store that a loop starts; return the run's number."""
    row = (account, mode, pid, code_version, as_text(settings), now, now)
    with WritingStatements(engine) as statements:
        return int(statements.run(_START, row).fetchone()[0])


def end_run(engine: Engine, run_id: int, ending: str, now: int) -> None:
    """Store that a loop ended, and why."""
    with WritingStatements(engine) as statements:
        statements.run(_END, (now, now, ending, run_id))


def record(
    engine: Engine,
    run_id: int,
    *,
    decisions: Iterable[DecisionRow] = (),
    equity: Iterable[EquityRow] = (),
    fills: Iterable[Mapping[str, Any]] = (),
    trades: Iterable[Mapping[str, Any]] = (),
    state: Mapping[tuple[str, str], Any] | None = None,
    status: Mapping[str, Any] | None = None,
    taken: Mapping[int, str] | None = None,
    now: int,
) -> None:
    """Store in one transaction what a step brought.

    `fills` and `trades` have the columns of LiveFill and LiveTrade but the run; `state` is keyed by (account,
    name); `taken` are the outcomes of commands, by number.
    """
    with WritingStatements(engine) as statements:
        statements.run_all(_DECISION, [_decision(run_id, row) for row in decisions])
        statements.run_all(_EQUITY, [(run_id, *point) for point in equity])
        for table, booked in (("live_fills", fills), ("live_trades", trades)):
            for row in booked:
                statements.run(_insertion(table, tuple(row)), (run_id, *row.values()))
        for (account, name), value in (state or {}).items():
            _put_state(statements, account, name, value, now)
        for command, outcome in (taken or {}).items():
            statements.run(_TAKE, (now, outcome, command))
        if status is not None:
            statements.run(_BEAT, (now, sealed(status), run_id))


def newest_run(engine: Engine, account: str) -> RunState | None:
    """Return the newest run of an account, None if there was none."""
    with Statements(engine) as statements:
        found = statements.run(_NEWEST_RUN, (account,)).fetchone()
    if found is None:
        return None
    *run, told = found
    try:
        status = opened(told)
    except ValueError:
        raise _unreadable(f"the status of run {run[0]}", told) from None
    return RunState._make((*run, status))


def accounts(engine: Engine) -> list[str]:
    """Return the names of all accounts that ever ran."""
    with Statements(engine) as statements:
        rows = statements.run("SELECT DISTINCT account FROM live_runs ORDER BY account").fetchall()
    return [name for (name,) in rows]


def read_state(engine: Engine, account: str) -> dict[str, Any]:
    """Return what an account stored, by name. Raises DatabaseError when a row was changed."""
    with Statements(engine) as statements:
        rows = [StateRow(*row) for row in statements.run(f"{SELECT} WHERE account = ?", (account,))]
    for line in changed(rows):
        raise DatabaseError(f"{line}: restore a backup with scripts/backup_database.py --restore FILE")
    return {row.name: json.loads(row.value_json) for row in rows}


def keep_state(engine: Engine, account: str, name: str, value: Any, now: int) -> None:
    """Store one thing that an account must find again."""
    with WritingStatements(engine) as statements:
        _put_state(statements, account, name, value, now)


def give_command(engine: Engine, account: str, name: str, argument: str, origin: str, now: int) -> int:
    """Store a command for the loop of an account; return its number. Raises UsageError (check_command)."""
    check_command(name, argument)
    with WritingStatements(engine) as statements:
        return int(statements.run(_GIVE, (account, name, argument, origin, now)).fetchone()[0])


def waiting_commands(engine: Engine, account: str) -> list[CommandRow]:
    """Return the commands that nobody has taken, oldest first."""
    with Statements(engine) as statements:
        rows = statements.run(f"{_COMMANDS} AND taken_at IS NULL ORDER BY id", (account,)).fetchall()
    return [CommandRow(*row[:-1]) for row in rows]


def take_command(engine: Engine, command_id: int, outcome: str, now: int) -> None:
    """Store that a command was carried out, and what came of it."""
    with WritingStatements(engine) as statements:
        statements.run(_TAKE, (now, outcome, command_id))


def outcome_of(engine: Engine, command_id: int) -> str | None:
    """Return what came of a command, None while it waits."""
    with Statements(engine) as statements:
        row = statements.run("SELECT outcome FROM live_commands WHERE id = ?", (command_id,)).fetchone()
    return None if row is None else row[0]


def was_given(engine: Engine, account: str, origin: str) -> bool:
    """Return whether a command of exactly this origin was ever stored."""
    with Statements(engine) as statements:
        found = statements.run(f"{_COMMANDS} AND origin = ? LIMIT 1", (account, origin)).fetchone()
    return found is not None


def newest_command(engine: Engine, account: str) -> tuple[CommandRow, str | None] | None:
    """Return the newest command of an account and what came of it, None for none ever."""
    with Statements(engine) as statements:
        row = statements.run(f"{_COMMANDS} ORDER BY id DESC LIMIT 1", (account,)).fetchone()
    return None if row is None else (CommandRow(*row[:-1]), row[-1])


def count_decisions(engine: Engine, run_id: int) -> dict[str, int]:
    """Return how many decisions of a run had which outcome."""
    with Statements(engine) as statements:
        return {outcome: int(count) for outcome, count in statements.run(_OUTCOMES, (run_id,))}


def _decision(run_id: int, row: DecisionRow) -> tuple[Any, ...]:
    about = (row.bar_ts, row.strategy, row.action, row.outcome)
    return (run_id, *row.series, *about, as_text(row.detail))


def _put_state(statements: Statements, account: str, name: str, value: Any, now: int) -> None:
    text = as_text(value)
    statements.run(_STATE, (account, name, text, now, checksum_of(account, name, text, now)))


@cache
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    names, marks = ", ".join(("run_id", *columns)), ", ".join("?" * (1 + len(columns)))
    # Names of this project's own; what is given goes in as parameters.
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608


def _unreadable(what: str, text: str) -> DatabaseError:
    return DatabaseError(
        f"{what} cannot be read: {text[:40]!r} is not what was stored; restore a backup with "
        "scripts/backup_database.py --restore FILE"
    )
