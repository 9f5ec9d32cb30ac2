"""What an account made: its closed trades and fees, exact, over all its runs."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Engine, and_, select

from core.utils import timeframe_ms
from db.live_models import AccountSnapshot, LiveDecision, LiveFill, LiveRun, LiveTrade
from db.order_models import OrderFill, StoredOrder


class ClosedTrade(NamedTuple):
    """One closed round trip of one strategy; money in quote units, times in ms UTC."""

    strategy: str
    symbol: str
    side: str
    """LONG or SHORT."""
    amount: Decimal
    """Base units."""
    entry_ts: int
    exit_ts: int
    entry_price: float
    exit_price: float
    gross: Decimal
    """Profit before fees."""
    fees: Decimal
    reason: str


class OrderedFill(NamedTuple):
    """One fill and the order it was of."""

    strategy: str
    symbol: str
    side: str
    """buy or sell."""
    ts: int
    price: float
    amount: Decimal
    order: str
    """Its name, by the journal."""


class PaidFee(NamedTuple):
    """What one fill cost."""

    strategy: str
    symbol: str
    fee: Decimal
    asset: str


class RunSpan(NamedTuple):
    """One run of the loop: when, in which mode, on which configuration."""

    mode: str
    since: int
    until: int
    """When it last said that it was alive; all in ms UTC."""
    configuration: str
    """Blank for runs of before it was kept."""
    differences: tuple[str, ...]
    """Where its books differed when it last said how they stood."""


def run_spans(engine: Engine, account: str) -> list[RunSpan]:
    """Return all runs of an account, oldest first."""
    names = ("mode", "started_at", "beat_at", "settings_json", "status_json")
    query = select(*(getattr(LiveRun, name) for name in names)).where(LiveRun.account == account)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(LiveRun.id)).all()
    return [
        RunSpan(mode, since, max(since, until), _configuration(settings), _differences(status))
        for mode, since, until, settings, status in rows
    ]


def snapshot_times(engine: Engine, account: str) -> list[int]:
    """Return when an account's snapshots were taken, ms UTC, oldest first."""
    query = select(AccountSnapshot.timestamp).where(AccountSnapshot.account == account)
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(AccountSnapshot.timestamp)).scalars())


def _configuration(text: str) -> str:
    found = _object(text).get("configuration", "")
    return found if isinstance(found, str) else ""


def _differences(text: str) -> tuple[str, ...]:
    desk = _object(text).get("desk") or {}
    found = desk.get("disagreements", ()) if isinstance(desk, dict) else ()
    return tuple(map(str, found))


def _object(text: str) -> dict[str, Any]:
    """Return an object of JSON; an empty one of what is none, which others tell of."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def order_names(engine: Engine, account: str) -> set[str]:
    """Return the names of all orders that an account ever placed."""
    query = select(StoredOrder.client_order_id).where(StoredOrder.account == account)
    with engine.connect() as connection:
        return set(connection.execute(query).scalars())


class Bracket(NamedTuple):
    """Stop and take of an entry, as they were when it was decided."""

    bar_ts: int
    """Open time of the bar that it was decided on, ms UTC."""
    lasts: int
    """How long that bar is, ms."""
    stop: float | None
    take: float | None


Brackets = Mapping[tuple[str, str], Sequence[Bracket]]
"""By strategy and symbol, the oldest first."""
WAITS = 10
"""Bars after which an entry that was decided is taken to have filled, or never."""


def entry_brackets(engine: Engine, account: str, first: int, last: int, step: int) -> Brackets:
    """Return the brackets of what filled between two times; `step`: the longest bar decided on; ms UTC."""
    runs = select(LiveRun.id).where(LiveRun.account == account)
    names = ("strategy", "symbol", "timeframe", "bar_ts", "detail_json")
    columns = (getattr(LiveDecision, name) for name in names)
    query = (
        select(*columns)
        .where(LiveDecision.run_id.in_(runs), LiveDecision.bar_ts.between(first - WAITS * step, last))
        .where(LiveDecision.outcome == "approved", LiveDecision.action.startswith("entry "))
        .order_by(LiveDecision.bar_ts, LiveDecision.id)
    )
    found: dict[tuple[str, str], list[Bracket]] = {}
    with engine.connect() as connection:
        for strategy, symbol, timeframe, bar_ts, detail in connection.execute(query):
            told = json.loads(detail)
            prices = (None if told.get(name) is None else float(told[name]) for name in ("stop", "take"))
            found.setdefault((strategy, symbol), []).append(Bracket(bar_ts, timeframe_ms(timeframe), *prices))
    return found


def bracket_of(
    brackets: Brackets, strategy: str, symbol: str, entry_ts: int
) -> tuple[float | None, float | None]:
    """Return stop and take of what filled at this time, None for what is not known or was not set."""
    known = brackets.get((strategy, symbol), ())
    place = bisect_left(known, entry_ts, key=lambda one: one.bar_ts) - 1
    if place < 0 or entry_ts - known[place].bar_ts > WAITS * known[place].lasts:
        return None, None
    return known[place].stop, known[place].take


def closed_trades(engine: Engine, account: str) -> list[ClosedTrade]:
    """Return an account's closed trades in the order in which they were closed, one for each fill."""
    columns = [getattr(LiveTrade, name) for name in ClosedTrade._fields]
    query = select(*columns).where(LiveTrade.account == account).order_by(LiveTrade.exit_ts, LiveTrade.id)
    with engine.connect() as connection:
        rows = [ClosedTrade(*row) for row in connection.execute(query)]
    return [
        row._replace(amount=Decimal(row.amount), gross=Decimal(row.gross), fees=Decimal(row.fees))
        for row in rows
    ]


def ordered_fills(engine: Engine, account: str) -> list[OrderedFill]:
    """Return the fills of an account whose orders the journal knows, in the order in which they came."""
    same = (getattr(LiveFill, name) == getattr(OrderFill, name) for name in ("account", "exchange", "symbol"))
    named = [getattr(LiveFill, name) for name in OrderedFill._fields[:-1]]
    query = (
        select(*named, OrderFill.client_order_id)
        .join(OrderFill, and_(*same, LiveFill.fill_id == OrderFill.id))
        .where(LiveFill.account == account, OrderFill.client_order_id.is_not(None))
        .order_by(LiveFill.id)
    )
    with engine.connect() as connection:
        rows = [OrderedFill._make(row) for row in connection.execute(query)]
    return [row._replace(price=float(row.price), amount=Decimal(row.amount)) for row in rows]


def paid_fees(engine: Engine, account: str) -> list[PaidFee]:
    """Return the fee of every fill of an account, those of open positions too, in the order of the fills."""
    columns = (LiveFill.strategy, LiveFill.symbol, LiveFill.fee, LiveFill.fee_asset)
    query = select(*columns).where(LiveFill.account == account).order_by(LiveFill.ts, LiveFill.id)
    with engine.connect() as connection:
        return [
            PaidFee(strategy, symbol, Decimal(fee), asset)
            for strategy, symbol, fee, asset in connection.execute(query)
        ]
