"""What a running loop stores and reads: its run, decisions, equity, state, and the commands given to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from core.domain import Series
from core.errors import DatabaseError
from db.base import writing
from db.command_names import check_command
from db.live_models import (
    LiveCommand,
    LiveDecision,
    LiveEquity,
    LiveFill,
    LiveRun,
    LiveState,
    LiveTrade,
)
from db.state_rows import StateRow, as_text, changed, checksum_of, opened, sealed


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
    row = {
        "account": account,
        "mode": mode,
        "pid": pid,
        "code_version": code_version,
        "settings_json": as_text(settings),
        "started_at": now,
        "beat_at": now,
        "status_json": "{}",
    }
    with writing(engine) as connection:
        return int(connection.execute(insert(LiveRun).values(row).returning(LiveRun.id)).scalar_one())


def end_run(engine: Engine, run_id: int, ending: str, now: int) -> None:
    """Store that a loop ended, and why."""
    with writing(engine) as connection:
        ended = update(LiveRun).where(LiveRun.id == run_id).values(ended_at=now, ending=ending, beat_at=now)
        connection.execute(ended)


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
    with writing(engine) as connection:
        rows = [_decision(run_id, row) for row in decisions]
        if rows:
            connection.execute(insert(LiveDecision), rows)
        points = [{"run_id": run_id, **point._asdict()} for point in equity]
        if points:
            # Bars that closed at one time can come in two steps, of which the later one counts.
            connection.execute(insert(LiveEquity).prefix_with("OR REPLACE", dialect="sqlite"), points)
        for table, found in ((LiveFill, fills), (LiveTrade, trades)):
            booked = [{"run_id": run_id, **row} for row in found]
            if booked:
                connection.execute(insert(table), booked)
        for (account, name), value in (state or {}).items():
            _put_state(connection, account, name, value, now)
        for command, outcome in (taken or {}).items():
            _take(connection, command, outcome, now)
        if status is not None:
            beat = {"beat_at": now, "status_json": as_text(sealed(status))}
            connection.execute(update(LiveRun).where(LiveRun.id == run_id).values(beat))


def newest_run(engine: Engine, account: str) -> RunState | None:
    """Return the newest run of an account, None if there was none."""
    query = select(LiveRun).where(LiveRun.account == account).order_by(LiveRun.id.desc()).limit(1)
    with engine.connect() as connection:
        found = connection.execute(query).first()
    if found is None:
        return None
    try:
        status = opened(found.status_json)
    except ValueError:
        raise _unreadable(f"the status of run {found.id}", found.status_json) from None
    return RunState(
        found.id,
        found.account,
        found.mode,
        found.pid,
        found.started_at,
        found.ended_at,
        found.ending,
        found.beat_at,
        status,
    )


def accounts(engine: Engine) -> list[str]:
    """Return the names of all accounts that ever ran."""
    query = select(LiveRun.account).distinct().order_by(LiveRun.account)
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def read_state(engine: Engine, account: str) -> dict[str, Any]:
    """Return what an account stored, by name. Raises DatabaseError when a row was changed."""
    query = select(*(getattr(LiveState, name) for name in StateRow._fields)).where(
        LiveState.account == account
    )
    with engine.connect() as connection:
        rows = [StateRow(*row) for row in connection.execute(query)]
    for line in changed(rows):
        raise DatabaseError(f"{line}: restore a backup with scripts/backup_database.py --restore FILE")
    return {row.name: json.loads(row.value_json) for row in rows}


def keep_state(engine: Engine, account: str, name: str, value: Any, now: int) -> None:
    """Store one thing that an account must find again."""
    with writing(engine) as connection:
        _put_state(connection, account, name, value, now)


def give_command(engine: Engine, account: str, name: str, argument: str, origin: str, now: int) -> int:
    """Store a command for the loop of an account; return its number. Raises UsageError (check_command)."""
    check_command(name, argument)
    row = {
        "account": account,
        "name": name,
        "argument": argument,
        "origin": origin,
        "created_at": now,
    }
    with writing(engine) as connection:
        return int(connection.execute(insert(LiveCommand).values(row).returning(LiveCommand.id)).scalar_one())


def waiting_commands(engine: Engine, account: str) -> list[CommandRow]:
    """Return the commands that nobody has taken, oldest first."""
    waits = (LiveCommand.account == account, LiveCommand.taken_at.is_(None))
    with engine.connect() as connection:
        rows = connection.execute(select(LiveCommand).where(*waits).order_by(LiveCommand.id))
        return [_command(row) for row in rows]


def take_command(engine: Engine, command_id: int, outcome: str, now: int) -> None:
    """Store that a command was carried out, and what came of it."""
    with writing(engine) as connection:
        _take(connection, command_id, outcome, now)


def outcome_of(engine: Engine, command_id: int) -> str | None:
    """Return what came of a command, None while it waits."""
    query = select(LiveCommand.outcome).where(LiveCommand.id == command_id)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one_or_none()


def was_given(engine: Engine, account: str, origin: str) -> bool:
    """Return whether a command of exactly this origin was ever stored."""
    query = select(LiveCommand.id).where(LiveCommand.account == account, LiveCommand.origin == origin)
    with engine.connect() as connection:
        return connection.execute(query.limit(1)).first() is not None


def newest_command(engine: Engine, account: str) -> tuple[CommandRow, str | None] | None:
    """Return the newest command of an account and what came of it, None for none ever."""
    query = select(LiveCommand).where(LiveCommand.account == account).order_by(LiveCommand.id.desc()).limit(1)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else (_command(row), row.outcome)


def count_decisions(engine: Engine, run_id: int) -> dict[str, int]:
    """Return how many decisions of a run had which outcome."""
    query = (
        select(LiveDecision.outcome, func.count())
        .where(LiveDecision.run_id == run_id)
        .group_by(LiveDecision.outcome)
    )
    with engine.connect() as connection:
        return {outcome: int(count) for outcome, count in connection.execute(query)}


def _decision(run_id: int, row: DecisionRow) -> dict[str, Any]:
    return {
        "run_id": run_id,
        **row.series._asdict(),
        "bar_ts": row.bar_ts,
        "strategy": row.strategy,
        "action": row.action,
        "outcome": row.outcome,
        "detail_json": as_text(row.detail),
    }


def _take(connection: Connection, command_id: int, outcome: str, now: int) -> None:
    taken = {"taken_at": now, "outcome": outcome}
    connection.execute(update(LiveCommand).where(LiveCommand.id == command_id).values(taken))


def _put_state(connection: Connection, account: str, name: str, value: Any, now: int) -> None:
    text = as_text(value)
    row = {"value_json": text, "updated_at": now, "checksum": checksum_of(account, name, text, now)}
    where = (LiveState.account == account, LiveState.name == name)
    if not connection.execute(update(LiveState).where(*where).values(row)).rowcount:
        connection.execute(insert(LiveState).values(account=account, name=name, **row))


def _command(row: Row[Any]) -> CommandRow:
    return CommandRow(row.id, row.name, row.argument, row.origin, row.created_at)


def _unreadable(what: str, text: str) -> DatabaseError:
    return DatabaseError(
        f"{what} cannot be read: {text[:40]!r} is not what was stored; restore a backup with "
        "scripts/backup_database.py --restore FILE"
    )
