"""The facts of a stretch of days of one account, as reports tell them: computed from what is stored, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine

from core.errors import UsageError
from core.live.day_book import past_of
from core.live.status import AccountStatus
from core.results.days import (
    DayFill,
    DayResult,
    DayTrade,
    EquityCurve,
    date_of,
    day_start,
    drawdown_pct,
    fees_by_asset,
    result,
    results,
)
from core.results.measures import DAY
from core.symbols import pair_of
from db import account_days
from db.account_days import WHOLE, SnapshotRow

WEEK = 7 * DAY
MOST_DAYS = 3_660
"""Days of one report."""
LEAST = 1e-6
"""Share of equity below which a difference is one of rounding: a cent of 10,000."""


class DaySpan(NamedTuple):
    """Which days a report is of."""

    kind: str
    """daily, weekly or range."""
    start: int
    """ms UTC."""
    end: int
    """The midnight after the last day."""

    @property
    def first(self) -> str:
        """The first day."""
        return date_of(self.start)

    @property
    def last(self) -> str:
        """The last day."""
        return date_of(self.end - 1)


class DayFigures(NamedTuple):
    """One day of several."""

    date: str
    opening: float | None
    closing: float | None
    trades: int
    net: Decimal


class Period(NamedTuple):
    """What a report tells; money in the account's currency."""

    account: str
    currency: str
    span: DaySpan
    is_over: bool
    """Whether all its days have ended."""
    opening: float | None
    """Equity when it began; None while there is none."""
    closing: float | None
    week_opening: float | None
    """Equity seven days before its end."""
    drawdown_pct: float | None
    total: DayResult
    results: tuple[DayResult, ...]
    """Of the strategies that did something …"""
    idle: tuple[str, ...]
    """… and those that run now and did nothing."""
    fees: Mapping[str, Decimal]
    """What was paid, by currency."""
    fill_seconds: float | None
    """From sending an order to its fill, on average; None where no exchange filled any."""
    refused: int
    """Decisions that were refused."""
    days: tuple[DayFigures, ...]
    """Those that have begun."""
    status: AccountStatus | None
    """How the account stood in its days or the day after; None where that is not kept any more."""
    snapshot: SnapshotRow | None
    """The last one of its days."""

    @property
    def not_closed(self) -> float | None:
        """What equity changed by beside closed trades: open profit, fees of what is open, deposits.

        None while it is not known.
        """
        if self.opening is None or self.closing is None:
            return None
        rest = self.closing - self.opening - float(self.total.net)
        return rest if abs(rest) > LEAST * abs(self.opening) else 0.0

    @property
    def own_status(self) -> AccountStatus | None:
        """How the account stood in its days; None where it is known of later ones alone."""
        status = self.status
        return status if status is not None and self.span.start <= status.time < self.span.end else None


def day_of(date: str) -> DaySpan:
    """Return the span of one day. Raises UsageError for what is no day."""
    start = day_start(date)
    return DaySpan("daily", start, start + DAY)


def week_of(date: str) -> DaySpan:
    """Return the week, Monday to Sunday, that a day is in. Raises UsageError for what is no day."""
    # 1970-01-05 was a Monday.
    start = (day_start(date) - 4 * DAY) // WEEK * WEEK + 4 * DAY
    return DaySpan("weekly", start, start + WEEK)


def days_between(first: str, last: str) -> DaySpan:
    """Return the span of days, both ends included. Raises UsageError for what is none."""
    start, end = day_start(first), day_start(last) + DAY
    if not 0 < end - start <= MOST_DAYS * DAY:
        raise UsageError(
            f"wanted a first day and one not before it, {MOST_DAYS:,} days at most, got {first} {last}"
        )
    return DaySpan("range", start, end)


def period_of(
    engine: Engine,
    account: str,
    span: DaySpan,
    *,
    status: AccountStatus | None,
    members: Iterable[str],
    now: int,
) -> Period:
    """Return the facts of an account's days.

    `status` is the newest; `members` are the strategies that run now; `now` is ms UTC.
    """
    start, end = span.start, span.end
    past = past_of(engine, account, end)
    trades = [one for one in past.trades if one.time >= start]
    fills = [one for one in past.fills if one.time >= start]
    kept = account_days.snapshots(engine, account, start, end)
    currency = _currency(status, kept, past.fills)
    curve = _until_now(past.curve.until(end), status, span)
    made = results(trades, fills, currency)
    waits = [one.waited for one in fills if one.waited is not None]
    is_near = status is not None and start <= status.time < end + DAY
    return Period(
        account=account,
        currency=currency,
        span=span,
        is_over=now >= end,
        opening=curve.at(start),
        closing=curve.at(end),
        week_opening=curve.at(end - WEEK),
        drawdown_pct=drawdown_pct(curve.within(start, end)),
        total=result(WHOLE, trades, fills, currency),
        results=tuple(made),
        idle=tuple(sorted(set(members) - {one.strategy for one in made})),
        fees=fees_by_asset(fills),
        fill_seconds=sum(waits) / len(waits) / 1000 if waits else None,
        refused=account_days.count_refused(engine, account, start, end),
        days=tuple(
            _day(day, curve, [one for one in trades if day <= one.time < day + DAY], currency)
            for day in range(start, min(end, now), DAY)
        ),
        status=status if is_near else None,
        snapshot=kept[-1] if kept else None,
    )


def _until_now(curve: EquityCurve, status: AccountStatus | None, span: DaySpan) -> EquityCurve:
    """Return the curve up to the moment of the positions that are told, where that is in the days."""
    if status is None or status.equity is None or not span.start <= status.time < span.end:
        return curve
    if curve.times.size and status.time <= curve.times[-1]:
        return curve
    return EquityCurve(np.append(curve.times, status.time), np.append(curve.equity, status.equity))


def _day(start: int, curve: EquityCurve, trades: Iterable[DayTrade], currency: str) -> DayFigures:
    """Return one day; before the account's first bar it was worth nothing that is known."""
    made, known = result(WHOLE, trades, (), currency), curve.until(start + DAY)
    return DayFigures(date_of(start), known.at(start), known.at(start + DAY), made.trades, made.net)


def _currency(status: AccountStatus | None, kept: list[SnapshotRow], fills: Iterable[DayFill]) -> str:
    """Return what the account counts in, as far as anything says so."""
    if status is not None and status.currency:
        return status.currency
    quotes = [one.currency for one in kept] + [pair_of(one.symbol).quote for one in fills]
    return quotes[0] if quotes else ""
