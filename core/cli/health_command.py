"""What health_check.py does: one look at an account from outside, for cron, Docker and people."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

from sqlalchemy import Engine

from core.cli.live_recall import health_port_of
from core.cli.live_status import (
    DAMAGED,
    GONE,
    Life,
    agreement,
    damage_of,
    document_of,
    existing,
    life_of,
    newest_run,
    position_lines,
    status_of_run,
)
from core.errors import DatabaseError
from core.figures import NONE, amount, how_many
from core.live.health import Health, health_of_run
from core.live.modes import mode_text
from core.live.records import ONE_LOOK
from core.live.status import AccountStatus
from core.utils import format_time, json_of, now_ms
from db.base import database_file
from db.live import RunState
from db.status import database_status

HEALTHY, UNHEALTHY = 0, 1
PATIENCE = 3.0
"""Seconds that a loop has to answer."""
LARGEST = 1_000_000
"""Bytes of an answer that are read."""


class Checkup(NamedTuple):
    """An account, looked at."""

    run: RunState
    status: AccountStatus | None
    health: Health
    damage: tuple[str, ...]
    life: Life
    source: str
    """Who told: the database, or the loop itself."""

    @property
    def code(self) -> int:
        """Return the exit code that follows."""
        if self.damage:
            return DAMAGED
        return HEALTHY if self.health.is_healthy else UNHEALTHY


def run(args: argparse.Namespace) -> int:
    """Look, print, return the exit code.

    Raises DatabaseError when there is no database or none that can be read, NoDataError when nothing has run.
    """
    engine = existing(args)
    try:
        found = checkup(engine, args)
        if args.json:
            print(json.dumps(_document(found, args), indent=2))
        else:
            for line in _lines(found, engine, args):
                print(line)
    finally:
        engine.dispose()
    return found.code


def checkup(engine: Engine, args: argparse.Namespace) -> Checkup:
    """Return how an account is, by its loop's own word where that can be had, else by what it stored."""
    run = newest_run(engine, args)
    damage, life = damage_of(database_file(engine), run.account), life_of(engine, run)
    status = None
    try:
        status = status_of_run(run)
    except DatabaseError as error:
        damage = [*damage, str(error)]
    health, source = _stored(run, status, life), "database"
    if life.is_running:
        health, source = _asked(engine, args, health)
    return Checkup(run, status, health, tuple(damage), life, source)


def _stored(run: RunState, status: AccountStatus | None, life: Life) -> Health:
    """Return how an account is by its rows."""
    how = GONE if life.is_gone else "it left no word"
    how = f"it ended {format_time(run.ended_at)} UTC: {run.ending}" if run.ended_at else how
    # A local exchange may be ahead of this machine's clock.
    silent = max(0, now_ms() - run.beat_at)
    is_seldom = run.ending == ONE_LOOK
    return health_of_run(status, silent, is_running=life.is_running, is_seldom=is_seldom, how=how)


def _asked(engine: Engine, args: argparse.Namespace, stored: Health) -> tuple[Health, str]:
    """Return what the loop says of itself, and who told; what it stored where it was not told to say it."""
    port = _port(engine, args)
    if port is None:
        return stored, "database"
    document = _answer(port)
    if document is not None and document.get("account") == args.account:
        reasons, notes = (tuple(map(str, document.get(name, ()))) for name in ("reasons", "notes"))
        return Health(reasons, notes), f"the loop itself, port {port}"
    what = "does not answer" if document is None else f"is of {str(document.get('account'))[:40]!r}"
    trouble = f"the loop of {args.account} was to answer on port {port}, which {what}"
    if args.health_port is not None:
        return Health((trouble,)), f"port {port}"
    # From a container the loop's rows can be in reach, and its port not.
    return stored._replace(notes=(*stored.notes, f"{trouble}: this is what it stored")), "database"


def _port(engine: Engine, args: argparse.Namespace) -> int | None:
    if args.health_port is not None:
        return int(args.health_port)
    # Rows that were changed are named as damage, and say no port.
    with suppress(DatabaseError):
        return health_port_of(engine, args.account)
    return None


def _answer(port: int) -> dict[str, Any] | None:
    """Return what /health on this machine answers, None where that is nothing of ours."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/health")
        document = json_of(connection.getresponse().read(LARGEST))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return document if isinstance(document, dict) and "healthy" in document else None


def _lines(found: Checkup, engine: Engine, args: argparse.Namespace) -> Iterator[str]:
    run, health = found.run, found.health
    word = "healthy" if found.code == HEALTHY else "NOT healthy"
    yield f"{word}: account {run.account} ({mode_text(run.mode)}){_state(found)}"
    yield from (f"  DAMAGED: {line}" for line in found.damage)
    yield from (f"  reason: {line}" for line in health.reasons)
    yield from (f"  note: {line}" for line in health.notes)
    if args.detailed:
        yield from (f"  {line}" for line in _details(found, engine))
    if args.positions and found.status is not None:
        gone = not found.life.is_running
        yield from (
            f"  {line}" for line in position_lines(found.status, is_last_known=gone) or ("no position",)
        )


def _state(found: Checkup) -> str:
    status = found.status
    if status is None:
        return ""
    equity = NONE if status.equity is None else amount(status.equity, status.currency)
    return f", equity {equity}, {how_many(len(status.positions), 'position')}"


def _details(found: Checkup, engine: Engine) -> Iterator[str]:
    run, status = found.run, found.status
    how = f"process {run.pid}" if found.life.is_running else "does not run"
    yield f"run {run.id}, {how}, started {format_time(run.started_at)} UTC"
    yield f"last word {format_time(run.beat_at)} UTC, asked: {found.source}"
    for feed in status.feeds if status else ():
        newest = "no candle yet" if feed.last is None else f"newest candle {format_time(feed.last)} UTC"
        yield f"{feed.series}: {newest}"
    for use in status.uses if status else ():
        about = f" ({use.about})" if use.about else ""
        yield f"{use.limit}{about}: {use.used:.2f} of {use.most:g}"
    if status is not None and (desk := status.desk) is not None:
        orders = how_many(len(status.open_orders), "order")
        yield f"{orders} waiting, journal of {how_many(desk.journal, 'entry', 'entries')}; {agreement(desk)}"
    stored = database_status(engine)
    size = "" if stored.size is None else f", {stored.size / 1e6:,.1f} MB"
    yield f"database {stored.name}{size}, tables of version {stored.schema_version}"


def _document(found: Checkup, args: argparse.Namespace) -> dict[str, Any]:
    run, status = found.run, document_of(found.run, found.damage, found.life)
    document: dict[str, Any] = {
        "healthy": found.code == HEALTHY,
        "account": run.account,
        "mode": mode_text(run.mode),
        "running": found.life.is_running,
        "source": found.source,
        "reasons": list(found.health.reasons),
        "notes": list(found.health.notes),
        "damage": list(found.damage),
    }
    if args.positions:
        document["positions"] = status["status"] and status["status"]["positions"]
    return document | ({"status": status} if args.detailed else {})
