"""What a page shows of an account, the newest first and never more than it has room for.

Every statement reads along a primary key or an index, so that it takes as long on a million rows as on ten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, func, select

from db.live_models import LiveCommand, LiveDecision, LiveEquity, LiveRun, LiveTrade
from db.models import BacktestRun
from db.order_models import JournalEntry


class Told(NamedTuple):
    """What the newest run of an account said last, before anybody reads it."""

    run_id: int
    beat_at: int
    status_json: str


class Newest(NamedTuple):
    """The numbers of the newest rows; 0 where there is none."""

    decision: int
    equity: int
    trade: int
    command: int


def told(engine: Engine, account: str) -> Told | None:
    """Return what the newest run of an account said last, None when there was no run."""
    columns = (LiveRun.id, LiveRun.beat_at, LiveRun.status_json)
    query = select(*columns).where(LiveRun.account == account).order_by(LiveRun.id.desc()).limit(1)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else Told(*row)


def newest(engine: Engine) -> Newest:
    """Return the numbers of the newest rows of all accounts together."""
    tables = (LiveDecision, LiveEquity, LiveTrade, LiveCommand)
    with engine.connect() as connection:
        return Newest(*(connection.execute(select(func.max(table.id))).scalar() or 0 for table in tables))


def decisions(
    engine: Engine,
    account: str,
    *,
    before: int,
    most: int,
    refused: bool = False,
    strategy: str | None = None,
    symbol: str | None = None,
) -> list[dict[str, Any]]:
    """Return decisions of an account with a number below `before`, the newest first.

    `refused`, `strategy` and `symbol` leave the others out.
    """
    query = select(*LiveDecision.__table__.columns).where(LiveDecision.id < before)
    query = query.where(LiveDecision.run_id.in_(_runs(account)))
    if refused:
        query = query.where(LiveDecision.outcome != "approved")
    if strategy is not None:
        query = query.where(LiveDecision.strategy == strategy)
    if symbol is not None:
        query = query.where(LiveDecision.symbol == symbol)
    found = _rows(engine, query.order_by(LiveDecision.id.desc()).limit(most))
    return [{"detail": json.loads(row.pop("detail_json")), **row} for row in found]


def closed_parts(engine: Engine, account: str, *, before: int, most: int) -> list[dict[str, Any]]:
    """Return closed trades of an account, one for each fill that closed some, the newest first."""
    query = select(*LiveTrade.__table__.columns).where(LiveTrade.account == account, LiveTrade.id < before)
    return _rows(engine, query.order_by(LiveTrade.id.desc()).limit(most))


def equity_points(engine: Engine, account: str, most: int) -> list[tuple[int, float]]:
    """Return time and equity of an account, evenly thinned to about `most` points, the last one kept."""
    runs = LiveEquity.run_id.in_(_runs(account))
    with engine.connect() as connection:
        ends = connection.execute(select(func.min(LiveEquity.id), func.max(LiveEquity.id)).where(runs)).one()
        first, last = (int(end or 0) for end in ends)
        kept = (LiveEquity.id % max(1, (last - first + 1) // most) == 0) | (LiveEquity.id == last)
        query = select(LiveEquity.ts, LiveEquity.equity).where(runs, kept).order_by(LiveEquity.id)
        # A run that begins looks at the bar that the one before ended with.
        points = {int(ts): float(equity) for ts, equity in connection.execute(query)}
    return sorted(points.items())


def entries(engine: Engine, account: str, *, before: int, most: int) -> list[dict[str, Any]]:
    """Return entries of an account's journal, the newest first."""
    query = select(*JournalEntry.__table__.columns)
    query = query.where(JournalEntry.account == account, JournalEntry.seq < before)
    return _rows(engine, query.order_by(JournalEntry.seq.desc()).limit(most))


def commands(engine: Engine, account: str, most: int) -> list[dict[str, Any]]:
    """Return the newest commands of an account with what came of them, the newest first."""
    query = select(*LiveCommand.__table__.columns).where(LiveCommand.account == account)
    return _rows(engine, query.order_by(LiveCommand.id.desc()).limit(most))


def saved_runs(engine: Engine, most: int) -> list[dict[str, Any]]:
    """Return the newest saved backtests without their trades, the newest first."""
    query = select(*BacktestRun.__table__.columns).order_by(BacktestRun.id.desc()).limit(most)
    return _rows(engine, query)


def earned(engine: Engine, account: str) -> list[tuple[str, str, str]]:
    """Return strategy, profit before fees and fees of every closed trade of an account, exact."""
    query = select(LiveTrade.strategy, LiveTrade.gross, LiveTrade.fees).where(LiveTrade.account == account)
    with engine.connect() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def begun_with(engine: Engine, run_id: int) -> Mapping[str, Any]:
    """Return what a run was started with, and the code that it runs."""
    query = select(LiveRun.settings_json, LiveRun.code_version).where(LiveRun.id == run_id)
    with engine.connect() as connection:
        settings, code = connection.execute(query).one()
    return {**json.loads(settings), "code_version": code}


def _runs(account: str) -> Select[Any]:
    return select(LiveRun.id).where(LiveRun.account == account)


def _rows(engine: Engine, query: Select[Any]) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
