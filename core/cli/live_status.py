"""What run_live.py --status shows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from core import cli
from core.cli.live_recall import start_of
from core.errors import DatabaseError, NoDatabaseError, NoDataError, UsageError, unknown_name
from core.figures import NONE, amount, exact, how_many, price
from core.live.modes import mode_text, orders_of
from core.live.standing import USUAL, command, command_of
from core.live.status import (
    VERSION,
    AccountStatus,
    DeskStatus,
    PositionStatus,
    StopStatus,
    StreamStatus,
    from_document,
    to_document,
)
from core.order_path import damage, lock
from core.order_path.lock import holder, mark_of
from core.portfolio import DUST
from core.reports.screen import outside_lines
from core.risk.pauses import row_of
from core.utils import format_time, now_ms
from db import live
from db.base import database_file, open_engine
from db.init_db import get_db_url
from db.status import find_damage

DAMAGED = DatabaseError.exit_code
"""What a command returns that found damage, whichever found it."""
CHECKED = 10_000
"""A journal of so many entries is compared with all rows; of a longer one only these are read."""
EVERYTHING = "all entries, orders, fills and postings"
DUST_WORDS = (
    "; dust: too little for an order was left, no strategy trades it; what has become enough for one is sold "
    "by hand at the exchange"
)
GONE = "its process is gone: killed or crashed; start it again"
SEEN = 180_000
"""Milliseconds without agreement of exchange and books from which on what rests is what was last seen."""


def show_status(args: argparse.Namespace) -> int:
    """Print how the newest run of the account stands."""
    engine = existing(args)
    run = newest_run(engine, args)
    chain = damage_of(database_file(engine), args.account)
    life = life_of(engine, run)
    if args.json:
        document = document_of(run, chain, life)
        print(json.dumps(document, indent=2))
        return DAMAGED if document["damage"] else int(life.is_gone)
    how = f"ended {format_time(run.ended_at)} UTC: {run.ending}" if run.ended_at else _alive(run.beat_at)
    which = f"run {run.id} ({mode_text(run.mode)})"
    print(f"account {run.account}, {which}, started {format_time(run.started_at)} UTC, {how}")
    if life.is_gone:
        print(f"  NOT RUNNING: {GONE}")
    if life.is_running and run.ended_at:
        print("  a loop is starting, or this one is just ending")
    status = status_of_run(run)
    start = start_of(args, orders_of(run.mode), is_running=life.is_running)
    show(status, run.account, start, is_last_known=not life.is_running)
    show_command(live.newest_command(engine, args.account))
    for line in chain:
        print(f"  DAMAGED: {line}")
    if not chain:
        long = status is not None and status.desk is not None and status.desk.journal > CHECKED
        what = f"the newest {CHECKED:,} entries (db_status.py --check reads all)" if long else EVERYTHING
        print(f"  {what} were checked: unbroken")
    return DAMAGED if chain else int(life.is_gone)


class Life(NamedTuple):
    """Whether there is a process behind a run."""

    is_running: bool
    is_gone: bool
    """Its process ended without a word: it was killed, or crashed."""


def life_of(engine: Engine, run: live.RunState) -> Life:
    """Return whether a run's process is there. Raises DatabaseError when its lock cannot be looked at."""
    file = database_file(engine)
    if file is None:
        return Life(is_running=False, is_gone=False)
    is_running = holder(file, run.account) is not None
    is_gone = not is_running and run.ended_at is None and lock.is_gone(file, run.account, run.pid)
    return Life(is_running, is_gone)


def document_of(run: live.RunState, damage: Sequence[str], life: Life) -> dict[str, Any]:
    """Return how a run stands as JSON holds it (docs/status.schema.json)."""
    try:
        status, unreadable = status_of_run(run), []
    except DatabaseError as error:
        status, unreadable = None, [str(error)]
    named = run._asdict() | {"mode": mode_text(run.mode), "running": life.is_running, "gone": life.is_gone}
    told = {"status": None if status is None else to_document(status), "damage": [*damage, *unreadable]}
    return {"version": VERSION, **named, **told}


def status_of_run(run: live.RunState) -> AccountStatus | None:
    """Return how a run's account stands, None before it said so.

    Raises DatabaseError for a status that is none: those of before they had a checksum can be anything.
    """
    if not run.status:
        return None
    try:
        return from_document(run.status)
    except ValueError as error:
        raise DatabaseError(
            f"the status of run {run.id} cannot be shown: {error}: it is not what was stored; restore a "
            "backup with scripts/backup_database.py --restore FILE"
        ) from error


def damage_of(file: Path | None, account: str) -> list[str]:
    """Return what is wrong with an account's rows, a line each."""
    if file is None:
        return []
    return damage.damage_of(f"sqlite:///{file}", account, mark_of(file, account), CHECKED)


def show(
    status: AccountStatus | None,
    account: str = USUAL,
    start: str = "run_live.py",
    *,
    is_last_known: bool = False,
) -> None:
    """Print how an account stands; `start`: how a command begins that reaches it.

    `is_last_known`: nobody looks at it now.
    """
    if status is None:
        print("it has not said anything yet")
        return
    currency = status.currency
    print(f"equity {_money(status.equity, currency)}, cash {amount(float(status.cash), currency)}")
    for line in position_lines(status, is_last_known=is_last_known):
        print(f"  {line}")
    for order in status.open_orders:
        print(f"  waiting: {order.side} {exact(order.amount)} ({order.key})")
    for line in work_lines(status.desk):
        print(f"  {line}")
    show_standing(status, account, start)
    show_limits(status)
    for feed in status.feeds:
        last = "no candle yet" if feed.last is None else f"newest candle {format_time(feed.last)} UTC"
        print(f"  {feed.series}: {last}{', SILENT' if feed.stale else ''}")
    # With the loop its connections ended.
    for line in () if is_last_known else stream_lines(status.streams):
        print(f"  {line}")
    if desk := status.desk:
        for line in outside_lines(desk):
            print(f"  {line}")
        head = f" (head {desk.head[:12]})" if desk.journal and desk.head else ""
        entries, booked = how_many(desk.journal, "entry", "entries"), how_many(desk.fills, "fill")
        print(f"  journal: {entries}{head}, {booked}; {agreement(desk)}")


def position_lines(status: AccountStatus, *, is_last_known: bool = False) -> list[str]:
    """Return what is held, a line each; `is_last_known`: nobody looks at it now."""
    seen = _last_seen(status, is_last_known=is_last_known)
    return [
        f"{held.strategy} {held.side} {exact(held.amount)} {held.symbol} at {price(held.entry_price)}, "
        f"now {price(held.price) or NONE}, open profit {_money(held.open_profit, status.currency)}"
        + (DUST_WORDS if held.strategy == DUST else _protected(status.desk, held, seen))
        for held in status.positions
    ]


def _last_seen(status: AccountStatus, *, is_last_known: bool) -> str:
    """Return when what rests at the exchange was last seen, in words; blank where it is looked at now."""
    agreed = status.desk.agreed_at if status.desk else None
    if agreed is not None and status.time - agreed > SEEN:
        return f" when last seen, {format_time(agreed)} UTC"
    return f" when last seen, {format_time(status.time)} UTC" if is_last_known else ""


def work_lines(desk: DeskStatus | None) -> list[str]:
    """Return how the orders of strategies are executed that do not go at the market, and how far some are."""
    if desk is None:
        return []
    lines = [f"execution of {name}: {algorithm}" for name, algorithm in desk.algorithms.items()]
    for work in desk.works or ():
        rests = f", now {work.resting}" if work.resting else ""
        many = how_many(work.orders, "order")
        lines.append(
            f"{work.algorithm}: {exact(work.filled)} of {exact(work.amount)} executed by {many}{rests} "
            f"({work.key})"
        )
    return lines


def stream_lines(streams: StreamStatus | None) -> list[str]:
    """Return how the streams stand, a line and one for each stream that the venue does not offer."""
    if streams is None:
        return []
    last = max((one.last for one in streams.channels if one.last is not None), default=None)
    parts = [
        how_many(streams.dials, "connection"),
        how_many(streams.gaps, "gap"),
        how_many(streams.differences, "difference from REST", "differences from REST"),
    ]
    why = f" ({streams.why})" if streams.why else ""
    told = "no data yet" if last is None else f"newest data {format_time(last)} UTC"
    lines = [f"streams: {streams.mode}{why}, {told}; {', '.join(parts)}"]
    return lines + [f"no stream of {one.name}: {one.refused}" for one in streams.channels if one.refused]


def _protected(desk: DeskStatus | None, held: PositionStatus, seen: str) -> str:
    """Return a position's stop and take, and where the stop is; on paper none rests."""
    stops = (desk.stops or ()) if desk else ()
    own = next((one for one in stops if (one.strategy, one.symbol) == (held.strategy, held.symbol)), None)
    levels = [f", {name} {level}" for name, level in _levels(held) if level]
    if own is None:
        return "".join(levels if held.stop is not None else [", no stop", *levels])
    return "".join(levels) + _where(own, seen)


def _levels(held: PositionStatus) -> tuple[tuple[str, str], ...]:
    return ("stop", price(held.stop)), ("take", price(held.take))


def _where(stop: StopStatus, seen: str) -> str:
    if stop.where != "exchange":
        does = "did not rest" if seen else "does not rest"
        return f"; its stop {does} at the exchange{seen}: {stop.why}"
    limit = "" if stop.limit is None else f", limit {exact(stop.limit)}"
    at = f"{exact(stop.amount)} at {NONE if stop.trigger is None else exact(stop.trigger)}{limit}"
    rests = "rested" if seen else "rests"
    why = f" ({stop.why})" if stop.why else ""
    return f"; a stop {rests} at the exchange{seen}: {at}, order {stop.order}{why}"


def head_of(desk: DeskStatus) -> str:
    """Return the head of a journal, nothing while it has no entry."""
    return f", head {desk.head}" if desk.journal and desk.head else ""


def _money(value: float | None, currency: str) -> str:
    return NONE if value is None else amount(value, currency)


def show_standing(status: AccountStatus, account: str = USUAL, start: str = "run_live.py") -> None:
    """Print all that keeps orders back, with the command that ends it; older states do not say all."""
    for name, why in status.breakers.items():
        print(f"  {name}: {why}: {start} {command_of(f'--reset-breaker {row_of(name)}', account)}")
    for name, why in status.quarantined.items():
        print(f"  {name}: {why}: {start} {command_of(f'--release {name}', account)}")
    if status.paused:
        print(f"  entries are paused: {status.paused}: {start} {command_of('--resume', account)}")
    for one in status.desk.standing if status.desk else ():
        # What differs is told with the books, below.
        if one.kind != "difference":
            print(f"  {one.told(start)}")


def show_limits(status: AccountStatus) -> None:
    """Print what the limits mean for the strategies, and what they have cut; older states do not say."""
    for line in status.limits:
        print(f"  limit: {line}")
    for what, count in status.cuts.items():
        print(f"  entries cut since the start: {count:,} of {what}")


def show_command(newest: tuple[live.CommandRow, str | None] | None) -> None:
    """Print the newest command and what came of it."""
    if newest is not None:
        command, outcome = newest
        given = f"{command.name} {command.argument}".rstrip()
        when = f"{format_time(command.created_at)} UTC by {command.origin}"
        print(f"  newest command: {given}, {when}: {outcome or 'not carried out yet'}")


def agreement(desk: DeskStatus) -> str:
    """Return whether account, journal and exchange are at one, in words."""
    if desk.agreed_at is None:
        when = ""
    else:
        when = f"{', they did' if desk.disagreements else ','} as of {format_time(desk.agreed_at)} UTC"
    return f"books and exchange agree: {'; '.join(desk.disagreements) or 'yes'}{when}"


def _alive(beat_at: int) -> str:
    age = (now_ms() - beat_at) / 1000
    return f"last sign of life {age:,.0f} s ago"


def newest_run(engine: Engine, args: argparse.Namespace) -> live.RunState:
    """Return the newest run of an account.

    Raises NoDataError when no account has run yet, UsageError when others have, DatabaseError when the runs
    are gone that other rows are of.
    """
    account = args.account
    run = live.newest_run(engine, account)
    if run is None:
        known = live.accounts(engine)
        if lost := find_damage(engine):
            raise DatabaseError(
                f"no run of account {account} is there, and the database is damaged: {lost[0]}"
            )
        if known:
            raise UsageError(unknown_name("account", account, known))
        file = database_file(engine)
        if file is not None and holder(file, account) is not None:
            raise NoDataError(
                f"account {account} is starting: it has done nothing yet; ask again in a moment"
            )
        begin = command(account, db_url=args.db_url)
        raise NoDataError(f"nothing has run on account {account}: start it with {begin}")
    return run


def existing(args: argparse.Namespace) -> Engine:
    """Return the database that an account may have run in. Raises DatabaseError when there is none."""
    settings = cli.load_settings({"db.url": args.db_url})
    try:
        return open_engine(settings.db.url or get_db_url())
    except NoDatabaseError as error:
        raise NoDatabaseError(
            f"no account has run yet: there is no database {error.name}; "
            f"{command(args.account, db_url=args.db_url)} begins one, --db-url names another",
            error.name,
        ) from error
