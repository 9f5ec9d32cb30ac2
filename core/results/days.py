"""What an account made in a stretch of days: the figures of daily metrics and of reports, defined once.

A day is a UTC day. A trade is of the day on which it was closed, a fill and its fee of the day on which it
happened. Equity at a moment is that of the last bar closed by then; a bar that closes at midnight is of the
day that ends. Profit is after fees. A trade that made nothing has neither won nor lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from core.account.money import NOTHING, minus, plus, times, total
from core.domain import FloatArray, IntArray
from core.errors import UsageError
from core.results.measures import FEWEST, max_drawdown, ratios, risk_of_equity, span_of
from core.symbols import pair_of


class EquityCurve(NamedTuple):
    """What an account was worth, oldest first."""

    times: IntArray
    """ms UTC, ascending."""
    equity: FloatArray

    def until(self, time: int) -> EquityCurve:
        """Return it up to a time, that time included."""
        stop = int(np.searchsorted(self.times, time, side="right"))
        return EquityCurve(self.times[:stop], self.equity[:stop])

    def at(self, time: int) -> float | None:
        """Return the equity at a time; before the first point that one's, None without any."""
        if not self.times.size:
            return None
        number = int(np.searchsorted(self.times, time, side="right"))
        return float(self.equity[max(number - 1, 0)])

    def within(self, start: int, end: int) -> FloatArray:
        """Return the equity of a stretch, beginning with what it began with."""
        first, stop = np.searchsorted(self.times, [start, end], side="right")
        opening = self.at(start)
        inside = self.equity[first:stop]
        return inside if opening is None else np.concatenate([[opening], inside])


def curve_of(points: Sequence[tuple[int, float]]) -> EquityCurve:
    """Return points of time and equity as a curve, without those whose equity was not known."""
    known = [point for point in points if math.isfinite(point[1])]
    times = np.array([ts for ts, _ in known], np.int64)
    return EquityCurve(times, np.array([value for _, value in known], np.float64))


class DayTrade(NamedTuple):
    """A closed trade, as far as its day needs to know."""

    strategy: str
    time: int
    """When it was closed, ms UTC."""
    pnl: Decimal
    """After fees."""


class DayFill(NamedTuple):
    """A fill, as far as its day needs to know."""

    strategy: str
    symbol: str
    time: int
    price: Decimal
    fee: Decimal
    fee_asset: str
    waited: int | None
    """Milliseconds since its order was sent, None where nobody knows."""


class DayResult(NamedTuple):
    """What one strategy made, or all of them together; money in the account's currency, exact."""

    strategy: str
    trades: int
    wins: int
    losses: int
    gross_profit: Decimal
    """What the trades that won made."""
    gross_loss: Decimal
    """What those that lost lost, positive."""
    net: Decimal
    fees: Decimal
    """Of the fills, where they were paid in the account's currency or in the coin that was traded."""
    fills: int


def date_of(time: int) -> str:
    """Return the UTC day of a time, such as 2026-02-19."""
    return datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%d")


def day_start(date: str) -> int:
    """Return when a day begins, ms UTC. Raises UsageError for what is no day."""
    try:
        if len(date) != len("2026-02-19"):
            raise ValueError
        start = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"wanted a day such as 2026-02-19, got {date!r}") from None
    return (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def result(strategy: str, trades: Iterable[DayTrade], fills: Iterable[DayFill], currency: str) -> DayResult:
    """Return what trades and fills add up to."""
    pnls, own = [one.pnl for one in trades], list(fills)
    won, lost = [pnl for pnl in pnls if pnl > 0], [pnl for pnl in pnls if pnl < 0]
    return DayResult(
        strategy=strategy,
        trades=len(pnls),
        wins=len(won),
        losses=len(lost),
        gross_profit=total(won),
        gross_loss=minus(NOTHING, total(lost)),
        net=total(pnls),
        fees=total(fee_in(one, currency) for one in own),
        fills=len(own),
    )


def results(trades: Sequence[DayTrade], fills: Sequence[DayFill], currency: str) -> list[DayResult]:
    """Return what each strategy made that did something, by name."""
    names = sorted({one.strategy for one in trades} | {one.strategy for one in fills})
    return [
        result(
            name,
            (one for one in trades if one.strategy == name),
            (one for one in fills if one.strategy == name),
            currency,
        )
        for name in names
    ]


def fees_by_asset(fills: Iterable[DayFill]) -> dict[str, Decimal]:
    """Return what was paid in each currency, the first paid first."""
    paid: dict[str, Decimal] = {}
    for one in fills:
        paid[one.fee_asset] = plus(paid.get(one.fee_asset, NOTHING), one.fee)
    return paid


def fee_in(fill: DayFill, currency: str) -> Decimal:
    """Return a fill's fee in the account's currency, nothing where it was paid in a third one."""
    if fill.fee_asset == currency:
        return fill.fee
    return times(fill.fee, fill.price) if fill.fee_asset == pair_of(fill.symbol).base else NOTHING


def drawdown_pct(equity: Sequence[float] | FloatArray) -> float | None:
    """Return the deepest fall below an earlier peak in percent, positive; None where there is no equity."""
    curve = np.asarray(equity, np.float64)
    return 100 * max_drawdown(curve) if curve.size and curve[0] > 0 else None


def realised_curve(opening: float, trades: Iterable[DayTrade]) -> list[float]:
    """Return an equity that only closed trades move, trade by trade."""
    curve = [opening]
    for one in trades:
        curve.append(curve[-1] + float(one.pnl))
    return curve


def sharpe_of_equity(curve: EquityCurve) -> float | None:
    """Return the Sharpe ratio of an account up to its last point, None for fewer than 60 daily returns."""
    if not curve.times.size:
        return None
    return _finite(risk_of_equity(span_of(curve.times), curve.equity, 0.0).sharpe)


def sharpe_of_days(earned: Mapping[int, float], opening: Mapping[int, float], last: int) -> float | None:
    """Return the Sharpe ratio of what a strategy earned each day, as a share of that day's first equity.

    Both are by the number of the day since 1970; the days begin with the account's first.
    """
    days = [day for day in sorted(opening) if day <= last and opening[day] > 0]
    returns = [earned.get(day, 0.0) / opening[day] for day in days]
    return _finite(ratios(np.array(returns))[1]) if len(returns) >= FEWEST else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
