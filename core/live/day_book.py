"""An account's hours and days, kept while its loop runs: a snapshot an hour, a day's metrics once it is over.

What a kill leaves out the next start adds: both are decided by what is stored, and a day is computed from the
trades, fills and equity that are stored. The newest stored day is computed again with the next: a fill of its
last minutes may have become known later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from core.account.money import minus
from core.live.round_trips import round_trips
from core.live.status import AccountStatus
from core.results.days import (
    DayFill,
    DayTrade,
    EquityCurve,
    curve_of,
    date_of,
    day_start,
    drawdown_pct,
    realised_curve,
    result,
    results,
    sharpe_of_days,
    sharpe_of_equity,
)
from core.results.measures import DAY
from db import account_days
from db.account_days import WHOLE, DayRow, SnapshotRow

HOUR = 3_600_000


class Past(NamedTuple):
    """All that an account did, as its days are computed from it."""

    trades: Sequence[DayTrade]
    fills: Sequence[DayFill]
    curve: EquityCurve


def past_of(engine: Engine, account: str, end: int) -> Past:
    """Return what an account did before a time, oldest first."""
    trades = [
        DayTrade(one.strategy, one.exit_ts, minus(one.gross, one.fees))
        for one in round_trips(engine, account)
        if one.exit_ts < end
    ]
    fills = [
        DayFill(
            strategy=one.strategy,
            symbol=one.symbol,
            time=one.ts,
            price=one.price,
            fee=one.fee,
            fee_asset=one.fee_asset,
            # On paper nothing is on its way.
            waited=None if one.sent_at is None or one.exchange == "paper" else max(0, one.ts - one.sent_at),
        )
        for one in account_days.timed_fills(engine, account)
        if one.ts < end
    ]
    return Past(trades, fills, curve_of(account_days.equity_points(engine, account, end)))


class DayBook:
    """Keeps the hours and days of one account."""

    def __init__(self, engine: Engine, account: str, exchange: str) -> None:
        """Take the opened database, and whose candles the account trades on."""
        self._engine, self._account, self._exchange = engine, account, exchange
        self._hour: int | None = None
        """The hour of the newest snapshot, counted from 1970; None before it was looked for."""
        self._day: int | None = None
        """The day up to which all is stored, that day excluded."""
        self._opening: tuple[int, float | None] = -1, None

    def look(self, status: AccountStatus) -> None:
        """Keep what is due at the time of a status."""
        now = status.time
        if self._hour is None:
            newest = account_days.newest_snapshot(self._engine, self._account)
            self._hour = -1 if newest is None else newest // HOUR
        if self._day != now // DAY:
            self._keep_days(status.currency, now)
            self._day = now // DAY
        if now // HOUR > self._hour and status.equity is not None:
            account_days.put_snapshot(self._engine, self._snapshot(status, status.equity, now))
            self._hour = now // HOUR

    def _snapshot(self, status: AccountStatus, equity: float, now: int) -> SnapshotRow:
        opening = self._opened_with(now // DAY * DAY)
        earned = None if opening is None else equity - opening
        return SnapshotRow(
            account=self._account,
            timestamp=now,
            exchange=self._exchange,
            currency=status.currency,
            total_balance_usd=equity,
            free_balance_usd=float(minus(status.cash, status.reserved)),
            in_positions_usd=equity - float(status.cash),
            unrealized_pnl_usd=sum(one.open_profit or 0.0 for one in status.positions),
            daily_pnl_usd=earned,
            daily_pnl_pct=100 * earned / opening if earned is not None and opening else None,
        )

    def _opened_with(self, midnight: int) -> float | None:
        """Return the equity that a day began with, asked for once; None while no bar has closed."""
        if self._opening[0] != midnight or self._opening[1] is None:
            curve = curve_of(account_days.equity_points(self._engine, self._account, midnight + DAY))
            self._opening = midnight, curve.at(midnight)
        return self._opening[1]

    def _keep_days(self, currency: str, now: int) -> None:
        """Store every day that is over, from the newest stored one on."""
        today = now // DAY * DAY
        newest = account_days.newest_day(self._engine, self._account)
        if newest is not None and day_start(newest) + DAY >= today and self._day is None:
            return
        past = past_of(self._engine, self._account, today)
        first = [int(ts) - 1 for ts in past.curve.times[:1]]
        first += [one.time for one in past.trades[:1]] + [one.time for one in past.fills[:1]]
        begun = min([today, *first])
        start = begun // DAY * DAY if newest is None else day_start(newest)
        rows = [
            row for day in range(start, today, DAY) for row in rows_of(self._account, currency, past, day)
        ]
        account_days.put_days(self._engine, rows)


def rows_of(account: str, currency: str, past: Past, start: int) -> Iterator[DayRow]:
    """Yield a day's metrics: one row for all strategies together, and one for each that did something."""
    end = start + DAY
    trades = [one for one in past.trades if start <= one.time < end]
    fills = [one for one in past.fills if start <= one.time < end]
    equity, until = past.curve.within(start, end), past.curve.until(end)
    opening = until.at(start)
    openings = _openings(until)
    for one in (result(WHOLE, trades, fills, currency), *results(trades, fills, currency)):
        if one.strategy == WHOLE:
            fall, sharpe = drawdown_pct(equity), sharpe_of_equity(until)
        else:
            own = [trade for trade in past.trades if trade.strategy == one.strategy]
            today = [trade for trade in own if start <= trade.time < end]
            fall = None if opening is None else drawdown_pct(realised_curve(opening, today))
            sharpe = sharpe_of_days(_earned(own), openings, start // DAY)
        yield DayRow(
            account=account,
            date=date_of(start),
            strategy=one.strategy,
            currency=currency,
            num_trades=one.trades,
            num_wins=one.wins,
            num_losses=one.losses,
            gross_profit_usd=float(one.gross_profit),
            gross_loss_usd=float(one.gross_loss),
            net_pnl_usd=float(one.net),
            fees_paid_usd=float(one.fees),
            max_drawdown_pct=fall,
            sharpe_ratio=sharpe,
        )


def _earned(trades: Sequence[DayTrade]) -> dict[int, float]:
    """Return what trades made, by the number of the day."""
    earned: defaultdict[int, float] = defaultdict(float)
    for one in trades:
        earned[one.time // DAY] += float(one.pnl)
    return earned


def _openings(curve: EquityCurve) -> dict[int, float]:
    """Return the equity that each day began with, by its number, from the account's first day on."""
    if not curve.times.size:
        return {}
    first, last = ((int(curve.times[n]) - 1) // DAY for n in (0, -1))
    found = {day: curve.at(day * DAY) for day in range(first, last + 1)}
    return {day: value for day, value in found.items() if value is not None}
